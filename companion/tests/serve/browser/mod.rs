//! The page in headless Chromium.
//!
//! **Goal**: what a buyer clicks is one reservation, through double clicks, reloads, two tabs
//! and restarts; each state of a sale is shown, in words; it works on a phone, by keyboard
//! alone, and in the dark.
//!
//! **Method**: each scenario has a Redis, a gateway and a browser of its own, driven by
//! WebDriver. Without chromedriver the test says so and passes. With `FLASHSALE_SCREENSHOTS`
//! each state is kept as a picture in that folder, to be looked at.

mod driver;
mod line;
mod scenarios;

use driver::Driver;

type Scenario = (&'static str, fn(&Driver));

const SCENARIOS: [Scenario; 15] = [
    ("two clicks", scenarios::two_clicks_are_one_reservation),
    ("reload", scenarios::a_reload_asks_for_the_same),
    ("two tabs", scenarios::a_second_tab_goes_on_with_the_first),
    ("expiry", scenarios::an_expiry_is_seen),
    ("sold out", scenarios::all_reserved_and_sold_out_are_seen),
    ("stopped", scenarios::who_stops_asking_holds_nothing),
    ("start", scenarios::the_start_is_counted_down),
    ("restarts", scenarios::restarts_are_survived),
    ("phone", scenarios::it_fits_a_phone),
    ("keyboard", scenarios::it_works_by_keyboard_alone),
    ("dark", scenarios::it_can_be_read_in_the_dark),
    ("line", line::the_first_in_line_gets_what_is_given_back),
    (
        "line tabs",
        line::a_place_is_one_of_all_tabs_and_can_be_left,
    ),
    ("line start", line::the_order_is_drawn_at_the_start),
    ("line polls", line::it_asks_when_the_server_says),
];

/// Plays every scenario, and names those that fail.
#[test]
fn a_buyer_is_served_in_a_browser() {
    let Some(driver) = Driver::start() else {
        return;
    };
    let only = std::env::var("FLASHSALE_SCENARIO").unwrap_or_default();
    let mut failed = Vec::new();
    for (name, scenario) in SCENARIOS.iter().filter(|(name, _)| name.contains(&only)) {
        let play = std::panic::AssertUnwindSafe(|| scenario(&driver));
        if std::panic::catch_unwind(play).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
