//! Every transcript, typed in.

use std::collections::BTreeSet;

use super::markdown::{pages, read};
use super::support::transcript::{OtherBlocks, play};

/// Makes a test of each page, and a list of them.
macro_rules! transcripts {
    ($($name:ident: $path:literal, $other_blocks:ident;)*) => {
        $(
            #[test]
            fn $name() {
                play($path, OtherBlocks::$other_blocks);
            }
        )*

        const PLAYED: &[&str] = &[$($path),*];
    };
}

// On the pages that an operator types from, any block that is not run stands under a
// decision.
transcripts! {
    the_readme_prints_what_it_shows: "README.md", Any;
    the_guide_prints_what_it_shows: "docs/guide.md", Any;
    the_page_on_named_units_prints_what_it_shows: "docs/units.md", Any;
    the_page_on_rate_limits_prints_what_it_shows: "docs/reference/rates.md", Any;
    the_page_on_filters_prints_what_it_shows: "docs/reference/filters.md", Any;
    the_page_on_backups_prints_what_it_shows: "docs/operating/backup.md", Decisions;
    the_page_on_monitoring_prints_what_it_shows: "docs/operating/monitoring.md", Any;
    the_runbook_prints_what_it_shows: "docs/operating/runbook.md", Decisions;
    the_page_on_upgrading_prints_what_it_shows: "docs/operating/upgrading.md", Decisions;
    the_page_for_users_of_lua_prints_what_it_shows: "docs/operating/from-lua.md", Decisions;
    the_page_for_users_of_redisbloom_prints_what_it_shows:
        "docs/operating/from-redisbloom.md", Decisions;
}

#[test]
fn every_page_with_a_transcript_is_played() {
    let has_transcript = |page: &String| {
        let text = read(page);
        text.lines().any(|line| line.trim_start() == "```console")
    };
    let with: BTreeSet<String> = pages().into_iter().filter(has_transcript).collect();
    let played: BTreeSet<String> = PLAYED.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(with, played);
}
