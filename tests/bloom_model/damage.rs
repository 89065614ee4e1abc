//! The bytes of events and snapshots: what they are, and what is made of bad ones.

use crate::bloom::*;
use crate::counting::most_during;
use crate::support::Dice;
use crate::{empty, encoded, filled, hash, reloaded, settings};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Holds `text` against a file, or writes the file when asked to.
#[track_caller]
fn assert_golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FLASHSALE_BLESS").is_some() {
        std::fs::write(&path, text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).expect("a golden file");
    assert_eq!(text, kept, "the format changed: {path}");
}

fn shape(blocks: u64, capacity: u64) -> Shape {
    Shape {
        probes: 6,
        blocks,
        capacity,
    }
}

fn run(items: std::ops::Range<u64>) -> Run {
    Run {
        hashes: items.map(hash).collect(),
    }
}

/// One event of every kind; shapes are written by hand, so that no float is in them.
fn events() -> Vec<(&'static str, Event)> {
    let growth = |blocks, items| Growth {
        shape: shape(blocks, 100),
        run: run(items),
    };
    let created = |added| Event::Created {
        settings: settings(0.01, 2),
        first: shape(3, 100),
        added,
    };
    let added = |first, then| Added { first, then };
    vec![
        ("created", created(Added::default())),
        ("created_with_items", created(added(run(0..2), vec![]))),
        (
            "created_and_grown",
            created(added(
                run(0..1),
                vec![growth(9, 1..2), growth(1 << 32, 2..4)],
            )),
        ),
        ("added_one", Event::Added(added(run(7..8), vec![]))),
        ("added", Event::Added(added(run(0..3), vec![]))),
        (
            "grown",
            Event::Added(added(Run::default(), vec![growth(5, 0..1)])),
        ),
        ("cleared", Event::Cleared),
    ]
}

/// The chunks of a filter.
fn chunks(bloom: &Bloom) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    bloom.save(&mut |chunk| chunks.push(chunk.to_vec()));
    chunks
}

fn load(chunks: &[Vec<u8>]) -> Result<Bloom, CodecError> {
    let mut loader = Loader::default();
    let mut chunks = chunks.iter();
    loop {
        let chunk = chunks.next().ok_or(CodecError::Truncated)?;
        if loader.push(chunk)? {
            break;
        }
    }
    match chunks.next() {
        // The loader itself must know.
        Some(more) => Err(loader.push(more).expect_err("a chunk too many")),
        None => loader.finish(),
    }
}

/// A small filter of two links, made without a float.
fn two_links() -> Bloom {
    let event = Event::Created {
        settings: settings(0.01, 2),
        first: shape(2, 3),
        added: Added {
            first: run(0..3),
            then: vec![Growth {
                shape: shape(1, 6),
                run: run(3..5),
            }],
        },
    };
    let mut bloom = Bloom::create(&event).expect("created").expect("memory");
    assert_eq!(bloom.check(&event), Ok(()));
    bloom.apply(&event);
    bloom
}

#[test]
fn the_bytes_of_every_event_are_those_of_the_golden_file() {
    let mut text = String::new();
    for (name, event) in events() {
        let bytes = encoded(&event);
        assert_eq!(decode_event(&bytes), Ok(event), "{name}");
        text += &format!("{name} {}\n", hex(&bytes));
    }
    assert_golden("bloom_events.txt", &text);
}

#[test]
fn the_bytes_of_a_filter_are_those_of_the_golden_file() {
    let bloom = two_links();
    let mut text = String::new();
    chunks(&bloom)
        .iter()
        .for_each(|chunk| text += &format!("{}\n", hex(chunk)));
    assert_golden("bloom_snapshot.txt", &text);
    // A dump has the same bytes: a header, and each link.
    let mut dumped = format!("{}\n", hex(&bloom.dump(0).1));
    dumped += &format!("{}\n{}\n", hex(&bloom.dump(1).1), hex(&bloom.dump(129).1));
    assert_eq!(dumped, text);
}

#[test]
fn an_event_has_one_spelling() {
    for (name, event) in events() {
        let bytes = encoded(&event);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode_event(&damaged) {
                assert_ne!(other, event, "{name}: bit {bit} does not count");
                assert_eq!(encoded(&other), damaged, "{name}: bit {bit}");
            }
        }
        for end in 0..bytes.len() {
            let is_shorter_event =
                decode_event(&bytes[..end]).is_ok_and(|shorter| encoded(&shorter) == bytes[..end]);
            assert!(decode_event(&bytes[..end]).is_err() || is_shorter_event);
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(decode_event(&longer).is_err(), "{name}: a byte too many");
    }
}

#[test]
fn events_no_primary_makes_are_refused() {
    let bytes = |name: &str| {
        let found = events().into_iter().find(|(known, _)| *known == name);
        encoded(&found.expect("an event").1)
    };
    let forged = |name: &str, at: usize, with: &[u8]| {
        let mut bytes = bytes(name);
        bytes[at..at + with.len()].copy_from_slice(with);
        decode_event(&bytes)
    };
    // Version, kind; then error rate, expansion; probes, blocks, capacity.
    for (at, with) in [
        (0, &[2][..]),
        (1, &[0]),
        (1, &[5]),
        (2, &0.5_f64.to_le_bytes()),
        (2, &0.0_f64.to_le_bytes()),
        (2, &(-0.01_f64).to_le_bytes()),
        (2, &f64::NAN.to_le_bytes()),
        (10, &32_769_u32.to_le_bytes()),
        (14, &[0]),
        (14, &[22]),
        (15, &0_u64.to_le_bytes()),
        (15, &((1_u64 << 32) + 1).to_le_bytes()),
        (23, &0_u64.to_le_bytes()),
        (23, &(3_u64 * 512 + 1).to_le_bytes()),
        (31, &1_u32.to_le_bytes()),
        (31, &u32::MAX.to_le_bytes()),
    ] {
        assert!(forged("created", at, with).is_err(), "{at}: {with:?}");
    }
    assert!(decode_event(&[1, 2]).is_err(), "nothing added");
    assert!(decode_event(&[1, 3, 0, 0, 0, 0]).is_err(), "no new link");
    let idle = [&bytes("grown")[..23], &[0; 4]].concat();
    assert!(decode_event(&idle).is_err(), "a new link without an item");
}

#[test]
fn a_flipped_bit_of_a_filter_is_an_error_or_a_filter_that_works() {
    let bloom = two_links();
    let good = chunks(&bloom);
    for (number, chunk) in good.iter().enumerate() {
        for bit in 0..chunk.len() * 8 {
            let mut damaged = good.clone();
            damaged[number][bit / 8] ^= 1 << (bit % 8);
            let Ok(mut other) = load(&damaged) else {
                continue;
            };
            assert_ne!(other, bloom, "bit {bit} of chunk {number} does not count");
            assert_eq!(chunks(&other), damaged);
            assert_eq!(reloaded(&other), other);
            let hashes: Vec<ItemHash> = (1_000..1_020).map(hash).collect();
            if let (_, Some(added)) = other.plan_add(&hashes) {
                assert_eq!(other.check(&Event::Added(added.clone())), Ok(()));
                other.apply(&Event::Added(added));
            }
            other.apply(&Event::Cleared);
        }
    }
}

#[test]
fn chunks_missing_doubled_swapped_or_of_another_length_are_refused() {
    let good = chunks(&filled(settings(0.01, 2), 60_000, 0..70_000));
    assert!(good.len() > 4 && load(&good).is_ok());
    for number in 0..good.len() {
        let mut missing = good.clone();
        missing.remove(number);
        assert!(load(&missing).is_err());
        let mut doubled = good.clone();
        doubled.insert(number, good[number].clone());
        // A chunk of 64 KiB looks like the next; then the last one does not fit.
        assert!(load(&doubled).is_err(), "chunk {number} twice");
        for len in [0, 1, good[number].len() - 1, good[number].len() - 8] {
            let mut cut = good.clone();
            cut[number].truncate(len);
            assert!(load(&cut).is_err(), "chunk {number} cut to {len}");
        }
        let mut longer = good.clone();
        longer[number].extend_from_slice(&[0; 8]);
        assert!(load(&longer).is_err());
    }
}

#[test]
fn forged_headers_are_refused() {
    let good = chunks(&two_links());
    // Magic, version; error rate, expansion; links; probes, blocks, capacity, items.
    for (at, with) in [
        (0, &b"F"[..]),
        (4, &[0]),
        (4, &[2]),
        (5, &1.0_f64.to_le_bytes()),
        (13, &0_u32.to_le_bytes()),
        (17, &0_u32.to_le_bytes()),
        (17, &1_u32.to_le_bytes()),
        (17, &3_u32.to_le_bytes()),
        (17, &u32::MAX.to_le_bytes()),
        (21, &[0]),
        (22, &0_u64.to_le_bytes()),
        (30, &0_u64.to_le_bytes()),
        (38, &4_u64.to_le_bytes()),
        (38, &u64::MAX.to_le_bytes()),
    ] {
        let mut forged = good.clone();
        forged[0][at..at + with.len()].copy_from_slice(with);
        assert!(load(&forged).is_err(), "{at}: {with:?}");
        assert!(Bloom::from_dumped_header(&forged[0]).is_err(), "{at}");
    }
    // As many links as there may be, and one more.
    let links = |links: u32| {
        let mut header = good[0][..17].to_vec();
        header.extend_from_slice(&links.to_le_bytes());
        (0..links).for_each(|_| header.extend_from_slice(&good[0][21..46]));
        Bloom::from_dumped_header(&header).map(|bloom| bloom.links().len())
    };
    assert_eq!(links(LINKS_MAX as u32), Ok(LINKS_MAX));
    assert_eq!(links(LINKS_MAX as u32 + 1), Err(FillError::BadData));
}

#[test]
fn a_forged_length_is_no_allocation() {
    // A header that promises 256 GiB, and then a little.
    let mut forged = chunks(&filled(settings(0.01, 0), 200_000, 0..10));
    forged[0][22..30].copy_from_slice(&(1_u64 << 32).to_le_bytes());
    let received: usize = forged.iter().map(Vec::len).sum();
    let most = most_during(|| assert!(load(&forged).is_err()));
    assert!(most < 3 * received + 4_096, "{most} of {received} bytes");
    // Counts of hashes that are not there.
    for (name, event) in events() {
        let bytes = encoded(&event);
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at..]
                .iter_mut()
                .take(4)
                .for_each(|byte| *byte = 0xff);
            let most = most_during(|| drop(decode_event(&forged)));
            assert!(most < 8 * forged.len() + 512, "{name}: {most} bytes");
        }
    }
}

#[test]
fn noise_is_an_error() {
    let mut dice = Dice::new();
    let known: Vec<Vec<u8>> = events().iter().map(|(_, event)| encoded(event)).collect();
    for _ in 0..20_000 {
        let mut bytes = known[dice.below(known.len() as u64) as usize].clone();
        for _ in 0..1 + dice.below(8) {
            let at = dice.below(bytes.len() as u64) as usize;
            match dice.below(3) {
                0 => bytes[at] = dice.below(256) as u8,
                1 => bytes.insert(at, dice.below(256) as u8),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        if let Ok(event) = decode_event(&bytes) {
            assert_eq!(encoded(&event), bytes);
            let mut bloom = empty(settings(0.01, 2), 10);
            // Forged events are as large as they say; only the small ones are tried.
            let is_small = match &event {
                Event::Created { first, added, .. } => {
                    first.blocks < 1_000 && added.then.iter().all(|each| each.shape.blocks < 1_000)
                }
                Event::Added(added) => added.then.iter().all(|each| each.shape.blocks < 1_000),
                Event::Cleared => true,
            };
            if is_small && bloom.check(&event).is_ok() {
                bloom.apply(&event);
                assert_eq!(reloaded(&bloom), bloom);
            }
        }
    }
}
