"""What EMCO's references broke without any race: dangling, misread, dropped or recorded where none was meant."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store import (
    AlreadyExists,
    DeleteRestricted,
    F,
    InvalidCall,
    InvalidResource,
    Key,
    MissingReference,
    NotFound,
)
from emco_store.contracts.harness import Lab
from tests.breakages.models import (
    App,
    AppProfile,
    Cluster,
    ClusterReference,
    CompositeApp,
    Customization,
    Group,
    Intent,
    Kubeconfig,
    LogicalCloud,
    Project,
    Provider,
    SyncObject,
    furnish,
)


def test_b1_group_that_names_nothing_is_refused_with_all_that_is_missing(lab: Lab):
    """B1, REF-2: A reference to what never existed is refused, and every one of them is named."""
    things = furnish(lab.store)
    before = lab.records()

    with pytest.raises(MissingReference) as caught:
        lab.store.create(Group(parent=things["composite"], name="new", profile="none", cloud="LogicalCloud/p/none"))

    assert {
        ("Group/p/shop/v1/new profile", Key("CompositeProfile", "p", "shop", "v1", "none")),
        ("Group/p/shop/v1/new cloud", Key("LogicalCloud", "p", "none")),
    } == set(caught.value.missing)
    assert before == lab.records()


@pytest.mark.parametrize("call", ["update", "put"])
def test_b1_reference_to_nothing_comes_in_by_no_other_call(lab: Lab, call: str):
    """B1, REF-2: Neither an update nor a put points a stored resource to what does not exist."""
    things = furnish(lab.store)
    before = lab.records()

    with pytest.raises(MissingReference):
        getattr(lab.store, call)(things["group"].model_copy(update={"profile": "none"}))

    assert before == lab.records()


@pytest.mark.parametrize("target", ["profile", "cloud"])
def test_b1_target_in_use_cannot_be_deleted(lab: Lab, target: str):
    """B1, DEL-1: What a group refers to stays while it does."""
    things = furnish(lab.store)

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(things[target])

    assert [things["group"].key] == [blocker.referrer for blocker in caught.value.blockers]


def test_b2_sibling_is_no_parent(lab: Lab):
    """B2, REF-1: A child needs its parent; a resource of another kind with the same names is not one."""
    lab.store.create(Project(name="edge"))
    lab.store.create(LogicalCloud(parent="Project/edge", name="c1"))
    before = lab.records()

    for child in (Cluster(parent="Provider/edge", name="c1"), SyncObject(parent="Provider/edge", name="s")):
        with pytest.raises(MissingReference) as caught:
            lab.store.create(child)
        assert ((f"{child.key} parent", Key("Provider", "edge")),) == caught.value.missing

    assert before == lab.records()


def test_b2_parent_cannot_go_while_any_child_is_left(lab: Lab):
    """B2, DEL-1: So a child without its parent, which could pass for one, never comes to be."""
    provider = lab.store.create(Provider(name="edge"))
    left = lab.store.create(SyncObject(parent=provider, name="s"))

    with pytest.raises(DeleteRestricted):
        lab.store.delete(provider)
    lab.store.delete(provider, left)

    with pytest.raises(MissingReference):
        lab.store.create(Cluster(parent=provider, name="c1"))
    assert {} == lab.records()


def test_b6_profile_cannot_come_before_its_app(lab: Lab):
    """B6, REF-2: A profile of an app that does not exist is refused, so it cannot pass for the app."""
    things = furnish(lab.store)

    with pytest.raises(MissingReference):
        lab.store.create(AppProfile(parent=things["profile"], name="for-db", app="db"))

    with pytest.raises(NotFound):
        lab.store.get(App, "p", "shop", "v1", "db")


def test_b6_put_of_an_app_leaves_its_profile_alone(lab: Lab):
    """B6, ID-2: A profile that refers to an app is found by it, and is never taken for it."""
    things = furnish(lab.store)
    profile = lab.store.create(AppProfile(parent=things["profile"], name="web", app="web"))

    lab.store.put(App(parent=things["composite"], name="web", chart="web-2"))

    assert profile == lab.store.get(profile)
    assert (profile,) == lab.store.list(AppProfile, where=F.app == things["app"]).items
    with pytest.raises(AlreadyExists):
        lab.store.create(App(parent=things["composite"], name="web"))


def test_b12_taking_something_from_nothing_creates_nothing(lab: Lab):
    """B12, ID-4: To empty a part of a resource that is not there is refused; nothing appears that could be a parent."""
    things = furnish(lab.store)
    lab.store.delete(things["group"])
    before = lab.records()

    with pytest.raises(NotFound):
        lab.store.update(things["group"].model_copy(update={"history": [], "overrides": {}}))
    with pytest.raises(InvalidCall):
        lab.store.update(Group(parent=things["composite"], name="g", profile="small", cloud="LogicalCloud/p/lc"))
    with pytest.raises(MissingReference):
        lab.store.create(Intent(parent=things["group"], name="i"))

    assert before == lab.records()


def test_b13_names_in_free_data_are_no_references(lab: Lab):
    """B13, REF-13: A map that holds words such as ``project`` refers to nothing, and hides no true reference."""
    things = furnish(lab.store)
    other = lab.store.create(Project(name="other"))
    free = {"project": "other", "compositeProfile": "none", "app": ["web"], "values": {"cluster": "Cluster/edge/c1"}}

    group = lab.store.update(things["group"].model_copy(update={"overrides": free}))

    assert {"parent", "profile", "cloud"} == {edge.place for edge in group.meta.edges}
    assert free == lab.store.get(group).overrides
    lab.store.delete(other, things["cluster"])
    with pytest.raises(DeleteRestricted):
        lab.store.delete(things["profile"])


@pytest.mark.parametrize(
    ("specific", "scope"), [(False, "name"), (True, "label"), (False, "")], ids=["not-specific", "by-label", "neither"]
)
def test_b14_conditional_reference_that_does_not_apply_is_none(lab: Lab, specific: bool, scope: str):  # noqa: FBT001 - a column
    """B14, REF-10: A cluster that a customization names without meaning it need not exist, and is not held."""
    things = furnish(lab.store)
    made = lab.store.create(
        Customization(parent=things["group"], name="dummy", specific=specific, scope=scope, cluster="dummy")
    )
    lab.store.create(
        Customization(parent=things["group"], name="real", specific=specific, scope=scope, cluster="Cluster/edge/c1")
    )

    lab.store.delete(things["cluster"])

    assert "dummy" == lab.store.get(made).cluster.text


def test_b14_conditional_reference_that_applies_holds(lab: Lab):
    """B14, REF-10: Once the condition is met, the cluster must exist, and it is held."""
    things = furnish(lab.store)
    options: dict[str, Any] = {"parent": things["group"], "specific": True, "scope": "name"}

    with pytest.raises(MissingReference):
        lab.store.create(Customization(name="a", cluster="Cluster/edge/none", **options))
    lab.store.create(Customization(name="b", cluster="Cluster/edge/c1", **options))

    with pytest.raises(DeleteRestricted):
        lab.store.delete(things["cluster"])


def test_b14_declared_reference_is_never_dropped_in_silence(lab: Lab):
    """B14, BAD-6: A reference that is declared is given, or its absence is an error."""
    things = furnish(lab.store)

    with pytest.raises(InvalidResource):
        AppProfile(parent=things["profile"], name="x")
    with pytest.raises(InvalidResource):
        AppProfile(parent=things["profile"], name="x", apps="web")

    made = lab.store.create(AppProfile(parent=things["profile"], name="x", app="web"))
    assert {things["app"].key, things["profile"].key} == {edge.target for edge in made.meta.edges}


@pytest.mark.parametrize("kind", [Kubeconfig, ClusterReference, Intent])
def test_b19_every_kind_of_document_needs_its_parent(lab: Lab, kind: type[Any]):
    """B19, REF-1: State, content and secrets have no side door: each is a resource under a parent that exists."""
    things = furnish(lab.store)
    nowhere = {
        Kubeconfig: {"parent": "Cluster/edge/none"},
        ClusterReference: {"parent": "LogicalCloud/p/none", "cluster": things["cluster"]},
        Intent: {"parent": "Group/p/shop/v1/none"},
    }
    before = lab.records()

    with pytest.raises(MissingReference):
        lab.store.create(kind(name="x", **nowhere[kind]))

    assert before == lab.records()


def test_b19_document_of_an_unknown_kind_cannot_be_written(lab: Lab):
    """B19, BAD-6: What has no model is read and deleted, never written."""
    things = furnish(lab.store)
    untyped = lab.open().get(things["cluster"].key)
    before = lab.records()

    for call in (lab.store.create, lab.store.put, lab.store.update):
        for thing in (untyped, {"kind": "Anything", "name": "x"}):
            with pytest.raises(InvalidCall):
                call(thing)

    assert before == lab.records()


def test_b19_no_child_is_invisible(lab: Lab):
    """B19, DEL-8: Whatever blocks a delete is named, can be seen as a child, and goes with its parent if it says so."""
    things = furnish(lab.store)
    secret = lab.store.create(Kubeconfig(parent=things["cluster"], name="admin", text={"a.b": "$c"}))

    assert (secret,) == lab.store.children(things["cluster"]).items
    lab.store.delete(things["cluster"])

    assert secret.key.text not in lab.records()


def test_b2_child_of_a_child_is_no_child(lab: Lab):
    """B2, ID-9: A grandchild does not count for its grandparent, nor does it stand in for the one between."""
    things = furnish(lab.store)

    with pytest.raises(MissingReference):
        lab.store.create(App(parent=Key("CompositeApp", "p", "shop", "v2"), name="web"))

    assert {CompositeApp, LogicalCloud} == {type(child) for child in lab.store.children(things["project"])}
