//! Words as bytes: a word is eight of them, little endian, also when it is not the
//! machine's order.
//!
//! Edge: positions in the words of links laid end to end.

/// Bytes of a word.
pub const WORD_BYTES: u64 = 8;

/// Appends words as bytes.
pub fn put_words(out: &mut Vec<u8>, words: &[u64]) {
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

/// The word of up to eight bytes, the first of them lowest.
pub fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

/// The link that a byte lies in, and where in it.
pub fn locate<'w>(
    links: impl Iterator<Item = &'w [u64]>,
    position: u64,
) -> Option<(&'w [u64], u64)> {
    let mut at = position;
    for words in links {
        let len = words.len() as u64 * WORD_BYTES;
        if at < len {
            return Some((words, at));
        }
        at -= len;
    }
    None
}

/// The `len` bytes of a link from `at`; fewer where it ends.
pub fn bytes_from(words: &[u64], at: u64, len: u64) -> Vec<u8> {
    let total = words.len() as u64 * WORD_BYTES;
    let end = at.saturating_add(len).min(total);
    let (first, last) = (at / WORD_BYTES, end.div_ceil(WORD_BYTES));
    let mut bytes = Vec::with_capacity((last - first) as usize * 8);
    put_words(&mut bytes, &words[first as usize..last as usize]);
    let cut = (at % WORD_BYTES) as usize;
    bytes.truncate(cut + (end - at) as usize);
    bytes.drain(..cut);
    bytes
}
