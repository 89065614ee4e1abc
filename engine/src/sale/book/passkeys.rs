//! The secrets of PASSKEY, which passes are made with.
//!
//! Edge: values only. What a pass is, and who needs one, is `plan/pass.rs`.

use std::fmt;

use sha2::{Digest, Sha256};

/// Most secrets at a time: the one in use, and the next or the last one.
const SECRETS_MAX: usize = 2;
/// Shortest and longest secret, in bytes.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 128;

/// No secret, one or two, each of 16 to 128 bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PassKeys(Vec<Box<[u8]>>);

impl PassKeys {
    /// Most secrets at a time.
    pub const MAX: usize = SECRETS_MAX;
    /// Longest secret, in bytes.
    pub const BYTES_MAX: usize = SECRET_BYTES_MAX;

    /// Keeps these secrets; `None` for more than two, or one of another size.
    pub fn new(secrets: &[&[u8]]) -> Option<PassKeys> {
        let is_right =
            |secret: &&[u8]| (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len());
        let are_right = secrets.len() <= SECRETS_MAX && secrets.iter().all(is_right);
        are_right.then(|| PassKeys(secrets.iter().map(|&secret| secret.into()).collect()))
    }

    /// Reports whether there is none: nobody needs a pass.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Lends the secrets, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.iter().map(|secret| &**secret)
    }

    /// Returns a hash of each secret: what a digest may show.
    pub(crate) fn hashes(&self) -> Vec<[u8; 32]> {
        self.iter()
            .map(|secret| Sha256::digest(secret).into())
            .collect()
    }

    /// Heap bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let secrets: usize = self.iter().map(<[u8]>::len).sum();
        self.0.capacity() * size_of::<Box<[u8]>>() + secrets
    }
}

/// Shows how many there are, and no more: events and options are printed here and there.
impl fmt::Debug for PassKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PassKeys({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_up_to_two_secrets_of_16_to_128_bytes() {
        let (short, least, most, long) = ([b'a'; 15], [b'a'; 16], [b'a'; 128], [b'a'; 129]);
        assert_eq!(PassKeys::new(&[]), Some(PassKeys::default()));
        let two = PassKeys::new(&[&least, &most]).expect("two secrets");
        assert_eq!((two.len(), two.is_empty()), (2, false));
        assert!(two.iter().eq([&least[..], &most[..]]));
        for wrong in [
            &[&short[..]][..],
            &[&long],
            &[&least, &long],
            &[&least[..]; 3],
        ] {
            assert_eq!(PassKeys::new(wrong), None);
        }
    }

    #[test]
    fn does_not_print_a_secret() {
        let keys = PassKeys::new(&[b"sesame, open thyself"]).expect("a secret");
        assert_eq!(format!("{keys:?}"), "PassKeys(1)");
    }
}
