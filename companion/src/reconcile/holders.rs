//! Who has the units that lost orders name, for a run that changes nothing: IMPORT itself would
//! say so.

use std::collections::HashMap;

use redis::Value;

use super::Sale;
use super::rows::Order;
use super::world::Server;
use crate::failure::Failure;
use crate::link::{bytes, string};

/// Units that UNITS tells at a time.
const PAGE: usize = 10_000;

/// A unit that is not free.
struct Taken {
    state: String,
    /// Whose it is; `None` of one that is withdrawn.
    id: Option<Vec<u8>>,
}

/// The units of the SKUs that were asked about.
#[derive(Default)]
pub struct Holders(HashMap<Vec<u8>, HashMap<Vec<u8>, Taken>>);

impl Holders {
    /// Says in words which unit of an order somebody else has, or is not on sale.
    ///
    /// # Errors
    ///
    /// The server cannot be asked.
    pub async fn conflict(
        &mut self,
        sale: &Sale<'_>,
        server: &mut Server,
        order: &Order,
    ) -> Result<Option<String>, Failure> {
        for (sku, line) in order.row.units.lines() {
            if line.names.is_empty() {
                continue;
            }
            if !self.0.contains_key(sku) {
                let taken = read(sale, server, sku).await?;
                self.0.insert(sku.to_vec(), taken);
            }
            for name in &line.names {
                let taken = self.0.get(sku).and_then(|units| units.get(name));
                let other = taken.filter(|taken| taken.id.as_ref() != Some(&order.row.id));
                if let Some(other) = other {
                    return Ok(Some(other.in_words(name)));
                }
            }
        }
        Ok(None)
    }
}

impl Taken {
    fn in_words(&self, name: &[u8]) -> String {
        let (name, state) = (String::from_utf8_lossy(name), &self.state);
        match &self.id {
            Some(id) => {
                let id = String::from_utf8_lossy(id);
                format!("the unit {name} is {state} under the id {id}")
            }
            None => format!("the unit {name} is {state}"),
        }
    }
}

/// Reads which units of a SKU are not free; of a SKU without names, or that the sale does not
/// have, there are none.
async fn read(
    sale: &Sale<'_>,
    server: &mut Server,
    sku: &[u8],
) -> Result<HashMap<Vec<u8>, Taken>, Failure> {
    let mut units = HashMap::new();
    let mut cursor = b"0".to_vec();
    loop {
        let mut command = redis::cmd("FLASHSALE.UNITS");
        command.arg(&sale.key).arg(sku).arg(&cursor);
        command.arg("COUNT").arg(PAGE).arg("WITHIDS");
        let answers = server.ask_all(&[command]).await?;
        let Some(Value::Array(parts)) = answers.first() else {
            return Ok(units);
        };
        let [next, Value::Array(page)] = parts.as_slice() else {
            return Ok(units);
        };
        for unit in page {
            if let Value::Array(unit) = unit
                && let [name, state, id] = unit.as_slice()
                && string(state) != "free"
            {
                let (state, id) = (string(state), (*id != Value::Nil).then(|| bytes(id)));
                units.insert(bytes(name), Taken { state, id });
            }
        }
        cursor = bytes(next);
        if cursor == b"0" {
            return Ok(units);
        }
    }
}
