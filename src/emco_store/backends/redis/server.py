"""What a Redis server must be, read from its own report; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emco_store.backends.redis.commands import FEED_KEPT, OUTCOMES_KEPT
from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import Durability, Guarantees

OLDEST = (6, 2)
MODERN = (7, 0)
"""From here on, scripts can say before they begin what they need."""
_COMMANDS = (
    *("evalsha", "eval", "script|load", "info", "config|get"),
    *("type", "get", "set", "del", "hget", "hmget", "hset", "hdel", "hlen", "hexists", "time", "expire", "wait"),
    *("zadd", "zrem", "zrangebylex", "zrevrangebylex", "zrangebyscore", "zcount"),
    *("xadd", "xrange", "xrevrange", "xread"),
)
"""What the port and its scripts call. What redis-py sends on its own account is left out: it goes on without."""


def acl_line(namespace: str) -> str:
    """Return the rules of a user that may serve one namespace and nothing else; name and password come before them.

    CONFIG GET is for the durability class alone: without it, an append-only file counts as ``everysec``.
    """
    commands = " ".join(f"+{name}" for name in _COMMANDS)
    return f"resetkeys ~{{emco:{namespace}}}:* resetchannels -@all {commands}"


def judge(
    reports: Sequence[tuple[Mapping[str, Any], str | None]], *, in_cluster: bool, replicas: int = 0
) -> tuple[Guarantees, bool]:
    """Judge all primaries by their ``INFO`` and ``appendfsync``, None where that may not be read.

    Args:
        reports: What each primary says.
        in_cluster: Whether the client is one of a cluster.
        replicas: How many replicas each commit waits for.

    Returns:
        What all of them promise, and whether all of them are Redis 7.0 or newer.

    Raises:
        NotSupported: One is too old, or a cluster is to wait for replicas.
        Misconfigured: One would forget what it has acknowledged, or cannot write, or needs a client for clusters.
    """
    for info, _ in reports:
        if int(info.get("cluster_enabled", 0)) and not in_cluster:
            raise Misconfigured(
                "This Redis is a node of a cluster, and the client is one of a single server.",
                why=["the node has a part of the namespaces only"],
                hint="give connect() a redis.RedisCluster or a redis.asyncio.RedisCluster.",
                setting="cluster-enabled",
            )
    if in_cluster and replicas:
        raise NotSupported(
            "Commits to a cluster cannot wait for replicas.",
            hint="leave replicas out, or use one primary with replicas, by itself or behind Sentinel.",
        )
    found = [guarantees(info, fsync, replicas) for info, fsync in reports]
    weakest = min(found, key=lambda one: one.durability.rank)
    return weakest, all(_version(info) >= MODERN for info, _ in reports)


def guarantees(info: Mapping[str, Any], appendfsync: str | None, replicas: int = 0) -> Guarantees:
    """Judge a server by its ``INFO`` and its ``appendfsync``, None where it may not be read.

    Raises:
        NotSupported: It is too old.
        Misconfigured: It would forget what it has acknowledged, or cannot write, or has too few replicas.
    """
    if _version(info) < OLDEST:
        raise NotSupported(f"Redis {info.get('redis_version')} is too old.", hint="use Redis 6.2 or newer, or Valkey.")
    if info.get("role") not in {"master", None}:
        raise Misconfigured("This Redis is a replica.", hint="connect to its primary.", setting="replicaof")
    policy = info.get("maxmemory_policy")
    if policy != "noeviction":
        raise Misconfigured(
            "This Redis may drop data when its memory is full.",
            why=[f"its maxmemory-policy is {policy}"],
            hint="set maxmemory-policy noeviction.",
            setting="maxmemory-policy",
        )
    connected = int(info.get("connected_slaves", 0))
    if connected < replicas:
        raise Misconfigured(
            "This Redis has too few replicas.",
            why=[f"each commit is to wait for {replicas}, and {connected} are connected"],
            hint="connect more replicas, or wait for fewer.",
            setting="replicas",
        )
    durability = Durability.REPLICATED if replicas else _durability(info, appendfsync)
    return Guarantees(
        "redis", "strict serializable", durability, OUTCOMES_KEPT, leases=True, feed=True, feed_retention=FEED_KEPT
    )


def _version(info: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in str(info.get("redis_version", "0.0")).split(".")[:2])


def _durability(info: Mapping[str, Any], appendfsync: str | None) -> Durability:
    if not int(info.get("aof_enabled", 0)) or appendfsync == "no":  # the system would write at some time, or not
        return Durability.VOLATILE
    return Durability.LOCAL_SYNC if appendfsync == "always" else Durability.LOCAL_1S
