//! What a buyer does, and what the page shows.

use std::time::Duration;

use serde_json::Value as Json;

use super::driver::{Driver, Screen};
use crate::common::{Redis, module_path};
use crate::gateway::{Gateway, sale};

/// Units that are reserved.
pub fn reserved(redis: &Redis) -> i64 {
    let stock: Vec<Vec<redis::Value>> = redis.ask("FLASHSALE.STOCK shoes");
    stock
        .iter()
        .map(|item| match item[2] {
            redis::Value::Int(reserved) => reserved,
            _ => 0,
        })
        .sum()
}

pub fn two_clicks_are_one_reservation(driver: &Driver) {
    let redis = sale("ITEMS 2 red 60 blue 25 USERLIMIT 3 HOLD 300000");
    redis.ask::<redis::Value>("FLASHSALE.BUY shoes shoes:orders x ITEMS 1 red 3 ID x REF x");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes y ITEMS 2 red 1 blue 2 ID y");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    browser.shoot("open");
    browser.check_legible("open");
    assert_eq!(browser.text("reserve"), "Reserve 1");
    browser.run("$('reserve').click(); $('reserve').click(); setTimeout(() => document.getElementById('reserve').click(), 1)");
    browser.wait_for("held", "!$('held').hidden");
    assert_eq!(reserved(&redis), 4);
    assert!(
        browser.text("verdict").starts_with("1 × red: yours until"),
        "{}",
        browser.text("verdict")
    );
    browser.shoot("held");
    browser.check_legible("held");
    browser.click("pay");
    browser.wait_for("bought", "!$('bought').hidden");
    assert!(
        browser.text("order").contains("-0"),
        "{}",
        browser.text("order")
    );
    browser.shoot("bought");
    browser.check_legible("bought");
    assert_eq!(redis.ask::<i64>("XLEN shoes:orders"), 2);
    browser.click("again");
    browser.wait_for("the sale", "!$('choice').hidden");
}

pub fn a_reload_asks_for_the_same(driver: &Driver) {
    let redis = sale("STOCK 60 HOLD 300000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    // In the middle of the request.
    std::thread::scope(|scope| {
        scope.spawn(|| redis.stall(Duration::from_millis(1_200)));
        std::thread::sleep(Duration::from_millis(200));
        browser.click("reserve");
        std::thread::sleep(Duration::from_millis(200));
        browser.wait(browser.client().refresh());
    });
    browser.wait_for("held", "!$('held').hidden");
    assert_eq!(reserved(&redis), 1);
    let kept = browser.run("return sessionStorage.getItem('flashsale:shoes')");
    browser.wait(browser.client().refresh());
    browser.wait_for("held again", "!$('held').hidden && mine.items.length");
    let id = |kept: &Json| {
        serde_json::from_str::<Json>(kept.as_str().expect("kept")).expect("JSON")["id"].clone()
    };
    let again = browser.run("return sessionStorage.getItem('flashsale:shoes')");
    assert_eq!(id(&kept), id(&again));
    // Given back, a new click is a new reservation.
    browser.click("release");
    browser.wait_for("the sale", "!$('choice').hidden");
    assert!(
        browser.text("verdict").contains("Given back"),
        "{}",
        browser.text("verdict")
    );
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    let new = browser.run("return sessionStorage.getItem('flashsale:shoes')");
    assert_ne!(id(&new), id(&again));
    assert_eq!(reserved(&redis), 1);
}

pub fn a_second_tab_goes_on_with_the_first(driver: &Driver) {
    let redis = sale("STOCK 60 USERLIMIT 1 HOLD 300000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    let first = browser.text("until");
    let tab = browser.wait(browser.client().new_window(true));
    browser.wait(browser.client().switch_to_window(tab.handle));
    browser.open(&gateway);
    assert!(browser.is("!$('choice').hidden"));
    browser.click("reserve");
    browser.wait_for_text("verdict", "You can go on with your open reservation");
    browser.shoot("userlimit");
    browser.check_legible("userlimit");
    browser.click("adopt");
    browser.wait_for("held", "!$('held').hidden && mine.items.length");
    assert_eq!(browser.text("until"), first);
    assert_eq!(reserved(&redis), 1);
}

pub fn an_expiry_is_seen(driver: &Driver) {
    let redis = sale("STOCK 60 HOLD 2000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    // By the server's time, whatever the browser's clock says.
    browser.run("Date.now = () => 0");
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    browser.wait_for_text("verdict", "Your time was up");
    assert!(browser.is("!$('choice').hidden && $('held').hidden"));
    browser.shoot("expired");
    browser.check_legible("expired");
    let before = browser.run("return sessionStorage.length");
    assert_eq!(before, 0);
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
}

pub fn all_reserved_and_sold_out_are_seen(driver: &Driver) {
    let redis = sale("STOCK 20 HOLD 300000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes x 20 ID x");
    browser.wait_for_text("state-text", "All in carts just now");
    browser.click("reserve");
    browser.wait_for_text("verdict", "All are in carts just now");
    assert_eq!(browser.text("reserve"), "Asking again for you …");
    browser.shoot("allreserved");
    browser.check_legible("allreserved");
    // Whoever stops asking has nothing and can begin anew.
    browser.click("stop");
    browser.wait_for_text("verdict", "Stopped asking");
    browser.click("reserve");
    browser.wait_for_text("verdict", "All are in carts just now");
    redis.ask::<redis::Value>("FLASHSALE.RELEASE shoes x");
    browser.wait_for("held", "!$('held').hidden");
    browser.click("release");
    browser.wait_for("the sale", "!$('choice').hidden");
    redis.ask::<redis::Value>("FLASHSALE.BUY shoes shoes:orders z 20 ID z REF z");
    browser.wait_for_text("state-text", "Sold out");
    browser.wait_for_text("reserve", "Sold out");
    assert!(browser.is("$('reserve').ariaDisabled === 'true'"));
    browser.run("$('reserve').click()");
    browser.shoot("soldout");
    browser.check_legible("soldout");
    assert_eq!(gateway.number("answers_total", "SOLDOUT") as i64, 0);
}

/// The request that is on its way when the buyer stops asking arrives late, and takes nothing.
pub fn who_stops_asking_holds_nothing(driver: &Driver) {
    let redis = sale("STOCK 20 HOLD 300000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes x 20 ID x");
    browser.wait_for_text("state-text", "All in carts just now");
    browser.click("reserve");
    browser.wait_for_text("verdict", "All are in carts just now");
    browser.run(
        "window.slow = 0; const send = window.fetch; window.fetch = async (path, how) => { \
         if (how.method !== 'POST') return send(path, how); \
         slow = 1; await new Promise((done) => setTimeout(done, 2000)); \
         const reply = await send(path, { ...how, signal: undefined }); slow = 2; return reply; }",
    );
    browser.wait_for("a request on its way", "window.slow === 1");
    redis.ask::<redis::Value>("FLASHSALE.RELEASE shoes x");
    browser.click("stop");
    browser.wait_for_text("verdict", "Stopped asking");
    browser.wait_for("its arrival", "window.slow === 2");
    assert_eq!(reserved(&redis), 0);
}

pub fn the_start_is_counted_down(driver: &Driver) {
    let redis = sale("ITEMS 2 red 60 blue 25");
    let now: (i64, i64) = redis.ask("TIME");
    let start = |s: i64| (now.0 + s) * 1_000;
    redis.ask::<String>(&format!("FLASHSALE.ALTER shoes START {}", start(3_725)));
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    browser.wait_for_text("state-text", "Starts in 1:0");
    assert!(browser.is("$('reserve').ariaDisabled === 'true'"));
    browser.shoot("scheduled");
    browser.check_legible("scheduled");
    let now: (i64, i64) = redis.ask("TIME");
    redis.ask::<String>(&format!(
        "FLASHSALE.ALTER shoes START {}",
        (now.0 + 3) * 1_000
    ));
    browser.wait_for("the button is on", "$('reserve').ariaDisabled === 'false'");
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    browser.click("release");
    redis.ask::<String>("FLASHSALE.PAUSE shoes");
    browser.wait_for_text("state-text", "Paused");
    redis.ask::<String>("FLASHSALE.CLOSE shoes");
    browser.wait_for_text("state-text", "The sale is over");
    browser.wait_for("the button is off", "$('reserve').ariaDisabled === 'true'");
    browser.check_legible("over");
}

pub fn restarts_are_survived(driver: &Driver) {
    let mut redis = sale("STOCK 60 HOLD 300000");
    let module = module_path();
    let mut gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    redis.kill();
    browser.wait_for("it says so", "$('away').textContent");
    browser.click("reserve");
    browser.wait_for_text("reserve", "Asking again for you");
    browser.shoot("away");
    browser.check_legible("away");
    redis.run(&["--loadmodule", module.to_str().expect("a path")]);
    browser.wait_for("held", "!$('held').hidden");
    browser.wait_for("it says no more", "!$('away').textContent");
    assert_eq!(reserved(&redis), 1);
    // The gateway itself.
    gateway.kill();
    browser.wait_for("it says so", "$('away').textContent");
    browser.click("pay");
    browser.wait_for_text("verdict", "We are checking your order");
    gateway.restart(&redis.url());
    browser.wait_for("bought", "!$('bought').hidden");
    browser.wait_for("it says no more", "!$('away').textContent");
    assert_eq!(redis.ask::<i64>("XLEN shoes:orders"), 1);
}

pub fn it_fits_a_phone(driver: &Driver) {
    let redis = sale(
        "ITEMS 3 trail-runner-red-41 60 trail-runner-midnight-blue-42 25 laces 400 HOLD 300000",
    );
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Phone);
    browser.open(&gateway);
    assert_eq!(browser.run("return innerWidth"), 360);
    browser.run("document.querySelectorAll('.count button')[5].click()");
    browser.wait_for_text("reserve", "Reserve 2");
    browser.shoot("phone-open");
    browser.check_legible("phone, open");
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    assert!(
        browser.text("held-items").contains("1 × laces"),
        "{}",
        browser.text("held-items")
    );
    browser.shoot("phone-held");
    browser.check_legible("phone, held");
    browser.click("pay");
    browser.wait_for("bought", "!$('bought').hidden");
    browser.check_legible("phone, bought");
}

pub fn it_works_by_keyboard_alone(driver: &Driver) {
    let redis = sale("ITEMS 2 red 60 blue 25 HOLD 300000");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::Desk);
    browser.open(&gateway);
    let (enter, space) = ('\u{e007}', ' ');
    browser.tab_to("One more: red");
    browser.press(space);
    browser.tab_to("reserve");
    browser.shoot("focus");
    browser.press(enter);
    browser.press(enter);
    browser.wait_for("held", "!$('held').hidden");
    assert_eq!(reserved(&redis), 2);
    assert_eq!(browser.focus(), "held-title");
    browser.tab_to("release");
    browser.press(space);
    browser.wait_for("the sale", "!$('choice').hidden");
    assert_eq!(browser.focus(), "reserve");
    browser.press(enter);
    browser.wait_for("held", "!$('held').hidden");
    browser.tab_to("pay");
    browser.press(enter);
    browser.wait_for("bought", "!$('bought').hidden");
    assert_eq!(browser.focus(), "bought-title");
    browser.tab_to("again");
}

pub fn it_can_be_read_in_the_dark(driver: &Driver) {
    let redis = sale("ITEMS 2 red 60 blue 25 HOLD 300000");
    redis.ask::<redis::Value>("FLASHSALE.RESERVE shoes y ITEMS 2 red 8 blue 2 ID y");
    redis.ask::<String>("FLASHSALE.ALTER shoes USERLIMIT 1");
    let gateway = Gateway::start(&redis.url(), &[]);
    let browser = driver.browser(Screen::DeskInTheDark);
    browser.open(&gateway);
    assert!(browser.is("matchMedia('(prefers-color-scheme: dark)').matches"));
    browser.shoot("dark-open");
    browser.check_legible("dark, open");
    browser.click("reserve");
    browser.wait_for("held", "!$('held').hidden");
    browser.shoot("dark-held");
    browser.check_legible("dark, held");
    let tab = browser.wait(browser.client().new_window(true));
    browser.wait(browser.client().switch_to_window(tab.handle));
    browser.open(&gateway);
    browser.click("reserve");
    browser.wait_for_text("verdict", "You can go on");
    browser.check_legible("dark, refused");
}
