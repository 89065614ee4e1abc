"""**Goal**: each case of a late, double or lost payment ends as the rules of `jobs.py` say.

**Method**: the shop's processes on a real server. Moments that matter are made by stopping a
part or the server, or by cutting its AOF; nothing is mocked but the provider.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time

import httpx
import pytest

from harness import HTTP, PASSWORD, PRICES, Shop, operator, wait
from on_sale import SPLIT


# --- the plain way ------------------------------------------------------------------


@pytest.mark.parts
def test_a_pair_of_shoes_is_sold_and_captured(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    long.reaches(id, "captured")
    (payment,) = long.payments(id)
    assert (payment["captured"], payment["refunded"]) == (PRICES["red"], 0)
    assert ann.order(id)["says"] == "Bought."
    assert long.map("GET", id)["ref"] == payment["ref"]
    assert long.buyer().http.get(f"/order/{id}").status_code == 404


def test_a_payment_that_is_charged_at_once_is_kept(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"blue": 2})
    ann.pay(id, "bank")
    long.reaches(id, "captured")
    assert [one["captured"] for one in long.payments(id)] == [2 * PRICES["blue"]]


def test_a_double_click_is_one_reservation(long: Shop) -> None:
    ann, id = long.buyer(), "double-click-of-ann"
    clicks = [threading.Thread(target=ann.reserve, args=({"red": 1}, id)) for _ in range(3)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    user = ann.http.cookies["user"]
    assert long.map("USER", user)["reservations"] == [id]


@pytest.mark.parts
def test_a_second_tab_is_told_of_the_open_cart(long: Shop) -> None:
    ann = long.buyer()
    first = ann.reserve({"red": 2})
    reply = ann.http.post("/cart", json={"id": ann.new_id(), "items": {"red": 1}})
    assert reply.status_code == 409 and reply.json()["status"] == "USERLIMIT"
    assert reply.json()["open"] == [first]


def test_whoever_waits_in_line_gets_what_is_given_back_and_pays_for_it(shop: Shop) -> None:
    """Broken by: RESERVE without WAIT, an intent of a cart that has no units."""
    shop.create(red=1, hold_ms=600_000, waiting=9)
    ann, bob, cyd = shop.buyer(), shop.buyer(), shop.buyer()
    first, second = ann.reserve({"red": 1}), bob.new_id()
    place = bob.ask("POST", "/cart", 202, id=second, items={"red": 1})
    assert (place["status"], place["ahead"], place["left"]) == ("WAITING", 0, 1)
    assert cyd.ask("POST", "/cart", 202, id=cyd.new_id(), items={"red": 1})["ahead"] == 1
    other = bob.ask("POST", "/cart", 409, id=bob.new_id(), items={"red": 1})
    assert (other["status"], other["other_id"]) == ("PLACED", second)
    assert bob.order(second)["status"] == "waiting"
    bob.ask("POST", "/pay", 409, id=second)
    ann.ask("DELETE", "/cart", 200, id=first)
    assert bob.reserve({"red": 1}, second) == second
    bob.pay(second)
    shop.reaches(second, "captured")
    shop.say_none_is_left("red")
    # Two items at once cannot wait: as without a line.
    assert cyd.ask("POST", "/cart", 409, id=cyd.new_id(), items={"red": 1, "blue": 1})["status"] == "SOLDOUT"


def test_what_the_browser_says_of_prices_and_of_others_is_nothing(long: Shop) -> None:
    ann, eve = long.buyer(), long.buyer()
    id = ann.reserve({"red": 1})
    assert eve.http.post("/pay", json={"id": id}).status_code == 409
    # If Eve is on another part, nobody has this id there: hers is cancelled, and Ann's is as it was.
    assert eve.http.request("DELETE", "/cart", json={"id": id}).status_code in ((200, 404) if SPLIT else (404,))
    assert ann.http.post("/pay", json={"id": id, "cents": 1}).status_code == 200
    assert long.intent(id)["cents"] == PRICES["red"]
    new = ann.new_id()
    carts: tuple[object, ...] = (None, [], {"red": {}}, {"red": 0}, {"red": 1.5}, {"red": None})
    wrongs: tuple[object, ...] = ({"id": "short", "items": {"red": 1}}, {"items": {"red": 1}}, {"id": new}, [], None)
    wrongs += tuple({"id": new, "items": cart} for cart in carts) + ({"id": new, "items": {"red": 1}, "old": {}},)
    for wrong in wrongs:
        reply = ann.http.post("/cart", json=wrong)
        # As JSON: the page takes anything else for no answer, and asks again.
        assert (reply.status_code, reply.json()["status"]) == (400, "ERROR"), wrong
    reply = httpx.post(f"{long.url}/cart", json={"id": new, "items": {"red": 1}}, verify=False)
    assert (reply.status_code, reply.json()["status"]) == (400, "ERROR"), "without the cookie"
    assert ann.http.post("/cart", json={"id": ann.new_id(), "items": {"green": 1}}).status_code == 404


def test_a_large_body_is_refused(long: Shop) -> None:
    """Broken by: bodies that are collected whole, before a signature or a password is looked at."""
    for path in ("/webhook", "/cart", "/admin/login"):
        with contextlib.suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):  # It may hang up instead.
            reply = HTTP.post(long.url + path, content=(b"1" * 65_536 for _ in range(50)), headers={"Content-Type": "application/json"})
            assert reply.status_code == 413


def test_a_cart_that_is_cancelled_before_it_arrives_takes_nothing(long: Shop) -> None:
    """What the page relies on when its buyer stops asking."""
    ann, id = long.buyer(), "overtaken-by-its-end"
    assert ann.ask("DELETE", "/cart", 200, id=id)["status"] == "RELEASED"
    assert ann.http.post("/cart", json={"id": id, "items": {"red": 1}}).json()["status"] == "RELEASED"
    assert long.map("USER", ann.http.cookies["user"])["reservations"] == []


def test_a_cart_that_is_cancelled_gives_its_payment_back(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    assert ann.http.post("/pay", json={"id": id}).status_code == 200
    assert ann.http.request("DELETE", "/cart", json={"id": id}).json()["status"] == "RELEASED"
    long.reaches(id, "closed")
    assert [one["state"] for one in long.payments(id)] == ["cancelled"]
    assert ann.http.post("/pay", json={"id": id}).status_code == 409


def test_an_order_cannot_be_cancelled(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    long.reaches(id, "captured")
    assert ann.http.request("DELETE", "/cart", json={"id": id}).status_code == 409
    wait(long.is_idle, "the job that finds nothing to do")
    assert (long.state(id), long.payments(id)[0]["refunded"]) == ("captured", 0)


# --- the same thing twice, and out of order -----------------------------------------


def test_webhook_twice_and_redirect_at_once_are_one_order_and_one_capture(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    (payment,) = long.payments(id)
    told = [threading.Thread(target=long.webhook, args=(payment, "authorised")) for _ in range(3)]
    told.append(threading.Thread(target=ann.http.get, args=(f"/return/{payment['intent']}",)))
    for one in told:
        one.start()
    for one in told:
        one.join()
    long.reaches(id, "captured")
    assert long.webhook(payment, "authorised") == 200
    wait(long.is_idle, "every job done")
    assert [one["captured"] - one["refunded"] for one in long.payments(id)] == [PRICES["red"]]
    entries = [fields for fields in long.entries() if fields["id"] == id and fields["event"] == "order"]
    assert len(entries) == 1


def test_a_webhook_before_the_shop_knows_the_reference(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.http.post("/pay", json={"id": id})
    long.db.execute("UPDATE intents SET psp_ref = NULL WHERE reservation = ?", (id,))
    (payment,) = long.payments(id)
    HTTP.post(f"{long.psp_url}/pay/{payment['ref']}", data={"method": "card"})
    long.reaches(id, "captured")
    assert long.intent(id)["psp_ref"] == payment["ref"]


def test_cancelled_before_authorised(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.http.post("/pay", json={"id": id})
    (payment,) = long.payments(id)
    assert long.webhook(payment, "cancelled") == 200
    long.reaches(id, "closed")
    assert long.webhook(payment, "authorised") == 200
    wait(long.is_idle, "the later one given back")
    assert (long.state(id), long.payments(id)[0]["state"]) == ("closed", "cancelled")
    assert long.map("GET", id)["state"] == "released"


def test_paid_twice_is_charged_once(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id, "bank", times=2)
    long.reaches(id, "captured")
    wait(lambda: sorted(one["refunded"] for one in long.payments(id)) == [0, PRICES["red"]], "the second one given back")
    assert long.map("GET", id)["ref"] == long.intent(id)["psp_ref"]


def test_a_forged_or_wrong_webhook_moves_nothing(long: Shop) -> None:
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.http.post("/pay", json={"id": id})
    (payment,) = long.payments(id)
    assert long.webhook(payment, "authorised", signature="0" * 64) == 401
    assert long.state(id) == "open"
    assert long.webhook({**payment, "cents": 1}, "captured") == 200
    assert long.state(id) == "open" and "wrong amount" in long.alarms()
    assert long.webhook({**payment, "intent": "in_nowhere"}, "captured") == 200
    assert "unknown payment" in long.alarms()


@pytest.mark.parts
def test_already_sold_under_another_payment(long: Shop) -> None:
    """Somebody at the till sold it: the payment of the page goes back, the order stays."""
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    long.call("CHECKOUT", "shoes:orders", id, "REF", "till-1")
    ann.http.post("/pay", json={"id": id})
    assert long.rows("SELECT * FROM intents WHERE reservation = ?", id) == []
    id = ann.reserve({"red": 1})
    ann.http.post("/pay", json={"id": id})
    long.call("CHECKOUT", "shoes:orders", id, "REF", "till-2")
    ann.pay(id, "bank") if long.state(id) == "open" else None
    long.reaches(id, "closed")
    assert [one["captured"] - one["refunded"] for one in long.payments(id)] == [0]
    # Nor does `reconcile` take back what another payment bought. It has looked at all that is
    # left behind when it has closed the last of them.
    long.db.execute("UPDATE intents SET changed_at_ms = 0 WHERE reservation = ?", (id,))
    last = ("in_last", "never-reserved-by-ann", "ann", "[]", 1, 0, 0)
    long.db.execute("INSERT INTO intents (id, reservation, user, items, cents, expires_at_ms, changed_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)", last)
    long.reaches("never-reserved-by-ann", "closed")
    wait(long.is_idle, "every job done")
    assert long.map("GET", id)["state"] == "sold"


@pytest.mark.parts
def test_a_cart_that_changes_while_it_is_paid(long: Shop) -> None:
    ann = long.buyer()
    old, new = ann.reserve({"red": 1}), ann.new_id()
    ann.http.post("/pay", json={"id": old})
    change = {"id": new, "old": old, "items": {"red": 1, "blue": 1}}
    assert ann.http.put("/cart", json=change).status_code == 201
    assert ann.http.put("/cart", json=change).status_code == 201
    (payment,) = long.payments(old)
    HTTP.post(f"{long.psp_url}/pay/{payment['ref']}", data={"method": "bank"})
    long.reaches(old, "closed")
    wait(lambda: [one["captured"] - one["refunded"] for one in long.payments(old)] == [0], "the old payment given back")
    ann.pay(new)
    long.reaches(new, "captured")
    assert long.intent(new)["cents"] == PRICES["red"] + PRICES["blue"]


def test_a_capture_that_fails_puts_the_units_back(long: Shop) -> None:
    before = long.call("STOCK", "red")[0][3]
    ann = long.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id, "card-fails")
    long.reaches(id, "closed")
    wait(lambda: long.rows("SELECT * FROM refunds WHERE id = ? AND ref = 'unpaid'", id), "the refund's entry")
    wait(long.is_idle, "every job done")
    assert long.call("STOCK", "red")[0][3] == before
    assert [one["captured"] for one in long.payments(id)] == [0]
    assert "failed" in ann.order(id)["says"]
    # The same entries once more.
    long.read_again()
    wait(long.is_read, "every entry read again")
    wait(long.is_idle, "every job done")
    assert [row["ref"] for row in long.rows("SELECT ref FROM refunds WHERE id = ?", id)] == ["unpaid"]


# --- the operator -------------------------------------------------------------------


@pytest.mark.parts
def test_the_operator_pauses_restocks_and_refunds(long: Shop) -> None:
    ann, boss = long.buyer(), operator(long)
    id = ann.reserve({"red": 2})
    ann.pay(id)
    long.reaches(id, "captured")

    def act(**asked: object) -> int:
        return boss.post("/admin/act", json=asked).status_code

    assert act(action="pause") == 200
    assert ann.http.post("/cart", json={"id": ann.new_id(), "items": {"blue": 1}}).json()["status"] in ("PAUSED", "USERLIMIT")
    assert long.buyer().http.post("/cart", json={"id": ann.new_id(), "items": {"blue": 1}}).json()["status"] == "PAUSED"
    assert boss.get("/admin/state").json()["state"] == "paused"
    assert act(action="resume") == 200
    total = sum(long.call("STOCK", "red")[0][1:4])
    assert [act(action="restock", sku="red", delta=5, ref="lorry-1") for _ in range(2)] == [200, 200]
    assert sum(long.call("STOCK", "red")[0][1:4]) == total + 5
    assert [act(action="refund", id=id, ref="return-1") for _ in range(2)] == [200, 200]
    wait(lambda: long.payments(id)[0]["refunded"] == 2 * PRICES["red"], "the money back")
    assert act(action="refund", id=id, ref="return-2") == 409
    assert act(action="refund", id="nobody-has-this", ref="return-2") == 404
    wait(long.is_idle, "every job done")
    assert long.payments(id)[0]["refunded"] == 2 * PRICES["red"] and len(long.rows("SELECT * FROM refunds WHERE id = ?", id)) == 1


def test_the_admin_page_is_closed_without_its_password(long: Shop) -> None:
    http = httpx.Client(base_url=long.url, timeout=30, verify=False)
    assert http.post("/admin/login", json={"password": "guess"}).status_code == 401
    assert http.get("/admin/state").status_code == 401
    assert http.post("/admin/act", json={"action": "pause"}).status_code == 401
    http.cookies.set("admin", f"{int(time.time()) + 1000}.{'0' * 64}")
    assert http.get("/admin/state").status_code == 401
    reply = http.post("/admin/login", json={"password": PASSWORD})
    assert "samesite=strict" in reply.headers["set-cookie"].lower() and "httponly" in reply.headers["set-cookie"].lower()


def test_those_who_guess_do_not_keep_the_operator_out(long: Shop) -> None:
    """Broken by: the right password waits in line with the wrong ones."""
    guesses = [threading.Thread(target=HTTP.post, args=(f"{long.url}/admin/login",), kwargs={"json": {"password": "guess"}}) for _ in range(15)]
    for guess in guesses:
        guess.start()
    time.sleep(0.3)
    begun = time.monotonic()
    operator(long)
    assert time.monotonic() - begun < 5
    for guess in guesses:
        guess.join()
    wrongs: tuple[object, ...] = ([], "text", {}, {"password": 1})
    for wrong in wrongs:
        assert HTTP.post(f"{long.url}/admin/login", json=wrong).status_code in (400, 401)


# --- the page ---------------------------------------------------------------------------


def test_the_page_gets_the_stock_as_it_changes(long: Shop) -> None:
    end = time.monotonic() + 10
    with httpx.stream("GET", f"{long.url}/events", timeout=10) as reply:
        line = next(line for line in reply.iter_lines() if line.startswith("data: ") or time.monotonic() > end)
    told = json.loads(line.removeprefix("data: "))
    assert told["now_ms"] and "red" in [item["sku"] for item in told["items"]]


def test_the_shop_says_503_while_the_sale_does_not_answer(shop: Shop) -> None:
    shop.create(red=1)
    ann, id = shop.buyer(), "asked-again-by-ann"
    shop.server.kill()
    reply = ann.http.post("/cart", json={"id": id, "items": {"red": 1}})
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    shop.server.start()
    shop.create(red=1) if not shop.is_there() else None
    ann.reserve({"red": 1}, id)
    assert ann.order(id)["status"] == "reserved"
