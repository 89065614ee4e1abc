"""Writes the generated half of `clients/python`."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from .model import KINDS, OF_LIMITS, SAFE_WITH, Command, Model, Param, Row, Word
from .prose import READS, UNITS, note, option

HEADER = '"""{} Written by `python3 -m clients.generator`; change `answers.json` instead."""\n\nfrom __future__ import annotations\n'
DETAIL_TYPES = {
    "name": "Name", "text": "str", "integer": "int", "names": "tuple[Name, ...]", "texts": "tuple[str, ...]",
    "lines": "tuple[tuple[str, int], ...]", "stocks": "tuple[RestockedItem, ...]", "boolean": "bool", "cursor": "int",
    "refunds": "tuple[OrderRefund, ...]",
}  # fmt: skip
# What tells rows of one word apart, in words.
CONDITIONS = {
    None: "", "replaced": ", about the id in `replace`", "sku": ", with a SKU", "no sku": ", without a SKU",
    "grace_left_ms > 0": ", with `grace_left_ms` above 0", "grace_left_ms = 0": ", with `grace_left_ms` 0",
    "ahead < 0": ", with `ahead` -1", "ahead >= 0": ", with a place in line", "no ahead": ", with the id alone",
    "by sale": ", with `by` \"sale\"", "by buyer": ", with another `by`",
}  # fmt: skip
PARAM_TYPES = {"name": "Name", "integer": "int", "json": "Json", "pair": "tuple[int, int]", "names": "Sequence[Name]"}


def doc(text: str, indent: int) -> str:
    pad = " " * indent
    lines = textwrap.wrap(text, 100 - indent, initial_indent=pad + '"""', subsequent_indent=pad)
    if len(lines) == 1 and len(lines[0]) < 97:
        return lines[0] + '"""\n'
    return "\n".join(lines) + f'\n{pad}"""\n'


def sentence(text: str) -> str:
    """The text as it stands in the table of the docs, without what is a link there."""
    while "](" in text:
        before, _, after = text.partition("](")
        text = before.replace("[", "", 1) + after.partition(")")[2]
    return text[:1].upper() + text[1:]


def about(row: Row) -> str:
    return f"{sentence(row.data['means'])}. Final: {row.data['final']}. Next: {row.data['next']}."


def charged(data: dict[str, Any]) -> str:
    """In a table "the same" has its neighbour to refer to; elsewhere it has none."""
    return str(data["authorised"] if data["charged"] == "the same" else data["charged"])


def advice(row: Row) -> str:
    data = row.data | {"charged": charged(row.data)}
    values = [row.kind, data["http"], data.get("retry_after"), data["buyer"], data["authorised"], data["charged"]]
    return "Advice(" + ", ".join(repr(value) for value in values) + ")"


def fields(word: Word) -> str:
    lines = []
    for detail in word.details:
        kind, optional = DETAIL_TYPES[detail["type"]], detail.get("optional")
        if optional and kind.startswith("tuple"):
            lines.append(f"    {detail['name']}: {kind} = ()\n")
        else:
            lines.append(f"    {detail['name']}: {kind}{' | None = None' if optional else ''}\n")
    return "".join(lines)


def word_classes(word: Word) -> str:
    names = "".join(f"[, {d['name']}]" if d.get("optional") else f", {d['name']}" for d in word.details)
    shape = f'["{word.text}"{names}]' if word.text != "OK" else "OK"
    single = len(word.rows) == 1
    base = KINDS[word.rows[0].kind] if single else "Word"
    out = f"\n\n@dataclass(frozen=True)\nclass {word.cls}({base}):\n"
    text = about(word.rows[0]) if single else "It means one of several things: see its subclasses."
    if any(detail["name"] == "units" for detail in word.details):
        text += f" {UNITS}"
    out += doc(f"`{shape}`. {text}", 4)
    out += f"\n    status: ClassVar[Status] = Status.{word.text}\n"
    if single:
        out += f"    advice: ClassVar[Advice] = {advice(word.rows[0])}\n"
    out += fields(word)
    for row in () if single else word.rows:
        out += f"\n\n@dataclass(frozen=True)\nclass {row.cls}({word.cls}, {KINDS[row.kind]}):\n"
        means = about(row)
        out += doc(f"{', '.join(row.of)}{CONDITIONS[row.when]}: {means[0].lower()}{means[1:]}", 4)
        out += f"\n    advice: ClassVar[Advice] = {advice(row)}\n"
        for detail in word.details:
            if detail.get("optional") and row.has(detail):
                # Without `field()` it would inherit the default None.
                out += f"    {detail['name']}: {DETAIL_TYPES[detail['type']]} = field()\n"
    return out


def write_answers(model: Model) -> str:
    out = HEADER.format("The status words, what each is made of and what it means.")
    out += "\nfrom dataclasses import dataclass, field\nfrom typing import Any, ClassVar, Mapping, Union\n\n"
    out += "from ._base import Advice, Fault, Name, No, NotNow, Other, Read, StrEnum, Word, Yes\n"
    public = ["Status", "RestockedItem", "OrderRefund", *(word.cls for word in model.words)]
    public += [row.cls for word in model.words for row in word.rows if len(word.rows) > 1]
    public += [read["name"] for read in model.reads.values() if "name" in read]
    public += [f"{name.capitalize()}Answer" for name in model.answer_commands()]
    out += "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in public) + "]\n"
    out += "\n\nclass Status(StrEnum):\n" + doc("Every status word.", 4) + "\n"
    out += "".join(f'    {word.text} = "{word.text}"\n' for word in model.words)
    out += "\n\n@dataclass(frozen=True)\nclass RestockedItem:\n" + doc("An item after a RESTOCK.", 4)
    out += "\n    sku: str\n    total: int\n    available: int\n"
    out += "\n\n@dataclass(frozen=True)\nclass OrderRefund:\n" + doc("A refund of an order, as it was asked for. A flag is None where an older sale does not say.", 4)
    out += "\n    entry_id: str\n    ref: Name | None\n    items: tuple[tuple[str, int], ...]\n"
    out += "    restocked: bool | None\n    restorelimit: bool | None\n    norestock: bool | None\n"
    out += "".join(word_classes(word) for word in model.words)
    for name, read in model.reads.items():
        if "name" in read:
            out += read_class(name, read)
    out += "\n"
    for name in model.answer_commands():
        classes = [row.cls for _, row in model.rows_of(name)] + ["Other"]
        out += f"\n{name.capitalize()}Answer = Union[\n" + "".join(f"    {cls},\n" for cls in classes) + "]\n"
    out += tables(model)
    return out


def read_class(name: str, read: dict[str, object]) -> str:
    base = "(Read)" if str(read["shape"]).startswith("map") else ""
    out = f"\n\n@dataclass(frozen=True)\nclass {read['name']}{base}:\n" + doc(f"What {name} answers. {READS[name]}".replace("{none}", "None"), 4) + "\n"
    fields = read["fields"]
    assert isinstance(fields, dict)
    for field, kind in fields.items():
        optional = " | None" if kind.endswith("?") else ""
        out += f"    {field}: {DETAIL_TYPES[kind.rstrip('?')]}{optional}\n"
    return out


def tables(model: Model) -> str:
    out = "\n# The classes of each command and word, with the condition of each; the first that holds.\n"
    out += "ROWS: dict[str, dict[str, list[tuple[str | None, type[Word]]]]] = {\n"
    for name in model.answer_commands():
        out += f'    "{name}": {{\n'
        by_word: dict[str, list[str]] = {}
        for word, row in model.rows_of(name):
            by_word.setdefault(word.text, []).append(f"({row.when!r}, {row.cls})")
        out += "".join(f'        "{word}": [{", ".join(rows)}],\n' for word, rows in by_word.items())
        out += "    },\n"
    out += "}\n\n# Name and type of the details of each word.\nDETAILS: dict[str, list[tuple[str, str]]] = {\n"
    for word in model.words:
        details = ", ".join(f'("{d["name"]}", "{d["type"]}{"?" if d.get("optional") else ""}")' for d in word.details)
        out += f'    "{word.text}": [{details}],\n'
    out += "}\n\n# Name and type of the fields of each read.\nFIELDS: dict[str, Mapping[str, str]] = {\n"
    for name, read in model.reads.items():
        if "name" in read:
            pairs = ", ".join(f'"{field}": "{kind}"' for field, kind in read["fields"].items())
            out += f'    "{read["name"]}": {{{pairs}}},\n'
    out += "}\n\n# Errors of the module and the server, and whether the same call may be sent again.\n"
    out += "ERRORS: dict[str, tuple[bool, Advice]] = {\n"
    for error in model.errors:
        after = 1 if error["again"] else None
        values = ["error", error["http"], after, error["buyer"], error["authorised"], charged(error)]
        out += f'    "{error["code"]}": ({error["again"]}, Advice({", ".join(map(repr, values))})),\n'
    return out + "}\n"


# --- calls ---------------------------------------------------------------------------


def annotation(param: Param) -> str:
    if param.kind == "units":
        return "Units | None" if param.optional else "Units"
    if param.kind == "flag":
        return "bool"
    if param.kind == "entries":
        kinds = ", ".join("int" if name == "qty" else "Name" for name in param.fields)
        if len(param.fields) == 1:
            return "Iterable[Name]"
        return f"Iterable[tuple[{kinds}]]"
    if "|" in param.type:
        return f"Literal[{', '.join(json.dumps(word) for word in param.type.split('|'))}]"
    return PARAM_TYPES[param.type]


def signature(command: Command) -> str:
    """The parameters after `self`: what is required by position, options by name."""
    positional, keyword = [], []
    for param in command.params:
        kind = annotation(param)
        if param.kind == "rest":
            positional.append(f"*{param.name}: {kind}")
        elif param.kind in ("plain", "units", "entries"):
            positional.append(f"{param.name}: {kind}" + (" = None" if param.optional else ""))
        elif param.kind == "flag":
            keyword.append(f"{param.name}: bool = False")
        else:
            rest = {"": f"{kind} | None = None", "never": kind, "if written": f"{kind} | None"}[param.none]
            keyword.append(f"{param.name}: {rest}")
    if keyword and not any(one.startswith("*") for one in positional):
        positional.append("*")
    return ", ".join(positional + keyword)


def passed(command: Command) -> str:
    out = []
    for param in command.params:
        if param.kind == "rest":
            out.append(f"*{param.name}")
        elif param.kind in ("plain", "units", "entries"):
            out.append(param.name)
        else:
            out.append(f"{param.name}={param.name}")
    return ", ".join(out)


def keyless(model: Model) -> list[str]:
    return [c.name for c in model.commands if not c.keys]


def result_of(model: Model, command: Command) -> str:
    read = model.reads.get(command.name)
    if read is None:
        answer = f"answers.{command.single.capitalize()}Answer"
        return f"list[{answer} | FlashSaleError]" if command.is_batch else answer
    name = f"answers.{read.get('name')}"
    shapes = {"list": f"list[{name} | None]", "map": name, "map?": f"{name} | None", "tuple": name}
    return shapes[read["shape"]]


def decoder(model: Model, command: Command) -> str:
    read = model.reads.get(command.name)
    if read is None:
        if command.is_batch:
            return f'decode.batch("{command.single}")'
        replaced = ", replace" if any(p.name == "replace" for p in command.params) else ""
        return f'decode.answer("{command.name}"{replaced})'
    shapes = {"list": "rows", "map": "map", "map?": "map_or_none", "tuple": "tuple"}
    return f"decode.read_{shapes[read['shape']].replace('_or_none', '')}(answers.{read['name']})"


def call_function(model: Model, command: Command) -> str:
    keys = ", ".join(f"{key}: Name" for key in command.keys)
    extra = ", orders: Name" if any(p.type == "stream" for p in command.params) else ""
    if extra:
        keys += ", stream: Name"
    parameters = ", ".join(part for part in (keys, signature(command)) if part)
    out = f"\n\ndef {command.python_method}({parameters}) -> Call[{result_of(model, command)}]:\n"
    out += f'    args: list[Wire] = ["FLASHSALE.{command.name}", {", ".join(command.keys)}]\n'
    if command.name == "REFUND":
        out += '    if qty is not None and ref is None:\n        raise TypeError("a refund of a part needs a ref")\n'
    for param in command.params:
        if param.kind == "plain":
            out += f"    args.append({param.name})\n"
        elif param.kind == "units":
            if param.optional:
                out += f"    if {param.name} is not None:\n    "
            out += f"    args += encode.units({param.token!r}, {param.name})\n"
        elif param.kind == "entries":
            flat = "single" if len(param.fields) == 1 else "entries"
            out += f"    args += encode.{flat}({param.name})\n"
        elif param.kind == "rest":
            out += f"    args += {param.name}\n"
        elif param.type == "stream":
            out += f"    if {param.name}:\n        args.append(stream)\n"
        elif param.kind == "flag":
            out += f'    if {param.name}:\n        args.append("{param.token}")\n'
        elif param.none == "never":
            out += f'    args += ["{param.token}", {param.name}]\n'
        else:
            value = f"encode.json({param.name})" if param.type == "json" else param.name
            value = f"*{value}" if param.type == "pair" else value
            value = f"len({value}), *{value}" if param.type == "names" else value
            out += f'    if {param.name} is not None:\n        args += ["{param.token}", {value}]\n'
    safe = SAFE_WITH.get(command.name)
    out += f"    return Call(args, {decoder(model, command)}{f', {safe} is not None' if safe else ''})\n"
    return out


def write_calls(model: Model) -> str:
    out = HEADER.format("Each command as words for the server, with the decoder of its reply.")
    out += "\nfrom typing import Iterable, Literal, Sequence\n\nfrom . import _decode as decode\nfrom . import _encode as encode\n"
    out += "from . import answers\nfrom ._base import Call, FlashSaleError, Json, Name, Units\nfrom ._encode import Wire\n"
    return out + "".join(call_function(model, c) for c in model.commands if c.keys)


def method_doc(command: Command) -> str:
    """The summary, and a line for each option: an editor shows the docstring, not the pages of the docs."""
    text = note(command).replace("{none}", "None")
    for param in command.params:
        if len(param.fields) > 1:
            text += f" It is a tuple ({', '.join(param.fields)})" + ("; `ref` may be empty." if "ref" in param.fields else ".")
    if command.name == "AUDIT":
        text += " With `orders=True` every order and refund is compared with its entry in the stream."
    if command.name == "BIND":
        text += " This object goes on with the stream that it was made with: make a new one."
    lines = [f"- `{param.name}`: {option(command, param)}" for param in command.params if option(command, param)]
    if not lines:
        return doc(text, 8)
    out = doc(text, 8).rstrip().removesuffix('"""').rstrip() + "\n\n"
    for line in lines:
        out += textwrap.fill(line, 100, initial_indent=" " * 8, subsequent_indent=" " * 10) + "\n"
    return out + ' ' * 8 + '"""\n'


def method(model: Model, command: Command, style: str) -> str:
    given = signature(command)
    # BIND names another stream than this sale's; the others' is an attribute.
    own = [key for key in command.keys if not (command.name == "BIND" and key == "orders")]
    if command.name == "BIND":
        given = "orders: Name"
    keys = [f"self.{key}" for key in own] + (["orders"] if command.name == "BIND" else [])
    if any(p.type == "stream" for p in command.params):
        keys.append("self.orders")
    result = result_of(model, command)
    returns = {"sync": result, "async": result, "pipeline": f"Queued[{result}]"}[style]
    head = "    async def" if style == "async" else "    def"
    out = ""
    if command.name == "REFUND":
        for one in (
            "id: Name, qty: None = None, *, ref: Name | None = None, ",
            "id: Name, qty: Units, *, ref: Name, ",
        ):
            out += f"\n    @overload\n{head} {command.python_method}(self, {one}{given.split('ref: Name | None = None, ')[1]}) -> {returns}: ...\n"
    if command.name == "STOCK":
        # Only a SKU that was asked for can be unknown.
        for one, answer in (("", result.replace(" | None", "")), (", *sku: Name", result)):
            answer = f"Queued[{answer}]" if style == "pipeline" else answer
            out += f"\n    @overload\n{head} {command.python_method}(self{one}) -> {answer}: ...\n"
        returns = "Any"
    out += f"\n{head} {command.python_method}(self{', ' if given else ''}{given}) -> {returns}:\n"
    out += method_doc(command)
    arguments = ", ".join(keys + ([passed(command)] if command.params else []))
    wait = "await " if style == "async" else ""
    return out + f"        return {wait}self._send(_calls.{command.python_method}({arguments}))\n"


def write_sale(model: Model) -> str:
    out = HEADER.format("The methods of a sale, three times: at once, with `await`, in a pipeline; and those of a rate limit.")
    out += "\nfrom typing import Any, Iterable, Literal, Sequence, overload\n\nfrom . import _calls, answers\n"
    out += "from ._base import FlashSaleError, Json, Name, Units\nfrom ._send import AsyncSender, PipelineSender, Queued, Sender\n"
    for style, cls, base, text in [
        ("sync", "SaleMethods", "Sender", "Each command, sent at once."),
        ("async", "AsyncSaleMethods", "AsyncSender", "Each command, to be awaited."),
        ("pipeline", "PipelineMethods", "PipelineSender", "Each command, put into the pipeline; its answer comes with the others."),
    ]:
        out += f"\n\nclass {cls}({base}):\n" + doc(text, 4)
        out += "".join(method(model, c, style) for c in model.commands if c.keys and c.name not in OF_LIMITS)
    for style, cls, base, text in [
        ("sync", "LimitMethods", "Sender", "The one command of a rate limit, sent at once."),
        ("async", "AsyncLimitMethods", "AsyncSender", "The one command of a rate limit, to be awaited."),
    ]:
        out += f"\n\nclass {cls}({base}):\n" + doc(text, 4)
        out += "".join(method(model, c, style) for c in model.commands if c.name in OF_LIMITS)
    return out


FILES = {"answers.py": write_answers, "_calls.py": write_calls, "_methods.py": write_sale}
