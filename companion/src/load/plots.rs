//! The four plots of the report: rate, latency, stock and answers over time; with a line before
//! them, who bought.

use crate::plain::ms;

use super::chart::{Chart, Curve, Scale};
use super::fates;
use super::outcome::Outcome;
use super::series::{Column, WORDS};

/// The lowest latency that a plot shows, in ms.
const LOWEST_MS: f64 = 0.1;

/// Draws all of them.
pub fn plots(outcome: &Outcome) -> String {
    let plots = [
        ("Rate", rate(outcome)),
        ("Latency by the moment a request was due", latency(outcome)),
        ("Stock", stock(outcome)),
        ("Answers", answers(outcome)),
    ];
    let section =
        |(title, svg): &(&str, String)| format!("<section><h2>{title}</h2>{svg}</section>");
    let sections: Vec<String> = plots.iter().map(section).collect();
    let acts = outcome.acts();
    let side_by_side = if acts.is_empty() {
        String::new()
    } else {
        fates::section(&acts)
    };
    format!(
        "{side_by_side}<div class=\"two\">{}</div>",
        sections.concat()
    )
}

impl Outcome {
    fn columns(&self) -> &[Column] {
        &self.tally.series.columns
    }

    /// A plot over the columns of the run.
    fn chart(&self, title: &str, unit: &'static str, scale: Scale) -> Chart {
        let wide = self.tally.series.column_us as f64 / 1e6;
        let middles = (0..self.columns().len()).map(|at| (at as f64 + 0.5) * wide);
        let killed = self
            .tally
            .killed_us
            .map(|us| (us as f64 / 1e6, "primary killed"));
        Chart {
            title: title.into(),
            unit,
            by: "seconds",
            at: middles.collect(),
            until: self.seconds(),
            curves: Vec::new(),
            scale,
            marks: killed.into_iter().collect(),
            bound: None,
        }
    }

    fn a_second(&self, count: u64) -> Option<f64> {
        Some(count as f64 * 1e6 / self.tally.series.column_us as f64)
    }
}

fn rate(outcome: &Outcome) -> String {
    let mut chart = outcome.chart(
        "Requests due and answers a second",
        "a second",
        Scale::Linear,
    );
    let of = |value: &dyn Fn(&Column) -> u64| {
        let columns = outcome.columns().iter();
        columns
            .map(|column| outcome.a_second(value(column)))
            .collect()
    };
    chart.curves = vec![
        Curve {
            label: "requests due",
            class: "c4",
            values: of(&|column| column.due),
        },
        Curve {
            label: "answers",
            class: "c1",
            values: of(&|column| column.answers.iter().sum()),
        },
    ];
    chart.lines()
}

fn latency(outcome: &Outcome) -> String {
    let mut chart = outcome.chart("p50, p95 and p99 over time", "ms", Scale::Log(LOWEST_MS));
    let curve = |label, class, share| Curve {
        label,
        class,
        values: outcome
            .columns()
            .iter()
            .map(|column| {
                let latency = column.latency.as_ref()?;
                Some(latency.value_at_quantile(share) as f64 / 1e3)
            })
            .collect(),
    };
    chart.curves = vec![
        curve("p50", "c2", 0.5),
        curve("p95", "c1", 0.95),
        curve("p99", "c3", 0.99),
    ];
    let bound = format!("bound of p95 in all, {} ms", ms(outcome.p95_us));
    chart.bound = Some((outcome.p95_us as f64 / 1e3, bound));
    chart.lines()
}

fn stock(outcome: &Outcome) -> String {
    let mut chart = outcome.chart("Units sold, reserved and available", "units", Scale::Linear);
    chart.at = outcome
        .samples
        .iter()
        .map(|sample| sample.at_us as f64 / 1e6)
        .collect();
    let curve = |label, class, part: usize| Curve {
        label,
        class,
        values: outcome
            .samples
            .iter()
            .map(|sample| Some(sample.stock.iter().map(|item| item[part]).sum::<u64>() as f64))
            .collect(),
    };
    chart.curves = vec![
        curve("sold", "c2", 2),
        curve("reserved", "c3", 1),
        curve("available", "c4", 0),
    ];
    chart.areas()
}

fn answers(outcome: &Outcome) -> String {
    let mut chart = outcome.chart("Answers a second by word", "a second", Scale::Linear);
    let colours = ["c1", "c2", "c3", "c4", "c5", "c7", "c6"];
    let labels = WORDS.iter().copied().chain(["others"]);
    for (at, (label, class)) in labels.zip(colours).enumerate() {
        let columns = outcome.columns().iter();
        chart.curves.push(Curve {
            label,
            class,
            values: columns
                .map(|column| outcome.a_second(column.answers[at]))
                .collect(),
        });
    }
    chart.areas()
}
