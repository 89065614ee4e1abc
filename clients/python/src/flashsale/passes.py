"""Passes for a sale with PASSKEY: what the app gives to a browser after its own checks."""

from __future__ import annotations

import base64
import hashlib
import hmac

from ._base import Name


def _bytes(name: Name) -> bytes:
    return name.encode() if isinstance(name, str) else name


def new_pass(secret: Name, id: Name, user: Name, expires_at_ms: int) -> str:
    """The pass with which `user` may reserve once, under `id`, before `expires_at_ms`.

    The server's clock judges the moment: take it from `now_ms` of `info()`, not from here.
    """
    expires_at = str(int(expires_at_ms)).encode()
    name = _bytes(id)
    # Names are any bytes: the length says where the id ends and the user begins.
    text = b"%b.%b%b%b" % (expires_at, bytes([len(name)]), name, _bytes(user))
    tag = hmac.new(_bytes(secret), text, hashlib.sha256).digest()[:16]
    return f"{expires_at.decode()}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"
