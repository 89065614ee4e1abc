"""Typed access to sales of the Redis module flashsale, on top of redis-py.

    import redis
    from flashsale import Reserved, Sale, new_id

    sale = Sale(redis.Redis(), "shoes", "shoes:orders")
    match sale.reserve("ann", 1, id=new_id()):
        case Reserved(expires_at_ms=deadline): ...
"""

from ._base import Advice, Answer, Fault, FlashSaleError, Name, No, NotNow, Other, UnsafeCall, Units, Yes
from ._consume import Entry
from ._retry import may_repeat, retry, retry_async
from ._sale import AsyncPipeline, AsyncSale, Pipeline, Sale
from ._send import Queued
from .answers import *  # noqa: F403
from .ids import new_id, part_of

__version__ = "0.2.0"
