//! Events of sales that guard their door, and such a sale.
//!
//! Edge: as `samples.rs`.

use super::samples::{NOW_MS, options, step, telling_sale};
use flashsale_engine::sale::*;

pub use flashsale_engine::sale::make_pass;

/// What passes here are made with.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// The shortest secret there may be.
pub const NEXT_SECRET: &[u8] = b"the-next-secret.";

/// The secrets of a sale.
pub fn passkeys(secrets: &[&[u8]]) -> PassKeys {
    PassKeys::new(secrets).expect("secrets of 16 to 128 bytes")
}

/// Events with a PASSKEY of one secret, and of two of the largest and the smallest.
pub fn pass_events() -> Vec<(&'static str, Change<'static>)> {
    let created = Created {
        sale_id: 7,
        share_id: 7,
        orders: b"orders",
        options: Options {
            passkeys: passkeys(&[SECRET]),
            ..options()
        },
        items: vec![(b"a", 1)],
    };
    let altered = Options {
        passkeys: passkeys(&[&[0xff; 128], NEXT_SECRET]),
        events: Events::All,
        waiting_max: 7,
        ..Options::new(1, 3_600_000)
    };
    vec![
        ("created-with-a-passkey", Change::Created(Box::new(created))),
        (
            "altered-to-two-passkeys",
            Change::Altered(Box::new(altered)),
        ),
    ]
}

/// The sale of [`telling_sale`] with two secrets, which its stream has yet to be told of.
pub fn guarded_sale() -> Sale {
    let mut sale = telling_sale();
    let changes = Changes {
        passkeys: Some(passkeys(&[SECRET, NEXT_SECRET])),
        ..Changes::default()
    };
    step(&mut sale, |sale| sale.plan_alter(NOW_MS + 62_508, &changes));
    assert_eq!(sale.audit(), Vec::<String>::new());
    sale
}

/// A pass of [`SECRET`] for these names that is good for long.
pub fn pass_for(id: &[u8], user: &[u8]) -> String {
    make_pass(SECRET, INTEGER_MAX, id, user)
}
