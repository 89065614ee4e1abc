//! A rule about passes: whether their secrets are one, and who may do without.
//!
//! Edge: as `rules.rs`, which has the list and the tests.

use super::facts::Facts;
use super::rule::{NOTE, Verdict, WARNING};

/// The commands that ask for no pass.
const WITHOUT: [&str; 2] = ["-flashsale.mreserve", "-flashsale.mbuy"];
/// What gives both.
const CATEGORY: &str = "+@flashsale";

pub(super) fn passkey(facts: &Facts) -> Option<Verdict> {
    if facts.sales_with_passkey == 0 {
        return None;
    }
    let mut others = facts.users.iter().filter_map(|rules| user_of(rules));
    if let Some((name, _)) = others.find(|(name, rules)| *name != "default" && does_without(rules))
    {
        let advice = format!(
            "ACL SETUSER {name} -flashsale.mreserve -flashsale.mbuy, unless it is a gateway that \
             verifies passes itself: these ask for none, and +@flashsale gives both"
        );
        return Some((WARNING, advice));
    }
    is_heard(facts).then(|| {
        let advice = "let TLS be the only way in from other machines, port 0: secrets of PASSKEY \
                      and passes cross the network as they are";
        (NOTE, advice.to_owned())
    })
}

/// The name of a user and its rules: `user ann on #... ~* +@flashsale`.
fn user_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("user ")?.split_once(' ')
}

/// Do these rules give MRESERVE or MBUY, as part of the category? Rules in parentheses give by
/// themselves.
fn does_without(rules: &str) -> bool {
    let words = || rules.split([' ', '(', ')']).filter(|word| !word.is_empty());
    let has = |wanted: &str| words().any(|word| word == wanted);
    has("on") && has(CATEGORY) && !WITHOUT.iter().all(|without| has(without))
}

/// Can other machines talk to the server without TLS?
fn is_heard(facts: &Facts) -> bool {
    let Some(port) = facts.number_set("port") else {
        return false;
    };
    let bind = facts.setting("bind").unwrap_or_default();
    let mut addresses = bind.split_whitespace().peekable();
    let is_local = |address: &str| {
        let address = address.trim_start_matches('-');
        address.starts_with("127.") || address == "::1" || address == "localhost"
    };
    let is_open = addresses.peek().is_none() || !addresses.all(is_local);
    port > 0 && is_open && !is_protected(facts)
}

/// Turns the server strangers of other machines away, because it has no password?
fn is_protected(facts: &Facts) -> bool {
    let mut users = facts.users.iter().filter_map(|rules| user_of(rules));
    let default = users.find(|(name, _)| *name == "default");
    let has_none = default.is_some_and(|(_, rules)| rules.split(' ').any(|rule| rule == "nopass"));
    facts.is_set("protected-mode", "yes") && has_none
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_category_and_not_less_does_without_passes() {
        for (rules, expected) in [
            ("on nopass ~* +@flashsale", true),
            ("on #0a ~* -@all +@flashsale -flashsale.mreserve", true),
            ("on #0a -@all (~sale:* +@flashsale)", true),
            (
                "on ~* +@flashsale -flashsale.mreserve -flashsale.mbuy",
                false,
            ),
            ("off ~* +@flashsale", false),
            ("on ~* -@all +flashsale.reserve", false),
            ("on ~* -@flashsale", false),
        ] {
            assert_eq!(does_without(rules), expected, "{rules}");
        }
    }

    #[test]
    fn a_port_is_heard_by_others_unless_bound_or_protected() {
        for (bind, protected, password, expected) in [
            ("127.0.0.1 -::1", "no", "#0a", false),
            ("", "no", "#0a", true),
            ("", "yes", "nopass", false),
            ("", "yes", "#0a", true),
            ("", "no", "nopass", true),
            ("127.0.0.1 10.0.0.1", "yes", "#0a", true),
            ("* -::*", "yes", "#0a", true),
        ] {
            let settings = [
                ("port", "6379"),
                ("bind", bind),
                ("protected-mode", protected),
            ];
            let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let facts = Facts {
                settings: Some(settings.map(own).into()),
                users: vec![format!("user default on {password} ~* &* +@all")],
                ..Facts::default()
            };
            assert_eq!(is_heard(&facts), expected, "{bind} {protected} {password}");
        }
    }
}
