//! Every command as a valid line, each argument with its name and its kind.
//!
//! Edge: the table, and how it is written down; what goes wrong is in `cases.rs`.
//! In a line `name=value:kind` is an argument, by the name that its errors use, and
//! any other word is a keyword. An option is `KEYWORD=value:kind`, or a keyword alone.
//! The lines are valid on the sale that [`SETUP`] makes.

/// Makes the sale of the lines: an open reservation `r1`, an order `s1`, and `spare`
/// items that no line is about. The units of `stalls` have names, those of `code` are codes, and
/// `fresh` has none yet.
pub const SETUP: [&str; 7] = [
    "FLASHSALE.CREATE sale orders ITEMS 6 default 1000 b 1000 spare 5 stalls 0 code 0 fresh 0 \
     ITEMLIMIT 900",
    "FLASHSALE.RESTOCK sale UNITS stalls 9 A-1 A-2 A-3 A-4 A-5 A-6 A-7 A-8 A-9",
    "FLASHSALE.RESTOCK sale UNITS code 4 k1 k2 k3 k4 SEALED",
    "FLASHSALE.RESTOCK sale UNITS stalls 1 A-9 WITHDRAW",
    "FLASHSALE.RESERVE sale alice 1 ID r1",
    "FLASHSALE.BUY sale orders alice 9 ID s1 REF p1",
    "FLASHSALE.BUY sale orders bob ITEMS 3 default 3 b 3 code 1 UNITS 2 A-1 A-2 ID s2",
];

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The key of the sale.
    Sale,
    /// A key where the sale is about to be made.
    NewSale,
    /// The sale's own stream.
    Orders,
    /// A stream that may become the sale's.
    Stream,
    /// The key of a rate limit.
    Limit,
    /// A user, an id, a REF: 1 to 255 bytes.
    Name,
    /// 1 to 128 bytes of UTF-8.
    Sku,
    /// An integer from this to 2^53-1.
    Integer(u64),
    /// A moment of the window in Unix milliseconds, or 0.
    Moment,
    /// How many pairs follow.
    Count,
    /// How many units with names follow.
    Names,
    /// An integer, perhaps with a minus sign.
    Delta,
    /// JSON of at most 64 KiB and 128 levels.
    Json,
    /// One of a few words: the state of a reservation, what a stream gets.
    State,
    /// A moment in Unix milliseconds that is over.
    Past,
    /// The name of a split sale, 1 to 128 bytes of UTF-8.
    Group,
    /// No name of a split sale any more.
    NoGroup,
    /// A ULID in its canonical spelling.
    Ulid,
    /// A pass: 1 to 64 bytes.
    Pass,
    /// How many secrets follow.
    Secrets,
    /// 16 to 128 bytes.
    Secret,
}

/// One word of a line.
#[derive(Clone, Debug)]
pub enum Word {
    Keyword(&'static str),
    Argument {
        name: &'static str,
        value: &'static str,
        kind: Kind,
    },
}

impl Word {
    pub fn bytes(&self) -> &'static [u8] {
        match self {
            Word::Keyword(word) => word.as_bytes(),
            Word::Argument { value, .. } => value.as_bytes(),
        }
    }
}

/// One way to write a command.
pub struct Line {
    pub command: &'static str,
    /// What it must have, in this order.
    words: &'static str,
    /// What may follow, in any order.
    options: &'static str,
}

const fn line(command: &'static str, words: &'static str, options: &'static str) -> Line {
    Line {
        command,
        words,
        options,
    }
}

const OPTIONS_OF_CREATE: &str = "USERLIMIT=500:from0 ITEMLIMIT=500:from0 ORDERLIMIT=500:from0 \
    SALELIMIT=900:from0 HOLD=500000:from1 MAXHOLD=600000:from0 GRACE=5:from0 START=1000000000000:moment \
    END=9000000000000:moment KEEP=5:from0 REMEMBER=5:from0 WAITING=5:from0 PATIENCE=5000:from0 \
    PACE=5:from0 pace=1000:from0 USERRATE=5:from0 userrate=1000:from0 \
    FROMRATE=5:from0 fromrate=1000:from0 PASSKEY=1:secrets passkey=0123456789abcdef:secret \
    GROUP=shoes:group EVENTS=orders:state SALEID=01ARZ3NDEKTSV4RRFFQ69G5FAV:ulid";
const OPTIONS_OF_BUY: &str = "ID=n1:name REF=p1:name PAYLOAD={}:json FROM=s1:name PASS=p1:pass";
const OPTIONS_OF_REFUND: &str = "REF=f1:name USER=alice:name NORESTOCK RESTORELIMIT";

/// Every way to write every command.
pub const LINES: [Line; 54] = [
    line(
        "THROTTLE",
        "key=login:limit subject=ann:name count=3:from1 ms=1000:from1",
        "BURST=5:from1 COST=2:from0",
    ),
    line(
        "CREATE",
        "key=new:newsale orders=other:stream STOCK STOCK=9:from0",
        OPTIONS_OF_CREATE,
    ),
    line(
        "CREATE",
        "key=new:newsale orders=other:stream ITEMS count=2:count sku=x:sku n=1:from0 \
         sku=y:sku n=0:from0",
        "",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name qty=1:from1",
        "ID=n1:name HOLD=500:from1 FROM=s1:name PASS=p1:pass",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name ITEMS count=2:count sku=b:sku qty=2:from1 sku=default:sku \
         qty=1:from1",
        "",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name ITEMS count=1:count sku=b:sku qty=2:from1",
        "ID=n1:name HOLD=500:from1 FROM=s1:name PASS=p1:pass",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name qty=1:from1 ID ID=n1:name",
        "REPLACE=r1:name",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name qty=1:from1 ID ID=n1:name",
        "WAIT",
    ),
    line(
        "CHECKOUT",
        "key=sale:sale orders=orders:orders id=r1:name",
        "USER=alice:name REF=p1:name PAYLOAD=[1]:json",
    ),
    line(
        "BUY",
        "key=sale:sale orders=orders:orders user=carol:name qty=1:from1",
        OPTIONS_OF_BUY,
    ),
    line(
        "BUY",
        "key=sale:sale orders=orders:orders user=carol:name ITEMS count=2:count sku=b:sku \
         qty=2:from1 sku=default:sku qty=1:from1",
        "",
    ),
    line(
        "BUY",
        "key=sale:sale orders=orders:orders user=carol:name ITEMS count=1:count sku=b:sku \
         qty=2:from1",
        OPTIONS_OF_BUY,
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name UNITS count=2:names unit=A-3:sku unit=A-4:sku",
        "",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name UNITS count=1:names unit=A-3:sku",
        "ID=n1:name HOLD=500:from1 FROM=s1:name PASS=p1:pass",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name ITEMS count=1:count sku=b:sku qty=2:from1 UNITS \
         count=2:names unit=A-3:sku unit=A-4:sku",
        "",
    ),
    line(
        "RESERVE",
        "key=sale:sale user=carol:name UNITS count=1:names unit=A-3:sku ID ID=n1:name",
        "REPLACE=r1:name",
    ),
    line(
        "BUY",
        "key=sale:sale orders=orders:orders user=carol:name UNITS count=2:names unit=A-3:sku \
         unit=A-4:sku",
        "",
    ),
    line(
        "BUY",
        "key=sale:sale orders=orders:orders user=carol:name ITEMS count=1:count sku=code:sku \
         qty=1:from1 UNITS count=1:names unit=A-3:sku",
        OPTIONS_OF_BUY,
    ),
    line("RELEASE", "key=sale:sale id=r1:name", "USER=alice:name"),
    line(
        "EXTEND",
        "key=sale:sale id=r1:name ms=500:from1",
        "USER=alice:name",
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s1:name",
        OPTIONS_OF_REFUND,
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s1:name QTY QTY=2:from1 REF REF=f1:name",
        "USER=alice:name NORESTOCK RESTORELIMIT",
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s2:name REF REF=f1:name ITEMS count=2:count \
         sku=b:sku qty=2:from1 sku=default:sku qty=1:from1",
        "",
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s1:name REF REF=f1:name ITEMS count=1:count \
         sku=default:sku qty=2:from1",
        "USER=alice:name NORESTOCK RESTORELIMIT",
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s2:name REF REF=f1:name UNITS count=2:names \
         unit=A-2:sku unit=k1:sku",
        "",
    ),
    line(
        "REFUND",
        "key=sale:sale orders=orders:orders id=s2:name REF REF=f1:name UNITS count=1:names \
         unit=A-2:sku",
        "USER=bob:name NORESTOCK RESTORELIMIT",
    ),
    line(
        "IMPORT",
        "key=sale:sale orders=orders:orders user=carol:name UNITS count=2:names unit=A-3:sku \
         unit=k2:sku ID ID=n1:name AT AT=1765000000000:past",
        "REF=p1:name PAYLOAD={}:json",
    ),
    line(
        "IMPORT",
        "key=sale:sale orders=orders:orders user=carol:name qty=1:from1 ID ID=n1:name AT \
         AT=1765000000000:past",
        "REF=p1:name PAYLOAD={}:json",
    ),
    line(
        "IMPORT",
        "key=sale:sale orders=orders:orders user=carol:name ITEMS count=2:count sku=b:sku qty=2:from1 \
         sku=default:sku qty=1:from1 ID ID=n1:name AT AT=1765000000000:past",
        "",
    ),
    line("RESTOCK", "key=sale:sale delta=-5:delta", "NEW REF=f1:name"),
    line(
        "RESTOCK",
        "key=sale:sale ITEMS count=2:count sku=b:sku delta=-2:delta sku=default:sku delta=1:delta",
        "",
    ),
    line(
        "RESTOCK",
        "key=sale:sale ITEMS count=1:count sku=z:sku delta=5:delta NEW",
        "REF=f1:name",
    ),
    line(
        "RESTOCK",
        "key=sale:sale UNITS sku=stalls:sku count=2:names unit=N-1:sku unit=A-9:sku",
        "",
    ),
    line(
        "RESTOCK",
        "key=sale:sale UNITS sku=fresh:sku count=1:names unit=N-1:sku",
        "SEALED NEW REF=f1:name",
    ),
    line(
        "RESTOCK",
        "key=sale:sale UNITS sku=stalls:sku count=2:names unit=A-3:sku unit=A-9:sku WITHDRAW",
        "REF=f1:name",
    ),
    line(
        "ALTER",
        "key=sale:sale USERLIMIT USERLIMIT=500:from0",
        "ITEMLIMIT=500:from0 ORDERLIMIT=500:from0 SALELIMIT=900:from0 HOLD=500000:from1 \
         MAXHOLD=600000:from0 GRACE=5:from0 START=1000000000000:moment END=9000000000000:moment KEEP=5:from0 \
         REMEMBER=5:from0 WAITING=5:from0 PATIENCE=5000:from0 PACE=5:from0 pace=1000:from0 \
         USERRATE=5:from0 userrate=1000:from0 FROMRATE=5:from0 fromrate=1000:from0 \
         PASSKEY=1:secrets passkey=0123456789abcdef:secret GROUP=:nogroup EVENTS=orders:state",
    ),
    line("PAUSE", "key=sale:sale", ""),
    line("RESUME", "key=sale:sale", ""),
    line("CLOSE", "key=sale:sale", ""),
    line("BIND", "key=sale:sale orders=other:stream", ""),
    line("STOCK", "key=sale:sale", ""),
    line("STOCK", "key=sale:sale sku=b:sku sku=nosuch:sku", ""),
    line("SHARES", "key=sale:sale", ""),
    line("SHARES", "key=sale:sale sku=b:sku sku=nosuch:sku", ""),
    line("REST", "key=sale:sale valid-ms=1000:from1", ""),
    line(
        "REST",
        "key=sale:sale valid-ms=1000:from1 sku=b:sku sku=nosuch:sku",
        "",
    ),
    line("GET", "key=sale:sale id=r1:name", ""),
    line("USER", "key=sale:sale user=alice:name", ""),
    line("INFO", "key=sale:sale", ""),
    line(
        "SCAN",
        "key=sale:sale cursor=0:from0",
        "COUNT=5:from1 STATE=sold:state",
    ),
    line(
        "UNITS",
        "key=sale:sale sku=stalls:sku cursor=0:from0",
        "COUNT=5:from1 WITHIDS",
    ),
    line(
        "UNITS",
        "key=sale:sale sku=code:sku cursor=0:from0 WITHIDS",
        "COUNT=5:from1",
    ),
    line("AUDIT", "key=sale:sale", ""),
    line("AUDIT", "key=sale:sale orders=orders:orders", ""),
];

impl Line {
    /// The words after the command's name that the line must have.
    pub fn words(&self) -> Vec<Word> {
        self.words.split_whitespace().map(word).collect()
    }

    /// What may follow, each with its keyword first. A value with a name in lower case is the
    /// second one of the option before it.
    pub fn options(&self) -> Vec<Vec<Word>> {
        let mut options: Vec<Vec<Word>> = Vec::new();
        for option in self.options.split_whitespace().map(word) {
            match (&option, options.last_mut()) {
                (Word::Argument { name, .. }, Some(before))
                    if name.starts_with(char::is_lowercase) =>
                {
                    before.push(option);
                }
                (Word::Argument { name, .. }, _) => options.push(vec![Word::Keyword(name), option]),
                (Word::Keyword(_), _) => options.push(vec![option]),
            }
        }
        options
    }

    /// The line in bytes: the command, what it must have, and these words.
    pub fn with(&self, more: &[Word]) -> Vec<Vec<u8>> {
        let name = format!("FLASHSALE.{}", self.command).into_bytes();
        let words = self.words();
        let words = words.iter().chain(more).map(|word| word.bytes().to_vec());
        std::iter::once(name).chain(words).collect()
    }

    /// Fewer words than this are not the command, the name being one of them.
    pub fn words_min(&self) -> usize {
        let same = LINES.iter().filter(|other| other.command == self.command);
        let shortest = same.map(|other| other.words().len()).min();
        1 + shortest.expect("this line at least")
    }

    /// Does the command always have as many words?
    pub fn is_fixed(&self) -> bool {
        let mut same = LINES.iter().filter(|other| other.command == self.command);
        same.all(|other| other.options.is_empty() && other.words == self.words)
    }

    /// Where the key of this kind stands in the line, the name being word 0.
    pub fn position(&self, wanted: Kind) -> Option<usize> {
        let is_it = |word: &Word| matches!(word, Word::Argument { kind, .. } if *kind == wanted);
        self.words()
            .iter()
            .position(is_it)
            .map(|position| position + 1)
    }
}

fn word(text: &'static str) -> Word {
    let Some((name, rest)) = text.split_once('=') else {
        return Word::Keyword(text);
    };
    let (value, kind) = rest.rsplit_once(':').expect("value:kind");
    let kind = match kind {
        "sale" => Kind::Sale,
        "newsale" => Kind::NewSale,
        "orders" => Kind::Orders,
        "stream" => Kind::Stream,
        "limit" => Kind::Limit,
        "name" => Kind::Name,
        "sku" => Kind::Sku,
        "from0" => Kind::Integer(0),
        "from1" => Kind::Integer(1),
        "moment" => Kind::Moment,
        "count" => Kind::Count,
        "names" => Kind::Names,
        "delta" => Kind::Delta,
        "json" => Kind::Json,
        "state" => Kind::State,
        "past" => Kind::Past,
        "group" => Kind::Group,
        "nogroup" => Kind::NoGroup,
        "ulid" => Kind::Ulid,
        "pass" => Kind::Pass,
        "secrets" => Kind::Secrets,
        "secret" => Kind::Secret,
        _ => panic!("{text}: no such kind"),
    };
    Word::Argument { name, value, kind }
}
