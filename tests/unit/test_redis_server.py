"""What a Redis server must be, by its own report."""

from __future__ import annotations

import pytest

from emco_store.backends.redis.server import acl_line, guarantees, judge
from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import Durability

FINE = {"redis_version": "7.2.4", "role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1}


@pytest.mark.parametrize("version", ["2.8.0", "6.0.16", "6.1"])
def test_server_that_is_too_old_is_refused(version):
    """DUR-2: the promises are proven from 6.2 on."""
    with pytest.raises(NotSupported):
        guarantees(FINE | {"redis_version": version}, "always")


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"role": "slave"}, "replicaof"),
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy"),
        ({"cluster_enabled": 1}, "cluster-enabled"),
    ],
)
def test_server_with_a_setting_that_breaks_a_promise_is_refused_by_its_name(changed, setting):
    """DUR-2: the error names what to change."""
    with pytest.raises(Misconfigured) as caught:
        judge([(FINE, "always"), (FINE | changed, "always")], in_cluster=False)

    assert setting == caught.value.setting


def test_cluster_promises_what_its_weakest_node_does():
    """DUR-1: a slot may move to any node."""
    found, is_modern = judge([(FINE, "always"), (FINE | {"redis_version": "6.2.1"}, "everysec")], in_cluster=True)

    assert (Durability.LOCAL_1S, False) == (found.durability, is_modern)


def test_rights_name_one_namespace():
    """The line for the ACL gives the keys of the namespace, and no command that it does not name."""
    rules = acl_line("n1").split()

    assert ["~{emco:n1}:*"] == [rule for rule in rules if rule.startswith("~")]
    assert {"resetkeys", "resetchannels", "-@all"} < set(rules)
