"""Writes the tables of `docs/reference/answers.md`, between marks in the page."""

from __future__ import annotations

import re

from .model import Model, Row

SECTIONS = {"yes": "Yes", "not now": "Not now", "no": "No", "fault": "A fault"}


def about(row: Row) -> str:
    """The word with the condition that tells the row from others of the word."""
    when = {
        None: "", "replaced": "", "grace_left_ms > 0": " with `grace_left_ms` above 0",
        "grace_left_ms = 0": " with `grace_left_ms` 0", "sku": " with `left` and the SKU", "no sku": " with 0",
        "ahead < 0": " with `ahead` -1", "ahead >= 0": " with `ahead`", "no ahead": " with the id alone",
        "by sale": " by `sale`", "by buyer": " by `user` or `from`", "unit": " with the SKU and a unit",
        "retry_in_ms < 0": " with -1", "retry_in_ms > 0": " with `retry_in_ms`",
    }[row.when]  # fmt: skip
    if row.cls == "ExpiredBefore":
        when = " without `grace_left_ms`"
    return f"`{row.word}`{when}"


def of(row: Row) -> str:
    return "RESERVE with REPLACE, about the old id" if row.when == "replaced" else ", ".join(row.of)


def http(row: Row) -> str:
    after = row.data.get("retry_after")
    if after is None:
        return str(row.data["http"])
    return f"{row.data['http']}, Retry-After" + (f" {after}" if isinstance(after, int) else "")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def meanings(model: Model, kind: str) -> str:
    rows = [row for word in model.words for row in word.rows if row.kind == kind]
    cells = [[about(r), of(r), r.data["means"], r.data["final"], r.data["next"]] for r in rows]
    return table(["Word", "Of", "Means", "Final?", "Do next"], cells)


def actions(model: Model) -> str:
    """What to answer a browser, and what to do with a payment: answers first, then errors."""
    cells = []
    for word in model.words:
        for row in word.rows:
            # Most rows of an operator's commands are nobody else's business.
            if row.data["buyer"] == "-" and row.data["charged"] == "none":
                continue
            cells.append([about(row), of(row), http(row), row.data["buyer"], row.data["authorised"], row.data["charged"]])
    return table(["Answer", "Of", "HTTP", "The buyer reads", "Authorised only", "Already charged"], cells)


def errors(model: Model) -> str:
    groups: dict[tuple[str, ...], list[str]] = {}
    for error in model.errors:
        after = ", Retry-After 1" if error["again"] else ""
        cells = (error["next"], f"{error['http']}{after}", error["buyer"], error["authorised"], error["charged"])
        groups.setdefault(cells, []).append(f"`{error['code']}`")
    rows = []
    for cells, codes in groups.items():
        if "`TRYAGAIN`" in codes:
            codes = ["lost connection, timeout", *codes]
        rows.append([", ".join(codes), *cells])
    return table(["Error", "Do next", "HTTP", "The buyer reads", "Authorised only", "Already charged"], rows)


def write(model: Model, page: str) -> str:
    """The page with each marked place written anew."""
    places = {kind: meanings(model, kind) for kind in SECTIONS} | {"actions": actions(model), "errors": errors(model)}
    for name, text in places.items():
        mark = f"<!-- from clients/answers.json: {name} -->\n"
        if mark not in page:
            raise SystemExit(f"docs/reference/answers.md has no place for {name}: {mark!r}")
        page = re.sub(re.escape(mark) + r"\n(\|.*\n)*\n*", lambda _: f"{mark}\n{text}\n", page)
    return page
