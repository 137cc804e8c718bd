"""The example of a worker: operations are carried out once, reported by their id, and observed in a status."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from emco_store import DeleteRestricted, MemoryBackend, NotPermitted, TransitionRefused, connect

REASON = "no route"
PATH = Path(__file__).parents[1] / "examples/worker/worker.py"


@pytest.fixture(scope="module")
def worker():
    """The module of the example."""
    spec = importlib.util.spec_from_file_location("worker_example", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["worker_example"] = module
    spec.loader.exec_module(module)
    return module


class Outside:
    """What happens outside: which groups run, by the ids of their operations."""

    def __init__(self):
        self.running = {}
        self.is_broken = False

    def install(self, group, operation):
        """Run a group."""
        if self.is_broken:
            raise OSError(REASON)
        self.running[group.name] = operation

    def remove(self, group, _):
        """Stop a group."""
        if self.is_broken:
            raise OSError(REASON)
        self.running.pop(group.name, None)


@pytest.fixture
def stage(worker):
    """A store for people, one for rsync, a group on a cluster, and the outside."""
    backend = MemoryBackend()
    with (
        connect(backend, namespace="n", models=[worker.Group]) as people,
        connect(backend, namespace="n", models=[worker.Group], actor="rsync") as rsync,
    ):
        people.create(worker.Cluster(name="edge"))
        people.create(worker.Group(name="g", clusters=["Cluster/edge"]))
        yield people, rsync, people.get(worker.Group, "g"), Outside()


def test_group_is_started_and_stopped(worker, stage):
    """An operation that succeeds is reported by its id, with what runs where."""
    people, rsync, group, outside = stage
    begun = people.transition(group, worker.Deploying.instantiate)

    assert 1 == worker.work(rsync, outside.install, outside.remove)

    assert {"g": begun.operation} == outside.running
    assert worker.State.UP is people.lifecycle(group).state
    assert people.condition(group, "Ready").is_true
    with pytest.raises(DeleteRestricted):
        people.delete(people.get(worker.Cluster, "edge"))
    people.transition(group, worker.Deploying.terminate)
    assert 1 == worker.work(rsync, outside.install, outside.remove)
    assert ({}, worker.State.DOWN) == (outside.running, people.lifecycle(group).state)
    assert not people.condition(group, "Ready").is_true
    people.delete(group)
    people.delete(people.get(worker.Cluster, "edge"))


def test_failure_is_reported_with_its_reason(worker, stage):
    """An operation that fails ends in the state that says so."""
    people, rsync, group, outside = stage
    outside.is_broken = True
    people.transition(group, worker.Deploying.instantiate)

    assert 1 == worker.work(rsync, outside.install, outside.remove)

    assert worker.State.FAILED is people.lifecycle(group).state
    condition = people.status(group, worker.GroupStatus).conditions["Ready"]
    assert (False, "Failed", "no route") == (condition.value, condition.reason, condition.message)
    people.transition(group, worker.Deploying.terminate)
    assert 0 == worker.work(rsync, outside.install, outside.remove)
    assert worker.State.STOPPING is people.lifecycle(group).state
    people.transition(group, worker.Deploying.abandon)
    people.delete(group)


def test_worker_that_dies_is_followed_by_another_one(worker, stage):
    """What was done and not reported is done again under the same id."""
    people, rsync, group, outside = stage
    begun = people.transition(group, worker.Deploying.instantiate)

    def dies(group, operation):
        outside.install(group, operation)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.work(rsync, dies, dies)
    assert worker.State.STARTING is people.lifecycle(group).state
    assert 1 == worker.work(rsync, outside.install, outside.remove)
    assert {"g": begun.operation} == outside.running


def test_report_of_another_operation_is_refused(worker, stage):
    """A report that comes too late changes neither the state nor the status."""
    people, rsync, group, outside = stage
    people.transition(group, worker.Deploying.instantiate)

    def overtaken(group, operation):
        outside.install(group, operation)
        people.transition(group, worker.Deploying.terminate)

    assert 1 == worker.work(rsync, overtaken, outside.remove)  # only the stop that came in between is reported
    assert worker.State.DOWN is people.lifecycle(group).state
    assert {} == outside.running


def test_only_rsync_reports(worker, stage):
    """A store that does not act as the writer cannot report for it."""
    people, _, group, outside = stage
    people.transition(group, worker.Deploying.instantiate)

    with pytest.raises(NotPermitted):
        worker.work(people, outside.install, outside.remove)
    with pytest.raises(TransitionRefused):
        people.transition(group, worker.Deploying.instantiate)
