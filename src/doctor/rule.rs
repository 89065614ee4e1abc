//! What the rules share: how grave a finding is, and looking facts up.

use super::facts::Facts;

/// Orders or whole sales are being lost, or will be.
pub(super) const ERROR: &str = "error";
/// A sale suffers when something else happens: a crash, a failover, a rush.
pub(super) const WARNING: &str = "warning";
/// Right for some, and worth a decision.
pub(super) const NOTE: &str = "note";

/// How grave a finding is, and the advice.
pub(super) type Verdict = (&'static str, String);

impl Facts {
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name).map(String::as_str)
    }

    pub(super) fn is_set(&self, name: &str, value: &str) -> bool {
        self.setting(name) == Some(value)
    }

    pub(super) fn number_set(&self, name: &str) -> Option<u64> {
        self.setting(name)?.parse().ok()
    }

    pub(super) fn told(&self, name: &str) -> Option<&str> {
        self.info.get(name).map(String::as_str)
    }

    pub(super) fn number_told(&self, name: &str) -> Option<u64> {
        self.told(name)?.parse().ok()
    }

    pub(super) fn is_primary(&self) -> bool {
        self.told("role") == Some("master")
    }
}

/// `lag=3` of a replica's line.
pub(super) fn part<'f>(line: &'f str, name: &str) -> Option<&'f str> {
    let mut parts = line.split(',').filter_map(|part| part.split_once('='));
    parts
        .find(|(part, _)| *part == name)
        .map(|(_, value)| value)
}

/// More than `percent` of `all`?
pub(super) fn is_above(part: u64, all: u64, percent: u64) -> bool {
    u128::from(part) * 100 > u128::from(all) * u128::from(percent)
}

/// Numbers of a version: 8.1.1 is [8, 1, 1].
pub(super) fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}
