"""Writes the generated half of `clients/typescript`."""

from __future__ import annotations

import json
import re

from .model import KINDS, OF_LIMITS, SAFE_WITH, Command, Model, Param, Row, Word
from .prose import READS, UNITS, note, option
from .python import about, charged

HEADER = "// {} Written by `python3 -m clients.generator`; change `answers.json` instead.\n\n"
# `N` is how names arrive: text, or what the client's type mapping makes of them.
TYPES = {
    "name": "N", "text": "string", "integer": "number", "names": "N[]", "texts": "string[]", "cursor": "number",
    "lines": "[sku: string, qty: number][]", "stocks": "RestockedItem[]", "boolean": "boolean",
    "refunds": "OrderRefund<N>[]",
}  # fmt: skip
PARAM_TYPES = {"name": "Name", "integer": "number", "json": "Json", "pair": "readonly [number, number]", "names": "readonly Name[]"}


def camel(text: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), text).rstrip("_")


def comment(text: str, indent: int = 0) -> str:
    pad = " " * indent
    text = re.sub(r"`([a-z_]+_[a-z_]+)`", lambda found: f"`{camel(found[1])}`", text)
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) + indent > 94:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    lines.append(line)
    if len(lines) == 1:
        return f"{pad}/** {lines[0]} */\n"
    return f"{pad}/**\n" + "".join(f"{pad} * {one}\n" for one in lines) + f"{pad} */\n"


def kinds_of(word: Word) -> list[str]:
    return sorted({row.kind for row in word.rows}, key=list(KINDS).index)


def interface(word: Word) -> str:
    kinds = " | ".join(f'"{kind}"' for kind in kinds_of(word))
    names = any(d["type"] in ("name", "names") for d in word.details)
    several = len(kinds_of(word)) > 1
    first = about(word.rows[0]) if len(word.rows) == 1 else "It means one of several things: see `advice`."
    shape = f'"{word.text}"' + "".join(f"[, {d['name']}]" if d.get("optional") else f", {d['name']}" for d in word.details)
    parameters = [f"K extends {kinds} = {kinds}"] if several else []
    parameters += ["N = string"] if names else ["_N = string"]
    if any(detail["name"] == "units" for detail in word.details):
        first += f" {UNITS}"
    out = "\n" + comment(f"`{'OK' if word.text == 'OK' else f'[{shape}]'}`. {first}")
    out += f"export interface {word.cls}<{', '.join(parameters)}> extends Answer {{\n"
    out += f'  status: "{word.text}";\n  kind: {"K" if several else kinds};\n'
    for detail in word.details:
        out += f"  {camel(detail['name'])}: {detail_type(word, detail)};\n"
    return out + "}\n"


def detail_type(word: Word, detail: dict[str, object]) -> str:
    """The type of a detail; what rows of one kind always have is never null with that kind."""
    kind = TYPES[str(detail["type"])]
    if not detail.get("optional") or kind.endswith("[]"):
        return kind
    sure = [one for one in kinds_of(word) if all(row.has(detail) for row in word.rows if row.kind == one)]
    if not sure:
        return f"{kind} | null"
    return f"K extends {' | '.join(map(json.dumps, sure))} ? {kind} : {kind} | null"


def read_interface(name: str, read: dict[str, object]) -> str:
    fields = read["fields"]
    assert isinstance(fields, dict)
    is_map = str(read["shape"]).startswith("map")
    generic = "<N = string>" if any("name" in kind for kind in fields.values()) else "<_N = string>"
    out = "\n" + comment(f"What {name} answers. {READS[name]}".replace("{none}", "null")) + f"export interface {read['name']}{generic}{' extends Read' if is_map else ''} {{\n"
    for field, kind in fields.items():
        null = " | null" if kind.endswith("?") else ""
        out += f"  {camel(field)}: {TYPES[kind.rstrip('?')]}{null};\n"
    return out + "}\n"


def advice(row: Row) -> str:
    data = row.data
    after = data.get("retry_after")
    values = {
        "kind": row.kind, "http": data["http"], "retryAfter": camel(after) if isinstance(after, str) else after,
        "buyer": re.sub(r"\{(\w+)\}", lambda found: "{" + camel(found[1]) + "}", data["buyer"]),
        "authorised": data["authorised"], "charged": charged(data),
    }  # fmt: skip
    return json.dumps(values, ensure_ascii=False)


def write_answers(model: Model) -> str:
    out = HEADER.format("The status words, what each is made of and what it means.")
    out += 'import type { Advice, Answer, Other, Read } from "./base.js";\n'
    out += "\n" + comment("An item after a RESTOCK.") + "export interface RestockedItem {\n  sku: string;\n  total: number;\n  available: number;\n}\n"
    out += "\n" + comment("A refund of an order, as it was asked for. A flag is null where an older sale does not say.") + "export interface OrderRefund<N = string> {\n  entryId: string;\n  ref: N | null;\n  items: [sku: string, qty: number][];\n  restocked: boolean | null;\n  restorelimit: boolean | null;\n  norestock: boolean | null;\n}\n"
    out += "".join(interface(word) for word in model.words)
    out += "".join(read_interface(name, read) for name, read in model.reads.items() if "name" in read)
    for name in model.answer_commands():
        found: dict[str, None] = {}
        for word, row in model.rows_of(name):
            kind = f'"{row.kind}", ' if len(kinds_of(word)) > 1 else ""
            found[f"{word.cls}<{kind}N>"] = None
        members = "".join(f"\n  | {one}" for one in [*found, "Other"])
        out += f"\nexport type {name.capitalize()}Answer<N = string> ={members};\n"
    return out + tables(model)


def tables(model: Model) -> str:
    out = "\n" + comment("Every status word.")
    words = "".join(f'\n  "{word.text}",' for word in model.words)
    out += f"export const STATUSES = [{words}\n] as const;\nexport type Status = (typeof STATUSES)[number];\n"
    out += "\ntype Rows = Record<string, Record<string, [when: string | null, advice: Advice][]>>;\n"
    answered = set(model.answer_commands())
    for word in model.words:
        for row in (row for row in word.rows if answered.intersection(row.of)):
            out += f"const {row.cls}Advice: Advice = {advice(row)};\n"
    out += "\n/** What each word means by command; the first row whose condition holds. */\nexport const ROWS: Rows = {\n"
    for name in model.answer_commands():
        out += f"  {name}: {{\n"
        by_word: dict[str, list[str]] = {}
        for word, row in model.rows_of(name):
            by_word.setdefault(word.text, []).append(f"[{json.dumps(row.when)}, {row.cls}Advice]")
        out += "".join(f"    {word}: [{', '.join(rows)}],\n" for word, rows in by_word.items()) + "  },\n"
    out += "};\n\n/** Name and type of the details of each word. */\n"
    out += "export const DETAILS: Record<string, [name: string, type: string][]> = {\n"
    for word in model.words:
        pairs = (f'["{camel(d["name"])}", "{d["type"]}{"?" if d.get("optional") else ""}"]' for d in word.details)
        out += f"  {word.text}: [{', '.join(pairs)}],\n"
    out += "};\n\n/** Name of the server, name here and type of the fields of each read. */\n"
    out += "export const FIELDS: Record<string, [field: string, name: string, type: string][]> = {\n"
    for name, read in model.reads.items():
        if "name" in read:
            triples = (f'["{field}", "{camel(field)}", "{kind}"]' for field, kind in read["fields"].items())
            out += f"  {name}: [{', '.join(triples)}],\n"
    out += "};\n\n/** Errors of the module and the server; `retryAfter` where the same call may be sent again. */\n"
    out += "export const ERRORS: Record<string, Advice> = {\n"
    for error in model.errors:
        values = {"kind": "error", "http": error["http"], "retryAfter": 1 if error["again"] else None}
        values |= {"buyer": error["buyer"], "authorised": error["authorised"], "charged": charged(error)}
        out += f"  {error['code']}: {json.dumps(values, ensure_ascii=False)},\n"
    return out + "};\n"


# --- commands -------------------------------------------------------------------------


def options_type(command: Command) -> list[Param]:
    return [p for p in command.params if p.kind in ("option", "flag")]


def option_line(param: Param) -> str:
    if param.kind == "flag":
        kind = "Name" if param.type == "stream" else "boolean"
        return f"{camel(param.name)}?: {kind}"
    kind = " | ".join(map(json.dumps, param.type.split("|"))) if "|" in param.type else PARAM_TYPES[param.type]
    return {"": f"{camel(param.name)}?: {kind} | undefined", "never": f"{camel(param.name)}: {kind}", "if written": f"{camel(param.name)}: {kind} | null"}[param.none]


def options_name(command: Command) -> str:
    return f"{command.name.capitalize()}Options"


def options_interface(command: Command) -> str:
    options = options_type(command)
    if not options:
        return ""
    out = "\n" + comment(f"Options of {command.name}.") + f"export interface {options_name(command)} {{\n"
    for param in options:
        meaning = option(command, param)
        out += comment(f"{meaning[0].upper()}{meaning[1:]}.", 2) if meaning else ""
        out += f"  {option_line(param)};\n"
    return out + "}\n"


def parameter(param: Param) -> str:
    name = camel(param.name)
    if param.kind == "units":
        return f"{name}: Units"
    if param.kind == "rest":
        return f"...{name}s: {PARAM_TYPES[param.type]}[]"
    if param.kind == "entries":
        if len(param.fields) == 1:
            return f"{name}: Name[]"
        fields = "; ".join(f"{one}{'?' if one == 'ref' else ''}: {'number' if one == 'qty' else 'Name'}" for one in param.fields)
        return f"{name}: {{ {fields} }}[]"
    return f"{name}{'?' if param.optional else ''}: {PARAM_TYPES[param.type]}"


def signature(command: Command) -> str:
    out = [f"{key}: Name" for key in command.keys]
    out += [parameter(p) for p in command.params if p.kind in ("plain", "units", "rest", "entries") and not (p.kind == "units" and p.optional)]
    options = options_type(command)
    if options:
        needed = any(p.none for p in options)
        kind = options_name(command)
        if command.name == "REFUND":
            kind += " & ({ qty?: undefined } | { qty: Units; ref: Name })"
        out.append(f"options: {kind}" + ("" if needed else " = {}"))
    return ", ".join(out)


def body(command: Command) -> str:
    out = f'      parser.push("FLASHSALE.{command.name}");\n'
    out += "".join(f"      parser.pushKey({key});\n" for key in command.keys)
    safe = SAFE_WITH.get(command.name)
    if safe:
        out = f'      insist("{command.name}", "{safe}", options.{safe});\n' + out
    for param in command.params:
        if param.none and param.type == "integer":
            out = f'      needNumber("{command.name}", options, "{camel(param.name)}");\n' + out
        elif param.none:
            out = f'      need("{command.name}", options, "{camel(param.name)}"{", true" if param.none == "if written" else ""});\n' + out
    if command.name == "REFUND":
        out = '      if (options.qty !== undefined) need("REFUND of a part", options, "ref");\n' + out
    for param in command.params:
        name = camel(param.name)
        if param.kind == "plain":
            out += "      " + (f"if ({name} !== undefined) " if param.optional else "")
            out += f"parser.push({'String(' + name + ')' if param.type == 'integer' else name});\n"
        elif param.kind == "units":
            given = f"options.{name}" if param.optional else name
            out += "      " + (f"if ({given} !== undefined) " if param.optional else "")
            out += f"parser.push(...units({json.dumps(param.token)}, {given}));\n"
        elif param.kind == "rest":
            out += f"      parser.push(...{name}s);\n"
        elif param.kind == "entries":
            row = "[one]" if len(param.fields) == 1 else "[" + ", ".join(
                "String(one.qty)" if f == "qty" else 'one.ref ?? ""' if f == "ref" else f"one.{f}" for f in param.fields
            ) + "]"
            out += f'      parser.push("ENTRIES", String({name}.length), ...{name}.flatMap((one) => {row}));\n'
        elif param.type == "stream":
            out += f"      if (options.{name} !== undefined) parser.pushKey(options.{name});\n"
        elif param.kind == "flag":
            out += f'      if (options.{name}) parser.push("{param.token}");\n'
        else:
            words = param.type if param.type in ("pair", "names") else "option"
            out += f'      parser.push(...{words}("{param.token}", options.{name}));\n'
    if any(p.name == "replace" for p in command.params):
        out += "      parser.preserve = options.replace;\n"
    return out


def result(model: Model, command: Command) -> str:
    read = model.reads.get(command.name)
    if read is None:
        answer = f"{command.single.capitalize()}Answer<Text>"
        return f"({answer} | FlashSaleError)[]" if command.is_batch else answer
    name = f"{read['name']}<Text>" if "name" in read else "string"
    return {"list": f"({name} | null)[]", "map": name, "map?": f"{name} | null", "tuple": name, "rows": f"{name}[]", "texts": "string[]"}[read["shape"]]


def transform(model: Model, command: Command) -> str:
    kind = result(model, command)
    read = model.reads.get(command.name)
    if read is None:
        decode = f'batch("{command.single}", reply)' if command.is_batch else f'answer("{command.name}", reply, preserve)'
    else:
        decode = {"list": "rows", "rows": "rows", "map": "map", "map?": "map", "tuple": "tuple", "texts": "texts"}[read["shape"]]
        decode = "texts(reply)" if decode == "texts" else f'{decode}("{command.name}", reply)'
    preserve = ", preserve?: unknown" if "preserve" in decode else ""
    return f"    transformReply: (reply: unknown{preserve}) => decode.{decode} as {kind},\n"


TS_NOTES = {
    "audit": "With `orders` every order and refund is compared with its entry in that stream.",
    "doctor": "In a cluster it asks one node: `doctorOf` asks all.",
}


def write_commands(model: Model) -> str:
    out = HEADER.format("Each command as node-redis takes it: `createClient({ modules: { flashsale } })`.")
    names = sorted({f"{c.single.capitalize()}Answer" for c in model.commands if c.name not in model.reads})
    names += sorted({read["name"] for read in model.reads.values() if "name" in read})
    out += "import type {\n" + "".join(f"  {name},\n" for name in names) + '} from "./answers.js";\n'
    out += 'import type { FlashSaleError, Json, Name, Parser, Text, Units } from "./base.js";\n'
    out += 'import * as decode from "./decode.js";\nimport { insist, names, need, needNumber, option, pair, units } from "./encode.js";\n'
    out += "".join(options_interface(c) for c in model.commands)
    out += "\n/** The module for `createClient`, `createClientPool`, `createCluster` and `createSentinel`. */\nexport const flashsale = {\n"
    for command in model.commands:
        out += comment(f"{note(command)} {TS_NOTES.get(command.method, '')}".replace("{none}", "null").strip(), 2)
        given = signature(command)
        out += f"  {command.method}: {{\n"
        if command.name in model.reads and command.name not in OF_LIMITS:
            out += "    IS_READ_ONLY: true,\n"
        out += f"    parseCommand(parser: Parser{', ' if given else ''}{given}): void {{\n{body(command)}    }},\n"
        out += transform(model, command) + "  },\n"
    return out + "} as const;\n"


FILES = {"answers.ts": write_answers, "commands.ts": write_commands}
