//! Recounts the outbox: invariant 12 of the sale.

use crate::sale::audit::Differences;
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
            if last_seq.is_some_and(|last_seq| seq <= last_seq) {
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
