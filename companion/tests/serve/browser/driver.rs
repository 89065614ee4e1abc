//! Chromium, driven by WebDriver.

use std::process::{Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value as Json, json};

use crate::common::{Process, free_port, wait_until};
use crate::gateway::Gateway;

/// A driver of browsers that runs.
pub struct Driver {
    port: u16,
    runtime: tokio::runtime::Runtime,
    _process: Process,
}

/// How a browser is to look at the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Desk,
    DeskInTheDark,
    Phone,
}

impl Driver {
    /// Starts the driver; `None` where there is none.
    pub fn start() -> Option<Self> {
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

    pub fn browser(&self, screen: Screen) -> Browser<'_> {
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
pub struct Browser<'d> {
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
    pub fn client(&self) -> &Client {
        self.client.as_ref().expect("an open browser")
    }

    pub fn wait<T>(
        &self,
        future: impl Future<Output = Result<T, fantoccini::error::CmdError>>,
    ) -> T {
        self.driver
            .runtime
            .block_on(future)
            .expect("the browser answers")
    }

    #[track_caller]
    pub fn open(&self, gateway: &Gateway) {
        self.wait(self.client().goto(&gateway.url()));
        self.wait_for(
            "the sale is shown",
            "!$('choice').hidden || !$('held').hidden || !$('bought').hidden",
        );
    }

    pub fn run(&self, script: &str) -> Json {
        self.wait(self.client().execute(script, Vec::new()))
    }

    /// Evaluates an expression, in which `$` finds what has an id.
    pub fn is(&self, expression: &str) -> bool {
        self.run(&format!("return Boolean({expression})")) == true
    }

    #[track_caller]
    pub fn wait_for(&self, what: &str, expression: &str) {
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

    pub fn text(&self, id: &str) -> String {
        let text = self.run(&format!(
            "return document.getElementById('{id}').textContent"
        ));
        text.as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn wait_for_text(&self, id: &str, part: &str) {
        let expression = format!("document.getElementById('{id}').textContent.includes({part:?})");
        self.wait_for(part, &expression);
    }

    pub fn click(&self, id: &str) {
        self.run(&format!("document.getElementById('{id}').click()"));
    }

    pub fn press(&self, key: char) {
        let actions = KeyActions::new("keys".to_owned())
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key });
        self.wait(self.client().perform_actions(actions));
    }

    /// What has the focus: the id, or the label.
    pub fn focus(&self) -> String {
        let name = self.run("const it = document.activeElement; return it.id || it.getAttribute('aria-label') || it.tagName");
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Presses Tab until something has the focus.
    #[track_caller]
    pub fn tab_to(&self, id: &str) {
        for _ in 0..20 {
            if self.focus() == id {
                return;
            }
            self.press('\u{e004}');
        }
        panic!("no way to {id} by Tab: at {}", self.focus());
    }

    /// Keeps a picture, if pictures are wanted.
    pub fn shoot(&self, name: &str) {
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
    pub fn check_legible(&self, state: &str) {
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
