"""Mutants that only real servers can show: a write that changes nothing, and one that only the primary has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference
from pymongo.write_concern import WriteConcern

from emco_store import Store, connect
from emco_store.backends.mongo import sending
from emco_store.backends.mongo.fast import sync
from emco_store.backends.redis import sync as redis_sync
from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.histories import serializability
from emco_store.contracts.histories.clients import play
from emco_store.contracts.histories.history import Recorder, Result, read
from emco_store.contracts.histories.models import Journal
from emco_store.contracts.histories.workloads import Attempt, Shift, final_reads
from emco_store.errors import StoreError
from proof import pairs
from proof.nemesis import seeded
from tests.proof.faults.careful import count_values
from tests.proof.faults.redis_grounds import SYNCED, promote
from tests.proof.faults.wire import wired
from tests.proof.prove import rig_of
from tests.servers.mongo import MongoProcess, replica_set
from tests.servers.redis_nodes import own_redis, replica_of, replication

CLASSIC = ("create a referrer", "delete the target")


@dataclass(frozen=True)
class Explored:
    """What came of the classic pair."""

    schedules: int
    dangling: int


def explored(server) -> Explored:
    """Run the pair that leaves references behind wherever guards do not work."""
    family = next(each for each in pairs.families() if each.name == "SET_NULL")
    scripts = {script.name: script for script in family.scripts}
    tally = pairs.Tally()
    with rig_of("mongo", server) as rig, pairs.stage_at(rig) as stage:
        pairs.explore(stage, family, (scripts[CLASSIC[0]], scripts[CLASSIC[1]]), tally)
    return Explored(tally.schedules, tally.dangling)


def test_guard_that_changes_nothing_leaves_references_behind(mongo_server, monkeypatch):
    """A guard of ``$inc: 0`` is no guard on MongoDB: the same pair that is safe with the real one leaves an orphan."""
    sound = explored(mongo_server)
    moves = sending.moves

    def without_change(counts: Mapping[str, int]) -> list[dict[str, Any]]:
        return [{**statement, "u": {"$inc": {"g": 0}}} for statement in moves(counts)]

    monkeypatch.setattr(sending, "moves", without_change)
    broken = explored(mongo_server)

    assert 0 == sound.dangling
    assert 0 < broken.dangling <= broken.schedules


def test_acknowledgement_by_the_primary_alone_is_caught_when_it_dies(tmp_path, monkeypatch):
    """With ``w: 1``, a primary acknowledges what no other member has; the checker of transactions misses it later."""
    with replica_set(3) as (url, members):
        with connect(url, namespace="unconfirmed", models=[Journal]) as store, Recorder(tmp_path / "sound") as recorder:
            assert appended(store, recorder, 1)
        with monkeypatch.context() as patch:
            patch.setattr(sync, "MAJORITY", WriteConcern(1))
            acknowledged_by_one(url, members, tmp_path)
        primary_of(url, members)
        with connect(url, namespace="unconfirmed", models=[Journal]) as store, Recorder(tmp_path / "final") as recorder:
            play(final_reads(Shift("final", 0, seeded(0), recorder, lambda _: True), ["x"]), store)

    known = read(*(tmp_path / name for name in ("sound", "broken", "final")))
    verdict = serializability.check(known.operations)

    assert verdict.counts["lost append"] == 1, verdict
    assert 1 == len(count_values(known).lost)


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize(("replicas", "outcome", "lost"), [(0, Result.OK, (2,)), (1, Result.UNKNOWN, ())])
def test_acknowledgement_without_the_replica_is_counted_as_lost_after_a_failover(
    tmp_path, monkeypatch, replicas, outcome, lost
):
    """What no replica has is lost with the primary: an acknowledged commit, unless it had to wait for one (DUR-1)."""
    with primary_without_replica(replicas) as (store, fail_over), Recorder(tmp_path / "all") as recorder:
        monkeypatch.setattr(redis_sync, "WAIT_MS", 200)
        appended(store, recorder, 2)
        fail_over()
        play(final_reads(Shift("final", 0, seeded(0), recorder, lambda _: True), ["x"]), store)

    known = read(tmp_path / "all")

    assert [outcome] == [operation.result for operation in known.operations if operation.process == "p"]
    assert lost == count_values(known).lost


@pytest.mark.usefixtures("redis_server")
def test_read_may_see_what_a_failover_takes_away(tmp_path, monkeypatch):
    """A known limit of ``replicated``: only what is acknowledged waits, so a read shows what no replica has yet."""
    with primary_without_replica(1) as (store, fail_over), Recorder(tmp_path / "all") as recorder:
        monkeypatch.setattr(redis_sync, "WAIT_MS", 200)
        is_acknowledged = appended(store, recorder, 2)
        before = store.get(Journal, "x").entries
        fail_over()
        after = store.get(Journal, "x").entries

    assert (False, [1, 2], [1]) == (is_acknowledged, before, after)


@contextmanager
def primary_without_replica(replicas: int) -> Iterator[tuple[Store, Callable[[], None]]]:
    """Return a store on a primary that has just lost its replica, and a function that puts the replica in its place."""
    with own_redis(*SYNCED) as primary, replica_of(primary) as replica, wired(primary.port) as wire:

        def fail_over() -> None:
            primary.kill()
            promote(replica, wire)

        with connect(RedisBackend(wire.url, replicas=replicas), namespace="alone", models=[Journal]) as store:
            store.create(Journal(name="x", entries=[1]))
            with primary.admin() as admin:
                admin.set("replicate", "")  # WAIT is about what its own connection has written
                admin.wait(1, 0)
            replica.ask("REPLICAOF", "NO", "ONE")
            primary.wait_until(lambda: 0 == replication(primary)["connected_slaves"])
            yield store, fail_over


def acknowledged_by_one(url: str, members: list[MongoProcess], tmp_path) -> None:
    """Append while the primary is alone, until that is acknowledged; then let it die, and let the others come back.

    They are killed and not paused: what the primary had sent to a paused one would still wait in its socket.
    """
    with Recorder(tmp_path / "broken") as recorder:
        for value in range(2, 5):
            primary = primary_of(url, members)
            others = [member for member in members if member is not primary]
            with connect(url, namespace="unconfirmed", models=[Journal]) as store:
                store.get_many([Journal(name="x").key], missing_ok=True)  # so that the connection is made
                for member in others:
                    member.kill()
                is_acknowledged = appended(store, recorder, value)
            if is_acknowledged:
                primary.kill()
            for member in others:
                member.restart()
            if is_acknowledged:
                return
    pytest.fail("the primary acknowledged nothing in three tries")


def appended(store, recorder: Recorder, value: int) -> bool:
    """Append to the one list in one attempt; tells whether that was acknowledged."""
    attempt = Attempt([["append", "x", value]])
    call = recorder.call("p", [["append", "x", value]])
    try:
        with store.transaction() as tx:
            play(attempt.script(), tx)
    except StoreError:
        call.ends(Result.UNKNOWN, attempt.made(None))
        return False
    call.ends(Result.OK, attempt.made(None))
    return True


def primary_of(url: str, members: list[MongoProcess]) -> MongoProcess:
    """Return the member that is the primary, as soon as there is one."""
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=60_000) as client:
        client.admin.command("ping", read_preference=ReadPreference.PRIMARY)
        _, port = client.primary or ("", 0)
    return next(member for member in members if member.port == port)
