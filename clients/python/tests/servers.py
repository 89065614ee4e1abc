"""Real servers with the module: one alone, and a cluster of three.

    python servers.py COMMAND...    runs the command with FLASHSALE_PORT and FLASHSALE_CLUSTER_PORT

`FLASHSALE_SERVER` is the server's program, `FLASHSALE_MODULE` the module.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Iterator

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PROGRAM = os.environ.get("FLASHSALE_SERVER", "redis-server")
MODULE = os.environ.get("FLASHSALE_MODULE", "")


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"in vain for {seconds} s: {what}"
        time.sleep(0.02)


def free_port() -> int:
    # The bus of a cluster's node listens 10,000 higher.
    while True:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
        if 1024 < port < 55_000:
            return port


class Server:
    def __init__(self, *options: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="flashsale-client-")
        self.options = options
        self.port = free_port()
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        assert MODULE, "FLASHSALE_MODULE names no module"
        log = open(f"{self.folder}/log", "a")
        self.process = subprocess.Popen([PROGRAM, *options, "--loadmodule", MODULE, *self.options], stdout=log, stderr=log)
        log.close()
        until(self.answers, f"a server at {self.port}; see {self.folder}/log")

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            assert self.process.poll() is None, open(f"{self.folder}/log").read()[-2000:]
            return False

    def client(self) -> redis.Redis:
        # What redis-py does by itself about a server that is not up yet takes seconds.
        once = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, socket_timeout=10, decode_responses=True, retry=once)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def alone(*options: str) -> Iterator[Server]:
    server = Server(*options)
    try:
        yield server
    finally:
        server.end()


def run(server: Server, *words: object) -> Any:
    return server.client().execute_command(*words)  # type: ignore[no-untyped-call,unused-ignore]


def join(nodes: list[Server]) -> None:
    """Makes one cluster of three servers that have `--cluster-enabled yes`."""
    starts = [0, 5461, 10923, 16384]
    for node, first, after in zip(nodes, starts, starts[1:]):
        run(node, "CLUSTER ADDSLOTSRANGE", first, after - 1)
        run(nodes[0], "CLUSTER MEET", "127.0.0.1", node.port)

    def is_ready(node: Server) -> bool:
        info = str(run(node, "CLUSTER INFO"))
        return "cluster_state': 'ok" in info and "cluster_known_nodes': '3" in info

    for node in nodes:
        until(lambda: is_ready(node), "a cluster of three")


@contextlib.contextmanager
def cluster() -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(alone("--cluster-enabled", "yes")) for _ in range(3)]
        join(nodes)
        yield nodes[0]


@contextlib.contextmanager
def sentinel(watched: Server) -> Iterator[int]:
    """A Sentinel that knows the server as `shop`; its port."""
    port, folder = free_port(), tempfile.mkdtemp(prefix="flashsale-client-")
    with open(f"{folder}/conf", "w") as conf:
        conf.write(f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor shop 127.0.0.1 {watched.port} 1\n")
    # Sentinel writes to its file, so it is asked for by option and not by program.
    process = subprocess.Popen([PROGRAM, f"{folder}/conf", "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        one = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))

        def is_ready() -> bool:
            with contextlib.suppress(redis.RedisError):
                return bool(one.ping())
            return False

        until(is_ready, f"a Sentinel at {port}")
        yield port
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    is_short = os.environ.get("FLASHSALE_RUN") == "short"
    with alone() as one, contextlib.ExitStack() as stack:
        ports = {"FLASHSALE_PORT": str(one.port), "FLASHSALE_SENTINEL_PORT": str(stack.enter_context(sentinel(one)))}
        if not is_short:
            ports["FLASHSALE_CLUSTER_PORT"] = str(stack.enter_context(cluster()).port)
        return subprocess.run(sys.argv[1:], env=os.environ | ports).returncode


if __name__ == "__main__":
    sys.exit(main())
