//! The documents, held to what the module does.
//!
//! **Goal**: what a page shows is what happens, what it lists is all there is, and what it
//! links to is there. A reader who types a line in sees what the page shows.
//!
//! **Method**: every transcript is typed into the real `redis-cli` (`transcripts.rs`), every
//! table of the reference is compared with what the server or the source says
//! (`reference.rs`), and every page is looked at by itself (`pages.rs`).

#[allow(dead_code, unused_imports)]
#[path = "../server/support/mod.rs"]
mod support;

mod markdown;
mod pages;
mod reference;
mod transcripts;
