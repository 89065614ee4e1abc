"""**Goal**: a shop on a split sale sends each user to their part, and what concerns the sale to every part.

**Method**: the shop's processes on a real server with `SHOP_SPLIT` parts, buyers of all of them. The
cases of `test_cases.py` and `test_lost.py` are played with the same setting.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from harness import PRICES, Buyer, Shop, command_of, operator, wait
from on_sale import IS_CLUSTER, NAME, ORDERS, SPLIT

pytestmark = [pytest.mark.parts, pytest.mark.skipif(not SPLIT, reason="SHOP_SPLIT says of how many parts")]


@pytest.fixture
def spread(shop: Shop) -> Shop:
    """The units are on all parts, and so are buyers."""
    shop.near = None
    return shop


def buyer_of(shop: Shop, number: int) -> Buyer:
    shop.near = number
    buyer = shop.buyer()
    shop.near = None
    return buyer


def known_at(shop: Shop, id: str) -> list[int]:
    """The parts that know an id."""
    return [number for number, known in enumerate(shop.maps("GET", id)) if known]


def test_each_buyer_is_sold_to_by_their_part_and_every_stream_is_read(spread: Shop) -> None:
    """Broken by: a user who is sent to another part; a worker that reads one stream."""
    spread.create(red=2 * SPLIT)
    ids = {}
    for number in range(SPLIT):
        buyer = buyer_of(spread, number)
        ids[number] = buyer.reserve({"red": 1})
        buyer.pay(ids[number])
    for number, id in ids.items():
        spread.reaches(id, "captured")
        assert known_at(spread, id) == [number]
    assert spread.net() == SPLIT * PRICES["red"]
    wait(spread.is_read, "every entry read")


def test_the_operator_sees_the_stock_of_all_parts_and_acts_on_each(spread: Shop) -> None:
    """Broken by: the stock of one part; a PAUSE of one part; a delivery to one part."""
    spread.create(red=SPLIT + 1)
    buyer = buyer_of(spread, SPLIT - 1)
    id = buyer.reserve({"red": 1})
    boss = operator(spread)

    def act(**asked: object) -> int:
        return boss.post("/admin/act", json=asked).status_code

    def stock() -> tuple[int, int, int]:
        (red,) = [item for item in boss.get("/admin/state").json()["items"] if item["sku"] == "red"]
        return red["available"], red["reserved"], red["sold"]

    assert stock() == (SPLIT, 1, 0)
    assert act(action="pause") == 200
    assert [info["state"] for info in spread.maps("INFO")] == ["paused"] * SPLIT
    assert boss.get("/admin/state").json()["state"] == "paused"
    assert act(action="resume") == 200
    assert [info["state"] for info in spread.maps("INFO")] == ["open"] * SPLIT
    totals = [info["total"] for info in spread.maps("INFO")]
    assert [act(action="restock", sku="red", delta=3 * SPLIT, ref="lorry-1") for _ in range(2)] == [200, 200]
    assert [info["total"] for info in spread.maps("INFO")] == [total + 3 for total in totals]
    # Nobody knows from which part it should go.
    assert act(action="restock", sku="red", delta=-1, ref="lorry-2") == 409
    buyer.pay(id)
    spread.reaches(id, "captured")
    assert stock() == (4 * SPLIT, 0, 1)
    wait(lambda: [group["behind"] + group["pending"] for group in boss.get("/admin/state").json()["groups"]] == [0], "one group, all read")
    assert act(action="refund", id=id, ref="return-1") == 200
    wait(lambda: spread.net() == 0, "the money back")
    assert stock() == (4 * SPLIT + 1, 0, 0)


def test_what_parts_have_lost_goes_back_to_each(spread: Shop) -> None:
    """Broken by: IMPORT at another part."""
    spread.create(red=2 * SPLIT)
    size = spread.aof_size()
    ids = {}
    for number in (0, SPLIT - 1):
        buyer = buyer_of(spread, number)
        ids[number] = buyer.reserve({"red": 1})
        buyer.pay(ids[number])
    for id in ids.values():
        spread.reaches(id, "captured")
    spread.kill("reconcile")
    spread.cut(size)
    assert [known_at(spread, id) for id in ids.values()] == [[], []]
    spread.start("reconcile")
    for number, id in ids.items():
        wait(lambda: known_at(spread, id) == [number], f"{id} back at part {number}")
    wait(spread.is_read, "every entry read")
    assert (spread.net(), spread.alarms()) == (2 * PRICES["red"], [])
    assert [audit["consistent"] for audit in spread.maps("AUDIT", ORDERS)] == [1] * SPLIT


@pytest.mark.skipif(not IS_CLUSTER, reason="the parts are on one server")
def test_parts_that_are_away_keep_nobody_else_from_buying(spread: Shop) -> None:
    """Broken by: the stock of all parts or none; a PAUSE that ends at the first part without an answer."""
    spread.create(red=2 * SPLIT)
    ann, bob, boss = buyer_of(spread, 0), buyer_of(spread, SPLIT - 1), operator(spread)
    id = bob.new_id()
    # The last third of the slots, and so of the parts.
    away = SPLIT // 3
    spread.servers[2].kill()
    assert bob.http.post("/cart", json={"id": id, "items": {"red": 1}}).status_code == 503
    hers = ann.reserve({"red": 1})
    ann.pay(hers)
    spread.reaches(hers, "captured")

    def is_paused() -> bool:
        told = boss.post("/admin/act", json={"action": "pause"})
        return told.status_code == 503 and f"{SPLIT - away} of {SPLIT} parts did it" in told.json()["says"]

    # A client that looks for the nodes anew may miss others for a moment.
    wait(lambda: f"{away} of {SPLIT} parts do not answer" in boss.get("/admin/state").json()["state"], "the parts that are away told")
    wait(is_paused, "PAUSE of all others")
    spread.servers[2].start()
    wait(lambda: boss.post("/admin/act", json={"action": "resume"}).status_code == 200, "RESUME of all parts")
    assert bob.reserve({"red": 1}, id) == id


def test_settings_that_are_not_those_of_the_sale_end_the_start(spread: Shop) -> None:
    """Broken by: users who are sent to the parts of another number; a part that is asked for seats."""
    spread.create(red=SPLIT)

    def refusal(part: str, **settings: str) -> str:
        ended = subprocess.run(command_of(part), env=os.environ | spread.settings | settings, capture_output=True, text=True, timeout=20)
        assert ended.returncode != 0
        return ended.stdout + ended.stderr

    for wrong in ("0", "x", "1025"):
        assert "SHOP_SPLIT" in refusal("jobs", SHOP_SPLIT=wrong)
    assert "SHOP_ORDERS" in refusal("jobs", SHOP_ORDERS="shoes:orders")
    spread.redis.hset(f"{{{NAME}}}:parts", "parts", 16)
    for part in ("shop", "jobs", "worker", "reconcile"):
        assert "shoes has parts 16, for ever" in refusal(part)
    spread.redis.delete(f"{{{NAME}}}:parts")
    spread.db.execute("INSERT INTO named VALUES ('red', 'seat')")
    try:
        assert "have names" in refusal("shop")
    finally:
        spread.db.execute("DELETE FROM named WHERE sku = 'red'")
