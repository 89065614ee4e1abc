"""The examples of the README, played from top to bottom on an empty server."""

from __future__ import annotations

import re
from pathlib import Path

import redis
from flashsale import Sale

README = Path(__file__).resolve().parents[1] / "README.md"
GUIDE = README.parents[2] / "docs" / "guide.md"


def test_the_example_of_the_guide_runs(port: int) -> None:
    client = redis.Redis(port=port)
    client.flushall()
    Sale(client, "hats", "hats:orders").create(3, userlimit=2)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "from flashsale import" in block]
    exec(compile(block.replace("Redis()", f"Redis(port={port})"), str(GUIDE), "exec"), {})
    assert Sale(client, "hats", "hats:orders").info().sold == 1


def test_the_examples_of_the_readme_run(port: int) -> None:
    redis.Redis(port=port).flushall()
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 5
    scope: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        # The server of the test listens elsewhere.
        source = block.replace("Redis()", f"Redis(port={port})")
        exec(compile(source, str(README), "exec"), scope)
