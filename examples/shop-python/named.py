"""Units with names: seats, which a buyer chooses, and keys, which nobody sees before they paid."""

from __future__ import annotations

import json
import sqlite3

from books import alarm, now_ms


def kinds(db: sqlite3.Connection) -> dict[str, str]:
    """What has names: `seat` or `key`, by SKU."""
    return dict(db.execute("SELECT sku, kind FROM named").fetchall())


def asked_again(db: sqlite3.Connection, items: str) -> tuple[dict[str, int] | None, list[str] | None]:
    """The same units once more: seats by their names, all else by number. A key is never asked for."""
    kind = kinds(db)
    lines = [(line, kind.get(line["sku"]) == "seat") for line in json.loads(items)]
    numbers = {line["sku"]: line["qty"] for line, is_seat in lines if not is_seat}
    seats = [unit for line, is_seat in lines if is_seat for unit in line["units"]]
    return numbers or None, seats or None


def hand_over(db: sqlite3.Connection, id: str) -> None:
    """Gives the keys of an order to its buyer. In the transaction of the capture: both, or none."""
    kind = kinds(db)
    row = db.execute("SELECT items FROM orders WHERE id = ?", (id,)).fetchone()
    for line in json.loads(row["items"]) if row else ():
        for unit in line.get("units", ()) if kind.get(line["sku"]) == "key" else ():
            of = (line["sku"], unit, id, now_ms())
            if db.execute("INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", of).rowcount == 0:
                alarm(db, "key twice", id, f"a key of {line['sku']} is another order's: give this one a new one")
