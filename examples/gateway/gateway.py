"""A gateway in miniature: reservations of many buyers as batches over two connections.

    gateway.py PORT SALE BUYERS     so many buyers ask for a unit at once

Needs redis-py.
"""

import asyncio
import collections
import sys
import uuid

import redis.asyncio
from redis.exceptions import ConnectionError, ResponseError, TimeoutError


class Gateway:
    def __init__(self, client, sale, connections=2, most=128):
        self.client, self.sale, self.most = client, sale, most
        self.waiting = asyncio.Queue()
        self.tasks = [asyncio.create_task(self.serve()) for _ in range(connections)]

    async def reserve(self, user, qty, id):
        """What RESERVE would answer; raises what would be an error."""
        answer = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait(((user, qty, id), answer))
        return await answer

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
            except (ConnectionError, TimeoutError):
                await asyncio.sleep(0.1)  # then the same line again
            except ResponseError as error:
                return [error] * len(entries)  # the whole batch was refused


async def main(port, sale, buyers):
    async with redis.asyncio.Redis(port=port, decode_responses=True) as client:
        gateway = Gateway(client, sale)
        answers = await asyncio.gather(
            *(gateway.reserve(f"buyer-{n}", 1, str(uuid.uuid4())) for n in range(buyers)))
        print(dict(collections.Counter(status for status, *_ in answers)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
