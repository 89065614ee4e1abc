"""Each command as words for the server, with the decoder of its reply. Written by `python3 -m clients.generator`; change `answers.json` instead."""

from __future__ import annotations

from typing import Iterable, Literal, Sequence

from . import _decode as decode
from . import _encode as encode
from . import answers
from ._base import Call, FlashSaleError, Json, Name, Units
from ._encode import Wire


def alter(key: Name, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None) -> Call[answers.AlterAnswer]:
    args: list[Wire] = ["FLASHSALE.ALTER", key]
    if userlimit is not None:
        args += ["USERLIMIT", userlimit]
    if itemlimit is not None:
        args += ["ITEMLIMIT", itemlimit]
    if orderlimit is not None:
        args += ["ORDERLIMIT", orderlimit]
    if salelimit is not None:
        args += ["SALELIMIT", salelimit]
    if hold_ms is not None:
        args += ["HOLD", hold_ms]
    if maxhold_ms is not None:
        args += ["MAXHOLD", maxhold_ms]
    if grace_ms is not None:
        args += ["GRACE", grace_ms]
    if start_at_ms is not None:
        args += ["START", start_at_ms]
    if end_at_ms is not None:
        args += ["END", end_at_ms]
    if keep_ms is not None:
        args += ["KEEP", keep_ms]
    if remember_ms is not None:
        args += ["REMEMBER", remember_ms]
    if waiting is not None:
        args += ["WAITING", waiting]
    if patience_ms is not None:
        args += ["PATIENCE", patience_ms]
    if pace is not None:
        args += ["PACE", *pace]
    if userrate is not None:
        args += ["USERRATE", *userrate]
    if fromrate is not None:
        args += ["FROMRATE", *fromrate]
    if passkey is not None:
        args += ["PASSKEY", len(passkey), *passkey]
    if group is not None:
        args += ["GROUP", group]
    if events is not None:
        args += ["EVENTS", events]
    return Call(args, decode.answer("ALTER"))


def audit(key: Name, stream: Name, *, orders: bool = False) -> Call[answers.Audit]:
    args: list[Wire] = ["FLASHSALE.AUDIT", key]
    if orders:
        args.append(stream)
    return Call(args, decode.read_map(answers.Audit))


def bind(key: Name, orders: Name) -> Call[answers.BindAnswer]:
    args: list[Wire] = ["FLASHSALE.BIND", key, orders]
    return Call(args, decode.answer("BIND"))


def buy(key: Name, orders: Name, user: Name, qty: Units, *, id: Name, ref: Name | None = None, payload: Json | None = None, source: Name | None = None, pass_: Name | None = None) -> Call[answers.BuyAnswer]:
    args: list[Wire] = ["FLASHSALE.BUY", key, orders]
    args.append(user)
    args += encode.units(None, qty)
    args += ["ID", id]
    if ref is not None:
        args += ["REF", ref]
    if payload is not None:
        args += ["PAYLOAD", encode.json(payload)]
    if source is not None:
        args += ["FROM", source]
    if pass_ is not None:
        args += ["PASS", pass_]
    return Call(args, decode.answer("BUY"))


def checkout(key: Name, orders: Name, id: Name, *, user: Name | None = None, ref: Name | None = None, payload: Json | None = None) -> Call[answers.CheckoutAnswer]:
    args: list[Wire] = ["FLASHSALE.CHECKOUT", key, orders]
    args.append(id)
    if user is not None:
        args += ["USER", user]
    if ref is not None:
        args += ["REF", ref]
    if payload is not None:
        args += ["PAYLOAD", encode.json(payload)]
    return Call(args, decode.answer("CHECKOUT"))


def close(key: Name) -> Call[answers.CloseAnswer]:
    args: list[Wire] = ["FLASHSALE.CLOSE", key]
    return Call(args, decode.answer("CLOSE"))


def create(key: Name, orders: Name, stock: Units, *, userlimit: int | None = None, itemlimit: int | None = None, orderlimit: int | None = None, salelimit: int | None = None, hold_ms: int | None = None, maxhold_ms: int | None = None, grace_ms: int | None = None, start_at_ms: int | None = None, end_at_ms: int | None = None, keep_ms: int | None = None, remember_ms: int | None = None, waiting: int | None = None, patience_ms: int | None = None, pace: tuple[int, int] | None = None, userrate: tuple[int, int] | None = None, fromrate: tuple[int, int] | None = None, passkey: Sequence[Name] | None = None, group: Name | None = None, events: Literal["orders", "all"] | None = None, saleid: Name | None = None) -> Call[answers.CreateAnswer]:
    args: list[Wire] = ["FLASHSALE.CREATE", key, orders]
    args += encode.units('STOCK', stock)
    if userlimit is not None:
        args += ["USERLIMIT", userlimit]
    if itemlimit is not None:
        args += ["ITEMLIMIT", itemlimit]
    if orderlimit is not None:
        args += ["ORDERLIMIT", orderlimit]
    if salelimit is not None:
        args += ["SALELIMIT", salelimit]
    if hold_ms is not None:
        args += ["HOLD", hold_ms]
    if maxhold_ms is not None:
        args += ["MAXHOLD", maxhold_ms]
    if grace_ms is not None:
        args += ["GRACE", grace_ms]
    if start_at_ms is not None:
        args += ["START", start_at_ms]
    if end_at_ms is not None:
        args += ["END", end_at_ms]
    if keep_ms is not None:
        args += ["KEEP", keep_ms]
    if remember_ms is not None:
        args += ["REMEMBER", remember_ms]
    if waiting is not None:
        args += ["WAITING", waiting]
    if patience_ms is not None:
        args += ["PATIENCE", patience_ms]
    if pace is not None:
        args += ["PACE", *pace]
    if userrate is not None:
        args += ["USERRATE", *userrate]
    if fromrate is not None:
        args += ["FROMRATE", *fromrate]
    if passkey is not None:
        args += ["PASSKEY", len(passkey), *passkey]
    if group is not None:
        args += ["GROUP", group]
    if events is not None:
        args += ["EVENTS", events]
    if saleid is not None:
        args += ["SALEID", saleid]
    return Call(args, decode.answer("CREATE"), saleid is not None)


def extend(key: Name, id: Name, ms: int, *, user: Name | None = None) -> Call[answers.ExtendAnswer]:
    args: list[Wire] = ["FLASHSALE.EXTEND", key]
    args.append(id)
    args.append(ms)
    if user is not None:
        args += ["USER", user]
    return Call(args, decode.answer("EXTEND"))


def get(key: Name, id: Name) -> Call[answers.Reservation | None]:
    args: list[Wire] = ["FLASHSALE.GET", key]
    args.append(id)
    return Call(args, decode.read_map(answers.Reservation))


def import_(key: Name, orders: Name, user: Name, qty: Units, *, id: Name, sold_at_ms: int, ref: Name | None = None, payload: Json | None = None) -> Call[answers.ImportAnswer]:
    args: list[Wire] = ["FLASHSALE.IMPORT", key, orders]
    args.append(user)
    args += encode.units(None, qty)
    args += ["ID", id]
    args += ["AT", sold_at_ms]
    if ref is not None:
        args += ["REF", ref]
    if payload is not None:
        args += ["PAYLOAD", encode.json(payload)]
    return Call(args, decode.answer("IMPORT"))


def info(key: Name) -> Call[answers.SaleInfo]:
    args: list[Wire] = ["FLASHSALE.INFO", key]
    return Call(args, decode.read_map(answers.SaleInfo))


def mbuy(key: Name, orders: Name, entries: Iterable[tuple[Name, int, Name, Name]], *, sku: Name | None = None) -> Call[list[answers.BuyAnswer | FlashSaleError]]:
    args: list[Wire] = ["FLASHSALE.MBUY", key, orders]
    args += encode.entries(entries)
    if sku is not None:
        args += ["SKU", sku]
    return Call(args, decode.batch("BUY"))


def mcheckout(key: Name, orders: Name, entries: Iterable[tuple[Name, Name]]) -> Call[list[answers.CheckoutAnswer | FlashSaleError]]:
    args: list[Wire] = ["FLASHSALE.MCHECKOUT", key, orders]
    args += encode.entries(entries)
    return Call(args, decode.batch("CHECKOUT"))


def mrelease(key: Name, entries: Iterable[Name]) -> Call[list[answers.ReleaseAnswer | FlashSaleError]]:
    args: list[Wire] = ["FLASHSALE.MRELEASE", key]
    args += encode.single(entries)
    return Call(args, decode.batch("RELEASE"))


def mreserve(key: Name, entries: Iterable[tuple[Name, int, Name]], *, sku: Name | None = None, hold_ms: int | None = None) -> Call[list[answers.ReserveAnswer | FlashSaleError]]:
    args: list[Wire] = ["FLASHSALE.MRESERVE", key]
    args += encode.entries(entries)
    if sku is not None:
        args += ["SKU", sku]
    if hold_ms is not None:
        args += ["HOLD", hold_ms]
    return Call(args, decode.batch("RESERVE"))


def pause(key: Name) -> Call[answers.PauseAnswer]:
    args: list[Wire] = ["FLASHSALE.PAUSE", key]
    return Call(args, decode.answer("PAUSE"))


def refund(key: Name, orders: Name, id: Name, qty: Units | None = None, *, ref: Name | None = None, user: Name | None = None, norestock: bool = False, restorelimit: bool = False) -> Call[answers.RefundAnswer]:
    args: list[Wire] = ["FLASHSALE.REFUND", key, orders]
    if qty is not None and ref is None:
        raise TypeError("a refund of a part needs a ref")
    args.append(id)
    if qty is not None:
        args += encode.units('QTY', qty)
    if ref is not None:
        args += ["REF", ref]
    if user is not None:
        args += ["USER", user]
    if norestock:
        args.append("NORESTOCK")
    if restorelimit:
        args.append("RESTORELIMIT")
    return Call(args, decode.answer("REFUND"))


def release(key: Name, id: Name, *, user: Name | None = None) -> Call[answers.ReleaseAnswer]:
    args: list[Wire] = ["FLASHSALE.RELEASE", key]
    args.append(id)
    if user is not None:
        args += ["USER", user]
    return Call(args, decode.answer("RELEASE"))


def reserve(key: Name, user: Name, qty: Units, *, id: Name, hold_ms: int | None = None, replace: Name | None = None, source: Name | None = None, pass_: Name | None = None, wait: bool = False) -> Call[answers.ReserveAnswer]:
    args: list[Wire] = ["FLASHSALE.RESERVE", key]
    args.append(user)
    args += encode.units(None, qty)
    args += ["ID", id]
    if hold_ms is not None:
        args += ["HOLD", hold_ms]
    if replace is not None:
        args += ["REPLACE", replace]
    if source is not None:
        args += ["FROM", source]
    if pass_ is not None:
        args += ["PASS", pass_]
    if wait:
        args.append("WAIT")
    return Call(args, decode.answer("RESERVE", replace))


def restock(key: Name, delta: Units, *, new: bool = False, ref: Name | None) -> Call[answers.RestockAnswer]:
    args: list[Wire] = ["FLASHSALE.RESTOCK", key]
    args += encode.units(None, delta)
    if new:
        args.append("NEW")
    if ref is not None:
        args += ["REF", ref]
    return Call(args, decode.answer("RESTOCK"), ref is not None)


def resume(key: Name) -> Call[answers.ResumeAnswer]:
    args: list[Wire] = ["FLASHSALE.RESUME", key]
    return Call(args, decode.answer("RESUME"))


def scan(key: Name, cursor: int, *, count: int | None = None, state: Name | None = None) -> Call[answers.ScanPage]:
    args: list[Wire] = ["FLASHSALE.SCAN", key]
    args.append(cursor)
    if count is not None:
        args += ["COUNT", count]
    if state is not None:
        args += ["STATE", state]
    return Call(args, decode.read_tuple(answers.ScanPage))


def stock(key: Name, *sku: Name) -> Call[list[answers.ItemStock | None]]:
    args: list[Wire] = ["FLASHSALE.STOCK", key]
    args += sku
    return Call(args, decode.read_rows(answers.ItemStock))


def throttle(key: Name, subject: Name, count: int, ms: int, *, burst: int | None = None, cost: int | None = None) -> Call[answers.Allowance]:
    args: list[Wire] = ["FLASHSALE.THROTTLE", key]
    args.append(subject)
    args.append(count)
    args.append(ms)
    if burst is not None:
        args += ["BURST", burst]
    if cost is not None:
        args += ["COST", cost]
    return Call(args, decode.read_tuple(answers.Allowance))


def user(key: Name, user: Name) -> Call[answers.UserUnits]:
    args: list[Wire] = ["FLASHSALE.USER", key]
    args.append(user)
    return Call(args, decode.read_map(answers.UserUnits))
