"""**Goal**: what is paid late, or lost by Redis with its last moments, ends as the rules of `jobs.py` say.

**Method**: as in `test_cases.py`. What Redis loses is cut off the end of its AOF.
"""

from __future__ import annotations

import time

import pytest

from harness import HTTP, PRICES, Shop, operator, wait

# --- late ---------------------------------------------------------------------------


@pytest.mark.parts
def test_paid_within_grace_is_sold_if_units_are_there(shop: Shop) -> None:
    shop.create(red=1, grace_ms=60_000)
    ann = shop.buyer()
    id = ann.reserve_briefly()
    wait(lambda: shop.map("GET", id)["state"] == "expired", "the deadline")
    ann.pay(id)
    shop.reaches(id, "captured")


def test_paid_within_grace_waits_for_units_and_gives_back_at_its_end(shop: Shop) -> None:
    shop.create(red=1, grace_ms=5000)
    ann, bob = shop.buyer(), shop.buyer()
    id = ann.reserve_briefly()
    wait(lambda: shop.map("GET", id)["state"] == "expired", "the deadline")
    other = bob.reserve({"red": 1})
    ann.pay(id, "bank")
    shop.reaches(id, "authorised")
    # Bob buys it, so it does not come back.
    bob.pay(other)
    assert "checking" in ann.order(id)["says"]
    shop.reaches(id, "closed")
    assert [one["captured"] - one["refunded"] for one in shop.payments(id)] == [0]
    assert shop.map("GET", id)["state"] == "released"


def test_paid_after_grace_is_given_back(shop: Shop) -> None:
    shop.create(red=1)
    ann = shop.buyer()
    # Without the job of `expired`, whose RELEASE would come first.
    shop.kill("worker", "reconcile")
    id = ann.reserve_briefly()
    (payment,) = shop.payments(id)
    wait(lambda: shop.map("GET", id)["state"] == "expired", "the deadline")
    HTTP.post(f"{shop.psp_url}/pay/{payment['ref']}", data={"method": "bank"})
    shop.reaches(id, "closed")
    assert [one["captured"] - one["refunded"] for one in shop.payments(id)] == [0]


@pytest.mark.parts
def test_an_abandoned_payment_is_cancelled_after_grace(shop: Shop) -> None:
    shop.kill("reconcile")
    shop.create(red=1, grace_ms=3000)
    ann = shop.buyer()
    id = ann.reserve_briefly()
    wait(lambda: shop.rows("SELECT * FROM jobs WHERE kind = 'give-back'"), "the job of `expired`")
    (job,) = shop.rows("SELECT * FROM jobs")
    assert job["due_at_ms"] == shop.intent(id)["expires_at_ms"] + 3000
    shop.reaches(id, "closed")
    assert shop.payments(id)[0]["state"] == "cancelled"


# --- the four rules -----------------------------------------------------------------


def test_no_money_goes_back_before_release_is_answered(shop: Shop) -> None:
    """Rule 2 and 3. Broken by: refund before RELEASE."""
    shop.create(red=1)
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    shop.kill("jobs")
    ann.pay(id, "bank")
    shop.reaches(id, "authorised")
    shop.server.kill()
    shop.db.execute("INSERT INTO jobs (kind, intent, due_at_ms) VALUES ('give-back', ?, 0)", (shop.intent(id)["id"],))
    shop.start("jobs")
    shop.reaches(id, "closing")
    wait(lambda: shop.rows("SELECT * FROM jobs WHERE kind = 'give-back' AND tries > 1"), "two tries")
    assert shop.net() == PRICES["red"]
    # Meanwhile the sale sold it: the CHECKOUT was on its way.
    shop.server.start()
    shop.kill("jobs")
    if shop.map("GET", id)["state"] == "reserved":
        shop.call("CHECKOUT", "shoes:orders", id, "REF", shop.intent(id)["psp_ref"])
        shop.start("jobs")
        shop.reaches(id, "captured")
        assert shop.net() == PRICES["red"]


def test_a_release_that_says_sold_moves_no_money(shop: Shop) -> None:
    """Rule 2. Broken by: refund before RELEASE."""
    shop.create(red=1)
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    shop.kill("jobs", "worker")
    ann.pay(id, "bank")
    shop.reaches(id, "authorised")
    shop.call("CHECKOUT", "shoes:orders", id, "REF", shop.intent(id)["psp_ref"])
    shop.db.execute("UPDATE jobs SET kind = 'give-back'")
    shop.start("jobs")
    wait(shop.is_idle, "RELEASE answered")
    assert (shop.state(id), shop.net()) == ("closing", PRICES["red"])
    shop.start("worker")
    shop.reaches(id, "captured")
    assert shop.net() == PRICES["red"]


def test_the_answer_sold_captures_nothing(shop: Shop) -> None:
    """Rule 4. Broken by: capture on the answer."""
    shop.create(red=1)
    shop.kill("worker", "reconcile")
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    wait(lambda: shop.map("GET", id)["state"] == "sold", "the CHECKOUT")
    wait(shop.is_idle, "its job done")
    assert ann.order(id)["says"] == "Bought."
    time.sleep(0.5)
    assert (shop.state(id), shop.net()) == ("authorised", 0)
    shop.start("worker")
    shop.reaches(id, "captured")


def test_an_entry_is_acknowledged_after_its_transaction(shop: Shop) -> None:
    """Broken by: XACK first."""
    shop.create(red=1)
    shop.kill("reconcile", "jobs")
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    shop.reaches(id, "authorised")
    wait(shop.is_read, "the worker at the end of the stream")
    # The worker gets the entry, and cannot write it down.
    read, ref = shop.reached(), shop.intent(id)["psp_ref"]
    shop.db.execute("BEGIN IMMEDIATE")
    shop.call("CHECKOUT", "shoes:orders", id, "REF", ref)
    wait(lambda: shop.reached() != read, "the entry read")
    time.sleep(0.5)
    shop.kill("worker")
    shop.db.execute("ROLLBACK")
    shop.start("worker", "jobs")
    shop.reaches(id, "captured")


def test_a_sold_order_is_never_given_back_whatever_the_sale_believes(shop: Shop) -> None:
    """Rule 1. A lost tail lets a sold order expire. Broken by: give back from `sold`."""
    shop.create(red=1)
    ann = shop.buyer()
    id = ann.reserve_briefly(5000)
    size = shop.aof_size()
    ann.pay(id)
    shop.reaches(id, "captured")
    shop.kill("reconcile")
    shop.cut(size)
    wait(lambda: shop.map("GET", id)["state"] == "expired", "the deadline of what was sold")
    shop.db.execute("INSERT INTO jobs (kind, intent, due_at_ms) VALUES ('give-back', ?, 0)", (shop.intent(id)["id"],))
    wait(shop.is_idle, "the job that finds nothing to do")
    assert (shop.state(id), shop.net()) == ("captured", PRICES["red"])
    # Too late for a CHECKOUT, and not for IMPORT: the unit is there still.
    shop.start("reconcile")
    wait(lambda: shop.map("GET", id)["state"] == "sold", "the order brought back")
    wait(shop.is_read, "its entry read")
    assert (shop.state(id), shop.net(), shop.alarms()) == ("captured", PRICES["red"], [])


# --- Redis lost its last moments ----------------------------------------------------


def lose_the_checkout(shop: Shop, parts: tuple[str, ...], reached: str) -> str:
    """A shop whose server loses a CHECKOUT, while the parts did not run."""
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.http.post("/pay", json={"id": id})
    size = shop.aof_size()
    shop.kill("reconcile", *parts)
    ann.pay(id)
    shop.reaches(id, reached)
    wait(lambda: shop.map("GET", id)["state"] == "sold", "the CHECKOUT")
    wait(shop.is_idle, "every job done")
    shop.cut(size)
    assert shop.map("GET", id)["state"] == "reserved"
    return id


def test_a_lost_checkout_whose_entry_was_read_is_sold_again(shop: Shop) -> None:
    shop.create(red=1)
    id = lose_the_checkout(shop, (), "captured")
    shop.start("reconcile")
    wait(lambda: shop.map("GET", id)["state"] == "sold", "the order sold again")
    wait(shop.is_read, "its entry read")
    assert (shop.state(id), shop.net(), shop.alarms()) == ("captured", PRICES["red"], [])


@pytest.mark.parts
def test_a_lost_checkout_whose_entry_was_not_read_is_sent_again(shop: Shop) -> None:
    shop.create(red=1)
    id = lose_the_checkout(shop, ("worker",), "authorised")
    shop.start("worker", "reconcile")
    shop.reaches(id, "captured")
    assert (shop.net(), shop.alarms()) == (PRICES["red"], [])


def test_a_lost_reservation_is_bought_in_one_step(shop: Shop) -> None:
    shop.create(red=1)
    size = shop.aof_size()
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    shop.reaches(id, "captured")
    shop.kill("reconcile")
    shop.cut(size)
    assert shop.call("GET", id) is None
    shop.start("reconcile")
    wait(lambda: sold(shop) == 1, "the order bought again")
    assert (shop.state(id), shop.net(), shop.alarms()) == ("captured", PRICES["red"], [])


def sold(shop: Shop) -> int:
    return int(shop.call("STOCK", "red")[0][3])


@pytest.mark.parts
def test_a_lost_order_whose_unit_is_gone_is_owed(shop: Shop) -> None:
    shop.create(red=1)
    size = shop.aof_size()
    ann, bob = shop.buyer(), shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    shop.reaches(id, "captured")
    shop.kill("reconcile")
    shop.cut(size)
    other = bob.reserve({"red": 1})
    bob.pay(other)
    shop.reaches(other, "captured")
    shop.start("reconcile")
    wait(lambda: "owed" in shop.alarms(), "the order that is owed")
    # The person finds a unit: reconcile sells it to Ann as soon as it looks again.
    shop.call("RESTOCK", "ITEMS", 1, "red", 1, "REF", "found-1")
    shop.kill("reconcile")
    shop.start("reconcile")
    wait(lambda: sold(shop) == 2 and not shop.alarms(), "both sold")
    assert shop.net() == 2 * PRICES["red"]


def test_an_order_that_was_refunded_in_part_and_then_lost_comes_back_with_its_refund(shop: Shop) -> None:
    """Broken by: an order with any refund counts as given back."""
    shop.create(red=2)
    size = shop.aof_size()
    ann, bob = shop.buyer(), shop.buyer()
    id = ann.reserve({"red": 2})
    ann.pay(id)
    shop.reaches(id, "captured")
    shop.call("REFUND", "shoes:orders", id, "ITEMS", 1, "red", 1, "REF", "return-1")
    wait(lambda: shop.net() == PRICES["red"], "the money of one pair back")
    shop.kill("reconcile")
    shop.cut(size)
    other = bob.reserve({"red": 2})
    bob.pay(other)
    shop.reaches(other, "captured")
    shop.start("reconcile")
    wait(lambda: "owed" in shop.alarms(), "the order that is owed")
    wait(lambda: shop.map("GET", id)["refunded"], "its refund made again")

    def refund(ref: str) -> int:
        return operator(shop).post("/admin/act", json={"action": "refund", "id": id, "ref": ref}).status_code

    # Under its REF, the rest would be another refund.
    assert (refund("return-1"), refund("owed")) == (422, 200)
    wait(lambda: shop.net() == 2 * PRICES["red"], "the money of the other pair back")
    wait(shop.is_idle, "every job done")
    assert [row["qty"] for row in shop.rows("SELECT qty FROM refunds WHERE id = ? ORDER BY at_ms", id)] == [1, 1]
    assert refund("again") == 409


@pytest.mark.parts
def test_a_lost_refund_is_made_again(shop: Shop) -> None:
    shop.create(red=1)
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    shop.reaches(id, "captured")
    size = shop.aof_size()
    shop.kill("reconcile")
    reply = operator(shop).post("/admin/act", json={"action": "refund", "id": id, "ref": "return-1"})
    assert reply.status_code == 200, reply.text
    wait(lambda: shop.net() == 0, "the money back")
    shop.cut(size)
    assert sold(shop) == 1
    shop.start("reconcile")
    wait(lambda: sold(shop) == 0, "the units back again")
    wait(shop.is_idle, "every job done")
    assert [one["refunded"] for one in shop.payments(id)] == [PRICES["red"]]


def test_an_expiry_that_was_never_told_is_found(shop: Shop) -> None:
    shop.create(red=1)
    shop.kill("worker")
    ann = shop.buyer()
    id = ann.reserve_briefly()
    shop.reaches(id, "closed")
    assert shop.payments(id)[0]["state"] == "cancelled"


def test_entries_are_read_when_the_sale_is_gone(shop: Shop) -> None:
    """Broken by: INFO of the sale for an `expired`, whatever INFO answers."""
    shop.create(red=1)
    shop.kill("worker", "reconcile")
    id = shop.buyer().reserve_briefly()
    wait(lambda: shop.map("GET", id)["state"] == "expired", "the deadline")
    wait(lambda: "expired" in [fields["event"] for fields in shop.entries()], "its entry")
    shop.drop()
    shop.start("worker")
    wait(shop.is_read, "every entry read")


@pytest.mark.parts
def test_an_order_of_a_closed_intent_is_taken_back(shop: Shop) -> None:
    """Its money went back, so its units do, whoever sold it.

    Under the REF of a capture that fails: if Redis loses the one refund, the other is the same.
    """
    shop.create(red=1)
    shop.kill("reconcile")
    ann = shop.buyer()
    id = ann.reserve({"red": 1})
    ann.pay(id)
    shop.reaches(id, "captured")
    shop.kill("worker")
    # As if it had been closed before its entry came.
    shop.db.execute("UPDATE intents SET state = 'closed'")
    shop.db.execute("DELETE FROM orders")
    shop.read_again()
    shop.start("worker")
    wait(lambda: sold(shop) == 0, "the units back")
    wait(shop.is_idle, "every job done")
    assert [fields["ref"] for fields in shop.entries() if fields["event"] == "refund"] == ["unpaid"]
