//! What the contract says about each command, as the server must tell it.
//!
//! Edge: plain data, written by hand; nothing is taken from the module.

/// What a client that looks a command up is told.
pub struct Reference {
    /// Its syntax. The options of CREATE and ALTER are written out; `[...]` is the choice
    /// before it once more.
    pub syntax: &'static str,
    /// The fewest words, as a negative number when there may be more.
    pub arity: i64,
    /// `write` or `readonly`, and what else is promised; nothing for a command without
    /// keys. `fast` is the module's own business.
    pub flags: &'static str,
    /// A line.
    pub line: &'static str,
    /// The keys of the line, each with what happens to it.
    pub keys: &'static str,
}

const fn command(
    syntax: &'static str,
    arity: i64,
    flags: &'static str,
    line: &'static str,
    keys: &'static str,
) -> Reference {
    Reference {
        syntax,
        arity,
        flags,
        line,
        keys,
    }
}

const READ: &str = "sale:1 RO access";
const CHANGE: &str = "sale:1 RW access update";
const ORDER: &str = "sale:1 RW access update, orders:1 RW insert";

/// Every command for clients, in the order of the contract.
pub const REFERENCE: [Reference; 45] = [
    command(
        "FLASHSALE.CREATE key orders {STOCK n | ITEMS count sku n [sku n ...]} [USERLIMIT n] \
         [ITEMLIMIT n] [ORDERLIMIT n] [SALELIMIT n] [HOLD ms] [MAXHOLD ms] [GRACE ms] \
         [START unix-ms] [END unix-ms] [KEEP ms] [REMEMBER ms] [WAITING n] [PATIENCE ms] \
         [PACE n ms] [USERRATE n ms] [FROMRATE n ms] [PASSKEY count [secret ...]] \
         [GROUP group] [EVENTS {orders | all}] [SALEID ulid]",
        -5,
        "write denyoom",
        "FLASHSALE.CREATE sale:1 orders:1 STOCK 1",
        // The stream is named: that it is one is all that is looked at.
        "sale:1 RW insert, orders:1 RO",
    ),
    command(
        "FLASHSALE.RESERVE key user {qty | ITEMS count sku qty [sku qty ...] \
         [UNITS count unit [unit ...]] | UNITS count unit [unit ...]} [ID id] [HOLD ms] \
         [REPLACE old-id] [FROM source] [PASS pass] [WAIT]",
        -4,
        "write",
        "FLASHSALE.RESERVE sale:1 alice 1 ID r9",
        CHANGE,
    ),
    command(
        "FLASHSALE.CHECKOUT key orders id [USER user] [REF ref] [PAYLOAD json]",
        -4,
        "write",
        "FLASHSALE.CHECKOUT sale:1 orders:1 r1",
        ORDER,
    ),
    command(
        "FLASHSALE.BUY key orders user {qty | ITEMS count sku qty [sku qty ...] \
         [UNITS count unit [unit ...]] | UNITS count unit [unit ...]} [ID id] [REF ref] [PAYLOAD json] [FROM source] [PASS pass]",
        -5,
        "write",
        "FLASHSALE.BUY sale:1 orders:1 alice 1",
        ORDER,
    ),
    command(
        "FLASHSALE.RELEASE key id [USER user]",
        -3,
        "write",
        "FLASHSALE.RELEASE sale:1 r1",
        CHANGE,
    ),
    command(
        "FLASHSALE.MRESERVE key ENTRIES n user qty id [user qty id ...] [SKU sku] [HOLD ms]",
        -7,
        "write",
        "FLASHSALE.MRESERVE sale:1 ENTRIES 1 alice 1 r8",
        CHANGE,
    ),
    command(
        "FLASHSALE.MBUY key orders ENTRIES n user qty id ref [user qty id ref ...] [SKU sku]",
        -9,
        "write",
        "FLASHSALE.MBUY sale:1 orders:1 ENTRIES 1 alice 1 r7 p",
        ORDER,
    ),
    command(
        "FLASHSALE.MCHECKOUT key orders ENTRIES n id ref [id ref ...]",
        -7,
        "write",
        "FLASHSALE.MCHECKOUT sale:1 orders:1 ENTRIES 1 r1 p",
        ORDER,
    ),
    command(
        "FLASHSALE.MRELEASE key ENTRIES n id [id ...]",
        -5,
        "write",
        "FLASHSALE.MRELEASE sale:1 ENTRIES 1 r1",
        CHANGE,
    ),
    command(
        "FLASHSALE.EXTEND key id ms [USER user]",
        -4,
        "write",
        "FLASHSALE.EXTEND sale:1 r1 5",
        CHANGE,
    ),
    command(
        "FLASHSALE.REFUND key orders id [QTY n | ITEMS count sku qty [sku qty ...] | \
         UNITS count unit [unit ...]] [REF ref] [USER user] [NORESTOCK] [RESTORELIMIT]",
        -4,
        "write",
        "FLASHSALE.REFUND sale:1 orders:1 r1",
        ORDER,
    ),
    command(
        "FLASHSALE.IMPORT key orders user {qty | ITEMS count sku qty [sku qty ...] \
         [UNITS count unit [unit ...]] | UNITS count unit [unit ...]} ID id \
         AT sold-at-ms [REF ref] [PAYLOAD json]",
        -9,
        "write",
        "FLASHSALE.IMPORT sale:1 orders:1 alice 1 ID r9 AT 1765000000000",
        ORDER,
    ),
    command(
        "FLASHSALE.RESTOCK key {delta | ITEMS count sku delta [sku delta ...] | \
         UNITS sku count unit [unit ...]} [SEALED] [WITHDRAW] [NEW] [REF ref]",
        -3,
        "write",
        "FLASHSALE.RESTOCK sale:1 5",
        CHANGE,
    ),
    command(
        "FLASHSALE.GIVE key from to total [SKU sku] [MOST] [OWING] [CONFIRM]",
        -5,
        "write",
        "FLASHSALE.GIVE sale:1 a b 1",
        CHANGE,
    ),
    command(
        "FLASHSALE.TAKE key from to total [SKU sku]",
        -5,
        "write",
        "FLASHSALE.TAKE sale:1 a b 1",
        CHANGE,
    ),
    command(
        "FLASHSALE.REST key valid-ms [sku ...]",
        -3,
        "write",
        "FLASHSALE.REST sale:1 1000",
        CHANGE,
    ),
    command(
        "FLASHSALE.ALTER key {USERLIMIT n | ITEMLIMIT n | ORDERLIMIT n | SALELIMIT n | HOLD ms | \
         MAXHOLD ms | GRACE ms | START unix-ms | END unix-ms | KEEP ms | REMEMBER ms | \
         WAITING n | PATIENCE ms | PACE n ms | USERRATE n ms | FROMRATE n ms | \
         PASSKEY count [secret ...] | GROUP group | EVENTS {orders | all}} [...]",
        -4,
        "write",
        "FLASHSALE.ALTER sale:1 HOLD 5",
        CHANGE,
    ),
    command(
        "FLASHSALE.PAUSE key",
        2,
        "write",
        "FLASHSALE.PAUSE sale:1",
        CHANGE,
    ),
    command(
        "FLASHSALE.RESUME key",
        2,
        "write",
        "FLASHSALE.RESUME sale:1",
        CHANGE,
    ),
    command(
        "FLASHSALE.CLOSE key",
        2,
        "write",
        "FLASHSALE.CLOSE sale:1",
        CHANGE,
    ),
    command(
        "FLASHSALE.BIND key orders",
        3,
        "write",
        "FLASHSALE.BIND sale:1 orders:1",
        "sale:1 RW access update, orders:1 RO",
    ),
    command(
        "FLASHSALE.STOCK key [sku ...]",
        -2,
        "readonly",
        "FLASHSALE.STOCK sale:1 a b",
        READ,
    ),
    command(
        "FLASHSALE.SHARES key [sku ...]",
        -2,
        "readonly",
        "FLASHSALE.SHARES sale:1 a b",
        READ,
    ),
    command(
        "FLASHSALE.GET key id",
        3,
        "readonly",
        "FLASHSALE.GET sale:1 r1",
        READ,
    ),
    command(
        "FLASHSALE.USER key user",
        3,
        "readonly",
        "FLASHSALE.USER sale:1 alice",
        READ,
    ),
    command(
        "FLASHSALE.INFO key",
        2,
        "readonly",
        "FLASHSALE.INFO sale:1",
        READ,
    ),
    command(
        "FLASHSALE.SCAN key cursor [COUNT n] [STATE s]",
        -3,
        "readonly",
        "FLASHSALE.SCAN sale:1 0",
        READ,
    ),
    command(
        "FLASHSALE.UNITS key sku cursor [COUNT n] [WITHIDS]",
        -4,
        "readonly",
        "FLASHSALE.UNITS sale:1 a 0",
        READ,
    ),
    command(
        "FLASHSALE.AUDIT key [orders]",
        -2,
        "readonly",
        "FLASHSALE.AUDIT sale:1 orders:1",
        "sale:1 RO access, orders:1 RO access",
    ),
    command(
        "FLASHSALE.BFRESERVE key error_rate capacity [EXPANSION expansion] [NONSCALING]",
        -4,
        "write denyoom",
        "FLASHSALE.BFRESERVE sale:1 0.01 100",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFADD key item",
        3,
        "write denyoom",
        "FLASHSALE.BFADD sale:1 a",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFMADD key item [item ...]",
        -3,
        "write denyoom",
        "FLASHSALE.BFMADD sale:1 a b",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFINSERT key [CAPACITY capacity] [ERROR error] [EXPANSION expansion] [NOCREATE] \
         [NONSCALING] ITEMS item [item ...]",
        -4,
        "write denyoom",
        "FLASHSALE.BFINSERT sale:1 ITEMS a b",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFEXISTS key item",
        3,
        "readonly",
        "FLASHSALE.BFEXISTS sale:1 a",
        READ,
    ),
    command(
        "FLASHSALE.BFMEXISTS key item [item ...]",
        -3,
        "readonly",
        "FLASHSALE.BFMEXISTS sale:1 a b",
        READ,
    ),
    command(
        "FLASHSALE.BFCARD key",
        2,
        "readonly",
        "FLASHSALE.BFCARD sale:1",
        READ,
    ),
    command(
        "FLASHSALE.BFINFO key [CAPACITY | SIZE | FILTERS | ITEMS | EXPANSION]",
        -2,
        "readonly",
        "FLASHSALE.BFINFO sale:1 SIZE",
        READ,
    ),
    command(
        "FLASHSALE.BFDEBUG key",
        2,
        "readonly",
        "FLASHSALE.BFDEBUG sale:1",
        READ,
    ),
    command(
        "FLASHSALE.BFSCANDUMP key iterator",
        3,
        "readonly",
        "FLASHSALE.BFSCANDUMP sale:1 0",
        READ,
    ),
    command(
        "FLASHSALE.BFLOADCHUNK key iterator data",
        4,
        "write denyoom",
        "FLASHSALE.BFLOADCHUNK sale:1 1 data",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFCLEAR key",
        2,
        "write",
        "FLASHSALE.BFCLEAR sale:1",
        CHANGE,
    ),
    command(
        "FLASHSALE.BFMERGE dest src [src ...]",
        -3,
        "write denyoom",
        "FLASHSALE.BFMERGE sale:1 sale:2 sale:3",
        "sale:1 RW access update, sale:2 RO access, sale:3 RO access",
    ),
    command(
        "FLASHSALE.THROTTLE key subject count ms [BURST n] [COST n]",
        -5,
        "write",
        "FLASHSALE.THROTTLE sale:1 alice 1 1000",
        CHANGE,
    ),
    command("FLASHSALE.DOCTOR", 1, "stale", "FLASHSALE.DOCTOR", ""),
    command("FLASHSALE.HELP [command]", -1, "", "FLASHSALE.HELP", ""),
];

/// Commands of the replication stream and of the AOF, not for clients.
pub const INTERNAL: [&str; 6] = [
    "flashsale.apply",
    "flashsale.load",
    "flashsale.bfapply",
    "flashsale.bfload",
    "flashsale.rateapply",
    "flashsale.rateload",
];

impl Reference {
    /// The command's name as the server writes it.
    pub fn name(&self) -> String {
        let name = self.syntax.split(' ').next().expect("a name");
        name.to_lowercase()
    }
}

/// The type of an argument, by its name.
pub fn type_of(name: &str) -> &'static str {
    match name {
        "key" | "orders" | "dest" | "src" => "key",
        "user" | "id" | "old-id" | "ref" | "sku" | "json" | "s" | "item" | "data" | "ulid"
        | "command" | "unit" | "subject" | "source" | "pass" | "secret" | "group" | "from"
        | "to" => "string",
        "n" | "qty" | "ms" | "count" | "delta" | "cursor" => "integer",
        "capacity" | "expansion" | "iterator" | "total" | "valid-ms" => "integer",
        "error_rate" | "error" => "double",
        "unix-ms" | "sold-at-ms" => "unix-time",
        _ => panic!("{name}: an argument the contract does not have"),
    }
}
