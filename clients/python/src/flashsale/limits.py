"""Rate limits: whether somebody may try once more, and what a browser is told of it."""

from __future__ import annotations

from typing import Any

from ._base import Name
from ._methods import AsyncLimitMethods, LimitMethods
from .answers import Allowance


class Limit(LimitMethods):
    """The rate limit of one endpoint: a client of redis-py, and a key with any number of subjects.

    Subjects are users, addresses or tokens. Take one key for each endpoint, not for each user. An
    error is no refusal: decide for each endpoint whether the call may pass then.
    """

    def __init__(self, client: Any, key: Name) -> None:
        super().__init__(client, key, "")


class AsyncLimit(AsyncLimitMethods):
    """`Limit` for `redis.asyncio`: the same method, to be awaited."""

    def __init__(self, client: Any, key: Name) -> None:
        super().__init__(client, key, "")


def rate_headers(answer: Allowance, *, name: str, count: int, ms: int) -> dict[str, str]:
    """The headers of an HTTP answer, for the rate that was asked with; a refusal is a 429.

    They are X-RateLimit-*, and RateLimit and RateLimit-Policy of the draft
    ietf-httpapi-ratelimit-headers-11. Seconds are rounded up: whoever comes then is not too early.
    """

    def up(ms: int) -> str:
        return str(-(-ms // 1000))

    told = {
        "RateLimit-Policy": f'"{name}";q={count};w={up(ms)}',
        "RateLimit": f'"{name}";r={answer.remaining};t={up(answer.reset_in_ms)}',
        "X-RateLimit-Limit": str(answer.limit),
        "X-RateLimit-Remaining": str(answer.remaining),
        "X-RateLimit-Reset": up(answer.reset_in_ms),
    }
    return told if answer.status == "ALLOWED" else told | {"Retry-After": up(answer.retry_in_ms)}
