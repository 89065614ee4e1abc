"""Headless Chromium, by WebDriver: as much of it as the tests need."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import httpx
from servers import free_port, until

DRIVER = shutil.which("chromedriver")
# Browsers that are open.
SESSIONS: set[str] = set()
SCREENS: dict[str, dict[str, Any]] = {
    "desk": {},
    "dark": {"dark": True},
    "phone": {"mobileEmulation": {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2.0, "touch": True}}},
}


class Page:
    """One browser with one page."""

    def __init__(self, http: httpx.Client, screen: str) -> None:
        of = dict(SCREENS[screen])
        # As root, and in containers, Chromium has no sandbox.
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1100,1000", "--hide-scrollbars"]
        if of.pop("dark", False):
            arguments.append("--blink-settings=preferredColorScheme=0")
        wanted = {"goog:chromeOptions": {"args": arguments, **of}, "goog:loggingPrefs": {"browser": "ALL"}}
        self.http = http
        self.session = self.post("/session", capabilities={"alwaysMatch": wanted})["sessionId"]
        SESSIONS.add(self.session)

    def post(self, path: str, **body: Any) -> Any:
        reply = self.http.post(path, json=body).json()["value"]
        if isinstance(reply, dict) and "error" in reply:
            raise RuntimeError(f"{reply['error']}: {reply['message']}")
        return reply

    def command(self, path: str, **body: Any) -> Any:
        return self.post(f"/session/{self.session}/{path}", **body)

    def open(self, url: str) -> None:
        self.command("url", url=url)

    def run(self, script: str) -> Any:
        return self.command("execute/sync", script=script, args=[])

    def wait_for(self, expression: str, seconds: float = 20) -> Any:
        """Waits until an expression of the page is true, and returns it."""
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {expression}")):
            shown = self.run("return document.querySelector('main').innerText")
            assert time.monotonic() < end, f"in vain: {expression}; the page shows {shown}; {self.errors()}"
            time.sleep(0.05)
        return found

    def act(self, kind: str, *steps: dict[str, Any], **of: Any) -> None:
        self.command("actions", actions=[{"type": kind, "id": kind, **of, "actions": list(steps)}])

    def press(self, *keys: str) -> None:
        for key in keys:
            self.act("key", {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})

    def click_at(self, x: float, y: float, touch: bool = False) -> None:
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}
        kind = {"parameters": {"pointerType": "touch" if touch else "mouse"}}
        self.act("pointer", move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}, **kind)

    def click(self, id: str) -> None:
        self.run(f"document.getElementById('{id}').click()")

    def text(self, id: str) -> str:
        return str(self.run(f"return document.getElementById('{id}').textContent"))

    def errors(self) -> list[str]:
        """What the page said went wrong."""
        told = [one["message"] for one in self.command("se/log", type="browser") if one["level"] == "SEVERE"]
        return [one for one in told if "favicon.ico" not in one]

    def shoot(self, name: str) -> None:
        """Keeps a picture, if pictures are wanted."""
        if folder := os.environ.get("FLASHSALE_SCREENSHOTS"):
            picture = self.http.get(f"/session/{self.session}/screenshot").json()["value"]
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(picture))

    def close(self) -> None:
        self.http.delete(f"/session/{self.session}")
        SESSIONS.discard(self.session)


@contextlib.contextmanager
def browsers() -> Iterator[httpx.Client]:
    """A driver that runs."""
    port = free_port()
    process = subprocess.Popen([str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def is_up() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return bool(http.get("/status").json()["value"]["ready"])
        return False

    try:
        until(is_up, "chromedriver")
        yield http
    finally:
        # Of tests that failed: a driver that is killed leaves its browsers behind.
        for session in list(SESSIONS):
            with contextlib.suppress(httpx.HTTPError):
                http.delete(f"/session/{session}")
        process.kill()
        process.wait()
