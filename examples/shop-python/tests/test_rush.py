"""**Goal**: whatever is killed, the sale, the stream, the books and the provider agree to the cent.

**Method**: 500 buyers (60 in a short run) click twice, open two tabs, abandon, cancel, change
their carts, pay late, twice and by cards that fail, while webhooks come late, repeated and out
of order, and server, shop, jobs, worker and reconcile are killed -9 in turn. Once the last
12,000 bytes of the AOF are cut off. What is owed then, the test decides as a person would.

The same for a split sale (`SHOP_SPLIT`). On a cluster (`SHOP_CLUSTER=yes`) its driver is killed
as well, no file is cut, as a driver relies on what a server has confirmed, and afterwards buyers
come until the last unit is sold, wherever it is.

`SHOP_SEED` repeats the draws, though not the moments.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections import Counter
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest

from harness import IS_SHORT, PASSWORD, PRICES, UNDECIDED, Shop, running, wait
from on_sale import IS_CLUSTER, ORDERS, SPLIT

BUYERS = int(os.environ.get("SHOP_BUYERS", "60" if IS_SHORT else "500"))
ARRIVE_S, LATE_MS, HOLD_MS, GRACE_MS = (8, 3000, 5000, 2000) if IS_SHORT else (60, 10_000, 8000, 4000)
STOCK, USERLIMIT = {"red": BUYERS // 3, "blue": BUYERS // 6}, 2
CUT = 12_000
VICTIMS = ("server", "shop", "jobs", "worker", "reconcile", *(["driver"] if IS_CLUSTER else []))


class Visit:
    """One tab of one buyer."""

    def __init__(self, shop: Shop, http: httpx.AsyncClient, dice: random.Random) -> None:
        self.shop, self.http, self.dice = shop, http, dice
        self.cookie = ""

    async def ask(self, method: str, url: str, **of: Any) -> httpx.Response | None:
        """The same request again until there is an answer."""
        end = time.time() + 30
        while time.time() < end:
            try:
                reply = await self.http.request(method, url, headers={"Cookie": self.cookie}, **of)
                if reply.status_code < 500:
                    return reply
            except httpx.HTTPError:
                pass
            await asyncio.sleep(self.dice.uniform(0.1, 0.6))
        return None

    async def cart(self, method: str, **asked: Any) -> Any:
        clicks = 2 if self.dice.random() < 0.25 else 1
        replies = await asyncio.gather(*(self.ask(method, self.shop.url + "/cart", json=asked) for _ in range(clicks)))
        return replies[0].json() if replies[0] is not None else {"status": "GONE"}

    async def run(self) -> str:
        dice, id = self.dice, f"{self.dice.getrandbits(96):024x}"
        units = dice.choice([{"red": 1}, {"red": 1}, {"blue": 1}, {"red": 2}, {"red": 1, "blue": 1}])
        for _ in range(3):
            answer = await self.cart("POST", id=id, items=units)
            if answer["status"] not in ("ALLRESERVED", "PAUSED"):
                break
            await asyncio.sleep(min(2, answer.get("retry_in_ms", 1000) / 1000))
        if answer["status"] == "USERLIMIT" and answer.get("open"):
            # The other tab has it: go on there.
            id = answer["open"][0]
        elif answer["status"] != "RESERVED":
            return str(answer["status"])
        fate = dice.choice(["buy"] * 10 + ["abandon", "cancel", "change", "change-late", "late", "late", "twice", "twice", "regret"])
        if fate == "abandon":
            return fate
        if fate == "cancel":
            await self.cart("DELETE", id=id)
            return fate
        if fate == "change":
            id = await self.change(id)
        await asyncio.sleep(dice.uniform(0, 1))
        pay = await self.ask("POST", self.shop.url + "/pay", json={"id": id})
        if pay is None or pay.status_code != 200:
            return f"{fate}, not payable"
        if fate == "change-late":
            await self.change(id)
        if fate == "late":
            await asyncio.sleep((HOLD_MS + dice.uniform(0, 2 * GRACE_MS)) / 1000)
        method = dice.choice(["card"] * 8 + ["bank"] * 3 + ["card-fails"])
        for _ in range(2 if fate == "twice" else 1):
            await self.ask("POST", pay.json()["pay_url"], data={"method": method})
        if dice.random() < 0.5:
            intent = self.shop.rows("SELECT id FROM intents WHERE reservation = ?", id)[0]["id"]
            await self.ask("GET", f"{self.shop.url}/return/{intent}")
        if fate == "regret":
            await self.cart("DELETE", id=id)
        return fate

    async def change(self, id: str) -> str:
        new, units = f"{self.dice.getrandbits(96):024x}", self.dice.choice([{"blue": 1}, {"red": 2}, {"red": 1}])
        answer = await self.cart("PUT", id=new, old=id, items=units)
        return new if answer["status"] == "RESERVED" else id


async def buy(shop: Shop, http: httpx.AsyncClient, seed: str, tally: Counter[str]) -> None:
    dice = random.Random(seed)
    await asyncio.sleep(dice.uniform(0, ARRIVE_S))
    tabs = [Visit(shop, http, random.Random(f"{seed} {tab}")) for tab in range(2 if dice.random() < 0.15 else 1)]
    home = await tabs[0].ask("GET", shop.url)
    if home is not None:
        for tab in tabs:
            tab.cookie = f"user={home.cookies['user']}"
        tally.update(await asyncio.gather(*(tab.run() for tab in tabs)))


async def kill_in_turn(shop: Shop, dice: random.Random, over: asyncio.Event) -> int:
    """Each in turn, until it is over; in the middle the AOF loses its end."""
    kills, middle, is_cut, pace = 0, time.time() + ARRIVE_S * 0.6, IS_CLUSTER, 0.0
    while not over.is_set() or not is_cut:
        await asyncio.sleep(dice.uniform(0.2, 1.2) + pace)
        victim = VICTIMS[kills % len(VICTIMS)]
        size = shop.aof().stat().st_size
        # Once the last buyer has gone it is cut anyway, also where little was sold.
        if not is_cut and (over.is_set() or (time.time() > middle and size > 1.25 * CUT)):
            await asyncio.to_thread(shop.cut, -min(CUT, size * 4 // 5))
            is_cut = True
        elif victim == "server":
            server = dice.choice(shop.servers)
            server.kill()
            await asyncio.to_thread(server.start)
        else:
            shop.kill(victim)
            await asyncio.sleep(dice.uniform(0, 0.5))
            shop.start(victim)
            if victim == "shop":
                # On a busy machine parts would be killed before they are up.
                began = time.time()
                await asyncio.to_thread(shop.wait_for, shop.url)
                pace = (time.time() - began) / 2
        kills += 1
    return kills


async def rush(shop: Shop, seed: int) -> tuple[Counter[str], int]:
    tally: Counter[str] = Counter()
    over = asyncio.Event()
    killing = asyncio.create_task(kill_in_turn(shop, random.Random(seed), over))
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    async with httpx.AsyncClient(timeout=10, limits=limits, verify=False) as http:
        # Each tab has a cookie of its own, and the client keeps none.
        http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        await asyncio.gather(*(buy(shop, http, f"{seed} {buyer}", tally) for buyer in range(BUYERS)))
    over.set()
    return tally, await killing


# --- afterwards ---------------------------------------------------------------------


def sell_the_rest(shop: Shop) -> None:
    """Buyers of all parts come until the sale says of each item that it is sold out."""
    end = time.time() + 180
    for sku in STOCK:
        while time.time() < end:
            buyer = shop.buyer()
            asked = {"id": buyer.new_id(), "items": {sku: 1}}
            reply = buyer.http.post("/cart", json=asked)
            while (answer := reply.json())["status"] in ("ALLRESERVED", "ERROR") and time.time() < end:
                time.sleep(min(1, answer.get("retry_in_ms", 200) / 1000))
                reply = buyer.http.post("/cart", json=asked)
            if answer["status"] == "SOLDOUT":
                break
            assert answer["status"] == "RESERVED", answer
            buyer.pay(str(asked["id"]))
        assert answer["status"] == "SOLDOUT", f"{sku} is not sold out: {shop.call('STOCK')}"


def decide_what_is_owed(shop: Shop) -> int:
    """Gives the money of each order back that the sale has lost and cannot sell again."""
    owed = shop.rows("SELECT id FROM alarms WHERE topic = 'owed'")
    if owed:
        with httpx.Client(base_url=shop.url, timeout=30, verify=False) as boss:
            assert boss.post("/admin/login", json={"password": PASSWORD}).status_code == 200
            for row in owed:
                assert boss.post("/admin/act", json={"action": "refund", "id": row["id"], "ref": "owed"}).status_code == 200
    return len(owed)


def is_settled(shop: Shop) -> bool:
    if shop.books()["webhooks_on_their_way"]:
        return False
    decide_what_is_owed(shop)
    undecided = shop.rows(f"SELECT 1 FROM intents WHERE state IN {UNDECIDED}")
    return bool(not undecided and shop.is_read() and shop.is_idle() and not any(info["reserved"] for info in shop.maps("INFO")))


def net_of(orders: Any, refunds: Any) -> dict[str, Counter[str]]:
    """What is left of each order, by item."""
    net: dict[str, Counter[str]] = {}
    for id, items in orders:
        net[id] = Counter({line["sku"]: line["qty"] for line in json.loads(items)})
    for id, items in refunds:
        net[id].subtract({line["sku"]: line["qty"] for line in json.loads(items)})
        assert min(net[id].values()) >= 0, f"more of {id} was refunded than sold"
    return {id: +units for id, units in net.items() if +units}


def in_the_stream(shop: Shop) -> dict[str, Counter[str]]:
    entries = shop.entries()
    orders = {one["id"]: one["items"] for one in entries if one["event"] == "order"}
    refunds = {(one["id"], one["ref"]): one["items"] for one in entries if one["event"] == "refund"}
    return net_of(orders.items(), [(id, items) for (id, _), items in refunds.items()])


def in_the_books(shop: Shop) -> dict[str, Counter[str]]:
    return net_of(shop.rows("SELECT id, items FROM orders"), shop.rows("SELECT id, items FROM refunds"))


def check_money(shop: Shop, books: dict[str, Counter[str]]) -> int:
    """Each intent has the money of its units, and nothing is held."""
    provider = shop.books()["payments"]
    assert [one for one in provider if one["state"] == "authorised"] == []
    total = 0
    for intent in shop.rows("SELECT * FROM intents"):
        units = books.get(intent["reservation"], Counter())
        wanted = sum(PRICES[sku] * qty for sku, qty in units.items())
        paid = sum(one["captured"] - one["refunded"] for one in provider if one["intent"] == intent["id"])
        assert paid == wanted, f"{dict(intent)} has {paid} cents for {dict(units)}; {[p for p in provider if p['intent'] == intent['id']]}"
        total += wanted
    return total


@pytest.mark.parts
@pytest.mark.parametrize("fsync", ["everysec"] if IS_SHORT or SPLIT else ["everysec", "always"])
def test_books_stream_sale_and_money_agree_after_a_rush(fsync: str) -> None:
    seed = int(os.environ.get("SHOP_SEED", time.time_ns() % 1_000_000))
    with running(fsync=fsync, late_ms=LATE_MS, copies=3) as shop:
        shop.create(**STOCK, hold_ms=HOLD_MS, grace_ms=GRACE_MS, userlimit=USERLIMIT)
        if IS_CLUSTER:
            shop.start("driver")
        tally, kills = asyncio.run(rush(shop, seed))
        try:
            shop.wait_for(shop.url)
            wait(lambda: is_settled(shop) and in_the_stream(shop) == in_the_books(shop), "all settled", 60)
            if IS_CLUSTER:
                sell_the_rest(shop)
                wait(lambda: is_settled(shop) and in_the_stream(shop) == in_the_books(shop), "all settled", 60)
            for audit in shop.maps("AUDIT", ORDERS):
                assert audit["consistent"] == 1, audit["differences"]
            books = in_the_books(shop)
            sold = {sku: qty for sku, _, _, qty, *_ in shop.call("STOCK")}
            assert sum(books.values(), Counter()) == +Counter(sold)
            captured = {row["reservation"] for row in shop.rows("SELECT reservation FROM intents WHERE state = 'captured'")}
            assert set(books) <= captured
            assert check_money(shop, books) == shop.net() == sum(PRICES[sku] * qty for sku, qty in sold.items())
            units: Counter[str] = Counter()
            for row in shop.rows("SELECT reservation, user FROM intents"):
                units[row["user"]] += books.get(row["reservation"], Counter()).total()
            assert max(units.values()) <= USERLIMIT
            assert shop.alarms() == []
            if IS_CLUSTER:
                assert sold == STOCK, "the last unit"
                said = subprocess.run(shop.driver("audit"), capture_output=True, text=True)
                assert said.returncode == 0, said.stdout + said.stderr
        except BaseException:
            os.environ["SHOP_KEEP"] = "1"
            print(f"SHOP_SEED={seed}")
            shop.report()
            raise
        print(f"\nseed {seed}, fsync {fsync}: {len(books)} orders of {sum(sold.values())} units, {kills} kills; {dict(tally)}")
