"""**Goal**: a rush waits for connections instead of failing.

**Method**: the sale as the Python shop makes it, and a server that answers whatever it is asked.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake import FakeServer
from flashsale import Reserved

from harness import SHOP

pytestmark = pytest.mark.skipif(not (SHOP / "books.py").exists(), reason="the shop in Python alone")
RUSH = 300


def test_more_requests_than_connections_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHOP))
    import books

    async def rush() -> list[Any]:
        (sale,) = books.async_sale().parts
        calls = [sale.reserve("ann", 1, id=f"id-{number}") for number in range(RUSH)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        await sale.redis.connection_pool.disconnect()
        return found

    reserved = b"*5\r\n$8\r\nRESERVED\r\n$1\r\na\r\n:1\r\n:2\r\n:-1\r\n"
    with FakeServer(*[reserved] * RUSH) as server:
        monkeypatch.setattr(books, "REDIS_URL", f"redis://127.0.0.1:{server.port}?protocol=2")
        answers = asyncio.run(rush())
    assert all(isinstance(answer, Reserved) for answer in answers), [one for one in answers if not isinstance(one, Reserved)][:3]
    assert len(server.received) == RUSH
