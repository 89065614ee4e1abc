//! `flashsale serve` against real servers, by HTTP and in a browser.
//!
//! **Goal**: each answer of the sale is the answer of the table; one id is one reservation,
//! whatever is clicked twice, lost or killed on the way; nobody reaches what another user
//! has; the page shows each state of a sale, in words.
//!
//! **Method**: the program is a black box with a Redis of its own. A proxy between the two
//! loses answers of batches and answers errors that are hard to get. Headless Chromium clicks
//! through the page, where it is installed (`make test-companion` installs it).

mod batches;
mod bench;
mod bounds;
mod browser;
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod gateway;
mod line;
mod live;
mod page;
mod proxy;
mod startup;
mod table;
mod users;
