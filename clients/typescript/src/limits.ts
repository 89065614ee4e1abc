// Rate limits: what a browser is told of `throttle`.

import type { Allowance } from "./answers.js";

/**
 * The headers of an HTTP answer, for the rate that was asked with; a refusal is a 429. They are
 * X-RateLimit-*, and RateLimit and RateLimit-Policy of the draft
 * ietf-httpapi-ratelimit-headers-11. Seconds are rounded up: whoever comes then is not too early.
 */
export function rateHeaders(answer: Allowance, { name, count, ms }: { name: string; count: number; ms: number }): Record<string, string> {
  const up = (some: number): number => Math.ceil(some / 1000);
  const told = {
    "RateLimit-Policy": `"${name}";q=${count};w=${up(ms)}`,
    RateLimit: `"${name}";r=${answer.remaining};t=${up(answer.resetInMs)}`,
    "X-RateLimit-Limit": String(answer.limit),
    "X-RateLimit-Remaining": String(answer.remaining),
    "X-RateLimit-Reset": String(up(answer.resetInMs)),
  };
  return answer.status === "ALLOWED" ? told : { ...told, "Retry-After": String(up(answer.retryInMs)) };
}
