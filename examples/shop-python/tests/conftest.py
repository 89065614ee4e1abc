from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import Shop, running


@pytest.fixture(scope="session")
def processes() -> Iterator[Shop]:
    with running() as one:
        yield one


@pytest.fixture
def shop(processes: Shop) -> Iterator[Shop]:
    processes.reset()
    yield processes
    # Shown if the test failed.
    processes.report()
