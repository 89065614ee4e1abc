"""A sale, as an application sees it."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable

from ._consume import CLAIM_IDLE_MS, Entry, Worker
from ._methods import AsyncSaleMethods, PipelineMethods, SaleMethods
from ._send import at_once


def never() -> bool:
    return False


class Pipeline(PipelineMethods):
    """Calls that are sent together when the `with` block ends, not as a transaction: another
    client's call may come between two of them.

    Each answer is in `.answer` of what the method returned, and all of them are in `answers`; an
    error is a value in its place. Leaving the block by an exception sends nothing.
    """

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            at_once(self._flush())


class AsyncPipeline(PipelineMethods):
    """`Pipeline` for `async with`."""

    async def __aenter__(self) -> AsyncPipeline:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            await self._flush()


class Sale(SaleMethods):
    """One sale: a client of redis-py, the sale's key and the stream of its orders.

    The client is a `redis.Redis`, one of Sentinel's, or a `redis.RedisCluster`; in a cluster key
    and stream share a hash tag (`{shoes}` and `{shoes}:orders`).
    """

    def pipeline(self) -> Pipeline:
        """Calls of this sale that are sent together."""
        return Pipeline(self.redis, self.key, self.orders)

    def consume(
        self,
        group: str,
        name: str,
        handle: Callable[[Entry], None],
        *,
        stop: Callable[[], bool] = never,
        claim_idle_ms: int = CLAIM_IDLE_MS,
    ) -> None:
        """Gives each entry of the stream to `handle`, and acknowledges it when `handle` returns.

        An entry is an order or a refund; with `EVENTS all` it may also be another event, so look
        at `entry.event` first.

        **At least once**: after a crash an entry comes again, so `handle` has to be idempotent
        (`entry.key`). First come the entries that this `name` left behind, then new ones; entries
        that another name has kept for `claim_idle_ms` are taken over. What `handle` raises ends
        `consume`, and its entry stays pending. `stop` is asked before each entry and each read,
        which takes up to 2 s. Makes the group, from the beginning of the stream, if there is none.
        """
        at_once(Worker(self, group, name, handle, stop, time.sleep, claim_idle_ms).run())


class AsyncSale(AsyncSaleMethods):
    """`Sale` for `redis.asyncio`: the same methods, to be awaited."""

    def pipeline(self) -> AsyncPipeline:
        """Calls of this sale that are sent together, in an `async with`."""
        return AsyncPipeline(self.redis, self.key, self.orders)

    async def consume(
        self,
        group: str,
        name: str,
        handle: Callable[[Entry], Awaitable[None]],
        *,
        stop: Callable[[], bool] = never,
        claim_idle_ms: int = CLAIM_IDLE_MS,
    ) -> None:
        """`Sale.consume`; `handle` is awaited."""
        await Worker(self, group, name, handle, stop, asyncio.sleep, claim_idle_ms).run()
