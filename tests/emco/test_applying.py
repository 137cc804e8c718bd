"""Applying and deleting bundles: each in one transaction, on the blocking and the async store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from emco_store import (
    AsyncStore,
    DeleteRestricted,
    InvalidResource,
    Key,
    MemoryBackend,
    MissingReference,
    Resource,
    Store,
    connect,
    connect_async,
)
from emco_store.emco import (
    CATALOGUE,
    App,
    Bundle,
    Cluster,
    ClusterProvider,
    GenericAppPlacementIntent,
    LogicalCloud,
    PolicyModule,
    Project,
    apply_bundle,
    apply_bundle_async,
    delete_bundle,
    delete_bundle_async,
    plan_bundle_delete,
    plan_bundle_delete_async,
)
from tests.emco.conftest import bundle_of

WHOLE = ("vfw", "sfc", "hpa", "test-update", "test-cert")
EDGE = Path(__file__).parents[2] / "examples" / "edge.yaml"
COMPOSITE = """
{resourceContext: {anchor: projects}, metadata: {name: p}}
---
{resourceContext: {anchor: projects/p/composite-apps}, metadata: {name: ca}, spec: {compositeAppVersion: v1}}
"""
PROFILE = """
resourceContext: {anchor: projects/p/composite-apps/ca/v1/composite-profiles/cp/profiles}
metadata: {name: web}
spec: {app: web}
---
{resourceContext: {anchor: projects/p/composite-apps/ca/v1/composite-profiles}, metadata: {name: cp}}
---
{resourceContext: {anchor: projects/p/composite-apps/ca/v1/apps}, metadata: {name: web}, file: web.tgz}
"""


def versions(store: Store, bundle: Bundle) -> dict[Key, int]:
    """Return the versions of all that a bundle states."""
    return {found.key: found.meta.version for found in store.get_many(list(bundle.final))}


def everything(store: Store) -> tuple[Any, ...]:
    """Return all that a store has."""
    return tuple(store.list(Resource, limit=1000))


@pytest.mark.parametrize("name", WHOLE)
def test_example_is_applied_whole(each_store, example, name):
    """All that an example states is there afterwards, as it states it, and its actions are listed (ATM-1)."""
    bundle = bundle_of(example(name))

    report = apply_bundle(each_store, bundle)

    assert (set(bundle.final), (), ()) == (set(report.created), report.updated, report.unchanged)
    assert bundle.actions == report.actions
    assert sorted(bundle.resources, key=lambda item: item.key) == [
        plain(item) for item in sorted(everything(each_store), key=lambda item: item.key)
    ]


def plain(resource: Resource) -> Resource:
    """Return a resource as it is before it is stored."""
    return type(resource)(**dict(resource))


@pytest.mark.parametrize("name", WHOLE)
def test_example_applied_again_changes_nothing(each_store, example, name):
    """An equal put changes nothing, not even the version (ID-5)."""
    bundle = bundle_of(example(name))
    apply_bundle(each_store, bundle)
    before = versions(each_store, bundle)

    report = apply_bundle(each_store, bundle)

    assert ((), (), set(bundle.final)) == (report.created, report.updated, set(report.unchanged))
    assert before == versions(each_store, bundle)


@pytest.mark.parametrize("name", WHOLE)
def test_example_is_deleted_in_one_plan(each_store, example, name):
    """All that an example states goes together, although its resources restrict each other (DEL-1, DEL-7)."""
    bundle = bundle_of(example(name))
    apply_bundle(each_store, bundle)

    preview = plan_bundle_delete(each_store, bundle)
    report = delete_bundle(each_store, bundle)

    assert ((), ()) == (preview.plan.blockers, preview.absent)
    assert {deletion.key for deletion in preview.plan.deletes} == set(report.deleted) == set(bundle.final)
    assert () == everything(each_store)


def test_plan_of_a_bundle_can_be_applied(store, example):
    """What the plan shows is what is done (DEL-9)."""
    bundle = bundle_of(example("vfw"))
    apply_bundle(store, bundle)

    store.apply(plan_bundle_delete(store, bundle).plan)

    assert () == everything(store)


def test_restated_intent_is_as_it_was_stated_last(store, example):
    """An update inside a bundle is told, and the cluster of the last statement is the one that is held."""
    report = apply_bundle(store, bundle_of(example("test-update")))

    (restated,) = report.restated
    (choice,) = store.get(restated).spec.intent.allOf
    assert ("GenericAppPlacementIntent", Key("Cluster", "provider-update", "cluster2")) == (
        restated.kind,
        choice.cluster.key,
    )
    assert restated in report.created


def test_bundle_in_two_steps_updates_what_is_stated_anew(store, example):
    """What is there and stated otherwise is updated, and the rest is left alone (ID-5)."""
    whole = bundle_of(example("test-update"))
    first = {statement.resource.key: statement for statement in reversed(whole.statements)}
    apply_bundle(store, Bundle(tuple(first.values())))

    report = apply_bundle(store, whole)

    assert ((), whole.restated) == (report.created, report.updated)
    assert len(whole.final) - 1 == len(report.unchanged)


def test_example_with_a_missing_profile_is_refused_and_leaves_nothing(each_store, example):
    """A reference that resolves nowhere refuses the whole bundle, with its document and field (REF-2, ATM-1)."""
    with pytest.raises(MissingReference) as caught:
        apply_bundle(each_store, bundle_of(example("test-tac"), "test-tac.yaml"))

    (fault,) = caught.value.faults
    assert (
        "test-tac.yaml",
        11,
        "spec.compositeProfile",
        Key("CompositeProfile", "proj1", "capp", "v1", "capp-profile"),
    ) == (
        fault.position.source,
        fault.position.document,
        fault.field,
        fault.target,
    )
    assert () == everything(each_store)


def test_forward_references_are_no_obstacle(store):
    """Checks run at the commit, so the order of documents is free (REF-7)."""
    report = apply_bundle(store, bundle_of(f"{PROFILE}\n---\n{COMPOSITE}"))

    assert 5 == len(report.created)


def test_all_missing_targets_and_parents_are_listed(store):
    """Every reference that resolves nowhere is named at once, parents included (REF-1, REF-2, REF-3, REF-4)."""
    dig = "projects/p/composite-apps/ca/v1/deployment-intent-groups"
    text = f"""{COMPOSITE}
---
resourceContext: {{anchor: {dig}}}
metadata: {{name: d}}
spec: {{compositeProfile: none, version: r1, logicalCloud: nowhere, overrideValues: [{{app: absent, values: {{}}}}]}}
---
resourceContext: {{anchor: {dig}/d/intents}}
metadata: {{name: i}}
spec: {{intent: {{genericPlacementIntent: x, phantom: y}}}}
---
resourceContext: {{anchor: cluster-providers/absent/clusters}}
metadata: {{name: c}}
---
resourceContext: {{anchor: cluster-providers/absent/clusters/c/labels}}
clusterLabel: l
"""

    with pytest.raises(MissingReference) as caught:
        apply_bundle(store, bundle_of(text))

    expected = {
        (3, "spec.compositeProfile", Key("CompositeProfile", "p", "ca", "v1", "none")),
        (3, "spec.logicalCloud", Key("LogicalCloud", "p", "nowhere")),
        (3, "spec.overrideValues[0].app", Key("App", "p", "ca", "v1", "absent")),
        (4, "spec.intent{Controller/orchestrator/phantom}", Key("Controller", "orchestrator", "phantom")),
        (4, "spec.intent.genericPlacementIntent", Key("GenericPlacementIntent", "p", "ca", "v1", "d", "x")),
        (5, "resourceContext.anchor", Key("ClusterProvider", "absent")),
    }
    found = {(fault.position.document, fault.field, str(fault.target)) for fault in caught.value.faults}
    wanted = {(number, field, str(target)) for number, field, target in expected}
    assert wanted | {(3, "spec.logicalCloud", "ClusterReference/p/nowhere/*")} == found
    assert {target for _, _, target in found} == {str(target) for _, target in caught.value.missing}
    assert () == everything(store)


def test_missing_target_of_an_update_is_listed_beside_one_of_a_create(store):
    """It does not matter whether the referrer was there before (REF-2)."""
    apply_bundle(store, bundle_of(f"{PROFILE}\n---\n{COMPOSITE}"))
    update = PROFILE.replace("{app: web}", "{app: gone}")
    create = PROFILE.replace("{app: web}", "{app: lost}").replace("{name: web}\n", "{name: db}\n")

    with pytest.raises(MissingReference) as caught:
        apply_bundle(store, bundle_of(f"{update}\n---\n{create}"))

    assert [(1, "gone"), (4, "lost")] == [(fault.position.document, fault.target.name) for fault in caught.value.faults]


def test_target_outside_the_bundle_is_found_in_the_store(store):
    """A bundle may refer to what another one has stated (REF-2)."""
    apply_bundle(store, bundle_of(COMPOSITE))

    report = apply_bundle(store, bundle_of(PROFILE))

    assert 3 == len(report.created)


def test_document_beyond_the_limit_of_the_store_is_refused_with_its_number():
    """What only this store refuses is told by its document too, all at once (BAD-3)."""
    long = "---\nresourceContext: {{anchor: projects}}\nmetadata: {{name: {name}, description: {text}}}\n"
    bundle = bundle_of(
        "".join(
            long.format(name=name, text=text) for name, text in zip("abc", ("x" * 900, "x", "y" * 900), strict=True)
        )
    )

    with connect("memory://", namespace="small", max_bytes=500) as store:
        with pytest.raises(InvalidResource) as caught:
            apply_bundle(store, bundle)

        assert [1, 3] == [fault.position.document for fault in caught.value.faults]
        assert () == everything(store)


class StrangeProject(Resource, kind="Project"):
    """A project of another program, with data that EMCO's model cannot read."""

    size: int


def test_unreadable_resource_is_replaced_by_what_the_bundle_states():
    """A document that cannot be read does not stop a bundle that states it anew, nor its delete (BAD-8)."""
    backend = MemoryBackend()
    connect(backend, namespace="shared").create(StrangeProject(name="p", size=3))
    bundle = bundle_of(COMPOSITE)

    with connect(backend, namespace="shared", models=CATALOGUE) as store:
        before = plan_bundle_delete(store, bundle)
        report = apply_bundle(store, bundle)

        assert ((Key("CompositeApp", "p", "ca", "v1"),), (Key("Project", "p"),)) == (report.created, report.updated)
        assert (Key("CompositeApp", "p", "ca", "v1"),) == before.absent
        assert Project(name="p") == plain(store.get(Project, "p"))


def test_delete_says_and_skips_what_is_not_there(store):
    """What a bundle states and nobody has is no error in a delete."""
    apply_bundle(store, bundle_of(COMPOSITE))

    report = delete_bundle(store, bundle_of(f"{COMPOSITE}\n---\n{PROFILE}"))

    assert {"Project", "CompositeApp"} == {key.kind for key in report.deleted}
    assert {"App", "AppProfile", "CompositeProfile"} == {key.kind for key in report.absent}
    assert () == everything(store)


def test_delete_of_nothing_that_is_there_does_nothing(store):
    """A bundle may be deleted twice."""
    report = delete_bundle(store, bundle_of(COMPOSITE))

    assert ((), 2) == (report.deleted, len(report.absent))


def test_delete_with_a_referrer_outside_the_bundle_is_refused_whole(each_store):
    """Others that refer to what would go restrict the whole delete (DEL-1, DEL-7)."""
    bundle = bundle_of(COMPOSITE)
    apply_bundle(each_store, bundle)
    cloud = each_store.create(LogicalCloud(parent="Project/p", name="lc"))

    with pytest.raises(DeleteRestricted) as caught:
        delete_bundle(each_store, bundle)

    assert [cloud.key] == [blocker.referrer for blocker in caught.value.blockers]
    assert 3 == len(everything(each_store))


def test_policy_module_stays_when_its_agents_go(store):
    """EMCO makes the module itself, and no document states it: a delete leaves it."""
    bundle = bundle_of("{resourceContext: {anchor: policy/agents/a}, addr: x}")
    apply_bundle(store, bundle)

    report = delete_bundle(store, bundle)

    assert (Key("Agent", "Agent", "a"),) == report.deleted
    assert [PolicyModule(name="Agent").key] == [found.key for found in everything(store)]


def test_override_of_an_app_restricts_its_delete(store, example):
    """A reference that EMCO's schema leaves undeclared is enforced here (B15, DEL-1)."""
    apply_bundle(store, bundle_of(example("vfw")))

    with pytest.raises(DeleteRestricted) as caught:
        store.delete(Key("App", "proj1", "compositevfw", "v1", "sink"))

    assert "DeploymentIntentGroup" in {blocker.referrer.kind for blocker in caught.value.blockers}


def customized(specific: str) -> Bundle:
    """Return a deployment with a customization that names a cluster."""
    dig = "projects/p/composite-apps/ca/v1/deployment-intent-groups"
    return bundle_of(f"""{COMPOSITE}
---
{PROFILE}
---
{{resourceContext: {{anchor: cluster-providers}}, metadata: {{name: cp}}}}
---
{{resourceContext: {{anchor: cluster-providers/cp/clusters}}, metadata: {{name: c}}}}
---
{{resourceContext: {{anchor: projects/p/logical-clouds}}, metadata: {{name: lc}}}}
---
resourceContext: {{anchor: projects/p/logical-clouds/lc/cluster-references}}
metadata: {{name: r}}
spec: {{clusterProvider: cp, cluster: other}}
---
{{resourceContext: {{anchor: cluster-providers/cp/clusters}}, metadata: {{name: other}}}}
---
resourceContext: {{anchor: {dig}}}
metadata: {{name: d}}
spec: {{compositeProfile: cp, version: r1, logicalCloud: lc}}
---
{{resourceContext: {{anchor: {dig}/d/generic-k8s-intents}}, metadata: {{name: g}}}}
---
resourceContext: {{anchor: {dig}/d/generic-k8s-intents/g/resources}}
metadata: {{name: r}}
spec: {{app: web, newObject: "true"}}
---
resourceContext: {{anchor: {dig}/d/generic-k8s-intents/g/resources/r/customizations}}
metadata: {{name: x}}
spec: {{clusterSpecific: "{specific}", clusterInfo: {{scope: name, clusterProvider: cp, cluster: c, mode: allow}}}}
""")


def test_cluster_of_a_customization_is_held_only_while_its_condition_holds(store):
    """A condition that is met restricts the delete, and one that is no longer met releases it (REF-10, REF-13)."""
    cluster = Key("Cluster", "cp", "c")
    apply_bundle(store, customized("true"))

    held = [blocker.referrer.kind for blocker in store.plan_delete(cluster).blockers]
    report = apply_bundle(store, customized("false"))
    released = store.plan_delete(cluster).blockers

    assert (["Customization"], ["Customization"], ()) == (held, [key.kind for key in report.updated], released)


def test_report_can_be_printed(store, example):
    """A report names the resources and the actions for people."""
    bundle = bundle_of(example("test-update"))

    texts = [
        str(apply_bundle(store, bundle)),
        str(plan_bundle_delete(store, bundle)),
        str(delete_bundle(store, bundle)),
    ]

    assert all(str(key) in text for key in bundle.final for text in texts)
    assert all(str(action) in texts[0] for action in bundle.actions)


def test_bundle_is_applied_and_deleted_by_an_async_store(example):
    """The async store does the same in the same order of calls (ATM-1, DEL-7)."""
    bundle = bundle_of(example("vfw"))

    async def scenario(store: AsyncStore) -> list[Any]:
        created = await apply_bundle_async(store, bundle)
        again = await apply_bundle_async(store, bundle)
        plan = await plan_bundle_delete_async(store, bundle)
        deleted = await delete_bundle_async(store, bundle)
        left = tuple(await store.list(Resource))
        return [len(created.created), len(again.unchanged), len(plan.plan.deletes), len(deleted.deleted), left]

    assert [40, 40, 40, 40, ()] == run_async(scenario)


def test_missing_reference_is_told_by_its_document_by_an_async_store(example):
    """The async store names the document and the field too (REF-2)."""
    bundle = bundle_of(example("test-tac"))

    async def scenario(store: AsyncStore) -> Any:
        with pytest.raises(MissingReference) as caught:
            await apply_bundle_async(store, bundle)
        return [(fault.position.document, fault.field) for fault in caught.value.faults], tuple(
            await store.list(Resource)
        )

    assert ([(11, "spec.compositeProfile")], ()) == run_async(scenario)


def run_async(scenario: Any) -> Any:
    """Run a scenario on an async store of its own."""

    async def main() -> Any:
        async with connect_async("memory://", namespace="emco") as store:
            return await scenario(store)

    return asyncio.run(main())


def test_edge_example_is_applied_and_deleted(each_store):
    """The example of the documentation is a whole deployment, and goes as a whole."""
    bundle = bundle_of(EDGE.read_text(encoding="utf-8"))

    report = apply_bundle(each_store, bundle)
    placed = each_store.get(GenericAppPlacementIntent, "harbour", "vision", "v1", "live", "placement", "detector")

    assert (45, 3) == (len(report.created), len(report.actions))
    assert placed in tuple(each_store.referrers(Key("Cluster", "coast", "office")))
    assert {App, Cluster, ClusterProvider} < {type(item) for item in everything(each_store)}
    assert 45 == len(delete_bundle(each_store, bundle).deleted)
    assert () == everything(each_store)
