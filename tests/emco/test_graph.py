"""The graph that is compiled from the models is the graph of EMCO's schema; each deviation has its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from emco_store import Resource, Rule
from emco_store.cli.graphs.sources import graph_of_models
from emco_store.emco import CATALOGUE, GroupIntent

Edge = tuple[str, str, str]
"""From, to, and the form: single, many or map."""
LEFT_OUT = "declared by EMCO, not here"
ADDED = "here, not declared by EMCO"
DEVIATIONS: dict[tuple[str, Edge], str] = {
    (LEFT_OUT, ("InboundClientsAccessIntent", "App", "single")): (
        "the spec of an access intent has no field that could hold an app: EMCO never records this one (B14)"
    ),
    (ADDED, ("DeploymentIntentGroup", "App", "many")): (
        "overrideValues name apps of the same composite application, and all of them exist in the examples (B15)"
    ),
    (ADDED, ("CaCertCp", "Cluster", "single")): "the issuing cluster always exists in the examples (B15)",
    (ADDED, ("CaCertLc", "Cluster", "single")): "the issuing cluster always exists in the examples (B15)",
    (ADDED, ("CaCertClusterGroupCp", "Cluster", "single")): (
        "a group with the scope 'name' names a cluster that exists in the examples (B15)"
    ),
    (ADDED, ("CaCertClusterGroupLc", "Cluster", "single")): (
        "a group with the scope 'name' names a cluster that exists in the examples (B15)"
    ),
    (ADDED, ("CaCertLogicalCloud", "LogicalCloud", "single")): (
        "the logical cloud of a certificate always exists in the examples (B15)"
    ),
    (ADDED, ("AppDependency", "App", "single")): "an app waits for an app of the same composite application (B15)",
    (ADDED, ("WorkerIntent", "DeploymentIntentGroup", "single")): (
        "a worker is a deployment of the same project, and its spec has all names of it (B15)"
    ),
    (ADDED, ("Cluster", "ClusterSyncObject", "single")): (
        "a cluster that is managed through Git needs the sync objects that it names (B15)"
    ),
}
SELECTIONS = {
    ("CaCertClusterGroupCp", "spec.label", "ClusterLabel"),
    ("CaCertClusterGroupLc", "spec.label", "ClusterLabel"),
    ("Customization", "spec.clusterInfo.clusterLabel", "ClusterLabel"),
    ("DeploymentIntentGroup", "spec.logicalCloud", "ClusterReference"),
    ("DeploymentIntentGroup", "spec.version", "Controller"),
    ("GenericAppPlacementIntent", "spec.intent.allOf[].anyOf[].clusterLabel", "ClusterLabel"),
    ("GenericAppPlacementIntent", "spec.intent.allOf[].clusterLabel", "ClusterLabel"),
    ("GenericAppPlacementIntent", "spec.intent.anyOf[].clusterLabel", "ClusterLabel"),
    ("GroupIntent", "spec.intent", "GenericK8sIntent"),
    ("GroupIntent", "spec.intent", "GenericPlacementIntent"),
    ("GroupIntent", "spec.intent", "NetControllerIntent"),
    ("GroupIntent", "spec.intent", "TrafficGroupIntent"),
    ("InterfaceIntent", "spec.name", "Network"),
    ("InterfaceIntent", "spec.name", "ProviderNetwork"),
    ("InterfaceIntent", "spec.name", "SfcIntent"),
    ("SfcProviderNetwork", "spec.providerNetwork", "ProviderNetwork"),
    ("TrafficGroupIntent", "name", "Controller"),
}
"""What EMCO chooses by a name that several resources may have, and its schema cannot say (B15)."""


@pytest.fixture(scope="module")
def schema(facts: Path) -> list[dict[str, Any]]:
    """The resources of EMCO's schema, as it declares them."""
    return yaml.safe_load((facts / "ref-schema-v1.yaml").read_text(encoding="utf-8"))["resources"]


def kind_of(name: str) -> str:
    """Return the kind for one of EMCO's names; a two-element name is known by its resource."""
    two = {"compositeApp.compositeAppVersion": "CompositeApp", "compositeAppVersion": "CompositeApp"}
    last = name.rpartition(".")[2]
    return two.get(name, last[0].upper() + last[1:])


def declared(schema: list[dict[str, Any]]) -> set[Edge]:
    """Return the references of EMCO's schema."""
    return {
        (kind_of(entry["name"]), kind_of(reference["name"]), reference.get("type", "single"))
        for entry in schema
        for reference in entry.get("references", [])
    }


def compiled(models: tuple[type[Resource], ...]) -> set[Edge]:
    """Return the references that the models' shapes hold."""
    return {
        (model.__name__, target.__name__, form)
        for model in models
        for node in model.__emco__.shape.values()
        for target, form in _leaves(node, "single")
    }


def _leaves(node: Any, form: str) -> Any:
    if hasattr(node, "spec"):
        yield from ((target, form) for target in node.spec.targets)
    for name, inner_form in (("item", "many"), ("key", "map"), ("value", "map")):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from _leaves(inner, inner_form)
    for inner in getattr(node, "fields", {}).values():
        yield from _leaves(inner, form)


def deviations(ours: set[Edge], theirs: set[Edge]) -> set[tuple[str, Edge]]:
    """Return all in which two graphs differ."""
    return {(ADDED, edge) for edge in ours - theirs} | {(LEFT_OUT, edge) for edge in theirs - ours}


def test_catalogue_has_every_type_of_the_schema_and_no_other(schema):
    """There are 52 types, and 4 of them are roots (STUDY 2)."""
    expected = sorted(kind_of(entry["name"]) for entry in schema)

    assert expected == sorted(model.__emco__.kind for model in CATALOGUE)
    assert 52 == len(CATALOGUE)
    assert 4 == sum(model.__emco__.parent is None for model in CATALOGUE)


def test_every_type_lies_under_the_parent_that_the_schema_says(schema):
    """A kind's parent is EMCO's, and the delete of a parent is restricted, as in EMCO (REF-1, DEL-1)."""
    expected = {kind_of(entry["name"]): kind_of(entry["parent"]) if "parent" in entry else None for entry in schema}

    found = {
        model.__emco__.kind: model.__emco__.parent.__name__ if model.__emco__.parent else None for model in CATALOGUE
    }

    assert expected == found
    assert {"RESTRICT"} == {str(model.__emco__.on_parent_delete) for model in CATALOGUE}


def test_references_deviate_from_the_schema_only_as_listed(schema):
    """Edge by edge the models hold EMCO's 17 references, but for a listed deviation, and each listed one is real."""
    theirs = declared(schema)

    found = deviations(compiled(CATALOGUE), theirs)

    assert 17 == sum(len(entry.get("references", [])) for entry in schema) == len(theirs)
    assert set(DEVIATIONS) == found


def test_selections_of_the_catalogue_are_those_listed():
    """Where EMCO needs at least one resource of a name, the model selects it, and nowhere else (REF-14)."""
    arrows = graph_of_models(CATALOGUE).arrows

    assert SELECTIONS == {(arrow.source, arrow.place, arrow.target) for arrow in arrows if arrow.rule is Rule.RESELECT}


def test_edge_of_another_form_is_found_as_a_deviation(schema):
    """The comparison sees what is added, what is left out, and what has another form."""
    theirs = declared(schema)
    ours = (theirs - {("AppProfile", "App", "single")}) | {("AppProfile", "App", "many"), ("Project", "App", "map")}

    found = deviations(ours, theirs)

    expected = {
        (LEFT_OUT, ("AppProfile", "App", "single")),
        (ADDED, ("AppProfile", "App", "many")),
        (ADDED, ("Project", "App", "map")),
    }
    assert expected == found


def test_options_of_the_map_of_controllers_are_those_of_the_schema(schema):
    """Fixed key parts and names that are no references are EMCO's (REF-8, REF-9)."""
    (declared_map,) = next(entry for entry in schema if entry["name"] == "groupIntent")["references"]

    options = GroupIntent.__emco__.shape["spec"].fields[declared_map["map"]].key.spec.options

    assert {"group": declared_map["fixedKv"]["controllerGroup"]} == dict(options.fixed)
    assert set(declared_map["filterKeys"]) == set(options.ignore)
