"""Computes the draw of a sale again, from what anybody may see.

    draw.py SEED ITEM DRAWN <numbers

SEED is `draw_seed` of FLASHSALE.INFO, ITEM the position of the SKU in FLASHSALE.STOCK, from 0,
and DRAWN its number in `drawn`. Each line of the input is an id and its `number` of
FLASHSALE.GET; the output has the same ids in the order of their places, with the place first.
"""

import sys

MASK = 2**64 - 1
SECRET = bytes.fromhex("b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f")
ROUNDS = 90


def read(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def rotated(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & MASK


def xxh3_of_8(data: bytes, seed: int) -> int:
    """XXH3_64 of eight bytes with a seed."""
    swapped = int.from_bytes((seed & 0xFFFFFFFF).to_bytes(4, "little"), "big")
    flip = ((read(SECRET, 8) ^ read(SECRET, 16)) - (seed ^ swapped << 32)) & MASK
    mixed = (read(data, 4, 4) + (read(data, 0, 4) << 32)) ^ flip
    mixed ^= rotated(mixed, 49) ^ rotated(mixed, 24)
    mixed = mixed * 0x9FB21C651E98DF25 & MASK
    mixed = (mixed ^ (mixed >> 35) + 8) * 0x9FB21C651E98DF25 & MASK
    return mixed ^ mixed >> 28


def xxh3_of_21(data: bytes) -> int:
    """XXH3_64 of 21 bytes, without a seed."""
    mixed = 21 * 0x9E3779B185EBCA87
    for at, secret in ((0, 0), (5, 16)):
        product = (read(data, at) ^ read(SECRET, secret)) * (read(data, at + 8) ^ read(SECRET, secret + 8))
        mixed += product & MASK ^ product >> 64
    mixed &= MASK
    mixed = (mixed ^ mixed >> 37) * 0x165667919E3779F9 & MASK
    return mixed ^ mixed >> 32


def places(seed: bytes, item: int, drawn: int):
    """A function from a number to its place: swap-or-not of Hoang, Morris and Rogaway (2012)."""
    salts = [xxh3_of_21(seed + item.to_bytes(4, "little") + bytes([number])) for number in range(ROUNDS)]

    def place_of(number: int) -> int:
        if number >= drawn:
            return number
        for salt in salts:
            partner = (salt % drawn + drawn - number) % drawn
            if xxh3_of_8(max(number, partner).to_bytes(8, "little"), salt) & 1:
                number = partner
        return number

    return place_of


def main() -> None:
    seed, item, drawn = sys.argv[1:]
    place_of = places(bytes.fromhex(seed), int(item), int(drawn))
    people = [line.rsplit(maxsplit=1) for line in sys.stdin if line.strip()]
    for place, name in sorted((place_of(int(number)), name) for name, number in people):
        print(place, name)


if __name__ == "__main__":
    main()
