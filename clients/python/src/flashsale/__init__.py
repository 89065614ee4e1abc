"""Typed access to sales of the Redis module flashsale, on top of redis-py.

    import redis
    from flashsale import Reserved, Sale, new_id

    sale = Sale(redis.Redis(), "shoes", "shoes:orders")
    match sale.reserve("ann", 1, id=new_id()):
        case Reserved(expires_at_ms=deadline): ...
"""

from . import answers
from ._base import Advice, Answer, Fault, FlashSaleError, Name, No, NotNow, Other, Units, UnsafeCall, Yes
from ._consume import Entry
from ._retry import may_repeat, retry, retry_async
from ._sale import AsyncPipeline, AsyncSale, Pipeline, Sale
from ._send import Queued
from ._split import AsyncSplitSale, NotKnownYet, SplitSale, total_stock
from .answers import *
from .ids import new_id, part_of
from .limits import AsyncLimit, Limit, rate_headers
from .passes import new_pass

__version__ = "0.2.0"
__all__ = [
    "Advice",
    "Answer",
    "AsyncLimit",
    "AsyncPipeline",
    "AsyncSale",
    "AsyncSplitSale",
    "Entry",
    "Fault",
    "FlashSaleError",
    "Limit",
    "Name",
    "No",
    "NotKnownYet",
    "NotNow",
    "Other",
    "Pipeline",
    "Queued",
    "Sale",
    "SplitSale",
    "Units",
    "UnsafeCall",
    "Yes",
    "may_repeat",
    "new_id",
    "new_pass",
    "part_of",
    "rate_headers",
    "retry",
    "retry_async",
    "total_stock",
]
__all__ += answers.__all__
