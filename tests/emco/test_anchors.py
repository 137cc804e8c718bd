"""Anchors: from a path to a model and a key, and back."""

from __future__ import annotations

import pytest

from emco_store import InvalidResource, Key
from emco_store.emco import CATALOGUE, App, PolicyModule
from emco_store.emco.anchors import ACTIONS, COLLECTIONS, Step, UnknownAnchor, read_anchor, write_anchor

DIG = "projects/p/composite-apps/ca/v1/deployment-intent-groups/d"


def key_of(entry) -> Key:
    """Return a key that lies in a collection."""
    spec = entry.model.__emco__
    names = {name: f"own-{name}" for name in spec.key_fields} | dict(entry.fixed)
    above = entry.above or tuple(f"above-{at}" for at in range(spec.length - len(spec.key_fields)))
    return Key(spec.kind, *above, *names.values())


def test_every_model_but_the_policy_module_has_an_anchor():
    """The table covers the catalogue; the policy module is made by EMCO itself (STUDY 4.2)."""
    assert set(CATALOGUE) - {PolicyModule} == {entry.model for entry in COLLECTIONS}
    assert write_anchor(Key("PolicyModule", "Agent")) is None


@pytest.mark.parametrize("entry", COLLECTIONS, ids=lambda entry: f"{entry.model.__name__}-{entry.path}")
def test_anchor_that_is_written_reads_back(entry):
    """A path leads back to the key that it was written for (ID-2)."""
    key = key_of(entry)

    place = read_anchor(write_anchor(key))

    assert entry == place.collection
    assert key.segments[: -len(entry.model.__emco__.key_fields)] == place.above
    assert (key.name if entry.is_named else None) == place.name


@pytest.mark.parametrize("verb", sorted(ACTIONS))
def test_path_that_ends_with_a_verb_is_an_action(verb):
    """Every step in the life of a resource is read with its target (STUDY 4.2)."""
    assert Step(Key("DeploymentIntentGroup", "p", "ca", "v1", "d"), verb) == read_anchor(f"{DIG}/{verb}")


@pytest.mark.parametrize(
    ("anchor", "target"),
    [
        ("cluster-providers/cp/clusters/c/apply", Key("Cluster", "cp", "c")),
        ("projects/p/logical-clouds/lc/instantiate", Key("LogicalCloud", "p", "lc")),
        ("projects/p/ca-certs/ca/enrollment/instantiate", Key("CaCertLc", "p", "ca")),
        ("cluster-providers/cp/ca-certs/ca/distribution/update", Key("CaCertCp", "cp", "ca")),
    ],
)
def test_action_names_its_target(anchor, target):
    """A certificate has two lives, its enrollment and its distribution (STUDY 1.8)."""
    assert target == read_anchor(anchor).target


def test_name_that_is_a_word_of_a_path_is_a_name():
    """A name may be any word, even that of a collection or an action (ID-2)."""
    place = read_anchor("projects/apps/composite-apps/update/clusters/apps")

    assert (App, ("apps", "update", "clusters")) == (place.collection.model, place.above)


@pytest.mark.parametrize(
    "anchor",
    [
        "",
        "/projects",
        "projects/",
        "nothing",
        "instantiate",
        "projects/p",
        "projects/p/clusters",
        "projects/p/composite-apps/ca",
        "projects/p/composite-apps/ca/v1",
        "projects/p/logical-cloud/lc/instantiate",
        "projects/p/enrollment/instantiate",
        "policy/agents",
        f"{DIG}/policy-intents",
        f"{DIG}/instantiate/now",
    ],
)
def test_path_that_leads_nowhere_is_refused(anchor):
    """A path is read to its end or refused; nothing is guessed (ID-3)."""
    with pytest.raises(UnknownAnchor):
        read_anchor(anchor)


def test_name_in_a_path_that_no_key_can_hold_is_refused():
    """The names of a path are names of a key (BAD-1)."""
    with pytest.raises(InvalidResource):
        read_anchor("projects/a%2Fb/instantiate")


def test_controller_of_an_unknown_group_has_no_anchor():
    """EMCO has three groups of controllers (STUDY 4.2)."""
    assert write_anchor(Key("Controller", "other", "c")) is None
