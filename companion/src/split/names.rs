//! The names of a split sale: its parts, their keys and streams, and where these are kept.

use std::collections::HashMap;

use redis::{Cmd, Value};

use super::rules::place::{PARTS_MAX, slot_of, tag_of};
use crate::link::{Address, Link, LinkError, Way, bytes, explain};

/// The longest name of a split sale: that of a GROUP.
const NAME_BYTES_MAX: usize = 128;

/// The names of all parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub sale: String,
    pub parts: Vec<PartNames>,
    /// Templates, with `{}` for the tag.
    pub keys: String,
    pub streams: String,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartNames {
    /// With its braces.
    pub tag: String,
    pub key: String,
    pub orders: String,
    pub slot: usize,
}

/// Checks the name of a split sale: it is inside of hash tags.
///
/// # Errors
///
/// In words.
pub fn sale_name(text: &str) -> Result<String, String> {
    match text.len() {
        1..=NAME_BYTES_MAX if !text.contains(['{', '}']) => Ok(text.to_owned()),
        1..=NAME_BYTES_MAX => Err("the name of a split sale has no braces".into()),
        _ => Err(format!(
            "the name of a split sale has 1 to {NAME_BYTES_MAX} bytes"
        )),
    }
}

/// Checks a template of keys.
///
/// # Errors
///
/// In words.
pub fn template(text: &str) -> Result<String, String> {
    let (before, after) = text
        .split_once("{}")
        .ok_or("a template has {} for the tag")?;
    if before.contains(['{', '}']) || after.contains("{}") {
        return Err("a template has {} once, and no brace before it".into());
    }
    Ok(text.to_owned())
}

impl Names {
    /// Makes the names of so many parts.
    pub fn new(sale: &str, parts: usize, keys: &str, streams: &str) -> Self {
        let tags = (0..parts).map(|part| tag_of(sale, part, parts));
        Self::of_tags(sale, tags, keys, streams)
    }

    /// Makes the names of parts whose tags are known.
    fn of_tags(sale: &str, tags: impl Iterator<Item = String>, keys: &str, streams: &str) -> Self {
        let part = |tag: String| PartNames {
            key: keys.replace("{}", &tag),
            orders: streams.replace("{}", &tag),
            slot: slot_of(tag.trim_matches(['{', '}']).as_bytes()),
            tag,
        };
        Self {
            sale: sale.to_owned(),
            parts: tags.map(part).collect(),
            keys: keys.to_owned(),
            streams: streams.to_owned(),
        }
    }

    /// The hash that keeps the names, and the id of each part.
    pub fn book_key(&self) -> String {
        book_key(&self.sale)
    }

    /// What the driver at work holds.
    pub fn lease_key(&self) -> String {
        format!("{{{}}}:driver", self.sale)
    }
}

fn book_key(sale: &str) -> String {
    format!("{{{sale}}}:parts")
}

/// What the hash of a split sale says.
#[derive(Debug, Default)]
pub struct Book {
    pub fields: HashMap<String, String>,
}

/// A connection to the server of the hash and of the lease.
///
/// # Errors
///
/// It cannot be reached.
pub async fn book_link(address: &Address, sale: &str) -> Result<Link, LinkError> {
    let mut probe = redis::cmd("HLEN");
    probe.arg(book_key(sale));
    Link::connect_by(address, &probe).await
}

impl Book {
    /// Reads the hash; it is empty where it was lost, or never written.
    ///
    /// # Errors
    ///
    /// In words.
    pub async fn read(link: &Link, sale: &str) -> Result<Self, String> {
        let mut command = redis::cmd("HGETALL");
        command.arg(book_key(sale));
        let answer = link.ask(&command).await;
        let answer = answer.map_err(|error| format!("HGETALL: {}", explain(&error)))?;
        let text = |value: &Value| String::from_utf8_lossy(&bytes(value)).into_owned();
        let mut fields = HashMap::new();
        if let Value::Array(flat) = &answer {
            fields.extend(
                flat.chunks_exact(2)
                    .map(|pair| (text(&pair[0]), text(&pair[1]))),
            );
        }
        Ok(Self { fields })
    }

    /// The number of parts; or else of tags.
    pub fn parts(&self) -> Option<usize> {
        let tags = (0..=PARTS_MAX).take_while(|part| self.tag(*part).is_some());
        let parts = match self.fields.get("parts") {
            Some(parts) => parts.parse().ok()?,
            None => tags.count(),
        };
        (1..=PARTS_MAX).contains(&parts).then_some(parts)
    }

    fn tag(&self, part: usize) -> Option<&String> {
        self.fields.get(&part.to_string())
    }

    /// The SALEID of a part, once one was drawn.
    pub fn sale_id(&self, part: usize) -> Option<&str> {
        self.fields.get(&format!("{part}:id")).map(String::as_str)
    }

    /// A template of its own, or what was said.
    pub fn template<'b>(&'b self, name: &str, said: Option<&'b str>) -> Option<&'b str> {
        said.or_else(|| self.fields.get(name).map(String::as_str))
    }

    /// The command that writes what is not there yet. What is there stays: it may be another
    /// program's, at this moment.
    pub fn writes(names: &Names, ids: &[String]) -> Vec<Cmd> {
        let mut commands = Vec::new();
        let mut write = |field: &str, value: &str| {
            let mut command = redis::cmd("HSETNX");
            command.arg(names.book_key()).arg(field).arg(value);
            commands.push(command);
        };
        write("parts", &names.parts.len().to_string());
        write("keys", &names.keys);
        write("streams", &names.streams);
        for (part, (name, id)) in names.parts.iter().zip(ids).enumerate() {
            write(&part.to_string(), &name.tag);
            write(&format!("{part}:id"), id);
        }
        commands
    }
}

/// How the command line says where the parts are.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct PlaceOptions {
    /// How many parts it has: as `{SALE}:parts` says, if that is there; 16 for a new one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub parts: Option<u16>,
    /// The keys of parts, with {} for the hash tag: `{}` unless said
    #[arg(long, value_name = "TEMPLATE", value_parser = template)]
    pub keys: Option<String>,
    /// The streams of parts, with {} for the hash tag: `{}:orders` unless said
    #[arg(long, value_name = "TEMPLATE", value_parser = template)]
    pub streams: Option<String>,
}

impl PlaceOptions {
    /// Returns the names of a sale that is there: by the hash, or where that is lost, as said.
    ///
    /// # Errors
    ///
    /// In words: neither says how many parts there are, or they differ.
    pub fn names(&self, sale: &str, book: &Book) -> Result<Names, String> {
        let said = self.parts.map(usize::from);
        let parts = match (said, book.parts()) {
            (Some(said), Some(known)) if said != known => {
                return Err(format!("{sale} has {known} parts, and not {said}"));
            }
            (Some(parts), _) | (None, Some(parts)) => parts,
            (None, None) => {
                return Err(format!(
                    "{} is not there: {sale} is no split sale; if it is, say --parts",
                    book_key(sale)
                ));
            }
        };
        Ok(self.names_of(sale, book, parts))
    }

    /// Returns the names of a sale of so many parts.
    pub fn names_of(&self, sale: &str, book: &Book, parts: usize) -> Names {
        let keys = book.template("keys", self.keys.as_deref()).unwrap_or("{}");
        let streams = book.template("streams", self.streams.as_deref());
        let tag = |part| match book.tag(part) {
            Some(tag) => tag.clone(),
            None => tag_of(sale, part, parts),
        };
        Names::of_tags(
            sale,
            (0..parts).map(tag),
            keys,
            streams.unwrap_or("{}:orders"),
        )
    }
}

/// Finds the names of a split sale for a subcommand that only has its name.
///
/// # Errors
///
/// In words.
pub async fn find(address: &Address, sale: &str, place: &PlaceOptions) -> Result<Names, String> {
    let link = book_link(address, sale).await;
    let link = link.map_err(|error| format!("Redis: {error}"))?;
    let book = Book::read(&link, sale).await?;
    place.names(sale, &book)
}

/// Connections to the parts, one a server.
pub struct PartLinks {
    links: Vec<Link>,
    of: Vec<usize>,
}

impl PartLinks {
    /// Connects to the primaries of all parts.
    ///
    /// # Errors
    ///
    /// In words: the first part whose primary cannot be reached.
    pub async fn connect(address: &Address, names: &Names) -> Result<Self, String> {
        let mut found = Self {
            links: Vec::new(),
            of: Vec::new(),
        };
        for part in &names.parts {
            let at = found.place(address, &part.key).await;
            found
                .of
                .push(at.map_err(|error| format!("{}: {error}", part.key))?);
        }
        Ok(found)
    }

    async fn place(&mut self, address: &Address, key: &str) -> Result<usize, LinkError> {
        let probe = probe(key);
        if address.way != Way::Cluster && !self.links.is_empty() {
            return Ok(0);
        }
        for (at, link) in self.links.iter().enumerate() {
            let answer = link.ask(&probe).await;
            let is_elsewhere = answer
                .as_ref()
                .is_err_and(|error| error.redirect_node().is_some() || error.is_io_error());
            if !is_elsewhere {
                return Ok(at);
            }
        }
        self.links.push(Link::connect_by(address, &probe).await?);
        Ok(self.links.len() - 1)
    }

    /// The connection to the primary of a part.
    pub fn of(&self, part: usize) -> &Link {
        &self.links[self.of[part]]
    }
}

/// A question that the server of a key answers, and all others redirect.
pub fn probe(key: &str) -> Cmd {
    let mut command = redis::cmd("FLASHSALE.INFO");
    command.arg(key);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_their_templates() {
        let names = Names::new("shoes", 16, "sale:{}", "orders:{}");
        let third = &names.parts[3];
        assert!(third.tag.starts_with("{shoes/3/") && third.tag.ends_with('}'));
        assert_eq!(third.key, format!("sale:{}", third.tag));
        assert_eq!(third.orders, format!("orders:{}", third.tag));
        assert_eq!(third.slot * 16 / 16_384, 3);
        assert_eq!(names.book_key(), "{shoes}:parts");
        assert_eq!(names.lease_key(), "{shoes}:driver");
    }

    #[test]
    fn a_hash_tag_is_not_broken_by_a_name() {
        assert!(sale_name("shoes").is_ok());
        assert!(
            ["", "a{b", "a}"]
                .iter()
                .all(|name| sale_name(name).is_err())
        );
        assert!(template("sale:{}").is_ok());
        assert!(
            ["{x}{}", "sale", "{}{}"]
                .iter()
                .all(|one| template(one).is_err())
        );
    }

    #[test]
    fn the_number_of_parts_comes_from_the_hash_or_is_said() {
        let none = PlaceOptions::default();
        let said = PlaceOptions {
            parts: Some(12),
            ..none.clone()
        };
        let mut book = Book::default();
        assert!(none.names("shoes", &book).is_err());
        assert_eq!(said.names("shoes", &book).expect("names").parts.len(), 12);
        book.fields.insert("parts".into(), "16".into());
        book.fields.insert("keys".into(), "sale:{}".into());
        let names = none.names("shoes", &book).expect("names");
        assert_eq!((names.parts.len(), &*names.keys), (16, "sale:{}"));
        assert!(said.names("shoes", &book).is_err());
        // Two tags of another's making.
        let tags = [("0", "{a}"), ("1", "{b}")];
        let fields = tags.map(|(part, tag)| (part.to_owned(), tag.to_owned()));
        let book = Book {
            fields: fields.into(),
        };
        let names = none.names("shoes", &book).expect("names");
        assert_eq!(
            (names.parts.len(), &*names.parts[1].orders),
            (2, "{b}:orders")
        );
    }
}
