// Replies of node-redis, by RESP2 or RESP3 and whatever type mapping, into answers. A longer or
// unknown reply is no error.

import { DETAILS, FIELDS, ROWS } from "./answers.js";
import { type Advice, FlashSaleError, type Name } from "./base.js";

const text = (value: unknown): string => String(value);
const list = (value: unknown): unknown[] => value as unknown[];

const TYPES: Record<string, (value: unknown) => unknown> = {
  // A buffer if the client was told so, else text.
  name: (value) => value,
  text,
  cursor: Number,
  integer: Number,
  boolean: (value) => Number(value) === 1,
  names: list,
  texts: (value) => list(value).map(text),
  refunds: (value) => list(value).map((refund) => {
    const [entryId, ref, items, ...flags] = list(refund);
    const [restocked, restorelimit, norestock] = flags.map((flag) => (flag === null ? null : Number(flag) === 1));
    return { entryId: text(entryId), ref, items: TYPES.lines!(items), restocked, restorelimit, norestock };
  }),
  lines: (value) => list(value).map((line) => [text(list(line)[0]), Number(list(line)[1])]),
};

const typed = (type: string, value: unknown): unknown =>
  value === null || value === undefined ? null : TYPES[type.replace("?", "")]!(value);

type Details = Record<string, unknown>;

// What tells rows of one word apart.
const CONDITIONS: Record<string, (details: Details) => boolean> = {
  "grace_left_ms > 0": (details) => Number(details.graceLeftMs) > 0,
  "grace_left_ms = 0": (details) => details.graceLeftMs === 0,
  "ahead < 0": (details) => details.ahead !== null && Number(details.ahead) < 0,
  "ahead >= 0": (details) => details.ahead !== null,
  "no ahead": (details) => details.ahead === null,
  sku: (details) => details.sku !== null,
  "no sku": (details) => details.sku === null,
  "by sale": (details) => details.by === "sale",
  "by buyer": (details) => details.by !== "sale",
};

/** The details of a word, and in `rest` what is left over; undefined if one is missing. */
function detailsOf(word: string, given: unknown[]): Details | undefined {
  const details: Details = {};
  let rest = given;
  for (const [name, type] of DETAILS[word] ?? []) {
    if (type === "stocks") {
      details[name] = rest.map((item) => {
        const [sku, total, available] = list(item);
        return { sku: text(sku), total: Number(total), available: Number(available) };
      });
      rest = [];
    } else if (type === "names?" && !Array.isArray(rest[0])) {
      details[name] = [];
    } else if (rest.length > 0) {
      details[name] = typed(type, rest[0]);
      rest = rest.slice(1);
    } else if (type.endsWith("?")) {
      details[name] = null;
    } else {
      return undefined;
    }
  }
  return { ...details, rest };
}

export function answer(command: string, reply: unknown, replaced?: unknown): unknown {
  const [word, ...rest] = Array.isArray(reply) ? reply : [reply];
  const status = text(word);
  const rows = ROWS[command]?.[status];
  const details = rows && detailsOf(status, rest);
  if (rows && details) {
    const isAboutOld = replaced !== undefined && text(details.id) === text(replaced as Name);
    const row = rows.find(([when]) => (when === "replaced" ? isAboutOld : when === null || CONDITIONS[when]!(details)));
    if (row) return withAdvice({ status, kind: row[1].kind, ...details }, row[1]);
  }
  return withAdvice({ status: "OTHER", kind: "other", word: status, rest }, UNKNOWN);
}

const ALARM = "alarm; move no money";
const UNKNOWN: Advice = { kind: "other", http: 500, retryAfter: null, buyer: "Something went wrong.", authorised: ALARM, charged: ALARM };

function withAdvice(found: object, advice: Advice): object {
  return Object.defineProperty(found, "advice", { value: advice, enumerable: false });
}

/** An answer an entry; an error of one entry stands in its place. */
export function batch(command: string, reply: unknown): unknown[] {
  return list(reply).map((one) => (one instanceof Error ? FlashSaleError.from(one) : answer(command, one)));
}

/** A map of RESP3, as an object, a Map or a list, or the flat list of RESP2; null for null. */
export function map(command: string, reply: unknown): unknown {
  if (reply === null) return null;
  let pairs: [string, unknown][];
  if (Array.isArray(reply)) pairs = reply.flatMap((name, i) => (i % 2 === 0 ? [[text(name), reply[i + 1]]] : []));
  else pairs = reply instanceof Map ? [...reply].map(([name, value]) => [text(name), value]) : Object.entries(reply as object);
  const found = new Map(pairs);
  const fields = (FIELDS[command] ?? []).map(([field, name, type]) => {
    const value = typed(type, found.get(field));
    found.delete(field);
    return [name, value];
  });
  return { ...Object.fromEntries(fields), more: Object.fromEntries(found) };
}

export function tuple(command: string, reply: unknown): unknown {
  const values = list(reply);
  return Object.fromEntries((FIELDS[command] ?? []).map(([, name, type], i) => [name, typed(type, values[i])]));
}

export const rows = (command: string, reply: unknown): unknown[] =>
  list(reply).map((row) => (row === null ? null : tuple(command, row)));

export const texts = (reply: unknown): string[] => list(reply).map(text);
