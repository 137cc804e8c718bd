"""What EMCO's loose addresses broke: an object overwritten, deleted or found in the place of another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emco_store import (
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    Key,
    MissingReference,
    NotFound,
    Store,
)
from emco_store.contracts.harness import Lab
from tests.breakages.models import (
    App,
    CompositeApp,
    Controller,
    Group,
    Intent,
    Project,
    Registration,
    furnish,
)


def test_b4_put_of_a_parent_leaves_its_children_alone(lab: Lab):
    """B4, ID-2: A put replaces the resource with that key and kind, and nothing that lies under it."""
    things = furnish(lab.store)
    before = lab.state()

    lab.store.put(Project(name="p", description="new"))

    after = lab.state()
    assert {"Project/p"} == {key for key in after if after[key] != before.get(key)}
    assert before.keys() == after.keys()
    assert things["composite"] == lab.store.get(things["composite"])


def test_b4_put_of_a_parent_that_was_never_there_takes_no_childs_place(lab: Lab):
    """B4, ID-5: Where the parent is missing no child can be, so a put of it finds a free key."""
    with pytest.raises(MissingReference):
        lab.store.create(CompositeApp(parent="Project/p", name="shop", version="v1"))

    made = lab.store.put(Project(name="p"))

    assert (1, ["Project/p"]) == (made.meta.version, list(lab.records()))


@pytest.mark.parametrize(
    "key",
    [
        Key("Project", "q"),
        Key("Project", "shop"),
        Key("CompositeApp", "p", "shop", "v2"),
        Key("CompositeApp", "q", "shop", "v1"),
        Key("App", "p", "shop", "v1", "small"),
    ],
    ids=str,
)
def test_b5_delete_of_what_is_not_there_deletes_nothing_else(lab: Lab, key: Key):
    """B5, ID-4: A delete that finds nothing is told so, whatever lies nearby."""
    furnish(lab.store)
    before = lab.records()

    with pytest.raises(NotFound) as caught:
        lab.store.delete(key)

    assert (key,) == caught.value.keys
    assert before == lab.records()


EMPTY_NAMES: dict[str, Callable[[Store], object]] = {
    "get-a-root": lambda store: store.get(Project, ""),
    "get-with-an-empty-end": lambda store: store.get(App, "p", "shop", "v1", ""),
    "get-with-an-empty-middle": lambda store: store.get(App, "p", "", "v1", "web"),
    "get-with-a-name-less": lambda store: store.get(App, "p", "shop", "v1"),
    "get-without-names": lambda store: store.get(App),
    "key": lambda _: Key("App", "p", "shop", "v1", ""),
    "key-from-text": lambda _: Key.parse("App/p/shop/v1/"),
    "delete-with-a-name-less": lambda store: store.delete(Key("App", "p", "shop", "v1")),
    "delete-of-a-kind": lambda store: store.delete(App),
    "list-under-an-empty-name": lambda store: store.list(App, under=Key.parse("Project/")),
    "create-with-an-empty-name": lambda store: store.create(Project(name="")),
}


@pytest.mark.parametrize("call", EMPTY_NAMES)
def test_b18_empty_name_means_nothing_rather_than_anything(lab: Lab, call: str):
    """B18, ID-3: An address with an empty or a missing name is refused; it reads, finds and deletes nothing."""
    furnish(lab.store)
    before = lab.records()
    lab.faults.clear()

    with pytest.raises((InvalidResource, InvalidCall)):
        EMPTY_NAMES[call](lab.store)

    assert [] == lab.faults.requests
    assert before == lab.records()


def test_b18_delete_without_targets_deletes_nothing(lab: Lab):
    """B18, DEL-17: No target means nothing rather than everything: nothing is asked, and nothing goes."""
    furnish(lab.store)
    before = lab.records()
    lab.faults.clear()

    lab.store.delete()

    assert [] == lab.faults.requests
    assert before == lab.records()


def test_b20_resource_cannot_be_stored_under_another_name(lab: Lab):
    """B20, ID-10: The name in the address is the name in the body: a change of it is refused, and B stays as it was."""
    things = furnish(lab.store)
    other = lab.store.create(App(parent=things["composite"], name="db", chart="db-1"))
    before = lab.records()

    for name in ("db", "brand-new"):
        with pytest.raises(InvalidResource) as caught:
            lab.store.update(things["app"].model_copy(update={"name": name, "chart": "overwritten"}))
        assert things["app"].key == caught.value.key

    assert before == lab.records()
    assert other == lab.store.get(other)


def test_b20_update_does_not_create(lab: Lab):
    """B20, ID-4: An update of what is not there is refused; a put says that it may create."""
    things = furnish(lab.store)
    gone = lab.store.create(App(parent=things["composite"], name="db"))
    lab.store.delete(gone)
    before = lab.records()

    with pytest.raises(NotFound):
        lab.store.update(gone)
    with pytest.raises(InvalidCall):
        lab.store.update(App(parent=things["composite"], name="db"))

    assert before == lab.records()


def test_b20_stored_document_with_another_name_is_told_and_not_believed(lab: Lab):
    """B20, BAD-8: A document whose name is not that of its key, as another program may leave it, is an error."""
    things = furnish(lab.store)
    lab.tamper(things["app"].key, b'{"name":"db","chart":""}')

    with pytest.raises(InvalidResource) as caught:
        lab.store.get(things["app"])

    assert things["app"].key == caught.value.key


def test_b23_controller_of_one_group_is_not_found_in_another(lab: Lab):
    """B23, ID-3: The group is a part of the address: one name may be in two groups, each for itself."""
    dtc = lab.store.create(Controller(group="dtc", name="rsync", port=1))

    with pytest.raises(NotFound):
        lab.store.get(Controller, "orchestrator", "rsync")
    with pytest.raises(InvalidCall):
        lab.store.get(Controller, "rsync")
    own = lab.store.create(Controller(group="orchestrator", name="rsync", port=2))

    assert [1, 2] == [lab.store.get(made).port for made in (dtc, own)]
    lab.store.delete(dtc)
    assert own == lab.store.get(Controller, "orchestrator", "rsync")


def test_b23_controller_in_use_cannot_be_deleted(lab: Lab):
    """B23, DEL-1: What others need stays until they let go of it."""
    rsync = lab.store.create(Controller(group="orchestrator", name="rsync"))
    spare = lab.store.create(Controller(group="dtc", name="rsync"))
    user = lab.store.create(Registration(name="lifecycle", controller=spare, needed=rsync))

    with pytest.raises(DeleteRestricted) as caught:
        lab.store.delete(rsync)

    assert [user.key] == [blocker.referrer for blocker in caught.value.blockers]
    lab.store.update(user.model_copy(update={"needed": None}))
    lab.store.delete(rsync)


BROKEN = {
    "no-json": b"{",
    "no-map": b"[]",
    "null": b"null",
    "nothing": b"",
    "wrong-types": b'{"name":"g","profile":7,"cloud":null}',
    "fields-missing": b'{"name":"g"}',
    "unknown-field": b'{"name":"g","profile":"small","cloud":"LogicalCloud/p/lc","state":"zombie"}',
    "another-name": b'{"name":"h","profile":"small","cloud":"LogicalCloud/p/lc"}',
    "bad-utf-8": b'{"name":"\xff"}',
    "nan": b'{"name":NaN}',
    "deep": b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}",
}


@pytest.mark.parametrize("damage", BROKEN)
def test_b24_one_document_that_cannot_be_read_breaks_no_list(lab: Lab, damage: str):
    """B24, BAD-8: The list is whole: the others are in it, and the broken one is an error in its place."""
    things = furnish(lab.store)
    others = [
        lab.store.create(Group(parent=things["composite"], name=name, profile="small", cloud="LogicalCloud/p/lc"))
        for name in ("a", "z")
    ]
    lab.tamper(things["group"].key, BROKEN[damage])

    page = lab.store.list(Group)

    assert [others[0].key, things["group"].key, others[1].key] == [item.key for item in page.items]
    assert [things["group"].key] == [error.key for error in page.errors]
    assert others == list(page.resources)
    for listed in (lab.store.children(things["composite"]), lab.store.referrers(things["profile"])):
        assert [things["group"].key] == [error.key for error in listed.errors]


@pytest.mark.parametrize("damage", BROKEN)
@pytest.mark.parametrize("cure", ["delete", "put", "delete-parent-too"])
def test_b24_document_that_cannot_be_read_can_be_replaced_and_deleted(lab: Lab, damage: str, cure: str):
    """B24, BAD-8: The way out leads through the API: a good one is put in its place, or it is deleted."""
    things = furnish(lab.store)
    intent = lab.store.create(Intent(parent=things["group"], name="i"))
    key = things["group"].key
    lab.tamper(key, BROKEN[damage])

    if cure == "put":
        healed = lab.store.put(things["group"])
        assert healed == lab.store.get(key)
    elif cure == "delete":
        lab.store.delete(key)
        assert {key.text, intent.key.text}.isdisjoint(lab.records())
    else:
        lab.store.delete(things["composite"], things["app"], things["profile"], key)
        assert ["Cluster/edge/c1", "LogicalCloud/p/lc", "Project/p", "Provider/edge"] == sorted(lab.records())

    assert [] == lab.dangling()
