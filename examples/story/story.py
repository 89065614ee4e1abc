"""The whole story: a server, a worker, a gateway with its page, a provider and a till; a rush over
HTTP, while each part is killed in turn; and then five books that have to agree to the cent.

    make shop                                        20,000 buyers within 20 s
    make shop ARGS="--buyers 2000 --within 5 --keep" and leaves all running for your browser

Exit code 0 only if all books agree. Nothing is killed but what it has started itself.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable

import redis

from checks import Books

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PSP = ROOT / "examples/shop-python/psp.py"
PROGRAM = os.environ.get("FLASHSALE_PROGRAM", str(ROOT / "target/companion/release/flashsale"))
MODULE = os.environ.get("FLASHSALE_MODULE", str(ROOT / "target/release/libflashsale.so"))
SERVER = os.environ.get("FLASHSALE_SERVER", "redis-server")
VICTIMS = ("server", "worker", "gateway", "till")
# Short, so that what a buyer abandons is back on sale within the rush.
HOLD_MS, GRACE_MS = 2000, 500
# Of so many orders one is sent back.
RETURNS = 20


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait(holds: Callable[[], object], what: str, seconds: float) -> bool:
    """Waits until something holds, and says every 2 s that it does."""
    end, says = time.monotonic() + seconds, time.monotonic() + 2
    while not holds():
        now = time.monotonic()
        if now > end:
            print(f"story: in vain for {seconds:g} s: {what}", flush=True)
            return False
        if now > says:
            print(f"story: waiting for {what}", flush=True)
            says = now + 2
        time.sleep(0.05)
    return True


class Nobody(http.server.BaseHTTPRequestHandler):
    """Answers the provider's webhooks, which the till does not need, and buyers who come back from it."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Story:
    """All parts, as processes of their own on free ports of the loopback, in a folder of their own."""

    def __init__(self, stock: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="flashsale-story-"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        port, psp_port, web_port, worker_port = (free_port() for _ in range(4))
        self.redis_url, self.psp_url = f"redis://127.0.0.1:{port}", f"http://127.0.0.1:{psp_port}"
        self.url, self.worker_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{worker_port}/metrics"
        self.hooks = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nobody)
        threading.Thread(target=self.hooks.serve_forever, daemon=True).start()
        self.settings = {
            "FLASHSALE_REDIS": self.redis_url,
            "FLASHSALE_SQL": f"sqlite:{self.folder}/shop.db",
            "SHOP_PSP": self.psp_url,
            "SHOP_PSP_SECRET": secrets.token_hex(16),
            "SHOP_URL": f"http://127.0.0.1:{self.hooks.server_port}",
            "PSP_LATE_MS": "0",
            "PSP_COPIES_MAX": "1",
        }
        python = [sys.executable, "-B"]
        sale = ["--sale", "shoes", "--orders", "shoes:orders"]
        hooks = ["--then", str(HERE / "order.sql"), "--on", f"refund={HERE / 'refund.sql'}"]
        self.commands = {
            "server": [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--loadmodule", MODULE]
            + ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
            "psp": [*python, str(PSP)],
            "worker": [PROGRAM, "worker", "--orders", "shoes:orders", "--name", "story", *hooks]
            + ["--metrics", f"127.0.0.1:{worker_port}"],
            "gateway": [PROGRAM, "serve", *sale, "--listen", f"127.0.0.1:{web_port}"],
            "till": [*python, str(HERE / "till.py"), f"{self.folder}/shop.db"],
        }
        self.redis: Any = redis.Redis.from_url(self.redis_url, decode_responses=True)
        try:
            self.set(stock)
        except BaseException:
            self.end()
            raise

    def set(self, stock: int) -> None:
        self.db = sqlite3.connect(f"{self.folder}/shop.db", timeout=30, isolation_level=None)
        # A commit is on disk even if the machine, and not only a process, dies.
        self.db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + (HERE / "schema.sql").read_text())
        self.start("server")
        assert wait(self.is_up, "the server", 30), self.log("server")
        self.stock = {"red": stock // 2, "blue": stock * 3 // 10, "green": stock - stock // 2 - stock * 3 // 10}
        items = [word for line in self.stock.items() for word in line]
        limits = ["USERLIMIT", 2, "ORDERLIMIT", 4, "HOLD", HOLD_MS, "GRACE", GRACE_MS]
        self.redis.execute_command("FLASHSALE.CREATE", "shoes", "shoes:orders", "ITEMS", len(self.stock), *items, *limits)
        self.start("psp", "worker", "gateway", "till")
        for part, port in (("psp", self.psp_url), ("gateway", self.url), ("worker", self.worker_url)):
            assert wait(lambda: self.listens(port), f"the {part}", 30), self.log(part)

    @staticmethod
    def listens(url: str) -> bool:
        host, port = url.split("/")[2].split(":")
        with socket.socket() as one:
            return one.connect_ex((host, int(port))) == 0

    def is_up(self) -> bool:
        try:
            return bool(self.redis.ping())
        except redis.RedisError:
            return False

    def log(self, part: str) -> str:
        return (self.folder / f"{part}.log").read_text()

    def start(self, *parts: str) -> None:
        for part in parts:
            with open(self.folder / f"{part}.log", "ab") as log:
                # Out of the terminal's group: Ctrl-C is for the story, which ends them in order.
                self.processes[part] = subprocess.Popen(
                    self.commands[part],
                    env=os.environ | self.settings,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def kill(self, part: str) -> None:
        """As `kill -9`."""
        self.processes[part].kill()
        self.processes.pop(part).wait()

    def end(self) -> None:
        for part in list(self.processes):
            self.kill(part)
        self.hooks.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rush(self, buyers: int, within_s: float, seed: int | None) -> int:
        """Sends the buyers, kills each part in turn while they come, and returns load's exit code."""
        command = [PROGRAM, "load", "spike", "--target", self.url, "--redis", self.redis_url, "--sale", "shoes"]
        command += ["--buyers", str(buyers), "--within", f"{within_s * 1000:.0f}ms", "--outages", "--p95", "60s", "--behind", "60s"]
        load = subprocess.Popen(command + (["--seed", str(seed)] if seed is not None else []))
        kills, began = 0, time.monotonic()
        try:
            wait(lambda: self.redis.xlen("shoes:orders") > 0 or load.poll() is not None, "the first order", 60)
            # Each at least once. Not for longer: load reads the books once the buyers have left.
            while time.monotonic() - began < within_s or kills < len(VICTIMS):
                victim = VICTIMS[kills % len(VICTIMS)]
                self.kill(victim)
                print(f"story: {time.monotonic() - began:.1f} s: {victim} killed, started again", flush=True)
                self.start(victim)
                kills += 1
                time.sleep(1.0 if kills < len(VICTIMS) else 3.0)
            return load.wait()
        finally:
            if load.poll() is None:
                load.terminate()
                load.wait()

    def send_back(self) -> int:
        """Some buyers send their shoes back: REFUND, under a REF that makes it safe to repeat."""
        orders = [one["id"] for _, one in self.redis.xrange("shoes:orders") if one["event"] == "order"]
        for id in orders[::RETURNS]:
            self.redis.execute_command("FLASHSALE.REFUND", "shoes", "shoes:orders", id, "REF", "sent-back")
        return len(orders[::RETURNS])

    # --- the books

    def payments(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.psp_url}/books", timeout=30) as reply:
            payments: list[dict[str, Any]] = json.load(reply)["payments"]
            return payments

    def is_settled(self) -> bool:
        """Whether the worker has stored every entry and the till has done every job."""
        groups = [one for one in self.redis.xinfo_groups("shoes:orders") if one["name"] == "sql"]
        open_jobs = self.db.execute("SELECT count(*) FROM jobs WHERE NOT is_done").fetchone()[0]
        return bool(groups) and not (groups[0]["lag"] or groups[0]["pending"] or open_jobs)

    def check(self) -> list[str]:
        """Compares the books, prints them with the verdict first, and returns the differences."""
        wrong = [] if wait(self.is_settled, "the worker and the till", 60) else ["the worker or the till is not done"]
        books = Books.read(self.redis, self.db, self.payments())
        wrong += books.compare(self.stock)
        print(f"\n{'FAILED: the books differ.' if wrong else 'PASSED: the books agree to the cent.'}\n\n{books.table()}", flush=True)
        for line in wrong[:10]:
            print(f"  {line}")
        if len(wrong) > 10:
            print(f"  ... and {len(wrong) - 10} more")
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="make shop ARGS=...", description="The whole story by one command")
    parser.add_argument("--buyers", type=int, default=20_000)
    parser.add_argument("--within", type=float, default=20, help="within how many seconds they all come")
    parser.add_argument("--stock", type=int, default=2000, help="units of three items together")
    parser.add_argument("--seed", type=int, help="the same crowd again")
    parser.add_argument("--keep", action="store_true", help="leave all running for a browser, until Ctrl-C")
    options = parser.parse_args()
    # Whoever ends the story ends its processes, also where a shell started it in the background, and
    # with Ctrl-C ignored.
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    print("story: starting server, provider, worker, gateway and till", flush=True)
    story = Story(options.stock)
    try:
        print(f"  the page      {story.url}/\n  the gateway   {story.url}/metrics\n  the worker    {story.worker_url}")
        print(f"  the provider  {story.psp_url}/books\n  the server    {story.redis_url}\n  SQL and logs  {story.folder}", flush=True)
        code = story.rush(options.buyers, options.within, options.seed)
        print(f"\nstory: {story.send_back()} buyers send their shoes back", flush=True)
        wrong = story.check()
        if options.keep:
            story.redis.execute_command("FLASHSALE.ALTER", "shoes", "HOLD", 300_000)
            print(f"\nAll is still running: look at {story.url}/. Ctrl-C checks the books again and ends it.", flush=True)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                wrong += story.check()
        if code:
            print(f"FAILED: load ended with {code}, see above.")
        return int(bool(wrong or code))
    except KeyboardInterrupt:
        print("story: stopped before the books were checked")
        return 3
    finally:
        story.end()


if __name__ == "__main__":
    sys.exit(main())
