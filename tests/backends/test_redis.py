"""The Redis backend, in both modes, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from redis import Redis

from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.damaging import OTHER, TARGET, Damage
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.proxy import Proxy
from emco_store.contracts.suite import Conformance, Harness
from emco_store.core.records import Record
from tests.servers.process import Server


@pytest.fixture(scope="class")
def contract_backend(redis_server: Server) -> RedisBackend:
    """The server of this run, in the place of the harness's own."""
    return RedisBackend(redis_server.url)


@contextmanager
def behind_proxy(backend: RedisBackend, pauses: Pauses) -> Iterator[RedisBackend]:
    """The same server by way of a proxy."""
    server = urlsplit(str(backend._target))
    with closing(Proxy(str(server.hostname), server.port or 6379, pauses)) as proxy:
        yield RedisBackend(f"redis://127.0.0.1:{proxy.port}{server.path}")


def damage(backend: RedisBackend, namespace: str, record: Record, what: Damage) -> bool:
    """Remove or add a member of a set, or a field of a hash."""
    text = record.key.text
    part, member = {
        Damage.LOST_REFERRER: ("referrers", f"{TARGET}\0{text}"),
        Damage.STRAY_REFERRER: ("referrers", f"{OTHER}\0{text}"),
        Damage.LOST_INDEX: ("index", f"Item\0rank=1\0{text}"),
        Damage.STRAY_INDEX: ("index", f"Item\0rank=2\0{text}"),
        Damage.LOST_UNIQUE: ("unique", "Item\0serial=s"),
        Damage.STRAY_UNIQUE: ("unique", "Item\0serial=o"),
    }[what]
    name, is_lost = f"{{emco:{namespace}}}:{part}", what.value.startswith("lost")
    with Redis.from_url(str(backend._target)) as raw:
        if part == "unique":
            return bool(raw.hdel(name, member) if is_lost else raw.hset(name, member, text))
        return bool(raw.zrem(name, member) if is_lost else raw.zadd(name, {member: 0}))


class TestRedis(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness(
        "redis",
        lambda: RedisBackend("redis://"),
        examples=20,
        stride=8,
        inside=behind_proxy,
        damage=damage,
    )
