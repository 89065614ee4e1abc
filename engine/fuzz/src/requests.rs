//! Random requests to a sale, decided by its own plans: honest events, whatever the sale
//! has been through.

use super::dice::Dice;
use super::samples::{HASHER, set_entry, unentered};
use super::samples_pass::{NEXT_SECRET, SECRET, pass_for, passkeys};
use super::samples_share::{OTHER_PEER, PEER};
use flashsale_engine::sale::*;

const BOUNDS: Bounds = Bounds {
    reservations_max: 200,
    items_max: 64,
};

/// What the requests are about: names the sale knows, and some it does not.
pub struct Names {
    ids: Vec<Vec<u8>>,
    users: Vec<Vec<u8>>,
    skus: Vec<Vec<u8>>,
}

impl Names {
    pub fn of(sale: &Sale) -> Names {
        let mut ids: Vec<Vec<u8>> = (0..20).map(|n| format!("id{n}").into_bytes()).collect();
        ids.push(b"01ARZ3NDEKTSV4RRFFQ69G5FAV".to_vec());
        let mut users: Vec<Vec<u8>> = ["ann", "bob"].map(|user| user.into()).into();
        sale.scan(0, 100, None, &mut |slot| {
            let view = sale.view(slot).expect("a known slot");
            ids.push(view.id(&mut NameBuffer::default()).to_vec());
            users.extend(view.user(&mut NameBuffer::default()).map(<[u8]>::to_vec));
        });
        let mut cursor = Some(PlaceCursor::START);
        while let Some(from) = cursor {
            cursor = sale.scan_places(from, 100, &mut |place| {
                ids.push(place.id.bytes(&mut NameBuffer::default()).to_vec());
                users.push(place.user.bytes(&mut NameBuffer::default()).to_vec());
            });
        }
        let mut skus: Vec<Vec<u8>> = sale.items().take(20).map(|item| item.sku.into()).collect();
        skus.push(b"nosuch".to_vec());
        Names { ids, users, skus }
    }
}

/// Asks the sale for something and returns the event that is to happen, if one is.
pub fn request(sale: &Sale, names: &Names, at_ms: u64, dice: &mut Dice) -> Option<Vec<u8>> {
    let (id, user, sku) = (
        name(&names.ids, dice),
        name(&names.users, dice),
        name(&names.skus, dice),
    );
    let qty = 1 + dice.below(3);
    let reference = [None, Some(&b"ref-1"[..]), Some(b"ref-2")][dice.index(3)];
    let insists = dice.one_in(4).then_some(user);
    let (id_key, insists_spelling) = (HASHER.key(id), insists.map(Spelling::of));
    // Lives longer than the lines of the requests that show it.
    let made = pass_for(id, user);
    let mut lines = AskLines::from_slice(&[(sku, qty)]);
    if dice.one_in(3) {
        lines.push((name(&names.skus, dice), 1));
    }
    let pass = if dice.one_in(8) {
        Pass::Shown(id)
    } else {
        Pass::Shown(made.as_bytes())
    };
    let reserve = Reserve {
        user: HASHER.key(user),
        ask: Ask::Items(lines.clone()),
        id: id_key,
        hold_ms: dice.one_in(2).then_some(1 + dice.below(90_000)),
        replaces: dice.one_in(3).then(|| HASHER.key(name(&names.ids, dice))),
        waits: false,
        pass,
    };
    let wait = Reserve {
        ask: Ask::Items([(sku, qty)].into_iter().collect()),
        hold_ms: None,
        replaces: None,
        waits: true,
        ..reserve
    };
    let pay = Checkout {
        id: id_key,
        user: insists_spelling,
        reference,
        payload: dice.one_in(3).then_some(b"[1]"),
    };
    let back = RefundAsk {
        id: id_key,
        user: insists_spelling,
        ask: reference.map(|_| Ask::Items(lines)),
        reference,
        no_restock: dice.one_in(2),
        restore_limit: dice.one_in(2),
    };
    let import = Import {
        user: HASHER.key(user),
        ask: reserve.ask.clone(),
        id: id_key,
        sold_at_ms: at_ms - dice.below(90_000),
        reference,
        payload: None,
    };
    let plan = match dice.below(24) {
        0..=3 => sale.plan_reserve(at_ms, &reserve, &BOUNDS),
        4 | 5 => sale.plan_checkout(at_ms, &pay).map(unentered),
        6 => sale
            .plan_buy(at_ms, &reserve, reference, Some(b"{}"), &BOUNDS)
            .map(unentered),
        7 => sale.plan_release(at_ms, id_key, insists.map(|user| HASHER.key(user)), &BOUNDS),
        8 => sale.plan_extend(at_ms, id_key, 1 + dice.below(200_000), insists_spelling),
        9 | 10 => sale.plan_refund(at_ms, &back).map(unentered),
        11 => sale
            .plan_sweep(at_ms, 1 + dice.below(5) as u32)
            .ok_or(Answer::Unchanged),
        12 => sale.plan_expire(at_ms, id_key).ok_or(Answer::Unchanged),
        13..=16 => sale.plan_reserve(at_ms, &wait, &BOUNDS),
        20 => sale.plan_import(at_ms, &import, &BOUNDS).map(unentered),
        21 | 22 => share(sale, sku, at_ms, dice),
        17..=19 => go(sale, at_ms, dice).ok_or(Answer::Unchanged),
        _ => return manage(sale, names, at_ms, dice),
    };
    plan.ok().map(|event| with_entry(event, dice))
}

/// The next thing that lines have to do, if there is one, within some steps; some people are
/// absent.
pub fn go(sale: &Sale, at_ms: u64, dice: &mut Dice) -> Option<Event<'static>> {
    let seed = dice.roll();
    let (from, budget) = (&mut (seed as u32 % 4), &mut (1 + dice.below(20) as u32));
    let is_present = |place| !u64::from(place).wrapping_add(seed).is_multiple_of(3);
    sale.plan_draw(at_ms, || (u128::from(seed) << 7).to_le_bytes())
        .or_else(|| sale.plan_dissolve(at_ms, budget))
        .or_else(|| sale.plan_grant(at_ms, from, budget, &BOUNDS, &is_present))
}

/// Units go to another sale, or come from one.
fn share<'a>(sale: &Sale, sku: &'a [u8], at_ms: u64, dice: &mut Dice) -> Plan<'a> {
    let peer = [PEER, OTHER_PEER][dice.index(2)];
    let (own, total) = (sale.share_id(), dice.below(40));
    if dice.one_in(2) {
        let take = Take {
            from: peer,
            to: own,
            total,
            sku: Some(sku),
        };
        return sale.plan_take(at_ms, &take, &BOUNDS);
    }
    let give = Give {
        from: own,
        to: peer,
        total,
        sku: Some(sku),
        most: dice.one_in(2),
        owes: dice.one_in(4),
        confirms: dice.one_in(4),
    };
    sale.plan_give(at_ms, &give)
}

fn name<'n>(among: &'n [Vec<u8>], dice: &mut Dice) -> &'n [u8] {
    dice.pick(among).as_slice()
}

/// No secret, the one that passes are made with, or another beside it.
fn secrets(dice: &mut Dice) -> PassKeys {
    let some: [&[&[u8]]; 3] = [&[], &[SECRET], &[NEXT_SECRET, SECRET]];
    passkeys(some[dice.index(3)])
}

/// What the owner of the sale does.
fn manage(sale: &Sale, names: &Names, at_ms: u64, dice: &mut Dice) -> Option<Vec<u8>> {
    let pace = dice.one_in(2).then(|| PaceRate {
        n: 1 + dice.below(9),
        ms: 1 + dice.below(9_000),
    });
    let changes = Changes {
        user_limit: dice.one_in(2).then_some(dice.below(9)),
        sale_limit: dice.one_in(4).then_some(dice.below(900)),
        grace_ms: dice.one_in(2).then_some(dice.below(5_000)),
        end_at_ms: dice.one_in(4).then_some(at_ms + dice.below(9_000)),
        start_at_ms: dice.one_in(8).then_some(at_ms + dice.below(50_000)),
        waiting_max: dice.one_in(4).then_some(dice.below(40)),
        patience_ms: dice.one_in(4).then_some(2_000 * dice.below(2)),
        pace: dice.one_in(4).then_some(pace),
        passkeys: dice.one_in(4).then(|| secrets(dice)),
        ..Changes::default()
    };
    let id = name(&names.ids, dice);
    let restock = Restock {
        ask: RestockAsk::Items(vec![
            (name(&names.skus, dice), 1 + dice.below(9) as i64),
            (name(&names.skus, dice), -1),
        ]),
        new: dice.one_in(2),
        reference: dice.one_in(2).then_some(id),
    };
    let plan = match dice.below(12) {
        0..=5 => sale.plan_restock(at_ms, &restock, &BOUNDS),
        6 => sale.plan_pause(at_ms),
        7 | 8 => sale.plan_resume(at_ms),
        9 => sale.plan_bind(at_ms, b"other"),
        10 if dice.one_in(4) => sale.plan_close(at_ms),
        _ => sale.plan_alter(at_ms, &changes),
    };
    plan.ok().map(|event| with_entry(event, dice))
}

fn with_entry(mut event: Event<'_>, dice: &mut Dice) -> Vec<u8> {
    let entry = EntryId {
        ms: event.at_ms,
        seq: dice.below(1_000),
    };
    set_entry(&mut event, entry);
    let mut bytes = Vec::new();
    encode_event(&event, &mut bytes);
    bytes
}
