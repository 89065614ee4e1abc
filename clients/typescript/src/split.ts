// A split sale: one stock in several sales, each user on one of them for ever.

import type { ItemStock } from "./answers.js";
import type { Name } from "./base.js";
import { crc16, LETTERS, newId, partOf, slotOf } from "./ids.js";

/** One part: its key and its stream, for `client.flashsale`. */
export interface Part {
  readonly key: string;
  readonly orders: string;
}

/** What `find` needs of a client; `R` is what its `get` answers, a `Reservation`. */
export interface Finds<R> {
  flashsale: { get(key: string, id: Name): Promise<R | null> };
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

/** The stock of all parts together, item by item. */
export function totalStock(stocks: Iterable<readonly (ItemStock | null)[]>): ItemStock[] {
  const total = new Map<string, ItemStock>();
  for (const stock of stocks) {
    for (const item of stock) {
      if (!item) continue;
      const was = total.get(item.sku);
      const sum = (of: "available" | "reserved" | "sold" | "waiting") => (was?.[of] ?? 0) + (item[of] ?? 0);
      total.set(item.sku, { ...item, available: sum("available"), reserved: sum("reserved"), sold: sum("sold"), waiting: sum("waiting") });
    }
  }
  return [...total.values()];
}

/**
 * One stock in several parts: `const { key } = split.of(user)`, then `client.flashsale.reserve(key,
 * user, ...)`. Whoever knows only an id, such as a payment provider's webhook, finds its part by
 * `find`. Never send RELEASE to all parts: each remembers an id that it never saw.
 *
 * A sale that is not split is its own only part, so an app that is written for parts runs on either:
 * `new SplitSale("shoes", { parts: 1, keys: "shoes", streams: "shoes:orders" })`.
 */
export class SplitSale {
  readonly parts: readonly Part[];

  constructor(
    readonly name: string,
    { parts = 16, keys = "{}", streams = "{}:orders" }: SplitOptions = {},
  ) {
    const hasTags = [keys, streams].map((template) => template.includes("{}"));
    if (!Number.isInteger(parts) || parts < 1 || parts > 1024 || (hasTags.includes(true) && /[{}]/.test(name))) {
      throw new RangeError("a split sale has 1 to 1024 parts, and no braces in its name");
    }
    if (parts > 1 && hasTags.includes(false)) {
      throw new RangeError("each part has a key and a stream of its own: keys and streams need {} for its hash tag");
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
   * What each part gets of a delivery: `client.flashsale.restock(key, units, { new, ref })` for each of
   * these. Equal shares, the odd units beginning at a part that depends on the SKU, as `flashsale split
   * restock` deals them: the same delivery is dealt the same, so all of it can be sent again with its
   * `ref`. A part that gets nothing is left out, except with `new`, by which each part learns the SKUs.
   * What is below 0 is a `RangeError` where there are several parts.
   */
  dealt(delta: Record<string, number>, options: { new?: boolean } = {}): (Part & { units: Record<string, number> })[] {
    const count = this.parts.length;
    if (count > 1 && Object.values(delta).some((units) => units < 0)) {
      throw new RangeError("to take stock out of a split sale, pause it, and restock its parts one by one");
    }
    return this.parts.flatMap((part, number) => {
      const shares = Object.entries(delta).map(([sku, units]): [string, number] => {
        const behind = (number + count - (crc16(sku) % count)) % count;
        return [sku, Math.trunc(units / count) + Number(behind < units % count)];
      });
      const mine = shares.filter(([, units]) => units !== 0 || options.new || count === 1);
      return mine.length > 0 ? [{ ...part, units: Object.fromEntries(mine) }] : [];
    });
  }

  /**
   * The part that knows an id, with what it knows; null if no part does. Throws `NotKnownYet` if none
   * that answers does, and one does not answer.
   */
  async find<R>(client: Finds<R>, id: Name): Promise<{ part: Part; reservation: R } | null> {
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
