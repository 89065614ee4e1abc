"""Calls of the payment provider. Here that is the stand-in `psp.py`; yours has the same few."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import urllib.error
import urllib.request
from typing import Any

URL = os.environ.get("SHOP_PSP", "http://127.0.0.1:8001")
# Shared with the provider: signs its webhooks and our calls. There is no default.
SECRET = os.environ.get("SHOP_PSP_SECRET", "")


# States of a payment from which no money comes any more.
GONE = ("cancelled", "refunded")


class Refused(Exception):
    """The provider said no: `state` is what the payment is now."""

    def __init__(self, state: str) -> None:
        super().__init__(state)
        self.state = state


def call(path: str, key: str = "", **body: Any) -> dict[str, Any]:
    """POSTs with a body or an idempotency key, else GETs. An OSError is no answer."""
    data = json.dumps(body).encode() if key else None
    headers = {"Authorization": f"Bearer {SECRET}", "Idempotency-Key": key, "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(URL + path, data, headers), timeout=5) as reply:
            answer: dict[str, Any] = json.load(reply)
            return answer
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise
        if error.code == 402:
            raise Refused(json.load(error)["state"]) from error
        # Our mistake, and no reason to ask again every second.
        raise RuntimeError(f"{path}: HTTP {error.code}") from error


def create(intent: str, cents: int, currency: str, return_url: str) -> dict[str, Any]:
    return call("/payments", f"create:{intent}", intent=intent, cents=cents, currency=currency, return_url=return_url)


def get(ref: str) -> dict[str, Any]:
    return call(f"/payments/{ref}")


def capture(ref: str) -> None:
    """Raises Refused if the provider does not capture, or if the money was given back already.

    A payment that was charged at once is fine.
    """
    if call(f"/payments/{ref}/capture", f"capture:{ref}")["refunded"]:
        raise Refused("refunded")


def refund(ref: str, cents: int, key: str) -> None:
    call(f"/payments/{ref}/refund", key, cents=cents)


def give_back(ref: str, key: str) -> None:
    """All the money of a payment: cancelled if it was only authorised, else refunded."""
    try:
        call(f"/payments/{ref}/cancel", f"cancel:{key}")
    except Refused as refused:
        if refused.state == "captured":
            refund(ref, get(ref)["cents"], f"refund:{key}")


def is_signed(body: bytes, signature: str) -> bool:
    wanted = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return bool(SECRET) and hmac.compare_digest(wanted.encode(), signature.encode())
