"""The cart: reserve, change, cancel. The page makes the id, the shop signs the pass."""

from __future__ import annotations

from flashsale import ReservedNow
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from books import add_job, intent_of, pass_of, transaction
from stock import stock
from web import answer_to, are_names, are_units, asked_by, db, is_id, sale, source_of, user_of


async def cart(request: Request) -> Response:
    """POST reserves, PUT changes the cart in one step, DELETE cancels; `id` comes from the page."""
    user, asked = user_of(request), await asked_by(request)
    id, items, seats, old = asked["id"], asked.get("items"), asked.get("units"), asked.get("old")
    if request.method == "DELETE":
        give_back_soon(id, user)
        return await answer_to(lambda: sale.of(user).release(id, user=user), user)
    # By number, or seats by their names.
    is_cart = are_units(items) if seats is None else are_names(seats) and items is None
    if not is_cart or (old is not None and not is_id(old)):
        raise HTTPException(400)
    await stock.latest()
    # A line is one item's, and a cart that changes has its units: both as without a line.
    wait = items is not None and len(items) == 1 and not old and stock.waiting_max > 0
    pass_, source, part = pass_of(db, id, user, stock.now_ms()), source_of(request), sale.of(user)
    reply = await answer_to(lambda: part.reserve(user, items, id=id, units=seats, replace=old, wait=wait, pass_=pass_, source=source), user)
    if old and reply.status_code == ReservedNow.advice.http:
        give_back_soon(old, user)
    return reply


def give_back_soon(reservation: str, user: str) -> None:
    """Has the payment of a cart given back that is cancelled or was changed, if there is one."""
    with transaction(db):
        intent = intent_of(db, "reservation", reservation)
        if intent and intent["user"] == user:
            add_job(db, "give-back", intent["id"])
