"""Reads the order stream into the books, each entry in one transaction, then XACK.

An entry may come twice: after a crash, and after a failover under another stream ID. So
whatever was there before is passed over. A split sale has a stream for each part, and all are
read at once, in one thread: no transaction is open while another entry is read. In production
`flashsale worker` does this, with hooks in SQL (docs/companion.md).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from typing import Any

from flashsale import AsyncSale, Entry, FlashSaleError

from books import PARTS, add_job, alarm, async_sale, check_parts, connect, intent_of, move, now_ms, transaction


def read_order(db: sqlite3.Connection, entry: Entry, intent: Any) -> None:
    of = (entry.sale_id, entry.id, entry.ref, entry.user, entry.qty, entry.fields["items"], entry.payload, entry.at_ms)
    db.execute("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", of)
    first = db.execute("SELECT ref FROM orders WHERE sale_id = ? AND id = ?", (entry.sale_id, entry.id)).fetchone()
    if not intent:
        alarm(db, "order without an intent", str(entry.id), f"sold to {entry.user!r} for {entry.ref!r}")
    elif first["ref"] != entry.ref or intent["psp_ref"] != entry.ref:
        # Not a second parcel: a payment more.
        alarm(db, "paid twice", str(entry.id), f"sold for {entry.ref!r}, for {first['ref']} before; the intent has {intent['psp_ref']}")
    elif move(db, intent["id"], ("open", "authorised", "closing"), "sold"):
        add_job(db, "capture", intent["id"])
    elif intent["state"] == "closed":
        # Its money went back, so the units do.
        add_job(db, "take-back", intent["id"])


def read_refund(db: sqlite3.Connection, entry: Entry, intent: Any) -> None:
    of = (entry.sale_id, entry.id, entry.ref, entry.qty, entry.fields["items"], entry.at_ms)
    if db.execute("INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", of).rowcount == 1 and intent:
        add_job(db, "refund", intent["id"], str(entry.ref))


def read_expired(db: sqlite3.Connection, entry: Entry, intent: Any, grace_ms: int) -> None:
    """Not final within GRACE, and RELEASE would end it: so the job waits."""
    if intent and intent["state"] in ("open", "authorised"):
        add_job(db, "give-back", intent["id"], due_at_ms=int(entry.fields["expires_at_ms"]) + grace_ms)


class Grace:
    """GRACE of a part, asked for at most once a second: a sale has many `expired` at once."""

    ms, asked_at_ms = 0, 0

    async def latest(self, part: AsyncSale) -> int:
        if now_ms() - self.asked_at_ms >= 1000:
            try:
                self.ms = (await part.info()).grace_ms
            except FlashSaleError as error:
                # The sale is gone, its entries are not: each `order` behind this one is to be read.
                if error.code != "NOSALE":
                    raise
                self.ms = 0
            self.asked_at_ms = now_ms()
        return self.ms


async def follow(db: sqlite3.Connection, part: AsyncSale) -> None:
    """Reads the stream of one part, for ever; one that cannot be read keeps nobody else waiting."""
    grace = Grace()

    async def read(entry: Entry) -> None:
        grace_ms = await grace.latest(part) if entry.event == "expired" else 0
        with transaction(db):
            intent = intent_of(db, "reservation", entry.id)
            match entry.event:
                case "order":
                    read_order(db, entry, intent)
                case "refund":
                    read_refund(db, entry, intent)
                case "expired":
                    read_expired(db, entry, intent, grace_ms)
                case _:
                    pass  # Also what a newer module writes.

    while True:
        try:
            await part.consume("books", os.environ.get("SHOP_WORKER", "worker-1"), read)
        except (FlashSaleError, sqlite3.OperationalError) as error:
            print(f"worker: {part.orders!r}: {error!r}; the entry stays pending", flush=True)
            await asyncio.sleep(1)


async def main() -> None:
    db = connect()
    check_parts(db)
    # Each waits in a connection.
    await asyncio.gather(*(follow(db, part) for part in async_sale(connections=2 * PARTS).parts))


if __name__ == "__main__":
    asyncio.run(main())
