"""The checks of the story name each fault, and the story passes where there is none.

The faults are planted in a small sale whose parts all run. FLASHSALE_PROGRAM and FLASHSALE_MODULE
name what is tested.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

FOLDER = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "shop-python")]
import provider  # noqa: E402
import till  # noqa: E402
from story import Story  # noqa: E402


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Three orders of one red each; the first was sent back."""
    one = Story(stock=20)
    monkeypatch.setattr(provider, "URL", one.psp_url)
    monkeypatch.setattr(provider, "SECRET", one.settings["SHOP_PSP_SECRET"])
    monkeypatch.setenv("SHOP_URL", one.settings["SHOP_URL"])
    try:
        for id in ("a", "b", "c"):
            one.redis.execute_command("FLASHSALE.RESERVE", "shoes", f"user-{id}", "ITEMS", 1, "red", 1, "ID", id)
            one.redis.execute_command("FLASHSALE.CHECKOUT", "shoes", "shoes:orders", id, "REF", f"ref-{id}")
        one.send_back()
        assert one.check() == []
        yield one
    finally:
        one.end()


def give_back(story: Story) -> None:
    provider.refund(till.payment_of("b", 12900), 100, "by-mistake")


def pay_again(story: Story) -> None:
    """As a buyer who goes back to the provider's page, which makes a second payment."""
    urllib.request.urlopen(f"{provider.URL}/pay/{till.payment_of('b', 12900)}", b"method=card", timeout=5).close()


def entry_of(story: Story, id: str) -> tuple[str, dict[str, str]]:
    [entry] = [one for one in story.redis.xrange("shoes:orders") if one[1]["id"] == id]
    return entry[0], entry[1]


def double(story: Story) -> None:
    story.redis.xadd("shoes:orders", entry_of(story, "b")[1])


def second_row(story: Story) -> None:
    columns = [name for _, name, *_ in story.db.execute("PRAGMA table_info(flashsale_orders)") if name != "id"]
    story.db.execute(f"INSERT INTO flashsale_orders (id, {', '.join(columns)}) SELECT x'7A', {', '.join(columns)} FROM flashsale_orders WHERE id = x'62'")


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (lambda story: story.db.execute("DELETE FROM flashsale_orders WHERE id = x'62'"), ["b: 1 red by the stream, no order by SQL"]),
        (second_row, ["z: no order by the stream, 1 red by SQL"]),
        (lambda story: till.capture("nobody", 12900), ["nobody: no cents by the stream, 12900 by the provider"]),
        (
            lambda story: story.redis.xdel("shoes:orders", entry_of(story, "b")[0]),
            [
                r"AUDIT: .+",
                r"STOCK has sold {'red': 2}, the stream {'red': 1}",
                "b: no order by the stream, 1 red by SQL",
                "b: no cents by the stream, 12900 by the provider",
            ],
        ),
        (
            double,
            [
                r"AUDIT: .+",
                "b is ordered 2 times in the stream",
                r"STOCK has sold {'red': 2}, the stream {'red': 3}",
                "b: 2 red by the stream, 1 red by SQL",
                "b: 25800 cents by the stream, 12900 by the provider",
            ],
        ),
        (
            lambda story: story.db.execute("""UPDATE flashsale_orders SET items = '[{"sku":"red","qty":2}]' WHERE id = x'62'"""),
            ["b: 1 red by the stream, 2 red by SQL"],
        ),
        (give_back, ["b: 12900 cents by the stream, 12800 by the provider"]),
        (pay_again, ["pay_4_[0-9a-f]+ of b is authorised, and nobody captures it"]),
    ],
    ids=["row-missing", "row-too-many", "capture-without-order", "entry-missing", "entry-doubled", "wrong-units", "wrong-cents", "paid-twice"],
)
def test_a_planted_fault_is_named(story: Story, plant: Callable[[Story], Any], says: list[str]) -> None:
    plant(story)
    wrong = story.check()
    assert len(wrong) == len(says), wrong
    for line, pattern in zip(wrong, says):
        assert re.fullmatch(pattern.replace("{", r"\{"), line), (line, pattern)


def ask(url: str, body: dict[str, Any], **headers: str) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)


def test_the_whole_story_passes_and_is_kept_until_it_is_ended() -> None:
    command = [sys.executable, "-B", str(FOLDER / "story.py"), "--buyers", "1500", "--within", "4", "--stock", "1600", "--keep"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert process.stdout
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line)
            if "All is still running" in line:
                break
        said = "".join(lines)
        assert "PASSED" in said and "Every check passed." in said, said
        assert all(f"{victim} killed, started again" in said for victim in ("server", "worker", "gateway", "till")), said
        # Somebody looks at the page, and buys.
        page = next(line.split()[-1] for line in lines if line.startswith("  the page "))
        cookie = {"Cookie": f"flashsale_user={'a' * 32}"}
        assert ask(f"{page}reservations", {"items": {"green": 1}}, **cookie, **{"Idempotency-Key": '"late-1"'})["answer"] == "RESERVED"
        assert ask(f"{page}reservations/late-1/payment", {"ref": "late-1"}, **cookie)["answer"] == "SOLD"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=90)
        assert process.returncode == 0 and "PASSED" in rest, rest
        orders = [re.findall(r"^  SQL +([\d,]+)", text, re.MULTILINE)[0] for text in (said, rest)]
        assert orders[0] != orders[1], orders
        folder = next(line.split()[-1] for line in lines if line.startswith("  SQL and logs"))
        assert not Path(folder).exists()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
