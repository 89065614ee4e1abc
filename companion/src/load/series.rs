//! How the run went over time: columns of equal width, which double once there are too many.

use hdrhistogram::Histogram;

/// Most columns of a plot: more than there are pixels to show them.
const COLUMNS_MAX: usize = 400;

/// The words that have a colour of their own; all others are one.
pub const WORDS: [&str; 6] = [
    "RESERVED",
    "SOLD",
    "ALLRESERVED",
    "SOLDOUT",
    "EXPIRED",
    "WAITING",
];

/// Returns a histogram of 1 microsecond to 2 minutes.
pub fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, digits).expect("bounds that are in order")
}

/// What happened in one column.
#[derive(Clone)]
pub struct Column {
    /// Requests whose moment it was.
    pub due: u64,
    /// Answers that came, by `WORDS`; the last are all others.
    pub answers: [u64; WORDS.len() + 1],
    /// Of the requests that were due here: a stall shows where it began.
    pub latency: Option<Box<Histogram<u64>>>,
}

/// The stock at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub at_us: u64,
    /// By item: available, reserved, sold.
    pub stock: Vec<[u64; 3]>,
}

/// Most samples of the stock; then every second one is dropped.
const SAMPLES_MAX: usize = 800;

impl Sample {
    /// Adds a sample to the others.
    pub fn add(samples: &mut Vec<Self>, at_us: u64, stock: Vec<[u64; 3]>) {
        samples.push(Self { at_us, stock });
        if samples.len() > SAMPLES_MAX {
            let mut keeps = false;
            samples.retain(|_| {
                keeps = !keeps;
                keeps
            });
        }
    }
}

/// The columns and the samples.
pub struct Series {
    pub column_us: u64,
    pub columns: Vec<Column>,
}

impl Series {
    pub fn new(column_us: u64) -> Self {
        Self {
            column_us,
            columns: Vec::new(),
        }
    }

    /// Counts an answer where it came, and its latency where its request was due.
    pub fn answered(&mut self, intended_us: u64, answered_us: u64, took_us: u64, word: &str) {
        let at = WORDS.iter().position(|known| *known == word);
        self.column(answered_us).answers[at.unwrap_or(WORDS.len())] += 1;
        let due = self.column(intended_us);
        due.due += 1;
        due.latency
            .get_or_insert_with(|| Box::new(histogram(2)))
            .saturating_record(took_us);
    }

    fn column(&mut self, at_us: u64) -> &mut Column {
        while (at_us / self.column_us) as usize >= COLUMNS_MAX {
            self.widen();
        }
        let at = (at_us / self.column_us) as usize;
        if at >= self.columns.len() {
            let empty = Column {
                due: 0,
                answers: [0; WORDS.len() + 1],
                latency: None,
            };
            self.columns.resize(at + 1, empty);
        }
        &mut self.columns[at]
    }

    /// Makes one column of two.
    fn widen(&mut self) {
        let mut wide = Vec::with_capacity(self.columns.len().div_ceil(2));
        for pair in self.columns.chunks(2) {
            let mut one = pair[0].clone();
            if let Some(other) = pair.get(1) {
                one.due += other.due;
                for (sum, more) in one.answers.iter_mut().zip(other.answers) {
                    *sum += more;
                }
                match (&mut one.latency, &other.latency) {
                    (Some(all), Some(more)) => all.add(&**more).expect("equal bounds"),
                    (empty @ None, more) => empty.clone_from(more),
                    _ => {}
                }
            }
            wide.push(one);
        }
        self.columns = wide;
        self.column_us *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_widen_and_lose_nothing() {
        let mut series = Series::new(1_000);
        for at in 0..1_000_u64 {
            series.answered(at * 1_000, at * 1_000 + 500, 500, "SOLD");
        }
        assert!(series.columns.len() <= COLUMNS_MAX && series.column_us == 4_000);
        assert_eq!(
            series.columns.iter().map(|one| one.answers[1]).sum::<u64>(),
            1_000
        );
        let latencies = series.columns.iter().flat_map(|one| &one.latency);
        assert_eq!(latencies.map(|one| one.len()).sum::<u64>(), 1_000);
    }
}
