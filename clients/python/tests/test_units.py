"""What needs no server of ours: ids, odd replies, errors, and what is sent again."""

from __future__ import annotations

import asyncio
import binascii
import json
import time
from types import SimpleNamespace
from typing import Any

import flashsale
import pytest
import redis
import redis.asyncio
from conftest import CLIENTS
from fake import CUT, FakeServer
from flashsale import AsyncSale, AsyncSplitSale, FlashSaleError, ItemStock, NotKnownYet, Sale, SplitSale, UnsafeCall, total_stock
from flashsale import new_id, new_pass, part_of, retry, retry_async
from flashsale import _calls
from flashsale import _decode as decode
from flashsale import _encode as encode
from flashsale import _retry

ERRORS = json.loads((CLIENTS / "answers.json").read_text())["errors"]
RESERVED = b"*5\r\n$8\r\nRESERVED\r\n$1\r\na\r\n:1\r\n:2\r\n:-1\r\n"
ALLRESERVED = b"*3\r\n$11\r\nALLRESERVED\r\n:30\r\n$1\r\ns\r\n"


def waiting(ahead: int, retry_in_ms: int) -> bytes:
    return b"*6\r\n$7\r\nWAITING\r\n$1\r\na\r\n:%d\r\n:9\r\n:-1\r\n:%d\r\n" % (ahead, retry_in_ms)


def sale_at(server: FakeServer) -> Sale:
    return Sale(redis.Redis(port=server.port, protocol=2, socket_timeout=5), "s", "s:o")


def soon(seconds: float = 5) -> float:
    return time.time() + seconds


def test_ids_are_ulids_of_now_that_nobody_can_guess() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    for one in ids:
        assert len(one) == 26 and set(one) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        number = 0
        for letter in one[:10]:
            number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
        assert abs(number - time.time() * 1000) < 60_000
    # Neighbours share no more than the moment.
    assert len({one[10:20] for one in ids}) == 1000


def test_the_part_of_a_user_is_that_of_the_contract() -> None:
    assert part_of("123456789", 16) == 12
    assert part_of(b"123456789", 16) == 12
    assert part_of("{a}b", 16) != part_of("{a}c", 16) or part_of("{a}b", 1024) != part_of("{a}c", 1024)
    assert new_id(12).endswith("0C") and new_id(1023).endswith("ZZ")
    with pytest.raises(ValueError):
        new_id(1024)


GET_NOTHING = b"$-1\r\n"
GET_SOLD = b"*2\r\n$5\r\nstate\r\n$4\r\nsold\r\n"


def test_keys_of_parts_are_those_of_the_program() -> None:
    split = SplitSale(redis.Redis(), "shoes", 16)
    slots = [binascii.crc_hqx(str(part.key)[1:-1].encode(), 0) % 16384 for part in split.parts]
    assert [slot * 16 // 16384 for slot in slots] == list(range(16))
    assert str(split.parts[0].orders) == str(split.parts[0].key) + ":orders"
    assert split.of("123456789") is split.parts[12]
    assert split.new_id("123456789").endswith("0C")
    named = SplitSale(redis.Redis(), "shoes", 16, keys="sale:{}", streams="orders:{}")
    assert named.parts[3].key == "sale:" + str(split.parts[3].key)
    for wrong in (("a{b", 16), ("a", 0), ("a", 1025)):
        with pytest.raises(ValueError):
            SplitSale(redis.Redis(), *wrong)
    # All parts in one key, or orders of all parts in one stream.
    for template in ({"keys": "shoes"}, {"streams": "shoes:orders"}):
        with pytest.raises(ValueError):
            SplitSale(redis.Redis(), "shoes", 2, **template)


def test_a_sale_that_is_not_split_is_its_own_only_part() -> None:
    one = SplitSale(redis.Redis(), "{shoes}", 1, keys="{shoes}", streams="{shoes}:orders")
    assert [(part.key, part.orders) for part in one.parts] == [("{shoes}", "{shoes}:orders")]
    assert one.of("ann") is one.of("bob") is one.parts[0]
    # Stock may be taken out of it, and nothing is left out.
    assert one.dealt({"red": -3, "blue": 0}) == [(one.parts[0], {"red": -3, "blue": 0})]


def test_a_delivery_is_dealt_as_the_program_deals_it() -> None:
    """The vectors are those of the companion, in `rules/place.rs`."""

    def dealt(sku: str, units: int, parts: int) -> list[int]:
        return [share[sku] for _, share in SplitSale(redis.Redis(), "shoes", parts).dealt({sku: units}, new=True)]

    assert dealt("red", 11, 4) == [2, 3, 3, 3]
    assert dealt("blue", 2, 4) == [1, 0, 0, 1]
    assert dealt("red", 7, 3) == [2, 3, 2]
    assert dealt("red", 5, 12) == [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    split = SplitSale(redis.Redis(), "shoes", 4)
    assert split.dealt({"blue": 2}) == [(split.parts[0], {"blue": 1}), (split.parts[3], {"blue": 1})]
    with pytest.raises(ValueError):
        split.dealt({"red": 5, "blue": -1})


def test_the_stock_of_all_parts_adds_up() -> None:
    one = [ItemStock("red", 1, 2, 3, 4), ItemStock("blue", 1, 0, 0, None)]
    two = [ItemStock("blue", 2, 3, 4, None), None, ItemStock("green", 7, 0, 0, 0), ItemStock("red", 10, 20, 30, 40)]
    assert total_stock([one, two]) == [ItemStock("red", 11, 22, 33, 44), ItemStock("blue", 3, 3, 4, 0), ItemStock("green", 7, 0, 0, 0)]
    assert total_stock([]) == []


def test_whoever_knows_only_an_id_asks_its_part_first_and_then_all() -> None:
    id = new_id(2)
    with FakeServer(GET_SOLD, GET_NOTHING, GET_NOTHING, GET_SOLD, *[GET_NOTHING] * 4) as server:
        split = SplitSale(redis.Redis(port=server.port, protocol=2, socket_timeout=5), "s", 4)
        found = split.find(id)
        assert found is not None and found[0] is split.parts[2] and found[1].state == "sold"
        # Made before the sale was split, or elsewhere: the others have it.
        found = split.find(id)
        assert found is not None and found[0] is split.parts[1]
        assert split.find("no ULID") is None
        keys = [words[1].decode() for words in server.received]
    order = [str(split.parts[part].key) for part in (2, 2, 0, 1, 0, 1, 2, 3)]
    assert keys == order


def test_a_part_that_is_away_is_no_answer() -> None:
    id = new_id(0)
    for away in (b"-CLUSTERDOWN The cluster is down\r\n", b"-NOSALE no such sale\r\n"):
        with FakeServer(away, GET_NOTHING, away, GET_SOLD) as server:
            split = SplitSale(redis.Redis(port=server.port, protocol=2, socket_timeout=5), "s", 2)
            with pytest.raises(NotKnownYet):
                split.find(id)
            found = split.find(id)
            assert found is not None and found[0] is split.parts[1]

    async def by_asyncio() -> None:
        with FakeServer(b"-CLUSTERDOWN The cluster is down\r\n", GET_NOTHING, GET_NOTHING, GET_NOTHING) as server:
            client = redis.asyncio.Redis(port=server.port, protocol=2, socket_timeout=5)
            split = AsyncSplitSale(client, "s", 2)
            with pytest.raises(NotKnownYet):
                await split.find(id)
            assert await split.find(id) is None
            await client.aclose()

    asyncio.run(by_asyncio())


@pytest.mark.parametrize(
    "id, user, made",
    [
        ("ann-1", "ann", "1795203103000._7VGrWWgIv58ZDqxpGAuZw"),
        ("ann-1", "ann2", "1795203103000.nH9mis8AK9eoYg1eU1dAfQ"),
        ("ann-", b"1ann", "1795203103000.RUGLXx8YQTC4wgwMm5cUPQ"),
        (b"\x00\xff\x2e", b"\x00", "1.MAcEZaPRVQgKLyXJmley4Q"),
        ("i" * 255, "u" * 255, "1795203103000.MNg_7cID0Bh7DgRR3o32aQ"),
    ],
)
def test_a_pass_is_the_one_the_server_takes(id: str | bytes, user: str | bytes, made: str) -> None:
    expires_at_ms = int(made.partition(".")[0])
    assert new_pass("0123456789abcdef" * 2, id, user, expires_at_ms) == made
    assert new_pass(b"0123456789abcdef" * 2, id, user, expires_at_ms) == made


def test_units_are_a_number_or_lines() -> None:
    assert encode.units(None, 2) == [2]
    assert encode.units("STOCK", 2) == ["STOCK", 2]
    assert encode.units(None, {"a": 1, "b": 2}) == ["ITEMS", 2, "a", 1, "b", 2]
    assert encode.units(None, [("a", 1), ("a", 2)]) == ["ITEMS", 2, "a", 1, "a", 2]
    assert encode.json({"ü": 1}) == '{"ü":1}'


def test_units_are_asked_for_by_their_names() -> None:
    words = _calls.reserve("k", "ann", {"ga": 1}, units=["A-1", "A-2"], id="i").args
    assert words == ["FLASHSALE.RESERVE", "k", "ann", "ITEMS", 1, "ga", 1, "UNITS", 2, "A-1", "A-2", "ID", "i"]
    words = _calls.restock("k", None, units=("stalls", ["A-1"]), sealed=True, ref=None).args
    assert words == ["FLASHSALE.RESTOCK", "k", "UNITS", "stalls", 1, "A-1", "SEALED"]
    with pytest.raises(TypeError, match="number for each SKU"):
        _calls.reserve("k", "ann", None, id="i")
    with pytest.raises(TypeError, match="needs a ref"):
        _calls.refund("k", "o", "i", units=["A-1"])


def test_a_page_of_units_has_ids_where_they_were_asked_for() -> None:
    read = decode.read_tuple(flashsale.UnitsPage)
    page = read([b"7", [[b"A-1", b"free"], [b"A-2", b"sold", b"i"], [b"A-3", b"free", None]]])
    assert page.cursor == 7
    assert [(one.unit, one.state, one.id) for one in page.units] == [("A-1", "free", None), ("A-2", "sold", "i"), ("A-3", "free", None)]
    # A module without names tells of none.
    assert decode.read_map(flashsale.Reservation)({b"state": b"sold"}).units == ()


@pytest.mark.parametrize("given", [None, "red", ["red"], {}, 1.5])
def test_what_are_no_units_is_refused_with_an_example(given: Any) -> None:
    with pytest.raises(TypeError, match="number for each SKU"):
        encode.units(None, given)


def test_an_argument_that_cannot_be_sent_is_named_and_nothing_is_sent() -> None:
    with FakeServer() as server:
        sale: Any = sale_at(server)
        # Without units by name, None is no quantity.
        with pytest.raises(TypeError, match="number for each SKU"):
            sale.reserve("ann", None, id="a")
        with pytest.raises(TypeError, match="FLASHSALE.RESERVE: None after 'ID'"):
            sale.reserve("ann", 1, id=None)
        with pytest.raises(TypeError, match="None after 's'"):
            sale.reserve(None, 1, id="a")
        with pytest.raises(TypeError, match="True after 'red'"):
            sale.reserve("ann", {"red": True}, id="a")
        with pytest.raises(TypeError, match="None after 'b'"), sale.pipeline() as pipe:
            pipe.mreserve([("ann", 1, "a"), ("bob", 1, "b"), (None, 1, "c")])
        assert server.received == []


def test_a_newer_module_breaks_nothing() -> None:
    answer = decode.answer("RESERVE")
    other = answer([b"LATER", b"a", 5, [b"x", b"\xff"]])
    assert isinstance(other, flashsale.Other)
    assert (other.status, other.rest) == ("LATER", ("a", 5, ("x", b"\xff")))
    longer = answer([b"RESERVED", b"a", 1, 2, -1, [b"A-12", b"A-13"], b"more"])
    assert isinstance(longer, flashsale.Reserved)
    assert (longer.units, longer.rest) == (("A-12", "A-13"), ("more",))
    # What is printed begins with what an answer says.
    assert repr(decode.answer("RELEASE")([b"RELEASED", b"a"])) == "ReleasedNow(id='a')"
    assert "('x', b'\\xff')" in repr(other)
    # Appended, and no list: no units.
    assert answer([b"RESERVED", b"a", 1, 2, -1, 7]).rest == (7,)
    # A detail is missing, or the word is none of this command: unknown as well.
    assert isinstance(answer([b"RESERVED", b"a"]), flashsale.Other)
    assert isinstance(answer([b"TOOFEW", 1, b"a"]), flashsale.Other)
    read = decode.read_map(flashsale.UserUnits)({b"reserved": 1, b"later": b"x"})
    assert read.reserved == 1 and read.more == {"later": "x"}


def test_text_gives_text_and_other_bytes_stay_bytes() -> None:
    answer = decode.answer("RELEASE")
    assert answer([b"RELEASED", "ü".encode()]).id == "ü"
    assert answer([b"RELEASED", b"\xff"]).id == b"\xff"
    # The largest integer is exact.
    assert decode.answer("BUY")([b"SOLDOUT", 9007199254740991, b"a"]).available == 9007199254740991


def test_only_a_sku_that_was_asked_for_can_be_unknown() -> None:
    row = b"*5\r\n$3\r\nred\r\n:5\r\n:0\r\n:1\r\n:0\r\n"
    with FakeServer(b"*1\r\n" + row, b"*2\r\n" + row + b"*-1\r\n") as server:
        sale = sale_at(server)
        # mypy checks that no None has to be ruled out here.
        assert [item.available for item in sale.stock()] == [5]
        red, unknown = sale.stock("red", "cap")
        assert red is not None and red.sold == 1 and unknown is None


def test_an_older_module_leaves_fields_empty_and_a_newer_one_appends() -> None:
    for waiting, row in [(None, [b"red", 5, 0, 1]), (7, [b"red", 5, 0, 1, 7, b"more"])]:
        assert decode.read_rows(flashsale.ItemStock)([row]) == [flashsale.ItemStock("red", 5, 0, 1, waiting)]
    assert decode.read_tuple(flashsale.ScanPage)([b"0", [b"a"], b"more"]) == flashsale.ScanPage(0, ("a",))
    finding = decode.read_rows(flashsale.Finding)([[b"note", b"line", b"advice", b"more"]])[0]
    assert finding == flashsale.Finding("note", "line", "advice")
    restocked = decode.answer("RESTOCK")([b"RESTOCKED", [b"red", 9, 5, b"more"]])
    assert restocked.items == (flashsale.RestockedItem("red", 9, 5),)
    read = decode.read_map(flashsale.SaleInfo)([b"drawn", [[b"red", 3, b"more"]]])
    assert read.drawn == (("red", 3),) and read.pace_n is None


def test_before_the_draw_nobody_is_told_a_number() -> None:
    answer = decode.answer("RESERVE")
    undrawn = answer([b"WAITING", b"a", -1, 9, -1, 500])
    assert isinstance(undrawn, flashsale.WaitingForDraw) and isinstance(undrawn, flashsale.NotNow)
    assert undrawn.advice.buyer == "You are in line. The order is drawn when the sale starts."
    placed = answer([b"WAITING", b"a", 0, 9, -1, 500])
    assert isinstance(placed, flashsale.WaitingInLine)
    assert placed.advice.buyer.format(**vars(placed)) == "You are in line, with at most 0 before you."
    assert isinstance(decode.answer("CHECKOUT")([b"WAITING", b"a"]), flashsale.WaitingStill)


def test_what_throttles_is_told() -> None:
    answer = decode.answer("BUY")
    sale = answer([b"THROTTLED", 30, b"sale"])
    assert isinstance(sale, flashsale.ThrottledSale) and sale.advice.buyer == "One moment, it is crowded."
    for by in (b"user", b"from"):
        buyer = answer([b"THROTTLED", 1001, by])
        assert isinstance(buyer, flashsale.ThrottledBuyer) and isinstance(buyer, flashsale.NotNow)
        assert (buyer.advice.buyer, buyer.retry_after_s) == ("Not so fast.", 2)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error["code"])
def test_an_error_has_its_code_and_only_some_are_tried_again(error: dict[str, Any]) -> None:
    code, again = error["code"], error["again"]
    with FakeServer(f"-{code} key: some text\r\n".encode(), RESERVED) as server:
        sale = sale_at(server)
        if again:
            answer = retry(lambda: sale.reserve("ann", 1, id="a"), soon())
            assert isinstance(answer, flashsale.Reserved)
            assert server.received[0] == server.received[-1]
        else:
            with pytest.raises(FlashSaleError) as raised:
                retry(lambda: sale.reserve("ann", 1, id="a"), soon())
            assert (raised.value.code, raised.value.text) == (code, "key: some text")
            assert len(server.received) == 1


def test_these_errors_go_away_by_themselves() -> None:
    again = {error["code"] for error in ERRORS if error["again"]}
    lost = "TRYAGAIN LOADING READONLY CLUSTERDOWN MASTERDOWN NOREPLICAS MISCONF BUSY OOM BROKEN"
    assert again == set(lost.split())


def test_a_text_that_begins_with_a_word_in_capitals_is_no_code() -> None:
    with FakeServer(b"-ERR HOLD is too long\r\n") as server:
        with pytest.raises(FlashSaleError) as raised:
            sale_at(server).pause()
    assert (raised.value.code, raised.value.text) == ("ERR", "HOLD is too long")


def test_a_lost_connection_is_tried_again_with_the_same_words() -> None:
    with FakeServer(*[CUT] * 6, RESERVED) as server:
        retry(lambda: sale_at(server).reserve("ann", 1, id="a"), soon())
        assert len(server.received) == 7
        assert all(one == server.received[0] for one in server.received)


def test_not_now_is_waited_for_only_when_asked() -> None:
    with FakeServer(ALLRESERVED, ALLRESERVED, ALLRESERVED, RESERVED) as server:
        sale = sale_at(server)
        answer = retry(lambda: sale.reserve("ann", 1, id="a"), soon())
        assert isinstance(answer, flashsale.AllReserved) and answer.retry_in_ms == 30
        began = time.monotonic()
        answer = retry(lambda: sale.reserve("ann", 1, id="a"), soon(), wait=True)
        assert isinstance(answer, flashsale.Reserved)
        assert 0.06 <= time.monotonic() - began < 1
    # No time is left: the answer as it is.
    with FakeServer(ALLRESERVED) as server:
        answer = retry(lambda: sale_at(server).reserve("ann", 1, id="a"), soon(0.01), wait=True)
        assert isinstance(answer, flashsale.AllReserved)


def test_pauses_are_as_long_as_promised() -> None:
    paused, later = flashsale.Paused(0), flashsale.NotStarted(60_000)
    for answer in (paused, later):
        pauses = [_retry.pause_after(answer) for _ in range(1000)]
        assert 2 <= min(pauses) and max(pauses) <= 3
    for tries, most in [(0, 0.02), (1, 0.04), (6, 1.0), (1000, 1.0)]:
        pauses = [_retry.pause_after_error(tries) for _ in range(1000)]
        assert 0 <= min(pauses) < most / 4 and most * 3 / 4 < max(pauses) <= most


# The second is longer than anything but a place in line is waited for.
POLLS = [waiting(-1, 300), waiting(3, 60_000), waiting(0, 250)]


def test_whoever_is_in_line_asks_again_exactly_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with FakeServer(*POLLS, RESERVED, waiting(0, 300)) as server:
        sale = sale_at(server)
        call = lambda: sale.reserve("ann", 1, id="a", wait=True)  # noqa: E731
        # mypy checks that no None has to be ruled out here.
        answer = retry(call, soon(90), wait=True)
        assert isinstance(answer, flashsale.Reserved) and pauses == [0.3, 60, 0.25]
        assert len(server.received) == 4 and all(one == server.received[0] for one in server.received)
        assert server.received[0][-1] == b"WAIT"
        # Without `wait` the place is the answer.
        first = retry(call, soon())
        assert isinstance(first, flashsale.WaitingInLine) and first.ahead + first.left + first.retry_in_ms == 309
        assert len(pauses) == 3
    # No time is left for the next poll.
    with FakeServer(waiting(0, 60_000)) as server:
        answer = retry(lambda: sale_at(server).reserve("ann", 1, id="a", wait=True), soon(30), wait=True)
        assert isinstance(answer, flashsale.WaitingInLine) and len(pauses) == 3


def test_whoever_is_in_line_asks_again_exactly_when_told_by_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(_retry, "asyncio", SimpleNamespace(sleep=sleep))

    async def run() -> None:
        with FakeServer(*POLLS, RESERVED) as server:
            client = redis.asyncio.Redis(port=server.port, protocol=2)
            sale = AsyncSale(client, "s", "s:o")
            answer = await retry_async(lambda: sale.reserve("ann", 1, id="a", wait=True), soon(90), wait=True)
            assert isinstance(answer, flashsale.Reserved) and pauses == [0.3, 60, 0.25]
            await client.connection_pool.disconnect()

    asyncio.run(run())


def test_a_no_is_never_tried_again_and_no_time_is_exceeded() -> None:
    with FakeServer(b"*3\r\n$7\r\nSOLDOUT\r\n:0\r\n$1\r\ns\r\n") as server:
        answer = retry(lambda: sale_at(server).reserve("ann", 1, id="a"), soon(), wait=True)
        assert isinstance(answer, flashsale.SoldOut) and len(server.received) == 1
    began = time.monotonic()
    with FakeServer(*[b"-LOADING x\r\n"] * 1000) as server:
        with pytest.raises(FlashSaleError):
            retry(lambda: sale_at(server).reserve("ann", 1, id="a"), soon(0.5))
    assert time.monotonic() - began < 1


def test_what_retry_is_given_by_mistake_is_named() -> None:
    with pytest.raises(TypeError, match="lambda: sale.reserve"):
        retry(flashsale.Paused(0), soon())  # type: ignore[arg-type]

    async def run() -> None:
        async def call() -> None: ...

        with pytest.raises(TypeError, match="lambda: sale.reserve"):
            await retry_async(call(), soon())  # type: ignore[arg-type]

    asyncio.run(run())
    # A duration, a monotonic clock, milliseconds.
    for until in (10, 80_000.5, time.time() * 1000, float("nan")):
        with pytest.raises(ValueError, match="Unix time in seconds"):
            retry(lambda: flashsale.Paused(0), until)
    for wrong in (None, "10"):
        with pytest.raises(TypeError, match="Unix time in seconds"):
            retry(lambda: flashsale.Paused(0), wrong)  # type: ignore[arg-type]


def test_a_client_of_the_other_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="use AsyncSale"):
        Sale(redis.asyncio.Redis(), "s", "s:o")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="use Sale"):
        AsyncSale(redis.Redis(), "s", "s:o")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a client of redis-py"):
        Sale("redis://localhost", "s", "s:o")  # type: ignore[arg-type]
    assert repr(Sale(redis.Redis(), "s", "s:o")) == "Sale('s', 's:o')"


def unsafe(sale: Any) -> list[Any]:
    return [lambda: sale.create(1), lambda: sale.restock(1, ref=None)]


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_safe_to_repeat_is_sent_once(which: int) -> None:
    # redis-py itself sends again, from 6 on: not this.
    with FakeServer(CUT, b"+OK\r\n") as server:
        with pytest.raises(redis.ConnectionError):
            unsafe(sale_at(server))[which]()
        assert len(server.received) == 1
    with FakeServer() as server:
        sale = sale_at(server)
        with pytest.raises(UnsafeCall):
            retry(unsafe(sale)[which], soon())
        with pytest.raises(UnsafeCall), sale.pipeline() as pipe:
            unsafe(pipe)[which]()
        assert server.received == []
    with FakeServer(CUT, b"+OK\r\n") as server:
        retry(lambda: sale_at(server).create(1, saleid=new_id()), soon())
        assert len(server.received) == 2


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_safe_to_repeat_is_sent_once_by_asyncio(which: int) -> None:
    async def run() -> None:
        with FakeServer(CUT, b"+OK\r\n") as server:
            client = redis.asyncio.Redis(port=server.port, protocol=2)
            sale = AsyncSale(client, "s", "s:o")
            with pytest.raises(redis.ConnectionError):
                await unsafe(sale)[which]()
            assert len(server.received) == 1
            with pytest.raises(UnsafeCall):
                await retry_async(unsafe(sale)[which], soon())
            assert len(server.received) == 1
            await client.connection_pool.disconnect()

    asyncio.run(run())


def test_a_part_is_not_refunded_without_a_ref() -> None:
    with FakeServer() as server, pytest.raises(TypeError):
        sale_at(server).refund("a", qty=1)  # type: ignore[call-overload]


def test_an_id_cannot_be_forgotten() -> None:
    with FakeServer() as server:
        for method in (sale_at(server).reserve, sale_at(server).buy):
            with pytest.raises(TypeError):
                method("ann", 1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            sale_at(server).restock(1)  # type: ignore[call-arg]


def test_advice_is_there_for_every_answer_and_error() -> None:
    other = decode.answer("RESERVE")([b"LATER"])
    assert (other.advice.http, other.retry_after_s) == (500, None)
    assert decode.answer("RESERVE")([b"NOTSTARTED", 1001]).retry_after_s == 2
    assert flashsale.Paused(0).retry_after_s == 5
    for known, after in [(FlashSaleError("OOM", "x"), 1), (FlashSaleError("NOSKU", "x"), None)]:
        # A shop may treat an answer and an error alike.
        either: flashsale.Answer | FlashSaleError = known
        assert either.retry_after_s == after
    assert FlashSaleError("OOM", "x").advice.http == 503 and FlashSaleError("NEW", "x").advice.http == 400


def test_bases_tell_yes_from_no() -> None:
    assert isinstance(decode.answer("RELEASE")([b"RELEASED", b"a"]), flashsale.Yes)
    no = decode.answer("CHECKOUT")([b"RELEASED", b"a"])
    assert isinstance(no, flashsale.Released) and isinstance(no, flashsale.No)
    assert isinstance(decode.answer("CHECKOUT")([b"EXPIRED", b"a", 1, 5]), flashsale.NotNow)
    assert isinstance(decode.answer("CHECKOUT")([b"EXPIRED", b"a", 1, 0]), flashsale.No)
    assert isinstance(decode.answer("BUY")([b"MISMATCH", b"a"]), flashsale.Fault)
    base: flashsale.Answer = no
    assert base.status == "RELEASED"
    assert no.status is flashsale.Status.RELEASED and no.status == "RELEASED" and f"{no.status}" == "RELEASED"
    # About the id that was to be replaced.
    answer = decode.answer("RESERVE", "old")([b"SOLD", b"old", b"1-0"])
    assert isinstance(answer, flashsale.SoldReplaced) and isinstance(answer, flashsale.No)
    assert isinstance(decode.answer("RESERVE", "old")([b"SOLD", b"new", b"1-0"]), flashsale.Yes)
