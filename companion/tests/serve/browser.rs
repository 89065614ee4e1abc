//! The page in headless Chromium.
//!
//! **Goal**: what a buyer clicks is one reservation, through double clicks, reloads, two tabs
//! and restarts; each state of a sale is shown, in words; it works on a phone, by keyboard
//! alone, and in the dark.
//!
//! **Method**: each scenario has a Redis, a gateway and a browser of its own, driven by
//! WebDriver. Without chromedriver the test says so and passes. With `FLASHSALE_SCREENSHOTS`
//! each state is kept as a picture in that folder, to be looked at.

use std::process::{Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};

use crate::common::{Process, Redis, free_port, module_path, wait_until};
use crate::gateway::{Gateway, sale};

/// A driver of browsers that runs.
struct Driver {
    port: u16,
    runtime: tokio::runtime::Runtime,
    _process: Process,
}

/// How a browser is to look at the page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Screen {
    Desk,
    DeskInTheDark,
    Phone,
}

impl Driver {
    /// Starts the driver; `None` where there is none.
    fn start() -> Option<Self> {
        let port = free_port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = process else {
            eprintln!("SKIPPED: chromedriver is not installed (make test-companion installs it)");
            return None;
        };
        wait_until("the driver listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Some(Self {
            port,
            runtime: runtime.expect("a runtime"),
            _process: Process(process),
        })
    }

    fn browser(&self, screen: Screen) -> Browser<'_> {
        // As root, and in containers, Chromium has no sandbox.
        let mut arguments = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=640,620",
            "--hide-scrollbars",
            "--lang=en-GB",
        ];
        if screen == Screen::DeskInTheDark {
            arguments.push("--blink-settings=preferredColorScheme=0");
        }
        let mut options = json!({"args": arguments});
        if screen == Screen::Phone {
            let metrics = json!({"width": 360, "height": 740, "pixelRatio": 1.0, "touch": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let mut wanted = serde_json::Map::new();
        wanted.insert("goog:chromeOptions".into(), options);
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(wanted).connect(&url);
        let client = self.runtime.block_on(connecting).expect("a browser");
        Browser {
            driver: self,
            client: Some(client),
        }
    }
}

/// A browser with the page open.
struct Browser<'d> {
    driver: &'d Driver,
    client: Option<Client>,
}

impl Drop for Browser<'_> {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.driver.runtime.block_on(client.close());
        }
    }
}

impl Browser<'_> {
    fn client(&self) -> &Client {
        self.client.as_ref().expect("an open browser")
    }

    fn wait<T>(&self, future: impl Future<Output = Result<T, fantoccini::error::CmdError>>) -> T {
        self.driver
            .runtime
            .block_on(future)
            .expect("the browser answers")
    }

    #[track_caller]
    fn open(&self, gateway: &Gateway) {
        self.wait(self.client().goto(&gateway.url()));
        self.wait_for(
            "the sale is shown",
            "!$('choice').hidden || !$('held').hidden || !$('bought').hidden",
        );
    }

    fn run(&self, script: &str) -> Json {
        self.wait(self.client().execute(script, Vec::new()))
    }

    /// Evaluates an expression, in which `$` finds what has an id.
    fn is(&self, expression: &str) -> bool {
        self.run(&format!("return Boolean({expression})")) == true
    }

    #[track_caller]
    fn wait_for(&self, what: &str, expression: &str) {
        let begin = std::time::Instant::now();
        while !self.is(expression) {
            let shown = self.run("return document.querySelector('main').innerText");
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "waited in vain: {what}; the page shows {shown}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn text(&self, id: &str) -> String {
        let text = self.run(&format!(
            "return document.getElementById('{id}').textContent"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn wait_for_text(&self, id: &str, part: &str) {
        let expression = format!("document.getElementById('{id}').textContent.includes({part:?})");
        self.wait_for(part, &expression);
    }

    fn click(&self, id: &str) {
        self.run(&format!("document.getElementById('{id}').click()"));
    }

    fn press(&self, key: char) {
        let actions = KeyActions::new("keys".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.wait(self.client().perform_actions(actions));
    }

    /// What has the focus: the id, or the label.
    fn focus(&self) -> String {
        let name = self.run("const it = document.activeElement; return it.id || it.getAttribute('aria-label') || it.tagName");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Presses Tab until something has the focus.
    #[track_caller]
    fn tab_to(&self, id: &str) {
        for _ in 0..20 {
            if self.focus() == id {
                return;
            }
            self.press('\u{e004}');
        }
        panic!("no way to {id} by Tab: at {}", self.focus());
    }

    /// Keeps a picture, if pictures are wanted.
    fn shoot(&self, name: &str) {
        let Ok(folder) = std::env::var("FLASHSALE_SCREENSHOTS") else {
            return;
        };
        // Transitions end.
        std::thread::sleep(Duration::from_millis(400));
        let picture = self.wait(self.client().screenshot());
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(format!("{folder}/{name}.png"), picture).expect("a picture");
    }

    /// What is shown can be read: nothing is cut off, and letters stand out from their ground.
    #[track_caller]
    fn check_legible(&self, state: &str) {
        let wrong = self.run(LEGIBLE);
        assert_eq!(wrong, json!([]), "{state}");
    }
}

/// Lists what WCAG 2.2 AA would not pass: contrast below 4.5, a button below 44 pixels or without
/// a name, and what is wider than the screen.
const LEGIBLE: &str = r#"
const wrong = [];
const shown = (it) => it.offsetParent !== null && !it.closest(".sr");
const numbers = (color) => (color.match(/[\d.]+/g) || []).map(Number);
const part = (one) => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
function ground(it) {
  for (; it; it = it.parentElement) {
    const color = numbers(getComputedStyle(it).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
}
for (const it of document.querySelectorAll("main *")) {
  const own = [...it.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
  if (!own || !shown(it)) continue;
  const [a, b] = [light(numbers(getComputedStyle(it).color)), light(ground(it))];
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (contrast < 4.5) wrong.push(`${it.textContent.trim()}: contrast ${contrast.toFixed(2)}`);
}
for (const it of document.querySelectorAll("button")) {
  if (!shown(it)) continue;
  const box = it.getBoundingClientRect();
  if (box.width < 44 || box.height < 44) wrong.push(`${it.id || it.ariaLabel}: ${box.width} x ${box.height}`);
  if (!(it.ariaLabel || it.textContent.trim())) wrong.push("a button without a name");
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push(`${document.documentElement.scrollWidth} > ${innerWidth}`);
return wrong;
"#;

/// Units of the first item that are reserved.
fn reserved(redis: &Redis) -> i64 {
    let stock: Vec<Vec<redis::Value>> = redis.ask("FLASHSALE.STOCK shoes");
    stock
        .iter()
        .map(|item| match item[2] {
            redis::Value::Int(reserved) => reserved,
            _ => 0,
        })
        .sum()
}

fn two_clicks_are_one_reservation(driver: &Driver) {
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

fn a_reload_asks_for_the_same(driver: &Driver) {
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

fn a_second_tab_goes_on_with_the_first(driver: &Driver) {
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

fn an_expiry_is_seen(driver: &Driver) {
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

fn all_reserved_and_sold_out_are_seen(driver: &Driver) {
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

fn the_start_is_counted_down(driver: &Driver) {
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

fn restarts_are_survived(driver: &Driver) {
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

fn it_fits_a_phone(driver: &Driver) {
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

fn it_works_by_keyboard_alone(driver: &Driver) {
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

fn it_can_be_read_in_the_dark(driver: &Driver) {
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

type Scenario = (&'static str, fn(&Driver));

const SCENARIOS: [Scenario; 10] = [
    ("two clicks", two_clicks_are_one_reservation),
    ("reload", a_reload_asks_for_the_same),
    ("two tabs", a_second_tab_goes_on_with_the_first),
    ("expiry", an_expiry_is_seen),
    ("sold out", all_reserved_and_sold_out_are_seen),
    ("start", the_start_is_counted_down),
    ("restarts", restarts_are_survived),
    ("phone", it_fits_a_phone),
    ("keyboard", it_works_by_keyboard_alone),
    ("dark", it_can_be_read_in_the_dark),
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
