// What answers, arguments and errors are made of.

/** A user, an id or a REF: text, or bytes that are no UTF-8. */
export type Name = string | Buffer;
/** So many of the sale's only item, or of each SKU. */
export type Units = number | Record<string, number> | Iterable<readonly [sku: string, qty: number]>;
/** Text that is JSON already, or what `JSON.stringify` takes. */
export type Json = string | Buffer | Record<string, unknown> | unknown[];

/**
 * How names arrive: `string`, or what the client's type mapping says. It is node-redis's own
 * `BlobStringReply`, by its shape, so that a mapping to `Buffer` is seen by the compiler too.
 */
export interface Text {
  RESP_TYPE: 36;
  DEFAULT: string;
  TYPES: Buffer;
  TYPE_MAPPING: ((...args: never) => string | Buffer) | (new (...args: never) => string | Buffer);
}

/** What `parseCommand` needs of node-redis's parser. */
export interface Parser {
  preserve: unknown;
  push(...words: Name[]): unknown;
  pushKey(key: Name): unknown;
}

export type Kind = "yes" | "not now" | "no" | "fault";

/**
 * What a shop does about an answer: the HTTP status; `Retry-After` in seconds, or the name of the
 * detail that has the milliseconds; a sentence for the buyer with details in braces ("-" where it
 * is no buyer's business); and what to do with a payment that is authorised, or charged.
 */
export interface Advice {
  readonly kind: Kind | "error" | "other";
  readonly http: number;
  readonly retryAfter: number | string | null;
  readonly buyer: string;
  readonly authorised: string;
  readonly charged: string;
}

/** What a command answered. */
export interface Answer {
  /** What a newer module appends. */
  rest: unknown[];
  /** Not enumerable: it is left out when the answer is copied or written as JSON. */
  readonly advice: Advice;
}

/** A word that this client does not know, of a newer module. */
export interface Other extends Answer {
  status: "OTHER";
  kind: "other";
  word: string;
}

/** `Retry-After`: whole seconds, rounded up; null where asking again does not help. */
export function retryAfterS(answer: Answer): number | null {
  const { retryAfter } = answer.advice;
  return typeof retryAfter === "string" ? Math.ceil(Number((answer as unknown as Record<string, unknown>)[retryAfter]) / 1000) : retryAfter;
}

/** A map that the server answered. */
export interface Read {
  /** What a newer module adds. */
  more: Record<string, unknown>;
}

/**
 * Is the error of one of these classes of node-redis? By name: which classes there are, and whether
 * an ES module can import them, depends on its version.
 */
export function isOf(error: unknown, names: readonly string[]): boolean {
  for (let one: unknown = error; one; one = Object.getPrototypeOf(one)) {
    const maker: unknown = (one as { constructor?: unknown }).constructor;
    if (typeof maker === "function" && names.includes(maker.name)) return true;
  }
  return false;
}

type Kinded = { kind: string };

/** Done, now or by an earlier copy of the request. */
export const isYes = <A extends Kinded>(answer: A): answer is Extract<A, { kind: "yes" }> => answer.kind === "yes";
/** Refused now; the same request may succeed later. */
export const isNotNow = <A extends Kinded>(answer: A): answer is Extract<A, { kind: "not now" }> => answer.kind === "not now";
/** Refused; the same request will not succeed unless somebody changes the sale. */
export const isNo = <A extends Kinded>(answer: A): answer is Extract<A, { kind: "no" }> => answer.kind === "no";
/** A mistake of the caller, such as one id for two requests. */
export const isFault = <A extends Kinded>(answer: A): answer is Extract<A, { kind: "fault" }> => answer.kind === "fault";

/** An error that the module or the server answered. Nothing was changed, except perhaps with `BROKEN`. */
export class FlashSaleError extends Error {
  /** The first word: `NOSALE`, `OOM`, `ERR`, `LOADING`. */
  readonly code: string;
  /** What follows the code. */
  readonly text: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FlashSaleError";
    const [, code, text] = /^([A-Z]+) (.*)$/s.exec(message) ?? [];
    this.code = code ?? "ERR";
    this.text = text ?? message;
  }

  /** The error with its code if it is one that a server answered, else the error as it is. */
  static from(error: unknown): unknown {
    return error instanceof Error && isOf(error, ["ErrorReply"]) ? new FlashSaleError(error.message, { cause: error }) : error;
  }
}

/** The call is a new request each time it is sent, so it is not sent where it might be repeated. */
export class UnsafeCall extends Error {
  override name = "UnsafeCall";
}
