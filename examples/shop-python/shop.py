"""The shop as buyers see it: the page, the cart, the payment, the order.

Nothing here moves money or sells: a webhook is written down, and `jobs.py` does the rest.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import redis
import uvicorn
from flashsale import FlashSaleError, ReleaseAnswer, ReserveAnswer, ReservedNow, UserLimit, retry_async
from flashsale.answers import ERRORS
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import admin
import provider
from books import CURRENCY, HERE, IS_TLS, SHOP_URL, UNPAID, add_job, alarm, async_sale, cents_of, connect, intent_of, move, now_ms, transaction

sale = async_sale()
db: sqlite3.Connection
# A buyer waits so long for an answer; with the same id the next request goes on.
PATIENCE_S = 2
PAID = ("authorised", "captured")
# Bytes of a body: carts and webhooks have a few hundred.
BODY_MOST = 16 * 1024


def user_of(request: Request) -> str:
    """Who asks: a random name in a cookie, until your shop has accounts."""
    return request.cookies.get("user", "")


def is_id(value: object) -> bool:
    return isinstance(value, str) and 16 <= len(value) <= 64


def are_units(value: object) -> TypeGuard[dict[str, int]]:
    """Is it a cart? What cannot be sent to the sale would look like "no answer", and be asked for ever."""
    return isinstance(value, dict) and all(type(qty) is int and qty > 0 for qty in value.values())


async def asked_by(request: Request) -> dict[str, Any]:
    """What the page asks, with the id that it made."""
    with suppress(ValueError):
        asked = await request.json()
        if user_of(request) and isinstance(asked, dict) and is_id(asked.get("id")):
            return asked
    raise HTTPException(400)


async def refuse(_: Request, error: Exception) -> Response:
    """What was asked was wrong: as JSON, or the page takes it for no answer and asks again."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    return JSONResponse({"status": "ERROR", "says": "Please reload the page."}, status, {"Connection": "close"} if status == 413 else None)


class SmallBodies:
    """Refuses a body of more than BODY_MOST bytes, before it is collected in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > BODY_MOST:
                raise HTTPException(413)
            return message

        await self.app(scope, counted, send)


async def answer_to(call: Callable[[], Awaitable[ReserveAnswer | ReleaseAnswer]], user: str) -> JSONResponse:
    """The sale's answer as HTTP: `advice` knows the status, Retry-After and what to say."""
    answer = await retry_async(call, time.time() + PATIENCE_S)
    details = {name: value for name, value in vars(answer).items() if name != "rest"}
    body = {"status": answer.status, "says": answer.advice.buyer.format(**details), "now_ms": now_ms(), **details}
    if isinstance(answer, UserLimit):
        body["open"] = (await sale.user(user)).reservations
    retry_after = {"Retry-After": str(answer.retry_after_s)} if answer.retry_after_s else {}
    return JSONResponse(body, answer.advice.http, retry_after)


async def no_answer(_: Request, error: Exception) -> Response:
    """No answer, or an error. Perhaps it happened: the page asks again with the same id."""
    advice = error.advice if isinstance(error, FlashSaleError) else ERRORS["LOADING"][1]
    retry_after = {"Retry-After": str(advice.retry_after)} if advice.retry_after else {}
    return JSONResponse({"status": "ERROR", "says": advice.buyer}, advice.http, retry_after)


# --- the cart -----------------------------------------------------------------------


async def cart(request: Request) -> Response:
    """POST reserves, PUT changes the cart in one step, DELETE cancels; `id` comes from the page."""
    user, asked = user_of(request), await asked_by(request)
    id, items, old = asked["id"], asked.get("items"), asked.get("old")
    if request.method == "DELETE":
        give_back_soon(id, user)
        return await answer_to(lambda: sale.release(id, user=user), user)
    if not are_units(items) or (old is not None and not is_id(old)):
        raise HTTPException(400)
    # A line is one item's, and a cart that changes has its units: both as without a line.
    wait = len(items) == 1 and not old and await stock.has_line()
    reply = await answer_to(lambda: sale.reserve(user, items, id=id, replace=old, wait=wait), user)
    if old and reply.status_code == ReservedNow.advice.http:
        give_back_soon(old, user)
    return reply


def give_back_soon(reservation: str, user: str) -> None:
    """Has the payment of a cart given back that is cancelled or was changed, if there is one."""
    with transaction(db):
        intent = intent_of(db, "reservation", reservation)
        if intent and intent["user"] == user:
            add_job(db, "give-back", intent["id"])


# --- the payment --------------------------------------------------------------------


async def pay(request: Request) -> Response:
    """Makes the intent, and the payment at the provider. The price is ours, never the browser's."""
    user, id = user_of(request), (await asked_by(request))["id"]
    intent = intent_of(db, "reservation", id)
    if not intent:
        cart = await sale.get(id)
        if not cart or cart.user != user or cart.state != "reserved" or not cart.expires_at_ms or not cart.items:
            return JSONResponse({"status": "ERROR", "says": "Your cart is gone. Please start again."}, 409)
        price = {row["sku"]: row["cents"] for row in db.execute("SELECT sku, cents FROM prices")}
        if not all(sku in price for sku, _ in cart.items):
            return JSONResponse({"status": "ERROR", "says": "This has no price yet."}, 409)
        items = [{"sku": sku, "qty": qty, "cents": price[sku]} for sku, qty in cart.items]
        with transaction(db):
            db.execute(
                "INSERT INTO intents (id, reservation, user, items, cents, expires_at_ms, changed_at_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (f"in_{secrets.token_hex(10)}", id, user, json.dumps(items), cents_of(items, items), cart.expires_at_ms, now_ms()),
            )
        intent = intent_of(db, "reservation", id)
    if intent["user"] != user or intent["state"] != "open":
        return JSONResponse({"status": intent["state"], "says": SAYS[intent["state"]]}, 409)
    back_url = f"{SHOP_URL}/return/{intent['id']}"
    payment = await asyncio.to_thread(provider.create, intent["id"], intent["cents"], CURRENCY, back_url)
    with transaction(db):
        db.execute("UPDATE intents SET psp_ref = ? WHERE id = ? AND state = 'open' AND psp_ref IS NULL", (payment["ref"], intent["id"]))
    return JSONResponse({"status": "OK", "pay_url": f"{provider.URL}/pay/{payment['ref']}"})


def take(payment: dict[str, Any]) -> None:
    """Writes down what became of a payment, in one transaction. Webhook and redirect end here.

    Providers repeat themselves for days and in any order, and the sale forgets ids: what
    remembers is the state in SQL.
    """
    ref = payment["ref"]
    with transaction(db):
        # By the intent in its metadata: the webhook may be quicker than our own `pay`.
        intent = intent_of(db, "id", payment["intent"])
        if not intent:
            alarm(db, "unknown payment", ref, f"a payment of the intent {payment['intent']}, which is not here")
        elif payment["state"] in PAID and payment["cents"] != intent["cents"]:
            alarm(db, "wrong amount", ref, f"{payment['cents']} cents were paid, not {intent['cents']}; given back")
            add_job(db, "return", intent["id"], ref)
        elif payment["state"] in PAID and move(db, intent["id"], ("open",), "authorised", ref):
            add_job(db, "checkout", intent["id"])
        elif payment["state"] in PAID and (intent["psp_ref"] != ref or intent["state"] == "closed"):
            # Paid twice, or after the end.
            add_job(db, "return", intent["id"], ref)
        elif payment["state"] == "cancelled" and intent["psp_ref"] in (ref, None):
            add_job(db, "give-back", intent["id"])


async def webhook(request: Request) -> Response:
    """200 once it is written down, whatever the sale will say; an exception is a 500: come again."""
    body = await request.body()
    if not provider.is_signed(body, request.headers.get("Psp-Signature", "")):
        return JSONResponse({}, 401)
    take(json.loads(body))
    return JSONResponse({})


async def back(request: Request) -> Response:
    """Where the provider sends the buyer: often before the webhook, so we ask."""
    intent = intent_of(db, "id", request.path_params["intent"])
    if intent and intent["psp_ref"]:
        with suppress(OSError):  # The webhook comes anyway.
            take(await asyncio.to_thread(provider.get, intent["psp_ref"]))
    return RedirectResponse("/", 303)


# --- the order ----------------------------------------------------------------------

SAYS = {
    "waiting": "You are in line.",
    "reserved": "Yours until the clock runs out.",
    "expired": "Your time was up. Please try again.",
    "released": "Cancelled. Nothing was charged.",
    "open": "Waiting for your payment.",
    "authorised": "We are checking your order.",
    "closing": "We are checking your order.",
    "closed": "Cancelled. Nothing was charged, or it is on its way back.",
    "sold": "Bought.",
    "captured": "Bought.",
}


async def order(request: Request) -> Response:
    """What became of a cart: our books first, the sale where they have nothing yet."""
    id, user = request.path_params["id"], user_of(request)
    intent, known = intent_of(db, "reservation", id), await sale.get(id)
    if (intent["user"] if intent else known and known.user) != user or not user:
        return JSONResponse({"status": "UNKNOWN", "says": "We do not know this order."}, 404)
    state = intent["state"] if intent else known and known.state
    # `SOLD` is for the buyer's eyes; money moves with the entry in the stream.
    if known and known.state == "sold" and state in ("authorised", "closing"):
        state = "sold"
    refunded = [row["ref"] for row in db.execute("SELECT ref FROM refunds WHERE id = ?", (id,))]
    body = {"status": state, "says": SAYS.get(str(state), ""), "refunds": refunded, "now_ms": now_ms()}
    if UNPAID in refunded:
        body["says"] = "Your payment failed or was given back, so the order was cancelled."
    if known:
        body |= {"items": known.items, "expires_at_ms": known.expires_at_ms, "order_id": known.order_id}
    return JSONResponse(body)


# --- the page -----------------------------------------------------------------------


async def page(request: Request) -> Response:
    reply = FileResponse(HERE / "shop.html", headers={"Cache-Control": "no-store"})
    if not user_of(request):
        # Lax: the buyer comes back from the provider's site.
        reply.set_cookie("user", secrets.token_urlsafe(16), 30 * 86400, httponly=True, samesite="lax", secure=IS_TLS)
    return reply


class Stock:
    """The stock as one text that all pages get, asked for at most twice a second."""

    text, asked_at_ms, waiting_max = "", 0, 0

    async def has_line(self) -> bool:
        await self.latest()
        return self.waiting_max > 0

    async def latest(self) -> str:
        if now_ms() - self.asked_at_ms >= 500:
            self.asked_at_ms = now_ms()
            async with sale.pipeline() as ask:
                info, stock = ask.info(), ask.stock()
            if isinstance(info.answer, FlashSaleError) or isinstance(stock.answer, FlashSaleError):
                return self.text
            self.waiting_max = info.answer.waiting_max
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


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    global db
    db = app.state.db = connect()
    yield


routes = [
    Route("/", page),
    Route("/cart", cart, methods=["POST", "PUT", "DELETE"]),
    Route("/pay", pay, methods=["POST"]),
    Route("/webhook", webhook, methods=["POST"]),
    Route("/return/{intent}", back),
    Route("/order/{id}", order),
    Route("/events", events),
    *admin.routes,
]
errors = {redis.RedisError: no_answer, OSError: no_answer, HTTPException: refuse}
app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=errors, middleware=[Middleware(SmallBodies)])

if __name__ == "__main__":
    if not provider.SECRET:
        raise SystemExit("shop: set SHOP_PSP_SECRET")
    port = urlsplit(SHOP_URL).port or 8000
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)
