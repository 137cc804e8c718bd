"""Redis servers of a test's own: with options, killed and started again, as a primary with a replica, as a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis, RedisError

from tests.servers.process import HOST, accepts, free_port, running, spawn, stop, wait_until
from tests.servers.redis import _command, find

SENTINEL_SERVICE = "emco"
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

    def start(self) -> None:
        """Start it again, and wait until it has read its data."""
        folder = Path(self.command[list(self.command).index("--dir") + 1])
        self.process = spawn(self.command, folder / "again.log")
        wait_until(lambda: accepts(self.port) and _answers(self), self.process, folder / "again.log")


def _answers(node: Node) -> bool:
    try:
        return bool(node.ask("PING"))
    except RedisError:
        return False


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
        wait_until(lambda: _answers(node), process)
        try:
            yield node
        finally:
            node.kill()


@contextmanager
def primary_and_replica() -> Iterator[tuple[Node, Node]]:
    """Run a primary and its replica, in step with each other."""
    with own_redis() as primary, own_redis("--replicaof", f"{HOST} {primary.port}") as replica:
        wait_until(lambda: "master_link_status:up" in _info(replica), replica.process)
        yield primary, replica


@contextmanager
def sentinel_of(primary: Node) -> Iterator[int]:
    """Run one sentinel that watches the primary; yield its port."""
    path, _ = find(None)

    def command(port: int, folder: Path) -> list[str]:
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"sentinel monitor {SENTINEL_SERVICE} {HOST} {primary.port} 1\n"
            f"sentinel down-after-milliseconds {SENTINEL_SERVICE} 300\n"
        )
        return [str(path), str(settings), "--sentinel", "--port", str(port), "--bind", HOST, "--dir", str(folder)]

    with running(command) as (port, _):
        yield port


@contextmanager
def cluster() -> Iterator[tuple[Node, ...]]:
    """Run a cluster of three primaries that share the slots; it needs Redis 7.0 for a bus port of our choice."""
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
            wait_until(lambda node=node: _is_complete(node), node.process)  # type: ignore[misc]  # mypy infers no default
        yield tuple(nodes)


def _is_complete(node: Node) -> bool:
    found = node.ask("CLUSTER INFO")
    text = found if isinstance(found, str) else "\n".join(f"{name}:{value}" for name, value in found.items())
    return "cluster_state:ok" in text and "cluster_known_nodes:3" in text


def _info(node: Node) -> str:
    return "\n".join(f"{name}:{value}" for name, value in node.ask("INFO", "replication").items())
