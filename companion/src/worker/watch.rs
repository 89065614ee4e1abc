//! What is looked at from time to time: how far the group is, dead letters, and with
//! `--trim` what nobody needs any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dead;
use super::lane::Shared;
use super::metrics;
use crate::link::{Group, Link, entry_ms, explain, moved_to};
use crate::log;
use crate::sql::Database;

const LOOK_EVERY: Duration = Duration::from_secs(15);
const TRIM_EVERY: Duration = Duration::from_secs(3_600);

/// Looks after one stream until the program ends. What cannot be had is looked for again at
/// the next turn: the lane says what is wrong.
pub async fn watch_stream(shared: Arc<Shared>, stream: Vec<u8>, trim: Option<Duration>) {
    let shown = String::from_utf8_lossy(&stream).into_owned();
    let mut link: Option<Link> = None;
    let mut trim_at = Instant::now();
    loop {
        if link.is_none() {
            link = Link::connect(&shared.address, &stream).await.ok();
        }
        if let Some(open) = &link {
            match open.groups(&stream).await {
                Ok(groups) => {
                    show(&shared, &shown, &groups);
                    if let Some(age) = trim
                        && Instant::now() >= trim_at
                    {
                        trim_at = Instant::now() + TRIM_EVERY;
                        trim_stream(open, &stream, &shown, &groups, age).await;
                    }
                }
                Err(error) if error.is_io_error() || moved_to(&error).is_some() => link = None,
                Err(_) => {}
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Counts the dead letters until the program ends.
pub async fn watch_dead(shared: Arc<Shared>) {
    let mut database: Option<Database> = None;
    loop {
        if database.is_none() {
            database = Database::connect(&shared.sql_url).await.ok();
        }
        if let Some(open) = &mut database {
            match dead::count(open).await {
                Ok(dead) => metrics::set_dead(dead),
                Err(_) => database = None,
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn show(shared: &Shared, shown: &str, groups: &[Group]) {
    let Some(group) = groups
        .iter()
        .find(|group| group.name == shared.group.as_bytes())
    else {
        return;
    };
    let oldest = group.oldest.as_deref().and_then(entry_ms);
    let age_ms = oldest.map_or(0, |at_ms| (log::now_ms() - at_ms).max(0));
    metrics::set_group(shown, group.lag, group.pending, age_ms as f64 / 1_000.0);
}

async fn trim_stream(link: &Link, stream: &[u8], shown: &str, groups: &[Group], age: Duration) {
    let oldest_kept = log::now_ms() - i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let Some(before) = trim_before(groups, oldest_kept) else {
        return;
    };
    match link.trim(stream, &before).await {
        Ok(0) => {}
        Ok(removed) => log::info(format!(
            "{shown}: trimmed {removed} entries before {before}"
        )),
        Err(error) => log::warn(format!("{shown}: XTRIM: {}", explain(&error))),
    }
}

/// Returns the ID before which every group has acknowledged all, and which is not younger
/// than `oldest_kept`; `None` if nothing may go.
fn trim_before(groups: &[Group], oldest_kept_ms: i64) -> Option<String> {
    let mut before = id_parts(&format!("{oldest_kept_ms}-0"))?;
    for group in groups {
        // The last entry that a group was given stays too, which is simpler than the ID
        // behind it and costs one entry.
        before = before.min(id_parts(&group.last_delivered)?);
        if let Some(oldest) = &group.oldest {
            before = before.min(id_parts(oldest)?);
        }
    }
    let may_go = !groups.is_empty() && before > (0, 0);
    may_go.then(|| format!("{}-{}", before.0, before.1))
}

fn id_parts(id: &str) -> Option<(u64, u64)> {
    let (ms, seq) = id.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(last: &str, oldest: Option<&str>) -> Group {
        Group {
            last_delivered: last.into(),
            oldest: oldest.map(str::to_owned),
            ..Group::default()
        }
    }

    #[test]
    fn trims_what_every_group_has_acknowledged_and_no_more() {
        let read = group("1000-5", None);
        assert_eq!(trim_before(&[read], 5_000), Some("1000-5".into()));
        let pending = group("1000-5", Some("900-1"));
        assert_eq!(
            trim_before(&[group("1000-5", None), pending], 5_000),
            Some("900-1".into())
        );
        let slow = group("10-0", None);
        assert_eq!(
            trim_before(&[group("1000-5", None), slow], 5_000),
            Some("10-0".into())
        );
        assert_eq!(
            trim_before(&[group("1000-5", None)], 400),
            Some("400-0".into())
        );
        assert_eq!(
            trim_before(&[group("1000-5", None), group("0-0", None)], 5_000),
            None
        );
        assert_eq!(trim_before(&[], 5_000), None);
    }
}
