"""A split sale: one stock in several sales, each user on one of them for ever."""

from __future__ import annotations

from typing import Any, Generic, Iterable, Iterator, Mapping, TypeVar

import redis

from ._base import FlashSaleError, Name
from ._sale import AsyncSale, Sale
from .answers import ItemStock, Reservation
from .ids import LETTERS, crc16, new_id, part_of

S = TypeVar("S", Sale, AsyncSale)

# What a part that is away raises. Whatever it is, what it has is not known.
AWAY = (redis.RedisError, FlashSaleError, OSError)


class NotKnownYet(Exception):
    """No part that answers has this id, and some part does not answer: it may have it.

    Answer a browser 503 and ask again. It is never "no such reservation".
    """


def tag_of(name: str, part: int, parts: int) -> str:
    """The hash tag of a part: the first number that puts it into its slice of a cluster's slots."""
    number = 0
    while True:
        tag = f"{name}/{part}/{number}"
        if (crc16(tag) % 16384) * parts // 16384 == part:
            return "{" + tag + "}"
        number += 1


def part_of_id(id: Name, parts: int) -> int | None:
    """The part that an id names in its last two letters; None if it is no ULID, or of none."""
    text = id.decode("latin-1") if isinstance(id, bytes) else id
    text = text.upper()
    if len(text) != 26 or any(letter not in LETTERS for letter in text):
        return None
    part = LETTERS.index(text[24]) * 32 + LETTERS.index(text[25])
    return part if part < parts else None


def total_stock(stocks: Iterable[Iterable[ItemStock | None]]) -> list[ItemStock]:
    """The stock of all parts together, item by item: `total_stock(part.stock() for part in split.parts)`."""
    total: dict[str, ItemStock] = {}
    for item in (item for stock in stocks for item in stock if item is not None):
        was = total.get(item.sku, ItemStock(item.sku, 0, 0, 0, 0))
        waiting = (was.waiting or 0) + (item.waiting or 0)
        units = was.available + item.available, was.reserved + item.reserved, was.sold + item.sold
        total[item.sku] = ItemStock(item.sku, *units, waiting)
    return list(total.values())


class _Split(Generic[S]):
    def __init__(self, client: Any, name: str, kind: type[S], parts: int, keys: str, streams: str) -> None:
        has_tags = ["{}" in template for template in (keys, streams)]
        if not 1 <= parts <= 1024 or any(has_tags) and ("{" in name or "}" in name):
            raise ValueError("a split sale has 1 to 1024 parts, and no braces in its name")
        if parts > 1 and not all(has_tags):
            raise ValueError("each part has a key and a stream of its own: `keys` and `streams` need {} for its hash tag")
        tags = [tag_of(name, part, parts) for part in range(parts)]
        self.name = name
        self.parts: list[S] = [kind(client, keys.replace("{}", tag), streams.replace("{}", tag)) for tag in tags]

    def of(self, user: Name) -> S:
        """The part of a user: all that the user reserves and buys is there."""
        return self.parts[part_of(user, len(self.parts))]

    def new_id(self, user: Name) -> str:
        """A fresh id that names the user's part, so that whoever knows only the id asks there first."""
        return new_id(part_of(user, len(self.parts)))

    def dealt(self, delta: Mapping[str, int], *, new: bool = False) -> list[tuple[S, dict[str, int]]]:
        """What each part gets of a delivery: `part.restock(units, new=new, ref=ref)` for each of these.

        Equal shares, the odd units beginning at a part that depends on the SKU, as `flashsale split
        restock` deals them: the same delivery is dealt the same, so all of it can be sent again with
        its `ref`. A part that gets nothing is left out, except with `new`, by which each part learns
        the SKUs. What is below 0 raises `ValueError` where there are several parts.
        """
        count = len(self.parts)
        if count > 1 and any(units < 0 for units in delta.values()):
            raise ValueError("to take stock out of a split sale, pause it, and restock its parts one by one")
        found = []
        for number, part in enumerate(self.parts):
            shares = {sku: units // count + ((number - crc16(sku)) % count < units % count) for sku, units in delta.items()}
            if mine := {sku: units for sku, units in shares.items() if units or new or count == 1}:
                found.append((part, mine))
        return found

    def _in_turn(self, id: Name) -> Iterator[S]:
        first = part_of_id(id, len(self.parts))
        if first is not None:
            yield self.parts[first]
        yield from (part for number, part in enumerate(self.parts) if number != first)


class SplitSale(_Split[Sale]):
    """One stock in several parts, on one client: `split.of(user).reserve(user, 1, id=split.new_id(user))`.

    `parts`, `keys` and `streams` are those of `flashsale split create`. A sale that is not split is its
    own only part, so an app that is written for parts runs on either: `SplitSale(client, "shoes", 1,
    keys="shoes", streams="shoes:orders")`. Whoever knows only an id, such
    as a payment provider's webhook, finds its part by `find`. Never send RELEASE to all parts: each
    remembers an id that it never saw.
    """

    def __init__(self, client: Any, name: str, parts: int = 16, *, keys: str = "{}", streams: str = "{}:orders") -> None:
        super().__init__(client, name, Sale, parts, keys, streams)

    def find(self, id: Name) -> tuple[Sale, Reservation] | None:
        """The part that knows an id, with what it knows; None if no part does.

        Raises `NotKnownYet` if none that answers does, and one does not answer.
        """
        away: Exception | None = None
        for part in self._in_turn(id):
            try:
                found = part.get(id)
            except AWAY as error:
                away = error
                continue
            if found is not None:
                return part, found
        if away is not None:
            raise NotKnownYet(f"a part of {self.name} does not answer") from away
        return None


class AsyncSplitSale(_Split[AsyncSale]):
    """`SplitSale` for `redis.asyncio`: the same methods, `find` to be awaited."""

    def __init__(self, client: Any, name: str, parts: int = 16, *, keys: str = "{}", streams: str = "{}:orders") -> None:
        super().__init__(client, name, AsyncSale, parts, keys, streams)

    async def find(self, id: Name) -> tuple[AsyncSale, Reservation] | None:
        """`SplitSale.find`."""
        away: Exception | None = None
        for part in self._in_turn(id):
            try:
                found = await part.get(id)
            except AWAY as error:
                away = error
                continue
            if found is not None:
                return part, found
        if away is not None:
            raise NotKnownYet(f"a part of {self.name} does not answer") from away
        return None
