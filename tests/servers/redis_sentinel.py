"""A Redis primary with replicas and a sentinel that replaces it when it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis, RedisError

from tests.servers.process import HOST, running
from tests.servers.redis import find
from tests.servers.redis_nodes import Node, own_redis, replica_of, replication

SERVICE = "emco"
FAILOVER_WITHIN_S = 150.0
"""Some seconds, when all goes well. A sentinel that got no processor for two seconds does nothing for thirty more."""


@dataclass(slots=True)
class Watched:
    """Servers behind one sentinel.

    Attributes:
        nodes: The servers, first the one that was the primary in the beginning.
        port: The port of the sentinel.
    """

    nodes: tuple[Node, ...]
    port: int

    @property
    def primary(self) -> Node:
        """The server that the sentinel names, and which knows of it."""
        named = self._named()
        return next(node for node in self.nodes if node.port == named)

    def replicate(self) -> None:
        """Return when every replica has everything that the primary has."""
        with Redis.from_url(self.primary.url, single_connection_client=True) as client:
            client.set("replicate", "")  # WAIT is about what its own connection has written
            client.wait(len(self.nodes) - 1, 0)

    def fail_over(self) -> None:
        """Let the sentinel replace a primary that works, as for maintenance, and wait until the old one knows."""
        old = self.primary
        old.wait_until(self._begin_failover, FAILOVER_WITHIN_S)
        old.wait_until(lambda: self._is_replaced(old) and "slave" == _role(old), FAILOVER_WITHIN_S)

    def kill_primary(self) -> Node:
        """End the primary as a crash does; give it when the sentinel has put another one in its place."""
        old = self.primary
        old.kill()
        other = next(node for node in self.nodes if node is not old)
        other.wait_until(lambda: self._is_replaced(old), FAILOVER_WITHIN_S)
        return old

    def _begin_failover(self) -> bool:
        try:
            with self._sentinel() as client:
                return bool(client.execute_command("SENTINEL FAILOVER", SERVICE))
        except RedisError:  # it does not know a replica that is good enough yet
            return False

    def _is_replaced(self, old: Node) -> bool:
        return self._named() != old.port and "master" == _role(self.primary)

    def _named(self) -> int:
        with self._sentinel() as client:
            _, port = client.sentinel_get_master_addr_by_name(SERVICE)
        return int(port)

    def _sentinel(self) -> Redis:
        return Redis(host=HOST, port=self.port, decode_responses=True)


@contextmanager
def watched(replicas: int = 1) -> Iterator[Watched]:
    """Run a primary, its replicas and one sentinel, which knows all of them."""
    with ExitStack() as stack:
        primary = stack.enter_context(own_redis())
        nodes = (primary, *(stack.enter_context(replica_of(primary)) for _ in range(replicas)))
        path, _ = find(None)

        def command(port: int, folder: Path) -> list[str]:
            settings = folder / "sentinel.conf"
            settings.write_text(
                f"sentinel monitor {SERVICE} {HOST} {primary.port} 1\n"
                f"sentinel down-after-milliseconds {SERVICE} 3000\n"
                f"sentinel failover-timeout {SERVICE} 10000\n"
            )
            return [str(path), str(settings), "--sentinel", "--port", str(port), "--bind", HOST, "--dir", str(folder)]

        port, _ = stack.enter_context(running(command))
        found = Watched(nodes, port)
        primary.wait_until(lambda: replicas == _known_replicas(found))
        yield found


def _role(node: Node) -> str:
    try:
        return str(replication(node)["role"])
    except RedisError:  # a server that changes its role closes its connections
        return ""


def _known_replicas(found: Watched) -> int:
    with Redis(host=HOST, port=found.port, decode_responses=True) as client:
        return int(client.sentinel_master(SERVICE)["num-slaves"])
