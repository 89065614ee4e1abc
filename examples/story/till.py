"""Carries out the table `jobs`: captures the money of each order, and gives it back for a refund.

It may be killed anywhere and every job may run twice: each call has an idempotency key under
which the provider does it once. The gateway takes no money, so the till also plays the buyer's
card, which a real shop has authorised before its CHECKOUT.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shop-python"))
import provider  # noqa: E402


def payment_of(reservation: str, cents: int) -> str:
    """Returns the payment of an order; the same one however often it is asked for."""
    return str(provider.create(reservation, cents, "EUR", os.environ["SHOP_URL"])["ref"])


def capture(reservation: str, cents: int) -> None:
    ref = payment_of(reservation, cents)
    if provider.get(ref)["state"] == "created":
        urllib.request.urlopen(f"{provider.URL}/pay/{ref}", b"method=card", timeout=5).close()
    provider.capture(ref)


def refund(db: sqlite3.Connection, reservation: str, ref: str, cents: int) -> bool:
    """Gives money back, once it is there."""
    row = db.execute("SELECT cents, is_done FROM jobs WHERE kind = 'capture' AND reservation = ?", (reservation,)).fetchone()
    if row and row[1]:
        provider.refund(payment_of(reservation, row[0]), cents, f"refund:{reservation} {ref}")
    return bool(row and row[1])


def main() -> None:
    db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    while True:
        jobs = db.execute("SELECT kind, reservation, ref, cents FROM jobs WHERE NOT is_done LIMIT 100").fetchall()
        for kind, reservation, ref, cents in jobs:
            try:
                if kind == "capture":
                    capture(reservation, cents)
                elif not refund(db, reservation, ref, cents):
                    continue
            except OSError as error:
                # No answer: the job is still there, and runs again.
                print(f"till: {reservation}: {error!r}", flush=True)
                continue
            db.execute("UPDATE jobs SET is_done = 1 WHERE (kind, reservation, ref) = (?, ?, ?)", (kind, reservation, ref))
        time.sleep(0.05 if jobs else 0.1)


if __name__ == "__main__":
    main()
