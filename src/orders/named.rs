//! `items` with the names of units: `[{"sku":"stalls","qty":2,"units":["A-12","A-13"]}]`.
//!
//! Edge: bytes alone. In a sale whose units have no names nothing here runs.

use super::json::{begin_line, put_text};
use flashsale_engine::sale::{ItemKind, Line, NameBuffer, Sale, UnitList};

/// Spells the lines of a cart and the units that they have, which stand in the order of the
/// lines.
#[cold]
#[inline(never)]
pub(super) fn items_json(sale: &Sale, lines: &[Line], units: &UnitList) -> Vec<u8> {
    spell(sale, lines, units, false)
}

/// The same for a refund that puts units back on sale: a line of codes, which never go back, says
/// so.
#[cold]
#[inline(never)]
pub(super) fn refunded_json(sale: &Sale, lines: &[Line], units: &UnitList) -> Vec<u8> {
    spell(sale, lines, units, goes_back(sale, lines))
}

/// Reports whether a refund of these lines puts any unit back on sale, where it may.
pub(super) fn goes_back(sale: &Sale, lines: &[Line]) -> bool {
    lines.iter().any(|line| !is_sealed(sale, line))
}

fn is_sealed(sale: &Sale, line: &Line) -> bool {
    sale.kind_of_item(line.item) == ItemKind::Sealed
}

fn spell(sale: &Sale, lines: &[Line], units: &UnitList, marks_sealed: bool) -> Vec<u8> {
    let room = lines.len().saturating_add(units.len()).saturating_mul(32);
    let mut json = Vec::with_capacity(room);
    let mut units = units.iter().copied().peekable();
    json.push(b'[');
    for (position, line) in lines.iter().enumerate() {
        begin_line(&mut json, sale, position, line.item, line.qty);
        let mut is_first = true;
        let is_of_line = |number: &u32| sale.item_of_unit(*number) == Some(line.item);
        while let Some(number) = units.next_if(is_of_line) {
            json.extend_from_slice(if is_first { b",\"units\":[" } else { b"," });
            is_first = false;
            if let Some(name) = sale.unit_name(number) {
                put_text(&mut json, name.bytes(&mut NameBuffer::default()));
            }
        }
        if !is_first {
            json.push(b']');
        }
        if marks_sealed && is_sealed(sale, line) {
            json.extend_from_slice(b",\"restocked\":0");
        }
        json.push(b'}');
    }
    json.push(b']');
    json
}
