"""The name of the server in a page of pulses: another one whenever beats may have been forgotten."""

from __future__ import annotations

import pytest

from emco_store.backends.redis.backend import RedisBackend
from emco_store.ports import Pulses
from tests.backends.redis.conftest import EACH, NAMESPACE
from tests.servers.process import HOST
from tests.servers.redis_nodes import own_redis, replica_of, replication

pytestmark = pytest.mark.redis


@pytest.fixture(
    params=[pytest.param(None, id="newest", marks=EACH), pytest.param("wheel", id="oldest", marks=EACH)],
)
def pair(request, started):
    """A primary and its replica, for one test."""
    primary = started.enter(own_redis(binary=request.param))
    return primary, started.enter(replica_of(primary, binary=request.param))


@pytest.mark.parametrize("transport", ["plain", "auto"])
def test_server_that_may_have_forgotten_beats_has_another_name(pair, transport):
    """SUP-2: a replica that takes over, the old primary when it comes back, and a server that starts again."""
    one, other = pair
    ports = {node.port: RedisBackend(node.url, transport=transport).port(NAMESPACE) for node in pair}

    def name(node):
        port = ports[node.port]
        port.open()
        found = {port.ask(Pulses(due=due)).server for due in (True, False)}
        assert 1 == len(found)
        return found.pop()

    names = [name(one)]
    other.ask("REPLICAOF", "NO", "ONE")
    names.append(name(other))
    one.ask("REPLICAOF", HOST, other.port)
    one.wait_until(lambda: "up" == replication(one)["master_link_status"])
    one.ask("REPLICAOF", "NO", "ONE")
    names.append(name(one))
    one.wait_until(lambda: not one.ask("INFO", "persistence")["rdb_bgsave_in_progress"])  # the one for its replica
    one.ask("SAVE")  # a snapshot holds the name of what it is part of
    one.kill()
    one.start()
    names.append(name(one))

    assert all(names)
    assert len(names) == len({*names})
    for port in ports.values():
        port.close()
