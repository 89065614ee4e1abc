//! Who asks: a random cookie, or the header of a proxy that is trusted.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cookie::{Cookie, SameSite, time::Duration};

use super::idempotency::NAME_MOST;
use super::own;
use super::reply::Reply;

const COOKIE: &str = "flashsale_user";

/// The cookie behind TLS. Browsers take this name from the host itself alone, so no neighbour
/// below the same domain can plant one.
const COOKIE_OF_TLS: &str = "__Host-flashsale_user";

/// Letters of a cookie's value: 128 random bits.
const COOKIE_LETTERS: usize = 32;

/// Where a user's name comes from. Nothing in a body ever names the user.
pub enum Who {
    Cookie,
    Header(HeaderName),
}

impl Who {
    /// Returns the user of a request.
    ///
    /// # Errors
    ///
    /// There is none: a user made up now would be another one when the same request is sent
    /// again after a lost answer. Or there are two, of which one is somebody else's.
    pub fn of(&self, headers: &HeaderMap) -> Result<Vec<u8>, Reply> {
        let wrong = |detail: String| Err(Reply::own(&own::NOUSER, detail));
        match self {
            Self::Cookie => match cookie_of(headers) {
                Given::One(user) => Ok(user.into_bytes()),
                Given::None => wrong(
                    "The cookie of the page is missing: ask for / or /sale first, and send it along.".into(),
                ),
                Given::Several => wrong(format!(
                    "There are several cookies {}: delete those of this site.",
                    name_for(headers)
                )),
            },
            Self::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let user = values.next().map(HeaderValue::as_bytes);
                // Two of them: one is the client's own.
                let is_alone = values.next().is_none();
                match user {
                    Some(user) if is_alone && (1..=NAME_MOST).contains(&user.len()) => {
                        Ok(user.to_vec())
                    }
                    _ => wrong(format!("The header {name} has to name one user.")),
                }
            }
        }
    }

    /// Returns the cookie to set for a browser that has none yet.
    pub fn welcome(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if matches!(self, Self::Header(_)) || cookie_of(headers) != Given::None {
            return None;
        }
        let mut bits = [0; COOKIE_LETTERS / 2];
        // Without randomness nobody gets a name that somebody else could guess.
        getrandom::fill(&mut bits).ok()?;
        let user = format!("{:032x}", u128::from_ne_bytes(bits));
        let cookie = Cookie::build((name_for(headers), user))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(is_tls(headers))
            .max_age(Duration::days(30));
        HeaderValue::try_from(cookie.to_string()).ok()
    }

    /// Returns what to warn of if others than a proxy on this machine reach the gateway.
    pub fn warning_at(&self, place: SocketAddr) -> Option<String> {
        match self {
            Self::Header(name) if !place.ip().is_loopback() => Some(format!(
                "whoever reaches {place} says who they are by the header {name}: let the proxy alone reach it"
            )),
            _ => None,
        }
    }
}

/// What the cookies of a request say of the user.
#[derive(PartialEq, Eq)]
enum Given {
    None,
    One(String),
    /// The browser sends the one with the longest path first, which may be planted.
    Several,
}

/// Reports whether the proxy in front says that the browser speaks TLS.
fn is_tls(headers: &HeaderMap) -> bool {
    let proto = headers.get("x-forwarded-proto");
    proto.is_some_and(|proto| proto == "https")
}

fn name_for(headers: &HeaderMap) -> &'static str {
    if is_tls(headers) {
        COOKIE_OF_TLS
    } else {
        COOKIE
    }
}

fn cookie_of(headers: &HeaderMap) -> Given {
    let name = name_for(headers);
    let headers = headers.get_all(header::COOKIE);
    let lines = headers.iter().filter_map(|value| value.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).flatten();
    let mut ours = cookies.filter(|cookie| cookie.name() == name);
    let Some(cookie) = ours.next() else {
        return Given::None;
    };
    if ours.next().is_some() {
        return Given::Several;
    }
    let is_ours = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    let value = cookie.value();
    match value.len() == COOKIE_LETTERS && value.bytes().all(is_ours) {
        true => Given::One(value.to_owned()),
        false => Given::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn knows_a_browser_by_the_cookie_it_was_given() {
        let given = Who::Cookie.welcome(&HeaderMap::new()).expect("a cookie");
        let given = given.to_str().expect("text");
        assert!(
            given.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=2592000"),
            "{given}"
        );
        let value = given.split(';').next().expect("a value");
        let mut back = HeaderMap::new();
        back.insert("cookie", format!("a=b; {value}").parse().expect("a header"));
        assert!(Who::Cookie.welcome(&back).is_none());
        assert_eq!(Who::Cookie.of(&back).ok().map(|user| user.len()), Some(32));
    }

    #[test]
    fn takes_neither_of_two_cookies() {
        let two = "flashsale_user=00112233445566778899aabbccddeeff; \
            flashsale_user=ffeeddccbbaa99887766554433221100";
        let lines = headers(&[
            ("cookie", &two[..47]),
            ("cookie", "flashsale_user=ffeeddccbbaa99887766554433221100"),
        ]);
        for two in [headers(&[("cookie", two)]), lines] {
            let refused = Who::Cookie.of(&two).err().map(|reply| reply.answer);
            assert_eq!(refused.as_deref(), Some("NOUSER"));
            // A third one would help nobody.
            assert!(Who::Cookie.welcome(&two).is_none());
        }
    }

    #[test]
    fn behind_tls_no_neighbour_can_name_the_user() {
        let tls = ("x-forwarded-proto", "https");
        let planted = "flashsale_user=00112233445566778899aabbccddeeff";
        let planted = headers(&[tls, ("cookie", planted)]);
        assert!(Who::Cookie.of(&planted).is_err());
        let given = Who::Cookie.welcome(&planted).expect("a cookie");
        let given = given.to_str().expect("text");
        assert!(given.starts_with("__Host-flashsale_user="), "{given}");
        // Browsers take the name with these and without a domain alone.
        assert!(
            given.contains("; Secure") && given.contains("; Path=/;") && !given.contains("Domain"),
            "{given}"
        );
        let value = given.split(';').next().expect("a value");
        let mut back = planted.clone();
        back.append("cookie", value.parse().expect("a header"));
        assert_eq!(Who::Cookie.of(&back).ok().map(|user| user.len()), Some(32));
    }

    #[test]
    fn warns_where_anybody_may_set_the_header() {
        let place = |text: &str| text.parse().expect("a place");
        let header = Who::Header(HeaderName::from_static("x-user"));
        let warning = header.warning_at(place("0.0.0.0:8080")).expect("a warning");
        assert!(warning.contains("0.0.0.0:8080") && warning.contains("x-user"));
        assert!(header.warning_at(place("127.0.0.1:8080")).is_none());
        assert!(header.warning_at(place("[::1]:8080")).is_none());
        assert!(Who::Cookie.warning_at(place("0.0.0.0:8080")).is_none());
    }

    #[test]
    fn takes_no_name_that_a_browser_made_up() {
        for made_up in [
            "flashsale_user=ann",
            "flashsale_user=",
            "other=00112233445566778899aabbccddeeff",
        ] {
            assert!(Who::Cookie.of(&headers(&[("cookie", made_up)])).is_err());
        }
    }

    #[test]
    fn takes_the_header_only_if_there_is_one() {
        let who = Who::Header(HeaderName::from_static("x-user"));
        assert!(who.welcome(&HeaderMap::new()).is_none());
        let one = headers(&[
            ("x-user", "ann"),
            ("cookie", "flashsale_user=00112233445566778899aabbccddeeff"),
        ]);
        assert_eq!(who.of(&one).ok(), Some(b"ann".to_vec()));
        assert!(
            who.of(&headers(&[("x-user", "ann"), ("x-user", "bob")]))
                .is_err()
        );
        assert!(who.of(&headers(&[("x-user", "")])).is_err());
        assert!(who.of(&HeaderMap::new()).is_err());
    }
}
