//! Who asks: a random cookie, or the header of a proxy that is trusted.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use cookie::{Cookie, SameSite, time::Duration};

use super::key::NAME_MOST;
use super::reply::Reply;

const COOKIE: &str = "flashsale_user";

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
    /// again after a lost answer.
    pub fn of(&self, headers: &HeaderMap) -> Result<Vec<u8>, Reply> {
        match self {
            Self::Cookie => from_cookie(headers).map(String::into_bytes).ok_or_else(|| {
                Reply::problem(
                    400,
                    "NOUSER",
                    "The cookie of the page is missing: ask for / or /sale first, and send it along.",
                )
            }),
            Self::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let user = values.next().map(HeaderValue::as_bytes);
                // Two of them: one is the client's own.
                let is_alone = values.next().is_none();
                match user {
                    Some(user) if is_alone && (1..=NAME_MOST).contains(&user.len()) => {
                        Ok(user.to_vec())
                    }
                    _ => Err(Reply::problem(
                        400,
                        "NOUSER",
                        format!("The header {name} has to name one user."),
                    )),
                }
            }
        }
    }

    /// Returns the cookie to set for a browser that has none yet.
    pub fn welcome(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if matches!(self, Self::Header(_)) || from_cookie(headers).is_some() {
            return None;
        }
        let mut bits = [0; COOKIE_LETTERS / 2];
        // Without randomness nobody gets a name that somebody else could guess.
        getrandom::fill(&mut bits).ok()?;
        let name = format!("{:032x}", u128::from_ne_bytes(bits));
        let is_tls = headers
            .get("x-forwarded-proto")
            .is_some_and(|proto| proto == "https");
        let cookie = Cookie::build((COOKIE, name))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(is_tls)
            .max_age(Duration::days(30));
        HeaderValue::try_from(cookie.to_string()).ok()
    }
}

fn from_cookie(headers: &HeaderMap) -> Option<String> {
    let headers = headers.get_all(header::COOKIE);
    let lines = headers.iter().filter_map(|value| value.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).flatten();
    let ours = cookies.find(|cookie| cookie.name() == COOKIE)?;
    let is_ours = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    let value = ours.value();
    (value.len() == COOKIE_LETTERS && value.bytes().all(is_ours)).then(|| value.to_owned())
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
