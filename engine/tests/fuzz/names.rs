//! Names as somebody would choose them who wants a look-up to be slow.
//!
//! Edge: bytes only. What they are names of is `work.rs`.

use flashsale_engine::sale::NAME_BYTES_MAX;
use flashsale_fuzz::dice::Dice;

/// Sixteen bytes that end in these hash to 0 under foldhash, whatever its seed.
const FOLDED: [u8; 8] = [0x17, 0x09, 0x47, 0xb5, 0xb5, 0xd5, 0x84, 0x3f];
/// The same for two words, where the second is this one.
const FOLDED_WORD: u128 = 0xc0ac_29b7_c97c_50dd;
/// A millisecond that many ULIDs share, and version 7 UUIDs with them.
const MOMENT_MS: u128 = 1_765_000_000_000;

/// Names that have something in common.
pub struct Family {
    pub what: &'static str,
    /// The nth name; no two are equal.
    pub name: fn(u64, &mut Dice) -> Vec<u8>,
}

/// What others are held against: no two names have anything in common.
pub const RANDOM: Family = Family {
    what: "random names",
    name: |n, dice| format!("{:016x}{n:x}", dice.roll()).into_bytes(),
};

pub const CHOSEN: [Family; 11] = [
    Family {
        what: "names that count up",
        name: |n, _| format!("user{n}").into_bytes(),
    },
    Family {
        what: "bytes that count up",
        name: |n, _| n.to_le_bytes().to_vec(),
    },
    Family {
        what: "long names with equal heads",
        name: |n, _| format!("{n:x>NAME_BYTES_MAX$}").into_bytes(),
    },
    Family {
        what: "long names with equal tails",
        name: |n, _| format!("{n:x<NAME_BYTES_MAX$}").into_bytes(),
    },
    Family {
        what: "names that differ in bits far apart",
        name: |n, _| spread(n).to_be_bytes().to_vec(),
    },
    Family {
        what: "ULIDs of one millisecond",
        name: |n, dice| ulid(MOMENT_MS << 80 | u128::from(dice.roll()) << 16 | u128::from(n)),
    },
    Family {
        what: "ULIDs that count up",
        name: |n, _| ulid(MOMENT_MS << 80 | u128::from(n)),
    },
    Family {
        what: "UUIDs of one millisecond",
        name: |n, _| uuid(MOMENT_MS << 80 | 7 << 76 | 2 << 62 | u128::from(n)),
    },
    Family {
        what: "bytes that foldhash takes to one place",
        name: |n, _| [n.to_be_bytes(), FOLDED].concat(),
    },
    Family {
        what: "ULIDs that foldhash takes to one place",
        name: |n, _| ulid(u128::from(n) << 64 | FOLDED_WORD),
    },
    Family {
        what: "UUIDs that foldhash takes to one place",
        name: |n, _| uuid(u128::from(n) << 64 | FOLDED_WORD),
    },
];

impl Family {
    /// So many names of the family.
    pub fn take(&self, count: u64, dice: &mut Dice) -> Vec<Vec<u8>> {
        (0..count).map(|n| (self.name)(n, dice)).collect()
    }
}

/// Every fifth bit of 128, from the lowest one.
fn spread(number: u64) -> u128 {
    (0..25).fold(0, |spread, bit| {
        spread | u128::from(number >> bit & 1) << (5 * bit)
    })
}

fn ulid(number: u128) -> Vec<u8> {
    let mut letters = [0; ulid::ULID_LEN];
    let spelled = ulid::Ulid(number).array_to_str(&mut letters);
    spelled.as_bytes().to_vec()
}

fn uuid(number: u128) -> Vec<u8> {
    let mut letters = uuid::Uuid::encode_buffer();
    let uuid = uuid::Uuid::from_u128(number).hyphenated();
    uuid.encode_lower(&mut letters).as_bytes().to_vec()
}
