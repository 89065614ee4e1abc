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
from contextlib import suppress

from flashsale import EndedForGood, FlashSaleError, NoReservation, NotSoldAtAll, Ok, Refunded, RestockAnswer, retry_async
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from books import HERE, IS_TLS, ORDERS, now_ms, write_off
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
    info, items = await sale.info(), await sale.stock()
    groups = await sale.redis.xinfo_groups(ORDERS) if await sale.redis.exists(ORDERS) else []
    shown = []
    for group in groups:
        name = group["name"].decode()
        oldest = (await sale.redis.xpending(ORDERS, name))["min"]
        age_ms = now_ms() - int(oldest.split(b"-")[0]) if oldest else 0
        # Not `lag`, which may be far too large after a restart or a failover.
        behind = len(await sale.redis.xrange(ORDERS, min=b"(" + group["last-delivered-id"], count=1000))
        shown.append({"name": name, "behind": behind, "pending": group["pending"], "oldest_pending_ms": age_ms})
    body = {
        "state": info.state,
        "now_ms": info.now_ms,
        "items": [vars(item) for item in items if item],
        "groups": shown,
        "intents": dict(db.execute("SELECT state, count(*) FROM intents GROUP BY state").fetchall()),
        "jobs": dict(db.execute("SELECT kind, count(*) FROM jobs GROUP BY kind").fetchall()),
        "alarms": [dict(row) for row in db.execute("SELECT * FROM alarms ORDER BY at_ms DESC LIMIT 100")],
    }
    return JSONResponse(body)


def soon() -> float:
    """Until when a call is sent again: each has a REF, or may be repeated anyway."""
    return time.time() + 5


async def act(request: Request) -> Response:
    """PAUSE, RESUME, RESTOCK, the refund of an order, and an alarm that was dealt with."""
    if not is_operator(request):
        return JSONResponse({}, 401)
    asked = await request.json()
    answer: Ok | EndedForGood | RestockAnswer
    try:
        match asked["action"]:
            case "pause":
                answer = await retry_async(sale.pause, soon())
            case "resume":
                answer = await retry_async(sale.resume, soon())
            case "restock":
                answer = await retry_async(lambda: sale.restock({asked["sku"]: asked["delta"]}, ref=asked["ref"]), soon())
            case "refund":
                return await refund(asked["id"], asked["ref"])
            case "done":
                db.execute("DELETE FROM alarms WHERE topic = ? AND id = ?", (asked["topic"], asked["id"]))
                return JSONResponse({"says": "Done."})
            case _:
                return JSONResponse({"says": "No such action."}, 400)
    except FlashSaleError as error:
        return JSONResponse({"says": str(error)}, 409)
    return JSONResponse({"says": str(answer.status)}, answer.advice.http)


async def refund(id: str, ref: str) -> Response:
    """Takes an order back whole. The `refund` entry moves the money, by way of the worker.

    An order that the sale has lost has no such entry: then it is written off here.
    """
    answer = await retry_async(lambda: sale.refund(id, ref=ref), soon())
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
