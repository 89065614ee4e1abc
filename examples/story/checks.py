"""Five books about one sale, and whether they agree: stock, order stream, SQL, provider, AUDIT."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any, Iterable

Units = Counter[str]


@dataclass
class Books:
    """What each book says, as it was read."""

    prices: dict[str, int]
    # By item: available, reserved and sold.
    stock: dict[str, tuple[int, int, int]]
    audit: dict[str, Any]
    # Id and items as JSON, of orders and of refunds.
    stream: tuple[list[tuple[str, str]], list[tuple[str, str]]]
    sql: tuple[list[tuple[str, str]], list[tuple[str, str]]]
    dead: int
    payments: list[dict[str, Any]]

    @classmethod
    def read(cls, redis: Any, db: sqlite3.Connection, payments: list[dict[str, Any]]) -> Books:
        entries = [one for _, one in redis.xrange("shoes:orders")]

        def of(event: str) -> list[tuple[str, str]]:
            return [(one["id"], one["items"]) for one in entries if one["event"] == event]

        def rows(table: str) -> list[tuple[str, str]]:
            return db.execute(f"SELECT id, items FROM flashsale_{table}_text").fetchall()

        stock = redis.execute_command("FLASHSALE.STOCK", "shoes")
        audit = redis.execute_command("FLASHSALE.AUDIT", "shoes", "shoes:orders")
        return cls(
            prices=dict(db.execute("SELECT sku, cents FROM prices")),
            stock={sku: (available, reserved, sold) for sku, available, reserved, sold, *_ in stock},
            # A map over RESP3, a flat list over RESP2.
            audit=audit if isinstance(audit, dict) else dict(zip(audit[::2], audit[1::2])),
            stream=(of("order"), of("refund")),
            sql=(rows("orders"), rows("refunds")),
            dead=db.execute("SELECT count(*) FROM flashsale_dead").fetchone()[0],
            payments=payments,
        )

    def cents(self, units: Units) -> int:
        return sum(self.prices[sku] * qty for sku, qty in units.items())

    def paid(self) -> Counter[str]:
        """Returns what the provider has kept, by order."""
        paid: Counter[str] = Counter()
        for one in self.payments:
            paid[one["intent"]] += one["captured"] - one["refunded"]
        return paid

    def compare(self, on_sale: dict[str, int]) -> list[str]:
        """Returns the differences in words."""
        wrong = [] if self.audit["consistent"] else [f"AUDIT: {self.audit['differences']}"]
        for sku, (available, reserved, sold) in self.stock.items():
            if available + reserved + sold != on_sale[sku]:
                wrong.append(f"{sku}: {available} available + {reserved} reserved + {sold} sold is not {on_sale[sku]}")
        wrong += [f"{id} is ordered {count} times in the stream" for id, count in Counter(id for id, _ in self.stream[0]).items() if count > 1]
        stream, sql = net(*self.stream), net(*self.sql)
        sold_units = {sku: sold for sku, (_, _, sold) in self.stock.items() if sold}
        if dict(total := total_of(stream)) != sold_units:
            wrong.append(f"STOCK has sold {sold_units}, the stream {dict(total)}")
        for id in sorted(stream.keys() | sql.keys()):
            if stream.get(id) != sql.get(id):
                wrong.append(f"{id}: {text(stream.get(id))} by the stream, {text(sql.get(id))} by SQL")
        owed, paid = {id: self.cents(units) for id, units in stream.items()}, self.paid()
        for id in sorted(owed.keys() | paid.keys()):
            if owed.get(id) != paid.get(id):
                wrong.append(f"{id}: {owed.get(id, 'no')} cents by the stream, {paid.get(id, 'no')} by the provider")
        wrong += [f"{one['ref']} of {one['intent']} is authorised, and nobody captures it" for one in self.payments if one["state"] == "authorised"]
        return wrong + ([f"{self.dead} dead letters"] if self.dead else [])

    def table(self) -> str:
        """Returns the totals of each book as text."""
        stream, sql, paid = net(*self.stream), net(*self.sql), self.paid()
        sold = Counter({sku: sold for sku, (_, _, sold) in self.stock.items()})
        lines: list[tuple[int | str, ...]] = [("", "orders", "units", "cents"), ("stock, as sold", "-", sold.total(), self.cents(sold))]
        for name, book in (("order stream", stream), ("SQL", sql)):
            lines.append((name, len(book), (units := total_of(book)).total(), self.cents(units)))
        lines.append(("provider", len(paid), "-", paid.total()))
        rows = ["  {:16}{:>10}{:>10}{:>16}".format(*(f"{one:,}" if isinstance(one, int) else one for one in line)) for line in lines]
        return "\n".join([*rows, f"  {'AUDIT':16}{'consistent' if self.audit['consistent'] else 'DIFFERENCES':>10}"])


def units_of(items: str) -> Units:
    return Counter({line["sku"]: line["qty"] for line in json.loads(items)})


def net(orders: Iterable[tuple[str, str]], refunds: Iterable[tuple[str, str]]) -> dict[str, Units]:
    """What is left of each order, by item. An order that came back is one of nothing."""
    left: dict[str, Units] = {}
    for id, items in orders:
        left.setdefault(id, Counter()).update(units_of(items))
    for id, items in refunds:
        left.setdefault(id, Counter()).subtract(units_of(items))
    return {id: Counter({sku: qty for sku, qty in units.items() if qty}) for id, units in left.items()}


def total_of(book: dict[str, Units]) -> Units:
    total: Units = Counter()
    for units in book.values():
        total.update(units)
    return Counter({sku: qty for sku, qty in total.items() if qty})


def text(units: Units | None) -> str:
    if units is None:
        return "no order"
    return ", ".join(f"{qty} {sku}" for sku, qty in sorted(units.items())) or "nothing left"
