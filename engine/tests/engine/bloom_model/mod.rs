//! **Goal**: a filter never forgets, counts right, and every copy of it - by events, by
//! snapshot, by dump, by merge - is the same; and no bytes, however bad, cause anything
//! but an error, nor an allocation much larger than they are.
//!
//! **Method**: seeded random requests against a set of what was added. Every event is
//! encoded, decoded and carried out on a second filter. The bytes are held against
//! `tests/golden/` (written anew with `FLASHSALE_BLESS=1`), flipped, cut and forged, and
//! the allocator of this program counts.

mod damage;

use std::collections::HashSet;

use flashsale_engine::bloom::*;
use flashsale_fuzz::dice::Dice;

pub fn settings(error_rate: f64, expansion: u32) -> Settings {
    Settings {
        error_rate: ErrorRate::new(error_rate).expect("a rate"),
        expansion,
    }
}

pub fn empty(settings: Settings, capacity: u64) -> Bloom {
    Bloom::new(
        settings,
        Bloom::plan_first(settings, capacity).expect("a shape"),
    )
}

/// A filter with so many items, numbered.
pub fn filled(settings: Settings, capacity: u64, items: std::ops::Range<u64>) -> Bloom {
    let mut bloom = empty(settings, capacity);
    for item in items {
        if let (_, Some(added)) = bloom.plan_add(&[hash(item)]) {
            bloom.apply(&Event::Added(added));
        }
    }
    bloom
}

pub fn hash(item: u64) -> ItemHash {
    ItemHash::of(&item.to_le_bytes())
}

pub fn encoded(event: &Event<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_event(event, &mut bytes);
    bytes
}

/// A filter by its snapshot.
pub fn reloaded(bloom: &Bloom) -> Bloom {
    let mut loader = Loader::default();
    let mut is_whole = false;
    bloom.save(&mut |chunk| {
        assert!(!is_whole, "a chunk after the last");
        assert!(chunk.len() <= 64 * 1024);
        is_whole = loader.push(chunk).expect("a chunk");
    });
    assert!(is_whole);
    match loader.finish().expect("a filter") {
        Loaded::Whole(bloom) => bloom,
        Loaded::Part(_) => panic!("a part of a filter"),
    }
}

/// A filter by its dump.
fn dumped(bloom: &Bloom) -> Bloom {
    let (mut iterator, header) = bloom.dump(0);
    let Ok(Piece::Header(header)) = open_piece(iterator, &header) else {
        panic!("no header")
    };
    let mut import = Import::begin(&header);
    loop {
        let (next, piece) = bloom.dump(iterator);
        if next == 0 {
            return import.into_bloom().expect("all of it");
        }
        let piece = open_piece(next, &piece).expect("a piece");
        match import.plan_piece(&piece).expect("the next piece") {
            Some(Event::Loaded { bits, .. }) => import.append(&bits).expect("bits"),
            event => panic!("{event:?}"),
        }
        iterator = next;
    }
}

fn digest(bloom: &Bloom) -> HashSet<Vec<u8>> {
    let mut elements = HashSet::new();
    bloom.digest(&mut |element| assert!(elements.insert(element.to_vec())));
    elements
}

/// A filter, its replica, and what was added.
struct World {
    primary: Bloom,
    replica: Bloom,
    known: HashSet<u64>,
    added: u64,
}

impl World {
    fn new(settings: Settings, capacity: u64) -> World {
        let first = Bloom::plan_first(settings, capacity).expect("a shape");
        let added = Added::default();
        let created = Event::Created {
            settings,
            first,
            added,
        };
        let bytes = encoded(&created);
        let event = decode_event(&bytes).expect("an event");
        let create = |event| Bloom::create(event).expect("created").expect("memory");
        World {
            primary: create(&created),
            replica: create(&event),
            known: HashSet::new(),
            added: 0,
        }
    }

    fn carry_out(&mut self, event: &Event<'_>) {
        let bytes = encoded(event);
        let decoded = decode_event(&bytes).expect("an event");
        assert_eq!(*event, decoded);
        assert_eq!(self.replica.check(&decoded), Ok(()));
        self.replica.apply(&decoded);
        self.primary.apply(event);
    }

    fn add(&mut self, dice: &mut Dice) {
        let many = [1, 1, 1, 5, 40][dice.below(5) as usize];
        let items: Vec<u64> = (0..1 + dice.below(many))
            .map(|_| dice.below(3_000))
            .collect();
        let hashes: Vec<ItemHash> = items.iter().map(|&item| hash(item)).collect();
        let (outcomes, added) = self.primary.plan_add(&hashes);
        let mut is_over = false;
        for (index, &item) in items.iter().enumerate() {
            let Some(outcome) = outcomes.get(index) else {
                assert!(is_over, "an item without an outcome");
                continue;
            };
            assert!(!is_over, "an item after the filter was full");
            match outcome {
                Outcome::Added => {
                    assert!(self.known.insert(item), "{item} was there");
                    self.added += 1;
                }
                Outcome::Present => {}
                Outcome::Full => {
                    assert!(!self.known.contains(&item), "{item} was there");
                    assert_eq!(self.primary.settings().expansion, 0);
                    is_over = true;
                }
                Outcome::CannotGrow => panic!("it can grow"),
            }
        }
        if let Some(added) = added {
            self.carry_out(&Event::Added(added));
        }
    }

    fn clear(&mut self) {
        self.carry_out(&Event::Cleared);
        self.known.clear();
        self.added = 0;
        assert!(self.primary.is_clear());
    }

    /// Merges with a filter of its own kind, as far as that is allowed.
    fn merge(&mut self, capacity: u64, dice: &mut Dice) {
        let from = dice.below(3_000);
        let items = from..from + dice.below(capacity);
        let other = filled(self.primary.settings(), capacity, items.clone());
        match self.primary.plan_merge(&[&other]) {
            Ok(new) => {
                assert_eq!(self.replica.plan_merge(&[&other]), Ok(new.clone()));
                if !new.is_empty() {
                    let items = self.primary.items_with(&[&other]);
                    assert_eq!(self.replica.check_merge(&[&other], items), Ok(()));
                    self.primary.merge(&other);
                    self.replica.merge(&other);
                    self.added += other.items();
                }
                // Taken for present there, perhaps, but contained all the same.
                self.known
                    .extend(items.filter(|&item| other.contains(hash(item))));
            }
            Err((0, MergeError::Overfull { .. })) => {}
            Err(other) => panic!("{other:?}"),
        }
    }

    fn check(&self) {
        assert_eq!(self.primary, self.replica);
        assert_eq!(self.primary.items(), self.added);
        let links = self.primary.links();
        assert!(
            links
                .iter()
                .all(|link| link.items() <= link.shape().capacity)
        );
        let denied = self
            .known
            .iter()
            .find(|&&item| !self.primary.contains(hash(item)));
        assert_eq!(denied, None);
        let hashes: Vec<ItemHash> = self.known.iter().map(|&item| hash(item)).collect();
        self.primary
            .contains_each(&hashes, |is_present| assert!(is_present));
    }
}

#[test]
fn random_requests_agree_with_a_set_and_every_copy_with_its_original() {
    let mut dice = Dice::seeded();
    for (error_rate, expansion, capacity) in [
        (0.01, 2, 20),
        (0.0001, 1, 50),
        (0.25, 3, 10),
        (0.01, 0, 900),
        (1e-9, 2, 5),
    ] {
        let mut world = World::new(settings(error_rate, expansion), capacity);
        for step in 0..800 {
            match dice.below(100) {
                0 => world.clear(),
                1..=3 => world.merge(capacity, &mut dice),
                4 => world.replica = reloaded(&world.primary),
                5 => world.replica = dumped(&world.primary),
                6 => world.replica = world.primary.try_clone().expect("memory"),
                _ => world.add(&mut dice),
            }
            if step % 20 == 0 {
                world.check();
            }
        }
        world.check();
        assert_eq!(digest(&world.primary), digest(&world.replica));
    }
}

#[test]
fn a_chain_has_so_many_links_and_no_more() {
    let mut bloom = empty(settings(0.001, 1), 1);
    let hashes: Vec<ItemHash> = (0..2_000).map(hash).collect();
    let (outcomes, added) = bloom.plan_add(&hashes);
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|&&outcome| outcome == wanted)
            .count()
    };
    assert_eq!(count(Outcome::Added), LINKS_MAX);
    assert_eq!(count(Outcome::CannotGrow), 1_000);
    let event = Event::Added(added.expect("items"));
    assert_eq!(bloom.check(&event), Ok(()));
    bloom.apply(&event);
    assert_eq!(
        (bloom.links().len(), bloom.items()),
        (LINKS_MAX, LINKS_MAX as u64)
    );
    assert_eq!(reloaded(&bloom), bloom);
    assert_eq!(dumped(&bloom), bloom);
}

#[test]
fn a_filter_of_many_chunks_comes_back() {
    // Links of several chunks, and a last chunk that is shorter.
    let bloom = filled(settings(0.01, 2), 100_000, 0..250_000);
    assert_eq!(bloom.links().len(), 2);
    let copy = reloaded(&bloom);
    assert_eq!(bloom, copy);
    assert_eq!(digest(&bloom), digest(&copy));
    assert_eq!(bloom, dumped(&bloom));
    // The piece that is read as a chunk of another place is another element.
    let cleared = empty(settings(0.01, 2), 100_000);
    assert_ne!(digest(&bloom), digest(&cleared));
}

#[test]
fn events_that_do_not_fit_are_told_from_those_that_do() {
    let mut bloom = filled(settings(0.01, 2), 4, 0..4);
    let run = |items: std::ops::Range<u64>| Run {
        hashes: items.map(hash).collect(),
    };
    let (_, added) = bloom.plan_add(&(100..106).map(hash).collect::<Vec<_>>());
    let added = added.expect("they are new");
    let growth = added.then[0].clone();
    let event = |first: Run, then: Vec<Growth>| Event::Added(Added { first, then });
    let none = Run::default;
    let expect = |bloom: &Bloom, event: &Event<'_>, result| assert_eq!(bloom.check(event), result);
    expect(&bloom, &Event::Added(added.clone()), Ok(()));
    expect(
        &bloom,
        &event(run(100..101), vec![]),
        Err(Divergence::NoRoom),
    );
    let known = Growth {
        run: run(0..1),
        ..growth.clone()
    };
    expect(
        &bloom,
        &event(none(), vec![known]),
        Err(Divergence::ItemPresent),
    );
    let early = vec![growth.clone(), growth.clone()];
    expect(&bloom, &event(none(), early), Err(Divergence::RoomLeft));
    let crowded = Growth {
        run: run(100..190),
        ..growth.clone()
    };
    expect(
        &bloom,
        &event(none(), vec![crowded]),
        Err(Divergence::NoRoom),
    );
    let huge = Shape {
        blocks: 1 << 55,
        ..growth.shape
    };
    let large = Growth {
        shape: huge,
        run: run(100..101),
    };
    expect(
        &bloom,
        &event(none(), vec![large]),
        Err(Divergence::NoMemory),
    );
    let fixed = filled(settings(0.01, 0), 4, 0..4);
    expect(
        &fixed,
        &event(none(), vec![growth]),
        Err(Divergence::MustNotGrow),
    );
    let created = Event::Created {
        settings: bloom.settings(),
        first: bloom.links()[0].shape(),
        added: Added::default(),
    };
    expect(&bloom, &created, Err(Divergence::FilterExists));
    expect(&bloom, &Event::Cleared, Ok(()));
    bloom.apply(&Event::Cleared);
    expect(&bloom, &created, Ok(()));
}
