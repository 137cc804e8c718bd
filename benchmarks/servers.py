"""The servers that can run here, for as long as something is measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.oplog import read_along
from tests.servers.mongo import running_mongo
from tests.servers.process import ServerMissing
from tests.servers.redis import running_redis

STARTERS = {"mongo": running_mongo, "redis": running_redis}


@contextmanager
def servers(names: set[str]) -> Iterator[dict[str, tuple[str, str]]]:
    """Start the servers; give URL and version of each that can run here."""
    with ExitStack() as stack:
        found: dict[str, tuple[str, str]] = {}
        for name in sorted(names):
            try:
                server = stack.enter_context(STARTERS[name]())
            except ServerMissing as problem:
                print(f"{name} is not measured: {problem}")
            else:
                found[name] = (server.url, server.version)
                if name == "mongo":
                    stack.enter_context(read_along(server.url))
        yield found
