"""The shop as buyers see it: the page, the cart, the payment, the order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import redis
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

import admin
import provider
import seats
from books import HERE, SHOP_URL, check_parts
from cart import cart
from payment import back, order, pay, webhook
from seats import hall
from stock import events
from web import SmallBodies, db, no_answer, page_of, refuse


async def page(request: Request) -> Response:
    return page_of(request, "shop.html")


async def file(request: Request) -> Response:
    return FileResponse(HERE / request.url.path.removeprefix("/"), headers={"Cache-Control": "max-age=60"})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    reader = asyncio.create_task(hall.follow())
    yield
    reader.cancel()


routes = [
    Route("/", page),
    *(Route(f"/{name}", file) for name in ("page.css", "cart-page.js", "seats-map.js", "seats-page.js")),
    Route("/cart", cart, methods=["POST", "PUT", "DELETE"]),
    Route("/pay", pay, methods=["POST"]),
    Route("/webhook", webhook, methods=["POST"]),
    Route("/return/{intent}", back),
    Route("/order/{id}", order),
    Route("/events", events),
    *seats.routes,
    *admin.routes,
]
errors = {redis.RedisError: no_answer, OSError: no_answer, HTTPException: refuse}
app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=errors, middleware=[Middleware(SmallBodies)])

if __name__ == "__main__":
    if not provider.SECRET:
        raise SystemExit("shop: set SHOP_PSP_SECRET")
    check_parts(db)
    port = urlsplit(SHOP_URL).port or 8000
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
