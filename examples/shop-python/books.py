"""What all parts of the shop share: the settings, the database, the sale."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import redis
import redis.asyncio
from flashsale import AsyncSplitSale, SplitSale, new_pass

HERE = Path(__file__).parent
REDIS_URL = os.environ.get("SHOP_REDIS", "redis://127.0.0.1:6379")
IS_CLUSTER = os.environ.get("SHOP_CLUSTER") == "yes"
KEY = os.environ.get("SHOP_SALE", "shoes")
# So many parts a split sale has (docs/split.md). Else the sale is one key, and its own only part.
SPLIT = os.environ.get("SHOP_SPLIT", "")
if SPLIT and not (SPLIT.isdecimal() and 1 <= int(SPLIT) <= 1024):
    raise SystemExit("shop: SHOP_SPLIT is the number of parts, 1 to 1024")
PARTS = int(SPLIT or "1")
# Of a split sale these are templates, with {} for the part.
PLACE = {
    "keys": os.environ.get("SHOP_KEYS", "{}") if SPLIT else KEY,
    "streams": os.environ.get("SHOP_ORDERS", "{}:orders" if SPLIT else "shoes:orders"),
}
if SPLIT and not all("{}" in template for template in PLACE.values()):
    raise SystemExit("shop: SHOP_KEYS and SHOP_ORDERS of a split sale have {} for the part")
SHOP_URL = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")
IS_TLS = SHOP_URL.startswith("https:")
# The REF under which an order goes back whose money is gone.
UNPAID = "unpaid"
# How long something may take before `reconcile` looks at it.
STALE_MS = int(os.environ.get("SHOP_STALE_MS", "60000"))
CURRENCY = "EUR"
# Makes the passes of a sale with PASSKEY: whoever has it lets people in. It is written nowhere.
PASSKEY = os.environ.get("SHOP_PASSKEY", "")
if PASSKEY and not 16 <= len(PASSKEY.encode()) <= 128:
    raise SystemExit("shop: SHOP_PASSKEY has 16 to 128 bytes")
# A pass is sent at once: so long for clocks that differ, and for retries.
PASS_MS = 60_000


def now_ms() -> int:
    return int(time.time() * 1000)


def sale() -> SplitSale:
    # One thread asks, so one connection is enough.
    client = redis.RedisCluster if IS_CLUSTER else redis.Redis
    return SplitSale(client.from_url(REDIS_URL, socket_timeout=5), KEY, PARTS, **PLACE)


def async_sale(connections: int = 50) -> AsyncSplitSale:
    if IS_CLUSTER:
        split = AsyncSplitSale(redis.asyncio.RedisCluster.from_url(REDIS_URL, socket_timeout=5), KEY, PARTS, **PLACE)
        # A client a part: one that loses a node looks for all of them anew, and closes what others are
        # using. It makes as many connections as requests come at once: let a proxy limit those.
        for part in split.parts[1:]:
            part.redis = redis.asyncio.RedisCluster.from_url(REDIS_URL, socket_timeout=5)
        return split
    # In a rush more requests come at once than there are connections: they wait for one. A pool that
    # does not wait fails, and each retry makes the rush larger.
    pool = redis.asyncio.BlockingConnectionPool.from_url(REDIS_URL, socket_timeout=5, max_connections=connections, timeout=5)
    return AsyncSplitSale(redis.asyncio.Redis(connection_pool=pool), KEY, PARTS, **PLACE)


def check_parts(db: sqlite3.Connection) -> None:
    """Ends a process of the shop whose settings are not those of the split sale, where this can be asked."""
    if not SPLIT:
        return
    shoes = sale()
    try:
        # What `flashsale split create` has written down; users of another number are on other parts.
        for field, mine in {"parts": str(PARTS), **PLACE}.items():
            known = shoes.parts[0].redis.hget(f"{{{KEY}}}:parts", field)
            if known and known.decode() != mine:
                raise SystemExit(f"shop: {KEY} has {field} {known.decode()}, for ever, and this shop is set to {mine}")
        skus = [item.sku for item in shoes.parts[0].stock() if item]
    except redis.RedisError as error:
        print(f"shop: the parts of {KEY} could not be checked: {error!r}", flush=True)
        return
    for sku in skus:
        if db.execute("SELECT 1 FROM named WHERE sku = ?", (sku,)).fetchone():
            raise SystemExit(f"shop: the units of {sku!r} have names, and those of a split sale have none: make {sku!r} a sale of its own")


def connect() -> sqlite3.Connection:
    # Without isolation_level the transactions are ours: `transaction`.
    db = sqlite3.connect(os.environ.get("SHOP_DB", "shop.db"), timeout=30, isolation_level=None)
    db.row_factory = sqlite3.Row
    # FULL: what was committed is there after a power cut, too.
    db.execute("PRAGMA synchronous=FULL")
    # The processes start at once, and for the one that makes a new file WAL the others do not wait by themselves.
    for left in reversed(range(100)):
        try:
            db.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError:
            if not left:
                raise
            time.sleep(0.1)
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'denied'").fetchone():
        db.executescript((HERE / "schema.sql").read_text())
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and never open while somebody else is waited for."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def intent_of(db: sqlite3.Connection, column: str, value: object) -> Any:
    return db.execute(f"SELECT * FROM intents WHERE {column} = ?", (value,)).fetchone()


def move(db: sqlite3.Connection, intent: str, states: tuple[str, ...], to: str, psp_ref: str | None = None) -> bool:
    """Moves an intent on, if it is in one of the states; says whether it was."""
    marks = ", ".join("?" * len(states))
    change = f"UPDATE intents SET state = ?, changed_at_ms = ?, psp_ref = coalesce(?, psp_ref) WHERE id = ? AND state IN ({marks})"
    return db.execute(change, (to, now_ms(), psp_ref, intent, *states)).rowcount == 1


def add_job(db: sqlite3.Connection, kind: str, intent: str, ref: str = "", due_at_ms: int = 0) -> None:
    db.execute(
        "INSERT INTO jobs (kind, intent, ref, due_at_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET due_at_ms = min(due_at_ms, excluded.due_at_ms)",
        (kind, intent, ref, due_at_ms),
    )


def alarm(db: sqlite3.Connection, topic: str, id: str, says: str) -> None:
    """Writes down, once, what a person has to look at."""
    db.execute("INSERT INTO alarms VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (topic, id, says, now_ms()))


def cents_of(items: list[dict[str, Any]], prices: list[dict[str, Any]]) -> int:
    """What units cost at the prices that were frozen in the intent."""
    each = {line["sku"]: line["cents"] for line in prices}
    return sum(each[line["sku"]] * line["qty"] for line in items)


def units_of(items: str) -> dict[str, int]:
    """The units of `items` as the client takes them."""
    return {line["sku"]: line["qty"] for line in json.loads(items)}


def payload_of(intent: Any) -> dict[str, Any]:
    """What goes into the order stream: nothing personal."""
    return {"intent": intent["id"], "cents": intent["cents"], "currency": CURRENCY}


def sign(id: str, user: str, at_ms: int) -> str | None:
    """The pass of somebody who was let in, and so of whoever has paid; None without a secret."""
    return new_pass(PASSKEY, id, user, at_ms + PASS_MS) if PASSKEY else None


def pass_of(db: sqlite3.Connection, id: str, user: str, at_ms: int) -> str | None:
    """The pass of a buyer at the door. Your checks go here: the account, a CAPTCHA, risks.

    Whoever is denied gets none, and the sale answers NOPASS as to anybody without one.
    """
    is_denied = db.execute("SELECT 1 FROM denied WHERE user = ?", (user,)).fetchone()
    return None if is_denied else sign(id, user, at_ms)


def write_off(db: sqlite3.Connection, reservation: str, ref: str) -> bool:
    """Takes what is left of an order that the sale does not have out of our books; says whether anything was."""
    with transaction(db):
        order = db.execute("SELECT * FROM orders WHERE id = ?", (reservation,)).fetchone()
        left = Counter(units_of(order["items"]) if order else {})
        for refund in db.execute("SELECT items FROM refunds WHERE id = ?", (reservation,)).fetchall():
            left -= Counter(units_of(refund["items"]))
        if not left:
            return False
        items = json.dumps([{"sku": sku, "qty": qty} for sku, qty in left.items()])
        row = (order["sale_id"], reservation, ref, left.total(), items, now_ms())
        # A REF that a part was refunded under is no REF for the rest.
        is_written = db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount == 1
        if is_written and (intent := intent_of(db, "reservation", reservation)):
            add_job(db, "refund", intent["id"], ref)
        return is_written
