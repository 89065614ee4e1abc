from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from harness import Shop, running


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: a test that shares one long-lived shop with others")
    config.addinivalue_line("markers", "parts: a test that a short run plays on a split sale too")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests by what they need, so that both kinds can run at once (`-m long`)."""
    for item in items:
        if "long" in getattr(item, "fixturenames", ()):
            item.add_marker("long")


@pytest.fixture(scope="session")
def processes() -> Iterator[Shop]:
    with running() as one:
        yield one


@pytest.fixture(scope="session")
def long() -> Iterator[Shop]:
    """One shop for all tests that need nothing of their own."""
    with running() as shop:
        shop.create(red=100, blue=100)
        yield shop


@pytest.fixture
def shop(processes: Shop) -> Iterator[Shop]:
    processes.reset()
    processes.take_turns()
    yield processes
    # Shown if the test failed.
    processes.report()
