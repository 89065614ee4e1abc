"""The operator's page: stock, state, how far the worker is, and what a person has to decide.

The password is `SHOP_ADMIN_PASSWORD`; without it there is no page. Those who guess must not keep
the operator from PAUSE, so the right password never waits, and a short one is refused at the
start. A login gives a cookie that no other site can make a browser send (SameSite=Strict).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

import redis
from flashsale import AsyncSale, EndedForGood, FlashSaleError, NoReservation, NotKnownYet, NotSoldAtAll, Ok, Refunded, RestockAnswer, retry_async, total_stock
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from books import HERE, IS_TLS, now_ms, write_off
from stock import ask_parts, state_of
from web import db, sale

PASSWORD = os.environ.get("SHOP_ADMIN_PASSWORD", "")
if 0 < len(PASSWORD) < 12:
    raise SystemExit("shop: SHOP_ADMIN_PASSWORD needs 12 characters or more")
# Sessions end with the process, and with the day.
SESSION_S = 8 * 3600
secret = secrets.token_bytes(32)


def session(until: int) -> str:
    return f"{until}.{hmac.new(secret, str(until).encode(), hashlib.sha256).hexdigest()}"


def is_operator(request: Request) -> bool:
    until, _, _ = (cookie := request.cookies.get("admin", "")).partition(".")
    is_ours = until.isdecimal() and hmac.compare_digest(cookie.encode(), session(int(until)).encode())
    return is_ours and int(until) > time.time()


async def login(request: Request) -> Response:
    asked: object = None
    with suppress(ValueError):
        asked = await request.json()
    given = str(asked.get("password")) if isinstance(asked, dict) else ""
    if not PASSWORD or not hmac.compare_digest(given.encode(errors="replace"), PASSWORD.encode()):
        await asyncio.sleep(1)
        return JSONResponse({"says": "That is not the password."}, 401)
    reply = JSONResponse({})
    reply.set_cookie("admin", session(int(time.time()) + SESSION_S), path="/admin", httponly=True, samesite="strict", secure=IS_TLS)
    return reply


async def page(_: Request) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'"}
    return FileResponse(HERE / "admin.html", 200 if PASSWORD else 404, headers)


async def state(request: Request) -> Response:
    if not is_operator(request):
        return JSONResponse({}, 401)
    found = await ask_parts()
    said = [one for one in found if not isinstance(one, BaseException)]
    away = f"; {len(found) - len(said)} of {len(found)} parts do not answer" if len(said) < len(found) else ""
    body = {
        "state": state_of([info for info, _ in said]) + away,
        "now_ms": max(info.now_ms for info, _ in said),
        "items": [vars(item) for item in total_stock(stock for _, stock in said)],
        "groups": await groups(),
        "intents": dict(db.execute("SELECT state, count(*) FROM intents GROUP BY state").fetchall()),
        "jobs": dict(db.execute("SELECT kind, count(*) FROM jobs GROUP BY kind").fetchall()),
        "alarms": [dict(row) for row in db.execute("SELECT * FROM alarms ORDER BY at_ms DESC LIMIT 100")],
    }
    return JSONResponse(body)


async def groups() -> list[dict[str, Any]]:
    """How far the readers of the order stream are; of all streams together, those of parts that answer."""
    shown: dict[str, dict[str, Any]] = {}
    for part in sale.parts:
        with suppress(redis.RedisError, OSError):
            for group in await part.redis.xinfo_groups(part.orders) if await part.redis.exists(part.orders) else ():
                name = group["name"].decode()
                oldest = (await part.redis.xpending(part.orders, name))["min"]
                age_ms = now_ms() - int(oldest.split(b"-")[0]) if oldest else 0
                # Not `lag`, which may be far too large after a restart or a failover.
                behind = len(await part.redis.xrange(part.orders, min=b"(" + group["last-delivered-id"], count=1000))
                of = shown.setdefault(name, {"name": name, "behind": 0, "pending": 0, "oldest_pending_ms": 0})
                of |= {"behind": of["behind"] + behind, "pending": of["pending"] + group["pending"]}
                of["oldest_pending_ms"] = max(of["oldest_pending_ms"], age_ms)
    return list(shown.values())


def soon() -> float:
    """Until when a call is sent again: each has a REF, or may be repeated anyway."""
    return time.time() + 5


async def act(request: Request) -> Response:
    """PAUSE, RESUME, RESTOCK, the refund of an order, and an alarm that was dealt with."""
    if not is_operator(request):
        return JSONResponse({}, 401)
    asked = await request.json()
    try:
        match asked["action"]:
            case "pause":
                return await in_each((part, part.pause) for part in sale.parts)
            case "resume":
                return await in_each((part, part.resume) for part in sale.parts)
            case "restock":
                dealt = sale.dealt({asked["sku"]: asked["delta"]}, new=asked["delta"] == 0)
                return await in_each((part, partial(part.restock, units, ref=asked["ref"])) for part, units in dealt)
            case "refund":
                return await refund(asked["id"], asked["ref"])
            case "done":
                db.execute("DELETE FROM alarms WHERE topic = ? AND id = ?", (asked["topic"], asked["id"]))
                return JSONResponse({"says": "Done."})
            case _:
                return JSONResponse({"says": "No such action."}, 400)
    except (FlashSaleError, ValueError) as error:
        return JSONResponse({"says": str(error)}, 409)


async def in_each(calls: Iterable[tuple[AsyncSale, Callable[[], Awaitable[Ok | EndedForGood | RestockAnswer]]]]) -> Response:
    """The same in each part, safe to repeat and not atomic: a part that does not answer keeps no other from it."""
    named = [(part.key, retry_async(call, soon())) for part, call in calls]
    found = await asyncio.gather(*(call for _, call in named), return_exceptions=True)
    lost = [f"{key!r}: {one}" for (key, _), one in zip(named, found) if isinstance(one, BaseException)]
    answers = [one for one in found if not isinstance(one, BaseException)]
    if lost and len(named) > 1:
        return JSONResponse({"says": f"{len(answers)} of {len(named)} parts did it. Send it again: {'; '.join(lost)}"}, 503)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    worst = max(answers, key=lambda answer: answer.advice.http)
    return JSONResponse({"says": str(worst.status)}, worst.advice.http)


async def part_of(id: str) -> AsyncSale | None:
    """The part that has an order: our books know whose it is, and else the part itself."""
    whose = "SELECT user FROM orders WHERE id = :id UNION SELECT user FROM intents WHERE reservation = :id"
    if row := db.execute(whose, {"id": id}).fetchone():
        return sale.of(row["user"])
    found = await sale.find(id)
    return found[0] if found else None


async def refund(id: str, ref: str) -> Response:
    """Takes an order back whole. The `refund` entry moves the money, by way of the worker.

    An order that the sale has lost has no such entry: then it is written off here.
    """
    try:
        part = await part_of(id)
    except NotKnownYet as error:
        return JSONResponse({"says": f"{error}: ask again."}, 503)
    if not part:
        return JSONResponse({"says": "Nobody knows this order."}, 404)
    answer = await retry_async(lambda: part.refund(id, ref=ref), soon())
    is_lost = isinstance(answer, (NoReservation, NotSoldAtAll)) and write_off(db, id, ref)
    if not is_lost and not isinstance(answer, Refunded):
        return JSONResponse({"says": f"{answer.status}: there is nothing to refund."}, answer.advice.http)
    db.execute("DELETE FROM alarms WHERE topic = 'owed' AND id = ?", (id,))
    return JSONResponse({"says": "The money goes back."})


routes = [
    Route("/admin", page),
    Route("/admin/login", login, methods=["POST"]),
    Route("/admin/state", state),
    Route("/admin/act", act, methods=["POST"]),
]
