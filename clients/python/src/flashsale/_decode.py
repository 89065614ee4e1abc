"""Replies, as bytes of RESP2 or RESP3, into answers. A longer or unknown reply is no error."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any, Callable, Iterable, Mapping, TypeVar

import redis

from . import answers
from ._base import Answer, FlashSaleError, Name, Other, Read

T = TypeVar("T")

# redis-py cuts the code off where it has a class for it.
CODES: list[tuple[type[Exception], str]] = [
    (redis.exceptions.OutOfMemoryError, "OOM"),
    (redis.exceptions.BusyLoadingError, "LOADING"),
    (redis.exceptions.ReadOnlyError, "READONLY"),
    (redis.exceptions.TryAgainError, "TRYAGAIN"),
    (redis.exceptions.MasterDownError, "MASTERDOWN"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
]
# Codes that redis-py leaves in the text. Another first word in capitals is a word of a text
# whose `ERR` was cut off.
LEFT = {*answers.ERRORS, "NOGROUP", "UNBLOCKED", "NOREPLICAS", "MISCONF", "BUSY", "CROSSSLOT"}


def error(cause: Exception) -> FlashSaleError:
    """The error reply that redis-py raised, with its code."""
    if isinstance(cause, FlashSaleError):
        return cause
    text = str(cause)
    for cls, code in CODES:
        if isinstance(cause, cls):
            return FlashSaleError(code, text.removeprefix(code + " "))
    first, _, after = text.partition(" ")
    if first in LEFT:
        return FlashSaleError(first, after)
    return FlashSaleError(getattr(cause, "status_code", None) or "ERR", text.removeprefix("ERR "))


def name(value: Any) -> Name:
    """Text where it is UTF-8, else the bytes."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def anything(value: Any) -> Any:
    """What a newer module sends: text, numbers and lists of them."""
    if isinstance(value, bytes):
        return name(value)
    if isinstance(value, (list, tuple)):
        return tuple(anything(one) for one in value)
    return value


def names(value: Iterable[Any]) -> tuple[Name, ...]:
    return tuple(name(one) for one in value)


def lines(value: Iterable[Any]) -> tuple[tuple[str, int], ...]:
    return tuple((text(sku), int(qty)) for sku, qty, *_ in value)


def refunds(value: Iterable[Any]) -> tuple[answers.OrderRefund, ...]:
    def flag(told: Any) -> bool | None:
        return None if told is None else int(told) == 1

    def one(entry: Any, ref: Any, items: Any, *flags: Any) -> answers.OrderRefund:
        ref = None if ref is None else name(ref)
        return answers.OrderRefund(text(entry), ref, lines(items), *(flag(told) for told in flags[:3]))

    return tuple(one(*refund) for refund in value)


TYPES: dict[str, Callable[[Any], Any]] = {
    "name": name,
    "text": text,
    "integer": int,
    "cursor": int,
    "boolean": lambda value: int(value) == 1,
    "names": names,
    "texts": lambda value: tuple(text(one) for one in value),
    "lines": lines,
    "refunds": refunds,
}


def typed(kind: str, value: Any) -> Any:
    return None if value is None else TYPES[kind.rstrip("?")](value)


# What tells rows of one word apart; the id is that of `replace` or not.
CONDITIONS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "grace_left_ms > 0": lambda details: details["grace_left_ms"] > 0,
    "grace_left_ms = 0": lambda details: details["grace_left_ms"] == 0,
    "ahead < 0": lambda details: details["ahead"] is not None and details["ahead"] < 0,
    "ahead >= 0": lambda details: details["ahead"] is not None,
    "no ahead": lambda details: details["ahead"] is None,
    "sku": lambda details: details["sku"] is not None,
    "no sku": lambda details: details["sku"] is None,
    "by sale": lambda details: details["by"] == "sale",
    "by buyer": lambda details: details["by"] != "sale",
}


def details_of(word: str, rest: list[Any]) -> tuple[dict[str, Any], list[Any]] | None:
    """The details of a word and what is left over; None if one is missing."""
    found: dict[str, Any] = {}
    for field, kind in answers.DETAILS[word]:
        if kind == "stocks":
            stocks = [answers.RestockedItem(text(sku), int(total), int(free)) for sku, total, free, *_ in rest]
            found[field], rest = tuple(stocks), []
        elif rest and (kind != "names?" or isinstance(rest[0], (list, tuple))):
            found[field] = TYPES[kind.rstrip("?")](rest[0])
            rest = rest[1:]
        elif kind == "names?":
            found[field] = ()
        elif kind.endswith("?"):
            found[field] = None
        else:
            return None
    return found, rest


def answer_of(command: str, reply: Any, replaced: Name | None) -> Any:
    word, *rest = reply if isinstance(reply, (list, tuple)) else [reply]
    status = text(word)
    rows = answers.ROWS[command].get(status, [])
    read = details_of(status, rest) if rows else None
    if read is not None:
        details, left = read
        if replaced is not None:
            # As it comes back: bytes that are UTF-8 are text.
            replaced = name(replaced)
        for when, cls in rows:
            about_old = replaced is not None and details.get("id") == replaced
            holds = about_old if when == "replaced" else when is None or CONDITIONS[when](details)
            if holds:
                return cls(**details, rest=tuple(anything(one) for one in left))
    return Other(status, rest=tuple(anything(one) for one in rest))


def answer(command: str, replaced: Name | None = None) -> Callable[[Any], Any]:
    return lambda reply: answer_of(command, reply, replaced)


def batch(command: str) -> Callable[[Any], list[Any]]:
    """An answer an entry; an error of one entry stands in its place."""

    def one(reply: Any) -> Answer | FlashSaleError:
        return error(reply) if isinstance(reply, Exception) else answer_of(command, reply, None)

    return lambda reply: [one(element) for element in reply]


def read_map(cls: type[T]) -> Callable[[Any], Any]:
    """A map of RESP3, or the flat list of RESP2; None for null."""

    def decode(reply: Any) -> Any:
        if reply is None:
            return None
        pairs = reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2])
        found = {text(field): value for field, value in pairs}
        kinds = answers.FIELDS[cls.__name__]
        values: dict[str, Any] = {}
        for field, kind in kinds.items():
            values[field] = typed(kind, found.pop(field, None))
        more = {field: anything(value) for field, value in found.items()}
        return cls(**values, **({"more": more} if issubclass(cls, Read) else {}))

    return decode


def read_tuple(cls: type[T]) -> Callable[[Any], T]:
    """A list that has grown: what an older module leaves out is None, what a newer one appends is left out."""
    kinds = answers.FIELDS[cls.__name__].values()
    return lambda reply: cls(*(typed(kind, value) for kind, value in zip(kinds, chain(reply, repeat(None)))))


def read_rows(cls: type[T]) -> Callable[[Any], list[T | None]]:
    one = read_tuple(cls)
    return lambda reply: [None if row is None else one(row) for row in reply]
