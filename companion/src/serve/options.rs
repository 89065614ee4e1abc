//! The command line of `flashsale serve`.

use axum::http::HeaderName;
use clap::Args;

use crate::options::{RedisOptions, TellOptions};
use crate::split::names::{PlaceOptions, sale_name};

/// Carries buyers from HTTP to a sale, with a page for them; no login, no CAPTCHA
///
/// The manual is docs/companion.md.
#[derive(Args, Debug)]
#[command(args_override_self = true)]
pub struct Options {
    #[command(flatten)]
    pub redis: RedisOptions,
    /// The sale
    #[arg(long, value_name = "KEY", value_parser = key, requires = "orders", conflicts_with = "group_of")]
    pub sale: Option<String>,
    /// The stream of its orders
    #[arg(long, value_name = "STREAM", value_parser = key, requires = "sale")]
    pub orders: Option<String>,
    /// A split sale, in place of these two
    #[arg(long, value_name = "SALE", value_parser = sale_name)]
    pub group_of: Option<String>,
    #[command(flatten)]
    pub place: PlaceOptions,
    /// Where browsers, or the proxy in front, connect
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// The user is in this header, which the proxy sets; else in a cookie
    #[arg(long, value_name = "NAME")]
    pub user_header: Option<HeaderName>,
    /// Where a request comes from is in this header, which the proxy sets: what FROMRATE counts
    #[arg(long, value_name = "NAME")]
    pub from_header: Option<HeaderName>,
    #[command(flatten)]
    pub tell: TellOptions,
}

fn key(text: &str) -> Result<String, String> {
    match text.len() {
        1..=900 => Ok(text.to_owned()),
        _ => Err("the name of a key has 1 to 900 bytes".into()),
    }
}
