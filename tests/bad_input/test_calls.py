"""Calls that no data could make right, and calls that come at a wrong time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emco_store import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    Key,
    NotFound,
    Ref,
    UniqueViolation,
)
from tests.bad_input.case import Case, World, check, table
from tests.bad_input.models import Host, Zone


def _get_many(world: World, versions: Any) -> object:
    return world.store.get_many([world.zone], if_version=versions)


def _replace_spare(world: World) -> None:
    world.store.delete(world.spare)
    world.store.create(Host(parent=world.zone, name="h2"))


def _claim_twice(tx: Any) -> None:
    for name in ("a", "b"):
        tx.create(Host(parent="Zone/z1", name=name, serial="same"))


def _create_eleven(tx: Any) -> None:
    for number in range(11):
        tx.create(Zone(name=f"n{number}"))


def _begin(world: World) -> None:
    with world.store.transaction():
        pass


TAGGED: dict[str, Callable[..., object]] = {
    "get": lambda w, tag: w.store.get(w.zone, if_match=tag),
    "get-many": lambda w, tag: w.store.get_many([w.zone], if_match={w.zone.key: tag}),
    "update": lambda w, tag: w.store.update(w.zone, if_match=tag),
    "put": lambda w, tag: w.store.put(w.zone, if_match=tag),
    "delete": lambda w, tag: w.store.delete(w.spare, if_match=tag),
}
BAD_TAGS: dict[str, Any] = {
    "a-number": 1,
    "nothing": "",
    "a-text-without-quotes": "abc-1",
    "half-a-tag": '"abc',
    "bytes": b'"a-1"',
    "tags-without-a-comma": '"a" "b"',
    "a-star-among-tags": '"a", *',
    "a-line": '"a\n"',
    "a-long-list": '"a",' * 5000 + '"a"',
}


@table(
    Case("create-of-none", "BAD-6", lambda w: w.store.create(None), InvalidCall),
    Case("create-of-a-map", "BAD-6", lambda w: w.store.create({"name": "a"}), InvalidCall),
    Case("create-of-a-class", "BAD-6", lambda w: w.store.create(Zone), InvalidCall),
    Case("create-of-a-key", "BAD-6", lambda w: w.store.create(Key("Zone", "a")), InvalidCall),
    Case("create-with-a-version", "OCC-3", lambda w: w.store.create(Zone(name="a"), if_version=1), InvalidCall),
    Case(
        "create-with-a-text-as-version", "OCC-3", lambda w: w.store.create(Zone(name="a"), if_version="0"), InvalidCall
    ),
    Case(
        "create-with-a-list-as-version", "OCC-3", lambda w: w.store.create(Zone(name="a"), if_version=[]), InvalidCall
    ),
    Case("update-of-none", "BAD-6", lambda w: w.store.update(None), InvalidCall),
    Case("update-of-a-text", "BAD-6", lambda w: w.store.update("Zone/z1"), InvalidCall),
    Case("update-of-a-key", "BAD-6", lambda w: w.store.update(w.zone.key), InvalidCall),
    Case("update-of-what-was-never-stored", "ID-4", lambda w: w.store.update(Zone(name="z1")), InvalidCall),
    Case("put-of-none", "BAD-6", lambda w: w.store.put(None), InvalidCall),
    Case("put-of-a-reference", "BAD-6", lambda w: w.store.put(w.zone.ref), InvalidCall),
    Case("delete-of-none", "BAD-6", lambda w: w.store.delete(None), InvalidCall),
    Case("delete-of-a-text", "BAD-6", lambda w: w.store.delete("Zone/z1"), InvalidCall),
    Case("delete-of-a-class", "BAD-6", lambda w: w.store.delete(Host), InvalidResource),
    Case("delete-of-a-list", "BAD-6", lambda w: w.store.delete([w.host]), InvalidCall),
    Case("delete-of-a-short-reference", "BAD-6", lambda w: w.store.delete(Ref("h1")), InvalidCall),
    Case("plan-of-nothing", "DEL-8", lambda w: w.store.plan_delete(), InvalidCall),
    Case("plan-of-a-text", "DEL-8", lambda w: w.store.plan_delete("Zone/z1"), InvalidCall),
    Case("apply-of-none", "DEL-9", lambda w: w.store.apply(None), InvalidCall),
    Case("apply-of-a-resource", "DEL-9", lambda w: w.store.apply(w.host), InvalidCall),
    Case("apply-of-a-list-of-plans", "DEL-9", lambda w: w.store.apply([]), InvalidCall),
    Case("resolve-of-none", "ATM-5", lambda w: w.store.resolve(None), InvalidCall),
    Case("resolve-of-an-empty-text", "ATM-5", lambda w: w.store.resolve(""), InvalidCall),
    Case("update-with-a-text-as-version", "OCC-3", lambda w: w.store.update(w.zone, if_version="1"), InvalidCall),
    Case("delete-with-a-text-as-version", "OCC-3", lambda w: w.store.delete(w.spare, if_version="1"), InvalidCall),
    Case("put-with-a-text-as-version", "OCC-3", lambda w: w.store.put(w.zone, if_version="1"), InvalidCall),
    Case("get-with-a-text-as-version", "OCC-3", lambda w: w.store.get(w.zone, if_version="1"), InvalidCall),
    Case("get-with-a-negative-version", "OCC-3", lambda w: w.store.get(w.zone, if_version=-1), InvalidCall),
    Case("get-with-true-as-version", "OCC-3", lambda w: w.store.get(w.zone, if_version=True), InvalidCall),
    *(
        Case(f"{verb}-with-{name}-as-tag", "OCC-13", partial(call, tag=tag), InvalidCall)
        for verb, call in TAGGED.items()
        for name, tag in BAD_TAGS.items()
    ),
    Case("create-with-a-tag", "OCC-13", lambda w: w.store.create(Zone(name="a"), if_match="*"), InvalidCall),
    Case("get-with-both", "OCC-13", lambda w: w.store.get(w.zone, if_version=1, if_match="*"), InvalidCall),
    Case("get-many-with-one-tag", "OCC-13", lambda w: w.store.get_many([w.zone], if_match="*"), InvalidCall),
    Case(
        "get-many-with-both",
        "OCC-13",
        lambda w: w.store.get_many([w.zone], if_version={w.zone.key: 1}, if_match={w.zone.key: "*"}),
        InvalidCall,
    ),
    Case("get-many-with-one-version", "OCC-3", lambda w: w.store.get_many([w.zone], if_version=1), InvalidCall),
    Case("get-many-with-a-version-by-text", "OCC-3", lambda w: _get_many(w, {"Zone/z1": 1}), InvalidCall),
    Case("get-many-with-a-version-of-another", "OCC-3", lambda w: _get_many(w, {w.host.key: 1}), InvalidCall),
    Case("get-many-with-a-text-as-version", "OCC-3", lambda w: _get_many(w, {w.zone.key: "1"}), InvalidCall),
    Case("run-with-a-number-as-deadline", "OCC-6", lambda w: w.store.run(lambda _: None, deadline=3), InvalidCall),
)
def test_call_that_could_never_be_right_is_refused(case: Case, world: World):
    """BAD-6: A call with arguments of a wrong kind is refused before anything is asked."""
    check(case, world)


@table(
    Case("create-of-what-is-there", "ID-1", lambda w: w.store.create(Zone(name="z1")), AlreadyExists, must_commit=True),
    Case("create-of-what-was-read", "ID-1", lambda w: w.store.create(w.zone), AlreadyExists, must_commit=True),
    Case(
        "update-of-an-old-value",
        "OCC-2",
        lambda w: w.store.update(w.zone),
        Conflict,
        {"keys": (Key("Zone", "z1"),)},
        must_commit=True,
        given=lambda w: w.store.update(w.zone.model_copy(update={"title": "newer"})),
    ),
    Case(
        "update-of-what-is-gone",
        "ID-4",
        lambda w: w.store.update(w.spare),
        NotFound,
        {"keys": (Key("Host", "z1", "h2"),)},
        must_commit=True,
        given=lambda w: w.store.delete(w.spare),
    ),
    Case("update-with-another-version", "OCC-3", lambda w: w.store.update(w.zone, if_version=7), Conflict),
    Case(
        "delete-of-what-is-gone",
        "ID-4",
        lambda w: w.store.delete(w.spare),
        NotFound,
        must_read=True,
        given=lambda w: w.store.delete(w.spare),
    ),
    Case(
        "delete-of-another-of-that-name",
        "DEL-11",
        lambda w: w.store.delete(w.spare),
        Conflict,
        must_read=True,
        given=_replace_spare,
    ),
    Case(
        "delete-with-another-version",
        "OCC-3",
        lambda w: w.store.delete(w.spare, if_version=7),
        Conflict,
        must_read=True,
    ),
    Case(
        "delete-with-one-that-is-missing",
        "ID-4",
        lambda w: w.store.delete(w.spare, Key("Zone", "x")),
        NotFound,
        must_read=True,
    ),
    Case("delete-of-a-parent", "DEL-1", lambda w: w.store.delete(w.zone), DeleteRestricted, must_read=True),
    Case("patch-of-nothing", "OCC-15", lambda w: w.store.patch(Key("Zone", "x"), {}), NotFound, must_read=True),
    Case("patch-of-no-field", "OCC-15", lambda w: w.store.patch(w.zone, {"regoin": "eu"}), InvalidCall, must_read=True),
    Case("patch-without-a-change", "OCC-15", lambda w: w.store.patch(w.zone, None), InvalidCall),
    Case("patch-by-a-number", "OCC-15", lambda w: w.store.patch(w.zone, {1: "eu"}), InvalidCall),
    Case("iterate-in-pages-of-nothing", "ID-17", lambda w: w.store.iterate(Zone, page_size=0), InvalidCall),
    Case("iterate-after-no-cursor", "ID-17", lambda w: w.store.iterate(Zone, after="x"), InvalidCall),
    Case("iterate-in-a-wrong-way", "ID-17", lambda w: w.store.iterate(Zone, unreadable="ignore"), InvalidCall),
    Case("put-with-another-version", "OCC-3", lambda w: w.store.put(w.zone, if_version=7), Conflict, must_read=True),
    Case("put-as-new-of-what-is-there", "OCC-3", lambda w: w.store.put(w.zone, if_version=0), Conflict, must_read=True),
    Case("put-over-nothing", "OCC-3", lambda w: w.store.put(Zone(name="n"), if_version=1), Conflict, must_read=True),
    Case("get-with-another-version", "OCC-3", lambda w: w.store.get(w.zone, if_version=7), Conflict, must_read=True),
    Case("get-many-with-another-version", "OCC-3", lambda w: _get_many(w, {w.zone.key: 7}), Conflict, must_read=True),
    Case("plan-of-what-is-missing", "DEL-8", lambda w: w.store.plan_delete(Key("Zone", "x")), NotFound, must_read=True),
    Case(
        "value-that-is-taken",
        "ID-6",
        lambda w: w.store.create(Host(parent=w.zone, name="h9", serial="s-1")),
        UniqueViolation,
        {"key": Key("Host", "z1", "h9"), "field": "serial", "owner": Key("Host", "z1", "h1")},
        must_commit=True,
    ),
    Case("value-claimed-twice", "ID-6", lambda w: w.store.run(_claim_twice), UniqueViolation, must_commit=True),
    Case(
        "eleven-records-where-ten-are-the-limit",
        "DEL-12",
        lambda w: w.store.run(_create_eleven),
        InvalidCall,
        {"size": 11, "limit": 10},
    ),
)
def test_call_that_does_not_fit_the_data_is_refused(case: Case, world: World):
    """ID-4: A call that the data contradicts is one clear error and changes nothing."""
    check(case, world)


def test_plan_with_blockers_is_not_applied(world: World):
    """DEL-9: A plan that could not be carried out is refused with its blockers, before anything is asked."""
    plan = world.store.plan_delete(world.host)
    world.asked.clear()
    fields = {"blockers": plan.blockers, "keys": (world.host.key,)}

    check(Case("apply", "DEL-9", lambda w: w.store.apply(plan), DeleteRestricted, fields), world)


def test_plan_of_another_moment_is_not_applied(world: World):
    """DEL-9: A plan is refused when what it rests on has moved."""
    plan = world.store.plan_delete(world.spare)
    world.store.update(world.spare.model_copy(update={"region": "asia"}))

    check(Case("apply", "DEL-9", lambda w: w.store.apply(plan), Conflict, must_commit=True), world)


def test_plan_is_not_applied_twice(world: World):
    """DEL-9: What a plan deletes is gone after it was applied, and another of that name is none of its business."""
    plan = world.store.plan_delete(world.spare)
    world.store.apply(plan)
    world.store.create(Host(parent=world.zone, name="h2"))

    check(Case("apply", "DEL-9", lambda w: w.store.apply(plan), Conflict, must_commit=True), world)


def test_delete_of_more_than_the_limit_is_refused(world: World):
    """DEL-12: A delete that would take too much along names the number, and takes nothing."""
    for number in range(11):
        world.store.create(Host(parent=world.other_zone, name=f"n{number}"))
    hosts = world.store.list(Host, parent=world.other_zone).resources
    world.asked.clear()

    check(Case("delete", "DEL-12", lambda w: w.store.delete(*hosts), InvalidCall, {"limit": 10}, must_read=True), world)


CLOSED: dict[str, Callable[[World], object]] = {
    "get": lambda w: w.store.get(w.zone),
    "get-many": lambda w: w.store.get_many([w.zone]),
    "list": lambda w: w.store.list(Zone),
    "iterate": lambda w: w.store.iterate(Zone),
    "exists": lambda w: w.store.exists(w.zone),
    "children": lambda w: w.store.children(w.zone),
    "referrers": lambda w: w.store.referrers(w.zone),
    "create": lambda w: w.store.create(Zone(name="n")),
    "update": lambda w: w.store.update(w.zone),
    "patch": lambda w: w.store.patch(w.zone, {}),
    "put": lambda w: w.store.put(w.zone),
    "delete": lambda w: w.store.delete(w.spare),
    "plan-delete": lambda w: w.store.plan_delete(w.spare),
    "resolve": lambda w: w.store.resolve("0"),
    "run": lambda w: w.store.run(lambda tx: tx.get(w.zone)),
    "transaction": _begin,
}


@pytest.mark.parametrize("call", CLOSED)
def test_closed_store_is_refused(world: World, call: str):
    """BAD-6: A store that was closed answers nothing and writes nothing."""
    world.store.close()

    check(Case(call, "BAD-6", CLOSED[call], InvalidCall), world)
