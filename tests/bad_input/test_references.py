"""References that mean no resource, or one that they may not mean."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store import InvalidResource, Key, MissingReference, Ref
from tests.bad_input.case import Case, World, check, table
from tests.bad_input.models import Host, Service


def service(world: World, **references: Any) -> object:
    """Try to create a service with these references."""
    return world.store.create(Service(parent=world.zone, name="new", **references))


@table(
    Case("resource-of-another-kind", "BAD-6", lambda w: service(w, host=w.zone), InvalidResource),
    Case("key-of-another-kind", "BAD-6", lambda w: service(w, host=Key("Sheet", "d1")), InvalidResource),
    Case("text-of-another-kind", "BAD-6", lambda w: service(w, host="Release/z1/r1/1"), InvalidResource),
    Case("unrelated-reference", "BAD-6", lambda w: service(w, host=Ref(w.sheet)), InvalidResource),
    Case("kind-in-another-case", "BAD-6", lambda w: service(w, host="host/z1/h1/x"), InvalidResource),
    Case("empty-text", "BAD-6", lambda w: service(w, host=""), InvalidResource),
    Case("only-a-slash", "BAD-6", lambda w: service(w, host="/"), InvalidResource),
    Case("8,193-characters", "BAD-6", lambda w: service(w, host="h" * 8193), InvalidResource),
    Case("name-of-254-characters", "BAD-1", lambda w: service(w, host="h" * 254), InvalidResource),
    Case("too-many-names", "REF-11", lambda w: service(w, host="a/z1/h1"), InvalidResource),
    Case("too-many-names-after-the-kind", "REF-11", lambda w: service(w, host="Host/z1/h1/x"), InvalidResource),
    Case("empty-name-inside", "BAD-1", lambda w: service(w, host="Host//h1"), InvalidResource),
    Case("empty-name-at-the-end", "BAD-1", lambda w: service(w, host="z1/"), InvalidResource),
    Case("bad-name", "BAD-1", lambda w: service(w, host="a%2Fb"), InvalidResource),
    Case("bad-name-in-a-whole-key", "BAD-1", lambda w: service(w, host="Host/z1/%00"), InvalidResource),
    Case("whole-key-that-is-not-canonical", "BAD-1", lambda w: service(w, host="Host/z1/%68"), InvalidResource),
    Case("number", "BAD-6", lambda w: service(w, host=7), InvalidResource),
    Case("true", "BAD-6", lambda w: service(w, host=True), InvalidResource),
    Case("bytes", "BAD-6", lambda w: service(w, host=b"h1"), InvalidResource),
    Case("map", "BAD-6", lambda w: service(w, host={"$ref": "Host", "$id": "h1"}), InvalidResource),
    Case("class", "BAD-6", lambda w: service(w, host=Host), InvalidResource),
    Case("itself", "REF-12", lambda w: service(w, other="new"), InvalidResource),
    Case("its-parent", "REF-12", lambda w: service(w, zone=w.zone), InvalidResource),
    Case("kind-missing-for-several", "REF-6", lambda w: service(w, either="h1"), InvalidResource),
    Case("third-kind-for-several", "REF-6", lambda w: service(w, either=w.sheet), InvalidResource),
    Case("too-short-for-several", "REF-11", lambda w: service(w, either="Release/1"), InvalidResource),
    Case("too-short-to-be-completed", "REF-11", lambda w: service(w, either="Release/r1"), InvalidResource),
    Case("contradiction-of-a-fixed-name", "REF-8", lambda w: service(w, keeper="Group/guests/k1"), InvalidResource),
    Case("key-that-contradicts", "REF-8", lambda w: service(w, keeper=Key("Group", "guests", "k1")), InvalidResource),
    Case("fixed-name-given-again", "REF-8", lambda w: service(w, keeper="keepers/k1"), InvalidResource),
    Case("one-text-in-the-place-of-a-list", "BAD-6", lambda w: service(w, hosts="h1"), InvalidResource),
    Case("none-in-a-list", "BAD-6", lambda w: service(w, hosts=["h1", None]), InvalidResource),
    Case("number-in-a-set", "BAD-6", lambda w: service(w, pool={7}), InvalidResource),
    Case("list-in-the-place-of-a-map", "BAD-6", lambda w: service(w, by_host=["h1"]), InvalidResource),
    Case(
        "two-keys-of-a-map-that-are-one",
        "REF-4",
        lambda w: service(w, by_host={"h1": "a", "z1/h1": "b"}),
        InvalidResource,
    ),
    Case("key-of-a-map-of-another-kind", "REF-4", lambda w: service(w, by_host={"Sheet/d1/x": "a"}), InvalidResource),
    Case("value-of-a-map-of-another-kind", "REF-4", lambda w: service(w, by_text={"a": w.zone}), InvalidResource),
    Case("nested-of-another-kind", "REF-5", lambda w: service(w, slot={"host": w.zone}), InvalidResource),
    Case("nested-none", "REF-5", lambda w: service(w, slot={"host": None}), InvalidResource),
    Case("nested-missing", "REF-5", lambda w: service(w, slot={"weight": 2}), InvalidResource),
    Case("selection-of-no-name", "BAD-1", lambda w: service(w, any_host="a/b"), InvalidResource),
    Case("selection-of-an-encoded-name", "BAD-1", lambda w: service(w, any_host="h%31"), InvalidResource),
    Case("selection-of-a-blank", "BAD-1", lambda w: service(w, any_host=" h1"), InvalidResource),
    Case("selection-of-254-characters", "BAD-1", lambda w: service(w, any_host="h" * 254), InvalidResource),
    Case("selection-of-no-name-in-a-list", "BAD-1", lambda w: service(w, any_hosts=["h1", ".."]), InvalidResource),
    Case("selection-by-a-number", "BAD-6", lambda w: service(w, any_host=7), InvalidResource),
    Case("selection-by-a-resource", "BAD-6", lambda w: service(w, any_host=w.host), InvalidResource),
    Case("selection-that-does-not-say-where", "REF-15", lambda w: service(w, host_there="h1"), InvalidResource),
    Case("selection-nowhere", "BAD-1", lambda w: service(w, host_there="h1", in_zone="z1/h1"), InvalidResource),
    Case("selection-of-nothing", "REF-14", lambda w: service(w, any_host="h9"), MissingReference, must_read=True),
    Case("selection-of-any", "REF-15", lambda w: service(w, any_host="*"), MissingReference, must_read=True),
    Case("selection-of-a-pattern", "REF-15", lambda w: service(w, any_host="h1|h2"), MissingReference, must_read=True),
    Case(
        "selection-in-another-zone",
        "REF-15",
        lambda w: service(w, host_there="h1", in_zone="z2"),
        MissingReference,
        must_commit=True,
    ),
    Case("copy-with-another-kind", "BAD-6", lambda w: _update(w, must=w.zone.ref), InvalidResource),
    Case("copy-with-a-number", "BAD-6", lambda w: _update(w, must=7), InvalidResource),
    Case("copy-with-itself", "REF-12", lambda w: _update(w, other=w.service.ref), InvalidResource),
    Case("copy-with-another-parent", "ID-10", lambda w: _update(w, parent=w.other_zone.ref), InvalidResource),
    Case("copy-without-a-parent", "ID-10", lambda w: _update(w, parent=None), InvalidResource),
    Case("wrong-kind-put-in-a-list", "BAD-6", lambda w: _append(w, Ref(w.zone)), InvalidResource),
)
def test_bad_reference_is_refused(case: Case, world: World):
    """BAD-6: A reference that cannot mean a resource of its target's kind is refused before anything is asked."""
    check(case, world)


@table(
    Case(
        "parent",
        "REF-1",
        lambda w: w.store.create(Host(parent="Zone/no", name="h")),
        MissingReference,
        must_commit=True,
    ),
    Case("single", "REF-2", lambda w: service(w, host="no"), MissingReference, must_commit=True),
    Case("list", "REF-3", lambda w: service(w, hosts=["h1", "no"]), MissingReference, must_commit=True),
    Case("set", "REF-3", lambda w: service(w, pool={"no"}), MissingReference, must_commit=True),
    Case("key-of-a-map", "REF-4", lambda w: service(w, by_host={"no": ""}), MissingReference, must_commit=True),
    Case("value-of-a-map", "REF-4", lambda w: service(w, by_text={"a": "no"}), MissingReference, must_commit=True),
    Case("nested", "REF-5", lambda w: service(w, slot={"host": "no"}), MissingReference, must_commit=True),
    Case("several-kinds", "REF-6", lambda w: service(w, either="Host/h9"), MissingReference, must_commit=True),
    Case("fixed", "REF-8", lambda w: service(w, keeper="k9"), MissingReference, must_commit=True),
    Case("update", "REF-2", lambda w: _update(w, must="no"), MissingReference, must_commit=True),
    Case("put", "REF-2", lambda w: _put(w, must="no"), MissingReference, must_commit=True),
    Case("star", "ID-3", lambda w: service(w, host="*"), MissingReference, must_commit=True),
    Case(
        "deleted-in-the-same-commit",
        "REF-2",
        lambda w: w.store.run(_delete_and_refer(w)),
        MissingReference,
        must_read=True,
    ),
    Case(
        "sibling-kind-of-that-name",
        "ID-2",
        lambda w: service(w, either="Release/z1/h1/1"),
        MissingReference,
        must_commit=True,
    ),
)
def test_reference_to_nothing_is_refused(case: Case, world: World):
    """REF-2: A reference to what does not exist is refused wherever it stands."""
    check(case, world)


def test_all_references_to_nothing_are_named_at_once(world: World):
    """REF-2: The error names every place, with its target."""
    with pytest.raises(MissingReference) as caught:
        service(world, host="x", hosts=["h1", "y"], slot={"host": "x"})

    assert {
        ("Service/z1/new host", Key("Host", "z1", "x")),
        ("Service/z1/new hosts[1]", Key("Host", "z1", "y")),
        ("Service/z1/new slot.host", Key("Host", "z1", "x")),
    } == set(caught.value.missing)


def test_reference_from_another_branch_must_be_whole(world: World):
    """REF-11: A short reference is completed only from what the two keys share."""
    made = world.store.create(Service(parent=world.other_zone, name="s", host="Host/z1/h1"))

    assert Key("Host", "z1", "h1") == made.host.key


def _update(world: World, **changes: Any) -> object:
    return world.store.update(world.service.model_copy(update=changes))


def _put(world: World, **changes: Any) -> object:
    return world.store.put(world.service.model_copy(update=changes))


def _append(world: World, value: Any) -> object:
    changed = world.service.model_copy(update={"hosts": []})
    changed.hosts.append(value)
    return world.store.update(changed)


def _delete_and_refer(world: World) -> Any:
    def work(tx: Any) -> None:
        tx.delete(world.spare)
        tx.create(Service(parent=world.zone, name="new", host=world.spare))

    return work
