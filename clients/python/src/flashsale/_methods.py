"""The methods of a sale, three times: at once, with `await`, in a pipeline; and those of a rate limit. Written by `python3 -m clients.generator`; change `answers.json` instead."""

from __future__ import annotations

from typing import Any, Iterable, Literal, Sequence, overload

from . import _calls, answers
from ._base import FlashSaleError, Json, Name, Units
from ._send import AsyncSender, PipelineSender, Queued, Sender


class SaleMethods(Sender):
    """Each command, sent at once."""

    def alter(self, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None) -> answers.AlterAnswer:
        """Changes options of a sale. What is not given stays as it is. 0 is none for a
        limit, START and END.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        """
        return self._send(_calls.alter(self.key, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events))

    def audit(self, *, orders: bool = False) -> answers.Audit:
        """Recounts a sale from its reservations up, and against its order stream. With
        `orders=True` every order and refund is compared with its entry in the stream.
        """
        return self._send(_calls.audit(self.key, self.orders, orders=orders))

    def bind(self, orders: Name) -> answers.BindAnswer:
        """Gives a sale another order stream. This object goes on with the stream that it
        was made with: make a new one.
        """
        return self._send(_calls.bind(self.key, orders))

    def buy(self, user: Name, qty: Units, *, id: Name, ref: Name | None = None, payload: Json | None = None, source: Name | None = None, pass_: Name | None = None) -> answers.BuyAnswer:
        """Sells units to a user in one step and appends the order to the stream.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        """
        return self._send(_calls.buy(self.key, self.orders, user, qty, id=id, ref=ref, payload=payload, source=source, pass_=pass_))

    def checkout(self, id: Name, *, user: Name | None = None, ref: Name | None = None, payload: Json | None = None) -> answers.CheckoutAnswer:
        """Turns a reservation into a sale and appends the order to the stream.

        - `user`: refuses a reservation of anybody else
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return self._send(_calls.checkout(self.key, self.orders, id, user=user, ref=ref, payload=payload))

    def close(self) -> answers.CloseAnswer:
        """Ends a sale for good. Open reservations can still be checked out."""
        return self._send(_calls.close(self.key))

    def create(self, stock: Units, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None, saleid: Name | None = None) -> answers.CreateAnswer:
        """Makes a sale of one or several items. `stock` is the number of the one item
        `default`, or a number for each SKU. Without `saleid` it is not safe to repeat:
        `retry` refuses it. A limit of 0 is none.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        - `saleid`: a ULID that was made before the first try: the CREATE can be sent again
        """
        return self._send(_calls.create(self.key, self.orders, stock, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events, saleid=saleid))

    def extend(self, id: Name, ms: int, *, user: Name | None = None) -> answers.ExtendAnswer:
        """Moves the deadline of an open reservation. The new deadline is `ms` from now, but
        no later than MAXHOLD after the reservation was made. Without a MAXHOLD that is the
        sale's HOLD, so create the sale with a longer one.

        - `user`: refuses a reservation of anybody else
        """
        return self._send(_calls.extend(self.key, id, ms, user=user))

    def get(self, id: Name) -> answers.Reservation | None:
        """Tells everything about a reservation. It is None if the id is unknown."""
        return self._send(_calls.get(self.key, id))

    def import_(self, user: Name, qty: Units, *, id: Name, sold_at_ms: int, ref: Name | None = None, payload: Json | None = None) -> answers.ImportAnswer:
        """Records an order that was sold elsewhere, or that a failover lost. It was sold,
        so nothing refuses it but another order under its id; units that are not there are
        owed.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `sold_at_ms`: when it was sold, in Unix milliseconds
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return self._send(_calls.import_(self.key, self.orders, user, qty, id=id, sold_at_ms=sold_at_ms, ref=ref, payload=payload))

    def info(self) -> answers.SaleInfo:
        """Tells everything about a sale as a whole."""
        return self._send(_calls.info(self.key))

    def mbuy(self, entries: Iterable[tuple[Name, int, Name, Name]], *, sku: Name | None = None) -> list[answers.BuyAnswer | FlashSaleError]:
        """Sells units to many users and appends the orders to the stream, each as BUY does.
        Each entry is answered or refused by itself. It is a tuple (user, qty, id, ref);
        `ref` may be empty.

        - `sku`: the item of all entries, if the sale has several
        """
        return self._send(_calls.mbuy(self.key, self.orders, entries, sku=sku))

    def mcheckout(self, entries: Iterable[tuple[Name, Name]]) -> list[answers.CheckoutAnswer | FlashSaleError]:
        """Turns many reservations into sales and appends the orders to the stream, each as
        CHECKOUT does. Each entry is answered or refused by itself. It is a tuple (id, ref);
        `ref` may be empty.
        """
        return self._send(_calls.mcheckout(self.key, self.orders, entries))

    def mrelease(self, entries: Iterable[Name]) -> list[answers.ReleaseAnswer | FlashSaleError]:
        """Gives the units of many reservations back, each as RELEASE does. Each entry is
        answered or refused by itself.
        """
        return self._send(_calls.mrelease(self.key, entries))

    def mreserve(self, entries: Iterable[tuple[Name, int, Name]], *, sku: Name | None = None, hold_ms: int | None = None) -> list[answers.ReserveAnswer | FlashSaleError]:
        """Sets units aside for many users, each as RESERVE does. Each entry is answered or
        refused by itself. It is a tuple (user, qty, id).

        - `sku`: the item of all entries, if the sale has several
        - `hold_ms`: how long these reservations last, at most the sale's HOLD
        """
        return self._send(_calls.mreserve(self.key, entries, sku=sku, hold_ms=hold_ms))

    def pause(self) -> answers.PauseAnswer:
        """Stops new reservations until RESUME. Open reservations can still be checked out."""
        return self._send(_calls.pause(self.key))

    @overload
    def refund(self, id: Name, qty: None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer: ...

    @overload
    def refund(self, id: Name, qty: Units, *, ref: Name, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer: ...

    def refund(self, id: Name, qty: Units | None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer:
        """Takes back all or part of an order. A part (`qty`) needs a `ref`.

        - `qty`: units of the only SKU, or of each SKU; without it all that is left is taken back
        - `ref`: the return's own reference: it distinguishes a retry from a second return
        - `user`: refuses a reservation of anybody else
        - `norestock`: the units do not go back on sale
        - `restorelimit`: the units do not count against the user's limits any more
        """
        return self._send(_calls.refund(self.key, self.orders, id, qty, ref=ref, user=user, norestock=norestock, restorelimit=restorelimit))

    def release(self, id: Name, *, user: Name | None = None) -> answers.ReleaseAnswer:
        """Gives a reservation's units back before its deadline. `RELEASED` is final: no
        later CHECKOUT of the id succeeds. So release before money is given back.

        - `user`: refuses a reservation of anybody else
        """
        return self._send(_calls.release(self.key, id, user=user))

    def reserve(self, user: Name, qty: Units, *, id: Name, hold_ms: int | None = None, replace: Name | None = None, source: Name | None = None, pass_: Name | None = None, wait: bool = False) -> answers.ReserveAnswer:
        """Sets units aside for a user until a deadline.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `hold_ms`: how long this reservation lasts, at most the sale's HOLD
        - `replace`: the open reservation that becomes this one; the deadline stays
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        - `wait`: where units are not to be had yet, the request waits in line under the id
        """
        return self._send(_calls.reserve(self.key, user, qty, id=id, hold_ms=hold_ms, replace=replace, source=source, pass_=pass_, wait=wait))

    def restock(self, delta: Units, *, new: bool = False, ref: Name | None) -> answers.RestockAnswer:
        """Adds units to the stock of items, or takes some away. `delta` may be negative.
        With `ref` None it is not safe to repeat: `retry` refuses it.

        - `new`: allows SKUs that the sale does not have yet
        - `ref`: the delivery's own reference: it distinguishes a retry from a second delivery
        """
        return self._send(_calls.restock(self.key, delta, new=new, ref=ref))

    def resume(self) -> answers.ResumeAnswer:
        """Lets new reservations in again."""
        return self._send(_calls.resume(self.key))

    def scan(self, cursor: int, *, count: int | None = None, state: Name | None = None) -> answers.ScanPage:
        """Goes through the ids of a sale. Begin with the cursor 0, and go on with the
        cursor of each page until it is 0. A page may be empty.

        - `count`: how many places to look at; 10 by default
        - `state`: only ids in this state, as in GET
        """
        return self._send(_calls.scan(self.key, cursor, count=count, state=state))

    @overload
    def stock(self) -> list[answers.ItemStock]: ...

    @overload
    def stock(self, *sku: Name) -> list[answers.ItemStock | None]: ...

    def stock(self, *sku: Name) -> Any:
        """Tells the stock of items. Without a SKU it answers all items; None stands in the
        place of an unknown SKU.
        """
        return self._send(_calls.stock(self.key, *sku))

    def user(self, user: Name) -> answers.UserUnits:
        """Tells what one user has reserved and bought. All zeros for an unknown user."""
        return self._send(_calls.user(self.key, user))


class AsyncSaleMethods(AsyncSender):
    """Each command, to be awaited."""

    async def alter(self, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None) -> answers.AlterAnswer:
        """Changes options of a sale. What is not given stays as it is. 0 is none for a
        limit, START and END.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        """
        return await self._send(_calls.alter(self.key, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events))

    async def audit(self, *, orders: bool = False) -> answers.Audit:
        """Recounts a sale from its reservations up, and against its order stream. With
        `orders=True` every order and refund is compared with its entry in the stream.
        """
        return await self._send(_calls.audit(self.key, self.orders, orders=orders))

    async def bind(self, orders: Name) -> answers.BindAnswer:
        """Gives a sale another order stream. This object goes on with the stream that it
        was made with: make a new one.
        """
        return await self._send(_calls.bind(self.key, orders))

    async def buy(self, user: Name, qty: Units, *, id: Name, ref: Name | None = None, payload: Json | None = None, source: Name | None = None, pass_: Name | None = None) -> answers.BuyAnswer:
        """Sells units to a user in one step and appends the order to the stream.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        """
        return await self._send(_calls.buy(self.key, self.orders, user, qty, id=id, ref=ref, payload=payload, source=source, pass_=pass_))

    async def checkout(self, id: Name, *, user: Name | None = None, ref: Name | None = None, payload: Json | None = None) -> answers.CheckoutAnswer:
        """Turns a reservation into a sale and appends the order to the stream.

        - `user`: refuses a reservation of anybody else
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return await self._send(_calls.checkout(self.key, self.orders, id, user=user, ref=ref, payload=payload))

    async def close(self) -> answers.CloseAnswer:
        """Ends a sale for good. Open reservations can still be checked out."""
        return await self._send(_calls.close(self.key))

    async def create(self, stock: Units, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None, saleid: Name | None = None) -> answers.CreateAnswer:
        """Makes a sale of one or several items. `stock` is the number of the one item
        `default`, or a number for each SKU. Without `saleid` it is not safe to repeat:
        `retry` refuses it. A limit of 0 is none.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        - `saleid`: a ULID that was made before the first try: the CREATE can be sent again
        """
        return await self._send(_calls.create(self.key, self.orders, stock, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events, saleid=saleid))

    async def extend(self, id: Name, ms: int, *, user: Name | None = None) -> answers.ExtendAnswer:
        """Moves the deadline of an open reservation. The new deadline is `ms` from now, but
        no later than MAXHOLD after the reservation was made. Without a MAXHOLD that is the
        sale's HOLD, so create the sale with a longer one.

        - `user`: refuses a reservation of anybody else
        """
        return await self._send(_calls.extend(self.key, id, ms, user=user))

    async def get(self, id: Name) -> answers.Reservation | None:
        """Tells everything about a reservation. It is None if the id is unknown."""
        return await self._send(_calls.get(self.key, id))

    async def import_(self, user: Name, qty: Units, *, id: Name, sold_at_ms: int, ref: Name | None = None, payload: Json | None = None) -> answers.ImportAnswer:
        """Records an order that was sold elsewhere, or that a failover lost. It was sold,
        so nothing refuses it but another order under its id; units that are not there are
        owed.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `sold_at_ms`: when it was sold, in Unix milliseconds
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return await self._send(_calls.import_(self.key, self.orders, user, qty, id=id, sold_at_ms=sold_at_ms, ref=ref, payload=payload))

    async def info(self) -> answers.SaleInfo:
        """Tells everything about a sale as a whole."""
        return await self._send(_calls.info(self.key))

    async def mbuy(self, entries: Iterable[tuple[Name, int, Name, Name]], *, sku: Name | None = None) -> list[answers.BuyAnswer | FlashSaleError]:
        """Sells units to many users and appends the orders to the stream, each as BUY does.
        Each entry is answered or refused by itself. It is a tuple (user, qty, id, ref);
        `ref` may be empty.

        - `sku`: the item of all entries, if the sale has several
        """
        return await self._send(_calls.mbuy(self.key, self.orders, entries, sku=sku))

    async def mcheckout(self, entries: Iterable[tuple[Name, Name]]) -> list[answers.CheckoutAnswer | FlashSaleError]:
        """Turns many reservations into sales and appends the orders to the stream, each as
        CHECKOUT does. Each entry is answered or refused by itself. It is a tuple (id, ref);
        `ref` may be empty.
        """
        return await self._send(_calls.mcheckout(self.key, self.orders, entries))

    async def mrelease(self, entries: Iterable[Name]) -> list[answers.ReleaseAnswer | FlashSaleError]:
        """Gives the units of many reservations back, each as RELEASE does. Each entry is
        answered or refused by itself.
        """
        return await self._send(_calls.mrelease(self.key, entries))

    async def mreserve(self, entries: Iterable[tuple[Name, int, Name]], *, sku: Name | None = None, hold_ms: int | None = None) -> list[answers.ReserveAnswer | FlashSaleError]:
        """Sets units aside for many users, each as RESERVE does. Each entry is answered or
        refused by itself. It is a tuple (user, qty, id).

        - `sku`: the item of all entries, if the sale has several
        - `hold_ms`: how long these reservations last, at most the sale's HOLD
        """
        return await self._send(_calls.mreserve(self.key, entries, sku=sku, hold_ms=hold_ms))

    async def pause(self) -> answers.PauseAnswer:
        """Stops new reservations until RESUME. Open reservations can still be checked out."""
        return await self._send(_calls.pause(self.key))

    @overload
    async def refund(self, id: Name, qty: None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer: ...

    @overload
    async def refund(self, id: Name, qty: Units, *, ref: Name, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer: ...

    async def refund(self, id: Name, qty: Units | None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> answers.RefundAnswer:
        """Takes back all or part of an order. A part (`qty`) needs a `ref`.

        - `qty`: units of the only SKU, or of each SKU; without it all that is left is taken back
        - `ref`: the return's own reference: it distinguishes a retry from a second return
        - `user`: refuses a reservation of anybody else
        - `norestock`: the units do not go back on sale
        - `restorelimit`: the units do not count against the user's limits any more
        """
        return await self._send(_calls.refund(self.key, self.orders, id, qty, ref=ref, user=user, norestock=norestock, restorelimit=restorelimit))

    async def release(self, id: Name, *, user: Name | None = None) -> answers.ReleaseAnswer:
        """Gives a reservation's units back before its deadline. `RELEASED` is final: no
        later CHECKOUT of the id succeeds. So release before money is given back.

        - `user`: refuses a reservation of anybody else
        """
        return await self._send(_calls.release(self.key, id, user=user))

    async def reserve(self, user: Name, qty: Units, *, id: Name, hold_ms: int | None = None, replace: Name | None = None, source: Name | None = None, pass_: Name | None = None, wait: bool = False) -> answers.ReserveAnswer:
        """Sets units aside for a user until a deadline.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `hold_ms`: how long this reservation lasts, at most the sale's HOLD
        - `replace`: the open reservation that becomes this one; the deadline stays
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        - `wait`: where units are not to be had yet, the request waits in line under the id
        """
        return await self._send(_calls.reserve(self.key, user, qty, id=id, hold_ms=hold_ms, replace=replace, source=source, pass_=pass_, wait=wait))

    async def restock(self, delta: Units, *, new: bool = False, ref: Name | None) -> answers.RestockAnswer:
        """Adds units to the stock of items, or takes some away. `delta` may be negative.
        With `ref` None it is not safe to repeat: `retry` refuses it.

        - `new`: allows SKUs that the sale does not have yet
        - `ref`: the delivery's own reference: it distinguishes a retry from a second delivery
        """
        return await self._send(_calls.restock(self.key, delta, new=new, ref=ref))

    async def resume(self) -> answers.ResumeAnswer:
        """Lets new reservations in again."""
        return await self._send(_calls.resume(self.key))

    async def scan(self, cursor: int, *, count: int | None = None, state: Name | None = None) -> answers.ScanPage:
        """Goes through the ids of a sale. Begin with the cursor 0, and go on with the
        cursor of each page until it is 0. A page may be empty.

        - `count`: how many places to look at; 10 by default
        - `state`: only ids in this state, as in GET
        """
        return await self._send(_calls.scan(self.key, cursor, count=count, state=state))

    @overload
    async def stock(self) -> list[answers.ItemStock]: ...

    @overload
    async def stock(self, *sku: Name) -> list[answers.ItemStock | None]: ...

    async def stock(self, *sku: Name) -> Any:
        """Tells the stock of items. Without a SKU it answers all items; None stands in the
        place of an unknown SKU.
        """
        return await self._send(_calls.stock(self.key, *sku))

    async def user(self, user: Name) -> answers.UserUnits:
        """Tells what one user has reserved and bought. All zeros for an unknown user."""
        return await self._send(_calls.user(self.key, user))


class PipelineMethods(PipelineSender):
    """Each command, put into the pipeline; its answer comes with the others."""

    def alter(self, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None) -> Queued[answers.AlterAnswer]:
        """Changes options of a sale. What is not given stays as it is. 0 is none for a
        limit, START and END.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        """
        return self._send(_calls.alter(self.key, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events))

    def audit(self, *, orders: bool = False) -> Queued[answers.Audit]:
        """Recounts a sale from its reservations up, and against its order stream. With
        `orders=True` every order and refund is compared with its entry in the stream.
        """
        return self._send(_calls.audit(self.key, self.orders, orders=orders))

    def bind(self, orders: Name) -> Queued[answers.BindAnswer]:
        """Gives a sale another order stream. This object goes on with the stream that it
        was made with: make a new one.
        """
        return self._send(_calls.bind(self.key, orders))

    def buy(self, user: Name, qty: Units, *, id: Name, ref: Name | None = None, payload: Json | None = None, source: Name | None = None, pass_: Name | None = None) -> Queued[answers.BuyAnswer]:
        """Sells units to a user in one step and appends the order to the stream.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        """
        return self._send(_calls.buy(self.key, self.orders, user, qty, id=id, ref=ref, payload=payload, source=source, pass_=pass_))

    def checkout(self, id: Name, *, user: Name | None = None, ref: Name | None = None, payload: Json | None = None) -> Queued[answers.CheckoutAnswer]:
        """Turns a reservation into a sale and appends the order to the stream.

        - `user`: refuses a reservation of anybody else
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return self._send(_calls.checkout(self.key, self.orders, id, user=user, ref=ref, payload=payload))

    def close(self) -> Queued[answers.CloseAnswer]:
        """Ends a sale for good. Open reservations can still be checked out."""
        return self._send(_calls.close(self.key))

    def create(self, stock: Units, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None, saleid: Name | None = None) -> Queued[answers.CreateAnswer]:
        """Makes a sale of one or several items. `stock` is the number of the one item
        `default`, or a number for each SKU. Without `saleid` it is not safe to repeat:
        `retry` refuses it. A limit of 0 is none.

        - `userlimit`: most units that one user may have reserved and bought
        - `itemlimit`: most units of each SKU that one user may have reserved and bought
        - `orderlimit`: most units in one reservation
        - `salelimit`: most units that the whole sale may have reserved and sold
        - `hold_ms`: how long a reservation lasts; the server has a default
        - `maxhold_ms`: how long a reservation may last with EXTEND; as HOLD by default
        - `grace_ms`: how late a CHECKOUT may be, if the units are still there; 0 by default
        - `start_at_ms`: when the sale opens, in Unix milliseconds
        - `end_at_ms`: when the sale ends, in Unix milliseconds
        - `keep_ms`: how long refunds stay possible after the end; then the key expires
        - `remember_ms`: how long released and expired ids stay known; 10 minutes by default
        - `waiting`: most people in line; 0, the default: nobody waits
        - `patience_ms`: whoever was silent for so long is passed over at their turn; a minute by
          default, 0: nobody is
        - `pace`: so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are
          asked for
        - `userrate`: so many attempts of a user in so many milliseconds, and as many at once; 0 and
          0: as many as they like
        - `fromrate`: the same for the source of a request, where it names one; 0 and 0: as many as
          come
        - `passkey`: up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them
          made; none: nobody needs a pass
        - `group`: the split sale that this one is a part of; empty: none any more
        - `events`: what the stream gets: `orders` and refunds, or `all` that happens
        - `saleid`: a ULID that was made before the first try: the CREATE can be sent again
        """
        return self._send(_calls.create(self.key, self.orders, stock, userlimit=userlimit, itemlimit=itemlimit, orderlimit=orderlimit, salelimit=salelimit, hold_ms=hold_ms, maxhold_ms=maxhold_ms, grace_ms=grace_ms, start_at_ms=start_at_ms, end_at_ms=end_at_ms, keep_ms=keep_ms, remember_ms=remember_ms, waiting=waiting, patience_ms=patience_ms, pace=pace, userrate=userrate, fromrate=fromrate, passkey=passkey, group=group, events=events, saleid=saleid))

    def extend(self, id: Name, ms: int, *, user: Name | None = None) -> Queued[answers.ExtendAnswer]:
        """Moves the deadline of an open reservation. The new deadline is `ms` from now, but
        no later than MAXHOLD after the reservation was made. Without a MAXHOLD that is the
        sale's HOLD, so create the sale with a longer one.

        - `user`: refuses a reservation of anybody else
        """
        return self._send(_calls.extend(self.key, id, ms, user=user))

    def get(self, id: Name) -> Queued[answers.Reservation | None]:
        """Tells everything about a reservation. It is None if the id is unknown."""
        return self._send(_calls.get(self.key, id))

    def import_(self, user: Name, qty: Units, *, id: Name, sold_at_ms: int, ref: Name | None = None, payload: Json | None = None) -> Queued[answers.ImportAnswer]:
        """Records an order that was sold elsewhere, or that a failover lost. It was sold,
        so nothing refuses it but another order under its id; units that are not there are
        owed.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `sold_at_ms`: when it was sold, in Unix milliseconds
        - `ref`: the payment's own reference: it distinguishes a retry from a second payment
        - `payload`: JSON of yours, at most 64 KiB, for the entry in the stream
        """
        return self._send(_calls.import_(self.key, self.orders, user, qty, id=id, sold_at_ms=sold_at_ms, ref=ref, payload=payload))

    def info(self) -> Queued[answers.SaleInfo]:
        """Tells everything about a sale as a whole."""
        return self._send(_calls.info(self.key))

    def mbuy(self, entries: Iterable[tuple[Name, int, Name, Name]], *, sku: Name | None = None) -> Queued[list[answers.BuyAnswer | FlashSaleError]]:
        """Sells units to many users and appends the orders to the stream, each as BUY does.
        Each entry is answered or refused by itself. It is a tuple (user, qty, id, ref);
        `ref` may be empty.

        - `sku`: the item of all entries, if the sale has several
        """
        return self._send(_calls.mbuy(self.key, self.orders, entries, sku=sku))

    def mcheckout(self, entries: Iterable[tuple[Name, Name]]) -> Queued[list[answers.CheckoutAnswer | FlashSaleError]]:
        """Turns many reservations into sales and appends the orders to the stream, each as
        CHECKOUT does. Each entry is answered or refused by itself. It is a tuple (id, ref);
        `ref` may be empty.
        """
        return self._send(_calls.mcheckout(self.key, self.orders, entries))

    def mrelease(self, entries: Iterable[Name]) -> Queued[list[answers.ReleaseAnswer | FlashSaleError]]:
        """Gives the units of many reservations back, each as RELEASE does. Each entry is
        answered or refused by itself.
        """
        return self._send(_calls.mrelease(self.key, entries))

    def mreserve(self, entries: Iterable[tuple[Name, int, Name]], *, sku: Name | None = None, hold_ms: int | None = None) -> Queued[list[answers.ReserveAnswer | FlashSaleError]]:
        """Sets units aside for many users, each as RESERVE does. Each entry is answered or
        refused by itself. It is a tuple (user, qty, id).

        - `sku`: the item of all entries, if the sale has several
        - `hold_ms`: how long these reservations last, at most the sale's HOLD
        """
        return self._send(_calls.mreserve(self.key, entries, sku=sku, hold_ms=hold_ms))

    def pause(self) -> Queued[answers.PauseAnswer]:
        """Stops new reservations until RESUME. Open reservations can still be checked out."""
        return self._send(_calls.pause(self.key))

    @overload
    def refund(self, id: Name, qty: None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> Queued[answers.RefundAnswer]: ...

    @overload
    def refund(self, id: Name, qty: Units, *, ref: Name, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> Queued[answers.RefundAnswer]: ...

    def refund(self, id: Name, qty: Units | None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> Queued[answers.RefundAnswer]:
        """Takes back all or part of an order. A part (`qty`) needs a `ref`.

        - `qty`: units of the only SKU, or of each SKU; without it all that is left is taken back
        - `ref`: the return's own reference: it distinguishes a retry from a second return
        - `user`: refuses a reservation of anybody else
        - `norestock`: the units do not go back on sale
        - `restorelimit`: the units do not count against the user's limits any more
        """
        return self._send(_calls.refund(self.key, self.orders, id, qty, ref=ref, user=user, norestock=norestock, restorelimit=restorelimit))

    def release(self, id: Name, *, user: Name | None = None) -> Queued[answers.ReleaseAnswer]:
        """Gives a reservation's units back before its deadline. `RELEASED` is final: no
        later CHECKOUT of the id succeeds. So release before money is given back.

        - `user`: refuses a reservation of anybody else
        """
        return self._send(_calls.release(self.key, id, user=user))

    def reserve(self, user: Name, qty: Units, *, id: Name, hold_ms: int | None = None, replace: Name | None = None, source: Name | None = None, pass_: Name | None = None, wait: bool = False) -> Queued[answers.ReserveAnswer]:
        """Sets units aside for a user until a deadline.

        - `id`: the idempotency token: make it before the first try, keep it, and send it with each
          retry
        - `hold_ms`: how long this reservation lasts, at most the sale's HOLD
        - `replace`: the open reservation that becomes this one; the deadline stays
        - `source`: where the request comes from, such as an address: what FROMRATE counts
        - `pass_`: the pass that the app made for this id and this user, in a sale with PASSKEY
        - `wait`: where units are not to be had yet, the request waits in line under the id
        """
        return self._send(_calls.reserve(self.key, user, qty, id=id, hold_ms=hold_ms, replace=replace, source=source, pass_=pass_, wait=wait))

    def restock(self, delta: Units, *, new: bool = False, ref: Name | None) -> Queued[answers.RestockAnswer]:
        """Adds units to the stock of items, or takes some away. `delta` may be negative.
        With `ref` None it is not safe to repeat: `retry` refuses it.

        - `new`: allows SKUs that the sale does not have yet
        - `ref`: the delivery's own reference: it distinguishes a retry from a second delivery
        """
        return self._send(_calls.restock(self.key, delta, new=new, ref=ref))

    def resume(self) -> Queued[answers.ResumeAnswer]:
        """Lets new reservations in again."""
        return self._send(_calls.resume(self.key))

    def scan(self, cursor: int, *, count: int | None = None, state: Name | None = None) -> Queued[answers.ScanPage]:
        """Goes through the ids of a sale. Begin with the cursor 0, and go on with the
        cursor of each page until it is 0. A page may be empty.

        - `count`: how many places to look at; 10 by default
        - `state`: only ids in this state, as in GET
        """
        return self._send(_calls.scan(self.key, cursor, count=count, state=state))

    @overload
    def stock(self) -> Queued[list[answers.ItemStock]]: ...

    @overload
    def stock(self, *sku: Name) -> Queued[list[answers.ItemStock | None]]: ...

    def stock(self, *sku: Name) -> Any:
        """Tells the stock of items. Without a SKU it answers all items; None stands in the
        place of an unknown SKU.
        """
        return self._send(_calls.stock(self.key, *sku))

    def user(self, user: Name) -> Queued[answers.UserUnits]:
        """Tells what one user has reserved and bought. All zeros for an unknown user."""
        return self._send(_calls.user(self.key, user))


class LimitMethods(Sender):
    """The one command of a rate limit, sent at once."""

    def throttle(self, subject: Name, count: int, ms: int, *, burst: int | None = None, cost: int | None = None) -> answers.Allowance:
        """Asks whether a call may pass a rate limit, and counts it if it may. The subject
        may call `count` times in `ms` milliseconds. Nothing remembers a call: sent again
        after a lost answer, it may count twice.

        - `burst`: most calls at once; `count` by default
        - `cost`: how many calls this one counts for; 0 asks, and counts nothing
        """
        return self._send(_calls.throttle(self.key, subject, count, ms, burst=burst, cost=cost))


class AsyncLimitMethods(AsyncSender):
    """The one command of a rate limit, to be awaited."""

    async def throttle(self, subject: Name, count: int, ms: int, *, burst: int | None = None, cost: int | None = None) -> answers.Allowance:
        """Asks whether a call may pass a rate limit, and counts it if it may. The subject
        may call `count` times in `ms` milliseconds. Nothing remembers a call: sent again
        after a lost answer, it may count twice.

        - `burst`: most calls at once; `count` by default
        - `cost`: how many calls this one counts for; 0 asks, and counts nothing
        """
        return await self._send(_calls.throttle(self.key, subject, count, ms, burst=burst, cost=cost))
