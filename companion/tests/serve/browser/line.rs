//! What those see who wait in line.

use super::driver::{Browser, Driver, Screen};
use super::scenarios::reserved;
use crate::gateway::{Gateway, sale};

fn joined<'d>(driver: &'d Driver, gateway: &Gateway, screen: Screen) -> Browser<'d> {
    let browser = driver.browser(screen);
    browser.open(gateway);
    browser.wait_for_text("reserve", "Join the line");
    browser.click("reserve");
    browser.wait_for("in line", "!$('line').hidden");
    browser
}

/// One holds the last unit, two wait.
pub fn the_first_in_line_gets_what_is_given_back(driver: &Driver) {
    let redis = sale("ITEMS 2 red 1 blue 25 HOLD 300000 WAITING 9");
    let gateway = Gateway::start(&redis.url(), &[]);
    let holder = driver.browser(Screen::Desk);
    holder.open(&gateway);
    holder.click("reserve");
    holder.wait_for("held", "!$('held').hidden");
    let first = driver.browser(Screen::Desk);
    first.open(&gateway);
    // Of blue there are enough, so that is chosen at first.
    first.run("document.querySelectorAll('.count button')[1].click()");
    first.wait_for_text("legend", "Only one item at a time");
    first.run("document.querySelectorAll('.count button')[2].click()");
    first.wait_for_text("reserve", "Join the line");
    first.shoot("line-join");
    first.check_legible("line, join");
    first.click("reserve");
    first.wait_for_text("line-title", "You are next in line");
    assert_eq!(first.focus(), "line-title");
    let second = driver.browser(Screen::Phone);
    second.open(&gateway);
    second.run("wanted.clear(); wanted.set('red', 1); draw()");
    second.click("reserve");
    second.wait_for_text("place", "1");
    assert_eq!(second.text("place-words"), "before you at most");
    assert!(
        second
            .text("line-wait")
            .contains("It may be sold out before it is your turn.")
    );
    second.wait_for_text("verdict", "You are in line. At most 1 before you.");
    for (browser, name) in [(&first, "line-next"), (&second, "phone-line")] {
        browser.shoot(name);
        browser.check_legible(name);
    }
    holder.click("release");
    first.wait_for("held", "!$('held').hidden");
    assert_eq!(first.focus(), "held-title");
    assert!(
        first.is("$('left').textContent.startsWith('0')"),
        "the deadline"
    );
    second.wait_for_text("line-title", "You are next in line");
    second.wait_for_text("verdict", "You are in line. You are next.");
    assert!(second.is("$('held').hidden"));
    assert_eq!(reserved(&redis), 1);
    // A reload asks for the same place.
    second.wait(second.client().refresh());
    second.wait_for_text("line-title", "You are next in line");
    first.click("pay");
    first.wait_for("bought", "!$('bought').hidden");
    second.wait_for_text("verdict", "Sold out");
    second.wait_for("the sale", "!$('choice').hidden");
    second.shoot("phone-line-soldout");
    second.check_legible("phone, line, sold out");
    assert_eq!(redis.ask::<i64>("XLEN shoes:orders"), 1);
}

pub fn a_place_is_one_of_all_tabs_and_can_be_left(driver: &Driver) {
    let redis = sale("STOCK 1 HOLD 300000 WAITING 9");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes x 1 ID x");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = joined(driver, &gateway, Screen::Desk);
    let tab = browser.wait(browser.client().new_window(true));
    browser.wait(browser.client().switch_to_window(tab.handle));
    browser.open(&gateway);
    browser.click("reserve");
    browser.wait_for_text("verdict", "You wait in another tab");
    browser.wait_for_text("adopt", "Show your place here");
    browser.shoot("line-placed");
    browser.check_legible("line, placed");
    browser.click("adopt");
    browser.wait_for_text("line-title", "You are next in line");
    assert_eq!(browser.text("line-items"), "1 × shoes");
    browser.click("leave");
    browser.wait_for_text("verdict", "You have left the line");
    assert_eq!(browser.focus(), "reserve");
    let waiting: Vec<Vec<redis::Value>> = redis.ask("FLASHSALE.STOCK shoes");
    assert_eq!(waiting[0][4], redis::Value::Int(0));
    // Another id: the one that was left takes nothing any more.
    browser.click("reserve");
    browser.wait_for("in line", "!$('line').hidden");
    redis.ask::<String>("FLASHSALE.ALTER shoes WAITING 1");
    let late = driver.browser(Screen::Desk);
    late.open(&gateway);
    late.click("reserve");
    late.wait_for_text("verdict", "The line is full");
}

pub fn the_order_is_drawn_at_the_start(driver: &Driver) {
    let redis = sale("STOCK 1 HOLD 300000 WAITING 9");
    let now: (i64, i64) = redis.ask("TIME");
    let start = |seconds: i64| format!("FLASHSALE.ALTER shoes START {}", (now.0 + seconds) * 1_000);
    redis.ask::<String>(&start(725));
    let gateway = Gateway::start(&redis.url(), &[]);
    let browsers =
        [Screen::Phone, Screen::DeskInTheDark].map(|screen| joined(driver, &gateway, screen));
    for (browser, name) in browsers.iter().zip(["phone-line-start", "dark-line-start"]) {
        assert!(
            browser
                .text("line-wait")
                .contains("The order is drawn at the start")
        );
        assert!(browser.is("/^1[12]:/.test($('place').textContent)"));
        browser.wait_for_text("verdict", "The order is drawn at the start");
        browser.shoot(name);
        browser.check_legible(name);
    }
    redis.ask::<String>("FLASHSALE.ALTER shoes START 0");
    let held = "!$('held').hidden";
    let [one, other] = &browsers;
    one.wait_for(
        "the draw",
        "!$('held').hidden || $('line-title').textContent.includes('next')",
    );
    other.wait_for(
        "the draw",
        "!$('held').hidden || $('line-title').textContent.includes('next')",
    );
    assert_ne!(one.is(held), other.is(held));
    assert_eq!(reserved(&redis), 1);
}

/// Asking sooner gains nothing, and a million tabs that wake up at once would be a rush.
pub fn it_asks_when_the_server_says(driver: &Driver) {
    let redis = sale("STOCK 1 HOLD 300000 WAITING 9");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes x 1 ID x");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = joined(driver, &gateway, Screen::Desk);
    browser.run(
        "window.asked = []; const send = window.fetch; window.fetch = async (path, how) => { \
         const at = Date.now(); const reply = await send(path, how); \
         const { retry_in_ms } = await reply.clone().json(); asked.push([at, Date.now(), retry_in_ms]); return reply; }; \
         setInterval(() => document.dispatchEvent(new Event('visibilitychange')), 20)",
    );
    browser.wait_for("four times", "asked.length > 3");
    let sooner =
        "asked.slice(1).some(([at], before) => at < asked[before][1] + asked[before][2] - 50)";
    assert!(!browser.is(sooner), "{}", browser.run("return asked"));
    // It shows a place once, however often it is answered.
    assert_eq!(browser.text("verdict"), "You are in line. You are next.");
}
