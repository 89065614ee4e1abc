"""The status words, what each is made of and what it means. Written by `python3 -m clients.generator`; change `answers.json` instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Mapping, Union

from ._base import Advice, Fault, Name, No, NotNow, Other, Read, StrEnum, Word, Yes

__all__ = [
    "Status",
    "RestockedItem",
    "UnitState",
    "OrderRefund",
    "Ok",
    "Reserved",
    "Sold",
    "Released",
    "Refunded",
    "Restocked",
    "Expired",
    "AlreadySold",
    "Mismatch",
    "NoReservation",
    "Ended",
    "NotStarted",
    "Paused",
    "OrderLimit",
    "UserLimit",
    "ItemLimit",
    "SaleLimit",
    "SoldOut",
    "AllReserved",
    "NotFree",
    "NotSold",
    "Waiting",
    "Placed",
    "LineFull",
    "Throttled",
    "NoPass",
    "TooFew",
    "Given",
    "Taken",
    "ReservedNow",
    "ReservedLonger",
    "SoldNow",
    "SoldBefore",
    "SoldReplaced",
    "ReleasedNow",
    "ReleasedBefore",
    "ReleasedReplaced",
    "RefundedNow",
    "RefundedBefore",
    "RefundedReplaced",
    "ExpiredInGrace",
    "ExpiredForGood",
    "ExpiredBefore",
    "ExpiredReplaced",
    "MismatchOfId",
    "MismatchOfRefund",
    "MismatchOfRestock",
    "NoReservationToSell",
    "NoReservationOfId",
    "NoReservationReplaced",
    "EndedForBuyers",
    "EndedForGood",
    "NotFreeForGood",
    "NotFreeNow",
    "NotFreeToWithdraw",
    "NotSoldUnit",
    "NotSoldSoMany",
    "NotSoldAtAll",
    "WaitingForDraw",
    "WaitingInLine",
    "WaitingStill",
    "WaitingReplaced",
    "ThrottledSale",
    "ThrottledBuyer",
    "ItemStock",
    "Reservation",
    "UserUnits",
    "SaleInfo",
    "ScanPage",
    "UnitsPage",
    "Audit",
    "Allowance",
    "Finding",
    "AlterAnswer",
    "BindAnswer",
    "BuyAnswer",
    "CheckoutAnswer",
    "CloseAnswer",
    "CreateAnswer",
    "ExtendAnswer",
    "ImportAnswer",
    "PauseAnswer",
    "RefundAnswer",
    "ReleaseAnswer",
    "ReserveAnswer",
    "RestockAnswer",
    "ResumeAnswer",
]


class Status(StrEnum):
    """Every status word."""

    OK = "OK"
    RESERVED = "RESERVED"
    SOLD = "SOLD"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    RESTOCKED = "RESTOCKED"
    EXPIRED = "EXPIRED"
    ALREADYSOLD = "ALREADYSOLD"
    MISMATCH = "MISMATCH"
    NORESERVATION = "NORESERVATION"
    ENDED = "ENDED"
    NOTSTARTED = "NOTSTARTED"
    PAUSED = "PAUSED"
    ORDERLIMIT = "ORDERLIMIT"
    USERLIMIT = "USERLIMIT"
    ITEMLIMIT = "ITEMLIMIT"
    SALELIMIT = "SALELIMIT"
    SOLDOUT = "SOLDOUT"
    ALLRESERVED = "ALLRESERVED"
    NOTFREE = "NOTFREE"
    NOTSOLD = "NOTSOLD"
    WAITING = "WAITING"
    PLACED = "PLACED"
    LINEFULL = "LINEFULL"
    THROTTLED = "THROTTLED"
    NOPASS = "NOPASS"
    TOOFEW = "TOOFEW"
    GIVEN = "GIVEN"
    TAKEN = "TAKEN"


@dataclass(frozen=True)
class RestockedItem:
    """An item after a RESTOCK."""

    sku: str
    total: int
    available: int


@dataclass(frozen=True)
class OrderRefund:
    """A refund of an order, as it was asked for. A flag is None where an older sale does not
    say.
    """

    entry_id: str
    ref: Name | None
    items: tuple[tuple[str, int], ...]
    restocked: bool | None
    restorelimit: bool | None
    norestock: bool | None


@dataclass(frozen=True)
class UnitState:
    """A unit: `state` is free, reserved, sold or withdrawn. `id` is that of its reservation or
    order, with `withids`; else None.
    """

    unit: str
    state: str
    id: Name | None = None


@dataclass(frozen=True)
class Ok(Yes):
    """`OK`. Done, now or before. Final: yes. Next: nothing."""

    status: ClassVar[Status] = Status.OK
    advice: ClassVar[Advice] = Advice('yes', 200, None, '-', 'none', 'none')


@dataclass(frozen=True)
class Reserved(Word):
    """`["RESERVED", id, expires_at_ms, remaining, user_remaining[, units]]`. It means one of
    several things: see its subclasses. `units` are the names of its units, of items whose units
    have names; codes are told in `SOLD` alone.
    """

    status: ClassVar[Status] = Status.RESERVED
    id: Name
    expires_at_ms: int
    remaining: int
    user_remaining: int
    units: tuple[Name, ...] = ()


@dataclass(frozen=True)
class ReservedNow(Reserved, Yes):
    """RESERVE: the units are set aside until `expires_at_ms`. Final: until then. Next: take the
    payment, then CHECKOUT.
    """

    advice: ClassVar[Advice] = Advice('yes', 201, None, 'Yours until {expires_at_ms}.', "make the payment's intent now", 'none')


@dataclass(frozen=True)
class ReservedLonger(Reserved, Yes):
    """EXTEND: the units are set aside until `expires_at_ms`, which is later than before, or the
    same at MAXHOLD. Final: until then. Next: take the payment, then CHECKOUT.
    """

    advice: ClassVar[Advice] = Advice('yes', 200, None, 'Yours until {expires_at_ms}.', 'none', 'none')


@dataclass(frozen=True)
class Sold(Word):
    """`["SOLD", id, order_id[, units]]`. It means one of several things: see its subclasses.
    `units` are the names of its units, of items whose units have names; codes are told in
    `SOLD` alone.
    """

    status: ClassVar[Status] = Status.SOLD
    id: Name
    order_id: str
    units: tuple[Name, ...] = ()


@dataclass(frozen=True)
class SoldNow(Sold, Yes):
    """CHECKOUT, BUY, RESERVE, IMPORT: the order is in the stream, now or since an earlier
    request. Final: yes. Next: show the order.
    """

    advice: ClassVar[Advice] = Advice('yes', 200, None, 'Bought. Your order is {order_id}.', 'capture, when the `order` entry comes', 'keep')


@dataclass(frozen=True)
class SoldBefore(Sold, No):
    """RELEASE, EXTEND: too late, the reservation was sold. Final: yes. Next: to undo it for the
    buyer: REFUND.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Already bought. Ask for a refund.', 'capture, when the `order` entry comes', 'keep')


@dataclass(frozen=True)
class SoldReplaced(Sold, No):
    """RESERVE, about the id in `replace`: the old reservation was sold, so the cart cannot be
    changed. Final: yes. Next: show the order of the old id.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Already bought.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class Released(Word):
    """`["RELEASED", id]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.RELEASED
    id: Name


@dataclass(frozen=True)
class ReleasedNow(Released, Yes):
    """RELEASE: the units are back, and this id can never be sold. Final: yes. Next: nothing."""

    advice: ClassVar[Advice] = Advice('yes', 200, None, 'Cancelled.', 'cancel', 'refund')


@dataclass(frozen=True)
class ReleasedBefore(Released, No):
    """CHECKOUT, BUY, RESERVE, EXTEND: the id was given back. Final: yes. Next: reserve under a
    new id.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Cancelled. Nothing was charged.', 'cancel: this is final', 'refund: this is final')


@dataclass(frozen=True)
class ReleasedReplaced(Released, No):
    """RESERVE, about the id in `replace`: the old reservation was given back. Final: yes. Next:
    begin anew: reserve under a new id, without REPLACE.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your cart has changed. Please start again.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class Refunded(Word):
    """`["REFUNDED", id, entry_id]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.REFUNDED
    id: Name
    entry_id: str


@dataclass(frozen=True)
class RefundedNow(Refunded, Yes):
    """REFUND: the units were taken back, and a `refund` entry is in the stream. Final: yes.
    Next: nothing.
    """

    advice: ClassVar[Advice] = Advice('yes', 200, None, 'Given back.', 'none', 'the consumer of the stream refunds the amount of the `refund` entry, once for each (`sale_id`, `id`, `ref`)')


@dataclass(frozen=True)
class RefundedBefore(Refunded, No):
    """CHECKOUT, BUY, RESERVE, RELEASE, EXTEND, IMPORT: the whole order has been taken back
    since. Final: yes. Next: reserve under a new id.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'This order was given back.', 'cancel', 'if `ref` of GET is another payment, refund this one; if it is this one, it has been refunded: do nothing')


@dataclass(frozen=True)
class RefundedReplaced(Refunded, No):
    """RESERVE, about the id in `replace`: the order of the old reservation has been taken back.
    Final: yes. Next: begin anew: reserve under a new id, without REPLACE.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your cart has changed. Please start again.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class Restocked(Yes):
    """`["RESTOCKED", items]`. Done; the stock as it is now. Final: yes. Next: nothing."""

    status: ClassVar[Status] = Status.RESTOCKED
    advice: ClassVar[Advice] = Advice('yes', 200, None, '-', 'none', 'none')
    items: tuple[RestockedItem, ...]


@dataclass(frozen=True)
class Expired(Word):
    """`["EXPIRED", id, expires_at_ms[, grace_left_ms]]`. It means one of several things: see
    its subclasses.
    """

    status: ClassVar[Status] = Status.EXPIRED
    id: Name
    expires_at_ms: int
    grace_left_ms: int | None = None


@dataclass(frozen=True)
class ExpiredInGrace(Expired, NotNow):
    """CHECKOUT, BUY, with `grace_left_ms` above 0: not paid in time; for `grace_left_ms` a
    later CHECKOUT can still succeed, if the units come back. Final: no. Next: send the CHECKOUT
    again every few seconds until `grace_left_ms` is 0, or RELEASE now.
    """

    advice: ClassVar[Advice] = Advice('not now', 202, None, 'We are checking your order.', 'again until it is 0, then give back; or give back now', 'again until it is 0, then give back; or give back now')
    grace_left_ms: int = field()


@dataclass(frozen=True)
class ExpiredForGood(Expired, No):
    """CHECKOUT, BUY, with `grace_left_ms` 0: not paid in time, and past GRACE. Final: yes, also
    if GRACE is raised later. Next: reserve under a new id.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your time was up. Please try again.', 'give back', 'give back')
    grace_left_ms: int = field()


@dataclass(frozen=True)
class ExpiredBefore(Expired, No):
    """RESERVE, EXTEND: the deadline has passed; this says nothing about a CHECKOUT, which can
    still succeed within GRACE. Final: for reserving, yes. Next: reserve under a new id.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your time was up. Please try again.', 'none from here: CHECKOUT or RELEASE decides', 'none from here: CHECKOUT or RELEASE decides')


@dataclass(frozen=True)
class ExpiredReplaced(Expired, No):
    """RESERVE, about the id in `replace`: the old reservation was not paid in time. Final: yes.
    Next: begin anew: reserve under a new id, without REPLACE.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your cart has changed. Please start again.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class AlreadySold(No):
    """`["ALREADYSOLD", id, ref]`. A second payment for one order; the first one is `ref`.
    Final: yes. Next: show the order.
    """

    status: ClassVar[Status] = Status.ALREADYSOLD
    advice: ClassVar[Advice] = Advice('no', 200, None, 'Bought.', 'cancel **this** payment, without RELEASE; the one in `ref` stands. If `ref` is empty, the order was sold without a REF, possibly for this payment: a person decides', 'refund **this** payment, without RELEASE. If `ref` is empty: a person decides')
    id: Name
    ref: Name


@dataclass(frozen=True)
class Mismatch(Word):
    """`["MISMATCH", id]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.MISMATCH
    id: Name


@dataclass(frozen=True)
class MismatchOfId(Mismatch, Fault):
    """RESERVE, BUY, IMPORT: the id belongs to another user or another cart. Final: yes. Next:
    find the bug; new requests take new ids.
    """

    advice: ClassVar[Advice] = Advice('fault', 422, None, 'Something went wrong. Please start again.', "alarm; cancel **without** RELEASE: the id is another cart's", 'alarm; refund **without** RELEASE')


@dataclass(frozen=True)
class MismatchOfRefund(Mismatch, Fault):
    """REFUND: the REF was used for other units, or with other flags; nothing changed. Final:
    yes. Next: look at what was refunded under this REF.
    """

    advice: ClassVar[Advice] = Advice('fault', 422, None, '-', 'none from here', 'none from here')


@dataclass(frozen=True)
class MismatchOfRestock(Mismatch, Fault):
    """RESTOCK: the REF, in the place of an id, was used for other deltas or units; nothing
    changed. Final: yes. Next: use a new REF.
    """

    advice: ClassVar[Advice] = Advice('fault', 422, None, '-', 'none', 'none')


@dataclass(frozen=True)
class NoReservation(Word):
    """`["NORESERVATION", id]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.NORESERVATION
    id: Name


@dataclass(frozen=True)
class NoReservationToSell(NoReservation, Fault):
    """CHECKOUT: the id is unknown (forgotten, lost, mistyped, not yet arrived), or it is not
    `USER`'s. Final: no. Next: look with GET. For a real payment, send BUY with the same id,
    user, items and REF.
    """

    advice: ClassVar[Advice] = Advice('fault', 404, None, 'We are checking your order.', 'that BUY decides: `SOLD` capture; a *no* give back; `MISMATCH` as in its own row', 'that BUY decides: `SOLD` keep; a *no* give back; `MISMATCH` as in its own row')


@dataclass(frozen=True)
class NoReservationOfId(NoReservation, Fault):
    """RELEASE, EXTEND, REFUND: the id is not `USER`'s; or, for EXTEND and REFUND, it is
    unknown. Final: no. Next: look with GET; a person decides.
    """

    advice: ClassVar[Advice] = Advice('fault', 404, None, 'We do not know this order.', 'alarm', 'alarm')


@dataclass(frozen=True)
class NoReservationReplaced(NoReservation, No):
    """RESERVE, about the id in `replace`: the old reservation is unknown. Final: yes. Next:
    begin anew: reserve under a new id, without REPLACE.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'Your cart has changed. Please start again.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class Ended(Word):
    """`["ENDED", ended_at_ms]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.ENDED
    ended_at_ms: int


@dataclass(frozen=True)
class EndedForBuyers(Ended, No):
    """RESERVE, BUY: the sale is over. Final: yes, unless END is moved. Next: say so to the
    buyer.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'The sale is over.', 'BUY: give back', 'give back')


@dataclass(frozen=True)
class EndedForGood(Ended, No):
    """PAUSE, RESUME, ALTER: the sale was closed, which cannot be undone. Final: yes. Next:
    nothing.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, '-', 'none', 'none')


@dataclass(frozen=True)
class NotStarted(NotNow):
    """`["NOTSTARTED", starts_in_ms]`. Before START. Final: no. Next: ask again after
    `starts_in_ms` plus a random moment.
    """

    status: ClassVar[Status] = Status.NOTSTARTED
    advice: ClassVar[Advice] = Advice('not now', 409, 'starts_in_ms', 'The sale starts in {starts_in_ms}.', 'BUY: give back', 'give back')
    starts_in_ms: int


@dataclass(frozen=True)
class Paused(NotNow):
    """`["PAUSED", paused_at_ms]`. The operator paused the sale, or this copy of it missed a
    change and does not sell (diverged). Final: no. Next: ask again after some seconds.
    """

    status: ClassVar[Status] = Status.PAUSED
    advice: ClassVar[Advice] = Advice('not now', 409, 5, 'One moment, the sale is paused.', 'BUY: ask again for as long as you like, then give back', 'BUY: ask again for as long as you like, then give back')
    paused_at_ms: int


@dataclass(frozen=True)
class OrderLimit(No):
    """`["ORDERLIMIT", limit]`. Too many units in one reservation; with more than 1,000 units
    that have names `limit` is 1000, whatever ORDERLIMIT says. Final: for this quantity. Next:
    ask for `limit` or fewer.
    """

    status: ClassVar[Status] = Status.ORDERLIMIT
    advice: ClassVar[Advice] = Advice('no', 409, None, 'At most {limit} in one order.', 'BUY: give back', 'give back')
    limit: int


@dataclass(frozen=True)
class UserLimit(No):
    """`["USERLIMIT", user_remaining]`. The user would have too many units. Final: for this
    quantity, until one of this user's reservations is given back. Next: ask for
    `user_remaining` or fewer; USER lists the user's open reservations.
    """

    status: ClassVar[Status] = Status.USERLIMIT
    advice: ClassVar[Advice] = Advice('no', 409, None, 'You have all you may have. Go on to your cart.', 'BUY: give back', 'give back')
    user_remaining: int


@dataclass(frozen=True)
class ItemLimit(No):
    """`["ITEMLIMIT", item_remaining, sku]`. The user would have too many units of this SKU.
    Final: the same, for this SKU. Next: ask for `item_remaining` or fewer.
    """

    status: ClassVar[Status] = Status.ITEMLIMIT
    advice: ClassVar[Advice] = Advice('no', 409, None, 'You have all you may have of this item. Go on to your cart.', 'BUY: give back', 'give back')
    item_remaining: int
    sku: str


@dataclass(frozen=True)
class SaleLimit(No):
    """`["SALELIMIT", sale_remaining]`. The sale has sold what SALELIMIT allows. Final: for this
    quantity, unless REFUND or ALTER makes room. Next: ask for `sale_remaining` or fewer.
    """

    status: ClassVar[Status] = Status.SALELIMIT
    advice: ClassVar[Advice] = Advice('no', 409, None, 'Sold out.', 'BUY: give back', 'give back')
    sale_remaining: int


@dataclass(frozen=True)
class SoldOut(No):
    """`["SOLDOUT", available, sku]`. Too few, and open reservations could not make up the rest.
    Final: for this quantity, unless RESTOCK, REFUND or ALTER makes room. Next: ask for
    `available` or fewer; at 0 it is sold out.
    """

    status: ClassVar[Status] = Status.SOLDOUT
    advice: ClassVar[Advice] = Advice('no', 409, None, 'Sold out.', 'BUY: give back', 'give back')
    available: int
    sku: str


@dataclass(frozen=True)
class AllReserved(NotNow):
    """`["ALLRESERVED", retry_in_ms[, sku]]`. Only open reservations stand in the way; some may
    come back. Without a SKU, they stand in the way of SALELIMIT. Final: no. Next: ask again
    after `retry_in_ms` plus a random moment.
    """

    status: ClassVar[Status] = Status.ALLRESERVED
    advice: ClassVar[Advice] = Advice('not now', 409, 'retry_in_ms', 'All are in carts just now. Asking again for you.', 'BUY: ask again for as long as you like, then give back', 'BUY: ask again for as long as you like, then give back')
    retry_in_ms: int
    sku: str | None = None


@dataclass(frozen=True)
class NotFree(Word):
    """`["NOTFREE", retry_in_ms, sku, unit]`. It means one of several things: see its
    subclasses.
    """

    status: ClassVar[Status] = Status.NOTFREE
    retry_in_ms: int
    sku: str
    unit: str


@dataclass(frozen=True)
class NotFreeForGood(NotFree, No):
    """RESERVE, BUY, IMPORT, with `retry_in_ms` -1: a unit that was asked for by name is sold or
    withdrawn. Final: for this unit, unless REFUND or RESTOCK puts it back on sale. Next: let
    the buyer choose others.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, '{unit} is taken. Please choose another.', 'BUY: give back', 'give back')


@dataclass(frozen=True)
class NotFreeNow(NotFree, NotNow):
    """RESERVE, BUY, IMPORT, with `retry_in_ms` above 0: a unit that was asked for by name is in
    another reservation, whose deadline is in `retry_in_ms`. Final: no. Next: let the buyer
    choose others, or ask again after `retry_in_ms` plus a random moment.
    """

    advice: ClassVar[Advice] = Advice('not now', 409, 'retry_in_ms', '{unit} is in another cart just now. Please choose another, or wait.', 'BUY: ask again for as long as you like, then give back', 'BUY: ask again for as long as you like, then give back')


@dataclass(frozen=True)
class NotFreeToWithdraw(NotFree, No):
    """RESTOCK: a unit that was to be withdrawn is sold, then `retry_in_ms` is -1, or reserved;
    nothing changed. Final: no. Next: leave it out; a reserved one may come back after
    `retry_in_ms`.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, '-', 'none', 'none')


@dataclass(frozen=True)
class NotSold(Word):
    """`["NOTSOLD", left[, sku][, unit]]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.NOTSOLD
    left: int
    sku: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class NotSoldUnit(NotSold, No):
    """REFUND, with a unit: the unit is not in the order, or not any more; nothing changed.
    Final: no. Next: look at `units` of GET.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, '{unit} is not part of this order.', 'none from here', 'none from here')
    sku: str = field()
    unit: str = field()


@dataclass(frozen=True)
class NotSoldSoMany(NotSold, No):
    """REFUND, with a SKU: more than `left` units were to be taken back; nothing changed. Final:
    no. Next: ask for `left` or fewer.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'No more than {left} can be returned.', 'none from here', 'none from here')
    sku: str = field()


@dataclass(frozen=True)
class NotSoldAtAll(NotSold, No):
    """REFUND, without a SKU: the reservation was never sold. Final: no. Next: RELEASE it
    instead.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'This was not bought.', 'none from here', 'look in your own database')


@dataclass(frozen=True)
class Waiting(Word):
    """`["WAITING", id[, ahead][, left][, eta_ms][, retry_in_ms]]`. It means one of several
    things: see its subclasses.
    """

    status: ClassVar[Status] = Status.WAITING
    id: Name
    ahead: int | None = None
    left: int | None = None
    eta_ms: int | None = None
    retry_in_ms: int | None = None


@dataclass(frozen=True)
class WaitingForDraw(Waiting, NotNow):
    """RESERVE, with `ahead` -1: the request is in line, and the order is drawn at START: till
    then `ahead` and `eta_ms` are -1. `left` units could come. Final: no. Next: send the same
    request again after `retry_in_ms`.
    """

    advice: ClassVar[Advice] = Advice('not now', 202, 'retry_in_ms', 'You are in line. The order is drawn when the sale starts.', 'no intent yet', 'none')
    ahead: int = field()
    left: int = field()
    eta_ms: int = field()
    retry_in_ms: int = field()


@dataclass(frozen=True)
class WaitingInLine(Waiting, NotNow):
    """RESERVE, with a place in line: the request has a place in line, with at most `ahead`
    others in front; `left` units could still come. `eta_ms` is -1 while nobody can know it:
    show no time then. Final: no. Next: send the same request again after `retry_in_ms`.
    """

    advice: ClassVar[Advice] = Advice('not now', 202, 'retry_in_ms', 'You are in line, with at most {ahead} before you.', 'no intent yet', 'none')
    ahead: int = field()
    left: int = field()
    eta_ms: int = field()
    retry_in_ms: int = field()


@dataclass(frozen=True)
class WaitingStill(Waiting, No):
    """CHECKOUT, BUY, EXTEND, with the id alone: the id waits in line: it has no units yet.
    Final: no. Next: send RESERVE again until it is answered `RESERVED`.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'You are still in line. Nothing was charged.', 'alarm: it was paid before it was reserved; give back', 'alarm: it was paid before it was reserved; give back')


@dataclass(frozen=True)
class WaitingReplaced(Waiting, No):
    """RESERVE, about the id in `replace`: the old id waits in line: there is no cart yet that
    could change. Final: no. Next: leave the line by RELEASE, and join with the new cart.
    """

    advice: ClassVar[Advice] = Advice('no', 409, None, 'You are still in line. Nothing was charged.', 'none: the answer is about the old id', 'none: the answer is about the old id')


@dataclass(frozen=True)
class Placed(No):
    """`["PLACED", id, other_id]`. The user waits already, under `other_id`. Final: no. Next: go
    on with `other_id`.
    """

    status: ClassVar[Status] = Status.PLACED
    advice: ClassVar[Advice] = Advice('no', 409, None, 'You wait in another tab: go on there.', 'none', 'none')
    id: Name
    other_id: Name


@dataclass(frozen=True)
class LineFull(No):
    """`["LINEFULL", waiting_max]`. As many wait as may. Final: no. Next: try again later."""

    status: ClassVar[Status] = Status.LINEFULL
    advice: ClassVar[Advice] = Advice('no', 409, None, 'The line is full.', 'none', 'none')
    waiting_max: int


@dataclass(frozen=True)
class Throttled(Word):
    """`["THROTTLED", retry_in_ms, by]`. It means one of several things: see its subclasses."""

    status: ClassVar[Status] = Status.THROTTLED
    retry_in_ms: int
    by: str


@dataclass(frozen=True)
class ThrottledSale(Throttled, NotNow):
    """RESERVE, BUY, with `by` "sale": reservations begin no faster than PACE lets them. Final:
    no. Next: ask again after `retry_in_ms` plus a random moment.
    """

    advice: ClassVar[Advice] = Advice('not now', 429, 'retry_in_ms', 'One moment, it is crowded.', 'BUY: ask again for as long as you like, then give back', 'BUY: ask again for as long as you like, then give back')


@dataclass(frozen=True)
class ThrottledBuyer(Throttled, NotNow):
    """RESERVE, BUY, with another `by`: this user (`by` is `user`) or their source (`from`) has
    tried too often. Final: no. Next: ask again after `retry_in_ms` plus a random moment.
    """

    advice: ClassVar[Advice] = Advice('not now', 429, 'retry_in_ms', 'Not so fast.', 'BUY: ask again for as long as you like, then give back', 'BUY: ask again for as long as you like, then give back')


@dataclass(frozen=True)
class NoPass(No):
    """`["NOPASS", id]`. The sale has a PASSKEY, and there is no pass for this id and this user,
    or it is over. Final: no. Next: have the app make a new pass, and send the same id with it.
    """

    status: ClassVar[Status] = Status.NOPASS
    advice: ClassVar[Advice] = Advice('no', 403, None, 'Please go through the check once more.', 'BUY: with a new pass, or give back', 'BUY: with a new pass, or give back')
    id: Name


@dataclass(frozen=True)
class TooFew(No):
    """`["TOOFEW", available, sku]`. The request takes away more than `available` units; nothing
    changed. Final: no. Next: ask for `available` or fewer.
    """

    status: ClassVar[Status] = Status.TOOFEW
    advice: ClassVar[Advice] = Advice('no', 409, None, '-', 'none', 'none')
    available: int
    sku: str


@dataclass(frozen=True)
class Given(Yes):
    """`["GIVEN", total, available, sku]`. So many units were given in all, now or before; with
    MOST it may be fewer than asked for. Final: yes. Next: WAIT for the replicas, then TAKE this
    total at the other sale.
    """

    status: ClassVar[Status] = Status.GIVEN
    advice: ClassVar[Advice] = Advice('yes', 200, None, '-', 'none', 'none')
    total: int
    available: int
    sku: str


@dataclass(frozen=True)
class Taken(Yes):
    """`["TAKEN", total, available, sku]`. So many units were taken in all, now or before, and
    are on sale. Final: yes. Next: nothing.
    """

    status: ClassVar[Status] = Status.TAKEN
    advice: ClassVar[Advice] = Advice('yes', 200, None, '-', 'none', 'none')
    total: int
    available: int
    sku: str


@dataclass(frozen=True)
class ItemStock:
    """What STOCK answers. `available`, `reserved` and `sold` add up to the item's total; so
    many people are `waiting` for it.
    """

    sku: str
    available: int
    reserved: int
    sold: int
    waiting: int | None


@dataclass(frozen=True)
class Reservation(Read):
    """What GET answers. `state` is reserved, sold, refunded, released, expired or waiting.
    `items` are SKUs with numbers, and `refunded` those that were taken back. `order_id` is the
    entry in the stream. Of an id that waits, `number` is its position in line and `ahead` how
    many at most are in front, -1 before START. `units` are SKUs with names: what it has now, of
    what has names. `refunds` are those of an order, as they were asked for. A field with
    nothing in it is None.
    """

    state: str
    user: Name | None
    items: tuple[tuple[str, int], ...] | None
    refunded: tuple[tuple[str, int], ...] | None
    reserved_at_ms: int | None
    expires_at_ms: int | None
    sold_at_ms: int | None
    released_at_ms: int | None
    order_id: str | None
    ref: Name | None
    number: int | None
    ahead: int | None
    refunds: tuple[OrderRefund, ...] | None
    units: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class UserUnits(Read):
    """What USER answers. `sold` is net of refunds, `counted` what counts against USERLIMIT, and
    `user_remaining` -1 without one. `reservations` are the ids of the oldest 100 of the `open`
    reservations, and `waiting` is the id under which the user waits in line.
    """

    reserved: int
    sold: int
    counted: int
    user_remaining: int
    open: int
    reservations: tuple[Name, ...]
    waiting: Name | None


@dataclass(frozen=True)
class SaleInfo(Read):
    """What INFO answers. `state` is scheduled, open, paused, ended, closed or diverged.
    `total`, `available`, `reserved` and `sold` are units of all items, `items` is the number of
    SKUs. An option that is not set is None; `passkeys` is how many secrets make passes.
    `events_waiting` entries are not in the stream yet; `events_lost` never will be. So many
    people are `waiting` in line; so many places were `granted` and `passed_over`. `drawn` are
    SKUs with how many people were drawn in their lines at `drawn_at_ms`, by `draw_seed`. `owed`
    units were sold or given and are not there; `share_id` names the sale to other sales, and
    `group` the split sale it is a part of.
    """

    sale_id: str
    orders: Name
    state: str
    events: str
    now_ms: int
    created_at_ms: int
    paused_at_ms: int | None
    closed_at_ms: int | None
    userlimit: int | None
    itemlimit: int | None
    orderlimit: int | None
    salelimit: int | None
    hold_ms: int
    maxhold_ms: int
    grace_ms: int
    start_at_ms: int | None
    end_at_ms: int | None
    keep_ms: int
    remember_ms: int
    waiting_max: int
    patience_ms: int
    pace_n: int | None
    pace_ms: int | None
    userrate_n: int | None
    userrate_ms: int | None
    fromrate_n: int | None
    fromrate_ms: int | None
    passkeys: int
    items: int
    total: int
    available: int
    reserved: int
    sold: int
    refunded: int
    users: int
    reservations_open: int
    reservations_remembered: int
    events_waiting: int
    events_lost: int
    seq: int | None
    memory_bytes: int
    waiting: int
    granted: int
    passed_over: int
    drawn_at_ms: int | None
    draw_seed: str | None
    drawn: tuple[tuple[str, int], ...] | None
    owed: int
    share_id: str
    group: str | None


@dataclass(frozen=True)
class ScanPage:
    """What SCAN answers. The cursor of the last page is 0."""

    cursor: int
    ids: tuple[Name, ...]


@dataclass(frozen=True)
class UnitsPage:
    """What UNITS answers. The cursor of the last page is 0."""

    cursor: int
    units: tuple[UnitState, ...]


@dataclass(frozen=True)
class Audit(Read):
    """What AUDIT answers. `differences` are in words. What was compared with the stream is None
    unless that was asked for.
    """

    consistent: bool
    differences: tuple[str, ...]
    reservations: int
    entries: int | None
    trimmed: int | None
    entries_added: int | None
    entries_other: int | None


@dataclass(frozen=True)
class Allowance:
    """What THROTTLE answers. `status` is ALLOWED, or THROTTLED, which counts nothing. Of
    `limit` calls at once, so many are `remaining`; this one would pass in `retry_in_ms`, and
    all of them are back in `reset_in_ms`.
    """

    status: str
    limit: int
    remaining: int
    retry_in_ms: int
    reset_in_ms: int


@dataclass(frozen=True)
class Finding:
    """What DOCTOR answers. `severity` is error, warning or note."""

    severity: str
    topic: str
    advice: str


AlterAnswer = Union[
    Ok,
    EndedForGood,
    Other,
]

BindAnswer = Union[
    Ok,
    Other,
]

BuyAnswer = Union[
    SoldNow,
    ReleasedBefore,
    RefundedBefore,
    ExpiredInGrace,
    ExpiredForGood,
    AlreadySold,
    MismatchOfId,
    EndedForBuyers,
    NotStarted,
    Paused,
    OrderLimit,
    UserLimit,
    ItemLimit,
    SaleLimit,
    SoldOut,
    AllReserved,
    NotFreeForGood,
    NotFreeNow,
    WaitingStill,
    ThrottledSale,
    ThrottledBuyer,
    NoPass,
    Other,
]

CheckoutAnswer = Union[
    SoldNow,
    ReleasedBefore,
    RefundedBefore,
    ExpiredInGrace,
    ExpiredForGood,
    AlreadySold,
    NoReservationToSell,
    WaitingStill,
    Other,
]

CloseAnswer = Union[
    Ok,
    Other,
]

CreateAnswer = Union[
    Ok,
    Other,
]

ExtendAnswer = Union[
    ReservedLonger,
    SoldBefore,
    ReleasedBefore,
    RefundedBefore,
    ExpiredBefore,
    NoReservationOfId,
    WaitingStill,
    Other,
]

ImportAnswer = Union[
    SoldNow,
    RefundedBefore,
    AlreadySold,
    MismatchOfId,
    NotFreeForGood,
    NotFreeNow,
    Other,
]

PauseAnswer = Union[
    Ok,
    EndedForGood,
    Other,
]

RefundAnswer = Union[
    RefundedNow,
    MismatchOfRefund,
    NoReservationOfId,
    NotSoldUnit,
    NotSoldSoMany,
    NotSoldAtAll,
    Other,
]

ReleaseAnswer = Union[
    SoldBefore,
    ReleasedNow,
    RefundedBefore,
    NoReservationOfId,
    Other,
]

ReserveAnswer = Union[
    ReservedNow,
    SoldReplaced,
    SoldNow,
    ReleasedReplaced,
    ReleasedBefore,
    RefundedReplaced,
    RefundedBefore,
    ExpiredReplaced,
    ExpiredBefore,
    MismatchOfId,
    NoReservationReplaced,
    EndedForBuyers,
    NotStarted,
    Paused,
    OrderLimit,
    UserLimit,
    ItemLimit,
    SaleLimit,
    SoldOut,
    AllReserved,
    NotFreeForGood,
    NotFreeNow,
    WaitingReplaced,
    WaitingForDraw,
    WaitingInLine,
    Placed,
    LineFull,
    ThrottledSale,
    ThrottledBuyer,
    NoPass,
    Other,
]

RestockAnswer = Union[
    Restocked,
    MismatchOfRestock,
    NotFreeToWithdraw,
    TooFew,
    Other,
]

ResumeAnswer = Union[
    Ok,
    EndedForGood,
    Other,
]

# The classes of each command and word, with the condition of each; the first that holds.
ROWS: dict[str, dict[str, list[tuple[str | None, type[Word]]]]] = {
    "ALTER": {
        "OK": [(None, Ok)],
        "ENDED": [(None, EndedForGood)],
    },
    "BIND": {
        "OK": [(None, Ok)],
    },
    "BUY": {
        "SOLD": [(None, SoldNow)],
        "RELEASED": [(None, ReleasedBefore)],
        "REFUNDED": [(None, RefundedBefore)],
        "EXPIRED": [('grace_left_ms > 0', ExpiredInGrace), ('grace_left_ms = 0', ExpiredForGood)],
        "ALREADYSOLD": [(None, AlreadySold)],
        "MISMATCH": [(None, MismatchOfId)],
        "ENDED": [(None, EndedForBuyers)],
        "NOTSTARTED": [(None, NotStarted)],
        "PAUSED": [(None, Paused)],
        "ORDERLIMIT": [(None, OrderLimit)],
        "USERLIMIT": [(None, UserLimit)],
        "ITEMLIMIT": [(None, ItemLimit)],
        "SALELIMIT": [(None, SaleLimit)],
        "SOLDOUT": [(None, SoldOut)],
        "ALLRESERVED": [(None, AllReserved)],
        "NOTFREE": [('retry_in_ms < 0', NotFreeForGood), ('retry_in_ms > 0', NotFreeNow)],
        "WAITING": [('no ahead', WaitingStill)],
        "THROTTLED": [('by sale', ThrottledSale), ('by buyer', ThrottledBuyer)],
        "NOPASS": [(None, NoPass)],
    },
    "CHECKOUT": {
        "SOLD": [(None, SoldNow)],
        "RELEASED": [(None, ReleasedBefore)],
        "REFUNDED": [(None, RefundedBefore)],
        "EXPIRED": [('grace_left_ms > 0', ExpiredInGrace), ('grace_left_ms = 0', ExpiredForGood)],
        "ALREADYSOLD": [(None, AlreadySold)],
        "NORESERVATION": [(None, NoReservationToSell)],
        "WAITING": [('no ahead', WaitingStill)],
    },
    "CLOSE": {
        "OK": [(None, Ok)],
    },
    "CREATE": {
        "OK": [(None, Ok)],
    },
    "EXTEND": {
        "RESERVED": [(None, ReservedLonger)],
        "SOLD": [(None, SoldBefore)],
        "RELEASED": [(None, ReleasedBefore)],
        "REFUNDED": [(None, RefundedBefore)],
        "EXPIRED": [(None, ExpiredBefore)],
        "NORESERVATION": [(None, NoReservationOfId)],
        "WAITING": [('no ahead', WaitingStill)],
    },
    "IMPORT": {
        "SOLD": [(None, SoldNow)],
        "REFUNDED": [(None, RefundedBefore)],
        "ALREADYSOLD": [(None, AlreadySold)],
        "MISMATCH": [(None, MismatchOfId)],
        "NOTFREE": [('retry_in_ms < 0', NotFreeForGood), ('retry_in_ms > 0', NotFreeNow)],
    },
    "PAUSE": {
        "OK": [(None, Ok)],
        "ENDED": [(None, EndedForGood)],
    },
    "REFUND": {
        "REFUNDED": [(None, RefundedNow)],
        "MISMATCH": [(None, MismatchOfRefund)],
        "NORESERVATION": [(None, NoReservationOfId)],
        "NOTSOLD": [('unit', NotSoldUnit), ('sku', NotSoldSoMany), ('no sku', NotSoldAtAll)],
    },
    "RELEASE": {
        "SOLD": [(None, SoldBefore)],
        "RELEASED": [(None, ReleasedNow)],
        "REFUNDED": [(None, RefundedBefore)],
        "NORESERVATION": [(None, NoReservationOfId)],
    },
    "RESERVE": {
        "RESERVED": [(None, ReservedNow)],
        "SOLD": [('replaced', SoldReplaced), (None, SoldNow)],
        "RELEASED": [('replaced', ReleasedReplaced), (None, ReleasedBefore)],
        "REFUNDED": [('replaced', RefundedReplaced), (None, RefundedBefore)],
        "EXPIRED": [('replaced', ExpiredReplaced), (None, ExpiredBefore)],
        "MISMATCH": [(None, MismatchOfId)],
        "NORESERVATION": [('replaced', NoReservationReplaced)],
        "ENDED": [(None, EndedForBuyers)],
        "NOTSTARTED": [(None, NotStarted)],
        "PAUSED": [(None, Paused)],
        "ORDERLIMIT": [(None, OrderLimit)],
        "USERLIMIT": [(None, UserLimit)],
        "ITEMLIMIT": [(None, ItemLimit)],
        "SALELIMIT": [(None, SaleLimit)],
        "SOLDOUT": [(None, SoldOut)],
        "ALLRESERVED": [(None, AllReserved)],
        "NOTFREE": [('retry_in_ms < 0', NotFreeForGood), ('retry_in_ms > 0', NotFreeNow)],
        "WAITING": [('replaced', WaitingReplaced), ('ahead < 0', WaitingForDraw), ('ahead >= 0', WaitingInLine)],
        "PLACED": [(None, Placed)],
        "LINEFULL": [(None, LineFull)],
        "THROTTLED": [('by sale', ThrottledSale), ('by buyer', ThrottledBuyer)],
        "NOPASS": [(None, NoPass)],
    },
    "RESTOCK": {
        "RESTOCKED": [(None, Restocked)],
        "MISMATCH": [(None, MismatchOfRestock)],
        "NOTFREE": [(None, NotFreeToWithdraw)],
        "TOOFEW": [(None, TooFew)],
    },
    "RESUME": {
        "OK": [(None, Ok)],
        "ENDED": [(None, EndedForGood)],
    },
}

# Name and type of the details of each word.
DETAILS: dict[str, list[tuple[str, str]]] = {
    "OK": [],
    "RESERVED": [("id", "name"), ("expires_at_ms", "integer"), ("remaining", "integer"), ("user_remaining", "integer"), ("units", "names?")],
    "SOLD": [("id", "name"), ("order_id", "text"), ("units", "names?")],
    "RELEASED": [("id", "name")],
    "REFUNDED": [("id", "name"), ("entry_id", "text")],
    "RESTOCKED": [("items", "stocks")],
    "EXPIRED": [("id", "name"), ("expires_at_ms", "integer"), ("grace_left_ms", "integer?")],
    "ALREADYSOLD": [("id", "name"), ("ref", "name")],
    "MISMATCH": [("id", "name")],
    "NORESERVATION": [("id", "name")],
    "ENDED": [("ended_at_ms", "integer")],
    "NOTSTARTED": [("starts_in_ms", "integer")],
    "PAUSED": [("paused_at_ms", "integer")],
    "ORDERLIMIT": [("limit", "integer")],
    "USERLIMIT": [("user_remaining", "integer")],
    "ITEMLIMIT": [("item_remaining", "integer"), ("sku", "text")],
    "SALELIMIT": [("sale_remaining", "integer")],
    "SOLDOUT": [("available", "integer"), ("sku", "text")],
    "ALLRESERVED": [("retry_in_ms", "integer"), ("sku", "text?")],
    "NOTFREE": [("retry_in_ms", "integer"), ("sku", "text"), ("unit", "text")],
    "NOTSOLD": [("left", "integer"), ("sku", "text?"), ("unit", "text?")],
    "WAITING": [("id", "name"), ("ahead", "integer?"), ("left", "integer?"), ("eta_ms", "integer?"), ("retry_in_ms", "integer?")],
    "PLACED": [("id", "name"), ("other_id", "name")],
    "LINEFULL": [("waiting_max", "integer")],
    "THROTTLED": [("retry_in_ms", "integer"), ("by", "text")],
    "NOPASS": [("id", "name")],
    "TOOFEW": [("available", "integer"), ("sku", "text")],
    "GIVEN": [("total", "integer"), ("available", "integer"), ("sku", "text")],
    "TAKEN": [("total", "integer"), ("available", "integer"), ("sku", "text")],
}

# Name and type of the fields of each read.
FIELDS: dict[str, Mapping[str, str]] = {
    "ItemStock": {"sku": "text", "available": "integer", "reserved": "integer", "sold": "integer", "waiting": "integer?"},
    "Reservation": {"state": "text", "user": "name?", "items": "lines?", "refunded": "lines?", "reserved_at_ms": "integer?", "expires_at_ms": "integer?", "sold_at_ms": "integer?", "released_at_ms": "integer?", "order_id": "text?", "ref": "name?", "number": "integer?", "ahead": "integer?", "refunds": "refunds?", "units": "pairs"},
    "UserUnits": {"reserved": "integer", "sold": "integer", "counted": "integer", "user_remaining": "integer", "open": "integer", "reservations": "names", "waiting": "name?"},
    "SaleInfo": {"sale_id": "text", "orders": "name", "state": "text", "events": "text", "now_ms": "integer", "created_at_ms": "integer", "paused_at_ms": "integer?", "closed_at_ms": "integer?", "userlimit": "integer?", "itemlimit": "integer?", "orderlimit": "integer?", "salelimit": "integer?", "hold_ms": "integer", "maxhold_ms": "integer", "grace_ms": "integer", "start_at_ms": "integer?", "end_at_ms": "integer?", "keep_ms": "integer", "remember_ms": "integer", "waiting_max": "integer", "patience_ms": "integer", "pace_n": "integer?", "pace_ms": "integer?", "userrate_n": "integer?", "userrate_ms": "integer?", "fromrate_n": "integer?", "fromrate_ms": "integer?", "passkeys": "integer", "items": "integer", "total": "integer", "available": "integer", "reserved": "integer", "sold": "integer", "refunded": "integer", "users": "integer", "reservations_open": "integer", "reservations_remembered": "integer", "events_waiting": "integer", "events_lost": "integer", "seq": "integer?", "memory_bytes": "integer", "waiting": "integer", "granted": "integer", "passed_over": "integer", "drawn_at_ms": "integer?", "draw_seed": "text?", "drawn": "lines?", "owed": "integer", "share_id": "text", "group": "text?"},
    "ScanPage": {"cursor": "cursor", "ids": "names"},
    "UnitsPage": {"cursor": "cursor", "units": "states"},
    "Audit": {"consistent": "boolean", "differences": "texts", "reservations": "integer", "entries": "integer?", "trimmed": "integer?", "entries_added": "integer?", "entries_other": "integer?"},
    "Allowance": {"status": "text", "limit": "integer", "remaining": "integer", "retry_in_ms": "integer", "reset_in_ms": "integer"},
    "Finding": {"severity": "text", "topic": "text", "advice": "text"},
}

# Errors of the module and the server, and whether the same call may be sent again.
ERRORS: dict[str, tuple[bool, Advice]] = {
    "ERR": (False, Advice('error', 400, None, 'Something went wrong.', 'alarm; move no money', 'alarm; move no money')),
    "WRONGTYPE": (False, Advice('error', 500, None, 'Something went wrong.', 'alarm; move no money', 'alarm; move no money')),
    "NOSKU": (False, Advice('error', 404, None, 'Not on sale.', 'alarm; decide by your own database', 'alarm; decide by your own database')),
    "NOSALE": (False, Advice('error', 404, None, 'Not on sale any more.', 'alarm; decide by your own database', 'alarm; decide by your own database')),
    "BUSYKEY": (False, Advice('error', 409, None, '-', 'none', 'none')),
    "OOM": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "BROKEN": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "TRYAGAIN": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "LOADING": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "READONLY": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "CLUSTERDOWN": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "MASTERDOWN": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "NOREPLICAS": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "MISCONF": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
    "BUSY": (True, Advice('error', 503, 1, 'Asking again for you.', 'no answer, no money: the same line again', 'no answer, no money: the same line again')),
}
