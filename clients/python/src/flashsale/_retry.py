"""The same call again, until it is answered."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from datetime import datetime
from typing import Any, Awaitable, Callable, TypeVar, Union

import redis
from redis.exceptions import AuthenticationError, AuthorizationError, RedisClusterException

from . import answers
from ._base import FlashSaleError, NotNow
from ._send import at_once, is_repeating, settle

R = TypeVar("R")
Until = Union[float, datetime]
"""Unix time in seconds, or a date that knows its zone."""
# The years 1973 to 5138. A duration and a monotonic clock are below them, milliseconds are above.
SECONDS_MIN, SECONDS_MAX = 1e8, 1e11

PAUSE_MIN, PAUSE_MAX = 0.02, 1.0
# After a *not now*: a RELEASE frees units before any deadline.
WAIT_MAX = 2.0
# asyncio.TimeoutError is a class of its own up to Python 3.10.
LOST = (redis.ConnectionError, redis.TimeoutError, RedisClusterException, OSError, asyncio.TimeoutError)


def may_repeat(error: BaseException) -> bool:
    """Is it a lost connection, a time-out or an error that goes away by itself?"""
    if isinstance(error, FlashSaleError):
        return error.code in answers.ERRORS and answers.ERRORS[error.code][0]
    return isinstance(error, LOST) and not isinstance(error, (AuthenticationError, AuthorizationError))


def pause_after_error(tries: int) -> float:
    return random.uniform(0, min(PAUSE_MAX, PAUSE_MIN * 2 ** min(tries, 16)))


def pause_after(answer: NotNow) -> float:
    after = answer.advice.retry_after
    if isinstance(answer, answers.WaitingInLine) and answer.retry_in_ms is not None:
        # Whoever waits in line is heard from as often as the sale asks for.
        return answer.retry_in_ms / 1000
    pause = min(WAIT_MAX, getattr(answer, after) / 1000) if isinstance(after, str) else WAIT_MAX
    return float(pause + random.uniform(0, pause / 2))


def unix_seconds(until: Until) -> float:
    """Refuses a duration, a monotonic clock and milliseconds: they would mean one try, or tries for ever."""
    end = until.timestamp() if isinstance(until, datetime) else until
    if not SECONDS_MIN <= end < SECONDS_MAX:
        raise ValueError(f"`until` is Unix time in seconds, such as time.time() + 10, and not {until!r}")
    return end


async def repeat(call: Callable[[], Any], until: Until, wait: bool, sleep: Callable[[float], Any]) -> Any:
    if not callable(call):
        if inspect.iscoroutine(call):
            call.close()
        raise TypeError(f"`retry` takes a function that makes the call, such as lambda: sale.reserve(...); not {call!r}")
    end = unix_seconds(until)
    tries = 0
    token = is_repeating.set(True)
    try:
        while True:
            try:
                answer = await settle(call())
            except Exception as error:
                pause, tries = pause_after_error(tries), tries + 1
                if not may_repeat(error) or time.time() + pause >= end:
                    raise
            else:
                if not wait or not isinstance(answer, NotNow):
                    return answer
                pause, tries = pause_after(answer), 0
                if time.time() + pause >= end:
                    return answer
            await settle(sleep(pause))
    finally:
        is_repeating.reset(token)


def retry(call: Callable[[], R], until: Until, wait: bool = False) -> R:
    """Makes the call again until it is answered, or until `until` (`time.time() + 30`).

    Tries again after a lost connection, a time-out, and errors that go away by themselves
    (`TRYAGAIN`, `LOADING`, `READONLY`, `CLUSTERDOWN`, `MASTERDOWN`, `NOREPLICAS`, `MISCONF`, `BUSY`,
    `OOM`, `BROKEN`), after 20 ms doubling to 1 s with full jitter. With `wait` also after a *not now*: after
    what the answer says, at most 2 s, plus up to half of it; in line exactly as long as it says. Never after a *no*. The first try is
    always made. No other begins after `until`: then the last answer is returned, or the last error
    raised.

    `call` is a function, such as `lambda: sale.reserve("ann", 1, id=id)`. Make the id before, outside
    of it. A CREATE without `saleid` and a RESTOCK without `ref`
    raise `UnsafeCall`.
    """
    return at_once(repeat(call, until, wait, time.sleep))  # type: ignore[no-any-return]


async def retry_async(call: Callable[[], Awaitable[R]], until: Until, wait: bool = False) -> R:
    """`retry` for `AsyncSale`: `await retry_async(lambda: sale.reserve(...), until)`."""
    return await repeat(call, until, wait, asyncio.sleep)  # type: ignore[no-any-return]
