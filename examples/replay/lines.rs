//! The file, line by line.
//!
//! Edge: columns and numbers; what a line means is in `book.rs`.

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use crate::reply::Outcome;

/// Longest name the sale takes, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// One SKU of one invoice.
#[derive(Clone, Debug)]
pub struct Line {
    pub invoice: String,
    pub sku: String,
    /// Negative in cancellations and stock adjustments, never 0.
    pub quantity: i64,
    pub time: String,
    /// Empty when the shop did not know.
    pub customer: String,
    pub country: String,
}

/// A file that has been read.
pub struct Read {
    pub lines: Vec<Line>,
    /// Lines without a name, or without a quantity that can be sold.
    pub unusable: usize,
}

/// Reads a whole file.
///
/// # Errors
///
/// It cannot be opened, is not CSV, or has not all the columns.
pub fn read(file: &Path) -> Outcome<Read> {
    let shown = file.display();
    let open = ReaderBuilder::new().from_path(file);
    let mut reader = open.map_err(|error| format!("{shown}: {error}"))?;
    let header = reader.byte_headers()?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|title| title == name.as_bytes());
        found.ok_or_else(|| format!("{shown}: no column `{name}`"))
    };
    let names = [
        "invoice",
        "sku",
        "quantity",
        "invoice_time",
        "customer",
        "country",
    ];
    let mut columns = [0; 6];
    for (at, name) in columns.iter_mut().zip(names) {
        *at = column(name)?;
    }
    let mut read = Read {
        lines: Vec::new(),
        unusable: 0,
    };
    for record in reader.into_byte_records() {
        match line_of(&record?, &columns) {
            Some(line) => read.lines.push(line),
            None => read.unusable += 1,
        }
    }
    Ok(read)
}

fn line_of(record: &ByteRecord, columns: &[usize; 6]) -> Option<Line> {
    // Some copies of such files are not UTF-8: a replaced character is still a name.
    let text = |at: usize| {
        let bytes = record.get(columns[at]).unwrap_or_default();
        String::from_utf8_lossy(bytes).trim().to_owned()
    };
    let name = |at: usize| {
        let name = text(at);
        (1..=NAME_BYTES_MAX).contains(&name.len()).then_some(name)
    };
    Some(Line {
        invoice: name(0)?,
        sku: name(1)?,
        quantity: text(2).parse().ok().filter(|quantity| *quantity != 0)?,
        time: text(3),
        customer: text(4),
        country: text(5),
    })
}
