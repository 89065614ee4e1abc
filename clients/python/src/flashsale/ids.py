"""Ids that a client makes, and the part of a split sale that a user belongs to."""

from __future__ import annotations

import binascii
import secrets
import time

from ._base import Name

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(part: int | None = None) -> str:
    """A ULID with 80 fresh random bits: nobody can guess it from another.

    For a split sale the last two letters are the part, which leaves 70 random bits.
    """
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    text = "".join(LETTERS[number >> shift & 31] for shift in range(125, -1, -5))
    if part is None:
        return text
    if not 0 <= part < 1024:
        raise ValueError(f"a split sale has at most 1024 parts, not one of the number {part}")
    return text[:24] + LETTERS[part >> 5] + LETTERS[part & 31]


def crc16(name: Name) -> int:
    """CRC16 as a cluster hashes keys, over all bytes: braces mean nothing."""
    return binascii.crc_hqx(name.encode() if isinstance(name, str) else name, 0)


def part_of(user: Name, parts: int) -> int:
    """The part of a split sale that has this user: `CRC16(user) mod 16384` in `parts` equal slices."""
    return (crc16(user) % 16384) * parts // 16384
