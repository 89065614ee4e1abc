"""Arguments as words of a command."""

from __future__ import annotations

import json as json_module
from typing import Iterable, List, Mapping, Sequence, Union

from ._base import Json, Name, Units

Wire = Union[str, bytes, int]


def units(token: str | None, given: Units | None) -> List[Wire]:
    """`2` or `ITEMS 2 green 1 black 1`."""
    if isinstance(given, int):
        return [given] if token is None else [token, given]
    try:
        pairs = [(sku, number) for sku, number in (given.items() if isinstance(given, Mapping) else given or ())]
    except (TypeError, ValueError):
        pairs = []
    if not pairs:
        raise TypeError(f'units are a number, or a number for each SKU, such as {{"red": 1}}; not {given!r}')
    words: List[Wire] = ["ITEMS", len(pairs)]
    for sku, number in pairs:
        words += [sku, number]
    return words


def row(given: tuple[Name, Sequence[Name]]) -> List[Wire]:
    """`stalls 2 A-12 A-13`."""
    sku, names = given
    return [sku, len(names), *names]


def entries(given: Iterable[Sequence[Wire]]) -> List[Wire]:
    rows = list(given)
    return ["ENTRIES", len(rows), *(word for row in rows for word in row)]


def single(given: Iterable[Name]) -> List[Wire]:
    return entries((one,) for one in given)


def json(given: Json) -> Name:
    if isinstance(given, (str, bytes)):
        return given
    return json_module.dumps(given, separators=(",", ":"), ensure_ascii=False)
