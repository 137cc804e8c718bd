"""Questions that a list cannot answer, and values that a database could read as an operator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from emco_store import F, InvalidCall, Key, Resource
from tests.bad_input.case import Case, World, check, table
from tests.bad_input.models import Group, Host, Release, Service, Sheet, Zone

BAD_LIMITS = {"zero": 0, "negative": -1, "1,001": 1001, "true": True, "float": 10.0, "text": "10", "none": None}
CALLS: dict[str, Callable[..., object]] = {
    "list": lambda w, **options: w.store.list(Host, **options),
    "children": lambda w, **options: w.store.children(w.zone, **options),
    "referrers": lambda w, **options: w.store.referrers(w.zone, **options),
    "list-in-a-transaction": lambda w, **options: _in_run(w, lambda tx: tx.list(Host, parent=w.zone, **options)),
    "children-in-a-transaction": lambda w, **options: _in_run(w, lambda tx: tx.children(w.zone, **options)),
    "referrers-in-a-transaction": lambda w, **options: _in_run(w, lambda tx: tx.referrers(w.zone, **options)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("limit", BAD_LIMITS)
def test_bad_limit_is_refused(world: World, limit: str, call: str):
    """ID-7: A page has 1 to 1000 resources."""
    check(Case(limit, "ID-7", lambda w: CALLS[call](w, limit=BAD_LIMITS[limit]), InvalidCall), world)


BAD_CURSORS = {"empty": "", "no-base64": "!!", "no-json": "YWJj", "key": "Host/z1/h1", "number": 7, "cut": "WyJIb3N0"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("after", BAD_CURSORS)
def test_text_that_is_no_cursor_is_refused(world: World, after: str, call: str):
    """ID-7: A page is continued with ``page.next`` and nothing else."""
    check(Case(after, "ID-7", lambda w: CALLS[call](w, after=BAD_CURSORS[after]), InvalidCall), world)


OTHER_QUESTIONS: dict[str, Callable[[World, str], object]] = {
    "another-kind": lambda w, after: w.store.list(Zone, after=after),
    "another-order": lambda w, after: w.store.list(Host, order_by="region", after=after),
    "the-other-direction": lambda w, after: w.store.list(Host, order_by="-key", after=after),
    "all-kinds": lambda w, after: w.store.list(Resource, after=after),
    "children": lambda w, after: w.store.children(w.zone, after=after),
    "referrers": lambda w, after: w.store.referrers(w.zone, after=after),
}


@pytest.mark.parametrize("question", OTHER_QUESTIONS)
def test_cursor_of_another_list_is_refused(world: World, question: str):
    """ID-7: A cursor continues the list that gave it."""
    after = world.store.list(Host, limit=1).next
    world.asked.clear()

    check(Case(question, "ID-7", lambda w: OTHER_QUESTIONS[question](w, after), InvalidCall), world)


def test_cursor_of_another_resources_children_is_refused(world: World):
    """ID-7: A cursor of one resource's children does not continue those of another."""
    after = world.store.children(world.zone, limit=1).next
    world.asked.clear()

    check(Case("children", "ID-7", lambda w: w.store.children(w.other_zone, after=after), InvalidCall), world)


@table(
    Case("order-by-an-unknown-field", "ID-8", lambda w: w.store.list(Host, order_by="colour"), InvalidCall),
    Case("order-by-a-field-without-index", "ID-8", lambda w: w.store.list(Sheet, order_by="count"), InvalidCall),
    Case("order-by-the-name-of-many-parents", "ID-8", lambda w: w.store.list(Host, order_by="name"), InvalidCall),
    Case("order-by-nothing", "ID-8", lambda w: w.store.list(Host, order_by=""), InvalidCall),
    Case("order-by-a-minus", "ID-8", lambda w: w.store.list(Host, order_by="-"), InvalidCall),
    Case("order-by-an-operator", "ID-8", lambda w: w.store.list(Host, order_by="$natural"), InvalidCall),
    Case("order-by-a-condition", "ID-8", lambda w: w.store.list(Host, order_by=F.region), InvalidCall),
    Case("order-by-a-number", "ID-8", lambda w: w.store.list(Host, order_by=1), InvalidCall),
    Case("order-of-all-kinds", "ID-8", lambda w: w.store.list(Resource, order_by="name"), InvalidCall),
    Case("list-of-none", "BAD-6", lambda w: w.store.list(None), InvalidCall),
    Case("list-of-a-plain-class", "BAD-6", lambda w: w.store.list(dict), InvalidCall),
    Case("list-of-a-resource", "BAD-6", lambda w: w.store.list(w.zone), InvalidCall),
    Case("list-of-an-empty-kind", "BAD-1", lambda w: w.store.list(""), InvalidCall),
    Case("list-of-a-star", "ID-2", lambda w: w.store.list("*"), InvalidCall),
    Case("list-of-a-prefix-of-keys", "ID-2", lambda w: w.store.list("Host/z1"), InvalidCall),
    Case("parent-and-under", "ID-9", lambda w: w.store.list(Host, parent=w.zone, under=w.zone), InvalidCall),
    Case("parent-of-another-kind", "ID-9", lambda w: w.store.list(Host, parent=w.sheet), InvalidCall),
    Case("parent-of-a-root", "ID-9", lambda w: w.store.list(Zone, parent=w.zone), InvalidCall),
    Case("parent-as-a-text", "ID-9", lambda w: w.store.list(Host, parent="z1"), InvalidCall),
    Case("parent-with-too-few-names", "ID-9", lambda w: w.store.list(Host, parent=Key("Zone", "z1", "x")), InvalidCall),
    Case("under-another-kind", "ID-9", lambda w: w.store.list(Host, under=w.sheet), InvalidCall),
    Case("under-itself", "ID-9", lambda w: w.store.list(Host, under=w.host), InvalidCall),
    Case("under-for-all-kinds", "ID-9", lambda w: w.store.list(Resource, under=w.zone), InvalidCall),
    Case("parent-for-all-kinds", "ID-9", lambda w: w.store.list(Resource, parent=w.zone), InvalidCall),
    Case("filter-by-an-unknown-field", "BAD-7", lambda w: w.store.list(Host, where=F.colour == "red"), InvalidCall),
    Case(
        "filter-by-an-unknown-field-inside", "BAD-7", lambda w: _list(w, ~(F.region == "a") | (F.x == 1)), InvalidCall
    ),
    Case("filter-by-a-dunder", "BAD-7", lambda w: w.store.list(Host, where=F._meta == None), InvalidCall),  # noqa: E711 - a condition
    Case("filter-with-an-operator", "BAD-7", lambda w: _list(w, F.region == {"$ne": ""}), InvalidCall),
    Case("filter-with-a-list", "BAD-7", lambda w: _list(w, F.region == ["eu"]), InvalidCall),
    Case("filter-with-a-set", "BAD-7", lambda w: _list(w, F.region != {"eu"}), InvalidCall),
    Case("filter-with-bytes", "BAD-7", lambda w: _list(w, F.region == b"eu"), InvalidCall),
    Case("filter-with-an-object", "BAD-7", lambda w: _list(w, F.region < object()), InvalidCall),
    Case("filter-with-a-class", "BAD-7", lambda w: _list(w, F.region >= str), InvalidCall),
    Case("filter-with-a-condition", "BAD-7", lambda w: _list(w, F.region == F.serial), InvalidCall),
    Case("filter-with-a-number-beyond-64-bits", "BAD-4", lambda w: _list(w, F.region == 10**400), InvalidCall),
    Case("filter-with-nan", "BAD-4", lambda w: _list(w, F.region < math.inf * 0), InvalidCall),
    Case("filter-with-a-lone-surrogate", "BAD-7", lambda w: _list(w, F.region == "\ud800"), InvalidCall),
    Case("filter-with-one-of-operators", "BAD-7", lambda w: _list(w, F.region.in_([{"$gt": ""}])), InvalidCall),
    Case("filter-with-one-of-a-text", "BAD-7", lambda w: _list(w, F.region.in_("eu")), InvalidCall),
    Case("filter-with-one-of-a-number", "BAD-7", lambda w: _list(w, F.region.in_(7)), InvalidCall),
    Case("filter-that-is-a-document", "BAD-7", lambda w: _list(w, {"region": {"$regex": ".*"}}), InvalidCall),
    Case("filter-that-is-a-text", "BAD-7", lambda w: _list(w, "region == 'eu'"), InvalidCall),
    Case("filter-that-is-a-field", "BAD-7", lambda w: _list(w, F.region), InvalidCall),
    Case("filter-that-is-true", "BAD-7", lambda w: _list(w, [True]), InvalidCall),
    Case("filter-that-is-none", "BAD-7", lambda w: _list(w, None), InvalidCall),
    Case(
        "filter-of-an-unknown-kind-that-is-none", "BAD-7", lambda w: w.store.list("Nothing", where=[None]), InvalidCall
    ),
    Case("condition-and-condition", "BAD-7", lambda _: (F.a == 1) and (F.b == 2), InvalidCall),
    Case("not-a-condition", "BAD-7", lambda _: not (F.a == 1), InvalidCall),  # noqa: SIM201 - the mistake itself
    Case("condition-between-two", "BAD-7", lambda _: 1 < F.a < 3, InvalidCall),
    Case("condition-joined-with-a-text", "BAD-7", lambda w: _list(w, (F.region == "eu") & "x"), InvalidCall),
    Case("field-in-a-list", "BAD-7", lambda _: "a" in [F.a], InvalidCall),  # noqa: FURB171 - the mistake itself
)
def test_question_that_cannot_be_asked_is_refused(case: Case, world: World):
    """BAD-7: Values in conditions are compared and never interpreted; what is no single value is refused."""
    check(case, world)


UNSTABLE: dict[str, Callable[[Any, World], object]] = {
    "all-of-a-kind": lambda tx, _: tx.list(Host),
    "under-an-ancestor": lambda tx, w: tx.list(Host, under=w.zone),
    "with-a-filter": lambda tx, _: tx.list(Host, where=F.region == "eu"),
    "roots": lambda tx, _: tx.list(Zone),
    "all-kinds": lambda tx, _: tx.list(Resource),
}


@pytest.mark.parametrize("question", UNSTABLE)
def test_list_without_an_owner_is_refused_in_a_transaction(world: World, question: str):
    """OCC-5: A list that others may join unseen is refused inside a transaction unless it says so."""
    check(Case(question, "OCC-5", lambda w: _in_run(w, lambda tx: UNSTABLE[question](tx, w)), InvalidCall), world)


@pytest.mark.parametrize("model", [Group, Release, Service])
def test_text_that_looks_like_an_operator_finds_nothing(world: World, model: type[Resource]):
    """BAD-7: A text is compared as it is, whatever a database would make of it."""
    for text in ("*", ".*", "$gt", "' or '1'='1", '{"$ne": null}', "%"):
        assert () == world.store.list(model, where=F.name == text).items


def _list(world: World, where: Any) -> object:
    return world.store.list(Host, where=where)


def _in_run(world: World, work: Callable[[Any], object]) -> object:
    return world.store.run(work)
