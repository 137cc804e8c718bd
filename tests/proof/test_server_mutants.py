"""Mutants that only a real server can show: a write that changes nothing, and one that only the primary has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import MongoClient, ReadPreference
from pymongo.write_concern import WriteConcern

from emco_store import connect
from emco_store.backends.mongo import commands, sync
from emco_store.contracts.proof import pairs, serializability
from emco_store.contracts.proof.clients import play
from emco_store.contracts.proof.history import Recorder, Result, read
from emco_store.contracts.proof.models import Journal
from emco_store.contracts.proof.nemesis import seeded
from emco_store.contracts.proof.workloads import Attempt, Shift, final_reads
from emco_store.errors import StoreError
from tests.proof.prove import place_of
from tests.servers.mongo import MongoProcess, replica_set

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
    with place_of("mongo", server) as place, pairs.stage_at(place) as stage:
        pairs.explore(stage, family, (scripts[CLASSIC[0]], scripts[CLASSIC[1]]), tally)
    return Explored(tally.schedules, tally.dangling)


def test_guard_that_changes_nothing_leaves_references_behind(mongo_server, monkeypatch):
    """A guard of ``$inc: 0`` is no guard on MongoDB: the same pair that is safe with the real one leaves an orphan."""
    sound = explored(mongo_server)
    updates = commands.updates

    def without_change(*arguments: Any) -> list[dict[str, Any]]:
        statements = updates(*arguments)
        for statement in statements:
            if "g" in statement["u"].get("$inc", {}):
                statement["u"]["$inc"]["g"] = 0
        return statements

    monkeypatch.setattr(commands, "updates", without_change)
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

    verdict = serializability.check(read(*(tmp_path / name for name in ("sound", "broken", "final"))).operations)

    assert verdict.counts["lost append"] == 1, verdict


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
    """Give the member that is the primary, as soon as there is one."""
    with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=60_000) as client:
        client.admin.command("ping", read_preference=ReadPreference.PRIMARY)
        _, port = client.primary or ("", 0)
    return next(member for member in members if member.port == port)
