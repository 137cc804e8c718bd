"""B52 to B54: how EMCO's services lose what they send each other, and why an event is not lost here."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store import StoreError, TransitionRefused, Unavailable
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Lab
from emco_store.contracts.watches import seen
from emco_store.emco import CATALOGUE, NOTICED, RSYNC, DigLifecycle, DigState, Subject, notices
from emco_store.ports import Commit
from tests.breakages.deployments import furnish, group_of, report, start

GROUP = group_of("p")


@pytest.fixture
def rsync(lab: Lab) -> Any:
    """A store that acts as rsync."""
    return lab.open(actor=RSYNC, models=CATALOGUE)


def instantiate(tx: Any) -> None:
    """Begin the deployment, and say so."""
    tx.transition(GROUP, DigLifecycle.instantiate)
    tx.emit("emco.requests", {"verb": "instantiate"}, key=GROUP)


# B52: a refused event


def test_b52_refused_event_is_the_error_of_its_caller(lab: Lab, rsync: Any):
    """B52, LIF-2, FEED-1: What the state does not allow is refused to the caller; what was accepted reaches rsync."""
    furnish(lab.store)
    begin = rsync.feed_cursor()
    for step in (DigLifecycle.update, DigLifecycle.terminate, DigLifecycle.stop, DigLifecycle.abandon):
        with pytest.raises(TransitionRefused):
            lab.store.transition(GROUP, step)

    operation = start(lab.store).operation

    (event,) = seen(rsync, begin, 1, kinds=NOTICED)
    (work,) = notices(rsync, event)
    assert (Subject.WORK_READY, operation) == (work.subject, work.record.operation)


# B53: a repeated call


def test_b53_repeated_terminate_shows_no_failure_that_did_not_happen(lab: Lab, rsync: Any):
    """B53, LIF-2, LIF-8: What is terminated stays so: another call is refused, and so is a report of what has ended."""
    furnish(lab.store)
    start(lab.store)
    report(rsync, DigLifecycle.started)
    operation = lab.store.transition(GROUP, DigLifecycle.terminate).operation
    report(rsync, DigLifecycle.stopped)
    begin = rsync.feed_cursor()

    with pytest.raises(TransitionRefused):
        lab.store.transition(GROUP, DigLifecycle.terminate)
    for late in (DigLifecycle.stopped, DigLifecycle.failed):
        with pytest.raises(StoreError):
            rsync.transition(GROUP, late, operation=operation)

    assert DigState.DOWN is lab.store.lifecycle(GROUP).state
    operation = start(lab.store).operation
    (event,) = seen(rsync, begin, 1, kinds=NOTICED)
    assert [operation] == [one.record.operation for one in notices(rsync, event)], "nothing else was told"


# B54: a lost request


def test_b54_to_enqueue_is_to_commit(lab: Lab, rsync: Any):
    """B54, FEED-1, FEED-10: Where the request cannot be made, its caller knows and nothing is told; else all is."""
    furnish(lab.store)
    begin = rsync.feed_cursor()
    lab.faults.unreachable(Commit)
    with pytest.raises(Unavailable), lab.store.transaction() as tx:
        instantiate(tx)
    assert DigState.APPROVED is lab.store.lifecycle(GROUP).state

    lab.faults.lose_reply()
    lab.store.run(instantiate)

    (event,) = seen(rsync, begin, 1)
    assert [("emco.requests", str(GROUP), {"verb": "instantiate"})] == [
        (one.topic, one.key, one.body) for one in event.messages
    ]
    assert [Subject.WORK_READY] == [one.subject for one in notices(rsync, event)]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_b54_request_and_its_event_outlive_the_caller_together(lab: Lab, rsync: Any, moment: str):
    """B54, FEED-10: Whenever the caller dies, the deployment is begun and rsync is told, or neither."""
    furnish(lab.store)
    begin = rsync.feed_cursor()
    lab.faults.do(Commit, _die, moment=moment)
    with pytest.raises(ClientDied):
        lab.store.run(instantiate)
    is_begun = rsync.lifecycle(GROUP).state is DigState.STARTING
    with rsync.transaction() as tx:
        tx.emit("end")

    events = seen(rsync, begin, 1 + is_begun)
    assert ["emco.requests", "end"][not is_begun :] == [one.topic for event in events for one in event.messages]
    assert (moment == "after") is is_begun


def _die() -> None:
    raise ClientDied
