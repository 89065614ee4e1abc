//! The lines of a cart as JSON.
//!
//! Edge: bytes alone. The names of units are in `named.rs`.

use flashsale_engine::sale::{ItemIndex, Sale};

/// Spells items and how many units of each: `[{"sku":"a","qty":2}]`
pub(super) fn items_json<N: itoa::Integer>(
    sale: &Sale,
    lines: impl ExactSizeIterator<Item = (ItemIndex, N)>,
) -> Vec<u8> {
    let mut json = Vec::with_capacity(lines.len().saturating_mul(32));
    json.push(b'[');
    for (position, (item, qty)) in lines.enumerate() {
        begin_line(&mut json, sale, position, item, qty);
        json.push(b'}');
    }
    json.push(b']');
    json
}

/// Spells a line without its last brace.
#[inline]
pub(super) fn begin_line<N: itoa::Integer>(
    json: &mut Vec<u8>,
    sale: &Sale,
    position: usize,
    item: ItemIndex,
    qty: N,
) {
    if position > 0 {
        json.push(b',');
    }
    json.extend_from_slice(b"{\"sku\":");
    put_text(json, sale.item(item).sku);
    json.extend_from_slice(b",\"qty\":");
    json.extend_from_slice(itoa::Buffer::new().format(qty).as_bytes());
}

/// Spells text as a string of JSON.
#[inline]
pub(super) fn put_text(json: &mut Vec<u8>, text: &[u8]) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.iter().all(is_plain) {
        json.push(b'"');
        json.extend_from_slice(text);
        json.push(b'"');
        return;
    }
    let text = String::from_utf8_lossy(text);
    // Writing a string into memory does not fail.
    let _ = serde_json::to_writer(json, &*text);
}
