"""Redis servers of a test's own: with options, killed and started again, as a primary with a replica, as a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from tests.servers.process import HOST, accepts, free_port, running, spawn, stop, wait_until
from tests.servers.redis import _command, find, find_modern

_SLOTS = 16384


@dataclass(slots=True)
class Node:
    """One server, which a test may kill and start again on its port with its data.

    Attributes:
        port: Where it answers.
        command: How it was started.
        process: Its process at this moment.
    """

    port: int
    command: Sequence[str]
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://{HOST}:{self.port}/0"

    def admin(self) -> Redis:
        """Make a client for the test itself."""
        return Redis.from_url(self.url, decode_responses=True)

    def ask(self, *command: Any) -> Any:
        """Send one command."""
        with self.admin() as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        stop(self.process)

    @property
    def folder(self) -> Path:
        """Where its data are."""
        return Path(self.command[list(self.command).index("--dir") + 1])

    def start(self) -> None:
        """Start it again, and wait until it has read its data."""
        self.begin()
        self.wait_until(self.answers)

    def begin(self, *options: str) -> None:
        """Start it again with more options, and wait for nothing."""
        self.process = spawn([*self.command, *options], self._log)

    def answers(self) -> bool:
        """Tell whether it has read its data and answers."""
        try:
            return accepts(self.port) and bool(self.ask("PING"))
        except RedisError:
            return False

    def wait_until(self, ready: Callable[[], bool], within_s: float = 60.0) -> None:
        """Return as soon as ``ready`` says so; it fails where this server ends first, or in the end."""
        wait_until(ready, self.process, self._log, within_s=within_s)

    @property
    def _log(self) -> Path:
        return self.folder / "again.log"


@contextmanager
def own_redis(*options: str, binary: str | None = None) -> Iterator[Node]:
    """Run a server with these options until the block is left.

    Args:
        options: Added to the command line.
        binary: As the environment variable of ``tests.servers.redis`` names it.

    Raises:
        ServerMissing: There is no such program.
    """
    path, _ = find(binary)
    commands: list[list[str]] = []

    def command(port: int, folder: Path) -> list[str]:
        commands.append([*_command(path, port, folder), *options])
        return commands[-1]

    with running(command) as (port, process):
        node = Node(port, commands[-1], process)
        node.wait_until(node.answers)
        try:
            yield node
        finally:
            node.kill()


@contextmanager
def primary_and_replica() -> Iterator[tuple[Node, Node]]:
    """Run a primary and its replica, in step with each other."""
    with own_redis() as primary, replica_of(primary) as replica:
        yield primary, replica


@contextmanager
def replica_of(primary: Node, binary: str | None = None) -> Iterator[Node]:
    """Run a replica, which has the data of its primary from the beginning; ``binary`` as for :func:`own_redis`."""
    primary.ask("CONFIG SET", "repl-diskless-sync-delay", 0)  # 5 seconds for more replicas to come, by default
    with own_redis("--replicaof", HOST, str(primary.port), binary=binary) as replica:
        replica.wait_until(lambda: "up" == replication(replica)["master_link_status"])
        yield replica


@contextmanager
def cluster() -> Iterator[tuple[Node, ...]]:
    """Run a cluster of three primaries that share the slots.

    Raises:
        ServerTooOld: There is no Redis 7.0, which takes a bus port of our choice.
    """
    find_modern()
    with ExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(3):
            bus = free_port()
            nodes.append(stack.enter_context(own_redis("--cluster-enabled", "yes", "--cluster-port", str(bus))))
            nodes[0].ask("CLUSTER MEET", HOST, nodes[-1].port, bus)
        bounds = [_SLOTS * n // len(nodes) for n in range(len(nodes) + 1)]
        for node, first, behind in zip(nodes, bounds, bounds[1:], strict=False):
            node.ask("CLUSTER ADDSLOTSRANGE", first, behind - 1)
        for node in nodes:
            node.wait_until(partial(_is_complete, node))
        yield tuple(nodes)


def _is_complete(node: Node) -> bool:
    found = node.ask("CLUSTER INFO")
    text = found if isinstance(found, str) else "\n".join(f"{name}:{value}" for name, value in found.items())
    return "cluster_state:ok" in text and "cluster_known_nodes:3" in text


def replication(node: Node) -> dict[str, Any]:
    """Return what a server says of its part in replication."""
    with node.admin() as client:
        found: dict[str, Any] = client.info("replication")
    return found
