//! What was found and what was done: counted, as a table or JSON, and each difference as CSV.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use crate::failure::Failure;
use crate::link::Audit;
use crate::plain::{commas, harmless};

/// How many differences the table names; the rest stand in the file of `--report`.
const SHOWN: usize = 20;

/// A kind of difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An order of SQL that the sale has not sold.
    Lost,
    /// A refund of SQL that the sale does not know.
    RefundMissing,
    /// An entry of the stream that SQL lacks, and the worker is done with.
    OnlyInStream,
    /// An order or a refund of the sale that SQL lacks, and whose entry is gone.
    Trimmed,
    PaidTwice,
    Conflict,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Lost,
        Self::RefundMissing,
        Self::OnlyInStream,
        Self::Trimmed,
        Self::PaidTwice,
        Self::Conflict,
    ];

    /// Returns the word in CSV and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::RefundMissing => "refund_missing",
            Self::OnlyInStream => "only_in_stream",
            Self::Trimmed => "trimmed",
            Self::PaidTwice => "paid_twice",
            Self::Conflict => "conflict",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::RefundMissing => "refunds missing",
            Self::OnlyInStream => "only in the stream",
            Self::Trimmed => "trimmed too early",
            Self::PaidTwice => "paid twice",
            Self::Conflict => "conflicts",
        }
    }
}

/// What became of a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is none any more.
    Done,
    /// A run with `--apply` will settle it.
    Due,
    /// For people.
    Left,
}

#[derive(Clone, Copy, Default, Debug)]
struct Count {
    found: u64,
    done: u64,
}

/// A file of differences.
pub struct Csv(BufWriter<File>);

impl Csv {
    /// Makes the file.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn create(path: &str) -> Result<Self, Failure> {
        let made = File::create(path).and_then(|file| {
            let mut file = BufWriter::new(file);
            file.write_all(b"sale,kind,id,ref,outcome,detail\n")?;
            Ok(Self(file))
        });
        made.map_err(|error| Failure::cannot(&format!("--report {path}"), error))
    }

    fn write(&mut self, cells: [&str; 6]) -> std::io::Result<()> {
        let cell = |text: &str| {
            let is_plain = !text.contains([',', '"', '\n', '\r']);
            match is_plain {
                true => text.to_owned(),
                false => format!("\"{}\"", text.replace('"', "\"\"")),
            }
        };
        let line = cells.map(cell).join(",");
        writeln!(self.0, "{line}")
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    ///
    /// The file does not take it.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.0.flush();
        flushed.map_err(|error| Failure::cannot("--report", error))
    }
}

/// The result of one sale.
pub struct Report<'a> {
    sale: String,
    sale_id: String,
    server: String,
    is_applied: bool,
    pub compared: u64,
    /// Entries that the worker has yet to store.
    pub backlog: u64,
    counts: [Count; Kind::ALL.len()],
    /// Units sold that the sale does not have, by SKU.
    pub owed: Vec<(String, i64)>,
    pub audit: Audit,
    shown: Vec<String>,
    csv: Option<&'a mut Csv>,
    csv_error: Option<std::io::Error>,
}

impl<'a> Report<'a> {
    /// Begins a report.
    pub fn new(
        sale: &str,
        sale_id: &str,
        server: &str,
        is_applied: bool,
        csv: Option<&'a mut Csv>,
    ) -> Self {
        Self {
            sale: sale.into(),
            sale_id: sale_id.into(),
            server: server.into(),
            is_applied,
            compared: 0,
            backlog: 0,
            counts: Default::default(),
            owed: Vec::new(),
            audit: Audit::default(),
            shown: Vec::new(),
            csv,
            csv_error: None,
        }
    }

    /// Counts a difference, and notes it.
    pub fn add(&mut self, kind: Kind, id: &[u8], reference: &[u8], fate: Fate, detail: &str) {
        let count = &mut self.counts[kind as usize];
        count.found += 1;
        count.done += u64::from(fate == Fate::Done);
        if let Some(csv) = &mut self.csv
            && self.csv_error.is_none()
        {
            let outcome = match fate {
                Fate::Done => "done",
                Fate::Due => "due",
                Fate::Left => "left",
            };
            let (id, reference) = (text_of(id), text_of(reference));
            let cells = [&self.sale, kind.word(), &id, &reference, outcome, detail];
            self.csv_error = csv.write(cells).err();
        }
        if fate == Fate::Left {
            let mut line = format!("{}: {}", kind.title(), text_of(id));
            if !reference.is_empty() {
                let _ = write!(line, ", ref {}", text_of(reference));
            }
            if !detail.is_empty() {
                let _ = write!(line, ": {detail}");
            }
            if self.shown.len() < SHOWN {
                self.shown.push(harmless(&line));
            }
        }
    }

    /// Returns how many differences remain.
    pub fn left(&self) -> u64 {
        let left = |count: &Count| count.found - count.done;
        self.counts.iter().map(left).sum()
    }

    /// Reports whether the three books agree now, and the sale with itself.
    pub fn is_settled(&self) -> bool {
        self.left() == 0 && self.audit.is_clean()
    }

    /// Reports what the file of differences did not take.
    ///
    /// # Errors
    ///
    /// It is full, or gone.
    pub fn check_csv(&mut self) -> Result<(), Failure> {
        match self.csv_error.take() {
            None => Ok(()),
            Some(error) => Err(Failure::cannot("--report", error)),
        }
    }

    /// Returns the table.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} ({}): {} orders compared\n{:22}{:>12}{:>12}{:>12}\n",
            harmless(&self.sale),
            self.server,
            commas(self.compared),
            "",
            "found",
            "done",
            "left",
        );
        for kind in Kind::ALL {
            let Count { found, done } = self.counts[kind as usize];
            let numbers = [found, done, found - done].map(commas);
            let [found, done, left] = numbers;
            let _ = writeln!(text, "  {:20}{found:>12}{done:>12}{left:>12}", kind.title());
        }
        let owed = self.owed.iter();
        let owed = owed.map(|(sku, units)| format!("{} {units}", harmless(sku)));
        let owed = match self.owed.is_empty() {
            true => "nothing".to_owned(),
            false => owed.collect::<Vec<_>>().join(", "),
        };
        let audit = match self.audit.is_clean() {
            true => "consistent",
            false => "differences",
        };
        let backlog = commas(self.backlog);
        let _ = writeln!(text, "  {:20}{backlog:>12}", "with the worker");
        let _ = writeln!(text, "  {:20}{:6}{owed}", "owed", "");
        let place = &self.audit.place;
        let _ = writeln!(text, "  {:20}{:6}{audit}, of {place}", "AUDIT", "");
        for difference in &self.audit.differences {
            let _ = writeln!(text, "AUDIT: {}", harmless(difference));
        }
        self.shown.iter().for_each(|line| {
            let _ = writeln!(text, "{line}");
        });
        if !self.is_applied && self.left() > 0 {
            text.push_str("Nothing was changed: --apply imports, refunds and inserts.\n");
        }
        text
    }

    /// Returns the same as one line of JSON.
    pub fn json(&self) -> String {
        let mut object = serde_json::json!({
            "sale": self.sale,
            "sale_id": self.sale_id,
            "server": self.server,
            "applied": self.is_applied,
            "compared": self.compared,
        });
        for kind in Kind::ALL {
            let Count { found, done } = self.counts[kind as usize];
            object[kind.word()] = serde_json::json!({ "found": found, "done": done });
        }
        object["left"] = self.left().into();
        object["backlog"] = self.backlog.into();
        let owed = self.owed.iter();
        object["owed"] = owed
            .map(|(sku, units)| (sku.clone(), serde_json::Value::from(*units)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        object["audit"] = serde_json::json!({
            "consistent": self.audit.is_clean(),
            "place": self.audit.place,
            "differences": self.audit.differences,
        });
        object.to_string()
    }
}

/// Shows bytes; what is no UTF-8 in hexadecimal.
fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold(String::from("0x"), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(is_applied: bool) -> Report<'static> {
        let mut report = Report::new("tea", "01M7", "a:6379", is_applied, None);
        report.audit.consistent = true;
        report.audit.place = "a:6379, which has no replica".into();
        report
    }

    #[test]
    fn what_is_done_is_settled_and_what_is_left_is_named() {
        let mut report = report(true);
        assert!(report.is_settled());
        report.add(Kind::Lost, b"ann-1", b"charge-1", Fate::Done, "");
        assert!(report.is_settled());
        report.add(Kind::PaidTwice, b"b\x1b", b"c", Fate::Left, "by d");
        assert!(!report.is_settled());
        report.owed.push(("red".into(), 3));
        let table = report.table();
        assert!(table.contains("paid twice: b?, ref c: by d"), "{table}");
        assert!(table.contains("red 3"), "{table}");
        let json: serde_json::Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json["lost"], serde_json::json!({ "found": 1, "done": 1 }));
        assert_eq!(json["left"], 1);
        assert_eq!(json["owed"]["red"], 3);
    }

    #[test]
    fn a_sale_that_disagrees_with_itself_is_not_settled() {
        let mut report = report(true);
        report.audit.differences.push("red: available".into());
        assert!(!report.is_settled());
        assert!(report.table().contains("AUDIT: red: available"));
    }

    #[test]
    fn the_file_keeps_commas_and_quotes() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let path = file.path().to_str().expect("a path");
        let mut csv = Csv::create(path).expect("a file");
        let mut report = Report::new("tea", "01M7", "a", false, Some(&mut csv));
        report.add(Kind::Conflict, b"a,\"b\"", b"\xFF", Fate::Left, "why");
        report.check_csv().expect("written");
        csv.finish().expect("written");
        let text = std::fs::read_to_string(path).expect("a file");
        assert_eq!(
            text,
            "sale,kind,id,ref,outcome,detail\ntea,conflict,\"a,\"\"b\"\"\",0xff,left,why\n"
        );
    }
}
