"""Makes books and sale agree again after Redis has lost its last moments, and nightly.

    reconcile.py            now, after every new run_id of the server, and every night
    reconcile.py once       now

A lost order is brought back by IMPORT, under the same id and REF and as of the moment it was
sold, whatever the sale's window and limits say. Units that are gone by then are owed: the order
stands in `alarms` as `owed`, until a person finds units or gives the money back.

Of a split sale each part has a `sale_id` of its own, which stands in the books with each order: so
an order goes back to the part that sold it. A part that does not answer keeps no other waiting.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from typing import Any

import redis
from flashsale import FlashSaleError, Refunded, Sale, SaleInfo, Sold

from books import STALE_MS, add_job, alarm, check_parts, connect, now_ms, sale, transaction, units_of

EVERY_MS = int(os.environ.get("SHOP_RECONCILE_MS", str(24 * 3600 * 1000)))
LOST = (redis.RedisError, OSError)

# Orders that were not given back.
ORDERS = """SELECT o.*, i.id AS intent FROM orders o JOIN intents i ON i.reservation = o.id
  WHERE o.sale_id = ? AND i.state IN ('sold', 'captured')
  AND o.qty > (SELECT coalesce(sum(qty), 0) FROM refunds r WHERE r.sale_id = o.sale_id AND r.id = o.id)"""


def lost_orders(db: sqlite3.Connection, part: Sale, sale_id: str) -> None:
    """Brings back, under the same id and REF, what a part of the sale has lost."""
    orders = db.execute(ORDERS, (sale_id,)).fetchall()
    for start in range(0, len(orders), 500):
        with part.pipeline() as ask:
            asked = [(row, ask.get(row["id"])) for row in orders[start : start + 500]]
        for row, known in asked:
            if isinstance(known.answer, FlashSaleError):
                raise known.answer
            if not known.answer or known.answer.state not in ("sold", "refunded"):
                bring_back(db, part, row)


def bring_back(db: sqlite3.Connection, part: Sale, row: Any) -> None:
    paid = {"ref": row["ref"], "payload": row["payload"]}
    lines = json.loads(row["items"])
    # Seats and keys by their names: this buyer has seen them.
    numbers = {line["sku"]: line["qty"] for line in lines if "units" not in line} or None
    names = [unit for line in lines for unit in line.get("units", ())] or None
    answer: Any = part.import_order(row["user"], numbers, units=names, id=row["id"], sold_at_ms=row["at_ms"], **paid)
    what = f"{row['items']} for {row['user']} is paid"
    if not isinstance(answer, Sold):
        alarm(db, "lost", row["id"], f"{what}, and the sale says {answer.status}: look at this id there.")
    elif owed := part.info().owed:
        alarm(db, "owed", row["id"], f"{what}, and the sale has {owed} units too few: find units, or refund it.")


def lost_refunds(db: sqlite3.Connection, part: Sale, sale_id: str) -> None:
    """Makes refunds of the books again, with the same REF, of orders of which the sale knows fewer."""
    for order in db.execute("SELECT id, sum(qty) AS qty FROM refunds WHERE sale_id = ? GROUP BY id", (sale_id,)).fetchall():
        known = part.get(order["id"])
        if not known or known.state != "sold" or sum(qty for _, qty in known.refunded or ()) >= order["qty"]:
            continue
        for row in db.execute("SELECT * FROM refunds WHERE sale_id = ? AND id = ?", (sale_id, order["id"])).fetchall():
            answer = part.refund(row["id"], units_of(row["items"]), ref=row["ref"])
            if not isinstance(answer, Refunded):
                alarm(db, "refund", row["id"], f"the sale has lost the refund {row['ref']}, and says {answer.status}")


LEFT = {
    "checkout": "SELECT id FROM intents WHERE state = 'authorised' AND changed_at_ms < :before",
    "give-back": "SELECT id FROM intents WHERE state = 'closing' AND changed_at_ms < :before OR state = 'open' AND expires_at_ms < :ended",
    "capture": "SELECT id FROM intents WHERE state = 'sold' AND changed_at_ms < :before",
    "take-back": "SELECT i.id FROM intents i JOIN orders o ON o.id = i.reservation AND o.ref = i.psp_ref LEFT JOIN refunds r ON r.id = o.id"
    " WHERE i.state = 'closed' AND i.changed_at_ms < :before AND r.id IS NULL",
}


def left_behind(db: sqlite3.Connection, grace_ms: int) -> None:
    """Gives intents a job again whose answer or entry may have been lost."""
    moments = {"before": now_ms() - STALE_MS, "ended": now_ms() - STALE_MS - grace_ms}
    with transaction(db):
        for kind, query in LEFT.items():
            for row in db.execute(query, moments).fetchall():
                add_job(db, kind, row["id"])
        lone = "SELECT * FROM intents WHERE state = 'captured' AND reservation NOT IN (SELECT id FROM orders)"
        for row in db.execute(lone).fetchall():
            alarm(db, "captured without an order", row["id"], f"{row['cents']} cents of {row['user']} for {row['items']}")


class Part:
    """A part, and when it is to be compared with the books."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.run, self.compare_at_ms = "", 0

    def info(self) -> SaleInfo | None:
        """None of a part that does not answer; another process may serve it soon."""
        try:
            return self.sale.info()
        except LOST as error:
            print(f"reconcile: {self.sale.key!r}: {error!r}; again in a moment", flush=True)
            return None

    def run_now(self) -> str:
        """The process that serves the part: another one may lack what this one had."""
        client: Any = self.sale.redis
        # In a cluster each node answers for itself.
        of = {"target_nodes": client.get_node_from_key(self.sale.key)} if self.sale.is_cluster else {}
        return str(client.info("server", **of)["run_id"])

    def compare(self, db: sqlite3.Connection, sale_id: str) -> bool:
        """Brings back what is lost, if it is time; says whether the part answered."""
        try:
            run = self.run_now()
            if run != self.run or now_ms() >= self.compare_at_ms:
                lost_orders(db, self.sale, sale_id)
                lost_refunds(db, self.sale, sale_id)
                # Once more soon: the worker may have had an entry in hand when the server died.
                self.compare_at_ms = now_ms() + (EVERY_MS if run == self.run else min(STALE_MS, 5000))
                self.run = run
        except LOST as error:
            print(f"reconcile: {self.sale.key!r}: {error!r}; again in a moment", flush=True)
            return False
        return True


def main() -> None:
    db = connect()
    check_parts(db)
    parts, is_done = [Part(part) for part in sale().parts], False
    while not is_done:
        infos = [part.info() for part in parts]
        known = [info for info in infos if info]
        if known:
            left_behind(db, max(info.grace_ms for info in known))
        if len(known) == len(parts) and not any(info.owed for info in known):
            db.execute("DELETE FROM alarms WHERE topic = 'owed'")
        compared = [part.compare(db, info.sale_id) for part, info in zip(parts, infos) if info]
        is_done = sys.argv[1:] == ["once"] and compared.count(True) == len(parts)
        if not is_done:
            time.sleep(min(STALE_MS / 1000, 1))
    for row in db.execute("SELECT * FROM alarms ORDER BY at_ms"):
        print(f"{row['topic']}: {row['id']}: {row['says']}")


if __name__ == "__main__":
    main()
