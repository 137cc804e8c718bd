# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Deployment intent groups, the intents that they name, and where each app is placed."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from emco_store.core.refs import Ref, reference
from emco_store.core.some_of import some_of
from emco_store.core.status import Status
from emco_store.emco.catalogue.applications import App, CompositeApp, CompositeProfile, Controller
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Spec, Text, Texts, parts
from emco_store.emco.catalogue.clusters import Cluster, ClusterLabel
from emco_store.emco.catalogue.lifecycles import RSYNC, DigLifecycle
from emco_store.emco.catalogue.logical_clouds import ClusterReference, LogicalCloud


class OverrideValues(Spec):
    """Values of an app's chart that a deployment overrides; their names may hold dots."""

    app: Ref[App]
    values: Texts


BY_RSYNC = some_of(Controller, fixed={"group": "orchestrator", "name": "rsync"}, required=False)
"""Whatever is deployed, EMCO's controller ``rsync`` does it. It may be registered later, as in EMCO."""


class DeploymentIntentGroupSpec(Spec):
    """What is deployed, and where to: a logical cloud that has clusters."""

    compositeProfile: Ref[CompositeProfile]
    version: Annotated[Name, BY_RSYNC]
    logicalCloud: Annotated[Ref[LogicalCloud], some_of(ClusterReference)]
    overrideValues: list[OverrideValues] | None = None


class DeploymentIntentGroup(EmcoResource, parent=CompositeApp, lifecycle=DigLifecycle):
    """One deployment of a composite application, with all intents for it."""

    spec: DeploymentIntentGroupSpec


class DigStatus(Status, of=DeploymentIntentGroup, writer=RSYNC):
    """What ``rsync`` sees of a deployment; a cluster on which it is placed cannot be deleted."""

    placed_on: list[Ref[Cluster]] = []


class Rollback(Spec):
    """The revision that a deployment is taken back to."""

    revision: Name


class Migration(Spec):
    """The deployment, of another version of the composite application, that takes over."""

    targetCompositeAppVersion: Name
    targetDeploymentIntentGroup: Name


class GroupIntentSpec(Spec):
    """For each controller the name of its intent; ``genericPlacementIntent`` is no controller."""

    intent: Annotated[
        dict[Ref[Controller], Text],
        reference(fixed={"group": "orchestrator"}, ignore=("genericPlacementIntent",)),
        some_of("GenericPlacementIntent", keys=("genericPlacementIntent",)),
        some_of("NetControllerIntent", keys=("ovnaction",)),
        some_of("TrafficGroupIntent", keys=("dtc",)),
        some_of("GenericK8sIntent", keys=("gac",)),
    ]


class GroupIntent(EmcoResource, parent=DeploymentIntentGroup):
    """Which controllers take part in a deployment, and which intents of it are theirs.

    What the name of an intent means depends on the controller. It is a reference for those whose intents EMCO looks up
    by this name; for others, which ignore it or take all of their intents, it is text.
    """

    spec: GroupIntentSpec


class GenericPlacementIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A set of placements, one for each app."""

    spec: AnySpec | None = None


class ClusterChoice(Spec):
    """One cluster by its name, or all of a provider that bear a label: at least one has to."""

    clusterProvider: Text | None = None
    cluster: Annotated[Ref[Cluster] | None, parts("clusterProvider")] = None
    clusterLabel: Annotated[Text | None, some_of(ClusterLabel, where={"ClusterProvider": "clusterProvider"})] = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        chosen = [name for name in self._ways() if getattr(self, name)]
        if len(chosen) != 1:
            message = f"at {(chosen or ['cluster'])[-1]}: exactly one of {', '.join(self._ways())} is needed here"
            raise ValueError(message)
        if self.clusterLabel and not self.clusterProvider:
            message = "at clusterLabel: it needs clusterProvider beside it"
            raise ValueError(message)
        return self

    def _ways(self) -> tuple[str, ...]:
        return ("cluster", "clusterLabel")


class ClusterChoices(ClusterChoice):
    """One cluster, all that bear a label, or any one of several."""

    anyOf: list[ClusterChoice] | None = None

    def _ways(self) -> tuple[str, ...]:
        return ("cluster", "clusterLabel", "anyOf")


class Placement(Spec):
    """Where an app goes: to each of ``allOf``, and to one of ``anyOf``."""

    allOf: list[ClusterChoices] | None = None
    anyOf: list[ClusterChoice] | None = None


class GenericAppPlacementIntentSpec(Spec):
    """The app, and where it goes."""

    app: Ref[App]
    intent: Placement


class GenericAppPlacementIntent(EmcoResource, parent=GenericPlacementIntent):
    """Where one app goes."""

    spec: GenericAppPlacementIntentSpec
