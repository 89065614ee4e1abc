"""Reads `commands.json` and `answers.json` into what the writers need.

`commands.json` is what COMMAND DOCS says, so a command or an argument stands here by its
own name. What COMMAND DOCS cannot say is written below: which options the clients insist
on, and which calls are not safe to repeat.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Any, Iterator

CLIENTS = Path(__file__).resolve().parent.parent

# Options that the server takes for optional and the clients do not: without them the call
# is a new request each time it is sent. None has to be written out where it is allowed.
INSISTED = {
    ("RESERVE", "ID"): "never", ("BUY", "ID"): "never", ("RESTOCK", "REF"): "if written",
    ("IMPORT", "ID"): "never", ("IMPORT", "AT"): "never",
}  # fmt: skip
# Calls that are not safe to repeat when this option is missing.
SAFE_WITH = {"CREATE": "saleid", "RESTOCK": "ref"}
# A batch answers each entry as this command would.
SINGLE_OF = {"MRESERVE": "RESERVE", "MBUY": "BUY", "MCHECKOUT": "CHECKOUT", "MRELEASE": "RELEASE"}
# Of a rate limit's key and no sale. It answers as a read does, and writes.
OF_LIMITS = ("THROTTLE",)

KINDS = {"yes": "Yes", "not now": "NotNow", "no": "No", "fault": "Fault"}


@dataclass(frozen=True)
class Param:
    """An argument of a method: `kind` says how it is written to the server."""

    kind: str  # plain, units, option, flag, rest, entries
    name: str
    type: str  # name, integer, pair (two integers), names (with their number before them), json, units, entries; of a choice its words, "orders|all"
    token: str | None = None
    none: str = ""  # of an option: "", "never" (required), "if written" (no default)
    optional: bool = False  # of units and plain
    fields: tuple[str, ...] = ()  # of entries


@dataclass(frozen=True)
class Row:
    """One meaning of a status word: a row of the tables in the docs."""

    word: str
    cls: str
    of: tuple[str, ...]
    when: str | None
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.data["kind"])

    def has(self, detail: dict[str, Any]) -> bool:
        """Whether the detail is always there, which the word may leave out."""
        return not detail.get("optional") or detail["name"] in self.data.get("has", [])


@dataclass(frozen=True)
class Word:
    text: str
    cls: str
    details: tuple[dict[str, Any], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Command:
    name: str
    summary: str
    keys: tuple[str, ...]
    params: tuple[Param, ...] = field(default=())

    @property
    def method(self) -> str:
        """Its name in TypeScript; Python's is [`python_method`]."""
        return self.name.lower()

    @property
    def python_method(self) -> str:
        return f"{self.method}_" if iskeyword(self.method) else self.method

    @property
    def single(self) -> str:
        """The command whose answers it gives."""
        return SINGLE_OF.get(self.name, self.name)

    @property
    def is_batch(self) -> bool:
        return self.name in SINGLE_OF


def option_name(token: str, argument: str) -> str:
    """`HOLD ms` is `hold_ms`, `START unix-ms` is `start_at_ms`, `REF ref` is `ref`."""
    if argument == "sold-at-ms":
        return "sold_at_ms"
    unit = {"ms": "_ms", "unix-ms": "_at_ms"}.get(argument, "")
    name = token.lower() + unit
    if not iskeyword(name):
        return name
    # `FROM source` is `source`, and `PASS pass` is `pass_`, in TypeScript `pass`.
    return f"{argument}_" if iskeyword(argument) else argument


def type_of(argument: dict[str, Any]) -> str:
    if argument["name"] == "json":
        return "json"
    if argument["type"] == "oneof":
        return "|".join(word["token"] for word in argument["arguments"])
    if argument["type"] == "block":
        return "names" if any("multiple" in inside.get("flags", []) for inside in argument["arguments"]) else "pair"
    return "integer" if argument["type"] in ("integer", "unix-time") else "name"


def params_of(command: str, arguments: list[dict[str, Any]]) -> Iterator[Param]:
    is_batch = any(argument.get("token") == "ENTRIES" for argument in arguments)
    for argument in arguments:
        flags, token, kind = argument.get("flags", []), argument.get("token"), argument["type"]
        inside = argument.get("arguments", [])
        if token == "ENTRIES":
            continue  # the number of entries, which the client counts
        if is_batch and "multiple" in flags:
            yield Param("entries", "entries", "entries", fields=tuple(a["name"] for a in inside or [argument]))
        elif kind == "oneof" and "multiple" in flags:
            for option in inside:
                yield Param("option", option_name(option["token"], option["name"]), type_of(option), option["token"])
        elif kind == "oneof" and token:
            yield Param("option", token.lower(), type_of(argument), token)
        elif kind == "oneof":
            number, items = inside
            if items["arguments"][0].get("token") != "ITEMS":
                raise SystemExit(f"{command}: a choice the generator does not know: {argument['name']}")
            name = (number.get("token") or number["name"]).lower()
            yield Param("units", name, "units", number.get("token"), optional="optional" in flags)
        elif kind == "pure-token":
            yield Param("flag", token.lower(), "flag", token)
        elif "multiple" in flags:
            yield Param("rest", argument["name"], type_of(argument))
        elif token:
            name = option_name(token, argument["name"])
            yield Param("option", name, type_of(argument), token, INSISTED.get((command, token), ""))
        elif kind == "key":
            # The sale's own stream; AUDIT compares with it where it is asked to.
            yield Param("flag", argument["name"], "stream")
        else:
            yield Param("plain", argument["name"], type_of(argument), optional="optional" in flags)


class Model:
    def __init__(self) -> None:
        docs = json.loads((CLIENTS / "commands.json").read_text())
        answers = json.loads((CLIENTS / "answers.json").read_text())
        self.errors: list[dict[str, Any]] = answers["errors"]
        self.reads: dict[str, dict[str, Any]] = answers["reads"]
        self.words = [self._word(text, data) for text, data in answers["words"].items()]
        self.commands = [self._command(name, data) for name, data in docs.items()]
        for command in self.commands:
            if command.name not in self.reads and not self.rows_of(command.single):
                raise SystemExit(f"answers.json: nothing about the answers of {command.name}")

    @staticmethod
    def _word(text: str, data: dict[str, Any]) -> Word:
        cls = data["name"]
        rows = tuple(Row(text, r.get("name", cls), tuple(r["of"]), r.get("when"), r) for r in data["rows"])
        return Word(text, cls, tuple(data["details"]), rows)

    @staticmethod
    def _command(name: str, data: dict[str, Any]) -> Command:
        name = name.upper().removeprefix("FLASHSALE.")
        arguments = data.get("arguments", [])
        keys = [a["name"] for a in arguments if a["type"] == "key" and "optional" not in a.get("flags", [])]
        rest = [a for a in arguments if a["name"] not in keys]
        return Command(name, data["summary"], tuple(keys), tuple(params_of(name, rest)))

    def rows_of(self, command: str) -> list[tuple[Word, Row]]:
        """What a command can answer, the rows of a condition before those without."""
        found = [(word, row) for word in self.words for row in word.rows if command in row.of]
        return sorted(found, key=lambda pair: (self.words.index(pair[0]), pair[1].when != "replaced", pair[1].when is None))

    def answer_commands(self) -> list[str]:
        """The commands whose answers are words, batches left out."""
        return [c.name for c in self.commands if c.name not in self.reads and not c.is_batch]
