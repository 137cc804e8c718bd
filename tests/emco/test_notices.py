"""What EMCO's services tell each other, as a service of the profile reads it from the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from emco_store import Key, MemoryBackend, connect_async
from emco_store.contracts.harness import Bench, Lab
from emco_store.contracts.watches import seen
from emco_store.emco import (
    CATALOGUE,
    NOTICED,
    RSYNC,
    Cluster,
    ClusterProvider,
    DigLifecycle,
    DigState,
    NetworksLifecycle,
    Notice,
    Subject,
    notices,
    notices_async,
)
from tests.breakages.deployments import cloud_of, furnish, group_of, report, start

GROUP, CLOUD, CLUSTER = group_of("p"), cloud_of("p"), Key("Cluster", "p", "c1")


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """One namespace on each backend."""
    with bench.lab() as made:
        yield made


def told(store: Any, events: Any) -> list[tuple[Subject, Key, Any]]:
    """Return what the events mean, with the states."""
    found = [notice for event in events for notice in notices(store, event)]
    return [(one.subject, one.key, one.record and one.record.state) for one in found]


def test_services_are_told_what_concerns_them(lab: Lab):
    """A cluster that is added, a deployment that rsync is to carry out, and the states that follow, in order."""
    begin = lab.store.feed_cursor()
    furnish(lab.store)
    rsync = lab.open(actor=RSYNC, models=CATALOGUE)
    operation = start(lab.store).operation
    furnished, ready = seen(rsync, begin, 2, kinds=NOTICED)

    assert {
        (Subject.CLUSTER_ADDED, CLUSTER, None),
        (Subject.STATE_CHANGED, CLOUD, "Instantiated"),
    } == set(told(rsync, [furnished]))
    (work,) = notices(rsync, ready)
    assert (Subject.WORK_READY, GROUP, operation) == (work.subject, work.key, work.record.operation)
    report(rsync, DigLifecycle.started)

    (ended,) = seen(rsync, ready.cursor, 1, kinds=NOTICED)
    assert [(Subject.STATE_CHANGED, GROUP, DigState.UP)] == told(rsync, [ended])
    assert () == notices(rsync, ready), "its work is done"


def test_service_that_was_away_is_told_where_things_stand(lab: Lab):
    """What was overtaken meanwhile is not told again, and what is left to do is: nothing is lost, nothing is late."""
    furnish(lab.store)
    begin = lab.store.feed_cursor()
    start(lab.store)
    rsync = lab.open(actor=RSYNC, models=CATALOGUE)
    report(rsync, DigLifecycle.started)
    lab.store.transition(GROUP, DigLifecycle.terminate)

    events = seen(rsync, begin, 3, kinds=NOTICED)
    assert [(Subject.WORK_READY, GROUP, DigState.STOPPING)] == told(rsync, events)


def test_service_is_told_of_clusters_and_their_networks(lab: Lab):
    """Of a cluster that is gone, the end alone is told; a namesake is another one."""
    lab.store.create(ClusterProvider(name="p"))
    begin = lab.store.feed_cursor()
    cluster = lab.store.create(Cluster(parent=Key("ClusterProvider", "p"), name="c1"))
    lab.store.transition(cluster, NetworksLifecycle.apply)
    lab.store.transition(cluster, NetworksLifecycle.terminate)
    events = seen(lab.store, begin, 3, kinds=NOTICED)
    assert [(Subject.CLUSTER_ADDED, CLUSTER, None), (Subject.STATE_CHANGED, CLUSTER, "Terminated")] == told(
        lab.store, events
    )

    lab.store.delete(cluster)
    again = lab.store.create(Cluster(parent=Key("ClusterProvider", "p"), name="c1"))
    events += seen(lab.store, events[-1].cursor, 2, kinds=NOTICED)
    assert [
        Notice(Subject.CLUSTER_ADDED, CLUSTER, cluster.meta.uid),
        Notice(Subject.CLUSTER_REMOVED, CLUSTER, cluster.meta.uid),
        Notice(Subject.CLUSTER_ADDED, CLUSTER, again.meta.uid),
    ] == [notice for event in events for notice in notices(lab.store, event)]


def test_service_in_asyncio_is_told_the_same():
    """The asyncio form reads the same."""

    async def run() -> list[Notice]:
        async with connect_async(MemoryBackend(), namespace="emco", models=CATALOGUE) as store:
            begin = await store.feed_cursor()
            await store.create(ClusterProvider(name="p"))
            cluster = await store.create(Cluster(parent=Key("ClusterProvider", "p"), name="c1"))
            await store.transition(cluster, NetworksLifecycle.apply)
            watch = store.watch(after=begin, kinds=NOTICED, idle=timedelta(0))
            return [notice async for event in watch for notice in await notices_async(store, event)]

    assert [Subject.CLUSTER_ADDED, Subject.STATE_CHANGED] == [one.subject for one in asyncio.run(run())]
