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
from flashsale import new_pass, part_of  # noqa: E402
from on_sale import IS_CLUSTER, SPLIT, OnSale  # noqa: E402
from servers import Server, free_port, join, until  # noqa: E402

PROGRAM = os.environ.get("FLASHSALE_PROGRAM", str(ROOT / "target/companion/debug/flashsale"))
IS_SHORT = os.environ.get("FLASHSALE_RUN") == "short"
PARTS = ("psp", "shop", "jobs", "worker", "reconcile")
PRICES = {"red": 12900, "blue": 11900, "stalls": 8900, "circle": 6900, "balcony": 3900, "licence": 1900}
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


class Shop(OnSale):
    """A shop that is running, and what a test does to it and asks of it.

    Its sale is on one server, or with `SHOP_CLUSTER=yes` on a cluster of three, with a driver that
    brings units to the part where they are asked for.
    """

    def __init__(self, parts: tuple[str, ...] = PARTS, fsync: str = "everysec", late_ms: int = 0, copies: int = 1, stale_ms: int = 2000) -> None:
        self.folder = tempfile.mkdtemp(prefix="flashsale-shop-")
        options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no") if IS_CLUSTER else ()
        self.servers = [Server("--appendonly", "yes", "--appendfsync", fsync, *options) for _ in range(3 if IS_CLUSTER else 1)]
        self.server = self.servers[0]
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
        try:
            if IS_CLUSTER:
                join(self.servers)
                self.redis = redis.RedisCluster(host="127.0.0.1", port=self.server.port, socket_timeout=10, decode_responses=True)
            else:
                self.redis = self.server.client()
            self.find_parts()
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
                command = self.driver("balance") if part == "driver" else command_of(part)
                self.processes[part] = subprocess.Popen(command, env=os.environ | self.settings, cwd=self.folder, stdout=log, stderr=log)

    def kill(self, *parts: str) -> None:
        """As `kill -9`."""
        for part in parts:
            self.processes[part].kill()
            self.processes.pop(part).wait()

    def driver(self, what: str) -> list[str]:
        """A command of `flashsale split`."""
        return [PROGRAM, "split", what, "shoes", "--redis", self.settings["SHOP_REDIS"], "--cluster", "--parts", str(SPLIT)]

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
        for table in ("intents", "orders", "refunds", "jobs", "alarms", "denied", "keys"):
            self.db.execute(f"DELETE FROM {table}")
        self.start(*(part for part in PARTS if part not in self.processes))

    def end(self) -> None:
        self.kill(*list(self.processes))
        for server in self.servers:
            server.kill() if os.environ.get("SHOP_KEEP") else server.end()
        if not os.environ.get("SHOP_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self, part: str) -> str:
        return Path(f"{self.folder}/{part}.log").read_text()

    # --- the sale: what is the same with parts is in `on_sale.py`

    def name_units(self, sku: str, *names: str, sealed: bool = False) -> None:
        """Names units side by side: seats of a row, or keys."""
        words = ("SEALED",) if sealed else ()
        self.call("RESTOCK", "UNITS", sku, len(names), *names, *words, "NEW", "REF", f"row-{sku}-{names[0]}")

    def build_hall(self) -> None:
        """Three rows of stalls and one of the balcony, ten seats each."""
        for row in "ABC":
            self.name_units("stalls", *(f"{row}-{seat}" for seat in range(1, 11)))
        self.name_units("balcony", *(f"D-{seat}" for seat in range(1, 11)))

    def aof(self) -> Path:
        return max(Path(self.server.folder).glob("appendonlydir/*.incr.aof"), key=lambda file: file.stat().st_mtime_ns)

    def cut(self, size: int) -> None:
        """Kills the server, cuts its AOF to a size (below 0: by so much), and starts it again.

        Then the AOF is written anew, as the runbook says: a MULTI whose end was cut off stays in
        the file otherwise, and the next start but one carries out half a transaction.
        """
        self.server.kill()
        os.truncate(self.aof(), size if size >= 0 else self.aof().stat().st_size + size)
        self.server.start()
        self.redis.bgrewriteaof()
        until(lambda: self.redis.info("persistence")["aof_rewrite_in_progress"] == 0, "a new AOF")

    def aof_size(self) -> int:
        """Of all that was answered: while a disk is slow, the server keeps some of it back."""
        until(lambda: not self.redis.info("persistence").get("aof_buffer_length"), "the AOF written")
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
        while shop.near not in (None, part_of(self.http.cookies["user"], len(shop.split.parts))):
            self.http.cookies.clear()
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

    def take(self, *seats: str, id: str | None = None, status: int = 201, **more: object) -> Any:
        """Reserves seats by their names; answers what the shop said."""
        return self.ask("POST", "/cart", status, id=id or self.new_id(), units=list(seats), **more)

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
