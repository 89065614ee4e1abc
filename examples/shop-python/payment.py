"""The payment's intent, what becomes of the payment, and the order.

Nothing here moves money or sells: a webhook is written down, and `jobs.py` does the rest.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

import provider
from books import CURRENCY, SHOP_URL, UNPAID, add_job, alarm, cents_of, intent_of, move, now_ms, transaction
from named import kinds
from web import asked_by, db, sale, user_of

PAID = ("authorised", "captured")


async def pay(request: Request) -> Response:
    """Makes the intent, and the payment at the provider. The price is ours, never the browser's."""
    user, id = user_of(request), (await asked_by(request))["id"]
    intent = intent_of(db, "reservation", id)
    if not intent:
        cart = await sale.of(user).get(id)
        if not cart or cart.user != user or cart.state != "reserved" or not cart.expires_at_ms or not cart.items:
            return JSONResponse({"status": "ERROR", "says": "Your cart is gone. Please start again."}, 409)
        price = {row["sku"]: row["cents"] for row in db.execute("SELECT sku, cents FROM prices")}
        if not all(sku in price for sku, _ in cart.items):
            return JSONResponse({"status": "ERROR", "says": "This has no price yet."}, 409)
        items: list[dict[str, Any]] = [{"sku": sku, "qty": qty, "cents": price[sku]} for sku, qty in cart.items]
        for line in items:
            if seats := [unit for sku, unit in cart.units if sku == line["sku"]]:
                line["units"] = seats
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
    intent, known = intent_of(db, "reservation", id), await sale.of(user).get(id)
    if (intent["user"] if intent else known and known.user) != user or not user:
        return JSONResponse({"status": "UNKNOWN", "says": "We do not know this order."}, 404)
    state = intent["state"] if intent else known and known.state
    # `SOLD` is for the buyer's eyes; money moves with the entry in the stream.
    if known and known.state == "sold" and state in ("authorised", "closing"):
        state = "sold"
    refunded = [row["ref"] for row in db.execute("SELECT ref FROM refunds WHERE id = ?", (id,))]
    kind = kinds(db)
    body = {"status": state, "says": SAYS.get(str(state), ""), "refunds": refunded, "now_ms": now_ms()}
    # Nobody sees a key before its money is here, and afterwards always the same one, whatever Redis has lost.
    if intent and any(kind.get(line["sku"]) == "key" for line in json.loads(intent["items"])):
        body["keys"] = [row["unit"] for row in db.execute("SELECT unit FROM keys WHERE id = ? ORDER BY rowid", (id,))]
    if UNPAID in refunded:
        body["says"] = "Your payment failed or was given back, so the order was cancelled."
    if known:
        body |= {"items": known.items, "expires_at_ms": known.expires_at_ms, "order_id": known.order_id}
        body["units"] = [pair for pair in known.units if kind.get(pair[0]) != "key"]
    return JSONResponse(body)
