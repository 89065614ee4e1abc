"""A stand-in for a payment provider, with the manners of real ones and none of their money.

It authorises cards or charges at once; its webhooks are signed, come 1 to 3 times, up to 10
seconds late and in any order, and again until they are answered 200. It knows idempotency
keys, and counts every cent (`GET /books`). It keeps all that in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import random
import urllib.request
from dataclasses import asdict, dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from provider import SECRET, URL

SHOP = os.environ.get("SHOP_URL", "http://127.0.0.1:8000")
LATE_MS = int(os.environ.get("PSP_LATE_MS", "10000"))
COPIES_MAX = int(os.environ.get("PSP_COPIES_MAX", "3"))
METHODS = {
    "card": "Card",
    "bank": "Bank debit: charged at once",
    "card-fails": "Card whose authorisation is gone when it is captured",
}


@dataclass
class Payment:
    ref: str
    intent: str
    cents: int
    currency: str
    return_url: str
    method: str = ""
    state: str = "created"
    captured: int = 0
    refunded: int = 0


payments: dict[str, Payment] = {}
# What was answered to which key, and to what.
answered: dict[str, tuple[str, int, dict[str, Any]]] = {}
tasks: set[asyncio.Task[None]] = set()


def new_payment(**of: Any) -> Payment:
    payment = Payment(ref=f"pay_{len(payments) + 1}_{random.getrandbits(40):010x}", **of)
    payments[payment.ref] = payment
    return payment


# --- the shop's side ----------------------------------------------------------------


def act(payment: Payment | None, action: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if action == "create":
        of = {name: body[name] for name in ("intent", "cents", "currency", "return_url")}
        return 200, asdict(new_payment(**of))
    assert payment
    state, left = payment.state, payment.captured - payment.refunded
    if action == "capture" and state == "authorised" and payment.method != "card-fails":
        payment.state, payment.captured = "captured", payment.cents
    elif action == "capture" and state == "authorised":
        payment.state = "cancelled"
        return 402, asdict(payment)
    elif action == "cancel" and state in ("created", "authorised"):
        payment.state = "cancelled"
        notify(payment)
    elif action == "refund" and state == "captured" and 0 < body["cents"] <= left:
        payment.refunded += body["cents"]
    elif (action, state) not in (("capture", "captured"), ("cancel", "cancelled")):
        return 402, asdict(payment)
    return 200, asdict(payment)


async def post(request: Request) -> Response:
    """An action under an idempotency key: the same key again gets the same answer."""
    key, body = request.headers["Idempotency-Key"], await request.body()
    if request.headers.get("Authorization") != f"Bearer {SECRET}":
        return JSONResponse({}, 401)
    asked = f"{request.url.path} {body.decode()}"
    if key not in answered:
        payment = payments.get(request.path_params.get("ref", ""))
        answered[key] = (asked, *act(payment, request.path_params.get("action", "create"), json.loads(body)))
    of, status, answer = answered[key]
    return JSONResponse(answer, status) if of == asked else JSONResponse({"error": "another request had this key"}, 422)


async def get(request: Request) -> Response:
    payment = payments.get(request.path_params["ref"])
    return JSONResponse(asdict(payment)) if payment else JSONResponse({}, 404)


async def books(_: Request) -> Response:
    totals = {name: sum(getattr(one, name) for one in payments.values()) for name in ("captured", "refunded")}
    return JSONResponse({**totals, "webhooks_on_their_way": len(tasks), "payments": [asdict(one) for one in payments.values()]})


# --- webhooks -----------------------------------------------------------------------


def notify(payment: Payment) -> None:
    """Tells the shop the payment's state as it is now, more than once, sometime."""
    body = json.dumps({"intent": payment.intent, "ref": payment.ref, "state": payment.state, "cents": payment.cents})
    for _ in range(random.randint(1, COPIES_MAX)):
        task = asyncio.create_task(deliver(body.encode(), random.uniform(0, LATE_MS) / 1000))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def deliver(body: bytes, late: float) -> None:
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Psp-Signature": signature, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{SHOP}/webhook", body, headers)
    await asyncio.sleep(late)
    for _ in range(300):
        try:
            await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).close())
            return
        except OSError:
            await asyncio.sleep(1)


# --- the buyer's side ---------------------------------------------------------------

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Pay</title><style>:root {{ color-scheme: light dark; font: 1.1rem system-ui, sans-serif }}
main {{ max-width: 24rem; margin: 3rem auto; padding: 0 1rem }} button {{ font: inherit; padding: .7rem 1rem; width: 100%;
margin: .3rem 0; border-radius: .5rem; border: 1px solid }}</style>
<main><h1>{amount} {currency}</h1><p>This provider is a stand-in: no money moves. Payment {state}.</p>
<form method="post">{buttons}</form><p><a href="{back}">Back to the shop</a></p></main></html>"""


async def page(request: Request) -> Response:
    """What the buyer sees, and what a click does. Paying twice makes a second payment."""
    payment = payments.get(request.path_params["ref"])
    if not payment:
        return JSONResponse({}, 404)
    if request.method == "POST":
        method = (await request.body()).decode().removeprefix("method=")
        if method not in METHODS or payment.state == "cancelled":
            return RedirectResponse(payment.return_url, 303)
        if payment.state != "created":
            payment = new_payment(intent=payment.intent, cents=payment.cents, currency=payment.currency, return_url=payment.return_url)
        payment.method, payment.state = method, "authorised"
        if method == "bank":
            payment.state, payment.captured = "captured", payment.cents
        notify(payment)
        return RedirectResponse(payment.return_url, 303)
    buttons = "".join(f'<button name="method" value="{name}">{escape(says)}</button>' for name, says in METHODS.items())
    of = {"amount": f"{payment.cents / 100:.2f}", "currency": payment.currency, "state": payment.state}
    return HTMLResponse(PAGE.format(**of, buttons=buttons, back=escape(payment.return_url)))


app = Starlette(
    routes=[
        Route("/payments", post, methods=["POST"]),
        Route("/payments/{ref}", get),
        Route("/payments/{ref}/{action}", post, methods=["POST"]),
        Route("/pay/{ref}", page, methods=["GET", "POST"]),
        Route("/books", books),
    ]
)

if __name__ == "__main__":
    if not SECRET:
        raise SystemExit("psp: set SHOP_PSP_SECRET")
    uvicorn.run(app, host="127.0.0.1", port=urlsplit(URL).port or 8001, log_level="warning")
