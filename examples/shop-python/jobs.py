"""Carries out the table `jobs`: the only part that captures and gives money back.

Every job may run twice, here or in another process: each looks at the intent's state first,
and each call has an id, a REF or a key under which it happens once.

1. The state in SQL first: CHECKOUT is sent only for an intent that is `authorised`, and by reconcile again for one that was sold.
2. Release first, give back after.
3. No answer, no money: an exception leaves the job, and it runs again.
4. No entry, no capture: `sold` comes from the order stream, by `worker.py`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from flashsale import (
    AllReserved,
    AlreadySold,
    BuyAnswer,
    CheckoutAnswer,
    ExpiredInGrace,
    FlashSaleError,
    Mismatch,
    NoPass,
    NoReservation,
    NotFreeNow,
    Other,
    Paused,
    Refunded,
    Released,
    Sold,
    Throttled,
    may_repeat,
)

import provider
from books import STALE_MS, UNPAID, add_job, alarm, cents_of, check_parts, connect, intent_of, move, now_ms, payload_of, sale, sign, transaction, write_off
from named import asked_again, hand_over

shoes = sale()
# Seconds until a job runs again; None: it is done.
Again = float | None


def checkout(db: sqlite3.Connection, intent: Any, _: str) -> Again:
    """Sells what was paid. What it answers is not yet a capture."""
    if intent["state"] != "authorised":
        return None
    id, user, ref = intent["reservation"], intent["user"], intent["psp_ref"]
    part = shoes.of(user)
    answer: CheckoutAnswer | BuyAnswer = part.checkout(id, user=user, ref=ref, payload=payload_of(intent))
    if isinstance(answer, NoReservation):
        # Forgotten, or lost by Redis: the same id in one step, if there are units.
        pass_ = sign(id, user, part.info().now_ms)
        numbers, seats = asked_again(db, intent["items"])
        answer = part.buy(user, numbers, id=id, units=seats, ref=ref, payload=payload_of(intent), pass_=pass_)
    match answer:
        case Sold():
            return None
        case ExpiredInGrace():
            # The job of `expired` gives back when GRACE is over.
            return 2
        # NOPASS: this process has an old secret, and another will be started soon.
        case AllReserved() | NotFreeNow() | Paused() | Throttled() | NoPass() if now_ms() < intent["changed_at_ms"] + STALE_MS:
            return 2
        case AlreadySold() | Refunded():
            return whose(db, intent)
        case Mismatch():
            not_ours(db, intent, f"the reservation {id} is another cart's")
        case Other():
            alarm(db, "checkout", intent["id"], f"{answer} is not known here")
        case _:
            # A no. EXPIRED or RELEASED, it takes a RELEASE before money goes back.
            add_job(db, "give-back", intent["id"])
    return None


def whose(db: sqlite3.Connection, intent: Any) -> Again:
    """Looks which payment a sold reservation was sold for."""
    known, ref = shoes.of(intent["user"]).get(intent["reservation"]), intent["psp_ref"]
    if not known or known.state not in ("sold", "refunded"):
        return 1  # Lost since then: what was asked is asked again.
    if ref and not known.ref:
        alarm(db, "sold without a REF", intent["id"], f"perhaps for {ref}; no money was moved")
    elif ref != known.ref or not ref:
        not_ours(db, intent, f"{intent['reservation']} was sold for {known.ref!r}")
    return None  # If it is ours, its entries do the rest.


def not_ours(db: sqlite3.Connection, intent: Any, says: str) -> None:
    """Gives a payment back without RELEASE: the reservation belongs to another one."""
    alarm(db, "not ours", intent["id"], f"{says}; the payment {intent['psp_ref']} was given back")
    if intent["psp_ref"]:
        provider.give_back(intent["psp_ref"], intent["psp_ref"])
    move(db, intent["id"], ("authorised", "closing"), "closed")


def give_back(db: sqlite3.Connection, intent: Any, _: str) -> Again:
    """Ends an intent that is not sold, and gives back what was paid for it."""
    # From `sold` never: after a lost tail the sale may believe that a sold order expired.
    if not move(db, intent["id"], ("open", "authorised", "closing"), "closing"):
        return None
    match answer := shoes.of(intent["user"]).release(intent["reservation"], user=intent["user"]):
        case Released():
            intent = intent_of(db, "id", intent["id"])
            if intent["psp_ref"]:
                provider.give_back(intent["psp_ref"], intent["psp_ref"])
            close(db, intent)
        case Sold() | Refunded():
            return whose(db, intent)
        case _:
            alarm(db, "give back", intent["id"], f"{answer}: whose is the reservation {intent['reservation']}?")
    return None


def close(db: sqlite3.Connection, intent: Any) -> None:
    """Ends an intent whose payment was given back, even if the worker made it `sold` meanwhile.

    The worker may hold the `order` entry of a CHECKOUT that the sale has lost. A payment that was
    charged at once can be "captured" after its refund, so the state says nothing of the money.
    """
    with transaction(db):
        if not move(db, intent["id"], ("closing",), "closed") and move(db, intent["id"], ("sold", "captured"), "closed"):
            alarm(db, "sold after all", intent["id"], f"{intent['psp_ref']} was given back before: send nothing")
            add_job(db, "take-back", intent["id"])


def capture(db: sqlite3.Connection, intent: Any, _: str) -> Again:
    """Takes the money of an order that is in our books, or takes the order back if the money is gone."""
    if intent["state"] != "sold":
        return None
    try:
        provider.capture(intent["psp_ref"])
    except provider.Refused as refused:
        if refused.state not in provider.GONE:
            raise  # "Not now" costs nobody an order: an alarm, and again.
        take_back(db, intent)
        move(db, intent["id"], ("sold",), "closed")
    else:
        with transaction(db):
            if move(db, intent["id"], ("sold",), "captured"):
                hand_over(db, intent["reservation"])
    return None


def take_back(db: sqlite3.Connection, intent: Any, _: str = "") -> Again:
    """Refunds an order whose money is gone, or writes it off if the sale has lost it.

    The REF is the same whoever asks, and why: two refunds of one order would both stand in the
    books, if Redis lost the first one after its entry was read.
    """
    if not isinstance(shoes.of(intent["user"]).refund(intent["reservation"], ref=UNPAID), Refunded):
        write_off(db, intent["reservation"], UNPAID)
    return None


def refund(db: sqlite3.Connection, intent: Any, ref: str) -> Again:
    """The money of a `refund` entry, but only of what was captured."""
    if intent["state"] == "sold":
        return 1
    row = db.execute("SELECT * FROM refunds WHERE id = ? AND ref = ?", (intent["reservation"], ref)).fetchone()
    if intent["state"] == "captured":
        cents = cents_of(json.loads(row["items"]), json.loads(intent["items"]))
        provider.refund(intent["psp_ref"], cents, f"{row['sale_id']} {row['id']} {ref}")
    return None


def give_back_payment(db: sqlite3.Connection, intent: Any, ref: str) -> Again:
    """A payment that is not the one of its intent: a second one, or one after the end."""
    provider.give_back(ref, ref)
    return None


JOBS = {
    "checkout": checkout,
    "give-back": give_back,
    "capture": capture,
    "take-back": take_back,
    "refund": refund,
    "return": give_back_payment,
}


def run(db: sqlite3.Connection, job: Any) -> None:
    again: float | None
    try:
        again = JOBS[job["kind"]](db, intent_of(db, "id", job["intent"]), job["ref"])
    except Exception as error:
        again = min(30, 0.1 * 2 ** min(job["tries"], 9))
        if not isinstance(error, OSError) and not may_repeat(error):
            alarm(db, job["kind"], job["intent"], f"{error!r}; it is tried again")
    this = (job["kind"], job["intent"], job["ref"])
    if again is None:
        db.execute("DELETE FROM jobs WHERE kind = ? AND intent = ? AND ref = ?", this)
    else:
        later = "UPDATE jobs SET due_at_ms = ?, tries = tries + 1 WHERE kind = ? AND intent = ? AND ref = ?"
        db.execute(later, (now_ms() + int(again * 1000), *this))


def main() -> None:
    db = connect()
    check_parts(db)
    while True:
        due = db.execute("SELECT * FROM jobs WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT 100", (now_ms(),)).fetchall()
        for job in due:
            run(db, job)
        if not due:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
