"""The whole shop as processes of its own: server, provider, shop, jobs, worker, reconcile.

`FLASHSALE_SERVER` is the server's program, `FLASHSALE_MODULE` the module.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import httpx
import redis

SHOP = Path(os.environ.get("SHOP_FOLDER", Path(__file__).resolve().parents[1]))
ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "clients/python/tests"))
from flashsale import new_pass  # noqa: E402
from servers import Server, free_port, until  # noqa: E402

IS_SHORT = os.environ.get("FLASHSALE_RUN") == "short"
PARTS = ("psp", "shop", "jobs", "worker", "reconcile")
PRICES = {"red": 12900, "blue": 11900}
UNDECIDED = ("open", "authorised", "closing", "sold")
PASSWORD = "correct horse"
# Making the certificates of a client takes longer than the request.
HTTP = httpx.Client(timeout=10, verify=False)


def command_of(part: str) -> list[str]:
    """What starts a part of the shop in `SHOP_FOLDER`, be it Python or Node.js; the provider is one for both."""
    if (SHOP / f"{part}.js").exists():
        return ["node", str(SHOP / f"{part}.js")]
    folder = SHOP if part != "psp" else Path(__file__).resolve().parents[1]
    return [sys.executable, "-B", str(folder / f"{part}.py")]


class Shop:
    """A shop that is running, and what a test does to it and asks of it."""

    def __init__(self, parts: tuple[str, ...] = PARTS, fsync: str = "everysec", late_ms: int = 0, copies: int = 1, stale_ms: int = 2000) -> None:
        self.folder = tempfile.mkdtemp(prefix="flashsale-shop-")
        self.server = Server("--appendonly", "yes", "--appendfsync", fsync)
        self.secret, self.passkey = secrets.token_hex(16), secrets.token_hex(16)
        self.url, self.psp_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.settings = {
            "SHOP_REDIS": f"redis://127.0.0.1:{self.server.port}",
            "SHOP_DB": f"{self.folder}/shop.db",
            "SHOP_URL": self.url,
            "SHOP_PSP": self.psp_url,
            "SHOP_PSP_SECRET": self.secret,
            "SHOP_ADMIN_PASSWORD": PASSWORD,
            "SHOP_PASSKEY": self.passkey,
            "SHOP_STALE_MS": str(stale_ms),
            "PSP_LATE_MS": str(late_ms),
            "PSP_COPIES_MAX": str(copies),
        }
        self.base = 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.redis: Any = self.server.client()
        try:
            for part in parts:
                self.start(part)
            self.db = sqlite3.connect(f"{self.folder}/shop.db", timeout=30, isolation_level=None)
            self.db.row_factory = sqlite3.Row
            for part, url in (("psp", self.psp_url + "/books"), ("shop", self.url)):
                if part in parts:
                    self.wait_for(url)
        except BaseException:
            self.end()
            raise

    def wait_for(self, url: str) -> None:
        def is_up() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                return HTTP.get(url).status_code < 500
            return False

        until(is_up, f"{url}; see {self.folder}")

    # --- processes

    def start(self, *parts: str) -> None:
        for part in parts:
            with open(f"{self.folder}/{part}.log", "ab") as log:
                self.processes[part] = subprocess.Popen(command_of(part), env=os.environ | self.settings, cwd=self.folder, stdout=log, stderr=log)

    def kill(self, *parts: str) -> None:
        """As `kill -9`."""
        for part in parts:
            self.processes[part].kill()
            self.processes.pop(part).wait()

    def report(self) -> None:
        """Prints what there is to know of a shop that does not do what it should."""
        print(f"the folders: {self.folder}, {self.server.folder}")
        print("ended:", {part: one.returncode for part, one in self.processes.items() if one.poll() is not None})
        for query in (f"SELECT * FROM intents WHERE state IN {UNDECIDED}", "SELECT * FROM jobs", "SELECT * FROM alarms"):
            print([dict(row) for row in self.rows(query)])

    def reset(self) -> None:
        """As new, for less than new processes would take."""
        self.kill(*(part for part in ("jobs", "worker", "reconcile") if part in self.processes))
        if self.server.process.poll() is not None:
            self.server.start()
        self.redis.flushall()
        self.base = self.net() + self.base
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
        for table in ("intents", "orders", "refunds", "jobs", "alarms", "denied"):
            self.db.execute(f"DELETE FROM {table}")
        self.start(*(part for part in PARTS if part not in self.processes))

    def end(self) -> None:
        self.kill(*list(self.processes))
        self.server.kill() if os.environ.get("SHOP_KEEP") else self.server.end()
        if not os.environ.get("SHOP_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, part: str) -> str:
        return Path(f"{self.folder}/{part}.log").read_text()

    # --- the sale

    def create(self, red: int = 10, blue: int = 10, hold_ms: int = 60_000, grace_ms: int = 0, userlimit: int = 2, waiting: int = 0) -> None:
        stock = ("ITEMS", 2, "red", red, "blue", blue, "USERLIMIT", userlimit, "HOLD", hold_ms, "GRACE", grace_ms, "WAITING", waiting)
        door = ("PASSKEY", 1, self.passkey, "USERRATE", 20, 10_000, "FROMRATE", 2000, 10_000)
        self.redis.execute_command("FLASHSALE.CREATE", "shoes", "shoes:orders", *stock, *door, "EVENTS", "all")

    def reached(self) -> str:
        """The entry that the worker was given last. After a restart `lag` and `entries-read` may be wrong."""
        groups = self.redis.xinfo_groups("shoes:orders")
        return str(groups[0]["last-delivered-id"]) if groups else ""

    def is_read(self) -> bool:
        """Whether every entry was read, and is acknowledged."""
        last = self.redis.xrevrange("shoes:orders", count=1)
        return bool(last and self.reached() == last[0][0] and not self.redis.xpending("shoes:orders", "books")["pending"])

    def call(self, command: str, *words: object) -> Any:
        return self.redis.execute_command(f"FLASHSALE.{command}", "shoes", *words)

    def map(self, command: str, *words: object) -> dict[str, Any]:
        flat = self.call(command, *words)
        return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))

    def aof(self) -> Path:
        return max(Path(self.server.folder).glob("appendonlydir/*.incr.aof"), key=lambda file: file.stat().st_mtime_ns)

    def cut(self, size: int) -> None:
        """Kills the server, cuts its AOF to a size (below 0: by so much), and starts it again.

        Then the AOF is written anew, as the runbook says: a MULTI whose end was cut off stays in
        the file otherwise, and the next start but one carries out half a transaction.
        """
        self.server.kill()
        os.truncate(self.aof(), size if size >= 0 else self.aof_size() + size)
        self.server.start()
        self.redis.bgrewriteaof()
        until(lambda: self.redis.info("persistence")["aof_rewrite_in_progress"] == 0, "a new AOF")

    def aof_size(self) -> int:
        return self.aof().stat().st_size

    # --- the books

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.db.execute(query, values).fetchall()

    def intent(self, reservation: str) -> Any:
        (row,) = self.rows("SELECT * FROM intents WHERE reservation = ?", reservation)
        return row

    def state(self, reservation: str) -> str:
        return str(self.intent(reservation)["state"])

    def reaches(self, reservation: str, *states: str, seconds: float = 20) -> None:
        until(lambda: self.state(reservation) in states, f"{states} of {reservation}; it is {dict(self.intent(reservation))}", seconds)

    def is_idle(self) -> bool:
        return not self.rows("SELECT * FROM jobs")

    def alarms(self) -> list[str]:
        return [row["topic"] for row in self.rows("SELECT topic FROM alarms")]

    def books(self) -> Any:
        return HTTP.get(f"{self.psp_url}/books").json()

    def payments(self, reservation: str) -> list[Any]:
        intent = self.intent(reservation)["id"]
        return [one for one in self.books()["payments"] if one["intent"] == intent]

    def net(self) -> int:
        """What the shop has got, since the last reset."""
        books = self.books()
        return int(books["captured"] - books["refunded"]) - self.base

    # --- the provider's webhooks, by hand

    def webhook(self, payment: Any, state: str | None = None, signature: str | None = None) -> int:
        told = {name: payment[name] for name in ("intent", "ref", "cents")}
        body = json.dumps({**told, "state": state or payment["state"]}).encode()
        signed = signature or hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return HTTP.post(f"{self.url}/webhook", content=body, headers={"Psp-Signature": signed}).status_code

    def buyer(self) -> Buyer:
        return Buyer(self)


class Buyer:
    """A browser: a cookie, and the ids that its page made."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.http = httpx.Client(base_url=shop.url, timeout=30, verify=False)
        self.http.get("/")

    def new_id(self) -> str:
        return secrets.token_hex(12)

    def ask(self, method: str, path: str, status: int, **body: object) -> Any:
        """The same request again until there is an answer, as the page does."""
        end = time.monotonic() + 20
        while True:
            reply = self.http.request(method, path, json=body)
            if reply.status_code < 500 or time.monotonic() > end:
                assert reply.status_code == status, reply.text
                return reply.json()
            time.sleep(0.1)

    def reserve(self, units: dict[str, int], id: str | None = None) -> str:
        id = id or self.new_id()
        self.ask("POST", "/cart", 201, id=id, items=units)
        return id

    def reserve_briefly(self, hold_ms: int = 2000) -> str:
        """A pair of red shoes for less than the sale's HOLD, with an intent."""
        id = self.new_id()
        user = self.http.cookies["user"]
        pass_ = new_pass(self.shop.passkey, id, user, int(time.time() * 1000) + 60_000)
        self.shop.call("RESERVE", user, "ITEMS", 1, "red", 1, "ID", id, "HOLD", hold_ms, "PASS", pass_)
        self.ask("POST", "/pay", 200, id=id)
        return id

    def pay(self, id: str, method: str = "card", times: int = 1) -> None:
        """Pays at the provider, whose redirect is not followed: its webhook comes."""
        url = self.ask("POST", "/pay", 200, id=id)["pay_url"]
        for _ in range(times):
            assert HTTP.post(url, data={"method": method}).status_code == 303

    def order(self, id: str) -> Any:
        return self.http.get(f"/order/{id}").json()


@contextlib.contextmanager
def running(**of: Any) -> Iterator[Shop]:
    shop = Shop(**of)
    try:
        yield shop
    finally:
        shop.end()


def operator(shop: Shop) -> httpx.Client:
    http = httpx.Client(base_url=shop.url, timeout=30, verify=False)
    assert http.post("/admin/login", json={"password": PASSWORD}).status_code == 200
    return http


def wait(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    until(condition, what, seconds)
