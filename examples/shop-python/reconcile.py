"""Makes books and sale agree again after Redis has lost its last moments, and nightly.

    reconcile.py            now, after every new run_id of the server, and every night
    reconcile.py once       now

A lost order is sold again by CHECKOUT or BUY, under the same id and REF. The sale may refuse
that: the units are gone, a limit or END stands in the way, or the reservation has expired. Then
the order stands in `alarms` as `owed`, and a person finds units or gives the money back.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from typing import Any

import redis
from flashsale import FlashSaleError, NoReservation, NotNow, Refunded, Sold

from books import STALE_MS, add_job, alarm, connect, now_ms, sale, sign, transaction, units_of

shoes = sale()
EVERY_MS = int(os.environ.get("SHOP_RECONCILE_MS", str(24 * 3600 * 1000)))

# Orders that were not given back.
ORDERS = """SELECT o.*, i.id AS intent FROM orders o JOIN intents i ON i.reservation = o.id
  WHERE o.sale_id = ? AND i.state IN ('sold', 'captured')
  AND o.qty > (SELECT coalesce(sum(qty), 0) FROM refunds r WHERE r.sale_id = o.sale_id AND r.id = o.id)"""


def lost_orders(db: sqlite3.Connection, sale_id: str) -> bool:
    """Sells again, under the same id and REF, what the sale has lost; says whether all is decided."""
    orders, is_decided = db.execute(ORDERS, (sale_id,)).fetchall(), True
    for start in range(0, len(orders), 500):
        with shoes.pipeline() as ask:
            asked = [(row, ask.get(row["id"])) for row in orders[start : start + 500]]
        for row, known in asked:
            if isinstance(known.answer, FlashSaleError):
                raise known.answer
            if not known.answer or known.answer.state not in ("sold", "refunded"):
                is_decided &= sell_again(db, row)
    return is_decided


def sell_again(db: sqlite3.Connection, row: Any) -> bool:
    paid = {"ref": row["ref"], "payload": row["payload"]}
    answer: Any = shoes.checkout(row["id"], user=row["user"], **paid)
    if isinstance(answer, NoReservation):
        pass_ = sign(row["id"], row["user"], shoes.info().now_ms)
        answer = shoes.buy(row["user"], units_of(row["items"]), id=row["id"], pass_=pass_, **paid)
    if isinstance(answer, Sold):
        db.execute("DELETE FROM alarms WHERE topic = 'owed' AND id = ?", (row["id"],))
    elif not isinstance(answer, NotNow):
        says = f"{row['items']} for {row['user']} is paid, and the sale has lost it ({answer.status}): find units, or refund it."
        alarm(db, "owed", row["id"], says)
    return not isinstance(answer, NotNow)


def lost_refunds(db: sqlite3.Connection, sale_id: str) -> None:
    """Makes refunds of the books again, with the same REF, of orders of which the sale knows fewer."""
    for order in db.execute("SELECT id, sum(qty) AS qty FROM refunds WHERE sale_id = ? GROUP BY id", (sale_id,)).fetchall():
        known = shoes.get(order["id"])
        if not known or known.state != "sold" or sum(qty for _, qty in known.refunded or ()) >= order["qty"]:
            continue
        for row in db.execute("SELECT * FROM refunds WHERE sale_id = ? AND id = ?", (sale_id, order["id"])).fetchall():
            answer = shoes.refund(row["id"], units_of(row["items"]), ref=row["ref"])
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


def main() -> None:
    db, run, compare_at_ms, is_decided = connect(), "", 0, False
    while True:
        try:
            info, now_run = shoes.info(), str(shoes.redis.info("server")["run_id"])
            left_behind(db, info.grace_ms)
            if now_run != run or now_ms() >= compare_at_ms:
                is_decided = lost_orders(db, info.sale_id)
                lost_refunds(db, info.sale_id)
                # Once more soon: the worker may have had an entry in hand when the server died.
                compare_at_ms = now_ms() + (EVERY_MS if now_run == run and is_decided else min(STALE_MS, 5000))
                run = now_run
            if sys.argv[1:] == ["once"] and is_decided:
                break
        except (redis.RedisError, OSError) as error:
            print(f"reconcile: {error!r}; again in a moment", flush=True)
        time.sleep(min(STALE_MS / 1000, 1))
    for row in db.execute("SELECT * FROM alarms ORDER BY at_ms"):
        print(f"{row['topic']}: {row['id']}: {row['says']}")


if __name__ == "__main__":
    main()
