"""The seat map: read once, kept up by the order stream, and sent to pages as what has changed.

A page gets the whole map, 2 bits a seat, and then the numbers of seats with their new states. The
position in the list of changes is the version of the map, so nobody misses a change in between.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import secrets
import time
from array import array
from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any

import redis
from flashsale import FlashSaleError, UnitState
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from books import SPLIT
from web import db, page_of, sale

# Units with names are in a sale of one part.
shoes = sale.parts[0]
STATES = {"free": 0, "reserved": 1, "sold": 2, "withdrawn": 3}
AFTER = {"reserved": 1, "granted": 1, "released": 0, "expired": 0, "order": 2, "refund": 0}
# So many changes are kept; beyond them pages read the map again.
CHANGES_MOST = 500_000


def zones() -> list[dict[str, Any]]:
    """The items with a seat map: a zone for each price."""
    of = "SELECT p.* FROM prices p JOIN named n USING (sku) WHERE n.kind = 'seat' ORDER BY p.rowid"
    return [dict(row) for row in db.execute(of)]


def spelled(row: list[str]) -> list[Any]:
    """Seats of one row: from its first number on, if that is how they are numbered."""
    first = int(row[0]) if row[0].isdecimal() else 0
    return [first, len(row)] if row == [str(first + seat) for seat in range(len(row))] else [row]


class Hall:
    """Every seat with its state. A seat's number is its place in the order of UNITS."""

    def __init__(self) -> None:
        self.epoch, self.read_ms, self.text = "", 0.0, b""
        self.at: dict[str, int] = {}
        self.rows: list[Any] = []
        self.states, self.seqs, self.changes = bytearray(), array("Q"), array("L")

    async def load(self) -> str:
        """Reads all seats, 10,000 a call; returns from where on the stream is to be read."""
        # Before the seats: what happens meanwhile is read again, and changes nothing twice.
        last = await shoes.redis.xrevrange(shoes.orders, count=1)
        names: list[str] = []
        rows: list[Any] = []
        states = bytearray()
        for number, zone in enumerate(zones()):
            cursor = 0
            seats: list[UnitState] = []
            while True:
                try:
                    page = await shoes.units(zone["sku"], cursor, count=10_000)
                except FlashSaleError as error:
                    if error.code not in ("NOSKU", "ERR"):
                        raise
                    break  # Not in this sale.
                seats += page.units
                if not (cursor := page.cursor):
                    break
            states += bytes(STATES[seat.state] for seat in seats)
            names += (seat.unit for seat in seats)
            for row, of in groupby((seat.unit.rpartition("-") for seat in seats), lambda parts: parts[0]):
                rows.append([number, row, *spelled([parts[2] for parts in of])])
        self.at, self.rows = {name: seat for seat, name in enumerate(names)}, rows
        self.states, self.seqs, self.changes = states, array("Q", bytes(8 * len(names))), array("L")
        self.epoch, self.read_ms = secrets.token_hex(4), 0
        return last[0][0].decode() if last else "0"

    def see(self, fields: dict[bytes, bytes]) -> None:
        """An entry of the stream. Of two about a seat the one with the larger `seq` is newer."""
        after = AFTER.get(fields[b"event"].decode())
        if after is None:
            return
        seq, is_back = int(fields.get(b"seq", b"0")), fields.get(b"restocked") != b"0"
        for line in json.loads(fields[b"items"]):
            for unit in line.get("units", ()):
                seat = self.at.get(unit)
                if seat is None or seq < self.seqs[seat]:
                    continue
                self.seqs[seat] = seq
                # A refund without restock, or of a line that does not go back, withdraws.
                state = after if is_back and line.get("restocked") != 0 else 3
                if self.states[seat] != state:
                    self.states[seat] = state
                    self.changes.append(seat << 2 | state)

    async def follow(self) -> None:
        """Reads seats and stream for ever; all over again after an error, and where seats were added."""
        if SPLIT:
            return  # A part has no units with names.
        while True:
            try:
                last, is_new = await self.load(), False
                while not is_new and len(self.changes) < CHANGES_MOST:
                    found = await shoes.redis.xread({shoes.orders: last}, count=1000, block=1000)
                    for last, fields in found[0][1] if found else ():
                        self.see(fields)
                        is_new |= fields[b"event"] in (b"restocked", b"lost")
            except (redis.RedisError, FlashSaleError, OSError) as error:
                print(f"seats: {error!r}; read again", flush=True)
                await asyncio.sleep(1)

    def map(self) -> bytes:
        """The whole map, zipped, at most a second old: a rush of pages gets the same text."""
        if time.monotonic() - self.read_ms >= 1:
            packed = bytearray((len(self.states) + 3) // 4)
            for seat, state in enumerate(self.states):
                packed[seat >> 2] |= state << 2 * (seat & 3)
            of = {"epoch": self.epoch, "version": len(self.changes), "zones": zones(), "rows": self.rows}
            text = json.dumps({**of, "states": base64.b64encode(packed).decode()}, separators=(",", ":"))
            self.text, self.read_ms = gzip.compress(text.encode(), 6), time.monotonic()
        return self.text


hall = Hall()


async def seat_map(request: Request) -> Response:
    if not hall.at:
        return JSONResponse({"says": "There are no seats."}, 404)
    return Response(hall.map(), media_type="application/json", headers={"Content-Encoding": "gzip", "Cache-Control": "no-store"})


async def live(request: Request) -> Response:
    """What has changed since the version that the page has, four times a second."""
    epoch, _, since = request.headers.get("last-event-id", request.query_params.get("since", "")).partition(".")

    async def lines() -> AsyncIterator[str]:
        version, quiet = int(since) if since.isdecimal() else -1, 0
        while not await request.is_disconnected():
            if epoch != hall.epoch or not 0 <= version <= len(hall.changes):
                yield "event: stale\ndata:\n\n"
                return
            if version < len(hall.changes):
                changed, version, quiet = hall.changes[version:], len(hall.changes), 0
                yield f"id: {epoch}.{version}\ndata: {json.dumps(changed.tolist(), separators=(',', ':'))}\n\n"
            elif (quiet := quiet + 1) % 20 == 1:
                yield ":\n\n"  # Every 5 s: a proxy does not take the silence for the end.
            await asyncio.sleep(0.25)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def page(request: Request) -> Response:
    return page_of(request, "seats.html")


routes = [Route("/seats", page), Route("/seats/map", seat_map), Route("/seats/live", live)]
