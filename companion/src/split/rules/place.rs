//! Where things are: the part of a user, the hash tags of parts, and how stock is dealt. The part
//! of an id is known to the clients, who make ids.

/// The slots of a cluster.
pub const SLOTS: usize = 16_384;
/// The parts of a split sale, at most.
pub const PARTS_MAX: usize = 1_024;
/// The parts of a split sale, unless said.
pub const PARTS_DEFAULT: usize = 16;

/// CRC16 with the polynomial 0x1021, as a cluster hashes keys, over all bytes.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let doubled = crc << 1;
            if crc & 0x8000 == 0 {
                doubled
            } else {
                doubled ^ 0x1021
            }
        })
    })
}

/// The slot of a name that has no braces, or of what stands between them.
pub fn slot_of(name: &[u8]) -> usize {
    usize::from(crc16(name)) % SLOTS
}

/// The part that a slot's name belongs to.
pub fn part_of_slot(slot: usize, parts: usize) -> usize {
    slot * parts / SLOTS
}

/// The part of a user, for ever. All bytes of the name count: a cluster's own function would
/// look into braces.
pub fn part_of_user(user: &[u8], parts: usize) -> usize {
    part_of_slot(slot_of(user), parts)
}

/// The hash tag of a part, with its braces: `{shoes/3/7}`, the last number being the least that
/// puts the tag into the part's slice of the slots.
pub fn tag_of(sale: &str, part: usize, parts: usize) -> String {
    let mut tries = 0_u32..;
    let tag = tries.find_map(|number| {
        let tag = format!("{sale}/{part}/{number}");
        (part_of_slot(slot_of(tag.as_bytes()), parts) == part).then_some(tag)
    });
    // One of a few thousand numbers hits any slice.
    format!("{{{}}}", tag.unwrap_or_default())
}

/// The letters of a ULID.
pub const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What each part gets of an item's stock: equal shares, the odd units beginning at a part that
/// depends on the item, so that not all of them are on the first parts.
pub fn dealt(sku: &[u8], units: u64, parts: usize) -> Vec<u64> {
    let all: Vec<usize> = (0..parts).collect();
    dealt_among(sku, units, parts, &all)
}

/// The same among some parts only.
pub fn dealt_among(sku: &[u8], units: u64, parts: usize, some: &[usize]) -> Vec<u64> {
    let count = some.len() as u64;
    let first = usize::from(crc16(sku)) % parts.max(1);
    let start = some.iter().position(|part| *part >= first).unwrap_or(0);
    let share = units.checked_div(count).unwrap_or(0);
    let odd = units.checked_rem(count).unwrap_or(0);
    let behind = |at: usize| (at + some.len() - start) % some.len();
    let shares = (0..some.len()).map(|at| share + u64::from((behind(at) as u64) < odd));
    shares.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_crc16_is_on_part_twelve() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(part_of_user(b"123456789", 16), 12);
        assert_eq!(part_of_user(b"", 16), 0);
        // All bytes count, braces too.
        assert_ne!(crc16(b"{123456789}x"), crc16(b"123456789"));
    }

    #[test]
    fn each_tag_is_in_the_slice_of_its_part() {
        for parts in [1, 2, 12, 16, 100, PARTS_MAX] {
            for part in 0..parts {
                let tag = tag_of("shoes", part, parts);
                let inner = &tag.as_bytes()[1..tag.len() - 1];
                let slot = slot_of(inner);
                assert_eq!(part_of_slot(slot, parts), part, "{tag} of {parts}");
                let (before, number) = tag
                    .trim_end_matches('}')
                    .rsplit_once('/')
                    .expect("a number");
                for less in 0..number.parse().expect("a number") {
                    let tag = format!("{before}/{less}");
                    let slot = slot_of(&tag.as_bytes()[1..]);
                    assert_ne!(part_of_slot(slot, parts), part, "{tag} of {parts}");
                }
            }
        }
    }

    #[test]
    fn no_part_and_no_unit_is_left_out() {
        for (units, parts) in [(0, 16), (1, 16), (10_000, 12), (7, 3), (1_000_003, 1_024)] {
            for sku in ["red", "blue", "default"] {
                let shares = dealt(sku.as_bytes(), units, parts);
                assert_eq!(shares.len(), parts);
                assert_eq!(shares.iter().sum::<u64>(), units);
                let (least, most) = (shares.iter().min(), shares.iter().max());
                assert!(most.expect("a part") - least.expect("a part") <= 1);
                let odd = units % parts as u64;
                if odd > 0 {
                    let first = usize::from(crc16(sku.as_bytes())) % parts;
                    assert_eq!(shares[first], units / parts as u64 + 1);
                }
            }
        }
    }

    /// The clients have the same vectors: what either deals under a REF, the other deals alike.
    #[test]
    fn deliveries_are_dealt_as_the_clients_deal_them() {
        assert_eq!(dealt(b"red", 11, 4), [2, 3, 3, 3]);
        assert_eq!(dealt(b"blue", 2, 4), [1, 0, 0, 1]);
        assert_eq!(dealt(b"red", 7, 3), [2, 3, 2]);
        assert_eq!(dealt(b"red", 5, 12), [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn some_parts_share_what_the_others_do_not_have() {
        assert_eq!(dealt_among(b"red", 5, 4, &[2]), [5]);
        let two = dealt_among(b"red", 5, 4, &[0, 3]);
        assert_eq!(two.iter().sum::<u64>(), 5);
        assert!(dealt_among(b"red", 5, 4, &[]).is_empty());
    }
}
