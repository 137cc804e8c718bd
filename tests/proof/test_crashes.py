"""The phases of crashes, in small: who ends in the midst of something leaves all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from emco_store import MemoryBackend
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Mode
from emco_store.ports import Commit
from proof.crashes import Dying, Point, Scene, crash, crash_points
from proof.operations import OPERATIONS, state
from proof.phase import Budget, PhaseResult
from proof.rig import Rig, at_url
from tests.proof.ended_scripts import ended_scripts
from tests.proof.killed_load import killed_load
from tests.proof.prove import rig_of
from tests.proof.wire_crashes import wire_crashes

POINTS = {"memory": 60, "redis": 40, "mongo": 40}
ON_SERVERS = (pytest.param("redis", marks=pytest.mark.redis), pytest.param("mongo", marks=pytest.mark.mongo))


@pytest.fixture(params=ON_SERVERS)
def server_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Each backend that is a server, of this run."""
    with rig_of(request.param, request.getfixturevalue(f"{request.param}_server")) as rig:
        yield rig


def test_client_that_dies_around_any_request_leaves_all_or_nothing(rig, tmp_path):
    """ATM-1, ATM-5: After a death, the same txid settles or repeats what was begun, once, and others go on."""
    result = crash_points(rig, Budget(operations=POINTS[rig.name]), seed=1, out=tmp_path)

    assert [] == result.violations
    assert POINTS[rig.name] == result.numbers["crashes"]
    assert result.numbers["points"] > 200


def test_process_that_is_killed_around_any_command_leaves_all_or_nothing(server_rig, tmp_path):
    """ATM-1: Before, during and after a command on the wire, a killed process leaves all of its commit or nothing."""
    result = wire_crashes(server_rig, Budget(operations=40), seed=1, out=tmp_path, by_hand=True)

    assert [] == result.violations
    assert 40 == result.numbers["kills"]


def test_process_that_is_killed_under_load_loses_nothing_that_was_acknowledged(server_rig, tmp_path):
    """ATM-1: What its clients were told is there, of the rest all or nothing, and the check finds no flaw."""
    result = killed_load(server_rig, Budget(operations=4), seed=1, out=tmp_path, by_hand=True)

    assert [] == result.violations
    assert 4 == result.numbers["kills"]
    assert result.numbers["acknowledged"] > 0


def test_process_that_is_killed_while_it_writes_a_file_loses_nothing_that_was_acknowledged(tmp_path):
    """ATM-1: The same of a process whose clients write to a file, at whatever point of a write it ends."""
    url = f"sqlite:///{tmp_path}/store.db?synchronous=off"

    result = killed_load(Rig("sqlite", at_url(url), url), Budget(operations=3), seed=1, out=tmp_path)

    assert [] == result.violations
    assert 3 == result.numbers["kills"]
    assert result.numbers["acknowledged"] > 0


@pytest.mark.redis
def test_commit_on_redis_that_is_ended_by_any_cause_is_whole_or_absent(redis_server, tmp_path):
    """ATM-1, ATM-3: SCRIPT KILL, a killed server, a full memory: never a half, and what the caller hears is true."""
    with rig_of("redis", redis_server) as rig:
        result = ended_scripts(rig, Budget(operations=1), seed=1, out=tmp_path)

    assert [] == result.violations
    assert result.numbers["commits"] >= 5
    assert result.numbers["done while settings flip"] + result.numbers["refused while settings flip"] > 0


class Halving:
    """A backend that writes a half of each commit, once it is told to."""

    def __init__(self) -> None:
        self.inner = MemoryBackend()
        self.is_halving = False

    def port(self, namespace: str) -> Any:
        """Open one namespace."""
        port = self.inner.port(namespace)
        whole = port.commit

        def commit(given: Commit) -> Any:
            is_made_by_hand = given.txid.partition("-begin")[1] or given.txid.endswith("-clear")
            puts = given.puts[::2] if self.is_halving and not is_made_by_hand else given.puts
            return whole(replace(given, puts=puts))

        port.commit = commit
        return port


def test_half_a_commit_is_seen():
    """The judge can fail: a death after a commit that wrote a half of its records is told."""
    backend: Any = Halving()
    rig = Rig("memory", backend)
    operation = next(one for one in OPERATIONS if one.name == "transaction")
    scene = Scene(rig, "n", backend.port("n"))
    rehearsal = scene.rehearse(operation)
    backend.is_halving = True
    result = PhaseResult("crash points", rig.name, 1)

    crash(scene, Point(operation, Mode.BLOCKING, rehearsal.requests - 1, "after", "repeat"), rehearsal, result)

    assert "half of it was left" in result.violations[0]


def test_dead_client_asks_for_nothing_more(rig):
    """What stands in for a death is one: no request follows it, not even one that would give back a hold."""
    port = rig.backend.port(namespace := rig.namespace())
    port.open()
    scene = Scene(rig, namespace, port)
    faults = Dying(0, "before")
    operation = OPERATIONS[0]
    ids = scene.begin(operation)
    before = state(port)

    with pytest.raises(ClientDied):
        scene.play(operation, Mode.BLOCKING, ids, faults, lambda: None)

    assert 1 == len(faults.requests)
    assert before == state(port)
    port.close()
    rig.forget(namespace)
