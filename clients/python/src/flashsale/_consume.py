"""Reading the orders of a sale: at least once, acknowledged after the work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Mapping

import redis

from . import _decode as decode
from ._base import Name
from ._retry import may_repeat, pause_after_error
from ._send import OPTIONS, Sends, settle

# An entry that a worker has kept so long is taken over.
CLAIM_IDLE_MS = 60_000
COUNT = 100
# Shorter than redis-py's own time-out of 5 s.
BLOCK_MS = 2000


@dataclass(frozen=True)
class Entry:
    """An order, a refund, or with `EVENTS all` another event: `event` says which, and one that
    you do not know is to be passed over. Deduplicate on `key`, never on `entry_id`.

    What an event does not have is empty, 0, or None. `fields` has everything as text: `seq`, and
    `sku`, `available`, `reserved` and `sold` of an event about an item.
    """

    entry_id: str
    event: str
    sale_id: str
    id: Name
    user: Name
    qty: int
    items: tuple[tuple[str, int], ...]
    at_ms: int
    ref: Name
    payload: Name | None
    # All the entry has, also what a newer module adds.
    fields: Mapping[str, Name]

    @property
    def key(self) -> tuple[Name, ...]:
        """What there is one of: (`event`, `sale_id`, `id`), and `ref` for a refund, `seq` for any
        other event."""
        known = (self.event, self.sale_id, self.id)
        if self.event == "order":
            return known
        return (*known, self.ref if self.event == "refund" else self.fields.get("seq", ""))


def entry(entry_id: Any, pairs: Any) -> Entry:
    flat = pairs.items() if isinstance(pairs, Mapping) else zip(pairs[::2], pairs[1::2])
    fields = {decode.text(field): decode.name(value) for field, value in flat}
    items = tuple((line["sku"], line["qty"]) for line in json.loads(fields.get("items", "[]")))
    event, sale_id = decode.text(fields.get("event", "")), decode.text(fields.get("sale_id", ""))
    buyer = fields.get("id", ""), fields.get("user", ""), int(fields.get("qty", 0))
    paid = int(fields.get("at_ms", 0)), fields.get("ref", ""), fields.get("payload")
    return Entry(decode.text(entry_id), event, sale_id, *buyer, items, *paid, fields)


def entries_of(reply: Any) -> list[Any]:
    """`[(id, fields), ...]` of one stream, from whatever redis-py makes of XREADGROUP's reply."""
    if not reply:
        return []
    found = next(iter(reply.values())) if isinstance(reply, Mapping) else reply[0][1]
    # Over RESP3 redis-py puts the entries into one more list.
    return list(found[0] if found and isinstance(found[0], list) else found)


@dataclass(frozen=True)
class Worker:
    sends: Sends
    group: str
    name: str
    handle: Callable[[Entry], Awaitable[None] | None]
    stop: Callable[[], bool]
    sleep: Callable[[float], Any]
    claim_idle_ms: int

    async def run(self) -> None:
        """Begins with what is pending, and begins anew after a lost connection."""
        tries = 0
        while not self.stop():
            try:
                await self._begin()
                while not self.stop():
                    await self._claim()
                    await self._work(entries_of(await self._read(">", "BLOCK", BLOCK_MS)))
                    tries = 0
            except (redis.RedisError, OSError) as error:
                known = decode.error(error) if isinstance(error, redis.ResponseError) else error
                if not may_repeat(known):
                    raise known from error
                await settle(self.sleep(pause_after_error(tries)))
                tries += 1

    async def _send(self, *args: Any) -> Any:
        return await settle(self.sends.redis.execute_command(*args, **OPTIONS))

    async def _read(self, after: Any, *options: Any) -> Any:
        count = ("COUNT", COUNT, *options, "STREAMS", self.sends.orders, after)
        return await self._send("XREADGROUP", "GROUP", self.group, self.name, *count)

    async def _begin(self) -> None:
        try:
            await self._send("XGROUP", "CREATE", self.sends.orders, self.group, "0", "MKSTREAM")
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        last: Any = "0"
        while found := entries_of(await self._read(last)):
            await self._work(found)
            last = found[-1][0]

    async def _claim(self) -> None:
        """Takes over what another name has left pending."""
        cursor: Any = "0-0"
        while cursor:
            claim = (self.group, self.name, self.claim_idle_ms, cursor, "COUNT", COUNT)
            cursor, found, *_ = await self._send("XAUTOCLAIM", self.sends.orders, *claim)
            await self._work(found)
            cursor = None if decode.text(cursor) == "0-0" else cursor

    async def _work(self, found: Any) -> None:
        for entry_id, pairs in found:
            if self.stop():
                return
            # A deleted entry has no fields: there is nothing left to do.
            if pairs:
                await settle(self.handle(entry(entry_id, pairs)))
            await self._send("XACK", self.sends.orders, self.group, entry_id)
