"""What every page of the shop does alike: who asks, what was asked, and the sale's answer as HTTP."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, TypeGuard

from flashsale import FlashSaleError, ReleaseAnswer, ReserveAnswer, UserLimit, retry_async
from flashsale.answers import ERRORS
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from books import HERE, IS_TLS, async_sale, connect, now_ms

sale = async_sale()
db = connect()
# A buyer waits so long for an answer; with the same id the next request goes on.
PATIENCE_S = 2
# Bytes of a body: carts and webhooks have a few hundred.
BODY_MOST = 16 * 1024


def user_of(request: Request) -> str:
    """Who asks: a random name in a cookie, until your shop has accounts."""
    return request.cookies.get("user", "")


def source_of(request: Request) -> str | None:
    """The address that asks, for FROMRATE: of IPv6 the /64, as one household has 2^64 addresses.

    uvicorn believes X-Forwarded-For of a proxy on this machine; name others with `forwarded_allow_ips`.
    """
    if not request.client:
        return None
    with suppress(ValueError):
        address = ip_address(request.client.host)
        if isinstance(address, IPv6Address):
            return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
    return request.client.host[:255] or None


def is_id(value: object) -> bool:
    return isinstance(value, str) and 16 <= len(value) <= 64


def are_names(value: object) -> TypeGuard[list[str]]:
    """Are these units with names? Each buyer asks for a few."""
    return isinstance(value, list) and 0 < len(value) <= 100 and all(isinstance(one, str) and 0 < len(one) <= 128 for one in value)


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


def page_of(request: Request, name: str) -> Response:
    reply = FileResponse(HERE / name, headers={"Cache-Control": "no-store"})
    if not user_of(request):
        # Lax: the buyer comes back from the provider's site.
        reply.set_cookie("user", secrets.token_urlsafe(16), 30 * 86400, httponly=True, samesite="lax", secure=IS_TLS)
    return reply


async def answer_to(call: Callable[[], Awaitable[ReserveAnswer | ReleaseAnswer]], user: str) -> JSONResponse:
    """The sale's answer as HTTP: `advice` knows the status, Retry-After and what to say."""
    answer = await retry_async(call, time.time() + PATIENCE_S)
    details = {name: value for name, value in vars(answer).items() if name != "rest"}
    body = {"status": answer.status, "says": answer.advice.buyer.format(**details), "now_ms": now_ms(), **details}
    if isinstance(answer, UserLimit):
        body["open"] = (await sale.of(user).user(user)).reservations
    retry_after = {"Retry-After": str(answer.retry_after_s)} if answer.retry_after_s else {}
    return JSONResponse(body, answer.advice.http, retry_after)


async def no_answer(_: Request, error: Exception) -> Response:
    """No answer, or an error. Perhaps it happened: the page asks again with the same id."""
    advice = error.advice if isinstance(error, FlashSaleError) else ERRORS["LOADING"][1]
    retry_after = {"Retry-After": str(advice.retry_after)} if advice.retry_after else {}
    return JSONResponse({"status": "ERROR", "says": advice.buyer}, advice.http, retry_after)
