"""The gateway of examples/gateway/gateway.py, on an empty server of the test's own.

    redis_py.py PORT

Asks by the hundred and for nonsense, loses connections, and ends at the first answer that is
not what it has to be.
"""

import asyncio
import collections
import pathlib
import signal
import subprocess
import sys

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples/gateway/gateway.py"
sys.path.insert(0, str(EXAMPLE.parent))
sys.dont_write_bytecode = True
from gateway import Gateway

PORT = int(sys.argv[1])
BUYERS = 1000
# A server that does not answer must not keep the test waiting for ever.
signal.alarm(120)


def same(got, expected):
    assert got == expected, f"it is {got!r}, not {expected!r}"


async def ask(gateway, qty=lambda _: 1):
    """The answers of many who ask at once, counted by their first word."""
    async def one(n):
        try:
            status, *rest = await gateway.reserve(f"user-{n}", qty(n), f"id-{n}")
        except redis.ResponseError as error:
            return str(error).split(":")[0]
        if status == "RESERVED":
            same(rest[0], f"id-{n}")
        return status
    return dict(collections.Counter(await asyncio.gather(*map(one, range(BUYERS)))))


async def calls(client):
    return (await client.info("commandstats"))["cmdstat_flashsale.mreserve"]["calls"]


async def main(**options):
    options |= {"port": PORT, "decode_responses": True}
    async with redis.asyncio.Redis(**options) as client, redis.asyncio.Redis(**options) as other:
        async def create(units):
            await other.delete("hats", "hats:orders")
            await other.execute_command("FLASHSALE.CREATE", "hats", "hats:orders", "STOCK", units)

        async def stock():
            return (await other.execute_command("FLASHSALE.STOCK", "hats"))[0][1:]

        gateway = Gateway(client, "hats")
        await create(300)
        await other.config_resetstat()
        # Every tenth asks for no number, and stops nobody else.
        said = await ask(gateway, lambda n: "many" if n % 10 == 0 else 1)
        same(said, {"qty": 100, "RESERVED": 300, "ALLRESERVED": 600})
        same(await stock(), [0, 300, 0, 0])
        assert await calls(other) < 20

        # Connections are lost: nobody notices, and nobody reserves twice.
        await create(9999)
        for turn in range(10):
            asked = asyncio.create_task(ask(gateway))
            for _ in range(1 + 3 * turn):
                await asyncio.sleep(0)
            await other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            same(await asked, {"RESERVED": BUYERS})
        same(await stock(), [9999 - BUYERS, BUYERS, 0, 0])

        # What cannot be sent is the error of its buyer alone, and the others go on.
        wrong = [("user", None, "id"), (None, 1, "id"), ("user", 1, 7.5), ("user", True, "id"),
                 ("\ud800", 1, "id"), ([], 1, "id")]
        sound = [("odd", "1", "odd-1"), (b"odd", 1, b"odd-2"), (17, 1, 18)]
        asked = [gateway.reserve(*words) for words in sound + wrong + sound]
        said = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)
        for answer in said[:3] + said[-3:]:
            same(answer[0], "RESERVED")
        for answer in said[3:-3]:
            assert isinstance(answer, (TypeError, UnicodeError)), repr(answer)

        # A buyer who does not wait any longer does no harm.
        gone = asyncio.create_task(gateway.reserve("gone", 1, "gone-1"))
        await asyncio.sleep(0)
        gone.cancel()
        same((await gateway.reserve("next", 1, "next-1"))[0], "RESERVED")

        # An error of the whole batch is everybody's.
        await other.delete("hats")
        same(await ask(gateway), {"NOSALE key": BUYERS})
        for task in gateway.tasks:
            assert not task.done()
            task.cancel()

        # What would come again is answered, and not tried for ever.
        stranger = redis.asyncio.Redis(**options, username="nobody", password="wrong")
        async with stranger:
            gateway = Gateway(stranger, "hats")
            await refused(gateway, redis.AuthenticationError)
            stranger.execute_command = broken
            await refused(gateway, ZeroDivisionError)
            await refused(gateway, ZeroDivisionError)
            for task in gateway.tasks:
                assert not task.done()
                task.cancel()
        await create(7)


async def broken(*words):
    raise ZeroDivisionError


async def refused(gateway, kind):
    """All who ask get this error, within a time."""
    asked = asyncio.gather(*(gateway.reserve("ann", 1, f"ann-{n}") for n in range(3)),
                           return_exceptions=True)
    for answer in await asyncio.wait_for(asked, 20):
        assert isinstance(answer, kind), repr(answer)


asyncio.run(main(protocol=2))
# By itself redis-py sends a command again some times; here the gateway has to.
asyncio.run(main(protocol=3, retry=Retry(NoBackoff(), 0)))
words = [sys.executable, EXAMPLE, str(PORT), "hats", "10"]
said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
same(said, "{'RESERVED': 7, 'ALLRESERVED': 3}\n")
said = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True)
same((said.returncode, said.stderr), (1, "usage: gateway.py PORT SALE BUYERS\n"))
print(f"ran: the gateway, redis-py {redis.__version__} on Python {sys.version.split()[0]}")
