"""Redis servers to strike at: one that syncs each commit, a pair with a failover by hand, and one by a sentinel."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from typing import Any

from redis import Redis, RedisError, Sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from emco_store.backends.redis.backend import RedisBackend
from emco_store.ports import AsyncPort, Durability, Port
from proof.rig import Rig
from tests.proof.faults.grounds import Fault, Ground, pause
from tests.proof.faults.striking import Watch
from tests.proof.faults.wire import Wire, dropping, swallowing, wired
from tests.servers.process import HOST
from tests.servers.redis_nodes import Node, own_redis, replica_of, replication
from tests.servers.redis_sentinel import FAILOVER_WITHIN_S, SERVICE, watched

SYNCED = ("--appendonly", "yes", "--appendfsync", "always")
_COMMIT = b"tx:"
"""In the bytes of each commit and of each ``settle``: the key of its outcome."""
_TIMEOUT = "?socket_timeout=1"
_REFUSED = 10


@contextmanager
def alone() -> Iterator[Ground]:
    """One server with an append-only file that is synced before each reply."""
    with own_redis(*SYNCED) as node, wired(node.port) as wire:
        direct, through = (Rig("redis", RedisBackend(url + _TIMEOUT), url + _TIMEOUT) for url in (node.url, wire.url))

        def kill(random: Random, _: Watch) -> None:
            node.kill()
            pause(random, 0.3)
            node.start()

        def freeze(random: Random, _: Watch) -> None:
            node.process.send_signal(signal.SIGSTOP)
            pause(random, 4.0)
            node.process.send_signal(signal.SIGCONT)
            node.wait_until(node.answers)

        def squeeze(_: Random, watch: Watch) -> None:
            node.ask("CONFIG SET", "maxmemory", 1)
            try:
                watch.until_more(_REFUSED, "failed")
            finally:
                node.ask("CONFIG SET", "maxmemory", 0)

        faults = {
            "kill -9 and restart": Fault(kill, direct),
            "SIGSTOP and SIGCONT": Fault(freeze, direct),
            "memory full for a while": Fault(squeeze, direct),
            "lost requests and replies": Fault(dropping(wire, _COMMIT), through),
            "black hole": Fault(swallowing(wire), through),
        }
        yield Ground(Durability.LOCAL_SYNC, faults)


@contextmanager
def pair() -> Iterator[Ground]:
    """A primary and its replica, behind an address that leads to the primary."""
    with own_redis(*SYNCED) as first, replica_of(first) as second, wired(first.port) as wire:
        nodes = [first, second]
        rig = Rig("redis", RedisBackend(wire.url, replicas=1))

        def fail_over(random: Random, _: Watch) -> None:
            nodes[0].kill()
            pause(random, 0.3)
            promote(nodes[1], wire)
            nodes.reverse()
            nodes[1].begin("--replicaof", HOST, str(nodes[0].port))
            nodes[1].wait_until(partial(_follows, nodes[1], nodes[0]))

        yield Ground(
            Durability.REPLICATED, {"failover to the replica": Fault(fail_over, rig)}, only_reads=False, gaps=True
        )


def promote(node: Node, wire: Wire) -> None:
    """Make a primary of a replica, and lead clients there."""
    node.ask("CONFIG SET", "repl-diskless-sync-delay", 0)
    node.ask("REPLICAOF", "NO", "ONE")
    wire.point_at(node.port)


class _Behind:
    """The backend of what a sentinel says is the primary; blocking."""

    def __init__(self, stack: ExitStack, port: int) -> None:
        self._stack = stack
        self._sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]  # redis-py does not say its types
            [(HOST, port)], socket_timeout=5, sentinel_kwargs={"retry": Retry(NoBackoff(), 0), "socket_timeout": 5}
        )
        for one in self._sentinel.sentinels:
            stack.callback(one.close)

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        client: Redis = self._sentinel.master_for(SERVICE, retry=Retry(NoBackoff(), 0), socket_timeout=5)
        self._stack.callback(client.close)
        return RedisBackend(client, replicas=1).port(namespace)

    def async_port(self, namespace: str) -> AsyncPort:
        """Refuse: its clients are blocking ones."""
        raise NotImplementedError(namespace)


@contextmanager
def guarded() -> Iterator[Ground]:
    """A primary, two replicas and a sentinel."""
    with ExitStack() as stack:
        servers = stack.enter_context(watched(replicas=2))
        rig = Rig("redis", _Behind(stack, servers.port))

        def fail_over(_: Random, __: Watch) -> None:
            old = servers.kill_primary()
            primary = servers.primary
            primary.ask("CONFIG SET", "repl-diskless-sync-delay", 0)
            # It has no data. As a primary it would be asked: while a failover ends, clients may be told of the old one.
            old.begin("--replicaof", HOST, str(primary.port))
            for node in servers.nodes:
                if node is not primary:
                    node.wait_until(partial(_follows, node, primary), FAILOVER_WITHIN_S)

        faults = {"failover by Sentinel": Fault(fail_over, rig)}
        yield Ground(Durability.REPLICATED, faults, tasks=False, only_reads=False, gaps=True)


def _follows(node: Node, primary: Node) -> bool:
    try:
        found = replication(node)
    except RedisError:  # it does not listen yet, or changes its role
        return False
    return (found["role"], found.get("master_port"), found.get("master_link_status")) == ("slave", primary.port, "up")


GROUNDS = (alone, pair, guarded)
