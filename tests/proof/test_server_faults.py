"""Each fault on servers once, in small: the same code as in the long run, and nothing that was acknowledged is lost."""

from __future__ import annotations

from typing import Any

import pytest

from proof.phase import Budget
from proof.rig import Rig
from tests.proof.faults import aof, mongo_grounds, redis_grounds
from tests.proof.faults.server_faults import strike_round
from tests.proof.faults.striking import Series
from tests.servers.redis_sentinel import FAILOVER_WITHIN_S

pytestmark = pytest.mark.timeout(4 * FAILOVER_WITHIN_S)
SEED = 1


def ground_of(make):
    """Make a fixture of servers that all faults of a module strike at."""

    @pytest.fixture(scope="module")
    def ground():
        with make() as made:
            yield made

    return ground


one_redis = ground_of(redis_grounds.alone)
redis_pair = ground_of(redis_grounds.pair)
redis_behind_sentinel = ground_of(redis_grounds.guarded)
one_mongo = ground_of(mongo_grounds.alone)
three_mongos = ground_of(mongo_grounds.three)


def holds(ground, name, workload, out):
    """Strike once, and see that every promise held."""
    found = strike_round(ground, name, workload, series=Series(1), seed=SEED, out=out)

    assert [] == found.violations
    assert (1, 0, 0) == (found.counts["strikes"], found.counts["lost"], found.counts["anomalies"])
    assert found.counts["acknowledged"] > 0


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("kill -9 and restart", "lists"),
        ("SIGSTOP and SIGCONT", "races"),
        ("memory full for a while", "races"),
        ("lost requests and replies", "lists"),
        ("kill -9 and restart", "deployments"),
        ("black hole", "lists"),
    ],
)
def test_fault_on_a_redis_that_syncs_each_commit_costs_no_commit(one_redis, tmp_path, name, workload):
    """At ``local-sync``, whatever was acknowledged is there after the fault, once, and nothing dangles (DUR-1)."""
    holds(one_redis, name, workload, tmp_path)


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("workload", ["lists", "races"])
def test_failover_to_the_replica_costs_no_commit_that_waited_for_it(redis_pair, tmp_path, workload):
    """At ``replicated``, whatever was acknowledged is there when the replica has taken over (DUR-1)."""
    holds(redis_pair, "failover to the replica", workload, tmp_path)


@pytest.mark.usefixtures("redis_server")
def test_failover_by_sentinel_costs_no_commit_that_waited_for_a_replica(redis_behind_sentinel, tmp_path):
    """The same where a sentinel chooses one of two replicas, and clients ask it where to go (DUR-1)."""
    holds(redis_behind_sentinel, "failover by Sentinel", "lists", tmp_path)


@pytest.mark.usefixtures("mongo_server")
@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("failCommand: WriteConflict", "lists"),
        ("failCommand: closeConnection", "races"),
        ("failCommand: write concern error", "deployments"),
        ("failCommand: NotWritablePrimary", "lists"),
        ("failCommand: write concern error", "races"),
        ("kill -9 and restart", "lists"),
        ("lost requests and replies", "lists"),
        ("black hole", "races"),
    ],
)
def test_fault_on_a_mongodb_of_one_member_costs_no_commit(one_mongo, tmp_path, name, workload):
    """At ``majority``, whatever was acknowledged is there after the fault, once, and nothing dangles (DUR-1)."""
    holds(one_mongo, name, workload, tmp_path)


@pytest.mark.usefixtures("mongo_server")
@pytest.mark.parametrize(
    ("name", "workload"),
    [
        ("kill -9 of the primary", "lists"),
        ("kill -9 of a secondary", "races"),
        ("SIGSTOP of the primary", "lists"),
        ("step-down", "races"),
        ("kill -9 of the primary", "deployments"),
    ],
)
def test_fault_on_a_mongodb_of_three_members_costs_no_commit(three_mongos, tmp_path, name, workload):
    """At ``majority``, the end of the primary, and its return, cost nothing that was acknowledged (DUR-1)."""
    holds(three_mongos, name, workload, tmp_path)


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("binary", [None, "wheel"], ids=["newest", "oldest"])
def test_file_that_was_cut_off_holds_the_last_commit_whole_or_not_at_all(tmp_path, binary):
    """Wherever the append-only file ends, nothing is half there, and ``resolve`` says what is (ATM-1, ATM-5)."""
    nowhere: Any = None
    result = aof.cut_files(Rig("redis", nowhere), Budget(operations=30), seed=SEED, out=tmp_path, binary=binary)

    assert [] == result.violations
    assert (30, 1) == (result.numbers["cuts"], result.numbers["whole"])
