"""Every row of `answers.json` received from a real server, over each way to talk to it.

**Method**: the journey of `clients/journey.json`, which the TypeScript client makes as well. A
command that a row is of and that did not give this answer fails the test.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from keyword import iskeyword
from typing import Any

import pytest
import redis
import redis.asyncio
from conftest import CLIENTS, IS_SHORT
from flashsale import AsyncSale, FlashSaleError, Other, Sale

JOURNEY = json.loads((CLIENTS / "journey.json").read_text())
ANSWERS = json.loads((CLIENTS / "answers.json").read_text())
# Each has to be received, by each command it is of.
ROWS = {
    (of, row.get("name", data["name"]))
    for data in ANSWERS["words"].values()
    for row in data["rows"]
    # What no version of the module answers yet.
    if not row.get("unbuilt")
    for of in row["of"]
    # What the driver of a split sale sends has no method.
    if of not in ("GIVE", "TAKE", "REST")
}
ERRORS = {error["code"] for error in ANSWERS["errors"] if error["of"] == "module"}


def resolved(value: Any) -> Any:
    """`{"in_ms": n}` is a moment from now."""
    if isinstance(value, dict):
        if set(value) == {"in_ms"}:
            return int(time.time() * 1000) + value["in_ms"]
        return {key: resolved(one) for key, one in value.items()}
    return value


async def settle(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def name_of(answer: Any) -> Any:
    if isinstance(answer, list):
        return [name_of(one) for one in answer]
    return f"error {answer.code}" if isinstance(answer, FlashSaleError) else type(answer).__name__


async def call(sale: Any, method: str, args: list[Any]) -> Any:
    positional, options = list(args), {}
    if positional and isinstance(positional[-1], dict) and (len(positional) > 1 or method == "alter"):
        options = resolved(positional.pop())
    try:
        return await settle(getattr(sale, f"{method}_" if iskeyword(method) else method)(*positional, **options))
    except FlashSaleError as error:
        return error


async def journey(client: Any, cls: Any) -> set[tuple[str, str]]:
    received: set[tuple[str, str]] = set()
    await settle(client.flushall())
    for scene in JOURNEY:
        sale = cls(client, f"{{{scene['scene']}}}", f"{{{scene['scene']}}}:orders")
        made = await call(sale, "create", scene["create"])
        received.add(("CREATE", name_of(made)))
        for method, args, expected in scene["steps"]:
            if method == "wait until":
                end = time.monotonic() + 10
                while (await settle(sale.get(args[0]))).state != expected:
                    assert time.monotonic() < end
                    await asyncio.sleep(0.01)
                continue
            answer = await call(sale, method, args)
            assert name_of(answer) == expected, (scene["scene"], method, args, answer)
            assert getattr(answer, "rest", ()) == () and not isinstance(answer, Other)
            received.add((method.upper(), str(name_of(answer))))
    for error in await refused(client, cls):
        received.add(("", error))
    return received


async def refused(client: Any, cls: Any) -> list[str]:
    """The errors that need another key, or another server."""
    await settle(client.set("{text}", "x"))
    found = [await call(cls(client, "{text}", "{text}:o"), "reserve", ["ann", 1, {"id": "a"}])]
    sale = cls(client, "{none}", "{none}:o")
    found.append(await call(sale, "info", []))
    await call(sale, "create", [9, {}])
    everywhere = {"target_nodes": "all"} if "Cluster" in type(client).__name__ else {}
    await settle(client.config_set("maxmemory", 1, **everywhere))
    found.append(await call(sale, "reserve", ["ann", 1, {"id": "a"}]))
    await settle(client.config_set("maxmemory", 0, **everywhere))
    # A sale of this name breaks in a debug build of the module.
    broken = cls(client, "rehearsal:plan", "{rehearsal:plan}:orders")
    await call(broken, "create", [9, {}])
    found.append(await call(broken, "reserve", ["ann", 1, {"id": "a"}]))
    return [name_of(one) for one in found]


def check(received: set[tuple[str, str]]) -> None:
    assert not ROWS - received, f"never received: {sorted(ROWS - received)}"
    assert {name for _, name in received if name.startswith("error ")} == {f"error {code}" for code in ERRORS}


WAYS = [(protocol, decode) for protocol in (2, 3) for decode in (False, True)]


@pytest.mark.parametrize(("protocol", "decode"), WAYS[3:] if IS_SHORT else WAYS)
def test_every_answer_of_one_server(port: int, protocol: int, decode: bool) -> None:
    client = redis.Redis(port=port, protocol=protocol, decode_responses=decode, socket_timeout=10)
    check(asyncio.run(journey(client, Sale)))


@pytest.mark.parametrize(("protocol", "decode"), WAYS[3:] if IS_SHORT else WAYS)
def test_every_answer_by_asyncio(port: int, protocol: int, decode: bool) -> None:
    async def run() -> None:
        client = redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=decode, socket_timeout=10)
        check(await journey(client, AsyncSale))
        await client.connection_pool.disconnect()

    asyncio.run(run())


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_answer_of_a_cluster(cluster_port: int, protocol: int) -> None:
    client = redis.RedisCluster(host="127.0.0.1", port=cluster_port, protocol=protocol, socket_timeout=10)
    check(asyncio.run(journey(client, Sale)))


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_answer_of_a_cluster_by_asyncio(cluster_port: int, protocol: int) -> None:
    async def run() -> None:
        client = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster_port, protocol=protocol, socket_timeout=10)
        check(await journey(client, AsyncSale))
        await (client.aclose() if hasattr(client, "aclose") else client.close())

    asyncio.run(run())
