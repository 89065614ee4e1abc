from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import servers

CLIENTS = Path(__file__).resolve().parents[2]
# A short run asks one server, with one way to talk to it.
IS_SHORT = os.environ.get("FLASHSALE_RUN") == "short"


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    with servers.alone() as server:
        yield server.port


@pytest.fixture(scope="session")
def cluster_port() -> Iterator[int]:
    if IS_SHORT:
        pytest.skip("a short run")
    with servers.cluster() as server:
        yield server.port
