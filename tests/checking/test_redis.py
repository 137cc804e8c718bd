"""Damage on Redis, planted with redis-py: each kind is found, and repaired where that is possible."""

from __future__ import annotations

import secrets

import pytest
from redis import Redis

from emco_store import Conflict, FlawKind, Repair, connect
from emco_store.backends.redis.commands import OUTCOME_TTL_S
from tests.checking.scenes import (
    MODELS,
    Box,
    Route,
    Site,
    assert_usable,
    checked,
    fill,
    lists_in_pages,
    repair_all,
    told,
)

pytestmark = pytest.mark.redis
FAR_FUTURE_MS = 4_102_444_800_000


@pytest.fixture
def namespace():
    """A namespace of its own."""
    return f"c{secrets.token_hex(8)}"


@pytest.fixture
def raw(redis_server):
    """The driver."""
    with Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def store(redis_server, namespace):
    """A store with some resources."""
    with connect(redis_server.url, namespace=namespace, models=MODELS) as store:
        fill(store)
        yield store


@pytest.fixture
def at(namespace):
    """Return the name of a key of the namespace."""
    return lambda part: f"{{emco:{namespace}}}:{part}"


BOX = "Box/a/x1"
INDEX = f"Box\0colour=3red\0{BOX}"
LEASE = "emco__Lease/Site/a"
UNIQUE = "Box\0code=3c1"


def _replaced(raw, at, key, old, new):
    value = raw.hget(at("records"), key)
    assert old in value
    raw.hset(at("records"), key, value.replace(old, new))


def _delete(raw, at, key):
    raw.hdel(at("records"), key)
    raw.hdel(at("guards"), key)
    raw.zrem(at("keys"), key)


PLANTS = {
    "record without a name": (
        lambda raw, at: raw.zrem(at("keys"), BOX),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "name without a record": (
        lambda raw, at: raw.zadd(at("keys"), {"Box/a/none": 0}),
        {(FlawKind.STRAY_ENTRY, "Box/a/none")},
    ),
    "name that is no key": (
        lambda raw, at: raw.zadd(at("keys"), {b"\xff\xfe": 0}),
        {(FlawKind.STRAY_ENTRY, r"\xff\xfe")},
    ),
    "missing index entry": (
        lambda raw, at: raw.zrem(at("index"), INDEX),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "index entry with another value": (
        lambda raw, at: raw.zadd(at("index"), {f"Box\0colour=3blue\0{BOX}": 0}),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "index entry without a record": (
        lambda raw, at: raw.zadd(at("index"), {"Box\0colour=3red\0Box/a/none": 0}),
        {(FlawKind.STRAY_ENTRY, "Box/a/none")},
    ),
    "index entry of another kind": (
        lambda raw, at: raw.zadd(at("index"), {f"Route\0colour=3red\0{BOX}": 0}),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "index entry of no form": (
        lambda raw, at: raw.zadd(at("index"), {"garbage": 0}),
        {(FlawKind.STRAY_ENTRY, "")},
    ),
    "missing referrer": (
        lambda raw, at: raw.zrem(at("referrers"), f"Site/a\0{BOX}"),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "referrer that does not refer": (
        lambda raw, at: raw.zadd(at("referrers"), {f"Site/b\0{BOX}": 0}),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "referrer without a record": (
        lambda raw, at: raw.zadd(at("referrers"), {"Site/b\0Box/b/none": 0}),
        {(FlawKind.STRAY_ENTRY, "Box/b/none")},
    ),
    "missing unique value": (
        lambda raw, at: raw.hdel(at("unique"), UNIQUE),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "unique value without a record": (
        lambda raw, at: raw.hset(at("unique"), "Box\0code=3zz", "Box/a/none"),
        {(FlawKind.STRAY_ENTRY, "Box/a/none")},
    ),
    "unique value of another record": (
        lambda raw, at: raw.hset(at("unique"), UNIQUE, "Box/a/x2"),
        {(FlawKind.MISSING_ENTRY, BOX), (FlawKind.STRAY_ENTRY, "Box/a/x2")},
    ),
    "guard without a record": (
        lambda raw, at: raw.hset(at("guards"), "Box/a/none", 3),
        {(FlawKind.STRAY_ENTRY, "Box/a/none")},
    ),
    "guard that is no number": (
        lambda raw, at: raw.hset(at("guards"), "Site/a", "many"),
        {(FlawKind.UNREADABLE, "Site/a")},
    ),
    "hold that never ends": (
        lambda raw, at: raw.hset(at("holds"), BOX, f"{FAR_FUTURE_MS} nobody"),
        {(FlawKind.STALE_HOLD, BOX)},
    ),
    "hold of no form": (
        lambda raw, at: raw.hset(at("holds"), BOX, "garbage"),
        {(FlawKind.STALE_HOLD, BOX)},
    ),
    "outcome without an end": (
        lambda raw, at: raw.set(at("tx:t1"), "committed"),
        {(FlawKind.FORGOTTEN_OUTCOME, "t1")},
    ),
    "value that is no record": (
        lambda raw, at: raw.hset(at("records"), "Route/r", b"garbage \xff"),
        {(FlawKind.UNREADABLE, "Route/r")},
    ),
    "value whose rest is spoiled": (
        lambda raw, at: _replaced(raw, at, "Route/r", b"REMOVE", b"REMOTE"),
        {(FlawKind.UNREADABLE, "Route/r")},
    ),
    "value that says two things": (
        lambda raw, at: _replaced(raw, at, BOX, b"colour=3red", b"colour=3rex"),
        {(FlawKind.VALUES, BOX), (FlawKind.MISSING_ENTRY, BOX), (FlawKind.STRAY_ENTRY, BOX)},
    ),
    "lease without a pulse": (
        lambda raw, at: (
            raw.hset(at("records"), LEASE, b"u 1 0 0 0 2 0 1 1\n[]{}"),
            raw.zadd(at("keys"), {LEASE: 0}),
        ),
        {(FlawKind.MISSING_ENTRY, LEASE)},
    ),
    "pulse that was left behind": (
        lambda raw, at: (
            raw.hset(at("pulses"), "u", f"1 9 1000\n{LEASE}\n"),
            raw.zadd(at("due"), {"u": 1009}),
            raw.zadd(at("beating"), {"u": 0}),
        ),
        {(FlawKind.STRAY_ENTRY, LEASE)},
    ),
    "pulse without its entries": (
        lambda raw, at: raw.hset(at("pulses"), "u", f"1 {1000 * FAR_FUTURE_MS} 1000\n{LEASE}\n"),
        {(FlawKind.MISSING_ENTRY, LEASE)},
    ),
    "pulse that is due at another time": (
        lambda raw, at: (
            raw.hset(at("pulses"), "u", f"1 {1000 * FAR_FUTURE_MS} 1000\n{LEASE}\n"),
            raw.zadd(at("due"), {"u": 1}),
            raw.zadd(at("beating"), {"u": 0}),
        ),
        {(FlawKind.MISSING_ENTRY, LEASE)},
    ),
    "pulse of no form": (
        lambda raw, at: raw.hset(at("pulses"), "u", "garbage"),
        {(FlawKind.UNREADABLE, "u")},
    ),
    "lease that is due without a pulse": (
        lambda raw, at: raw.zadd(at("due"), {"u": 5}),
        {(FlawKind.STRAY_ENTRY, "")},
    ),
    "lease that beats without a pulse": (
        lambda raw, at: raw.zadd(at("beating"), {"u": 0}),
        {(FlawKind.STRAY_ENTRY, "")},
    ),
    "target that is gone": (
        lambda raw, at: _delete(raw, at, "Site/b"),
        {(FlawKind.DANGLING, "Route/r")},
    ),
}
"""For each damage: how it is planted, and what the check says of it."""


def test_hold_whose_client_died_long_ago_is_no_flaw(store, raw, at):
    """It has ended by itself, stops nobody, and goes with the next commit of its record (CHK-6)."""
    raw.hset(at("holds"), BOX, "1000 nobody")

    assert [] == checked(store)
    assert_usable(store)


@pytest.mark.parametrize("name", PLANTS)
def test_planted_damage_is_found_and_repaired(store, raw, at, name):
    """What was planted is found, and nothing else; after the repair nothing is wrong, and the store can be used."""
    plant, expected = PLANTS[name]
    plant(raw, at)

    found = checked(store)

    assert expected == told(found)
    assert all(flaw.repair for flaw in found)
    assert [] == repair_all(store)
    assert_usable(store)


def test_duplicate_unique_value_is_found_and_left_to_a_person(store, raw, at):
    """Two records with one unique value are told with both names, and no program decides which one is right."""
    _replaced(raw, at, "Box/a/x2", b"c2", b"c1")
    raw.zrem(at("index"), "Box\0code=3c2\0Box/a/x2")
    raw.zadd(at("index"), {"Box\0code=3c1\0Box/a/x2": 0})
    raw.hdel(at("unique"), "Box\0code=3c2")

    (flaw,) = checked(store)

    assert (FlawKind.DUPLICATE, "Box/a/x2", "code", None) == (flaw.kind, flaw.key, flaw.place, flaw.repair)
    assert "Box/a/x1" in flaw.detail
    store.delete(store.get(Box, "a", "x2"))
    assert [] == repair_all(store)  # the value that was freed belongs to the other again
    assert_usable(store)


def test_record_that_cannot_be_read_does_not_end_the_check(store, raw, at):
    """The record is named, with what its repair loses, and everything else is checked (BAD-8)."""
    raw.hset(at("records"), "Box/a/x0", b"garbage")
    raw.zadd(at("index"), {"garbage": 0})

    found = checked(store)

    assert {(FlawKind.UNREADABLE, "Box/a/x0"), (FlawKind.STRAY_ENTRY, "")} == told(found)
    assert {Repair.DISCARD, Repair.MEND} == {flaw.repair for flaw in found}


def test_entries_without_records_end_no_list(store, raw, at):
    """Every page of every list is full while there is more, whatever strays in an index (ID-16)."""
    strays = [f"Box/a/x{number}-" for number in range(5)]
    raw.zadd(at("keys"), dict.fromkeys(strays, 0))
    raw.zadd(at("index"), dict.fromkeys([f"Box\0colour=3red\0{stray}" for stray in strays], 0))
    raw.zadd(at("referrers"), dict.fromkeys([f"Site/a\0{stray}" for stray in strays], 0))

    for names in lists_in_pages(store):
        assert ["x0", "x1", "x2", "x3", "x4"] == names


def test_value_that_was_replaced_since_is_not_discarded(store, raw, at):
    """A repair removes the value that the check has seen, and no other."""
    right = raw.hget(at("records"), "Route/r")
    raw.hset(at("records"), "Route/r", b"garbage")
    found = checked(store)
    raw.hset(at("records"), "Route/r", right)

    store.repair(found)

    assert [] == checked(store)
    assert store.get(Route, "r").stops


def test_missing_referrer_is_seen_by_deletes_that_are_under_way(store, raw, at):
    """The repair of a referrer moves the guard of the target, so that a delete that did not see it is refused."""
    raw.zrem(at("referrers"), "Site/b\0Route/r")
    plan = store.plan_delete(Site(name="b"))

    store.repair(checked(store))

    with pytest.raises(Conflict):
        store.apply(plan)


def test_outcome_that_is_mended_is_forgotten_in_time(store, raw, at):
    """An outcome without an end is given one."""
    raw.set(at("tx:t1"), "aborted")

    store.repair(checked(store))

    assert 0 < raw.ttl(at("tx:t1")) <= OUTCOME_TTL_S


def test_check_writes_nothing(store, raw, at):
    """A check leaves every key of the namespace as it was."""
    raw.zrem(at("keys"), BOX)
    raw.hset(at("holds"), BOX, "garbage")
    before = _contents(raw, at)

    checked(store)

    assert before == _contents(raw, at)


def _contents(raw, at):
    read = {b"hash": raw.hgetall, b"zset": lambda name: raw.zrange(name, 0, -1), b"string": raw.get}
    return {name: read[raw.type(name)](name) for name in raw.scan_iter(match=at("*"))}
