//! The bytes of batches: a container never changes unnoticed, and no container, however bad,
//! is more than an error, or more events than were written.

use flashsale_engine::sale::*;
use flashsale_fuzz::samples::{
    HASHER, NOW_MS, batch, busy_sale, digested, encoded, events, is_of_batch, loaded, saved,
};
use flashsale_fuzz::samples_line::is_of_lines;
use flashsale_fuzz::samples_units::is_of_units;

use super::{assert_golden, hex, live_out};

/// Every kind of change that can stand in a batch.
fn changes() -> Vec<Change<'static>> {
    let changes = events().into_iter().map(|(_, change)| change);
    changes.filter(is_of_batch).collect()
}

fn released() -> Change<'static> {
    Change::Released {
        id: HASHER.key(b"i"),
    }
}

/// The events of a container that could be read, and the error it ends in.
fn read(bytes: &[u8]) -> (Vec<Event<'_>>, Option<CodecError>) {
    let container = match Container::open(bytes, HASHER) {
        Ok(Some(container)) => container,
        Ok(None) => return (Vec::new(), Some(CodecError::Invalid("no batch"))),
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut events, mut end) = (Vec::new(), None);
    for event in container {
        assert_eq!(end, None, "something after an error");
        match event {
            Ok(event) => events.push(event),
            Err(error) => end = Some(error),
        }
    }
    (events, end)
}

#[test]
fn the_bytes_of_a_batch_are_those_of_the_golden_file() {
    let changes = changes();
    let bytes = batch(changes.clone());
    let (events, end) = read(&bytes);
    assert_eq!(end, None);
    assert!(events.iter().all(|event| event.at_ms == NOW_MS));
    let read: Vec<_> = events.into_iter().map(|event| event.change).collect();
    assert_eq!(read, changes);
    let one = batch(changes.iter().take(1).cloned());
    let (units, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_of_units);
    let (lines, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_of_lines);
    let (told, untold): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|change| !change.told().is_empty());
    let (untold, told) = (hex(&batch(untold)), hex(&batch(told)));
    let [one, lines, units] = [one, batch(lines), batch(units)].map(|bytes| hex(&bytes));
    assert_golden(
        "batch.txt",
        &format!("all {untold}\none {one}\ntold {told}\nlines {lines}\nunits {units}\n"),
    );
}

#[test]
fn each_event_of_a_batch_has_the_bytes_it_has_by_itself_but_for_version_and_moment() {
    for change in changes() {
        let (alone, one) = (encoded(&change), batch([change]));
        let head = alone.len() - 10;
        assert_eq!(alone[1], one[12], "the kind");
        assert_eq!(alone[alone.len() - head + 1..], one[13..]);
        // Four more bytes for a batch of one, and none for each after that.
        assert_eq!(one.len(), alone.len() + 2);
    }
}

#[test]
fn an_entry_of_a_batch_takes_forty_bytes() {
    let reserved = || Change::Reserved {
        units: UnitList::new(),
        id: HASHER.key(flashsale_fuzz::samples::ULID),
        user: HASHER.key(b"user:1234567"),
        lines: Lines::from_slice(&[Line { item: 0, qty: 1 }]),
        expires_at_ms: NOW_MS + 300_000,
        forgets: Forgets::Nothing,
        replaces: None,
    };
    let of = |count| batch((0..count).map(|_| reserved())).len();
    assert_eq!(of(64) - of(63), 40);
    assert_eq!(of(1), 52);
    // Numbers of events of one byte, and of three.
    assert_eq!(of(250), 12 + 250 * 40);
    assert_eq!(of(251), 14 + 251 * 40);
}

#[test]
fn a_container_says_what_was_read_so_that_it_can_be_passed_on() {
    let changes = changes();
    let bytes = batch(changes.clone());
    for count in 0..=changes.len() {
        let mut container = Container::open(&bytes, HASHER).unwrap().unwrap();
        container.by_ref().take(count).for_each(drop);
        let mut passed_on = ContainerWriter::new(vec![7; 99], NOW_MS);
        passed_on.push_read(container.read());
        assert_eq!(passed_on.is_empty(), count == 0);
        for change in &changes[count..] {
            let change = change.clone();
            let at_ms = NOW_MS;
            passed_on.push(&Event { at_ms, change });
        }
        assert_eq!(passed_on.finish(), bytes);
    }
}

#[test]
fn a_container_of_what_no_batch_does_is_an_error() {
    let inside = |event: &[u8]| {
        // As the container has it, version and moment taken off, behind another event.
        let body = [&event[1..2], &event[11..]].concat();
        [&batch([released(), released()])[..15], &body].concat()
    };
    let lapsed = encoded(&Change::Lapsed {
        id: HASHER.key(b"i"),
    });
    assert_eq!(read(&inside(&lapsed)).1, None);
    for (name, change) in events() {
        if !is_of_batch(&change) {
            let bytes = inside(&encoded(&change));
            let (events, end) = read(&bytes);
            assert_eq!(events.len(), 1, "{name}");
            assert!(matches!(end, Some(CodecError::Newer(_))), "{name}: {end:?}");
        }
    }
    let nested = inside(&batch([released()]));
    assert!(matches!(read(&nested).1, Some(CodecError::Invalid(_))));
    // A batch is no event.
    let bytes = batch(changes());
    assert!(matches!(
        decode_event(&bytes, HASHER),
        Err(CodecError::Invalid(_))
    ));
    assert!(matches!(Container::open(&lapsed, HASHER), Ok(None)));
}

#[test]
fn a_forged_head_is_an_error_before_any_event() {
    let bytes = batch([released(), released()]);
    let (head, body) = bytes.split_at(12);
    let with = |count: &[u8]| [&head[..11], count, body].concat();
    assert_eq!(read(&with(&[2])).1, None);
    for count in [
        &[0][..],
        &[4],
        &[251, 2, 0],
        &[251, 0, 1],
        &[253, 0, 0, 0, 0, 0, 0, 0, 0x10],
        &[253, 255, 255, 255, 255, 255, 255, 255, 255],
    ] {
        let forged = with(count);
        let (events, end) = read(&forged);
        assert!(events.is_empty() && end.is_some(), "{count:?}");
    }
    // One event too few, and bytes that are left over.
    assert_eq!(read(&with(&[3])).0.len(), 2);
    assert!(read(&with(&[3])).1.is_some());
    assert_eq!(read(&with(&[1])).0.len(), 1);
    assert!(matches!(read(&with(&[1])).1, Some(CodecError::Invalid(_))));
    let newer = |at: usize, byte: u8| {
        let mut forged = bytes.clone();
        forged[at] = byte;
        matches!(read(&forged).1, Some(CodecError::Newer(_)))
    };
    assert!(newer(0, 99) && newer(1, 19 | 128) && newer(12, 99));
    let of_version_1 = [&[1], &bytes[1..]].concat();
    assert!(matches!(
        read(&of_version_1).1,
        Some(CodecError::Invalid(_))
    ));
}

#[test]
fn flipped_and_cut_batches_are_errors_or_other_events_but_never_a_panic() {
    let sale = busy_sale();
    let bytes = batch(changes());
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len]).1.is_some(), "cut at {len}");
    }
    assert!(read(&[&bytes[..], &[0]].concat()).1.is_some());
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut copy = loaded(&saved(&sale)).unwrap();
        for event in read(&flipped).0 {
            if copy.check(&event).is_ok() {
                copy.apply(&event);
            }
        }
        assert_eq!(copy.audit(), Vec::<String>::new(), "bit {bit}");
        if bit % 16 == 0 {
            live_out(copy, &format!("bit {bit}"));
        }
    }
    assert_eq!(digested(&sale), digested(&busy_sale()));
}
