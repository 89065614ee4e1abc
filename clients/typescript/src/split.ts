// A split sale: one stock in several sales, each user on one of them for ever.

import type { Reservation } from "./answers.js";
import type { Name, Text } from "./base.js";
import { LETTERS, newId, partOf, slotOf } from "./ids.js";

/** One part: its key and its stream, for `client.flashsale`. */
export interface Part {
  readonly key: string;
  readonly orders: string;
}

/** What `find` needs of a client. */
export interface Finds {
  flashsale: { get(key: string, id: Name): Promise<Reservation<Text> | null> };
}

export interface SplitOptions {
  /** As many as `flashsale split create` made; 16 unless said. */
  parts?: number;
  /** The keys of parts, with {} for the hash tag: `{}` unless said. */
  keys?: string;
  /** The streams of parts, with {} for the hash tag: `{}:orders` unless said. */
  streams?: string;
}

/**
 * No part that answers has this id, and some part does not answer: it may have it. Answer a browser
 * 503 and ask again. It is never "no such reservation".
 */
export class NotKnownYet extends Error {
  override name = "NotKnownYet";
}

/** The hash tag of a part: the first number that puts it into its slice of a cluster's slots. */
function tagOf(name: string, part: number, parts: number): string {
  for (let number = 0; ; number++) {
    const tag = `${name}/${part}/${number}`;
    if (Math.floor((slotOf(tag) * parts) / 16384) === part) return `{${tag}}`;
  }
}

/** The part that an id names in its last two letters; undefined if it is no ULID, or of none. */
function partOfId(id: Name, parts: number): number | undefined {
  const text = id.toString("latin1" as never).toUpperCase();
  if (text.length !== 26 || [...text].some((letter) => !LETTERS.includes(letter))) return undefined;
  const part = LETTERS.indexOf(text[24]!) * 32 + LETTERS.indexOf(text[25]!);
  return part < parts ? part : undefined;
}

/**
 * One stock in several parts: `const { key } = split.of(user)`, then `client.flashsale.reserve(key,
 * user, ...)`. Whoever knows only an id, such as a payment provider's webhook, finds its part by
 * `find`. Never send RELEASE to all parts: each remembers an id that it never saw.
 */
export class SplitSale {
  readonly parts: readonly Part[];

  constructor(
    readonly name: string,
    { parts = 16, keys = "{}", streams = "{}:orders" }: SplitOptions = {},
  ) {
    if (!Number.isInteger(parts) || parts < 1 || parts > 1024 || /[{}]/.test(name)) {
      throw new RangeError("a split sale has 1 to 1024 parts, and no braces in its name");
    }
    this.parts = Array.from({ length: parts }, (_, part) => {
      const tag = tagOf(name, part, parts);
      return { key: keys.replace("{}", tag), orders: streams.replace("{}", tag) };
    });
  }

  /** The part of a user: all that the user reserves and buys is there. */
  of(user: Name): Part {
    return this.parts[partOf(user, this.parts.length)]!;
  }

  /** A fresh id that names the user's part, so that whoever knows only the id asks there first. */
  newId(user: Name): string {
    return newId(partOf(user, this.parts.length));
  }

  /**
   * The part that knows an id, with what it knows; null if no part does. Throws `NotKnownYet` if none
   * that answers does, and one does not answer.
   */
  async find(client: Finds, id: Name): Promise<{ part: Part; reservation: Reservation<Text> } | null> {
    const first = partOfId(id, this.parts.length);
    const order = [...this.parts.keys()].sort((a, b) => Number(b === first) - Number(a === first) || a - b);
    let away: unknown;
    for (const number of order) {
      const part = this.parts[number]!;
      try {
        const reservation = await client.flashsale.get(part.key, id);
        if (reservation !== null) return { part, reservation };
      } catch (error) {
        away = error;
      }
    }
    if (away !== undefined) throw new NotKnownYet(`a part of ${this.name} does not answer`, { cause: away });
    return null;
  }
}
