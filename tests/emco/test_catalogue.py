"""The models of the catalogue: references made of several fields, conditions, unknown fields and limits."""

from __future__ import annotations

import json

import pytest

from emco_store import InvalidResource, Key, Resource, Store
from emco_store.core.codec import draft
from emco_store.core.refs import key_of
from emco_store.emco import (
    CATALOGUE,
    AppDependency,
    CaCertClusterGroupCp,
    Cluster,
    ClusterProvider,
    ClusterQuota,
    ClusterReference,
    Controller,
    Customization,
    DeploymentIntentGroup,
    GenericAppPlacementIntent,
    GroupIntent,
    LogicalCloud,
    Project,
    SfcClientIntent,
)

CLOUD = "LogicalCloud/p/lc"
DIG = "DeploymentIntentGroup/p/ca/v1/dig"
RESOURCE = "GenericResource/p/ca/v1/dig/gk/gr"
CLUSTER = Key("Cluster", "coast", "quay")


def reference_to(cluster, **others) -> ClusterReference:
    """Make a cluster reference; the others are fields beside the reference."""
    return ClusterReference(parent=CLOUD, name="r", spec={"cluster": cluster, **others})


@pytest.fixture
def cloud(store: Store) -> LogicalCloud:
    """A stored logical cloud, beside the cluster coast/quay."""
    provider = store.create(ClusterProvider(name="coast"))
    store.create(Cluster(parent=provider, name="quay"))
    return store.create(LogicalCloud(parent=store.create(Project(name="p")), name="lc"))


def test_reference_of_two_fields_is_composed():
    """A name beside the name of its provider is a whole reference (REF-11)."""
    made = reference_to("quay", clusterProvider="coast")

    assert (CLUSTER, "coast") == (made.spec.cluster.key, made.spec.clusterProvider)


@pytest.mark.parametrize("given", [str(CLUSTER), CLUSTER, "coast/quay"])
def test_whole_reference_fills_in_the_fields_beside_it(given):
    """A whole reference says its parts itself (REF-11)."""
    made = reference_to(given)

    assert (CLUSTER, "coast") == (made.spec.cluster.key, made.spec.clusterProvider)


@pytest.mark.parametrize("given", [str(CLUSTER), CLUSTER, "coast/quay"])
def test_whole_reference_that_contradicts_a_field_is_refused(given):
    """A reference and the fields beside it agree, or the resource is refused (REF-8)."""
    with pytest.raises(InvalidResource):
        reference_to(given, clusterProvider="inland")


def test_reference_without_its_other_field_is_refused():
    """An incomplete reference is an error, not dropped in silence (EMCO's B14)."""
    with pytest.raises(InvalidResource):
        reference_to("quay")


def test_empty_text_in_the_place_of_an_optional_reference_is_none():
    """EMCO's documents leave a cluster empty where one is chosen by its label (REF-10)."""
    info = {"scope": "label", "clusterProvider": "coast", "cluster": "", "clusterLabel": "near", "mode": "allow"}

    made = Customization(parent=RESOURCE, name="c", spec={"clusterSpecific": "true", "clusterInfo": info})

    assert made.spec.clusterInfo.cluster is None


def test_update_of_one_part_of_a_stored_reference_is_refused(store, cloud):
    """What comes from the store is checked again when a part of it is changed (BAD-6)."""
    stored = store.create(
        ClusterReference(parent=cloud, name="r", spec={"clusterProvider": "coast", "cluster": "quay"})
    )
    spec = stored.spec.model_copy(update={"clusterProvider": "inland"})

    with pytest.raises(InvalidResource):
        store.update(stored.model_copy(update={"spec": spec}))

    assert stored == store.get(stored)


def test_reference_of_four_fields_points_into_another_branch():
    """A chain lies in another deployment, the app in the client's own composite application (STUDY 1.3, commonKey)."""
    other = {"compositeApp": "chain", "compositeAppVersion": "v7", "deploymentIntentGroup": "d"}

    made = SfcClientIntent(
        parent=DIG,
        name="client",
        spec={
            **other, "sfcIntent": "s", "app": "web", "chainEnd": "left",
            "workloadResource": "web", "resourceType": "Deployment",
        },
    )  # fmt: skip

    assert Key("SfcIntent", "p", "chain", "v7", "d", "s") == made.spec.sfcIntent.key
    assert Key("App", "p", "ca", "v1", "web") == made.spec.app.key


def test_key_of_the_intent_map_is_a_controller_of_the_group_orchestrator():
    """Fixed key parts are filled in, and a name that is no reference stays text (REF-8, REF-9)."""
    made = GroupIntent(parent=DIG, name="g", spec={"intent": {"genericPlacementIntent": "a", "gac": "b"}})

    assert [None, Key("Controller", "orchestrator", "gac")] == [
        ref.key if ref.has_key else None for ref in made.spec.intent
    ]


def test_key_of_the_intent_map_in_another_group_is_refused():
    """A controller of another group takes part in no deployment (REF-8)."""
    with pytest.raises(InvalidResource):
        GroupIntent(parent=DIG, name="g", spec={"intent": {"Controller/dtc/nps": "b"}})


@pytest.mark.parametrize(
    ("specific", "scope", "expected"),
    [("true", "name", CLUSTER), ("true", "label", None), ("false", "name", None), ("false", "label", None)],
)
def test_cluster_of_a_customization_counts_only_under_its_conditions(specific, scope, expected):
    """It is a reference only where certain clusters are meant, and are named; else it is text (REF-10, B14)."""
    info = {"scope": scope, "clusterProvider": "coast", "cluster": "quay", "clusterLabel": "near", "mode": "allow"}

    made = Customization(parent=RESOURCE, name="c", spec={"clusterSpecific": specific, "clusterInfo": info})

    assert expected == key_of(made.spec.clusterInfo.cluster)
    assert expected is not None or made.spec.clusterInfo.cluster.text == "quay"


@pytest.mark.parametrize(("scope", "expected"), [("name", CLUSTER), ("label", None)])
def test_cluster_of_a_certificate_counts_only_where_it_is_chosen_by_name(scope, expected):
    """A group that is chosen by label refers to no cluster (REF-10)."""
    spec = {"scope": scope, "clusterProvider": "coast", "cluster": "quay", "label": "near"}

    made = CaCertClusterGroupCp(parent="CaCertCp/coast/ca", name="g", spec=spec)

    assert expected == key_of(made.spec.cluster)


@pytest.mark.parametrize("place", [{"allOf": [0]}, {"anyOf": [0]}, {"allOf": [{"anyOf": [0]}]}])
def test_cluster_of_a_placement_is_a_reference_at_every_level(place):
    """A cluster that a placement names is recorded, however deep it stands (REF-3, REF-5)."""
    choice = {"clusterProvider": "coast", "cluster": "quay"}
    written = json.loads(json.dumps(place).replace("0", json.dumps(choice)))

    intent = GenericAppPlacementIntent(
        parent=f"{DIG.replace('DeploymentIntentGroup', 'GenericPlacementIntent')}/gpi",
        name="web",
        spec={"app": "web", "intent": written},
    )

    assert CLUSTER in {edge.target for edge in draft(intent, max_bytes=9999).edges}


def test_override_values_are_never_searched_for_references():
    """A free-form map may hold a key named project, which EMCO takes for a reference (B13)."""
    values = {"project": "other", "service.port": "80"}
    overrides = [{"app": "web", "values": values}]
    spec = {"compositeProfile": "cp", "version": "r1", "logicalCloud": "lc", "overrideValues": overrides}

    made = DeploymentIntentGroup(parent="CompositeApp/p/ca/v1", name="dig", spec=spec)

    assert values == made.spec.overrideValues[0].values


def test_unknown_fields_of_a_spec_come_back_from_the_store(store):
    """What a model does not know is kept whole, at every level, keys with dots included (ID-13, BAD-5)."""
    unknown = {"a.b": [{"c.d": 1}], "$x": None}
    spec = {"gitOps": {"gitOpsType": "azure", **unknown}, **unknown}
    provider = store.create(ClusterProvider(name="coast"))

    store.create(Cluster(parent=provider, name="quay", spec=spec))

    stored = store.get(Cluster, "coast", "quay").spec
    assert (unknown, unknown) == (stored.unknown_fields, stored.gitOps.unknown_fields)


def test_quota_with_dots_in_its_keys_comes_back_from_the_store(store, cloud):
    """A spec that is a free-form map is kept whole (ID-13)."""
    store.create(ClusterQuota(parent=cloud, name="q", spec={"limits.cpu": "4", "count/jobs.batch": "2"}))

    assert {"limits.cpu": "4", "count/jobs.batch": "2"} == store.get(ClusterQuota, "p", "lc", "q").spec


def test_controllers_of_two_groups_may_have_one_name(store):
    """A controller's key has two names (EMCO's B23)."""
    made = [store.create(Controller(group=group, name="hpa")) for group in ("orchestrator", "cluster")]

    assert made == [store.get(Controller, "orchestrator", "hpa"), store.get(Controller, "cluster", "hpa")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x" * 129},
        {"name": "-x"},
        {"description": "x" * 1025},
        {"userData1": "x" * 513},
        {"userData2": "x" * 513},
        {"colour": "red"},
    ],
)
def test_metadata_beyond_its_limits_are_refused(wrong):
    """Names and metadata have EMCO's limits, and no unknown fields (BAD-6)."""
    with pytest.raises(InvalidResource):
        Project(**{"name": "p"} | wrong)


def test_metadata_at_their_limits_are_accepted():
    """The limits themselves are within (BAD-6)."""
    made = Project(name="x" * 128, description="d" * 1024, userData1="u" * 512, userData2="u" * 512)

    assert (128, 1024, 512) == (len(made.name), len(made.description), len(made.userData2))


def test_number_is_not_made_of_text():
    """No value is turned into another type: text instead of a number is refused (BAD-6)."""
    spec = {"app": "db", "opStatus": "Ready", "wait": 5}
    parent = "App/p/ca/v1/web"

    assert 5 == AppDependency(parent=parent, name="d", spec=spec).spec.wait
    with pytest.raises(InvalidResource):
        AppDependency(parent=parent, name="d", spec=spec | {"wait": "5"})


def test_field_is_known_in_any_letter_case():
    """EMCO's decoder ignores the letter case of names, so a cluster under ``Cluster`` is the reference (REF-2)."""
    made = ClusterReference(parent=CLOUD, name="r", spec={"CLUSTER": "quay", "clusterprovider": "coast"})

    assert (CLUSTER, None) == (made.spec.cluster.key, made.spec.unknown_fields)


def test_field_that_is_given_in_two_letter_cases_is_refused():
    """Which of the two counts could only be guessed (BAD-6)."""
    with pytest.raises(InvalidResource):
        reference_to("quay", clusterProvider="coast", Cluster="pier")


def test_no_model_of_the_catalogue_loses_unknown_fields():
    """Each spec says what becomes of unknown fields: a model that would drop them is no part of it (BAD-9)."""
    assert {"forbid"} == {model.model_config["extra"] for model in CATALOGUE}
    assert all(issubclass(model, Resource) for model in CATALOGUE)
