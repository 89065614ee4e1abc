//! The bytes of events and snapshots: what they are, and what is made of bad ones.

use super::{empty, encoded, filled, hash, reloaded, settings};
use flashsale_engine::bloom::*;
use flashsale_fuzz::dice::Dice;
use flashsale_fuzz::meter::peak_of;

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
        places: 1,
        blocks,
        capacity,
    }
}

/// The shape of a filter of a low rate.
fn shape_of_two_places(blocks: u64, capacity: u64) -> Shape {
    Shape {
        probes: 9,
        places: 2,
        ..shape(blocks, capacity)
    }
}

fn run(items: std::ops::Range<u64>) -> Run {
    Run {
        hashes: items.map(hash).collect(),
    }
}

/// One event of every kind; shapes are written by hand, so that no float is in them.
fn events() -> Vec<(&'static str, Event<'static>)> {
    [events_of_version_1(), events_of_version_2()].concat()
}

/// Those that an older module reads as well.
fn events_of_version_1() -> Vec<(&'static str, Event<'static>)> {
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

fn events_of_version_2() -> Vec<(&'static str, Event<'static>)> {
    let first = shape_of_two_places(3, 100);
    let growth = Growth {
        shape: shape_of_two_places(9, 100),
        run: run(1..2),
    };
    let header = Header {
        settings: settings(0.01, 2),
        links: vec![(first, 100), (shape(9, 200), 1)],
        received: None,
    };
    let loaded = |position, bits: &'static [u8]| Event::Loaded {
        position,
        bits: bits.into(),
    };
    vec![
        (
            "created_with_two_places",
            Event::Created {
                settings: settings(1e-6, 2),
                first,
                added: Added::default(),
            },
        ),
        (
            "grown_by_two_places",
            Event::Added(Added {
                first: run(0..1),
                then: vec![growth],
            }),
        ),
        ("merged", merged(false, 5)),
        ("merged_anew", merged(true, 1 << 40)),
        ("begun", Event::Begun(header)),
        ("loaded", loaded(1 << 40, b"\x01\0\0\0\0\0\0\x80")),
    ]
}

fn merged(is_new: bool, items: u64) -> Event<'static> {
    Event::Merged { is_new, items }
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
        None => match loader.finish()? {
            Loaded::Whole(bloom) => Ok(bloom),
            Loaded::Part(_) => Err(CodecError::Truncated),
        },
    }
}

/// A small filter of two links, made without a float.
fn two_links() -> Bloom {
    two_links_of(shape(2, 3), shape(1, 6))
}

/// The same of a low rate.
fn two_links_of_two_places() -> Bloom {
    two_links_of(shape_of_two_places(2, 3), shape_of_two_places(3, 6))
}

fn two_links_of(first: Shape, second: Shape) -> Bloom {
    let event = Event::Created {
        settings: settings(0.01, 2),
        first,
        added: Added {
            first: run(0..3),
            then: vec![Growth {
                shape: second,
                run: run(3..5),
            }],
        },
    };
    let mut bloom = Bloom::create(&event).expect("created").expect("memory");
    assert_eq!(bloom.check(&event), Ok(()));
    bloom.apply(&event);
    bloom
}

/// A filter of which the first link has come, and a word of the second.
fn a_part() -> Import {
    let bloom = two_links_of_two_places();
    let mut import = Import::begin(&bloom.header());
    let bits = |words: &[u64]| -> Vec<u8> {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        bytes.collect()
    };
    let links = bloom.links();
    import.append(&bits(links[0].words())).expect("a link");
    import
        .append(&bits(&links[1].words()[..1]))
        .expect("a word");
    import
}

fn in_hex(chunks: &[Vec<u8>]) -> String {
    chunks.iter().map(|chunk| hex(chunk) + "\n").collect()
}

#[test]
fn the_bytes_of_every_event_are_those_of_the_golden_files() {
    for (file, version, events) in [
        ("bloom_events.txt", 1, events_of_version_1()),
        ("bloom_events_2.txt", 2, events_of_version_2()),
    ] {
        let mut text = String::new();
        for (name, event) in events {
            let bytes = encoded(&event);
            assert_eq!(bytes[0], version, "{name}");
            assert_eq!(decode_event(&bytes), Ok(event), "{name}");
            text += &format!("{name} {}\n", hex(&bytes));
        }
        assert_golden(file, &text);
    }
}

#[test]
fn the_bytes_of_a_filter_are_those_of_the_golden_files() {
    for (file, version, bloom) in [
        ("bloom_snapshot.txt", 1, two_links()),
        ("bloom_snapshot_2.txt", 2, two_links_of_two_places()),
    ] {
        let chunks = chunks(&bloom);
        assert_eq!(chunks[0][4], version);
        assert_eq!(reloaded(&bloom), bloom);
        assert_golden(file, &in_hex(&chunks));
    }
}

#[test]
fn the_bytes_of_a_part_of_a_filter_are_those_of_the_golden_file() {
    let part = a_part();
    let mut chunks = Vec::new();
    part.save(&mut |chunk| chunks.push(chunk.to_vec()));
    assert_golden("bloom_part.txt", &in_hex(&chunks));
    let mut loader = Loader::default();
    let (last, others) = chunks.split_last().expect("chunks");
    for chunk in others {
        assert_eq!(loader.push(chunk), Ok(false));
    }
    assert_eq!(loader.push(last), Ok(true));
    let Ok(Loaded::Part(mut again)) = loader.finish() else {
        panic!("not a part")
    };
    assert_eq!(again.received(), part.received());
    // It goes on where it was, and becomes the filter.
    let bloom = two_links_of_two_places();
    let rest = &bloom.links()[1].words()[1..];
    let bits: Vec<u8> = rest.iter().flat_map(|word| word.to_le_bytes()).collect();
    again.append(&bits).expect("the rest");
    assert!(again.into_bloom().expect("all of it") == bloom);
}

#[test]
fn the_bytes_of_a_dump_are_those_of_the_golden_file() {
    let bloom = two_links_of_two_places();
    let pieces = [0, 1, 129].map(|iterator| bloom.dump(iterator).1);
    assert_golden("bloom_dump.txt", &in_hex(&pieces));
}

#[test]
fn what_a_newer_module_wrote_is_told_from_damage() {
    let newer = CodecError::Newer;
    for (_, event) in events() {
        for version in [3, 99, 255] {
            let mut bytes = encoded(&event);
            bytes[0] = version;
            assert_eq!(decode_event(&bytes), Err(newer("an event of a filter")));
        }
    }
    let good = chunks(&two_links_of_two_places());
    let mut version = good.clone();
    version[0][4] = 3;
    assert_eq!(load(&version), Err(newer("a filter")));
    let mut option = good;
    option[0].extend_from_slice(&[2, 1, 0, 0, 0, 7]);
    assert_eq!(load(&option), Err(newer("an option of a filter")));
    let text = load(&option).expect_err("newer").to_string();
    assert_eq!(
        text,
        "the data is of a newer version: an option of a filter"
    );
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
        decode_event(&bytes).is_err()
    };
    // Version, kind; then error rate, expansion; probes, blocks, capacity.
    for (at, with) in [
        (0, &[2][..]),
        (1, &[0]),
        (1, &[5]),
        (1, &[8]),
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
        assert!(forged("created", at, with), "{at}: {with:?}");
    }
    assert!(decode_event(&[1, 2]).is_err(), "nothing added");
    assert!(decode_event(&[1, 3, 0, 0, 0, 0]).is_err(), "no new link");
    // Of two places: 14 probes, 15 places.
    let name = "created_with_two_places";
    for (at, with) in [(0, 1), (14, 0), (14, 22), (15, 0), (15, 1), (15, 3)] {
        assert!(forged(name, at, &[with]), "{at}: {with}");
    }
    assert!(forged("merged", 2, &[2]), "a flag");
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
    }
    // As many links as there may be, and one more.
    let links = |links: u32| {
        let mut header = good[0][..17].to_vec();
        header.extend_from_slice(&links.to_le_bytes());
        (0..links).for_each(|_| header.extend_from_slice(&good[0][21..46]));
        Loader::default().push(&header)
    };
    assert_eq!(links(LINKS_MAX as u32), Ok(false));
    let error = CodecError::Invalid("the number of links");
    assert_eq!(links(LINKS_MAX as u32 + 1), Err(error));
    // A part that is all, has cut a word, or says so twice.
    let mut part = Vec::new();
    a_part().save(&mut |chunk| part.push(chunk.to_vec()));
    let option = part[0].len() - 13;
    for received in [a_part().header().bits_len(), 129, u64::MAX] {
        let mut forged = part[0].clone();
        forged[option + 5..].copy_from_slice(&received.to_le_bytes());
        assert!(Loader::default().push(&forged).is_err(), "{received}");
    }
    let twice = [&part[0][..], &part[0][option..]].concat();
    assert!(Loader::default().push(&twice).is_err());
    assert!(Loader::default().push(&part[0][..option + 9]).is_err());
}

#[test]
fn a_forged_length_is_no_allocation() {
    // A header that promises 256 GiB, and then a little.
    let mut forged = chunks(&filled(settings(0.01, 0), 200_000, 0..10));
    forged[0][22..30].copy_from_slice(&(1_u64 << 32).to_le_bytes());
    let received: usize = forged.iter().map(Vec::len).sum();
    let most = peak_of(|| assert!(load(&forged).is_err()));
    assert!(most < 3 * received + 4_096, "{most} of {received} bytes");
    // The same of a dump, piece by piece.
    let bits = vec![0; 1 << 16];
    let header = Header {
        settings: settings(0.01, 2),
        links: vec![(shape(1 << 32, 1), 0); LINKS_MAX],
        received: None,
    };
    let most = peak_of(|| {
        let mut import = Import::begin(&header);
        for _ in 0..20 {
            import.append(&bits).expect("bits");
        }
        assert!(import.memory_bytes() < 3 * 20 * bits.len() + 200_000);
    });
    assert!(most < 3 * 20 * bits.len() + 200_000, "{most} bytes");
    // Counts of hashes that are not there.
    for (name, event) in events() {
        let bytes = encoded(&event);
        for at in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[at..]
                .iter_mut()
                .take(4)
                .for_each(|byte| *byte = 0xff);
            let most = peak_of(|| drop(decode_event(&forged)));
            assert!(most < 8 * forged.len() + 512, "{name}: {most} bytes");
        }
    }
}

#[test]
fn noise_is_an_error() {
    let mut dice = Dice::seeded();
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
                _ => true,
            };
            if is_small && bloom.check(&event).is_ok() {
                bloom.apply(&event);
                assert_eq!(reloaded(&bloom), bloom);
            }
        }
    }
}
