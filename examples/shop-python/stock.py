"""The stock as all pages see it: asked for at most twice a second, however many look."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import redis
from flashsale import FlashSaleError, ItemStock, SaleInfo, total_stock
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from books import CURRENCY, PARTS, now_ms
from web import db, sale


async def ask_parts() -> list[tuple[SaleInfo, list[ItemStock]] | BaseException]:
    """Each part with its stock, or with what it answers instead. Raises only if none answers."""

    async def ask(number: int) -> tuple[SaleInfo, list[ItemStock]]:
        async with sale.parts[number].pipeline() as pipe:
            info, stock = pipe.info(), pipe.stock()
        if isinstance(info.answer, FlashSaleError):
            raise info.answer
        if isinstance(stock.answer, FlashSaleError):
            raise stock.answer
        return info.answer, stock.answer

    found = await asyncio.gather(*(ask(number) for number in range(PARTS)), return_exceptions=True)
    if all(isinstance(one, BaseException) for one in found):
        raise next(one for one in found if isinstance(one, BaseException))
    return found


def state_of(infos: list[SaleInfo]) -> str:
    """The state of all parts; while they differ, all there are."""
    return ", ".join(sorted({info.state for info in infos}))


class Stock:
    """The stock as one text that all pages get, asked for at most twice a second."""

    text, asked_at_ms, waiting_max, ahead_ms = "", 0, 0, 0
    # What each part said last: one that does not answer just now has its units still.
    said: dict[int, tuple[SaleInfo, list[ItemStock]]] = {}

    def now_ms(self) -> int:
        """The sale's clock, which judges passes; the latest, where parts are on several servers."""
        return now_ms() + self.ahead_ms

    async def latest(self) -> str:
        if now_ms() - self.asked_at_ms >= 500:
            self.asked_at_ms = now_ms()
            try:
                found = await ask_parts()
            except FlashSaleError:
                return self.text
            said = {number: one for number, one in enumerate(found) if not isinstance(one, BaseException)}
            self.ahead_ms = max(info.now_ms for info, _ in said.values()) - now_ms()
            self.said |= said
            infos = [info for info, _ in self.said.values()]
            self.waiting_max = infos[0].waiting_max
            known = {row["sku"]: dict(row) for row in db.execute("SELECT * FROM prices LEFT JOIN named USING (sku)")}
            items = [{**vars(item), **known[item.sku]} for item in total_stock(stock for _, stock in self.said.values()) if item.sku in known]
            of = {"now_ms": self.now_ms(), "state": state_of(infos), "userlimit": infos[0].userlimit, "waiting_max": self.waiting_max}
            self.text = json.dumps({**of, "currency": CURRENCY, "items": items})
        return self.text


stock = Stock()


async def events(request: Request) -> Response:
    """The stock while somebody looks, as server-sent events."""

    async def lines() -> AsyncIterator[str]:
        yield f"retry: {2000 + secrets.randbelow(3000)}\n\n"
        while not await request.is_disconnected():
            try:
                if text := await stock.latest():
                    yield f"data: {text}\n\n"
            except (redis.RedisError, OSError):
                yield ": the sale does not answer\n\n"
            await asyncio.sleep(0.5)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
