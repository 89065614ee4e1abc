//! The bytes of events and snapshots: what they are, and what is made of forged ones.

use flashsale_engine::rate::*;
use flashsale_fuzz::meter::peak_of;
use flashsale_fuzz::rate::{NOW_US, busy_limit, digested, encoded, events, loaded, saved};
use flashsale_fuzz::samples::HASHER;
use flashsale_fuzz::seeded::hex;

use crate::codec::assert_golden;

#[test]
fn the_bytes_of_every_event_are_those_of_the_golden_file() {
    let lines = events().into_iter().map(|(name, bytes)| {
        let event = decode_event(&bytes, HASHER).expect("an event");
        assert_eq!(encoded(&event), bytes);
        format!("{name} {}\n", hex(&bytes))
    });
    assert_golden("rate_events.txt", &lines.collect::<String>());
}

#[test]
fn the_bytes_of_a_limit_are_those_of_the_golden_file() {
    let chunks = saved(&busy_limit());
    let text: String = chunks.iter().map(|chunk| hex(chunk) + "\n").collect();
    assert_golden("rate_snapshot.txt", &text);
    let again = loaded(&chunks).expect("a limit");
    assert_eq!(digested(&again), digested(&busy_limit()));
}

#[test]
fn a_large_limit_is_cut_into_chunks_and_is_loaded_in_its_order() {
    let mut table = Table::new(HASHER, NOW_US);
    for number in 0..20_000_u64 {
        let name = format!("{number:x<200}");
        table.charge(HASHER.key(name.as_bytes()), NOW_US, 1 + number, false);
    }
    let chunks = saved(&table);
    assert!(chunks.len() > 60 && chunks.iter().all(|chunk| chunk.len() <= 64 * 1024));
    let again = loaded(&chunks).expect("a limit");
    assert_eq!(saved(&again), chunks);
    assert_eq!(again.len(), 20_000);
    for cut in [1, 2, chunks.len() - 1] {
        assert!(loaded(&chunks[..cut]).is_err());
    }
    assert!(loaded(&chunks[1..]).is_err());
    assert!(loaded(&[&chunks[..], &chunks[1..2]].concat()).is_err());
}

/// A header of these numbers, and one chunk of subjects.
fn forged(numbers: [u64; 4], subjects: &[(&str, u64)]) -> Vec<Vec<u8>> {
    let mut header = vec![1];
    for number in numbers {
        header.extend(flashsale_fuzz::mutate::spelled(number));
    }
    let mut chunk = Vec::new();
    for (name, tat) in subjects {
        chunk.push(name.len() as u8);
        chunk.extend(name.as_bytes());
        chunk.extend(flashsale_fuzz::mutate::spelled(*tat));
    }
    vec![header, chunk]
}

#[test]
fn a_forged_limit_is_an_error_that_says_what_is_wrong() {
    let now = 1_000_000;
    let fits = forged([now, 7, 9_000, 2], &[("a", 8_000), ("b", 9_000)]);
    assert_eq!(saved(&loaded(&fits).expect("a limit")), fits);
    let too_late = 7_000 + CAPACITY_NS_MAX + 1;
    for (numbers, subjects, reason) in [
        ([now, 7, 9_000, 1], &[("a", 9_001)][..], "a TAT after"),
        ([now, 7, 9_000, 2], &[("a", 1), ("a", 1)], "stands twice"),
        ([now, 7, 9_000, 1], &[("a", 1), ("b", 1)], "more subjects"),
        ([now, 7, 9_000, 0], &[("a", 1)], "without a subject"),
        ([now, 7, 6_999, 1], &[("a", 1)], "the times"),
        ([now, 7, too_late, 1], &[("a", 1)], "the times"),
        ([now, u64::MAX, 9_000, 1], &[("a", 1)], "the times"),
        ([MOMENT_US_MAX + 1, 7, 9_000, 1], &[("a", 1)], "the times"),
        ([now, 7, 9_000, 3], &[("a", 1), ("b", 1)], "not the last"),
    ] {
        let error = loaded(&forged(numbers, subjects)).err();
        let error = error.unwrap_or_default();
        assert!(error.contains(reason), "{reason}: {error}");
    }
    let mut newer = fits.clone();
    newer[0][0] = 2;
    let error = loaded(&newer).err().unwrap_or_default();
    assert!(error.contains("newer version"), "{error}");
}

#[test]
fn an_event_that_does_not_fit_says_why() {
    let table = busy_limit();
    let allowed = |subject: &'static str, reset_ns, evicts| Allowed {
        subject: HASHER.key(subject.as_bytes()),
        reset_ns,
        evicts,
    };
    for (at_us, change, fits) in [
        (NOW_US, Change::Allowed(allowed("ann", 1, false)), Ok(())),
        (NOW_US, Change::Allowed(allowed("new", 1, true)), Ok(())),
        (
            NOW_US,
            Change::Created(allowed("new", 1, false)),
            Err(Divergence::LimitExists),
        ),
        (
            NOW_US - 1,
            Change::Allowed(allowed("ann", 1, false)),
            Err(Divergence::OtherMoment),
        ),
        (
            MOMENT_US_MAX + 1,
            Change::Allowed(allowed("ann", 1, false)),
            Err(Divergence::OtherMoment),
        ),
        (
            NOW_US,
            Change::Allowed(allowed("ann", 0, false)),
            Err(Divergence::NoTat),
        ),
        (
            NOW_US,
            Change::Allowed(allowed("ann", CAPACITY_NS_MAX + 1, false)),
            Err(Divergence::NoTat),
        ),
        (
            NOW_US,
            Change::Allowed(allowed("203.0.113.9", 1, true)),
            Err(Divergence::NobodyGivesWay),
        ),
        (
            NOW_US - STEP_BACK_US_MAX,
            Change::Shifted {
                by_us: STEP_BACK_US_MAX,
            },
            Err(Divergence::OtherStep),
        ),
        (
            NOW_US - STEP_BACK_US_MAX,
            Change::Shifted {
                by_us: STEP_BACK_US_MAX + 1,
            },
            Err(Divergence::OtherStep),
        ),
        (
            0,
            Change::Shifted { by_us: u64::MAX },
            Err(Divergence::OtherStep),
        ),
        (0, Change::Shifted { by_us: NOW_US }, Ok(())),
    ] {
        let event = Event { at_us, change };
        assert_eq!(table.check(&event), fits, "{event:?}");
    }
}

#[test]
fn a_snapshot_that_promises_gigabytes_costs_nothing() {
    let promise = forged([1_000_000, 7, 9_000, 1 << 40], &[("a", 1)]);
    let peak = peak_of(|| assert!(loaded(&promise).is_err()));
    assert!(peak < 100_000, "{peak}");
}
