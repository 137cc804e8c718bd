"""What a server promises, what it must be set to, what a user needs, and what a closed store leaves on it."""

from __future__ import annotations

import threading

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from emco_store import Durability
from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.server import acl_line
from emco_store.contracts.atomicity import AtomicityRules
from emco_store.contracts.bad_input import BadInputRules
from emco_store.contracts.beats import BeatRules
from emco_store.contracts.concurrency import ConcurrencyRules
from emco_store.contracts.deletes import DeleteRules
from emco_store.contracts.durability import DurabilityRules
from emco_store.contracts.feed import FeedRules
from emco_store.contracts.fences import FenceRules
from emco_store.contracts.harness import Harness, Mode
from emco_store.contracts.identity import IdentityRules
from emco_store.contracts.lists import ListRules
from emco_store.contracts.plans import PlanRules
from emco_store.contracts.references import ReferenceRules
from emco_store.contracts.stored_rules import StoredRules
from emco_store.contracts.transactions import TransactionRules
from emco_store.errors import Misconfigured
from emco_store.ports import AsyncPort, Port
from tests.backends.redis.conftest import Site
from tests.backends.shared import only
from tests.servers.redis_nodes import Node

pytestmark = pytest.mark.redis


@pytest.mark.parametrize(
    ("appendonly", "appendfsync", "expected"),
    [
        ("no", "everysec", Durability.VOLATILE),
        ("yes", "everysec", Durability.LOCAL_1S),
        ("yes", "no", Durability.VOLATILE),
        ("yes", "always", Durability.LOCAL_SYNC),
    ],
)
def test_durability_is_what_the_server_is_set_to(open_store, fresh, appendonly, appendfsync, expected):
    """DUR-1, DUR-2: the class is found and not hoped for, and a demand above it is refused."""
    with fresh.admin() as admin:
        admin.config_set("appendonly", appendonly)
        admin.config_set("appendfsync", appendfsync)

        found = open_store(fresh.url, require=expected).guarantees.durability
        with pytest.raises(Misconfigured):
            open_store(fresh.url, require=Durability.REPLICATED)

    assert expected == found


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_server_that_may_drop_data_is_refused(open_store, fresh, policy):
    """DUR-2: eviction takes records away, or the outcomes of commits."""
    with fresh.admin() as admin:
        admin.config_set("maxmemory-policy", policy)

        with pytest.raises(Misconfigured) as caught:
            open_store(fresh.url)
        admin.config_set("maxmemory-policy", "noeviction")

    assert "maxmemory-policy" == caught.value.setting


def test_closed_store_leaves_no_connection_and_no_thread(open_store, newest):
    """What was opened is given back, after a failure to open too."""
    with newest.admin() as admin:
        threads = threading.active_count()
        before = {client["id"] for client in admin.client_list()}
        store = open_store(newest.url)
        store.list(Site)
        opened = {client["id"] for client in admin.client_list()}
        store.close()
        with pytest.raises(Misconfigured):
            open_store(newest.url, require=Durability.MAJORITY)

        while {client["id"] for client in admin.client_list()} - before:
            pass  # the server learns of a closed connection a moment later; the test's timeout ends this

    assert opened - before
    assert threads == threading.active_count()


class LeastPrivilege:
    """A backend whose user may do what ``acl_line`` says, in the namespace that is asked for and nowhere else."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return self._backend(namespace).port(namespace)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return self._backend(namespace).async_port(namespace)

    def _backend(self, namespace: str) -> RedisBackend:
        self._node.ask("ACL", "SETUSER", namespace, "reset", "on", ">hunter2", *acl_line(namespace).split())
        return RedisBackend(self._node.url.replace("://", f"://{namespace}:hunter2@"))


@pytest.fixture(scope="class")
def contract_backend(node: Node) -> LeastPrivilege:
    """The server of this module, in the place of the harness's own."""
    return LeastPrivilege(node)


contract_mode = only(Mode.BLOCKING)
"""One mode: both send the same commands."""


class TestLeastPrivilege(
    IdentityRules,
    ListRules,
    ReferenceRules,
    DeleteRules,
    PlanRules,
    StoredRules,
    ConcurrencyRules,
    TransactionRules,
    AtomicityRules,
    DurabilityRules,
    BadInputRules,
    FenceRules,
    BeatRules,
    FeedRules,
):
    """The rules that the suite can show in a few seconds hold for a user with no other right."""

    harness = Harness("redis-acl", lambda: RedisBackend("redis://"))


def test_user_with_the_least_rights_may_do_nothing_else(node):
    """Another namespace, another key and another command are out of reach."""
    LeastPrivilege(node).port("mine").open()

    with Redis.from_url(node.url.replace("://", "://mine:hunter2@")) as client:
        for command in (
            ("GET", "{emco:other}:tx:t1"),
            ("HSET", "{emco:mine2}:records", "a", "b"),
            ("KEYS", "*"),
            ("FLUSHALL",),
            ("CONFIG", "SET", "maxmemory", "1"),
            ("ACL", "LIST"),
        ):
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)
