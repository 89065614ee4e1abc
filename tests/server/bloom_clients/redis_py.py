"""redis-py's filter API, `r.bf()`, on an empty server of the test's own.

    redis_py.py PORT

Calls every method with every option: in RESP2, in RESP3, and as redis-py talks when it
is told nothing (RESP3, `info` as over RESP2). Prints each call with what redis-py
made of the answer, and ends at the first that is not what it has to be. In the end no
method and no option of this redis-py may be left over.
"""

import inspect
import signal
import sys

import redis

PORT = int(sys.argv[1])
# A server that does not answer must not keep the test waiting for ever.
signal.alarm(120)

WRONG_TYPE = "raised ResponseError: WRONGTYPE Operation against a key holding the wrong kind of value"
FULL = "ResponseError: non scaling filter is full"


def plain(value):
    """The value with errors inside of it as text, so that it can be compared."""
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    return value


def same(got, expected):
    # By text: to Python True == 1, and which of them it is matters here.
    assert repr(got) == repr(expected), f"it is {got!r}, not {expected!r}"


class Bf:
    """`r.bf()`, telling what it is asked and answers. An error raised is text, too."""

    used = {}

    def __init__(self, client):
        self.client = client

    def __getattr__(self, method):
        def call(*args, **options):
            Bf.used.setdefault(method, set()).update(options)
            try:
                result = plain(getattr(self.client.bf(), method)(*args, **options))
            except redis.RedisError as error:
                result = f"raised {plain(error)}"
            shown = [repr(arg) for arg in args] + [f"{k}={v!r}" for k, v in options.items()]
            answer = result if isinstance(result, (dict, list, str)) else getattr(result, "__dict__", result)
            print(f"  {method}({', '.join(shown)[:90]}) -> {str(answer)[:110]}")
            return result

        return call


def facts(bf, key):
    """Capacity, links, items and expansion, from either shape of `info`."""
    info = bf.info(key)
    if isinstance(info, dict):
        names = [b"Capacity", b"Size", b"Number of filters", b"Number of items inserted", b"Expansion rate"]
        assert list(info) == names, info
        capacity, size, links, items, expansion = info.values()
    else:
        capacity, size, links = info.capacity, info.size, info.filterNum
        items, expansion = info.insertedNum, info.expansionRate
        same(info["expansionRate"], expansion)
    assert type(size) is int and size > 0, size
    return [capacity, links, items, expansion]


def filters_are_made(bf, r):
    same(bf.create("plain", 0.01, 1000), True)
    same(facts(bf, "plain"), [1000, 1, 0, 2])
    same(bf.reserve("four", 1e-07, 10, expansion=4), True)
    same(facts(bf, "four"), [10, 1, 0, 4])
    # A filter that cannot grow has no expansion.
    same(bf.create("fixed", 0.5, 10, noScale=True), True)
    same(facts(bf, "fixed"), [10, 1, 0, None])
    same(bf.create("both", 0.01, 10, expansion=0, noScale=True), True)
    same(facts(bf, "both"), [10, 1, 0, None])
    # redis-py asks whether it is None, so it sends NONSCALING here as well.
    same(bf.create("sent", 0.01, 10, noScale=False), True)
    same(facts(bf, "sent"), [10, 1, 0, None])
    for rate, capacity, options, error in [
        (0.01, 1000, {}, "item exists"),
        (2, 1000, {}, "error rate must be in the range (0.000000, 1.000000)"),
        ("half", 1000, {}, "bad error rate"),
        (0.01, 0, {}, "capacity must be in the range [1, 1073741824]"),
        (0.01, 1.5, {}, "bad capacity"),
        (0.01, 10, {"expansion": -1}, "expansion must be in the range [0, 32768]"),
        (0.01, 10, {"expansion": "two"}, "bad expansion"),
        (0.01, 10, {"expansion": 2, "noScale": True}, "Nonscaling filters cannot expand"),
    ]:
        same(bf.create("plain", rate, capacity, **options), f"raised ResponseError: {error}")


def items_are_added_and_found(bf, r, yes, no):
    same(bf.exists("f", "a"), no)
    same(bf.mexists("f", "a", "b"), [no, no])
    same(r.exists("f"), 0)
    same(bf.card("f"), 0)
    same(bf.add("f", "a"), yes)
    same(bf.add("f", "a"), no)
    same(bf.madd("f", "b", "b", 7, b"\xff\x00"), [yes, no, yes, yes])
    same(bf.madd("f", "c"), [yes])
    same(bf.exists("f", 7), yes)
    same(bf.mexists("f", b"\xff\x00", "d", "7"), [yes, no, yes])
    same(bf.card("f"), 5)
    same(facts(bf, "f"), [100, 1, 5, 2])
    same(bf.madd("f"), "raised ResponseError: wrong number of arguments for 'bf.madd' command")


def items_are_inserted(bf, r, yes, no):
    same(bf.insert("i", ["a", "b", "a"]), [yes, yes, no])
    same(facts(bf, "i"), [100, 1, 2, 2])
    same(bf.insert("i3", ["a"], capacity=5, error=0.001, expansion=3), [yes])
    same(facts(bf, "i3"), [5, 1, 1, 3])
    same(bf.insert("i3", list("abcdef"), noCreate=True), [no] + [yes] * 5)
    same(facts(bf, "i3"), [20, 2, 6, 3])
    everything = {"capacity": 5, "error": 0.1, "expansion": 3, "noCreate": True, "noScale": True}
    same(bf.insert("none", ["a"], **everything), "raised ResponseError: not found")
    same(bf.insert("i3", ["a"], **everything), [no])
    same(bf.insert("fixed1", ["a", "b", "c"], capacity=1, error=0.001, noScale=True), [yes, FULL])
    same(facts(bf, "fixed1"), [1, 1, 1, None])
    same(bf.insert("i", ["new"], capacity=0), "raised ResponseError: Bad capacity")
    same(bf.insert("i", ["new"], error=1), "raised ResponseError: Bad error rate")
    same(bf.insert("i", ["new"], expansion=-1), "raised ResponseError: Bad expansion")
    same(bf.exists("i", "new"), no)


def a_full_filter_says_so(bf, r, yes, no):
    same(bf.create("full", 0.0001, 2, noScale=True), True)
    # The error is the last element: what comes after it was not tried.
    same(bf.madd("full", "p", "p", "q", "r", "s"), [yes, no, yes, FULL])
    same(bf.madd("full", "z", "p"), [FULL])
    same(bf.madd("full", "p", "q"), [no, no])
    same(bf.insert("full", ["p", "z"]), [no, FULL])
    same(bf.add("full", "z"), f"raised {FULL}")
    same(bf.add("full", "p"), no)
    same(facts(bf, "full"), [2, 1, 2, None])


def filters_are_copied_by_chunks(bf, r, yes, no):
    names = [f"n{number}" for number in range(5000)]
    same(bf.create("chain", 0.001, 100), True)
    added = sum(bf.madd("chain", *names))
    # One link that takes two chunks of 16 MiB.
    same(bf.create("large", 0.01, 20_000_000), True)
    same(bf.madd("large", *names[:3]), [yes, yes, yes])
    for key, chunks in [("chain", 1 + facts(bf, "chain")[1]), ("large", 3)]:
        iterator, loaded = 0, 0
        while True:
            iterator, data = bf.scandump(key, iterator)
            if iterator == 0:
                break
            assert type(data) is bytes and 0 < len(data) <= 1 << 24, len(data)
            same(bf.loadchunk(f"{key}2", iterator, data), b"OK")
            loaded += 1
        same(data, b"")
        same(loaded, chunks)
        same(facts(bf, f"{key}2"), facts(bf, key))
    assert added > 4900, added
    same(bf.card("chain2"), added)
    same(bf.mexists("chain2", *names), [yes] * 5000)
    same(bf.mexists("large2", *names[:4]), [yes, yes, yes, no])
    same(bf.scandump("none", 0), "raised ResponseError: not found")
    same(bf.scandump("chain", "x"), "raised ResponseError: Second argument must be numeric")
    same(bf.loadchunk("none", 1, b"data"), "raised ResponseError: received bad data")
    same(bf.loadchunk("none", 2, b"data"), "raised ResponseError: not found")


def pipelines_answer_in_order(bf, r, yes, no):
    for transaction in [False, True]:
        r.delete("p")
        pipe = r.pipeline(transaction=transaction)
        queue = pipe.bf()
        queue.create("p", 0.0001, 2, noScale=True)
        queue.add("p", "a")
        queue.insert("p", ["a", "b", "c"])
        queue.add("p", "d")
        queue.mexists("p", "a", "d")
        queue.card("p")
        queue.info("p")
        *results, info = pipe.execute(raise_on_error=False)
        print(f"  pipeline(transaction={transaction}) -> {plain(results)}")
        same(plain(results), [True, yes, [no, yes, FULL], FULL, [yes, no], 2])
        same(type(info), type(bf.info("p")))
        pipe.bf().add("p", "d")
        try:
            pipe.execute()
            raise AssertionError("no error was raised")
        except redis.ResponseError as error:
            assert "non scaling filter is full" in str(error), error


def a_key_of_another_type_is_an_error(bf, r):
    r.set("text", "x")
    for method, args in [
        ("create", [0.01, 10]), ("add", ["a"]), ("madd", ["a"]), ("insert", [["a"]]), ("exists", ["a"]),
        ("mexists", ["a"]), ("card", []), ("info", []), ("scandump", [0]), ("loadchunk", [1, b"x"]),
    ]:
        same(getattr(bf, method)("text", *args), WRONG_TYPE)
    same(bf.info("none"), "raised ResponseError: not found")


def chunks_stay_bytes_for_a_client_that_decodes(options, yes):
    r = redis.Redis(port=PORT, decode_responses=True, socket_timeout=30, **options)
    bf = Bf(r)
    same(bf.add("decoded", "a"), yes)
    (one, header), (two, data) = bf.scandump("decoded", 0), bf.scandump("decoded", 1)
    same([type(header), type(data)], [bytes, bytes])
    same(bf.loadchunk("decoded2", one, header), "OK")
    same(bf.loadchunk("decoded2", two, data), "OK")
    same(bf.exists("decoded2", "a"), yes)


def nothing_is_left_over(client):
    commands = client.bf().commandmixin
    methods = [name for name in dir(commands) if not name.startswith("_")]
    same(sorted(Bf.used), sorted(methods))
    for name in methods:
        parameters = inspect.signature(getattr(commands, name)).parameters.values()
        options = {p.name for p in parameters if p.default is not inspect.Parameter.empty}
        # `reserve` is `create` by another name.
        assert options <= Bf.used["create" if name == "reserve" else name], (name, options)


for options in [{"protocol": 2}, {"protocol": 3}, {}]:
    print(f"redis-py, {options or 'no protocol asked for'}")
    r = redis.Redis(port=PORT, socket_timeout=30, **options)
    r.flushall()
    bf = Bf(r)
    yes, no = (1, 0) if options.get("protocol") == 2 else (True, False)
    same(isinstance(bf.add("shape", "a"), bool), options.get("protocol") != 2)
    same(isinstance(bf.info("shape"), dict), options.get("protocol") == 3)
    filters_are_made(bf, r)
    items_are_added_and_found(bf, r, yes, no)
    items_are_inserted(bf, r, yes, no)
    a_full_filter_says_so(bf, r, yes, no)
    filters_are_copied_by_chunks(bf, r, yes, no)
    pipelines_answer_in_order(bf, r, yes, no)
    a_key_of_another_type_is_an_error(bf, r)
    chunks_stay_bytes_for_a_client_that_decodes(options, yes)
nothing_is_left_over(r)
print(f"ran: redis-py {redis.__version__} on Python {sys.version.split()[0]}")
