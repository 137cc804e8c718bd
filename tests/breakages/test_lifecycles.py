"""B30 to B45: how the states of EMCO's deployments and clouds break, and why they do not here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emco_store import (
    Conflict,
    ContentChanged,
    DeleteRestricted,
    InvalidResource,
    Key,
    MissingReference,
    NotFound,
    RetryPolicy,
    StateForbids,
    Store,
    StoreError,
    TransitionRefused,
    Unavailable,
    UnknownOutcome,
)
from emco_store.contracts.harness import Bench, Lab
from emco_store.emco import (
    CATALOGUE,
    RSYNC,
    App,
    CloudLifecycle,
    CloudState,
    ClusterReference,
    DeploymentIntentGroup,
    DigLifecycle,
    DigState,
    LogicalCloud,
)
from emco_store.ports import Commit, Get, ReferrerQuery
from tests.breakages.deployments import (
    application,
    approve,
    cloud_of,
    deployment,
    furnish,
    group_of,
    launch_cloud,
    placement,
    report,
    start,
)
from tests.breakages.interleaving import Script, interleave

GROUP, CLOUD = group_of("p"), cloud_of("p")
ONE_TRY = RetryPolicy(deadline_s=0.0, first_pause_s=0.0, longest_pause_s=0.0)
INTENTS = Key("GroupIntent", *GROUP.segments, "intents")
REFUSALS = (
    Conflict, ContentChanged, DeleteRestricted, MissingReference, NotFound, StateForbids, TransitionRefused,
)  # fmt: skip


@pytest.fixture
def rsync(lab: Lab) -> Any:
    """A store that acts as rsync."""
    return lab.open(actor=RSYNC, models=CATALOGUE)


def run_up(lab: Lab, rsync: Any) -> None:
    """Begin with a deployment that runs."""
    furnish(lab.store)
    start(lab.store)
    report(rsync, DigLifecycle.started)


def take_down(lab: Lab, rsync: Any) -> None:
    """Terminate the deployment, to the end."""
    lab.store.transition(GROUP, DigLifecycle.terminate)
    report(rsync, DigLifecycle.stopped)


# B30, B31: a refused delete changes nothing


def test_b30_refused_delete_of_a_terminated_group_can_be_repeated(lab: Lab, rsync: Any):
    """B30, LIF-5, HIS-4: What blocks is named, state and history stay, and the delete works once it is gone."""
    run_up(lab, rsync)
    take_down(lab, rsync)
    before = lab.records()

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(GROUP)

    assert {"GenericPlacementIntent", "GroupIntent"} == {blocker.referrer.kind for blocker in caught.value.blockers}
    assert before == lab.records()
    lab.store.delete(GROUP, INTENTS, *(one.key for one in application("p")[5:7]))
    with pytest.raises(NotFound):
        lab.store.lifecycle(GROUP)


def test_b31_refused_delete_of_a_terminated_cloud_leaves_it_usable(lab: Lab):
    """B31, LIF-5: It is still terminated, names what uses it, and can be instantiated again."""
    furnish(lab.store)
    lab.store.transition(CLOUD, CloudLifecycle.terminate)

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(CLOUD)

    assert {"ClusterReference", "DeploymentIntentGroup"} == {blocker.referrer.kind for blocker in caught.value.blockers}
    assert CloudState.DOWN is lab.store.lifecycle(CLOUD).state
    assert CloudState.UP is lab.store.transition(CLOUD, CloudLifecycle.instantiate).state


def delete_whole_group(store: Store) -> Iterator[None]:
    """Delete the deployment with all that was below it when it was looked at."""
    with store.transaction() as tx:
        yield
        tx.delete(GROUP, INTENTS, *(one.key for one in application("p")[5:7]))
        yield


def add_placement(store: Store) -> Iterator[None]:
    """Add a placement."""
    yield
    store.create(placement("p", "more"))


def furnish_terminated(store: Any) -> None:
    """Begin with a deployment that nobody needs to report on any more."""
    furnish(store)
    start(store)
    store.transition(GROUP, DigLifecycle.terminate)
    store.transition(GROUP, DigLifecycle.abandon)


def test_b30_child_that_comes_while_its_group_is_deleted(bench: Bench):
    """B30, LIF-5: Either the group goes whole, or it stays whole, its state included."""
    for run in interleave(bench, furnish_terminated, delete_whole_group, add_placement):
        stored = run.lab.records()
        assert [] == run.lab.dangling(), run.order
        assert run.winners >= 1, run.order
        states = [text for text in stored if text.startswith("emco__Lifecycle/DeploymentIntentGroup/")]
        assert len(states) == (GROUP.text in stored), run.order


# B32, B36, B40: history


def test_b32_refused_instantiation_takes_nothing_away(lab: Lab, rsync: Any):
    """B32, HIS-1: After a refusal the terminated deployment has the state and the history that it had."""
    run_up(lab, rsync)
    take_down(lab, rsync)
    app = lab.store.get(App, "p", "shop", "v1", "web")
    lab.store.update(app.model_copy(update={"file": "web-2.tgz"}))
    before = lab.records()

    with pytest.raises(TransitionRefused):
        start(lab.store)

    assert before == lab.records()
    lab.store.update(lab.store.get(app).model_copy(update={"file": "web-1.tgz"}))
    assert DigState.STARTING is start(lab.store).state


def test_b40_numbers_of_revisions_only_rise(lab: Lab, rsync: Any):
    """B40, HIS-2: Neither terminate nor stop resets them, so that a number names one content for ever."""
    run_up(lab, rsync)
    first = lab.store.lifecycle(GROUP)
    take_down(lab, rsync)
    lab.store.create(placement("p", "more"))
    with lab.store.transaction() as tx:
        approve(tx, "p")
    start(lab.store)
    lab.store.transition(GROUP, DigLifecycle.stop)

    second = lab.store.lifecycle(GROUP)

    assert (1, 2) == (first.revision, second.revision)
    assert (1, 1) == (first.applied, second.applied), "what was stopped was never applied"


# B33, B34, B35, B45: what happens outside is recorded first


def test_b33_workload_is_recorded_before_it_can_run(lab: Lab, rsync: Any):
    """B33, LIF-8: When rsync dies after it has deployed, the operation is there, and nothing is deployed twice."""
    furnish(lab.store)
    record = start(lab.store)

    with pytest.raises(TransitionRefused):
        start(lab.store)

    assert (DigState.STARTING, record.operation) == (
        lab.store.lifecycle(GROUP).state, lab.store.lifecycle(GROUP).operation,
    )  # fmt: skip
    with pytest.raises(DeleteRestricted):
        lab.store.delete(GROUP)
    assert DigState.UP is report(rsync, DigLifecycle.started).state


@pytest.mark.parametrize("lost", ["lose_request", "lose_reply"])
def test_b34_caller_that_hears_nothing_leaves_all_or_nothing(lab: Lab, lost: str):
    """B34, LIF-4: Whatever becomes of the caller, the state, its operation and its holds are there, or none is."""
    furnish(lab.store)
    before = lab.records()
    caller = lab.open(models=CATALOGUE, retry=ONE_TRY)
    group = caller.get(DeploymentIntentGroup, *GROUP.segments)

    getattr(lab.faults, lost)(times=100)
    with pytest.raises((UnknownOutcome, Unavailable)):
        caller.transition(group, DigLifecycle.instantiate)
    lab.faults.clear()

    record = lab.store.lifecycle(GROUP)
    if lost == "lose_request":
        assert before == lab.records()
    else:
        assert (DigState.STARTING, True) == (record.state, record.operation is not None)
        with pytest.raises(TransitionRefused):
            lab.store.transition(CLOUD, CloudLifecycle.terminate)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_b35_crash_in_an_update_leaves_one_of_two_states(lab: Lab, rsync: Any, moment: Any):
    """B35, LIF-4: An update is one commit, so no crash leaves a state between, from which nothing leads on."""
    run_up(lab, rsync)
    crashing = lab.open(models=CATALOGUE, retry=ONE_TRY)
    group = crashing.get(DeploymentIntentGroup, *GROUP.segments)

    def die() -> None:
        message = "the process is gone"
        raise KeyboardInterrupt(message)

    lab.faults.do(Commit, die, moment=moment)
    with pytest.raises(KeyboardInterrupt):
        crashing.transition(group, DigLifecycle.update)
    lab.faults.clear()

    state = lab.store.lifecycle(GROUP).state
    assert {"before": DigState.UP, "after": DigState.STARTING}[moment] is state
    assert DigState.STOPPING is lab.store.transition(GROUP, DigLifecycle.terminate).state


def test_b45_termination_that_takes_long_is_a_state(lab: Lab, rsync: Any):
    """B45, LIF-8: It is Terminating until the report with its id; reports of earlier operations are refused."""
    run_up(lab, rsync)
    with pytest.raises(TransitionRefused):  # nothing is under way, so nothing can end
        rsync.transition(GROUP, DigLifecycle.stopped, operation="op")
    ending = lab.store.transition(GROUP, DigLifecycle.terminate)

    with pytest.raises(TransitionRefused):
        rsync.transition(GROUP, DigLifecycle.stopped, operation="another")

    assert DigState.STOPPING is lab.store.lifecycle(GROUP).state
    assert DigState.DOWN is rsync.transition(GROUP, DigLifecycle.stopped, operation=ending.operation).state


# B37, B41: no way around the machine


@pytest.mark.parametrize("step", [DigLifecycle.update, DigLifecycle.reapprove, DigLifecycle.instantiate])
def test_b37_terminating_group_comes_up_by_no_other_way(lab: Lab, rsync: Any, step: Any):
    """B37, LIF-2: What is on its way down is neither updated, nor approved, nor instantiated."""
    run_up(lab, rsync)
    lab.store.transition(GROUP, DigLifecycle.terminate)
    digest = lab.store.plan_transition(GROUP, DigLifecycle.reapprove).digest

    with pytest.raises(TransitionRefused):
        lab.store.transition(GROUP, step, **({"digest": digest} if step is DigLifecycle.reapprove else {}))

    assert DigState.STOPPING is lab.store.lifecycle(GROUP).state


def furnish_two(store: Any) -> None:
    """Begin with a deployment that runs, and an approved one that is to take over."""
    furnish(store)
    with store.transaction() as tx:
        for resource in application("p", "v2"):
            tx.create(resource)
        approve(tx, "p", "v2")
    start(store)
    operation = store.lifecycle(GROUP).operation
    with store.acting(actor=RSYNC):
        store.transition(GROUP, DigLifecycle.started, operation=operation)


def migrate(store: Store) -> Iterator[None]:
    """Start the new one and end the old one."""
    with store.transaction() as tx:
        group = tx.get(DeploymentIntentGroup, *group_of("p", "v2").segments)
        yield
        tx.transition(group, DigLifecycle.instantiate)
        yield
        tx.transition(GROUP, DigLifecycle.terminate)
        yield


def do(step: Any, key: Key) -> Script:
    """Return a caller who makes one transition."""

    def script(store: Store) -> Iterator[None]:
        with store.transaction() as tx:
            target = tx.get(DeploymentIntentGroup, *key.segments)
            yield
            tx.transition(target, step)
            yield

    return script


@pytest.mark.parametrize(
    ("step", "key"),
    [(DigLifecycle.terminate, GROUP), (DigLifecycle.instantiate, group_of("p", "v2"))],
    ids=["terminate-the-source", "instantiate-the-target"],
)
def test_b41_migration_moves_both_or_neither(bench: Bench, step: Any, key: Key):
    """B41, LIF-4: Against any other step one of the two is refused, and the two deployments fit each other."""
    for run in interleave(bench, furnish_two, migrate, do(step, key)):
        assert 1 == run.winners, run.order
        assert all(isinstance(error, REFUSALS) for error in run.errors if error is not None), run.order
        source = run.lab.store.lifecycle(run.lab.store.get(DeploymentIntentGroup, *GROUP.segments)).state
        target = run.lab.store.lifecycle(group_of("p", "v2")).state
        moved = (source, target) == (DigState.STOPPING, DigState.STARTING)
        assert moved is (run.errors[0] is None), run.order


def test_b41_source_of_a_migration_cannot_be_deployed_again_beside_it(lab: Lab):
    """B41, LIF-2: It is Terminating, a declared state, and not one that approve and instantiate start from."""
    furnish_two(lab.store)
    list(migrate(lab.store))

    for step in (DigLifecycle.instantiate, DigLifecycle.update):
        with pytest.raises(TransitionRefused):
            lab.store.transition(GROUP, step)
    with pytest.raises(DeleteRestricted):
        lab.store.delete(GROUP)


# what was approved


def change_placement(store: Store) -> Iterator[None]:
    """Add a placement to what was approved."""
    yield
    store.create(placement("p", "more"))


def change_app(store: Store) -> Iterator[None]:
    """Change the chart of an app, which lies outside the deployment."""
    app = store.get(App, "p", "shop", "v1", "web")
    yield
    store.update(app.model_copy(update={"file": "web-2.tgz"}))


def delete_intent(store: Store) -> Iterator[None]:
    """Delete an intent."""
    yield
    store.delete(Key("GenericAppPlacementIntent", *GROUP.segments, "place", "web"))


CHANGES = {"child": change_placement, "chart": change_app, "delete": delete_intent}


@pytest.mark.parametrize("change", CHANGES)
def test_b39_approval_does_not_hold_for_other_content(lab: Lab, change: str):
    """B39, LIF-11: After a change below the deployment, or of its app, what was approved cannot be instantiated."""
    furnish(lab.store)
    list(CHANGES[change](lab.store))

    with pytest.raises(TransitionRefused):
        start(lab.store)

    with lab.store.transaction() as tx:
        approve(tx, "p")
    assert DigState.STARTING is start(lab.store).state


def instantiate(store: Store) -> Iterator[None]:
    """Instantiate what was approved."""
    with store.transaction() as tx:
        group = tx.get(DeploymentIntentGroup, *GROUP.segments)
        yield
        tx.transition(group, DigLifecycle.instantiate)
        yield


@pytest.mark.parametrize("change", CHANGES)
def test_b39_change_while_it_is_instantiated_comes_first_or_last(bench: Bench, change: str):
    """B39, LIF-3: What is instantiated is what was approved, in every order of their steps."""
    ends = set()
    for run in interleave(bench, furnish, instantiate, CHANGES[change]):
        assert run.errors[1] is None, run.order
        assert all(isinstance(error, REFUSALS) for error in run.errors if error is not None), run.order
        store = run.lab.store
        record = store.lifecycle(store.get(DeploymentIntentGroup, *GROUP.segments))
        assert record.approved is not None
        assert (record.state is DigState.STARTING) is (run.errors[0] is None), run.order
        assert 1 == record.revision, run.order
        ends.add(record.state)

    assert {DigState.APPROVED, DigState.STARTING} == ends


@pytest.mark.parametrize("change", CHANGES)
def test_b39_change_between_look_and_approval_is_refused(lab: Lab, change: str):
    """B39, LIF-10: Nobody approves what nobody has seen, however often the call repeats itself."""
    furnish(lab.store)
    plan = lab.store.plan_transition(GROUP, DigLifecycle.approve)
    list(CHANGES[change](lab.store))

    with pytest.raises(ContentChanged):
        lab.store.transition(GROUP, DigLifecycle.approve, digest=plan.digest)


# B42: guards that fail, fail closed


@pytest.mark.parametrize("kind", [Get, ReferrerQuery])
def test_b42_delete_whose_reads_fail_deletes_nothing(lab: Lab, rsync: Any, kind: Any):
    """B42, LIF-3, LIF-5: A state that cannot be read is never taken for none."""
    run_up(lab, rsync)
    before = lab.records()
    deleting = lab.open(models=CATALOGUE, retry=ONE_TRY)

    lab.faults.unreachable(kind, times=100)
    for call in (lambda: deleting.delete(GROUP), lambda: start(deleting)):
        with pytest.raises(StoreError):
            call()
    lab.faults.clear()

    assert before == lab.records()


def test_b42_running_group_cannot_be_deleted_by_a_program_without_models(lab: Lab, rsync: Any):
    """B42, LIF-5: The record of the state itself blocks the delete, alone or as part of a larger one."""
    run_up(lab, rsync)
    everything = [resource.key for resource in deployment("p")]

    for keys in ([GROUP], everything):
        with pytest.raises(DeleteRestricted) as caught:
            lab.open().delete(*keys)
        assert any("Instantiated" in str(blocker) for blocker in caught.value.blockers)


def delete_group(store: Store) -> Iterator[None]:
    """Delete the deployment with all below it."""
    with store.transaction() as tx:
        yield
        tx.delete(GROUP, INTENTS, *(one.key for one in application("p")[5:7]))
        yield


def test_b42_delete_while_it_is_instantiated(bench: Bench):
    """B42, LIF-3: It is deleted or instantiated, never both."""
    ends = set()
    for run in interleave(bench, furnish, instantiate, delete_group):
        stored = run.lab.records()
        assert [] == run.lab.dangling(), run.order
        assert 1 == run.winners, run.order
        assert (GROUP.text in stored) is (run.errors[0] is None), run.order
        ends.add(GROUP.text in stored)

    assert {True, False} == ends


# B44: what a state fixes


@pytest.mark.parametrize("field", ["level", "namespace"])
def test_b44_level_and_namespace_of_an_instantiated_cloud_stay(lab: Lab, field: str):
    """B44, LIF-7: They change in no other state than one in which nothing was made of them."""
    furnish(lab.store)
    cloud = lab.store.get(LogicalCloud, *CLOUD.segments)
    changed = cloud.model_copy(update={"spec": cloud.spec.model_copy(update={field: "0"})})

    with pytest.raises(StateForbids):
        lab.store.update(changed)
    lab.store.transition(CLOUD, CloudLifecycle.terminate)
    lab.store.update(changed)

    assert "0" == getattr(lab.store.get(cloud).spec, field)


def test_b44_cluster_of_an_instantiated_cloud_shows_as_a_change(lab: Lab):
    """B44, LIF-11: References, quotas and permissions are content: that they have changed can be seen."""
    furnish(lab.store)
    before = lab.store.digest(CLOUD)

    lab.store.create(ClusterReference(parent=CLOUD, name="s", spec={"clusterProvider": "p", "cluster": "c1"}))

    assert before != lab.store.digest(CLOUD)
    assert 2 == lab.store.transition(CLOUD, CloudLifecycle.update).revision


def furnish_cloud(store: Any) -> None:
    """Begin with a cloud that is only created."""
    with store.transaction() as tx:
        for resource in deployment("p"):
            tx.create(resource)


def change_namespace(store: Store) -> Iterator[None]:
    """Change the namespace of the cloud, after a look at it."""
    cloud = store.get(LogicalCloud, *CLOUD.segments)
    yield
    with store.transaction() as tx:
        tx.put(cloud.model_copy(update={"spec": cloud.spec.model_copy(update={"namespace": "other"})}))
        yield


def launch(store: Store) -> Iterator[None]:
    """Instantiate the cloud, and remember with which namespace."""
    with store.transaction() as tx:
        yield
        launch_cloud(tx, "p")
        yield


def test_b44_namespace_that_changes_while_the_cloud_is_instantiated(bench: Bench):
    """B44, LIF-7: The change comes first, and is what is instantiated, or it is refused."""
    for run in interleave(bench, furnish_cloud, change_namespace, launch):
        store = run.lab.store
        cloud = store.get(LogicalCloud, *CLOUD.segments)
        state = store.lifecycle(cloud).state
        assert run.winners >= 1, run.order
        assert all(isinstance(error, REFUSALS) for error in run.errors if error is not None), run.order
        if state is CloudState.UP:
            with pytest.raises((StateForbids, InvalidResource)):
                store.update(cloud.model_copy(update={"spec": cloud.spec.model_copy(update={"namespace": "third"})}))
        assert (run.errors[0] is None) is (cloud.spec.namespace == "other"), run.order


def test_b9_two_instantiations_begin_one_operation(bench: Bench):
    """B9, LIF-3: One of two wins; the other is told, and deploys nothing."""
    for run in interleave(bench, furnish, instantiate, instantiate):
        assert 1 == run.winners, run.order
        assert any(isinstance(error, Conflict | TransitionRefused) for error in run.errors), run.order
