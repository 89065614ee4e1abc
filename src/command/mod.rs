//! The commands: one file each, and the file is its own manual page.
//!
//! A file starts with the page, then the grammar, then the steps: parse, moment, plan,
//! commit, reply. Nothing here decides; the engine does. Nothing here changes a sale;
//! `change` does.
//!
//! Shared: `args.rs` reads words, `items.rs`, `named.rs` and `options.rs` are pieces of grammar,
//! `open.rs` is a sale opened for one decision, `batch.rs` one opened for many, `reply.rs`
//! and `reply_named.rs` put answers into words, `syntax.rs` writes a grammar down.

mod args;
mod batch;
mod bloom;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod ids;
mod items;
mod named;
mod open;
mod options;
mod rate;
mod reply;
mod reply_named;
mod sale;
mod syntax;
mod words;

use crate::change::broken;
use crate::error::Error;
use crate::ffi::{self, Call, Command, CommandSpec, Ctx, Text};
use crate::info;

/// What a command file provides.
trait Handler {
    const SPEC: &'static CommandSpec;

    /// Writes the reply, or has written nothing and says what was wrong.
    fn answer(call: &Call<'_>) -> Result<(), Error>;
}

impl<H: Handler> Command for H {
    const SPEC: &'static CommandSpec = H::SPEC;

    fn call(call: &Call<'_>) {
        if let Err(error) = H::answer(call) {
            info::count_error(error.code);
            call.reply().error(&error.to_string());
        }
    }

    fn panicked(call: &Call<'_>, reason: &str) {
        let ctx = call.ctx();
        let reason = format!("{}: {reason}", H::SPEC.name);
        let name = call.text(1);
        let error = if name.is_some_and(|name| broken::note_panic(ctx, name, &reason)) {
            Error::broken(&reason)
        } else {
            ctx.warn(&format!("an invariant is broken: {reason}"));
            Error::new(format!("internal: an invariant is broken: {reason}"))
        };
        info::count_error(error.code);
        call.reply().error(&error.to_string());
    }
}

/// The argument at `index` as the server has it.
fn text<'c>(call: &Call<'c>, index: usize) -> Result<Text<'c>, Error> {
    call.text(index)
        .ok_or_else(|| Error::new("syntax: an argument is missing"))
}

macro_rules! table {
    (
        sales: { $($sale:ident::$of_sale:ident,)* }
        filters: { $($filter:ident::$of_filter:ident,)* }
        limits: { $($limit:ident::$of_limit:ident,)* }
        others: { $($room:ident::$other:ident::$of_other:ident,)* }
    ) => {
        /// Every command, in the order of the reference.
        const SPECS: &[&CommandSpec] =
            &[
            $(&sale::$sale::COMMAND,)*
            $(&bloom::$filter::COMMAND,)*
            $(&rate::$limit::COMMAND,)*
            $(&$room::$other::COMMAND,)*
        ];

        /// Registers every command.
        ///
        /// # Errors
        ///
        /// The server does not take one of them.
        pub fn register(ctx: Ctx<'_>) -> Result<(), String> {
            $(ffi::register_command::<sale::$sale::$of_sale>(ctx)?;)*
            $(ffi::register_command::<bloom::$filter::$of_filter>(ctx)?;)*
            $(ffi::register_command::<rate::$limit::$of_limit>(ctx)?;)*
            $(ffi::register_command::<$room::$other::$of_other>(ctx)?;)*
            Ok(())
        }

        /// Registers the commands of filters as `BF.*` too, and notes each name given.
        ///
        /// # Errors
        ///
        /// The server has one of them already.
        fn register_as_bf(ctx: Ctx<'_>, given: &mut Vec<String>) -> Result<(), String> {
            $(given.push(register_alias::<bloom::$filter::$of_filter>(ctx)?);)*
            Ok(())
        }
    };
}

/// What the names of the commands of filters begin with. A second dot would be one too
/// many: clients of a cluster refuse such names.
const PREFIX: &str = "FLASHSALE.BF";
/// What their aliases begin with instead.
const ALIAS_PREFIX: &str = "BF.";

fn register_alias<C: Command>(ctx: Ctx<'_>) -> Result<String, String> {
    let name = C::SPEC.name.trim_start_matches(PREFIX);
    let alias = format!("{ALIAS_PREFIX}{name}");
    ffi::register_alias::<C>(ctx, &alias, c"bloom").map(|()| alias)
}

/// Registers the commands of filters under the names clients of RedisBloom use, unless
/// the server knows these names from another module. That is no reason not to load.
///
/// The first name that is taken ends it: whoever has one of them has filters of its own,
/// on which ours would not work. A name once given cannot be taken back; where another
/// module has a few odd ones, the log says which are ours.
pub fn register_aliases(ctx: Ctx<'_>) {
    // Not without aliases: a module that brings this category could not be loaded after
    // this one.
    ffi::add_category(ctx, c"bloom");
    let mut given = Vec::new();
    if let Err(reason) = register_as_bf(ctx, &mut given) {
        let rest = match given.join(", ") {
            none if none.is_empty() => "the filters are at FLASHSALE.BF* alone".to_owned(),
            some => format!(
                "of BF.*, only {some} are filters of this module, and all are at FLASHSALE.BF*"
            ),
        };
        ctx.warn(&format!("bf-aliases: {reason}; {rest}"));
    }
}

/// The version the commands of sales came with.
const SINCE: &str = "0.1.0";

/// The version the commands of batches came with.
const BATCHES_SINCE: &str = "0.2.0";

/// The version the commands of rate limits came with.
const LIMITS_SINCE: &str = "0.2.0";

/// The version the commands came with that reach beyond one server.
const BEYOND_SINCE: &str = "0.2.0";
/// The version that gave units names.
const NAMES_SINCE: &str = "0.2.0";

/// The version the commands of filters came with, under the names they have now.
const FILTERS_SINCE: &str = "0.2.0";

table! {
    sales: {
        create::Create,
        reserve::Reserve,
        checkout::Checkout,
        buy::Buy,
        release::Release,
        mreserve::MultiReserve,
        mbuy::MultiBuy,
        mcheckout::MultiCheckout,
        mrelease::MultiRelease,
        extend::Extend,
        refund::Refund,
        import::Import,
        restock::Restock,
        give::Give,
        take::Take,
        rest::Rest,
        alter::Alter,
        pause::Pause,
        resume::Resume,
        close::Close,
        bind::Bind,
        stock::Stock,
        shares::Shares,
        get::Get,
        user::User,
        info::Info,
        scan::Scan,
        units::Units,
        audit::Audit,
    }
    filters: {
        // First, since where this name is taken all are.
        reserve::Reserve,
        add::Add,
        madd::MultiAdd,
        insert::Insert,
        exists::Exists,
        mexists::MultiExists,
        card::Card,
        info::Info,
        debug::Debug,
        scandump::ScanDump,
        loadchunk::LoadChunk,
        clear::Clear,
        merge::Merge,
    }
    limits: {
        throttle::Throttle,
    }
    others: {
        sale::doctor::Doctor,
        sale::help::Help,
        sale::apply::Apply,
        sale::load::Load,
        bloom::apply::Apply,
        bloom::load::Load,
        rate::apply::Apply,
        rate::load::Load,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::{Argument, ArgumentKind};

    /// The fewest words a grammar admits.
    fn least_words(arguments: &[Argument]) -> i32 {
        arguments
            .iter()
            .filter(|argument| !argument.is_optional)
            .map(least_of)
            .sum()
    }

    fn least_of(argument: &Argument) -> i32 {
        let token = i32::from(argument.token.is_some());
        match argument.kind {
            ArgumentKind::Flag => 1,
            ArgumentKind::Block(parts) => token + least_words(parts),
            ArgumentKind::OneOf(choices) => token + choices.iter().map(least_of).min().unwrap_or(0),
            _ => token + 1,
        }
    }

    #[test]
    fn arity_is_what_the_grammar_says() {
        for spec in SPECS {
            let least = 1 + least_words(spec.arguments);
            assert_eq!(spec.arity.abs(), least, "{}", spec.name);
        }
    }

    #[test]
    fn every_key_argument_has_its_key_spec() {
        for spec in SPECS {
            for (position, argument) in spec.arguments.iter().enumerate() {
                let ArgumentKind::Key(index) = argument.kind else {
                    continue;
                };
                let key_spec = &spec.keys[index as usize];
                let last = key_spec.first + key_spec.last.max(0);
                let position = position as i32 + 1;
                assert!(key_spec.last < 0 || (key_spec.first..=last).contains(&position));
            }
        }
    }

    #[test]
    fn reads_are_fast_or_say_why_not_and_nothing_loads_while_loading() {
        for spec in SPECS {
            let flags: Vec<_> = spec.flags.split(' ').collect();
            let is_of_no_key = spec.keys.is_empty();
            assert!(flags.contains(&"write") ^ flags.contains(&"readonly") ^ is_of_no_key);
            assert!(!flags.contains(&"allow-loading"));
            let grows = [
                "CREATE",
                "RESERVE",
                "ADD",
                "MADD",
                "INSERT",
                "LOADCHUNK",
                "MERGE",
            ];
            let (_, word) = spec.name.rsplit_once('.').expect("a name");
            let takes_memory = match word.strip_prefix("BF") {
                Some(word) => grows[1..].contains(&word),
                None => word == grows[0],
            };
            assert_eq!(flags.contains(&"deny-oom"), takes_memory, "{}", spec.name);
            assert!(spec.name.starts_with("FLASHSALE."));
            let is_of_filters = spec.name.starts_with(PREFIX);
            let is_batch = spec.name.starts_with("FLASHSALE.M");
            let is_of_limits = word.starts_with("THROTTLE") || word.starts_with("RATE");
            let is_beyond = ["IMPORT", "GIVE", "TAKE", "REST", "SHARES"].contains(&word);
            let since = match (is_of_filters, is_batch, is_of_limits) {
                (true, ..) => FILTERS_SINCE,
                _ if is_beyond => BEYOND_SINCE,
                (_, true, _) => BATCHES_SINCE,
                (.., true) => LIMITS_SINCE,
                _ if word == "UNITS" => NAMES_SINCE,
                _ => SINCE,
            };
            assert_eq!(spec.since, since, "{}", spec.name);
        }
    }

    #[test]
    fn a_reply_with_a_moment_or_a_fresh_id_is_no_function_of_the_data() {
        let told: Vec<_> = SPECS
            .iter()
            .filter(|spec| spec.tips.contains("nondeterministic_output"))
            .map(|spec| spec.name.trim_start_matches("FLASHSALE."))
            .collect();
        let expected = [
            "CREATE",
            "RESERVE",
            "CHECKOUT",
            "BUY",
            "MRESERVE",
            "MBUY",
            "MCHECKOUT",
            "EXTEND",
            "REFUND",
            "IMPORT",
            "SHARES",
            "INFO",
            "SCAN",
            "THROTTLE",
            "DOCTOR",
        ];
        assert_eq!(told, expected);
    }

    /// The syntax of the commands that stand behind those of a sale: of filters, of limits,
    /// of the module itself, and those that replicas and the AOF receive.
    const BEHIND_SALES: [&str; 22] = [
        "BFRESERVE key error_rate capacity [EXPANSION expansion] [NONSCALING]",
        "BFADD key item",
        "BFMADD key item [item ...]",
        "BFINSERT key [CAPACITY capacity] [ERROR error] [EXPANSION expansion] [NOCREATE] \
         [NONSCALING] ITEMS item [item ...]",
        "BFEXISTS key item",
        "BFMEXISTS key item [item ...]",
        "BFCARD key",
        "BFINFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]",
        "BFDEBUG key",
        "BFSCANDUMP key iterator",
        "BFLOADCHUNK key iterator data",
        "BFCLEAR key",
        "BFMERGE dest src [src ...]",
        "THROTTLE key subject count ms [BURST n] [COST n]",
        "DOCTOR",
        "HELP [command]",
        "APPLY key [orders] event",
        "LOAD key chunk",
        "BFAPPLY key [src ...] event",
        "BFLOAD key chunk",
        "RATEAPPLY key event",
        "RATELOAD key chunk",
    ];

    #[test]
    fn syntax_lines_are_the_contract() {
        let lines: Vec<_> = SPECS.iter().map(|spec| syntax::line(spec)).collect();
        let options = "[USERLIMIT n] [ITEMLIMIT n] [ORDERLIMIT n] [SALELIMIT n] [HOLD ms] \
                       [MAXHOLD ms] [GRACE ms] [START unix-ms] [END unix-ms] [KEEP ms] \
                       [REMEMBER ms] [WAITING n] [PATIENCE ms] [PACE n ms] \
                       [USERRATE n ms] [FROMRATE n ms] [PASSKEY count [secret ...]] [GROUP group] [EVENTS {orders | all}]";
        let units = cart();
        let expected = [
            &format!(
                "CREATE key orders {{STOCK n | ITEMS count sku n [sku n ...]}} {options} [SALEID ulid]"
            ),
            &format!(
                "RESERVE key user {units} [ID id] [HOLD ms] [REPLACE old-id] [FROM source] \
                 [PASS pass] [WAIT]"
            ),
            "CHECKOUT key orders id [USER user] [REF ref] [PAYLOAD json]",
            &format!(
                "BUY key orders user {units} [ID id] [REF ref] [PAYLOAD json] [FROM source] \
                 [PASS pass]"
            ),
            "RELEASE key id [USER user]",
            "MRESERVE key ENTRIES n user qty id [user qty id ...] [SKU sku] [HOLD ms]",
            "MBUY key orders ENTRIES n user qty id ref [user qty id ref ...] [SKU sku]",
            "MCHECKOUT key orders ENTRIES n id ref [id ref ...]",
            "MRELEASE key ENTRIES n id [id ...]",
            "EXTEND key id ms [USER user]",
            "REFUND key orders id [QTY n | ITEMS count sku qty [sku qty ...] | \
             UNITS count unit [unit ...]] [REF ref] [USER user] [NORESTOCK] [RESTORELIMIT]",
            &format!("IMPORT key orders user {units} ID id AT sold-at-ms [REF ref] [PAYLOAD json]"),
            "RESTOCK key {delta | ITEMS count sku delta [sku delta ...] | \
             UNITS sku count unit [unit ...]} [SEALED] [WITHDRAW] [NEW] [REF ref]",
            "GIVE key from to total [SKU sku] [MOST] [OWING] [CONFIRM]",
            "TAKE key from to total [SKU sku]",
            "REST key valid-ms [sku ...]",
            &format!("ALTER key {{{}}} [...]", options_of_alter()),
            "PAUSE key",
            "RESUME key",
            "CLOSE key",
            "BIND key orders",
            "STOCK key [sku ...]",
            "SHARES key [sku ...]",
            "GET key id",
            "USER key user",
            "INFO key",
            "SCAN key cursor [COUNT n] [STATE s]",
            "UNITS key sku cursor [COUNT n] [WITHIDS]",
            "AUDIT key [orders]",
        ];
        assert_eq!(lines.len(), expected.len() + BEHIND_SALES.len());
        for (line, expected) in lines.iter().zip(expected.into_iter().chain(BEHIND_SALES)) {
            assert_eq!(*line, format!("FLASHSALE.{expected}"));
        }
    }

    fn cart() -> &'static str {
        "{qty | ITEMS count sku qty [sku qty ...] [UNITS count unit [unit ...]] | \
         UNITS count unit [unit ...]}"
    }

    fn options_of_alter() -> &'static str {
        "USERLIMIT n | ITEMLIMIT n | ORDERLIMIT n | SALELIMIT n | HOLD ms | MAXHOLD ms | \
         GRACE ms | START unix-ms | END unix-ms | KEEP ms | REMEMBER ms | WAITING n | \
         PATIENCE ms | PACE n ms | USERRATE n ms | FROMRATE n ms | PASSKEY count [secret ...] | GROUP group | EVENTS {orders | all}"
    }
}
