//! What a sale with `EVENTS all` keeps for its stream, as bytes, and bad ones.

use super::*;

fn words(sale: &Sale) -> String {
    let records = sale.outbox().expect("an outbox").read();
    let words: Vec<&str> = records.map(|record| record.unwrap().news.word()).collect();
    words.join(" ")
}

#[test]
fn a_life_of_a_sale_waits_in_the_order_it_was_decided() {
    assert_eq!(
        words(&telling_sale()),
        "lost reserved allreserved reserved released reserved expired expired backinstock \
         reserved extended released restocked backinstock paused altered closed"
    );
}

#[test]
fn the_bytes_of_waiting_entries_are_those_of_the_golden_file() {
    let sale = telling_sale();
    let chunks = saved(&sale);
    assert_golden("snapshot_outbox.txt", &format!("{}\n", hex(&chunks[0])));
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!(words(&again), words(&sale));
    let next = |sale: &Sale| sale.next_seq(NOW_MS);
    assert!(next(&again) == next(&sale) && next(&sale).is_some());
}

#[test]
fn a_sale_without_events_has_no_outbox() {
    let sale = busy_sale();
    assert!(sale.outbox().is_none() && sale.next_seq(NOW_MS).is_none());
}

#[test]
fn flipped_and_cut_outboxes_are_errors_or_consistent_sales() {
    let begins = saved(&busy_sale()).remove(0).len() - 100;
    damage(&telling_sale(), begins, consistent);
}

#[test]
fn more_entries_than_wait_do_not_fit() {
    let sale = telling_sale();
    let waiting = sale.outbox().unwrap().waiting() as u64;
    let of = |change| Event {
        at_ms: NOW_MS + 70_000,
        change,
    };
    let ids = |count| (0..count).map(|seq| EntryId { ms: 9, seq });
    let told = |count| {
        let ids: Vec<EntryId> = ids(count).collect();
        of(Change::Told(flashsale_fuzz::samples::told(&ids)))
    };
    for (count, fits) in [
        (waiting, Ok(())),
        (waiting + 1, Err(Divergence::TooFewEntries)),
    ] {
        assert_eq!(sale.check(&told(count)), fits);
        assert_eq!(sale.check(&of(Change::Dropped { count })), fits);
    }
    let before = Err(Divergence::TooFewEntries);
    assert_eq!(busy_sale().check(&told(1)), before);
    let mut sale = sale;
    sale.apply(&told(waiting));
    assert_eq!(words(&sale), "");
    assert_eq!(
        loaded(&saved(&sale)).map(|again| digested(&again)),
        Ok(digested(&sale))
    );
}
