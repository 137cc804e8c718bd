"""Random walks over EMCO's lifecycles: deployments, logical clouds, the networks of clusters, and certificates."""

from __future__ import annotations

from typing import Any

from emco_store.contracts.walked import walk_on
from emco_store.emco import (
    App,
    AppProfile,
    CaCertCp,
    CaCertPhaseCp,
    Cluster,
    ClusterProvider,
    ClusterReference,
    CompositeApp,
    CompositeProfile,
    DeploymentIntentGroup,
    GenericPlacementIntent,
    GroupIntent,
    LogicalCloud,
    Network,
    Project,
)

COMPOSITE: Any = "CompositeApp/p/shop/v1"
LIVE: Any = "DeploymentIntentGroup/p/shop/v1/live"
PROFILE: Any = "CompositeProfile/p/shop/v1/prod"


def deployed(cloud: str) -> DeploymentIntentGroup:
    """Return the deployment, on a cloud."""
    return DeploymentIntentGroup(
        parent=COMPOSITE, name="live", spec={"compositeProfile": "prod", "version": "r1", "logicalCloud": cloud}
    )


DEPLOYMENTS = (
    Project(name="p"), CompositeApp(parent="Project/p", name="shop", version="v1"),
    App(parent=COMPOSITE, name="web"), App(parent=COMPOSITE, name="web", description="changed"),
    CompositeProfile(parent=COMPOSITE, name="prod"), AppProfile(parent=PROFILE, name="web", spec={"app": "web"}),
    ClusterProvider(name="edge"), Cluster(parent="ClusterProvider/edge", name="c1"),
    *(LogicalCloud(parent="Project/p", name=name) for name in ("lc", "other")),
    LogicalCloud(parent="Project/p", name="lc", spec={"level": "0"}),
    *(
        ClusterReference(
            parent=f"LogicalCloud/p/{name}", name="r", spec={"clusterProvider": "edge", "cluster": "c1"}
        )
        for name in ("lc", "other")
    ),
    deployed("lc"), deployed("other"),
    GenericPlacementIntent(parent=LIVE, name="where"),
    GroupIntent(parent=LIVE, name="all", spec={"intent": {"genericPlacementIntent": "where"}}),
)  # fmt: skip
CLUSTERS = (
    ClusterProvider(name="edge"), Cluster(parent="ClusterProvider/edge", name="c1"),
    Network(parent="Cluster/edge/c1", name="net"), Network(parent="Cluster/edge/c1", name="net", description="changed"),
    CaCertCp(parent="ClusterProvider/edge", name="cert"),
    *(CaCertPhaseCp(parent="CaCertCp/edge/cert", name=name) for name in ("enrollment", "distribution")),
)  # fmt: skip


def test_deployments_go_only_where_they_may(bench):
    """Whatever is done with deployments and clouds, there is a way back (LIF-2, LIF-5)."""
    walked = walk_on(bench, DEPLOYMENTS, 25 if bench.harness.name == "memory" else 6)

    assert walked.made
    assert walked.refused
    assert bench.harness.name != "memory" or () == walked.unmade


def test_clusters_and_certificates_go_only_where_they_may(bench):
    """The same for the networks of a cluster and for certificates (LIF-2, LIF-5)."""
    walked = walk_on(bench, CLUSTERS, 15 if bench.harness.name == "memory" else 6)

    assert walked.made
    assert bench.harness.name != "memory" or () == walked.unmade
