"""A split sale: one stock in several sales, each user on one of them for ever."""

from __future__ import annotations

from typing import Any, Generic, Iterator, TypeVar

import redis

from ._base import FlashSaleError, Name
from ._sale import AsyncSale, Sale
from .answers import Reservation
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


class _Split(Generic[S]):
    def __init__(self, client: Any, name: str, kind: type[S], parts: int, keys: str, streams: str) -> None:
        if not 1 <= parts <= 1024 or "{" in name or "}" in name:
            raise ValueError("a split sale has 1 to 1024 parts, and no braces in its name")
        tags = [tag_of(name, part, parts) for part in range(parts)]
        self.name = name
        self.parts: list[S] = [kind(client, keys.replace("{}", tag), streams.replace("{}", tag)) for tag in tags]

    def of(self, user: Name) -> S:
        """The part of a user: all that the user reserves and buys is there."""
        return self.parts[part_of(user, len(self.parts))]

    def new_id(self, user: Name) -> str:
        """A fresh id that names the user's part, so that whoever knows only the id asks there first."""
        return new_id(part_of(user, len(self.parts)))

    def _in_turn(self, id: Name) -> Iterator[S]:
        first = part_of_id(id, len(self.parts))
        if first is not None:
            yield self.parts[first]
        yield from (part for number, part in enumerate(self.parts) if number != first)


class SplitSale(_Split[Sale]):
    """One stock in several parts, on one client: `split.of(user).reserve(user, 1, id=split.new_id(user))`.

    `parts`, `keys` and `streams` are those of `flashsale split create`. Whoever knows only an id, such
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
