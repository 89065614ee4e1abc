// The same call again, until it is answered; and many calls at once.

import { setTimeout as sleep } from "node:timers/promises";

import { ERRORS } from "./answers.js";
import { type Advice, FlashSaleError, isOf } from "./base.js";
import { repeating } from "./encode.js";

const PAUSE_MIN_MS = 20;
const PAUSE_MAX_MS = 1000;
// After a *not now*: a RELEASE frees units before any deadline.
const WAIT_MAX_MS = 2000;

const LOST = [
  "ClientOfflineError",
  "ConnectionTimeoutError",
  "DisconnectsClientError",
  "RootNodesUnavailableError",
  "SocketClosedUnexpectedlyError",
  "SocketTimeoutError",
  "TimeoutError",
];
const LOST_CODES = ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN"];

/** Is it a lost connection, a time-out or an error that goes away by itself? */
export function mayRepeat(error: unknown): boolean {
  const known = FlashSaleError.from(error);
  if (known instanceof FlashSaleError) return ERRORS[known.code]?.retryAfter === 1;
  return isOf(error, LOST) || LOST_CODES.includes(String((error as { code?: unknown } | null)?.code));
}

export const pauseAfterError = (tries: number): number =>
  Math.random() * Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(tries, 16));

function pauseAfter(answer: Record<string, unknown>): number {
  const { retryAfter } = answer.advice as Advice;
  // Whoever waits in line is heard from as often as the sale asks for.
  if (answer.status === "WAITING") return Number(answer.retryInMs);
  const pause = typeof retryAfter === "string" ? Math.min(WAIT_MAX_MS, Number(answer[retryAfter])) : WAIT_MAX_MS;
  return pause + (Math.random() * pause) / 2;
}

export interface RetryOptions {
  /** No try begins after this moment: a date, or Unix time in milliseconds. */
  until: number | Date;
  /** Wait and ask again after a *not now*, too. */
  wait?: boolean;
}

/**
 * Makes the call again until it is answered, or until `until`. Tries again after a lost connection,
 * a time-out, and errors that go away by themselves (`TRYAGAIN`, `LOADING`, `READONLY`,
 * `CLUSTERDOWN`, `MASTERDOWN`, `NOREPLICAS`, `MISCONF`, `BUSY`, `OOM`, `BROKEN`), after 20 ms doubling to 1 s
 * with full jitter. With `wait` also after a *not now*: after what the answer says, at most 2 s,
 * plus up to half of it; in line exactly as long as it says. Never after a *no*. When no time is left, the last answer is returned or
 * the last error thrown; an error of the server is a `FlashSaleError`.
 *
 * Make the id before, outside of `call`. A CREATE without `saleid` and a RESTOCK without `ref` throw
 * `UnsafeCall`.
 */
export async function retry<R>(call: () => Promise<R>, { until, wait = false }: RetryOptions): Promise<R> {
  let tries = 0;
  for (;;) {
    let pause: number;
    try {
      const answer = await repeating.run(true, call);
      if (!wait || (answer as { kind?: unknown } | null)?.kind !== "not now") return answer;
      pause = pauseAfter(answer as Record<string, unknown>);
      tries = 0;
      if (Date.now() + pause >= Number(until)) return answer;
    } catch (error) {
      pause = pauseAfterError(tries++);
      if (!mayRepeat(error) || Date.now() + pause >= Number(until)) throw FlashSaleError.from(error);
    }
    await sleep(pause);
  }
}

type Settled<T extends readonly unknown[]> = { -readonly [I in keyof T]: Awaited<T[I]> | FlashSaleError };

/**
 * The answers of calls that were begun together, in order, with an error of the server as a value
 * in its place: `const [a, b] = await pipeline([client.flashsale.get("shoes", id), ...])`. node-redis
 * sends what is begun together in one go. Its own `multi().execAsPipeline()` rejects at the first
 * error. A lost connection rejects.
 */
export async function pipeline<T extends readonly unknown[]>(calls: readonly [...T]): Promise<Settled<T>> {
  const settled = await Promise.allSettled(calls);
  return settled.map((one) => {
    if (one.status === "fulfilled") return one.value;
    const error = FlashSaleError.from(one.reason);
    if (error instanceof FlashSaleError) return error;
    throw error;
  }) as Settled<T>;
}
