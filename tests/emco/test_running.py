"""Bundles that are carried out: from approve to delete, with a worker that plays rsync."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from emco_store import (
    DeleteRestricted,
    InvalidCall,
    Key,
    MemoryBackend,
    MissingReference,
    NotFound,
    NotPermitted,
    Ref,
    Resource,
    Store,
    TransitionRefused,
    connect,
    connect_async,
    yes,
)
from emco_store.contracts.harness import Bench, Lab
from emco_store.emco import (
    CATALOGUE,
    RSYNC,
    App,
    AppDependency,
    Bundle,
    CaCertPhaseCp,
    CertificateState,
    CloudState,
    ClusterProvider,
    DeploymentIntentGroup,
    DigLifecycle,
    DigState,
    DigStatus,
    GenericAppPlacementIntent,
    NetworksState,
    apply_bundle,
    delete_bundle,
    plan_run,
    plan_run_async,
    run_bundle,
    run_bundle_async,
    terminate_bundle,
    terminate_bundle_async,
)
from tests.emco.conftest import EXAMPLES, REASON, Rsync, bundle_of

EXAMPLES_OF_EMCO = ("vfw", "sfc", "hpa", "test-update", "test-cert", "test-tac")
MISSING = """
---
resourceContext: {anchor: projects/proj1/composite-apps/capp/v1/composite-profiles}
metadata: {name: capp-profile}
---
"""
"""What the example test-tac refers to and does not state."""
EDGE = (EXAMPLES / "edge.yaml").read_text(encoding="utf-8")
LIVE = Key("DeploymentIntentGroup", "harbour", "vision", "v1", "live")
PIER = Key("LogicalCloud", "harbour", "pier")
D = "projects/harbour/composite-apps/vision/v1/deployment-intent-groups/live"
ON_LIVE = f"{{{{resourceContext: {{{{anchor: {D}/{{verb}}}}}}{{more}}}}}}"
CLOUD_UP = "projects/harbour/logical-clouds/pier/instantiate"
ACTION = "---\nresourceContext: {{anchor: {anchor}}}\n"
PLACEMENT = f"""
resourceContext: {{anchor: {D}/generic-placement-intents/placement/app-intents}}
metadata: {{name: detector}}
spec: {{app: detector, intent: {{allOf: [{{clusterProvider: coast, cluster: CLUSTER}}]}}}}
"""


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """One namespace on each backend."""
    with bench.lab() as made:
        yield made


@pytest.fixture
def backend() -> MemoryBackend:
    """The memory that a store and a worker share."""
    return MemoryBackend()


@pytest.fixture
def store(backend: MemoryBackend) -> Iterator[Store]:
    """A store of somebody who is not rsync."""
    with connect(backend, namespace="emco", actor="alice", models=CATALOGUE) as opened:
        yield opened


@pytest.fixture
def rsync(backend: MemoryBackend) -> Iterator[Rsync]:
    """A worker on the same data."""
    with connect(backend, namespace="emco", actor=RSYNC, models=CATALOGUE) as opened:
        yield Rsync(opened)


def whole(name: str, text: str) -> Bundle:
    """Return an example of EMCO, with the one profile that is missing in one of them."""
    if name == "test-tac":
        before, after = text.split("---", 11)[:11], text.split("---", 11)[11]
        text = "---".join(before) + MISSING + after
    return bundle_of(text, name)


def on_live(verb: str, more: str = "") -> Bundle:
    """Return a bundle with one action on the deployment of the example ``edge``."""
    return bundle_of(ON_LIVE.format(verb=verb, more=more))


@pytest.mark.parametrize("name", EXAMPLES_OF_EMCO)
def test_example_of_emco_runs_from_approve_to_delete(lab, example, name):
    """Every document of an example is carried out in its order, and all of it can be ended and deleted (LIF-2)."""
    bundle = whole(name, example(name))
    rsync = Rsync(lab.open(actor=RSYNC, models=CATALOGUE))

    report = run_bundle(lab.store, bundle, wait=rsync)
    rsync.catch_up()
    ended = terminate_bundle(lab.store, bundle, wait=rsync)

    assert list(bundle.actions) == [done.action for done in report.done]
    assert all(done.is_new for done in report.done)
    assert set(bundle.final) == {*report.created}
    assert {DigState.STOPPING, CloudState.DOWN, NetworksState.TERMINATED} >= {record.state for record in ended}
    assert set(rsync.deployed) == set(rsync.removed)
    assert len(bundle.final) == len(delete_bundle(lab.store, bundle).deleted)
    assert () == tuple(lab.store.list(Resource))
    assert [] == lab.dangling()


def test_bundle_is_a_sequence_of_stages():
    """An action belongs to the statements before it; what follows the last one is a stage of its own."""
    bundle = bundle_of(f"{EDGE}\n---\n{PLACEMENT}")

    assert [42, 0, 0, 1][1:] == [len(stage.statements) for stage in bundle.stages][1:]
    assert [*bundle.actions, None] == [stage.action for stage in bundle.stages]
    assert bundle.statements == tuple(one for stage in bundle.stages for one in stage.statements)


def test_bundle_that_runs_again_changes_nothing(store, rsync):
    """What is as it is stated stays, and an action whose state is reached already does nothing."""
    bundle = bundle_of(EDGE)
    run_bundle(store, bundle, wait=rsync)
    before = store.lifecycle(LIVE)

    while_it_starts = run_bundle(store, bundle)
    rsync(before)
    running = store.lifecycle(LIVE)
    while_it_runs = run_bundle(store, bundle)

    for report in (while_it_starts, while_it_runs):
        assert ((), ()) == (report.created, report.updated)
        assert [False] * 3 == [done.is_new for done in report.done]
    assert DigState.STARTING is before.state
    assert (DigState.UP, running.version) == (running.state, store.lifecycle(LIVE).version)


def test_update_while_an_operation_is_under_way_is_refused_with_its_document(store, example):
    """Without a worker, what needs the end of an operation is refused, and the error says what was done (LIF-2)."""
    bundle = bundle_of(example("test-update"), "test-update.yaml")

    with pytest.raises(TransitionRefused) as caught:
        run_bundle(store, bundle)

    update = next(action for action in bundle.actions if action.verb == "update")
    assert update.position == caught.value.position
    assert ("update", "Instantiating") == (caught.value.transition, caught.value.state)
    assert ["instantiate", "approve", "instantiate"] == [done.action.verb for done in caught.value.report.done]
    (choice,) = store.get(bundle.restated[0]).spec.intent.allOf
    assert "cluster2" != choice.cluster.key.name, "what is stated with a refused action is not written"


def test_rollback_brings_back_what_was_deployed_first(store, rsync, example):
    """An update deploys the restated placement, and the rollback the first one, as a new revision (HIS-2, HIS-10)."""
    bundle = bundle_of(example("test-update"))

    report = run_bundle(store, bundle, wait=rsync)

    (placement,) = bundle.restated
    first = next(one.resource for one in bundle.statements if one.resource.key == placement)
    target = report.done[-1].action.target
    rsync(store.lifecycle(target))
    record = store.lifecycle(target)
    assert first.spec == store.get(placement).spec
    assert 3 == len(rsync.deployed)
    assert (DigState.UP, record.revision) == (record.state, record.applied)
    assert record.revision > 2


def test_rollback_in_a_state_that_allows_no_update_brings_nothing_back(store, rsync):
    """B37: The content stays, and the state says why (LIF-2)."""
    run_bundle(store, bundle_of(f"{EDGE}\n---\n{PLACEMENT.replace('CLUSTER', 'office')}"), wait=rsync)
    before = store.lifecycle(LIVE)

    with pytest.raises(TransitionRefused):
        run_bundle(store, on_live("rollback", ", spec: {revision: '1'}"))

    assert before == store.lifecycle(LIVE)


def test_rollback_to_a_revision_that_never_was_is_refused(store, rsync):
    """B37: No revision stands for another one (HIS-2)."""
    run_bundle(store, bundle_of(EDGE), wait=rsync)
    rsync(store.lifecycle(LIVE))

    with pytest.raises(NotFound):
        run_bundle(store, on_live("rollback", ", spec: {revision: '7'}"))
    with pytest.raises(InvalidCall):
        run_bundle(store, on_live("rollback", ", spec: {revision: seven}"))


def test_migrate_starts_the_one_and_stops_the_other_in_one_commit(store, rsync):
    """B41: The source lands in a declared state, and both or neither move (LIF-4)."""
    bundle = bundle_of(EDGE)
    successor = EDGE.replace("vision/v1", "vision/v2").replace("compositeAppVersion: v1", "compositeAppVersion: v2")
    run_bundle(store, bundle, wait=rsync)
    rsync(store.lifecycle(LIVE))
    migrate = on_live("migrate", ", spec: {targetCompositeAppVersion: v2, targetDeploymentIntentGroup: live}")
    other = Key("DeploymentIntentGroup", "harbour", "vision", "v2", "live")
    documents = [part for part in successor.split("\n---\n") if not part.rstrip().endswith("/instantiate}")]

    with pytest.raises(NotFound):
        run_bundle(store, migrate)
    apply_bundle(store, bundle_of("\n---\n".join(documents)))
    with pytest.raises(TransitionRefused):  # not approved yet
        run_bundle(store, migrate)
    assert (DigState.UP, DigState.CREATED) == (store.lifecycle(LIVE).state, store.lifecycle(other).state)
    run_bundle(store, bundle_of("\n---\n".join(documents)))
    report = run_bundle(store, migrate)

    assert [DigState.STARTING, DigState.STOPPING] == [done.record.state for done in report.done]
    rsync(store.lifecycle(LIVE))
    assert (DigState.DOWN, DigState.UP) == (store.lifecycle(LIVE).state, store.lifecycle(other).state)


def test_stop_ends_what_takes_too_long_and_the_late_report_is_refused(store, rsync):
    """B46: Stop and terminate need nobody's cooperation, and no late report undoes them (LIF-8, LIF-9)."""
    run_bundle(store, bundle_of(EDGE))
    late = store.lifecycle(LIVE).operation

    stopped = run_bundle(store, on_live("stop"))
    with pytest.raises(TransitionRefused):
        rsync.store.transition(LIVE, DigLifecycle.started, operation=late)
    terminated = run_bundle(store, on_live("terminate"))
    abandoned = run_bundle(store, on_live("stop"))

    assert [DigState.FAILED, DigState.STOPPING, DigState.DOWN] == [
        report.done[0].record.state for report in (stopped, terminated, abandoned)
    ]


def test_failure_of_the_worker_is_a_state_and_can_be_left(store, rsync):
    """B45: What has failed says so, keeps its cloud, and can be terminated (LIF-8)."""
    run_bundle(store, bundle_of(EDGE))
    rsync.is_broken = True

    rsync(store.lifecycle(LIVE))

    assert DigState.FAILED is store.lifecycle(LIVE).state
    with pytest.raises(TransitionRefused):
        run_bundle(store, bundle_of("{resourceContext: {anchor: projects/harbour/logical-clouds/pier/terminate}}"))
    assert DigState.STOPPING is run_bundle(store, on_live("terminate")).done[0].record.state


def test_worker_reports_where_a_deployment_is_placed(store, rsync):
    """The end of an operation comes with a status; what runs somewhere keeps its cluster (GEN-2, GEN-5)."""
    run_bundle(store, bundle_of(EDGE))
    office = Ref(Key("Cluster", "coast", "office"))
    rsync.clusters = [office]
    assert store.status(LIVE, DigStatus) is None

    rsync(store.lifecycle(LIVE))

    assert [office] == store.status(LIVE, DigStatus).placed_on
    assert store.condition(LIVE, "Ready").is_true
    assert "unobserved" not in store.sync_state(LIVE).words
    assert LIVE in {blocker.referrer for blocker in store.plan_delete(office.key).blockers}
    run_bundle(store, on_live("terminate"))
    rsync(store.lifecycle(LIVE))
    assert [] == store.status(LIVE, DigStatus).placed_on
    ready = store.condition(LIVE, "Ready")
    assert (False, "Terminated") == (ready.value, ready.reason)


def test_worker_that_fails_reports_why_and_keeps_what_it_has_placed(store, rsync):
    """After a failure the cluster stays protected, and the condition holds the reason (GEN-5)."""
    run_bundle(store, bundle_of(EDGE), wait=rsync)
    rsync.clusters = [Ref(Key("Cluster", "coast", "office"))]
    rsync.catch_up()
    run_bundle(store, on_live("update"))
    rsync.is_broken = True

    rsync.catch_up()

    status = store.status(LIVE, DigStatus)
    assert (rsync.clusters, DigState.FAILED) == (status.placed_on, store.lifecycle(LIVE).state)
    ready = status.conditions["Ready"]
    assert (False, "Failed", REASON) == (ready.value, ready.reason, ready.message)


def test_report_of_anybody_else_is_refused(store):
    """Only rsync reports what it has done (LIF-12)."""
    run_bundle(store, bundle_of(EDGE))
    operation = store.lifecycle(LIVE).operation

    with pytest.raises(NotPermitted):
        store.transition(LIVE, DigLifecycle.started, operation=operation)


def test_deployment_holds_its_cloud_and_nothing_else_of_that_field(store):
    """The field of the cloud also selects a cluster reference, which has no states and is not held (LIF-6)."""
    run_bundle(store, bundle_of(EDGE))

    with pytest.raises(TransitionRefused) as caught:
        run_bundle(store, bundle_of("{resourceContext: {anchor: projects/harbour/logical-clouds/pier/terminate}}"))
    assert [PIER] == [caught.value.key]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{resourceContext: {anchor: projects/harbour/approve}}", "a kind without a lifecycle"),
        ("{resourceContext: {anchor: projects/harbour/logical-clouds/pier/approve}}", "an action of another kind"),
        (ON_LIVE.format(verb="rollback", more=""), "a rollback without a revision"),
        (ON_LIVE.format(verb="migrate", more=""), "a migration without a target"),
    ],
)
def test_action_that_cannot_be_is_refused_before_anything_is_done(store, document, why):
    """The document is named, and nothing of the bundle is written (ATM-1)."""
    with pytest.raises(InvalidCall) as caught:
        run_bundle(store, bundle_of(f"{EDGE}\n---\n{document}", "b.yaml"))

    assert ("b.yaml", 49) == (caught.value.position.source, caught.value.position.document), why
    assert () == tuple(store.list(Resource))


def test_missing_reference_of_a_stage_is_told_by_its_document(store, example):
    """The stages before stay, and the error says what they did (REF-2)."""
    with pytest.raises(MissingReference) as caught:
        run_bundle(store, bundle_of(example("test-tac")))

    assert [11] == [fault.position.document for fault in caught.value.faults]
    assert ["instantiate"] == [done.action.verb for done in caught.value.report.done]


def test_apps_that_wait_for_each_other_are_not_instantiated(store):
    """EMCO's check of dependencies is a guard (LIF-3)."""
    bundle = bundle_of(EDGE)
    run_bundle(store, Bundle(bundle.statements, bundle.actions[:2]))
    composite = Key("CompositeApp", "harbour", "vision", "v1")
    store.create(App(parent=composite, name="tracker"))
    for app, other in (("detector", "tracker"), ("tracker", "detector")):
        parent = Key("App", *composite.segments, app)
        store.create(AppDependency(parent=parent, name="other", spec={"app": other, "opStatus": "Ready"}))

    with pytest.raises(TransitionRefused) as caught:
        run_bundle(store, on_live("instantiate"))

    assert any("wait for each other: detector, tracker" in reason for reason in caught.value.reasons)


def test_cluster_whose_networks_are_applied_cannot_be_deleted(store):
    """The networks of a cluster have states of their own (LIF-5)."""
    cluster = Key("Cluster", "coast", "office")
    store.create(ClusterProvider(name="coast"))
    apply = "{resourceContext: {anchor: cluster-providers/coast/clusters}, metadata: {name: office}}\n---\n"
    apply += "{resourceContext: {anchor: cluster-providers/coast/clusters/office/apply}}"

    run_bundle(store, bundle_of(apply))
    with pytest.raises(DeleteRestricted):
        store.delete(cluster)
    terminate_bundle(store, bundle_of(apply))

    assert NetworksState.TERMINATED is store.lifecycle(cluster).state
    store.delete(cluster)


def test_phases_of_a_certificate_have_states_of_their_own(store):
    """Enrollment and distribution are two machines; the certificate goes with both of them, once both are down."""
    anchor = "cluster-providers/p/ca-certs"
    text = "{resourceContext: {anchor: cluster-providers}, metadata: {name: p}}\n---\n"
    text += f"{{resourceContext: {{anchor: {anchor}}}, metadata: {{name: ca}}}}\n---\n"
    bundle = bundle_of(text + f"{{resourceContext: {{anchor: {anchor}/ca/enrollment/instantiate}}}}")

    report = run_bundle(store, bundle)

    assert [CertificateState.UP] == [done.record.state for done in report.done]
    assert ["enrollment"] == [phase.name for phase in store.list(CaCertPhaseCp)]
    with pytest.raises(DeleteRestricted):
        delete_bundle(store, bundle)
    assert [CertificateState.DOWN] == [record.state for record in terminate_bundle(store, bundle)]
    delete_bundle(store, bundle)
    assert () == tuple(store.list(Resource))


def test_placement_that_is_stated_after_an_approval_is_not_in_it(store, rsync):
    """A revision is what stood before the action in the bundle, though the bundle states it anew later (HIS-3)."""
    later = PLACEMENT.replace("CLUSTER", "office")
    bundle = bundle_of(f"{EDGE}\n---\n{later}\n---\n{ON_LIVE.format(verb='update', more='')}")

    run_bundle(store, bundle, wait=rsync)

    detector = GenericAppPlacementIntent(**dict(bundle.final[bundle.restated[0]].resource)).key
    changes = store.diff(LIVE, 1, 2)
    assert str(detector) in str(changes)


def test_bundle_is_carried_out_by_an_async_store(backend, rsync):
    """The asyncio store does the same, functions of guards included."""
    bundle = bundle_of(EDGE)

    async def wait(record: Any) -> None:
        rsync(record)

    async def scenario() -> tuple[Any, ...]:
        async with connect_async(backend, namespace="emco", actor="alice") as store:
            report = await run_bundle_async(store, bundle, wait=wait)
            ended = await terminate_bundle_async(store, bundle, wait=wait)
            return report, ended

    report, ended = asyncio.run(scenario())

    assert [CloudState.UP, DigState.APPROVED, DigState.STARTING] == [done.record.state for done in report.done]
    assert [DigState.STOPPING, CloudState.DOWN] == [record.state for record in ended]


def test_cluster_on_which_something_is_placed_cannot_be_deleted(store, rsync):
    """GEN-5, LIF-12: What ``rsync`` alone reports as placed keeps its cluster, until it reports something else."""
    apply_bundle(store, bundle_of(EDGE))
    live = store.get(DeploymentIntentGroup, *LIVE.segments)
    office = Key("Cluster", "coast", "office")
    placed = DigStatus(parent=live, placed_on=[Ref(office)], conditions={"Ready": yes("Deployed")})

    rsync.store.set_status(placed, observed=live)

    assert f"status of {LIVE} by rsync placed_on[0]" in "".join(map(str, store.plan_delete(office).blockers))
    assert store.condition(live, "Ready", by=DigStatus).is_true
    assert "unobserved" not in store.sync_state(live).words
    with pytest.raises(NotPermitted), store.acting(actor="alice"):
        store.set_status(placed, observed=live)
    rsync.store.set_status(placed.model_copy(update={"placed_on": []}), observed=live)
    assert "status of" not in "".join(map(str, store.plan_delete(office).blockers))


def test_plan_of_a_run_follows_the_states(store, rsync):
    """Each action is shown with its transition and the states before and after, or with the states that it needs."""
    apply_bundle(store, bundle_of(EDGE))
    anchors = (f"{D}/approve", CLOUD_UP, f"{D}/instantiate", f"{D}/update")
    bundle = bundle_of("".join(ACTION.format(anchor=anchor) for anchor in anchors))

    first = plan_run(store, bundle)
    assert [
        ("approve", "Created", "Approved", ()),
        ("instantiate", "Created", "Instantiated", ()),
        ("instantiate", "Approved", "Instantiating", ()),
        ("update", "Instantiating", "Instantiating", ("Instantiated",)),
    ] == [(one.action.verb, one.state, one.to, one.needed) for one in first.actions]
    assert [first.actions[3]] == list(first.refusals)
    assert DigState.CREATED is store.lifecycle(LIVE).state

    with pytest.raises(TransitionRefused):
        run_bundle(store, bundle)
    again = plan_run(store, Bundle((), bundle.actions[:3]))
    assert [(), (), ()] == [one.steps for one in again.actions]
    rsync.catch_up()
    assert not plan_run(store, bundle).refusals


def test_plan_of_a_migration_shows_both_deployments(store):
    """The one that takes over must be approved; the plan says so before anything is done."""
    apply_bundle(store, bundle_of(EDGE))
    more = ", spec: {targetCompositeAppVersion: v2, targetDeploymentIntentGroup: next}"
    plan = plan_run(store, on_live("migrate", more))

    assert [
        ("DeploymentIntentGroup/harbour/vision/v2/next", ("Approved", "Terminated")),
        (str(LIVE), ("Instantiating", "Instantiated", "InstantiateFailed")),
    ] == [(str(one.target), one.needed) for one in plan.actions]


def test_plan_of_a_run_is_the_same_for_asyncio(backend):
    """The blocking call and the asyncio one show the same."""

    async def shown() -> str:
        async with connect_async(backend, namespace="emco") as opened:
            return str(await plan_run_async(opened, bundle_of(EDGE)))

    with connect(backend, namespace="emco") as opened:
        assert str(plan_run(opened, bundle_of(EDGE))) == asyncio.run(shown())


def test_stop_waits_for_nobody(store):
    """A run that waits does not wait for the operation that it is to stop (LIF-9)."""
    run_bundle(store, bundle_of(EDGE))

    report = run_bundle(store, on_live("stop"), wait=lambda record: pytest.fail(f"waits for {record}"))

    assert [DigState.FAILED] == [done.record.state for done in report.done]


def test_plan_of_a_run_that_waits_takes_operations_as_ended(store):
    """What needs the end of an operation is possible then, and without waiting it is refused (LIF-8)."""
    bundle = bundle_of(f"{EDGE}\n---\n{{resourceContext: {{anchor: {D}/update}}}}")

    assert ["update"] == [one.action.verb for one in plan_run(store, bundle).refusals]
    plan = plan_run(store, bundle, waits=True)
    assert () == plan.refusals
    assert ("Instantiated", "Instantiating") == (plan.actions[-1].state, plan.actions[-1].to)
    stop = plan_run(store, bundle_of(f"{EDGE}\n---\n{{resourceContext: {{anchor: {D}/stop}}}}"), waits=True)
    assert ("Instantiating", "InstantiateFailed") == (stop.actions[-1].state, stop.actions[-1].to)
