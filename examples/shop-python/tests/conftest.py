from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import Shop, running


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running() as one:
        yield one
