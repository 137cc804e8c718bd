"""Servers of a test's own, which it may set as it likes; the shared ones must stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tests.servers import mongo, redis
from tests.servers.process import HOST, running


@contextmanager
def own_redis(*options: str) -> Iterator[str]:
    """Yield the URL of a new Redis server, which ends with the block.

    Args:
        options: More of its command line.

    Raises:
        ServerMissing: No program for it is here.
    """
    binary, _ = redis._find()
    with running(lambda port, folder: [*redis._command(binary, port, folder), *options]) as (port, _):
        yield f"redis://{HOST}:{port}/0"


@contextmanager
def own_standalone_mongo() -> Iterator[str]:
    """Yield the URL of a new MongoDB server without a replica set, which ends with the block.

    Raises:
        ServerMissing: No program for it is here.
    """
    command = partial(mongo._command, mongo._find())
    with running(lambda port, folder: [one for one in command(port, folder) if "replSet" not in one]) as (port, _):
        yield f"mongodb://{HOST}:{port}/"
