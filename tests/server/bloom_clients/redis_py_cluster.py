"""redis-py's cluster client, on an empty cluster of one node.

    redis_py_cluster.py PORT

Sends each command of filters by its own name: redis-py looks a command's keys up before
it chooses a node, and refuses names of more than one dot. Ends at the first answer that
is not what it has to be.
"""

import signal
import sys

import redis
from redis.cluster import RedisCluster

PORT = int(sys.argv[1])
# A server that does not answer must not keep the test waiting for ever.
signal.alarm(120)


def same(got, expected):
    assert got == expected, f"it is {got!r}, not {expected!r}"


for options in [{"protocol": 2}, {"protocol": 3}]:
    r = RedisCluster(host="127.0.0.1", port=PORT, socket_timeout=30, **options)
    r.flushall()

    def bf(command, *args):
        result = r.execute_command(f"FLASHSALE.BF{command}", *args)
        print(f"  BF{command} {args!r:.80} -> {result!r:.80}")
        return result

    same(bf("RESERVE", "{f}", 0.01, 10), b"OK")
    same(bf("ADD", "{f}", "a"), 1)
    same(bf("MADD", "{f}", "a", "b"), [0, 1])
    same(bf("INSERT", "{f}2", "ITEMS", "c"), [1])
    same(bf("EXISTS", "{f}", "a"), 1)
    same(bf("MEXISTS", "{f}", "a", "z"), [1, 0])
    same(bf("CARD", "{f}"), 2)
    same(len(bf("INFO", "{f}")), 10 if options["protocol"] == 2 else 5)
    same(bf("MERGE", "{f}3", "{f}"), b"OK")
    iterator = 0
    while True:
        iterator, data = bf("SCANDUMP", "{f}", iterator)
        if iterator == 0:
            break
        same(bf("LOADCHUNK", "{f}4", iterator, data), b"OK")
    same(bf("MEXISTS", "{f}4", "a", "b", "z"), [1, 1, 0])
    same(bf("CLEAR", "{f}"), b"OK")
print(f"ran: redis-py {redis.__version__} on Python {sys.version.split()[0]}, as a cluster's client")
