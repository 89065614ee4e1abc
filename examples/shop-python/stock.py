"""The stock as all pages see it: asked for at most twice a second, however many look."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import redis
from flashsale import FlashSaleError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from books import CURRENCY, now_ms
from web import db, sale


class Stock:
    """The stock as one text that all pages get, asked for at most twice a second."""

    text, asked_at_ms, waiting_max, ahead_ms = "", 0, 0, 0

    def now_ms(self) -> int:
        """The sale's clock, which judges passes."""
        return now_ms() + self.ahead_ms

    async def latest(self) -> str:
        if now_ms() - self.asked_at_ms >= 500:
            self.asked_at_ms = now_ms()
            async with sale.pipeline() as ask:
                info, stock = ask.info(), ask.stock()
            if isinstance(info.answer, FlashSaleError) or isinstance(stock.answer, FlashSaleError):
                return self.text
            self.waiting_max, self.ahead_ms = info.answer.waiting_max, info.answer.now_ms - now_ms()
            titles = {row["sku"]: (row["title"], row["cents"]) for row in db.execute("SELECT * FROM prices")}
            on_sale = [item for item in stock.answer if item and item.sku in titles]
            items = [{**vars(item), "title": titles[item.sku][0], "cents": titles[item.sku][1]} for item in on_sale]
            of = {"now_ms": info.answer.now_ms, "state": info.answer.state, "userlimit": info.answer.userlimit, "waiting_max": self.waiting_max}
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
