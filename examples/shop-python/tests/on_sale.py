"""The sale under a shop, as a test looks at it: one key, or parts where `SHOP_SPLIT` says how many.

The shop reads the same setting, so the same tests hold for both.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

from flashsale import SplitSale, new_id

SPLIT = int(os.environ.get("SHOP_SPLIT", "0"))
IS_CLUSTER = os.environ.get("SHOP_CLUSTER") == "yes"
NAME, ORDERS = "shoes", "shoes:orders"
# Where the id of a reservation, or the user, stands among the words of a command.
BY_ID, BY_USER = {"GET": 0, "CHECKOUT": 1, "REFUND": 1}, {"RESERVE": 0, "USER": 0}
turns = itertools.count()


class OnSale:
    """What a test does to the sale, and asks of it. `ORDERS` stands for the stream of whichever part it is."""

    redis: Any
    passkey: str

    def find_parts(self) -> None:
        place = {} if SPLIT else {"keys": NAME, "streams": ORDERS}
        self.split = SplitSale(self.redis, NAME, SPLIT or 1, **place)
        # All buyers of a test that has few units are of one part, which has them: where a driver
        # would have brought them. Each such test takes another.
        self.near: int | None = None

    def take_turns(self) -> None:
        self.near = next(turns) % len(self.split.parts)

    # --- the sale

    def create(self, red: int = 10, blue: int = 10, hold_ms: int = 60_000, grace_ms: int = 0, userlimit: int = 2, waiting: int = 0) -> None:
        options = ("USERLIMIT", userlimit, "HOLD", hold_ms, "GRACE", grace_ms, "WAITING", waiting)
        door = ("PASSKEY", 1, self.passkey, "USERRATE", 20, 10_000, "FROMRATE", 2000, 10_000)
        dealt = [units for _, units in self.split.dealt({"red": red, "blue": blue}, new=True)]
        for number, part in enumerate(self.split.parts):
            units = dealt[number] if self.near is None else {"red": red, "blue": blue} if number == self.near else {"red": 0, "blue": 0}
            stock = ("ITEMS", 2, "red", units["red"], "blue", units["blue"])
            group = ("GROUP", NAME, "SALEID", new_id()) if SPLIT else ()
            self.redis.execute_command("FLASHSALE.CREATE", part.key, part.orders, *stock, *options, *door, "EVENTS", "all", *group)

    def say_none_is_left(self, sku: str) -> None:
        """What the driver of a split sale would tell each part: by itself it does not know of the others."""
        for part in self.split.parts if SPLIT else ():
            self._at(part, "REST", 60_000, sku)

    def is_there(self) -> bool:
        return all(self.redis.exists(part.key) for part in self.split.parts)

    def drop(self) -> None:
        for part in self.split.parts:
            self.redis.delete(part.key)

    def _at(self, part: Any, command: str, *words: object) -> Any:
        return self.redis.execute_command(f"FLASHSALE.{command}", part.key, *(part.orders if word == ORDERS else word for word in words))

    def call(self, command: str, *words: object) -> Any:
        """At the part that knows the id or has the user; RESTOCK where the units are; ALTER at each, STOCK of all."""
        parts = self.split.parts
        if command in BY_ID:
            known = [part for part in parts if self._at(part, "GET", words[BY_ID[command]])]
            return self._at((known or parts)[0], command, *words)
        if command in BY_USER:
            return self._at(self.split.of(str(words[BY_USER[command]])), command, *words)
        if command == "RESTOCK":
            return self._at(parts[self.near or 0], command, *words)
        replies = [self._at(part, command, *words) for part in parts]
        if command != "STOCK":
            return replies[0]
        return [[rows[0][0], *(sum(row[column] for row in rows) for column in range(1, 5))] for rows in zip(*replies)]

    def map(self, command: str, *words: object) -> dict[str, Any]:
        return as_map(self.call(command, *words))

    def maps(self, command: str, *words: object) -> list[dict[str, Any]]:
        """What each part answers."""
        return [as_map(self._at(part, command, *words)) for part in self.split.parts]

    # --- its stream

    def entries(self) -> list[dict[str, str]]:
        return [fields for part in self.split.parts for _, fields in self.redis.xrange(part.orders)]

    def reached(self) -> list[str]:
        """The entries that the worker was given last. After a restart `lag` and `entries-read` may be wrong."""
        groups = [self.redis.xinfo_groups(part.orders) for part in self.split.parts if self.redis.exists(part.orders)]
        return [str(one[0]["last-delivered-id"]) if one else "" for one in groups]

    def is_read(self) -> bool:
        """Whether every entry was read, and is acknowledged."""
        last = {part.orders: found[0][0] for part in self.split.parts if (found := self.redis.xrevrange(part.orders, count=1))}
        is_given = bool(last) and [one for one in self.reached() if one not in ("", "0-0")] == list(last.values())
        return is_given and not any(self.redis.xpending(orders, "books")["pending"] for orders in last)

    def read_again(self) -> None:
        """Gives the worker every entry once more."""
        for part in self.split.parts:
            self.redis.execute_command("XGROUP", "SETID", part.orders, "books", "0")


def as_map(flat: Any) -> dict[str, Any]:
    """A map of RESP2 or 3; empty for none."""
    return {} if flat is None else flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2]))
