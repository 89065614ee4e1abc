"""Says what COMMAND DOCS cannot: what an editor shows beside methods, options and reads.

The same texts serve both clients: `{none}` becomes None or null, and names with underscores
become what TypeScript calls them.
"""

from __future__ import annotations

from .model import Command, Param

NOTES = {
    "create": "`stock` is the number of the one item `default`, or a number for each SKU. Without `saleid` it is not safe to repeat: `retry` refuses it. A limit of 0 is none.",
    "alter": "What is not given stays as it is. 0 is none for a limit, START and END.",
    "release": "`RELEASED` is final: no later CHECKOUT of the id succeeds. So release before money is given back.",
    "extend": "The new deadline is `ms` from now, but no later than MAXHOLD after the reservation was made. Without a MAXHOLD that is the sale's HOLD, so create the sale with a longer one.",
    "restock": "`delta` may be negative. With `ref` {none} it is not safe to repeat: `retry` refuses it.",
    "refund": "A part (`qty`) needs a `ref`.",
    "import": "It was sold, so nothing refuses it but another order under its id; units that are not there are owed.",
    "pause": "Open reservations can still be checked out.",
    "close": "Open reservations can still be checked out.",
    "stock": "Without a SKU it answers all items; {none} stands in the place of an unknown SKU.",
    "get": "It is {none} if the id is unknown.",
    "user": "All zeros for an unknown user.",
    "throttle": "The subject may call `count` times in `ms` milliseconds. Nothing remembers a call: sent again after a lost answer, it may count twice.",
    "scan": "Begin with the cursor 0, and go on with the cursor of each page until it is 0. A page may be empty.",
}

# By token, and by command and token where the token means something else.
OPTIONS: dict[str | tuple[str, str], str] = {
    "USERLIMIT": "most units that one user may have reserved and bought",
    "ITEMLIMIT": "most units of each SKU that one user may have reserved and bought",
    "ORDERLIMIT": "most units in one reservation",
    "SALELIMIT": "most units that the whole sale may have reserved and sold",
    "HOLD": "how long a reservation lasts; the server has a default",
    ("RESERVE", "HOLD"): "how long this reservation lasts, at most the sale's HOLD",
    ("MRESERVE", "HOLD"): "how long these reservations last, at most the sale's HOLD",
    "MAXHOLD": "how long a reservation may last with EXTEND; as HOLD by default",
    "GRACE": "how late a CHECKOUT may be, if the units are still there; 0 by default",
    "START": "when the sale opens, in Unix milliseconds",
    "END": "when the sale ends, in Unix milliseconds",
    "KEEP": "how long refunds stay possible after the end; then the key expires",
    "REMEMBER": "how long released and expired ids stay known; 10 minutes by default",
    "WAITING": "most people in line; 0, the default: nobody waits",
    "PATIENCE": "whoever was silent for so long is passed over at their turn; a minute by default, 0: nobody is",
    "PACE": "so many reservations begin in so many milliseconds, evenly; 0 and 0: as they are asked for",
    "USERRATE": "so many attempts of a user in so many milliseconds, and as many at once; 0 and 0: as many as they like",
    "FROMRATE": "the same for the source of a request, where it names one; 0 and 0: as many as come",
    "GROUP": "the split sale that this one is a part of; empty: none any more",
    "AT": "when it was sold, in Unix milliseconds",
    "PASSKEY": "up to two secrets of 16 to 128 bytes: a new id needs a pass that one of them made; none: nobody needs a pass",
    "EVENTS": "what the stream gets: `orders` and refunds, or `all` that happens",
    "SALEID": "a ULID that was made before the first try: the CREATE can be sent again",
    "ID": "the idempotency token: make it before the first try, keep it, and send it with each retry",
    "REPLACE": "the open reservation that becomes this one; the deadline stays",
    "WAIT": "where units are not to be had yet, the request waits in line under the id",
    "FROM": "where the request comes from, such as an address: what FROMRATE counts",
    "PASS": "the pass that the app made for this id and this user, in a sale with PASSKEY",
    "REF": "the payment's own reference: it distinguishes a retry from a second payment",
    ("REFUND", "REF"): "the return's own reference: it distinguishes a retry from a second return",
    ("RESTOCK", "REF"): "the delivery's own reference: it distinguishes a retry from a second delivery",
    "USER": "refuses a reservation of anybody else",
    "PAYLOAD": "JSON of yours, at most 64 KiB, for the entry in the stream",
    "QTY": "units of the only SKU, or of each SKU; without it all that is left is taken back",
    "NORESTOCK": "the units do not go back on sale",
    "RESTORELIMIT": "the units do not count against the user's limits any more",
    "NEW": "allows SKUs that the sale does not have yet",
    "SKU": "the item of all entries, if the sale has several",
    "COUNT": "how many places to look at; 10 by default",
    "BURST": "most calls at once; `count` by default",
    "COST": "how many calls this one counts for; 0 asks, and counts nothing",
    "STATE": "only ids in this state, as in GET",
}

# By command. The fields that their names do not explain.
READS = {
    "STOCK": "`available`, `reserved` and `sold` add up to the item's total; so many people are `waiting` for it.",
    "GET": "`state` is reserved, sold, refunded, released, expired or waiting. `items` are SKUs with numbers, and `refunded` those that were taken back. `order_id` is the entry in the stream. Of an id that waits, `number` is its position in line and `ahead` how many at most are in front, -1 before START. `refunds` are those of an order, as they were asked for. A field with nothing in it is {none}.",
    "USER": "`sold` is net of refunds, `counted` what counts against USERLIMIT, and `user_remaining` -1 without one. `reservations` are the ids of the oldest 100 of the `open` reservations, and `waiting` is the id under which the user waits in line.",
    "INFO": "`state` is scheduled, open, paused, ended, closed or diverged. `total`, `available`, `reserved` and `sold` are units of all items, `items` is the number of SKUs. An option that is not set is {none}; `passkeys` is how many secrets make passes. `events_waiting` entries are not in the stream yet; `events_lost` never will be. So many people are `waiting` in line; so many places were `granted` and `passed_over`. `drawn` are SKUs with how many people were drawn in their lines at `drawn_at_ms`, by `draw_seed`. `owed` units were sold or given and are not there; `share_id` names the sale to other sales, and `group` the split sale it is a part of.",
    "SCAN": "The cursor of the last page is 0.",
    "AUDIT": "`differences` are in words. What was compared with the stream is {none} unless that was asked for.",
    "THROTTLE": "`status` is ALLOWED, or THROTTLED, which counts nothing. Of `limit` calls at once, so many are `remaining`; this one would pass in `retry_in_ms`, and all of them are back in `reset_in_ms`.",
    "DOCTOR": "`severity` is error, warning or note.",
}

# A detail of `RESERVED` and `SOLD` that the clients read already.
UNITS = "`units` is empty: no version of the module gives units names yet."


def note(command: Command) -> str:
    own = "Each entry is answered or refused by itself." if command.is_batch else NOTES.get(command.method, "")
    return f"{command.summary} {own}".strip()


def option(command: Command, param: Param) -> str:
    """What the option means. One without a text here fails: nobody would find out from an editor."""
    if param.token is None or param.name == "stock":
        return ""
    meaning = OPTIONS.get((command.name, param.token)) or OPTIONS.get(param.token)
    if meaning is None:
        raise SystemExit(f"prose.py: nothing about {param.token} of {command.name}")
    return meaning
