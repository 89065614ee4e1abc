//! A table, as Markdown that is also legible where it is printed.

/// Names of columns, and rows of cells; the first column is text, the rest are numbers.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(head: &[&str]) -> Table {
        Table {
            head: head.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub fn add(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// With columns of equal width.
    pub fn markdown(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells
                    .max()
                    .unwrap_or(0)
                    .max(self.head[column].chars().count())
            })
            .collect();
        let line =
            |cells: &[String]| {
                let padded = cells.iter().zip(&widths).enumerate().map(
                    |(column, (cell, width))| match column {
                        0 => format!("{cell:<width$}"),
                        _ => format!("{cell:>width$}"),
                    },
                );
                format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
            };
        let rules: Vec<String> = widths
            .iter()
            .enumerate()
            .map(|(column, width)| match column {
                0 => "-".repeat(*width),
                _ => format!("{}:", "-".repeat(width - 1)),
            })
            .collect();
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        line(&self.head) + &line(&rules) + &rows
    }
}

/// A number with so many places, in thousands with commas.
pub fn number(value: f64, places: usize) -> String {
    if places == 0 {
        return crate::print::commas(value.round().max(0.0) as u64);
    }
    format!("{value:.places$}")
}
