//! What became of each buyer: who got units, by the order of coming, and how long they waited to
//! know. A race and a line are set side by side here.

use hdrhistogram::Histogram;

use crate::plain::commas;

use super::chart::{Chart, Curve, Scale, escape};
use super::series::histogram;

/// Of how many buyers the fate is kept.
const FATES_MAX: u64 = 1_000_000;

/// Points of the picture.
const POINTS: usize = 50;

/// The fate of one buyer, by both tabs.
#[derive(Clone, Copy, Default)]
struct Fate {
    /// From the first request to the first RESERVED.
    served_us: Option<u64>,
    /// From the first request to the last SOLDOUT.
    refused_us: Option<u64>,
    has_bought: bool,
}

/// The fates in the order of coming.
#[derive(Default)]
pub struct Fates(Vec<Fate>);

impl Fates {
    fn of(&mut self, user: u64) -> Option<&mut Fate> {
        if user >= FATES_MAX {
            return None;
        }
        let at = user as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, Fate::default());
        }
        self.0.get_mut(at)
    }

    /// Notes what an answer means to a buyer who came at `came_us`.
    pub fn note(&mut self, user: u64, word: &str, came_us: u64, now_us: u64) {
        let Some(fate) = self.of(user) else {
            return;
        };
        let waited_us = now_us.saturating_sub(came_us).max(1);
        match word {
            "RESERVED" => {
                fate.served_us.get_or_insert(waited_us);
            }
            "SOLD" => fate.has_bought = true,
            "SOLDOUT" => fate.refused_us = Some(waited_us),
            _ => {}
        }
    }

    /// Returns how many in a hundred have bought, for each of `POINTS` equal parts of the crowd.
    fn bought_by_part(&self) -> Vec<Option<f64>> {
        let part = |at: usize| {
            let bound = |at: usize| at * self.0.len() / POINTS;
            let buyers = &self.0[bound(at)..bound(at + 1)];
            let bought = buyers.iter().filter(|fate| fate.has_bought).count();
            (!buyers.is_empty()).then(|| 100.0 * bought as f64 / buyers.len() as f64)
        };
        (0..POINTS).map(part).collect()
    }
}

/// One column of the table, and one curve of the picture.
#[derive(Clone)]
pub struct Act {
    name: &'static str,
    /// Buyers whose fate is known.
    came: u64,
    requests: u64,
    bought: u64,
    /// How many of those who bought are among the first so many who came.
    bought_first: u64,
    served: Histogram<u64>,
    refused: Histogram<u64>,
    wrong_by: Histogram<u64>,
    by_part: Vec<Option<f64>>,
}

impl Act {
    /// Sums up a run of so many requests; `wrong_by` is how wrong its estimates were.
    pub fn of(name: &'static str, requests: u64, all: &Fates, wrong_by: &Histogram<u64>) -> Self {
        let fates = &all.0;
        let (mut served, mut refused) = (histogram(3), histogram(3));
        for fate in fates {
            match (fate.served_us, fate.refused_us) {
                (Some(us), _) => served.saturating_record(us),
                (None, Some(us)) => refused.saturating_record(us),
                (None, None) => {}
            }
        }
        let bought = |fates: &[Fate]| fates.iter().filter(|fate| fate.has_bought).count();
        let buyers = bought(fates);
        Self {
            name,
            came: fates.len() as u64,
            requests,
            bought: buyers as u64,
            bought_first: bought(&fates[..buyers]) as u64,
            served,
            refused,
            wrong_by: wrong_by.clone(),
            by_part: all.bought_by_part(),
        }
    }

    /// What is told of it: the name of the row, and the figure.
    fn figures(&self) -> Vec<(&'static str, String)> {
        let after = |of: &Histogram<u64>, share: f64| match of.is_empty() {
            true => "-".into(),
            false => format!("{:.2} s", of.value_at_quantile(share) as f64 / 1e6),
        };
        let requests = self.requests as f64 / self.came.max(1) as f64;
        let first = 100.0 * self.bought_first as f64 / self.bought.max(1) as f64;
        vec![
            ("requests", commas(self.requests)),
            ("requests a buyer", format!("{requests:.1}")),
            ("buyers who bought", commas(self.bought)),
            (
                "of them among the first so many who came",
                format!("{first:.0}%"),
            ),
            ("told of units after, median", after(&self.served, 0.5)),
            ("told of units after, p90", after(&self.served, 0.9)),
            (
                "told that none are left after, median",
                after(&self.refused, 0.5),
            ),
            (
                "told that none are left after, p90",
                after(&self.refused, 0.9),
            ),
            (
                "estimates of the wait",
                match self.wrong_by.len() {
                    0 => "-".into(),
                    count => commas(count),
                },
            ),
            ("wrong by, median", after(&self.wrong_by, 0.5)),
            ("wrong by, p90", after(&self.wrong_by, 0.9)),
        ]
    }
}

/// The rows of the table: what it is, and a figure for each act.
fn rows(acts: &[Act]) -> Vec<(&'static str, Vec<String>)> {
    let columns: Vec<_> = acts.iter().map(|act| act.figures()).collect();
    let row = |at: usize| {
        let figures = columns.iter().map(|column| column[at].1.clone());
        (columns[0][at].0, figures.collect())
    };
    (0..columns.first().map_or(0, Vec::len)).map(row).collect()
}

/// Returns the table as plain text, with a heading.
pub fn text(acts: &[Act]) -> String {
    let names: Vec<String> = acts.iter().map(|act| format!("{:>12}", act.name)).collect();
    let mut text = format!("{:<46}{}\n", "Who waited, and for what", names.concat());
    for (name, figures) in rows(acts) {
        let figures: Vec<String> = figures.iter().map(|one| format!("{one:>12}")).collect();
        text += &format!("  {name:<44}{}\n", figures.concat());
    }
    text
}

/// Returns the table and the picture as a section of the report.
pub fn section(acts: &[Act]) -> String {
    let cell = |text: &String| format!("<td class=\"n\">{}</td>", escape(text));
    let heads = acts
        .iter()
        .map(|act| format!("<th class=\"n\">{}</th>", act.name));
    let mut table = format!("<tr><th></th>{}</tr>", heads.collect::<String>());
    for (name, figures) in rows(acts) {
        let cells: String = figures.iter().map(cell).collect();
        table += &format!("<tr><td>{name}</td>{cells}</tr>");
    }
    format!(
        "<div class=\"two\"><section id=\"line\"><h2>Who bought, by the order of coming</h2>{}</section>\
         <section><h2>Who waited, and for what</h2><table>{table}</table></section></div>",
        picture(acts)
    )
}

fn picture(acts: &[Act]) -> String {
    let came = acts.iter().map(|act| act.came).max().unwrap_or(0) as f64;
    let middle = |at: usize| (at as f64 + 0.5) * came / POINTS as f64;
    let curve = |(act, class): (&Act, &'static str)| Curve {
        label: act.name,
        class,
        values: act.by_part.clone(),
    };
    // The line has one colour, whether a race is beside it or not.
    let classes = ["c1", "c3"];
    Chart {
        title: "How many in a hundred bought, by the order of coming".into(),
        unit: "% who bought",
        by: "the order of coming",
        at: (0..POINTS).map(middle).collect(),
        until: came,
        curves: acts.iter().rev().zip(classes).map(curve).collect(),
        scale: Scale::Linear,
        marks: Vec::new(),
        bound: None,
    }
    .lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(name: &'static str, bought: &[u64]) -> Act {
        let mut fates = Fates::default();
        for user in 0..100 {
            fates.note(user, "WAITING", 0, 500_000);
            let word = if bought.contains(&user) {
                "RESERVED"
            } else {
                "SOLDOUT"
            };
            fates.note(user, word, 0, 2_000_000);
        }
        for user in bought {
            fates.note(*user, "SOLD", 0, 3_000_000);
            // What is reserved later is no shorter wait.
            fates.note(*user, "RESERVED", 0, 4_000_000);
        }
        Act::of(name, 400, &fates, &histogram(3))
    }

    #[test]
    fn tells_who_bought_by_the_order_of_coming() {
        let first: Vec<u64> = (0..10).collect();
        let spread: Vec<u64> = (0..100).step_by(10).collect();
        let (line, race) = (act("line", &first), act("race", &spread));
        assert_eq!((line.bought, line.bought_first), (10, 10));
        assert_eq!((race.bought, race.bought_first), (10, 1));
        assert_eq!(
            line.by_part[..6],
            [100.0, 100.0, 100.0, 100.0, 100.0, 0.0].map(Some)
        );
        let text = text(&[race.clone(), line.clone()]);
        let row = |name: &str| -> Vec<&str> {
            let line = text.lines().find(|line| line.contains(name)).expect(name);
            line.split(name)
                .nth(1)
                .expect("figures")
                .split_whitespace()
                .collect()
        };
        assert_eq!(row("among the first so many who came"), ["10%", "100%"]);
        assert_eq!(row("told of units after, p90"), ["2.00", "s", "2.00", "s"]);
        assert_eq!(row("wrong by, p90"), ["-", "-"]);
        let section = section(&[race.clone(), line.clone()]);
        assert_eq!(
            section.matches("<path class=\"line").count(),
            2,
            "{section}"
        );
    }
}
