"""B15 on the shipped catalogue: what a deployment needs cannot be deleted while it does, whatever names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emco_store import Conflict, DeleteRestricted, Key, MissingReference, Resource, Rule, Store
from emco_store.contracts.harness import Bench, Lab
from emco_store.emco import (
    AppDependency,
    CaCertClusterGroupCp,
    Cluster,
    ClusterLabel,
    ClusterReference,
    Customization,
    GenericAppPlacementIntent,
    GroupIntent,
    InterfaceIntent,
    Network,
    SfcIntent,
    SfcProviderNetwork,
    WorkerIntent,
    read_bundle,
)
from tests.breakages.interleaving import interleave

C = "projects/pr/composite-apps/ca/v1"
D = f"{C}/deployment-intent-groups/dig"
TEXT = f"""
{{resourceContext: {{anchor: cluster-providers}}, metadata: {{name: p}}}}
---
resourceContext: {{anchor: cluster-providers/p/cluster-sync-objects}}
metadata: {{name: git}}
spec: {{kv: [{{gitType: github}}]}}
---
resourceContext: {{anchor: cluster-providers/p/clusters}}
metadata: {{name: c}}
spec: {{gitOps: {{gitOpsType: fluxcd, gitOpsReferenceObject: git, gitOpsResourceObject: git}}}}
---
{{resourceContext: {{anchor: cluster-providers/p/clusters}}, metadata: {{name: d}}}}
---
{{resourceContext: {{anchor: cluster-providers/p/clusters/c/labels}}, clusterLabel: edge}}
---
{{resourceContext: {{anchor: cluster-providers/p/clusters/d/labels}}, clusterLabel: core}}
---
resourceContext: {{anchor: cluster-providers/p/clusters/c/networks}}
metadata: {{name: net}}
spec: {{cniType: ovn4nfv, ipv4Subnets: [{{name: s, subnet: 10.0.0.0/24}}]}}
---
resourceContext: {{anchor: cluster-providers/p/clusters/c/provider-networks}}
metadata: {{name: out}}
spec:
  cniType: ovn4nfv
  providerNetType: VLAN
  ipv4Subnets: [{{name: s, subnet: 10.0.1.0/24}}]
  vlan:
    {{vlanID: "1", providerInterfaceName: e, logicalInterfaceName: e.1, vlanNodeSelector: all, nodeLabelList: [x]}}
---
{{resourceContext: {{anchor: controllers}}, metadata: {{name: rsync}}, spec: {{host: h, port: 1}}}}
---
resourceContext: {{anchor: controllers}}
metadata: {{name: ovnaction}}
spec: {{host: h, port: 1, type: action, priority: 1}}
---
resourceContext: {{anchor: dtc-controllers}}
metadata: {{name: its}}
spec: {{host: h, port: 1, type: action, priority: 1}}
---
{{resourceContext: {{anchor: projects}}, metadata: {{name: pr}}}}
---
{{resourceContext: {{anchor: projects/pr/logical-clouds}}, metadata: {{name: lc}}}}
---
resourceContext: {{anchor: projects/pr/logical-clouds/lc/cluster-references}}
metadata: {{name: ref}}
spec: {{clusterProvider: p, cluster: c}}
---
{{resourceContext: {{anchor: projects/pr/composite-apps}}, metadata: {{name: ca}}, spec: {{compositeAppVersion: v1}}}}
---
{{resourceContext: {{anchor: {C}/apps}}, metadata: {{name: a}}, file: a.tgz}}
---
{{resourceContext: {{anchor: {C}/apps}}, metadata: {{name: b}}, file: b.tgz}}
---
{{resourceContext: {{anchor: {C}/composite-profiles}}, metadata: {{name: cp}}}}
---
resourceContext: {{anchor: {C}/deployment-intent-groups}}
metadata: {{name: dig}}
spec: {{compositeProfile: cp, version: r1, logicalCloud: lc}}
---
resourceContext: {{anchor: {C}/deployment-intent-groups}}
metadata: {{name: worker}}
spec: {{compositeProfile: cp, version: r1, logicalCloud: lc}}
---
{{resourceContext: {{anchor: {D}/generic-placement-intents}}, metadata: {{name: gpi}}}}
---
resourceContext: {{anchor: {D}/generic-placement-intents/gpi/app-intents}}
metadata: {{name: ai}}
spec: {{app: a, intent: {{allOf: [{{clusterProvider: p, clusterLabel: edge}}]}}}}
---
{{resourceContext: {{anchor: {D}/network-controller-intent}}, metadata: {{name: nci}}}}
---
resourceContext: {{anchor: {D}/network-controller-intent/nci/workload-intents}}
metadata: {{name: w}}
spec: {{app: a, workloadResource: a, type: Deployment}}
---
resourceContext: {{anchor: {D}/network-controller-intent/nci/workload-intents/w/interfaces}}
metadata: {{name: if}}
spec: {{interface: eth1, name: net}}
---
{{resourceContext: {{anchor: {D}/traffic-group-intents}}, metadata: {{name: tgi}}}}
---
resourceContext: {{anchor: {D}/intents}}
metadata: {{name: gi}}
spec: {{intent: {{genericPlacementIntent: gpi, ovnaction: nci}}}}
"""
DIG = Key("DeploymentIntentGroup", "pr", "ca", "v1", "dig")
LABEL = Key("ClusterLabel", "p", "c", "edge")
NETWORK = Key("Network", "p", "c", "net")
REFERENCE = Key("ClusterReference", "pr", "lc", "ref")


def deploy(store: Any) -> None:
    """Store the deployment."""
    with store.transaction() as tx:
        for resource in read_bundle([("b15.yaml", TEXT)]).resources:
            tx.put(resource)


USES: dict[str, tuple[Key, set[str]]] = {
    "label": (LABEL, {"GenericAppPlacementIntent"}),
    "network": (NETWORK, {"InterfaceIntent"}),
    "cluster reference": (REFERENCE, {"DeploymentIntentGroup"}),
    "sync object": (Key("ClusterSyncObject", "p", "git"), {"Cluster"}),
    "controller of an intent": (Key("Controller", "orchestrator", "ovnaction"), {"GroupIntent"}),
    "controller that deploys": (Key("Controller", "orchestrator", "rsync"), {"DeploymentIntentGroup"}),
    "controller of traffic": (Key("Controller", "dtc", "its"), {"TrafficGroupIntent"}),
    "placement intent": (
        Key("GenericPlacementIntent", *DIG.segments, "gpi"),
        {"GenericAppPlacementIntent", "GroupIntent"},
    ),
    "network intent": (Key("NetControllerIntent", *DIG.segments, "nci"), {"WorkloadIntent", "GroupIntent"}),
    "cluster": (Key("Cluster", "p", "c"), {"ClusterLabel", "ClusterReference", "Network", "ProviderNetwork"}),
    "logical cloud": (Key("LogicalCloud", "pr", "lc"), {"ClusterReference", "DeploymentIntentGroup"}),
}


@pytest.mark.parametrize("use", USES)
def test_b15_what_a_deployment_uses_cannot_be_deleted(lab: Lab, use: str):
    """B15, DEL-1, DEL-13: The delete of what is in use is refused, and all who use it are named."""
    deploy(lab.store)
    before = lab.records()
    target, users = USES[use]

    for store in (lab.store, lab.open()):  # the second one has met no model
        with pytest.raises(DeleteRestricted) as caught:
            store.delete(target)
        assert users == {blocker.referrer.kind for blocker in caught.value.blockers}

    assert before == lab.records()


def test_b15_chain_of_deletes_ends_at_its_first_link(lab: Lab):
    """B15: Reference, label and cluster of a running workload go one by one in EMCO; here none of them does."""
    deploy(lab.store)

    for key in (REFERENCE, LABEL, Key("Cluster", "p", "c"), Key("ClusterProvider", "p")):
        with pytest.raises(DeleteRestricted):
            lab.store.delete(key)

    assert [] == lab.dangling()


@pytest.mark.parametrize("use", ["label", "network", "cluster reference"])
def test_b15_use_moves_to_another_one_that_will_do(lab: Lab, use: str):
    """B15, DEL-13: Where another cluster has the label or the network, one of them can be deleted, and then no more."""
    deploy(lab.store)
    key = USES[use][0]
    twins = {
        "label": ClusterLabel(parent="Cluster/p/d", name="edge"),
        "network": Network(parent="Cluster/p/d", name="net"),
        "cluster reference": ClusterReference(
            parent="LogicalCloud/pr/lc", name="other", spec={"clusterProvider": "p", "cluster": "d"}
        ),
    }
    twin = lab.store.create(twins[use])

    lab.store.delete(key)

    with pytest.raises(DeleteRestricted):
        lab.store.delete(twin)
    assert [] == lab.dangling()
    assert () == tuple(flaw for flaw in lab.store.check(limit=1000).flaws if flaw.key)


@pytest.mark.parametrize(
    ("user", "missing"),
    [
        (
            GenericAppPlacementIntent(
                parent=Key("GenericPlacementIntent", *DIG.segments, "gpi"), name="x",
                spec={"app": "a", "intent": {"anyOf": [{"clusterProvider": "p", "clusterLabel": "none"}]}},
            ), "ClusterLabel/p/*/none",
        ),
        (
            InterfaceIntent(
                parent=Key("WorkloadIntent", *DIG.segments, "nci", "w"), name="x",
                spec={"interface": "eth2", "name": "none"},
            ), "Network/*/*/none or ProviderNetwork/*/*/none or SfcIntent/pr/ca/v1/dig/*",
        ),
        (
            AppDependency(parent="App/pr/ca/v1/a", name="x", spec={"app": "none", "opStatus": "Ready"}),
            "App/pr/ca/v1/none",
        ),
        (
            GroupIntent(parent=DIG, name="x", spec={"intent": {"genericPlacementIntent": "none"}}),
            "GenericPlacementIntent/pr/ca/v1/dig/none",
        ),
        (
            GroupIntent(parent=DIG, name="x", spec={"intent": {"ovnaction": "none"}}),
            "NetControllerIntent/pr/ca/v1/dig/none",
        ),
        (
            Cluster(parent="ClusterProvider/p", name="x", spec={"gitOps": {"gitOpsReferenceObject": "none"}}),
            "ClusterSyncObject/p/none",
        ),
    ],
    ids=["label", "network", "app", "placement", "network-intent", "sync-object"],
)  # fmt: skip
def test_b15_what_names_nothing_is_refused(lab: Lab, user: Resource, missing: str):
    """B15, REF-2, REF-14: Names that EMCO's schema does not know as references resolve, or are refused."""
    deploy(lab.store)
    before = lab.records()

    with pytest.raises(MissingReference) as caught:
        lab.store.create(user)

    assert [missing] == [str(target) for _, target in caught.value.missing]
    assert before == lab.records()


OTHERS: list[tuple[Resource, Key]] = [
    (
        AppDependency(parent="App/pr/ca/v1/a", name="x", spec={"app": "b", "opStatus": "Ready"}),
        Key("App", "pr", "ca", "v1", "b"),
    ),
    (
        CaCertClusterGroupCp(
            parent="CaCertCp/p/ca", name="x", spec={"scope": "label", "clusterProvider": "p", "label": "core"}
        ), Key("ClusterLabel", "p", "d", "core"),
    ),
    (
        Customization(
            parent=Key("GenericResource", *DIG.segments, "k", "r"), name="x",
            spec={
                "clusterSpecific": "true",
                "clusterInfo": {"scope": "label", "clusterProvider": "p", "clusterLabel": "core", "mode": "allow"},
            },
        ), Key("ClusterLabel", "p", "d", "core"),
    ),
    (
        SfcProviderNetwork(
            parent=Key("SfcIntent", *DIG.segments, "chain"), name="x",
            spec={"chainEnd": "left", "providerNetwork": "out", "gatewayIp": "10.0.1.1"},
        ), Key("ProviderNetwork", "p", "c", "out"),
    ),
    (
        WorkerIntent(
            parent=Key("WorkflowHookIntent", *DIG.segments, "hook"), name="x",
            spec={
                "startToCloseTimeout": 1, "compositeApp": "ca", "compositeAppVersion": "v1",
                "deploymentIntentGroup": "worker",
            },
        ), Key("DeploymentIntentGroup", "pr", "ca", "v1", "worker"),
    ),
]  # fmt: skip
PARENTS = f"""
{{resourceContext: {{anchor: cluster-providers/p/ca-certs}}, metadata: {{name: ca}}}}
---
{{resourceContext: {{anchor: {D}/generic-k8s-intents}}, metadata: {{name: k}}}}
---
resourceContext: {{anchor: {D}/generic-k8s-intents/k/resources}}
metadata: {{name: r}}
spec: {{app: a, newObject: "true"}}
---
{{resourceContext: {{anchor: {D}/network-chains}}, metadata: {{name: chain}}}}
---
{{resourceContext: {{anchor: {D}/temporal-action-controller}}, metadata: {{name: hook}}}}
"""


@pytest.mark.parametrize(("user", "used"), OTHERS, ids=[user.key.kind for user, _ in OTHERS])
def test_b15_other_users_hold_what_they_name(lab: Lab, user: Resource, used: Key):
    """B15: Dependencies, certificates, customizations, chains and workers hold what they name, and release it."""
    deploy(lab.store)
    with lab.store.transaction() as tx:
        for resource in read_bundle([("parents.yaml", PARENTS)]).resources:
            tx.put(resource)
    stored = lab.store.create(user)

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(used)

    assert [user.key] == [blocker.referrer for blocker in caught.value.blockers]
    lab.store.delete(stored)
    lab.store.delete(used)


def test_b15_deployment_with_a_chain_may_name_networks_that_the_chain_makes(lab: Lab):
    """An interface names a network of some cluster, or the deployment has a chain, which makes networks (REF-16)."""
    deploy(lab.store)
    interface = InterfaceIntent(
        parent=Key("WorkloadIntent", *DIG.segments, "nci", "w"), name="x", spec={"interface": "e", "name": "dynamic"}
    )
    chain = lab.store.create(SfcIntent(parent=DIG, name="chain"))

    lab.store.create(interface)

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(chain)
    assert [(interface.key, Rule.RESELECT)] == [(found.referrer, found.rule) for found in caught.value.blockers]


def place_by_label(store: Store) -> Iterator[None]:
    """Place an app by a label of two clusters."""
    with store.transaction() as tx:
        yield
        tx.create(
            GenericAppPlacementIntent(
                parent=Key("GenericPlacementIntent", *DIG.segments, "gpi"), name="new",
                spec={"app": "b", "intent": {"allOf": [{"clusterProvider": "p", "clusterLabel": "core"}]}},
            )
        )  # fmt: skip
        yield


def delete_label(store: Store) -> Iterator[None]:
    """Delete the only label of that name."""
    with store.transaction() as tx:
        yield
        tx.delete(Key("ClusterLabel", "p", "d", "core"))
        yield


def delete_cluster_with_its_label(store: Store) -> Iterator[None]:
    """Delete the cluster and its label in one step."""
    with store.transaction() as tx:
        yield
        tx.delete(Key("Cluster", "p", "d"), Key("ClusterLabel", "p", "d", "core"))
        yield


@pytest.mark.parametrize("delete", [delete_label, delete_cluster_with_its_label])
def test_b15_placement_by_label_and_delete_of_the_last_label_exclude_each_other(bench: Bench, delete):
    """B15, OCC-12: Of a placement by label and the delete of its last label one is refused, in every order."""
    ends = set()
    for run in interleave(bench, deploy, place_by_label, delete):
        stored = run.lab.records()
        is_placed = any(text.endswith("/gpi/new") for text in stored)
        assert [] == run.lab.dangling(), run.order
        assert is_placed <= ("ClusterLabel/p/d/core" in stored), run.order
        assert 1 == run.winners, run.order
        refusals = Conflict | DeleteRestricted | MissingReference
        assert all(isinstance(error, refusals) for error in run.errors if error is not None), run.order
        ends.add(is_placed)

    assert {True, False} == ends


def test_b15_kinds_that_are_tried_here_are_those_that_select():
    """Every model of the catalogue that selects something has a test above that shows what it holds."""
    from emco_store.emco import CATALOGUE  # noqa: PLC0415 - only this test looks at all of them

    tried = {kind for _, kinds in USES.values() for kind in kinds} | {user.key.kind for user, _ in OTHERS}
    selecting = {model.__emco__.kind for model in CATALOGUE if model.__emco__.selects}

    assert selecting - {"CaCertClusterGroupLc"} <= tried
