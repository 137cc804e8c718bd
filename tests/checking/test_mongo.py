"""Damage on MongoDB, planted with PyMongo: each kind is found, and repaired where that is possible."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest
from bson import ObjectId
from pymongo import MongoClient

from emco_store import FlawKind, Misconfigured, connect
from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from tests.checking.scenes import MODELS, Box, Route, assert_usable, checked, fill, repair_all, told

pytestmark = pytest.mark.mongo
BOX = "Box/a/x1"


@pytest.fixture
def namespace():
    """A namespace of its own."""
    return f"c{secrets.token_hex(8)}"


@pytest.fixture
def raw(mongo_server, namespace):
    """The collection, through the driver."""
    with MongoClient(mongo_server.url) as client:
        yield client[DATABASE][collection(namespace)]
        client[DATABASE].drop_collection(collection(namespace))


@pytest.fixture
def store(mongo_server, namespace, raw):  # noqa: ARG001 - the collection is dropped when the store has been closed
    """A store with some resources."""
    with connect(mongo_server.url, namespace=namespace, models=MODELS) as store:
        fill(store)
        yield store


def _set(key, **fields):
    return lambda raw: raw.update_one({"_id": key}, {"$set": fields})


LEASE = "emco__Lease/Site/a"
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
PULSE = {"_id": "beat:l", "o": "beat", "n": 3, "l": 9, "a": LONG_AGO, "b": LONG_AGO, "y": LEASE, "s": ""}
PLANTS = {
    "missing referrer": (
        lambda raw: raw.update_one({"_id": "Route/r"}, {"$pull": {"r": "Site/b"}}),
        {(FlawKind.MISSING_ENTRY, "Route/r")},
    ),
    "referrer that does not refer": (
        lambda raw: raw.update_one({"_id": BOX}, {"$push": {"r": "Site/b"}}),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "targets of another type": (
        _set("Route/r", r="Site/a"),
        {(FlawKind.MISSING_ENTRY, "Route/r")},
    ),
    "missing unique value": (
        lambda raw: raw.update_one({"_id": BOX}, {"$unset": {"q": 1}}),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "unique value that nobody has": (
        lambda raw: raw.update_one({"_id": BOX}, {"$push": {"q": "Box:code=3zz"}}),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "missing indexed value": (
        lambda raw: raw.update_one({"_id": BOX}, {"$unset": {"i.Box:colour": 1}}),
        {(FlawKind.VALUES, BOX)},
    ),
    "indexed value in another place": (
        _set(BOX, **{"i.Box:colour": "3red\0\0Box/a/x2"}),
        {(FlawKind.MISSING_ENTRY, BOX), (FlawKind.STRAY_ENTRY, BOX)},
    ),
    "guard that is no number": (
        _set("Site/a", g="many"),
        {(FlawKind.UNREADABLE, "Site/a")},
    ),
    "counter that is no number": (
        _set("Site/a", z=None),
        {(FlawKind.UNREADABLE, "Site/a")},
    ),
    "hold that never ends": (
        _set(BOX, k={"h": "nobody", "t": datetime(2100, 1, 1, tzinfo=UTC)}),
        {(FlawKind.STALE_HOLD, BOX)},
    ),
    "hold of no form": (
        _set(BOX, k=7),
        {(FlawKind.STALE_HOLD, BOX)},
    ),
    "outcome without an end": (
        lambda raw: raw.insert_one({"_id": "tx:t1", "o": "committed"}),
        {(FlawKind.FORGOTTEN_OUTCOME, "t1")},
    ),
    "tombstone without an end": (
        lambda raw: raw.insert_one({"_id": "Site/tombstone", "x": True}),
        {(FlawKind.STRAY_ENTRY, "Site/tombstone")},
    ),
    "lease without a pulse": (
        lambda raw: raw.insert_one(
            {"_id": LEASE, "u": "l", "v": 1, "d": b"{}", "e": b"[]", "c": 1, "m": 1, "p": [], "z": 1}
        ),
        {(FlawKind.MISSING_ENTRY, LEASE)},
    ),
    "pulse that was left behind": (
        lambda raw: raw.insert_one(PULSE),
        {(FlawKind.STRAY_ENTRY, LEASE)},
    ),
    "pulse of no form": (
        lambda raw: raw.insert_one({**PULSE, "n": "many"}),
        {(FlawKind.UNREADABLE, "l")},
    ),
    "pulse whose end is no time": (
        lambda raw: raw.insert_one({**PULSE, "b": "soon"}),
        {(FlawKind.UNREADABLE, "l")},
    ),
    "index that is gone": (
        lambda raw: raw.drop_index("values"),
        {(FlawKind.SETUP, "values")},
    ),
    "index of every namespace that is gone": (
        lambda raw: raw.drop_index("referrers"),
        {(FlawKind.SETUP, "referrers")},
    ),
    "target that is gone": (
        lambda raw: raw.delete_one({"_id": "Site/b"}),
        {(FlawKind.DANGLING, "Route/r")},
    ),
}
"""For each damage: how it is planted, and what the check says of it."""


def test_hold_whose_client_died_long_ago_is_no_flaw(store, raw):
    """It has ended by itself, stops nobody, and goes with the next commit of its record (CHK-6)."""
    _set(BOX, k={"h": "nobody", "t": datetime(2001, 1, 1, tzinfo=UTC)})(raw)

    assert [] == checked(store)
    assert_usable(store)


def _share_a_value(raw):
    """Give a record the unique value of another one by hand, which no store does."""
    raw.drop_index("unique")
    first, second = (raw.find_one({"_id": f"Box/a/{name}"}) for name in ("x1", "x2"))
    same = {"p": first["p"], "q": first["q"], "i.Box:code": first["i"]["Box:code"].replace("x1", "x2")}
    _set("Box/a/x2", d=second["d"].replace(b'"c2"', b'"c1"'), **same)(raw)


@pytest.mark.parametrize("name", PLANTS)
def test_planted_damage_is_found_and_repaired(store, raw, name):
    """What was planted is found, and nothing else; after the repair nothing is wrong, and the store can be used."""
    plant, expected = PLANTS[name]
    plant(raw)

    found = checked(store)

    assert expected == told(found)
    assert all(flaw.repair for flaw in found)
    assert [] == repair_all(store)
    assert_usable(store)


@pytest.mark.parametrize("identity", [ObjectId("0123456789abcdef01234567"), 7, "no key", {"a": 1}, True])
def test_document_that_no_store_has_written_is_named(store, raw, identity):
    """A document under an ``_id`` that is no key is told, whatever its type, and left to a person."""
    raw.insert_one({"_id": identity, "name": "foreign"})

    (flaw,) = checked(store)

    assert (FlawKind.UNREADABLE, str(identity), None) == (flaw.kind, flaw.key, flaw.repair)
    raw.delete_one({"_id": identity})
    assert_usable(store)


@pytest.mark.parametrize(
    "change", [{"$unset": {"u": 1}}, {"$set": {"v": "x"}}, {"$set": {"e": 7}}, {"$set": {"d": "text"}}]
)
def test_record_that_cannot_be_read_does_not_end_the_check(store, raw, change):
    """A spoiled record is named; the API can replace and delete it, so no repair does (BAD-8)."""
    raw.update_one({"_id": "Route/r"}, change)
    raw.update_one({"_id": BOX}, {"$unset": {"q": 1}})

    found = checked(store)

    assert {(FlawKind.UNREADABLE, "Route/r"), (FlawKind.MISSING_ENTRY, BOX)} == told(found)
    store.put(Route(name="r"))
    assert [] == repair_all(store)
    assert_usable(store)


def test_index_of_another_shape_is_left_to_a_person(store, raw):
    """An index with other options than it should have is told; the server would refuse to make it anew."""
    raw.drop_index("unique")
    raw.create_index("q", name="unique", sparse=True)

    (flaw,) = checked(store)

    assert (FlawKind.SETUP, "unique", None) == (flaw.kind, flaw.key, flaw.repair)
    raw.drop_index("unique")
    assert [] == repair_all(store)
    assert_usable(store)


def test_duplicate_unique_value_is_found_and_left_to_a_person(store, raw):
    """Without the unique index two records can have one value; the check names both, and no program decides."""
    _share_a_value(raw)

    found = checked(store)

    (flaw,) = (flaw for flaw in found if flaw.kind is FlawKind.DUPLICATE)
    assert {(FlawKind.SETUP, "unique"), (FlawKind.DUPLICATE, "Box/a/x2")} == told(found)
    assert ("code", None) == (flaw.place, flaw.repair)
    assert "Box/a/x1" in flaw.detail
    skipped = {flaw.kind: reason for flaw, reason in store.repair(found).skipped}
    assert {FlawKind.DUPLICATE, FlawKind.SETUP} == set(skipped)
    assert "Box.code" in skipped[FlawKind.SETUP]
    store.delete(store.get(Box, "a", "x2"))
    assert [] == repair_all(store)
    assert_usable(store)


def test_store_whose_unique_index_cannot_be_made_says_why(store, raw, mongo_server, namespace):
    """While two records share a unique value, no store writes another one, and the error names the field (ID-6)."""
    _share_a_value(raw)

    with connect(mongo_server.url, namespace=namespace, models=MODELS) as other:
        for each in (store, other):
            box = each.get(Box, "a", "x1")
            with pytest.raises(Misconfigured) as caught:
                each.update(box.model_copy(update={"code": "free"}))

            assert "Box.code" in str(caught.value)
            assert "3c1" not in str(caught.value)
            assert box == each.get(Box, "a", "x1")


def test_check_writes_nothing(store, raw):
    """A check leaves every document as it was."""
    raw.update_one({"_id": BOX}, {"$unset": {"q": 1}, "$set": {"k": 7}})
    before = list(raw.find(sort=[("_id", 1)]))

    checked(store)

    assert before == list(raw.find(sort=[("_id", 1)]))
