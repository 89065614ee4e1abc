"""A gateway in miniature: reservations of many buyers as batches over two connections.

    gateway.py PORT SALE BUYERS     so many buyers ask for a unit of a sale at once

Needs redis-py (`pip install redis`), and a sale: FLASHSALE.CREATE hats hats:orders STOCK 7.
"""

import asyncio
import collections
import sys
import uuid

import redis.asyncio
from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError


class Gateway:
    def __init__(self, client, sale, connections=2, most=128):
        self.client, self.sale, self.most = client, sale, most
        self.waiting = asyncio.Queue()
        self.tasks = [asyncio.create_task(self.serve()) for _ in range(connections)]

    async def reserve(self, user, qty, id):
        """What RESERVE would answer; raises what would be an error."""
        entry = [self.word(argument) for argument in (user, qty, id)]
        answer = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((entry, answer))
        return await answer

    @staticmethod
    def word(argument):
        """The bytes to send. What has none must not reach a batch: all its buyers would fail."""
        if isinstance(argument, bytes):
            return argument
        if isinstance(argument, bool) or not isinstance(argument, (str, int)):
            raise TypeError(f"{argument!r} is neither text nor an integer")
        return str(argument).encode()

    async def serve(self):
        """One connection: whenever it is free, it takes whatever waits."""
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < self.most and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            answers = await self.send([entry for entry, _ in batch])
            for (_, buyer), answer in zip(batch, answers):
                if buyer.done():  # the buyer has gone
                    continue
                if isinstance(answer, Exception):
                    buyer.set_exception(answer)
                else:
                    buyer.set_result(answer)

    async def send(self, entries):
        words = [word for entry in entries for word in entry]
        while True:
            try:
                return await self.client.execute_command(
                    "FLASHSALE.MRESERVE", self.sale, "ENTRIES", len(entries), *words)
            except Exception as error:
                is_lost = isinstance(error, (ConnectionError, TimeoutError))
                if not is_lost or isinstance(error, AuthenticationError):
                    return [error] * len(entries)  # the answer to the whole batch
                print(f"gateway: the same batch again: {error}", file=sys.stderr)
                await asyncio.sleep(0.1)


async def main(port, sale, buyers):
    async with redis.asyncio.Redis(port=port, decode_responses=True) as client:
        gateway = Gateway(client, sale)
        answers = await asyncio.gather(
            *(gateway.reserve(f"buyer-{n}", 1, str(uuid.uuid4())) for n in range(buyers)))
        print(dict(collections.Counter(status for status, *_ in answers)))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: gateway.py PORT SALE BUYERS")
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
