"""**Goal**: a job moves no money while it is not known whose a reservation is.

**Method**: the jobs of the Python shop in this process, with a sale whose answers are chosen:
between RELEASE and GET a real server would have to be cut within a millisecond.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flashsale import Reservation
from flashsale.answers import NoReservationOfId, ReleasedNow, SoldBefore

from harness import SHOP

pytestmark = pytest.mark.skipif(not (SHOP / "jobs.py").exists(), reason="the shop in Python alone")


def known(state: str, ref: str | None) -> Reservation:
    return Reservation(state, "ann", (), (), 1, 2, 3, None, "1-0", ref, None, None, (), ())


def books_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> Any:
    """A database with one intent, whose order is in it."""
    monkeypatch.syspath_prepend(str(SHOP))
    monkeypatch.setenv("SHOP_DB", str(tmp_path / "shop.db"))
    import books

    db = books.connect()
    db.execute("INSERT INTO intents VALUES ('in_1', 'cart-1', 'ann', '[]', 1, 'pay_1', ?, 0, 0)", (state,))
    db.execute("INSERT INTO orders VALUES ('sale-1', 'cart-1', 'pay_1', 'ann', 1, ?, NULL, 0)", ('[{"sku": "tee", "qty": 1}]',))
    return db


@pytest.mark.parametrize(
    "found, is_given_back, state, again",
    [
        (None, False, "closing", 1),
        (known("reserved", None), False, "closing", 1),
        (known("sold", "pay_1"), False, "closing", None),
        (known("sold", None), False, "closing", None),
        (known("sold", "till-1"), True, "closed", None),
        (known("refunded", "till-1"), True, "closed", None),
    ],
)
def test_what_was_sold_is_given_back_only_if_another_payment_bought_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Any, is_given_back: bool, state: str, again: Any
) -> None:
    db = books_of(tmp_path, monkeypatch, "authorised")
    import books
    import jobs
    import provider

    sale = SimpleNamespace(release=lambda id, user: SoldBefore(id, "1-0"), get=lambda id: found)
    given_back: list[str] = []
    monkeypatch.setattr(jobs, "shoes", SimpleNamespace(of=lambda user: sale))
    monkeypatch.setattr(provider, "give_back", lambda ref, key: given_back.append(ref))
    assert jobs.give_back(db, books.intent_of(db, "id", "in_1"), "") == again
    assert given_back == (["pay_1"] if is_given_back else [])
    assert books.intent_of(db, "id", "in_1")["state"] == state


@pytest.mark.parametrize("meanwhile", ["sold", "captured"])
def test_an_order_that_is_read_while_its_payment_goes_back_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Broken by: the end of an intent only from `closing`. Then the goods go out without money."""
    db = books_of(tmp_path, monkeypatch, "authorised")
    import books
    import jobs
    import provider

    sale = SimpleNamespace(release=lambda id, user: ReleasedNow(id))
    monkeypatch.setattr(jobs, "shoes", SimpleNamespace(of=lambda user: sale))
    monkeypatch.setattr(provider, "give_back", lambda ref, key: books.move(db, "in_1", ("closing",), meanwhile))
    assert jobs.give_back(db, books.intent_of(db, "id", "in_1"), "") is None
    assert books.intent_of(db, "id", "in_1")["state"] == "closed"
    assert [row["kind"] for row in db.execute("SELECT kind FROM jobs")] == ["take-back"]
    assert [row["topic"] for row in db.execute("SELECT topic FROM alarms")] == ["sold after all"]


@pytest.mark.parametrize(
    "state, refunded, is_taken_back",
    [("captured", 0, None), ("captured", 1, True), ("cancelled", 0, True), ("authorised", 0, False)],
)
def test_an_order_is_taken_back_only_if_its_money_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, refunded: int, is_taken_back: bool | None
) -> None:
    """Broken by: any refusal of the capture counts as "gone"; a payment that was refunded counts as captured."""
    db = books_of(tmp_path, monkeypatch, "sold")
    import books
    import jobs
    import provider

    def call(path: str, key: str = "", **body: object) -> dict[str, Any]:
        if state != "captured":
            raise provider.Refused(state)
        return {"state": state, "refunded": refunded}

    monkeypatch.setattr(provider, "call", call)
    sale = SimpleNamespace(refund=lambda id, ref: NoReservationOfId(id))
    monkeypatch.setattr(jobs, "shoes", SimpleNamespace(of=lambda user: sale))
    jobs.run(db, {"kind": "capture", "intent": "in_1", "ref": "", "tries": 0})
    after = {None: "captured", True: "closed", False: "sold"}[is_taken_back]
    assert books.intent_of(db, "id", "in_1")["state"] == after
    # The sale has lost the order: it is written off.
    assert [row["ref"] for row in db.execute("SELECT ref FROM refunds")] == (["unpaid"] if is_taken_back else [])
    assert [row["topic"] for row in db.execute("SELECT topic FROM alarms")] == (["capture"] if is_taken_back is False else [])
