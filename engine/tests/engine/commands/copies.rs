//! Copies of a sale: what makes two of them equal, and one saved and loaded again.

use super::play::Fault;
use flashsale_engine::sale::{self, Hasher, Sale};

/// Every copy hashes its names with a key of its own.
const HASHER: Hasher = Hasher::new([5, 8]);

/// The elements of the digest, which have no order.
pub fn elements(sale: &Sale) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    sale::digest(sale, &mut |element| elements.push(element.to_vec()));
    elements.sort();
    elements
}

/// The chunks of a snapshot, as an RDB file or a rewritten AOF holds them.
pub fn saved(sale: &Sale) -> Vec<Vec<u8>> {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    sale::save(sale, &mut |chunk| chunks.push(chunk.to_vec()));
    chunks
}

/// A sale from the chunks of a snapshot.
pub fn loaded(chunks: &[Vec<u8>]) -> Result<Sale, Fault> {
    let mut loader = sale::Loader::new(HASHER);
    let mut complete = false;
    let count = chunks.len();
    for (at, chunk) in chunks.iter().enumerate() {
        if chunk.len() > 64 * 1024 {
            return Err(format!("chunk {at} has {} bytes", chunk.len()));
        }
        if complete {
            return Err(format!(
                "the loader is complete before chunk {at} of {count}"
            ));
        }
        complete = loader
            .push(chunk)
            .map_err(|error| format!("chunk {at}: {error}"))?;
    }
    if !complete {
        return Err(format!("the loader wants more than {count} chunks"));
    }
    loader.finish().map_err(|error| format!("loading: {error}"))
}

/// A sale saved and loaded again, as an RDB file would.
pub fn reloaded(sale: &Sale) -> Result<Sale, Fault> {
    loaded(&saved(sale))
}
