"""The examples of the README, played from top to bottom on an empty server."""

from __future__ import annotations

import re
from pathlib import Path

import redis

README = Path(__file__).resolve().parents[1] / "README.md"


def test_the_examples_of_the_readme_run(port: int) -> None:
    redis.Redis(port=port).flushall()
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 5
    scope: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        # The server of the test listens elsewhere.
        source = block.replace("Redis()", f"Redis(port={port})")
        exec(compile(source, str(README), "exec"), scope)
