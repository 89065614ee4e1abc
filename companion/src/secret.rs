//! URLs with passwords: from an option, the environment, or a file that the environment names.

use crate::failure::Failure;

/// Returns the URL given by an option, by the variable `name`, or by the file that the
/// variable `name_FILE` names, in this order.
///
/// # Errors
///
/// None of the three is given, or the file cannot be read.
pub fn url_of(given: Option<String>, option: &str, name: &str) -> Result<String, Failure> {
    if let Some(url) = given {
        return Ok(url);
    }
    if let Ok(url) = std::env::var(name) {
        return Ok(url);
    }
    let file_name = format!("{name}_FILE");
    let Ok(path) = std::env::var(&file_name) else {
        return Err(Failure::Usage(format!(
            "give {option} URL, or set {name} or {file_name}"
        )));
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(Failure::CannotGoOn(format!(
            "{file_name} names {path}, which cannot be read: {error}"
        ))),
    }
}

/// Returns a URL without user, password and options, for whoever reads the log.
pub fn without_login(url: &str) -> String {
    let place = url.split('?').next().unwrap_or_default();
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, server))) => format!("{scheme}://{server}"),
        _ => place.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_logs_in() {
        for (url, shown) in [
            (
                "postgres://ann:p@ss@db:5432/shop?password=x",
                "postgres://db:5432/shop",
            ),
            ("mysql://db/shop", "mysql://db/shop"),
            ("sqlite:/var/lib/shop.db?mode=rw", "sqlite:/var/lib/shop.db"),
        ] {
            assert_eq!(without_login(url), shown);
        }
    }
}
