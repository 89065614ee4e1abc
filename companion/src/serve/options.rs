//! The command line of `flashsale serve`.

use axum::http::HeaderName;
use lexopt::ValueExt;

use crate::link::Address;
use crate::options::{Failure, use_log, way_of};
use crate::secret::url_of;

/// What `--help` prints.
pub const HELP: &str = "\
flashsale serve: an HTTP gateway to a sale, with a page for buyers; no login, no CAPTCHA

  flashsale serve --redis URL --sale KEY --orders STREAM [options]

Where:
  --redis URL        redis://[user[:password]@]host:port[/db][,host:port...], or rediss://;
                     the first server that is a primary. Or FLASHSALE_REDIS, FLASHSALE_REDIS_FILE
  --sentinel NAME    the servers are Sentinels of this primary
  --cluster          the servers are nodes of a cluster
  --sale KEY         the sale
  --orders STREAM    the stream of its orders

How:
  --listen ADDRESS:PORT    where browsers, or the proxy in front, connect (127.0.0.1:8080)
  --user-header NAME       the user is in this header, which the proxy sets; else in a cookie
  --metrics ADDRESS:PORT   /metrics is here, and no longer where the browsers connect
  --log text|json          how to log (text)

Exit codes: 0 done, 2 wrong usage, 3 cannot go on. The manual is docs/companion.md.
";

/// The command line, checked.
#[derive(Debug)]
pub struct Options {
    pub address: Address,
    pub sale: String,
    pub orders: String,
    pub listen: String,
    pub user_header: Option<HeaderName>,
    pub metrics: Option<String>,
}

/// The command line as it is being read.
#[derive(Default)]
struct Given {
    redis: Option<String>,
    sentinel: Option<String>,
    is_cluster: bool,
    sale: Option<String>,
    orders: Option<String>,
    listen: Option<String>,
    user_header: Option<HeaderName>,
    metrics: Option<String>,
}

impl Options {
    /// Reads the command line; returns `None` if it asks for help.
    ///
    /// # Errors
    ///
    /// It makes no sense, in words.
    pub fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, Failure> {
        let mut given = Given::default();
        while let Some(argument) = parser.next()? {
            let name = match argument {
                lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(None),
                lexopt::Arg::Long(name) => name.to_owned(),
                other => return Err(other.unexpected().into()),
            };
            given.take(&name, &mut parser)?;
        }
        given.finish().map(Some)
    }
}

impl Given {
    /// Takes one option with its value.
    fn take(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), Failure> {
        let place = match name {
            "cluster" => {
                self.is_cluster = true;
                return Ok(());
            }
            "user-header" => {
                let value = parser.value()?.string()?;
                let header = HeaderName::try_from(&value).map_err(|_| {
                    Failure::Usage(format!("--user-header: {value:?} is no name of a header"))
                })?;
                self.user_header = Some(header);
                return Ok(());
            }
            "log" => return use_log(&parser.value()?.string()?),
            "redis" => &mut self.redis,
            "sentinel" => &mut self.sentinel,
            "sale" => &mut self.sale,
            "orders" => &mut self.orders,
            "listen" => &mut self.listen,
            "metrics" => &mut self.metrics,
            _ => {
                return Err(Failure::Usage(format!(
                    "there is no option --{name}: see flashsale serve --help"
                )));
            }
        };
        *place = Some(parser.value()?.string()?);
        Ok(())
    }

    fn finish(self) -> Result<Options, Failure> {
        let needed = |given: Option<String>, option: &str| match given {
            Some(name) if (1..=900).contains(&name.len()) => Ok(name),
            Some(_) => Err(Failure::Usage(format!(
                "{option} takes a name of 1 to 900 bytes"
            ))),
            None => Err(Failure::Usage(format!("give {option}"))),
        };
        let sale = needed(self.sale, "--sale KEY")?;
        let orders = needed(self.orders, "--orders STREAM")?;
        let way = way_of(self.sentinel, self.is_cluster)?;
        let url = url_of(self.redis, "--redis", "FLASHSALE_REDIS")?;
        Ok(Options {
            address: Address::parse(&url, way).map_err(Failure::Usage)?,
            sale,
            orders,
            listen: self.listen.unwrap_or_else(|| "127.0.0.1:8080".into()),
            user_header: self.user_header,
            metrics: self.metrics,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, Failure> {
        Options::parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn needs_a_sale_and_its_stream() {
        let options = parse("--redis redis://a --sale s --orders o --user-header X-User");
        let options = options.expect("options").expect("no help");
        assert_eq!((options.sale.as_str(), options.orders.as_str()), ("s", "o"));
        assert_eq!(options.listen, "127.0.0.1:8080");
        assert_eq!(options.user_header.expect("a header"), "x-user");
        for (line, says) in [
            ("--redis redis://a --orders o", "give --sale KEY"),
            ("--redis redis://a --sale s", "give --orders STREAM"),
            (
                "--sale s --orders o --redis http://a",
                "the Redis URL begins with neither redis:// nor rediss://",
            ),
            (
                "--sale s --orders o --redis redis://a --sentinel m --cluster",
                "--sentinel or --cluster, not both",
            ),
            (
                "--user-header a:b",
                "--user-header: \"a:b\" is no name of a header",
            ),
            (
                "--group-of s",
                "there is no option --group-of: see flashsale serve --help",
            ),
        ] {
            match parse(line) {
                Err(Failure::Usage(text)) => assert_eq!(text, says),
                _ => panic!("{line}"),
            }
        }
    }
}
