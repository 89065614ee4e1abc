"""How a call reaches the server: by redis-py's clients, sync and asyncio, one server or a cluster.

Written once: what redis-py returns is awaited where it can be (`settle`), and the sync classes run
these coroutines in one go (`at_once`), as none of their awaits ever waits.
"""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from typing import Any, Coroutine, Generic, TypeVar

import redis
import redis.asyncio
from redis.asyncio.cluster import RedisCluster as AsyncRedisCluster

from . import _decode as decode
from . import answers
from ._base import Call, FlashSaleError, Name, UnsafeCall

R = TypeVar("R")

# Set by `retry`: whoever sends now may send the same call again.
is_repeating: ContextVar[bool] = ContextVar("is_repeating", default=False)
# Error replies. To redis-py LOADING is a lost connection, CLUSTERDOWN neither.
REPLIES = (redis.ResponseError, redis.exceptions.BusyLoadingError, redis.exceptions.ClusterDownError)
CLUSTERS = (redis.RedisCluster, AsyncRedisCluster)
SYNC, ASYNC = (redis.Redis, redis.RedisCluster), (redis.asyncio.Redis, AsyncRedisCluster)
# Replies are decoded by `_decode`: redis-py would fail at bytes that are no UTF-8.
OPTIONS: dict[str, Any] = {"NEVER_DECODE": True}


async def settle(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def at_once(coroutine: Coroutine[Any, Any, R]) -> R:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise RuntimeError("a sync client was expected, and an asyncio one was given")


class Sends:
    """What a sale and its pipelines have in common."""

    def __init__(self, client: Any, key: Name, orders: Name) -> None:
        if not hasattr(client, "execute_command"):
            raise TypeError(f"the first argument is a client of redis-py, such as redis.Redis(); not {client!r}")
        self.redis, self.key, self.orders = client, key, orders
        self.is_cluster = isinstance(client, CLUSTERS)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r}, {self.orders!r})"

    async def _answer(self, call: Call[R]) -> R:
        if not call.is_safe and is_repeating.get():
            raise UnsafeCall(f"{call.args[0]}: not safe to repeat: CREATE needs saleid, RESTOCK needs ref")
        try:
            # Inside of `retry` one thing alone decides when to send again and for how long.
            if call.is_safe and not is_repeating.get():
                return call.decode(await settle(self.redis.execute_command(*call.args, **OPTIONS)))
            return call.decode(await self._sent_once(*call.args))
        except REPLIES as cause:
            raise decode.error(cause) from cause

    async def _sent_once(self, *args: Any) -> Any:
        """Sends past redis-py's own retries, which send a call again after a lost connection."""
        client = self.redis
        if not isinstance(client, (redis.Redis, redis.RedisCluster)):
            await client.initialize()
        if self.is_cluster:
            node = client.get_node_from_key(self.key)
            return await settle(client.execute_command(*args, target_nodes=node, **OPTIONS))
        pool = client.connection_pool
        # Before 5.3 the command had to be named.
        named = inspect.signature(pool.get_connection).parameters["command_name"]
        words = ["_"] if named.default is inspect.Parameter.empty else []
        connection = client.connection or await settle(pool.get_connection(*words))
        try:
            await settle(connection.send_command(*args))
            return await settle(client.parse_response(connection, args[0], **OPTIONS))
        except redis.ResponseError:
            raise
        except BaseException:
            await settle(connection.disconnect())
            raise
        finally:
            if client.connection is None:
                await settle(pool.release(connection))

    async def _asked(self, command: str, every: bool) -> dict[str, Any]:
        """The replies of a command without a key, by the address of the server."""
        client = self.redis
        if not self.is_cluster:
            known = client.connection_pool.connection_kwargs
            address = str(known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}")
            return {address: await settle(client.execute_command(command, **OPTIONS))}
        if isinstance(client, AsyncRedisCluster):
            await client.initialize()
        nodes = client.get_nodes() if every else [client.get_random_node()]
        ask = client.execute_command
        return {node.name: await settle(ask(command, target_nodes=node, **OPTIONS)) for node in nodes}

    async def _doctor(self) -> dict[str, list[answers.Finding]]:
        replies = await self._asked("FLASHSALE.DOCTOR", every=True)
        read = decode.read_rows(answers.Finding)
        return {name: [row for row in read(reply) if row is not None] for name, reply in replies.items()}

    async def _help(self) -> list[str]:
        (reply,) = (await self._asked("FLASHSALE.HELP", every=False)).values()
        return [decode.text(line) for line in reply]


class Sender(Sends):
    def __init__(self, client: redis.Redis | redis.RedisCluster, key: Name, orders: Name) -> None:
        if isinstance(client, ASYNC):
            raise TypeError("the client is one for asyncio: use AsyncSale, or give a redis.Redis")
        super().__init__(client, key, orders)

    def _send(self, call: Call[R]) -> R:
        return at_once(self._answer(call))

    def doctor(self) -> dict[str, list[answers.Finding]]:
        """What would hurt a sale, by server: the one that is asked, or every node of a cluster."""
        return at_once(self._doctor())

    def help(self) -> list[str]:
        """The syntax of every command."""
        return at_once(self._help())


class AsyncSender(Sends):
    def __init__(self, client: redis.asyncio.Redis | AsyncRedisCluster, key: Name, orders: Name) -> None:
        # It would work, and stop the event loop during each call.
        if isinstance(client, SYNC):
            raise TypeError("the client is not one for asyncio: use Sale, or give a redis.asyncio.Redis")
        super().__init__(client, key, orders)

    async def _send(self, call: Call[R]) -> R:
        return await self._answer(call)

    async def doctor(self) -> dict[str, list[answers.Finding]]:
        """What would hurt a sale, by server: the one that is asked, or every node of a cluster."""
        return await self._doctor()

    async def help(self) -> list[str]:
        """The syntax of every command."""
        return await self._help()


class Queued(Generic[R]):
    """A call in a pipeline; `answer` is there once the pipeline was sent."""

    def __init__(self, call: Call[R]) -> None:
        self.call = call
        self.answers: list[R | FlashSaleError] = []

    @property
    def answer(self) -> R | FlashSaleError:
        if not self.answers:
            raise RuntimeError("the pipeline was not sent: leave its `with` block first")
        return self.answers[0]


class PipelineSender(Sends):
    """Keeps calls until the block ends, then sends them together."""

    def __init__(self, client: Any, key: Name, orders: Name) -> None:
        super().__init__(client, key, orders)
        # The answers in the order of the calls; an error stands in its place.
        self.answers: list[Any] = []
        self._queue: list[Queued[Any]] = []

    def _send(self, call: Call[R]) -> Queued[R]:
        if not call.is_safe:
            raise UnsafeCall(f"{call.args[0]}: not safe to repeat, and redis-py may send a pipeline again")
        self._queue.append(Queued(call))
        return self._queue[-1]

    async def _flush(self) -> None:
        if not self._queue:
            return
        # Without MULTI: each call is for itself.
        pipe = self.redis.pipeline() if self.is_cluster else self.redis.pipeline(transaction=False)
        for queued in self._queue:
            pipe.execute_command(*queued.call.args, **OPTIONS)
        replies = await settle(pipe.execute(raise_on_error=False))
        for reply in replies:
            if isinstance(reply, Exception) and not isinstance(reply, REPLIES):
                raise reply
        for queued, reply in zip(self._queue, replies):
            failed = isinstance(reply, Exception)
            queued.answers = [decode.error(reply) if failed else queued.call.decode(reply)]
        self.answers, self._queue = [queued.answer for queued in self._queue], []
