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
from flashsale.answers import SoldBefore

from harness import SHOP

pytestmark = pytest.mark.skipif(not (SHOP / "jobs.py").exists(), reason="the shop in Python alone")


def known(state: str, ref: str | None) -> Reservation:
    return Reservation(state, "ann", (), (), 1, 2, 3, None, "1-0", ref)


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
    monkeypatch.syspath_prepend(str(SHOP))
    monkeypatch.setenv("SHOP_DB", str(tmp_path / "shop.db"))
    import books
    import jobs
    import provider

    sale = SimpleNamespace(release=lambda id, user: SoldBefore(id, "1-0"), get=lambda id: found)
    given_back: list[str] = []
    monkeypatch.setattr(jobs, "shoes", sale)
    monkeypatch.setattr(provider, "give_back", lambda ref, key: given_back.append(ref))
    db = books.connect()
    db.execute("INSERT INTO intents VALUES ('in_1', 'cart-1', 'ann', '[]', 1, 'pay_1', 'authorised', 0, 0)")
    assert jobs.give_back(db, books.intent_of(db, "id", "in_1"), "") == again
    assert given_back == (["pay_1"] if is_given_back else [])
    assert books.intent_of(db, "id", "in_1")["state"] == state
