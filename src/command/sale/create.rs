//! `FLASHSALE.CREATE key orders {STOCK n | ITEMS count sku n [sku n ...]} [option value ...]`
//!
//! Makes a sale whose orders go to the stream `orders`, which need not exist yet.
//! `STOCK n` is a sale of one item with the SKU `default`.
//!
//! | Option | Default | Meaning |
//! |---|---|---|
//! | `USERLIMIT n` | none | most units one user may have reserved + bought in the sale |
//! | `ITEMLIMIT n` | none | the same, per user and SKU |
//! | `ORDERLIMIT n` | none | most units in one reservation |
//! | `SALELIMIT n` | none | most units reserved + sold, net of refunds, in the whole sale |
//! | `HOLD ms` | `default-hold-ms` | how long a reservation lasts |
//! | `MAXHOLD ms` | follows HOLD | longest a reservation may last with EXTEND |
//! | `GRACE ms` | 0 | a CHECKOUT this late can still succeed |
//! | `START unix-ms`, `END unix-ms` | always open | window [START, END) for new reservations |
//! | `KEEP ms` | `default-keep-ms` | how long the key outlives the sale, for refunds |
//! | `REMEMBER ms` | 600000 | how long released and expired ids stay known |
//! | `EVENTS orders`, `EVENTS all` | `orders` | what goes into the stream: orders and refunds, or also what happens to reservations, items and the sale |
//! | `SALEID ulid` | made | the `sale_id` of its entries, which consumers tell sales apart by |
//!
//! 0 means none for limits, START and END, and a MAXHOLD of 0 follows HOLD. START and END
//! lie from 10^11 to 10^13: a moment in seconds or microseconds is an error.
//!
//! With SALEID the same CREATE again is `OK`, also after END, while stream, options and
//! what CREATE and RESTOCK gave each item are still those of the CREATE, whatever was sold
//! since: a CREATE that is sent again is safe. Give HOLD and KEEP with it: left out, they are
//! the defaults of the moment, so the same CREATE is `BUSYKEY` once `default-hold-ms` or
//! `default-keep-ms` was changed, or after a failover to a server with other ones. **Two
//! live sales with one `sale_id` are one sale to every consumer**; the server cannot know.
//!
//! - Complexity: O(N log N) with N items.
//! - Reply: `OK`.
//! - Errors: `ERR` arity, syntax, the same SKU twice, or the sale would already be
//!   over; `BUSYKEY` the key exists, and is not what the same CREATE with its SALEID made;
//!   `WRONGTYPE` `orders` is no stream; `OOM`.
//! - Replicates: the event `Created`.
//! - Notifies: `flashsale.created`.

use std::collections::HashSet;

use crate::change::commit;
use crate::clock;
use crate::command::args::{Args, once, or_orders_missing};
use crate::command::items::{ITEMS_STOCK, parse_pairs};
use crate::command::options;
use crate::command::reply::{About, error_of};
use crate::command::{Handler, SINCE, ids, text};
use crate::config;
use crate::datatype;
use crate::error::{Code, Error, echo};
use crate::ffi::{Argument, Call, CommandSpec, KeySpec, Text};
use crate::info::{self, Outcome};
use crate::orders::OrdersKey;
use flashsale_engine::sale::{Changes, CreateAsk, INTEGER_MAX, SKU_DEFAULT, Sale};

pub const COMMAND: CommandSpec = CommandSpec {
    name: "FLASHSALE.CREATE",
    summary: "Makes a sale of one or several items.",
    complexity: "O(N log N) with N items",
    since: SINCE,
    flags: "write deny-oom",
    arity: -5,
    keys: &[KeySpec::insert(1), KeySpec::name(2)],
    arguments: &ARGUMENTS,
    tips: "nondeterministic_output",
    internal: false,
};

/// The options between what is mandatory and SALEID.
const ARGUMENTS: [Argument; 4 + options::ARGUMENTS.len()] = options::among(
    &[
        Argument::key("key", 0),
        Argument::key("orders", 1),
        Argument::one_of(
            "items",
            &[Argument::integer("n").after("STOCK"), ITEMS_STOCK],
        ),
    ],
    Argument::string("ulid")
        .after("SALEID")
        .optional()
        .since("0.2.0"),
);

struct Request<'a> {
    orders: &'a [u8],
    items: Vec<(&'a [u8], u64)>,
    changes: Changes,
    sale_id: Option<u128>,
}

impl<'a> Request<'a> {
    /// Reads a whole line.
    fn of(words: &'a [&'a [u8]]) -> Result<Request<'a>, Error> {
        let reads = |args: Args<'_>| Request::parse(args).is_ok();
        Request::parse(Args::new(words)).map_err(|error| or_orders_missing(error, words, reads))
    }

    fn parse(mut args: Args<'a>) -> Result<Request<'a>, Error> {
        let key = args.word("key")?;
        let orders = args.orders()?;
        if key == orders {
            return Err(Error::new(
                "orders: the same as key, it needs a key of its own",
            ));
        }
        let mut items = Vec::new();
        if args.keyword("STOCK") {
            items.push((SKU_DEFAULT, args.integer("STOCK", 0)?));
        } else if args.keyword("ITEMS") {
            let stock = |args: &mut Args<'a>| args.integer("n", 0);
            parse_pairs(&mut args, stock, |sku, n| items.push((sku, n)))?;
            refuse_a_sku_twice(&items)?;
        } else {
            return Err(Error::new(
                "syntax: STOCK n or ITEMS count sku n ... must follow orders",
            ));
        }
        let (mut changes, mut sale_id) = (Changes::default(), None);
        while !args.is_empty() {
            if args.keyword("SALEID") {
                once(&mut sale_id, "SALEID", args.ulid("SALEID")?)?;
            } else {
                options::parse_one(&mut args, &mut changes)?;
            }
        }
        if changes.group == Some(None) {
            return Err(Error::new("GROUP: 0 bytes, not 1 to 128"));
        }
        Ok(Request {
            orders,
            items,
            changes,
            sale_id,
        })
    }
}

/// # Errors
///
/// Which SKU it is, where there may be thousands. The plan checks it, too: it is asked
/// by more than this command.
fn refuse_a_sku_twice(items: &[(&[u8], u64)]) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(items.len());
    match items.iter().find(|(sku, _)| !seen.insert(sku)) {
        Some((sku, _)) => Err(Error::new(format!("ITEMS: the SKU '{}' twice", echo(sku)))),
        None => Ok(()),
    }
}

fn busy(name: Text<'_>) -> Error {
    let name = echo(name.bytes());
    Error::with(
        Code::BusyKey,
        format!("key: '{name}' exists already; ALTER and RESTOCK change a sale"),
    )
}

pub struct Create;

impl Handler for Create {
    const SPEC: &'static CommandSpec = &COMMAND;

    fn answer(call: &Call<'_>) -> Result<(), Error> {
        let Request {
            orders,
            items,
            changes,
            sale_id,
        } = Request::of(call.words())?;
        let (ctx, name) = (call.ctx(), text(call, 1)?);
        let now_ms = clock::now_ms().min(INTEGER_MAX);
        let fresh = ids::fresh(now_ms).0;
        let ask = CreateAsk {
            sale_id: sale_id.unwrap_or(fresh),
            share_id: fresh,
            orders,
            items,
            changes,
            hold_ms_default: config::default_hold_ms(),
            keep_ms_default: config::default_keep_ms(),
        };
        if !datatype::is_free(ctx, name) {
            return match datatype::open_read(ctx, name) {
                Ok(key) if key.sale().is_made_by(&ask) => {
                    info::count(Outcome::Replayed, 1);
                    call.reply().ok();
                    Ok(())
                }
                _ => Err(busy(name)),
            };
        }
        OrdersKey::open_any(ctx, text(call, 2)?)?;
        match Sale::plan_create(now_ms, &ask, &config::bounds()) {
            Ok(event) => commit::commit_creation(ctx, name, &event)?,
            Err(answer) => {
                let error = error_of(&About::nothing(), answer);
                return Err(error.unwrap_or_else(|| Error::new("key: no such sale can be made")));
            }
        }
        call.reply().ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(words: &'a [&'a [u8]]) -> Result<Request<'a>, String> {
        Request::of(words).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_one_item_or_several_and_the_options() {
        let words: [&[u8]; 7] = [b"CREATE", b"k", b"o", b"stock", b"0", b"hold", b"5"];
        let request = parse(&words).unwrap();
        assert_eq!(request.orders, b"o");
        assert_eq!(request.items, [(SKU_DEFAULT, 0)]);
        assert_eq!(
            request.changes,
            Changes {
                hold_ms: Some(5),
                ..Changes::default()
            }
        );
        let words: [&[u8]; 9] = [
            b"CREATE", b"k", b"o", b"ITEMS", b"2", b"a", b"1", b"b", b"2",
        ];
        assert_eq!(parse(&words).unwrap().items, [(&b"a"[..], 1), (b"b", 2)]);
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let refused: [(&[&[u8]], &str); 8] = [
            (
                &[b"CREATE", b"k", b"STOCK", b"1", b"HOLD", b"1000"],
                "ERR orders: is it missing before 'STOCK'? See FLASHSALE.HELP",
            ),
            (
                &[
                    b"CREATE", b"k", b"o", b"ITEMS", b"2", b"a", b"1", b"a", b"2",
                ],
                "ERR ITEMS: the SKU 'a' twice",
            ),
            (
                &[b"CREATE", b"k", b"k", b"STOCK", b"1"],
                "ERR orders: the same as key, it needs a key of its own",
            ),
            (
                &[b"CREATE", b"k", b"o", b"5", b"1"],
                "ERR syntax: STOCK n or ITEMS count sku n ... must follow orders",
            ),
            (
                &[b"CREATE", b"k", b"o", b"STOCK", b"x"],
                "ERR STOCK: 'x' is not an integer from 0 to 9007199254740991",
            ),
            (
                &[b"CREATE", b"k", b"o", b"ITEMS", b"2", b"a", b"1"],
                "ERR count: 2 pairs of two words, but 2 words follow",
            ),
            (
                &[b"CREATE", b"k", b"o", b"STOCK", b"1", b"ID", b"x"],
                "ERR syntax: unknown option 'ID', see FLASHSALE.HELP",
            ),
            (
                &[
                    b"CREATE",
                    b"k",
                    b"o",
                    b"STOCK",
                    b"1",
                    b"SALEID",
                    b"01arz3ndektsv4rrffq69g5fav",
                ],
                "ERR SALEID: '01arz3ndektsv4rrffq69g5fav' is not a ULID as FLASHSALE.INFO shows it",
            ),
        ];
        for (words, text) in refused {
            assert_eq!(parse(words).err().unwrap(), text);
        }
    }
}
