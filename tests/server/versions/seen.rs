//! What readers see of the sale `sale` and its stream, on a server of any version.
//!
//! Digests are of the bytes a version writes today, so they say nothing between two
//! versions.

use crate::support::books::Books;
use crate::support::{Con, Server, wait_for_replica};

/// So many SKUs of a cart stay known in any version.
const LINES_KEPT: usize = 8;

pub struct Seen {
    books: Books,
    info: Vec<(String, String)>,
    audit: Vec<(String, String)>,
}

impl Seen {
    #[track_caller]
    pub fn of(con: &mut Con) -> Seen {
        let mut info = con.map("FLASHSALE.INFO sale");
        info.retain(|(name, _)| name != "now_ms" && name != "memory_bytes");
        let mut books = Books::read(con);
        for record in books.records.values_mut() {
            // Older modules kept the lines of a large cart that was given back.
            if record.state == "released" && record.units.len() > LINES_KEPT {
                record.units.clear();
            }
        }
        Seen {
            books,
            info,
            audit: con.map("FLASHSALE.AUDIT sale orders"),
        }
    }

    /// Asserts that both are the same sale. Of INFO and AUDIT, what both versions have.
    #[track_caller]
    pub fn is(&self, other: &Seen) {
        self.books.are(&other.books);
        agree(&self.info, &other.info);
        agree(&self.audit, &other.audit);
        let is_consistent = ("consistent".to_owned(), "1".to_owned());
        assert!(self.audit.contains(&is_consistent), "{:?}", self.audit);
    }
}

#[track_caller]
fn agree(fields: &[(String, String)], others: &[(String, String)]) {
    for (name, value) in fields {
        if let Some((_, other)) = others.iter().find(|(other, _)| other == name) {
            assert_eq!(value, other, "{name}");
        }
    }
}

/// Asserts that a replica has caught up and shows what its primary shows.
#[track_caller]
pub fn assert_same(primary: &Server, replica: &Server) {
    wait_for_replica(primary, replica);
    Seen::of(&mut primary.conn()).is(&Seen::of(&mut replica.conn()));
}
