//! Recounts the outbox: invariant 12 of the sale.

use crate::sale::audit::Differences;
use crate::sale::book::outbox::ascends;
use crate::sale::state::Sale;

impl Sale {
    /// Looks whether each waiting record can be read, and their `seq` ascend up to the sale's.
    pub(super) fn audit_outbox(&self, differences: &mut Differences) {
        let Some(outbox) = &self.outbox else { return };
        let mut last_seq = None;
        for record in outbox.read() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    differences.add(|| format!("a waiting entry cannot be read: {error}"));
                    continue;
                }
            };
            let (seq, word) = (record.seq, record.news.word());
            if last_seq.is_some_and(|last_seq| !ascends(last_seq, seq)) {
                differences.add(|| format!("the seq {seq} of a waiting {word} does not ascend"));
            }
            if seq > outbox.counts().seq {
                differences
                    .add(|| format!("the seq {seq} of a waiting {word} is above the sale's"));
            }
            last_seq = Some(seq);
        }
        let (kept, counted) = (outbox.counted(), outbox.recount());
        differences.compare(|| "waiting entries".into(), kept.0 as u64, counted.0 as u64);
        differences.compare(|| "what they count".into(), kept.1, counted.1);
    }
}

#[cfg(test)]
mod tests {
    use crate::sale::audit::fixture::sale;
    use crate::sale::book::outbox::{Head, Outbox, OutboxCounts};
    use crate::sale::event::record::News;

    #[test]
    fn finds_a_seq_that_does_not_ascend_and_one_above_the_sales_and_damage() {
        let mut sale = sale();
        let counts = OutboxCounts {
            seq: 9_000,
            ..OutboxCounts::default()
        };
        let mut other = Outbox::new(counts);
        (9..12).for_each(|at_ms| other.queue(at_ms, &News::Paused));
        let bytes: Vec<Vec<u8>> = other.records().map(<[u8]>::to_vec).collect();
        let mut audit = |order: &[usize], damage: &[u8], seq| {
            let mut outbox = Outbox::new(OutboxCounts { seq, ..counts });
            for &n in order {
                let head = Head { at_ms: 9, seq: 1 };
                outbox.restore(head, 0, &bytes[n]).unwrap();
            }
            if !damage.is_empty() {
                outbox
                    .restore(Head { at_ms: 9, seq: 1 }, 0, damage)
                    .unwrap();
            }
            sale.outbox = Some(Box::new(outbox));
            sale.audit()
        };
        assert!(audit(&[0, 1, 2], &[], 11_000).is_empty());
        assert_eq!(
            audit(&[0, 2, 1], &[], 11_000),
            ["the seq 10000 of a waiting paused does not ascend"]
        );
        assert_eq!(
            audit(&[0, 1, 2], &[], 10_999),
            ["the seq 11000 of a waiting paused is above the sale's"]
        );
        assert_eq!(audit(&[0], &[9, 0, 99], 11_000).len(), 1);
    }
}
