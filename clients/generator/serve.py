"""Writes what `flashsale serve` knows of answers: `companion/src/serve/answers.rs`."""

from __future__ import annotations

import json
from typing import Any

from .model import Model, Row, Word
from .python import sentence

HEADER = """\
//! What each answer means for HTTP and for the buyer.
//!
//! Written by `python3 -m clients.generator`; change `clients/answers.json` instead.

use super::meaning::{After, Detail, Fault, Row, Type, When, Word};
"""
# What `serve` sends, without REPLACE.
COMMANDS = ("RESERVE", "CHECKOUT", "RELEASE")
TYPES = {"name": "Text", "text": "Text", "names": "Texts", "integer": "Integer"}
CONDITIONS = {
    None: "Always", "grace_left_ms > 0": "GraceLeft", "grace_left_ms = 0": "NoGraceLeft",
    "ahead < 0": "Undrawn", "ahead >= 0": "Placed", "no ahead": "NotPlaced", "by sale": "BySale", "by buyer": "ByBuyer",
    "retry_in_ms < 0": "Final", "retry_in_ms > 0": "NotNow",
}  # fmt: skip


def literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def after(data: dict[str, Any]) -> str:
    value = data.get("retry_after")
    if value is None:
        return "After::No"
    return f"After::Seconds({value})" if isinstance(value, int) else f"After::Detail({literal(value)})"


def rows(word: Word) -> list[Row]:
    return [row for row in word.rows if row.when != "replaced" and set(row.of) & set(COMMANDS)]


def row(row: Row) -> str:
    of = ", ".join(literal(command) for command in row.of if command in COMMANDS)
    data = row.data
    return (
        f"        Row {{ of: &[{of}], when: When::{CONDITIONS[row.when]}, http: {data['http']}, after: {after(data)},\n"
        f"            buyer: {literal(data['buyer'])},\n"
        f"            means: {literal(sentence(data['means']))},\n"
        f"            next: {literal(sentence(data['next']))} }},\n"
    )


def word(word: Word) -> str:
    details = ", ".join(
        f"Detail {{ name: {literal(detail['name'])}, is: Type::{TYPES[detail['type']]} }}" for detail in word.details
    )
    return (
        f"    Word {{ text: {literal(word.text)}, details: &[{details}], rows: &[\n"
        + "".join(row(one) for one in rows(word))
        + "    ] },\n"
    )


def fault(data: dict[str, Any]) -> str:
    fields = f"code: {literal(data['code'])}, http: {data['http']}, again: {str(data['again']).lower()}"
    return f"    Fault {{ {fields},\n        buyer: {literal(data['buyer'])}, next: {literal(sentence(data['next']))} }},\n"


def write(model: Model) -> str:
    words = "".join(word(one) for one in model.words if rows(one))
    faults = "".join(fault(one) for one in model.errors if one["buyer"] != "-")
    return (
        f"{HEADER}\n/// Each word of {', '.join(COMMANDS[:-1])} and {COMMANDS[-1]}.\n"
        f"#[rustfmt::skip]\npub const WORDS: &[Word] = &[\n{words}];\n"
        f"\n/// Each error of the module and the server, by its code.\n"
        f"#[rustfmt::skip]\npub const FAULTS: &[Fault] = &[\n{faults}];\n"
    )


FILES = {"answers.rs": write}
