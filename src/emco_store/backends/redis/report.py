"""What a Redis server and a namespace on it look like; for ``emco-store doctor``, so it writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from emco_store.backends.health import (
    Finding,
    Report,
    Verdict,
    clock,
    durability_finding,
    latency,
    refusal,
    unreachable,
)
from emco_store.backends.redis.commands import FEED_KEPT, Names
from emco_store.backends.redis.errors import translated
from emco_store.backends.redis.server import judge
from emco_store.core.wording import count
from emco_store.errors import StoreError
from emco_store.ports import Durability, Unreachable

_TYPES = {
    "records": b"hash", "guards": b"hash", "unique": b"hash", "keys": b"zset", "index": b"zset", "referrers": b"zset",
    "pulses": b"hash", "due": b"zset", "beating": b"zset", "feed": b"stream",
}  # fmt: skip
_SAFER = {
    Durability.VOLATILE: "for production: CONFIG SET appendonly yes, and the same in redis.conf.",
    Durability.LOCAL_1S: "if no acknowledged commit may be lost: CONFIG SET appendfsync always, and in redis.conf.",
}
_NEARLY_FULL = 0.8


def look(client: Any, namespace: str, read: Callable[[], object], *, transport: Finding, replicas: int = 0) -> Report:
    """Look at the server behind a client, and at a namespace.

    Args:
        client: A blocking client of redis-py.
        namespace: The namespace.
        read: Performs one read, as a store does.
        transport: How that read reaches the server.
        replicas: How many replicas commits are to wait for.
    """
    try:
        with translated():
            info = client.info("all")
            fsync = _fsync(client)
            findings = [*_server(info), _append_only(info, fsync), *_disk(info)]
            durability, refusals = _judged(info, fsync, findings, replicas)
            findings += refusals
            findings += [*_ping(client), _clock(client)]
            if durability is not None:
                findings += [transport, latency("read", read)]
            findings += [_keys(client, Names(namespace)), _feed(client, Names(namespace), info)]
            return Report("redis", tuple(findings), _records(client, Names(namespace)), durability=durability)
    except Unreachable as problem:
        return unreachable("redis", str(problem.__cause__))
    except StoreError as problem:
        return Report("redis", (refusal("server", problem),), records=None)


def _fsync(client: Any) -> str | None:
    try:
        found: str | None = client.config_get("appendfsync").get("appendfsync")
    except ResponseError:  # a managed server may forbid CONFIG
        return None
    return found


def _server(info: Mapping[str, Any]) -> Iterator[Finding]:
    if "valkey_version" in info:
        yield Finding("server", f"Valkey {info['valkey_version']}, as Redis {info.get('redis_version')}")
    else:
        yield Finding("server", f"Redis {info.get('redis_version')}")
    role = info.get("role")
    topology = f"{info.get('redis_mode', 'standalone')}, {'replica' if role == 'slave' else 'primary'}"
    topology += f", {count(int(info.get('connected_slaves', 0)), 'replica')}"
    yield Finding.judged("topology", topology, bad=role == "slave", hint="connect to the primary of this replica.")
    policy = str(info.get("maxmemory_policy"))
    yield Finding.judged(
        "eviction policy",
        policy,
        bad=policy != "noeviction",
        hint="CONFIG SET maxmemory-policy noeviction, and the same in redis.conf: any other may drop records.",
    )
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    yield Finding.judged(
        "memory",
        f"{used / 2**20:.1f} MiB of {f'{limit / 2**20:.0f} MiB' if limit else 'what the machine has'}",
        bad=bool(limit) and used > _NEARLY_FULL * limit,
        hint="give it more memory (maxmemory) before commits are refused.",
        verdict=Verdict.ADVICE,
    )


def _append_only(info: Mapping[str, Any], fsync: str | None) -> Finding:
    if not int(info.get("aof_enabled", 0)):
        return Finding("append only file", "off")
    return Finding("append only file", f"on, appendfsync {fsync or 'may not be read, so everysec is assumed'}")


def _disk(info: Mapping[str, Any]) -> Iterator[Finding]:
    failed = [name for name in ("aof_last_write_status", "rdb_last_bgsave_status") if info.get(name, "ok") != "ok"]
    if failed:
        hint = "see the server's log and its disk: Redis may refuse to write until it can save."
        yield Finding("disk", f"failed: {', '.join(failed)}", Verdict.WRONG, hint)


def _judged(
    info: Mapping[str, Any], fsync: str | None, findings: list[Finding], replicas: int
) -> tuple[Durability | None, list[Finding]]:
    """Say what a store would say on opening, where it is not said yet."""
    try:
        found = judge([(info, fsync)], in_cluster=False, replicas=replicas)[0].durability
    except StoreError as problem:
        if any(finding.verdict is Verdict.WRONG for finding in findings):
            return None, []
        return None, [refusal("promises", problem)]
    return found, [durability_finding(found, hint=_SAFER.get(found, ""))]


def _ping(client: Any) -> Iterator[Finding]:
    try:
        yield latency("ping", client.ping)
    except NoPermissionError:
        yield Finding("ping", "may not be sent by this user")


def _clock(client: Any) -> Finding:
    def now_us() -> int:
        seconds, micros = client.time()
        return int(seconds) * 1_000_000 + int(micros)

    try:
        return clock(now_us)
    except NoPermissionError:
        return Finding("clock", "may not be read by this user")


def _keys(client: Any, names: Names) -> Finding:
    """Look at the keys of a namespace, all as of one moment."""
    try:
        with client.pipeline(transaction=True) as pipe:
            for part in _TYPES:
                pipe.type(names.key(part))
            found: list[bytes] = pipe.execute()
        types = dict(zip(_TYPES, found, strict=True))
        foreign = [part for part, wanted in _TYPES.items() if types[part] not in {wanted, b"none"}]
        if foreign:
            hint = "find out who else writes to these keys, and give each application a user of its own (ACL)."
            return Finding("keys", f"not written by emco_store: {', '.join(foreign)}", Verdict.WRONG, hint)
        with client.pipeline(transaction=True) as pipe:
            pipe.hlen(names.key("records")).zcard(names.key("keys"))
            records, keys = pipe.execute()
    except ResponseError:
        return Finding("keys", "may not be read by this user")
    return Finding.judged(
        "keys",
        ", ".join(part for part in _TYPES if types[part] != b"none") or "none yet",
        bad=records != keys,
        hint=f"restore a backup: there are {records} records, and the order of keys has {keys}.",
    )


def _feed(client: Any, names: Names, info: Mapping[str, Any]) -> Finding:
    """Say how much the feed of a namespace keeps."""
    try:
        with client.pipeline(transaction=True) as pipe:
            pipe.xlen(names.feed).xrange(names.feed, count=1)
            number, first = pipe.execute()
    except ResponseError:
        return Finding("feed", "may not be read by this user")
    if not first:
        return Finding("feed", "not begun: nobody has read it yet, so commits do not write it")
    begin_ms, now_us = int(first[0][0].partition(b"-")[0]), int(info.get("server_time_usec", 0))
    age = timedelta(seconds=max(now_us // 1000 - begin_ms, 0) // 1000)
    return Finding(
        "feed", f"{count(number, 'entry', 'entries')}, the oldest {age} old; at least {FEED_KEPT:,} are kept"
    )


def _records(client: Any, names: Names) -> Mapping[str, int] | None:
    """Count the records of each kind: two requests for each."""
    found: dict[str, int] = {}
    low = "-"
    try:
        while first := client.zrangebylex(names.key("keys"), low, "+", start=0, num=1):
            kind = first[0].decode().partition("/")[0]
            found[kind] = client.zlexcount(names.key("keys"), f"[{kind}/", f"({kind}0")  # 0 comes after /
            low = f"[{kind}0"
    except ResponseError:
        return None
    return found
