//! What a snapshot keeps of a cart or a restock: nothing, lines, or what stands for them.

/// What there is of a cart.
pub(crate) const NO_CART: u8 = 0;
pub(crate) const LINES: u8 = 1;
pub(crate) const DIGEST: u8 = 2;
/// Of a REF of RESTOCK: a digest of the call.
pub(crate) const CALL: u8 = 3;
