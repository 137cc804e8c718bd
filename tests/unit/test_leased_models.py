"""Leased classes and references that need a lease: what is refused when they are defined, and what is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest

from emco_store import (
    CASCADE,
    PROTECT,
    REMOVE,
    RESTRICT,
    SET_DEFAULT,
    SET_NULL,
    InvalidModel,
    Ref,
    Resource,
    on_delete,
    on_expire,
    some_of,
)
from emco_store.core.codec import draft
from emco_store.core.edits import without
from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY
from emco_store.core.records import read_edges, write_edges
from emco_store.core.reserved import lease_of, stated
from emco_store.core.status import Status

TTL = timedelta(seconds=15)
W1, W2 = Key("Worker", "w1"), Key("Worker", "w2")


class Worker(Resource, lease=TTL):
    """What is leased."""

    zone: str = ""


class Site(Resource):
    """What is not leased."""


class Operator(Resource):
    """What refers to workers in each way."""

    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None
    first: Annotated[Ref[Worker] | None, on_expire(CASCADE), on_delete(SET_NULL)] = None
    fallback: Annotated[Ref[Worker], on_expire(SET_DEFAULT)] = Ref("Worker/w2")
    others: Annotated[list[Ref[Worker]], on_expire(REMOVE)] = []
    shares: Annotated[dict[Ref[Worker], int], on_expire(REMOVE)] = {}


def stored(**fields: Any):
    """The record of an operator."""
    made = draft(Operator(name="o", **fields), max_bytes=10_000)
    return made.record(uid="u", version=1, created_us=1, updated_us=1)


def lost(record, *targets):
    """The record as the rules leave it once targets are gone."""
    return without(record, record.edges_to(frozenset(targets)), 2, NOBODY)


@pytest.mark.parametrize("ttl", [timedelta(milliseconds=999), timedelta(days=1, seconds=1), timedelta(0), 15, "15s"])
def test_lease_that_is_no_time_between_a_second_and_a_day_is_refused(ttl):
    """BAD-9: a TTL is a timedelta of 1 second to 1 day."""
    with pytest.raises(InvalidModel, match="lease="):
        type(Resource)("Bad", (Resource,), {"__module__": __name__}, lease=ttl)


@pytest.mark.parametrize("ttl", [timedelta(seconds=1), timedelta(days=1)])
def test_shortest_and_longest_lease_are_accepted(ttl):
    """The bounds belong to it."""

    class Good(Resource, kind="Good", lease=ttl):
        pass

    assert ttl == Good.__emco__.lease


def test_status_cannot_be_leased():
    """A status is part of its resource."""
    with pytest.raises(InvalidModel, match="status"):

        class Health(Status, of=Worker, writer="agent", lease=TTL):
            pass


@pytest.mark.parametrize("rule", [RESTRICT, PROTECT, "NEVER", None])
def test_rule_that_would_forbid_the_end_is_refused(rule):
    """LEA-6: a reference says what the end of the lease does to it, and cannot forbid it."""
    with pytest.raises(InvalidModel, match="on_expire"):
        on_expire(rule)


def test_reference_to_what_is_not_leased_is_refused():
    """BAD-9: on_expire needs a target that has a lease, when the class is defined."""
    with pytest.raises(InvalidModel, match="Site has no lease"):

        class Bad(Resource):
            site: Annotated[Ref[Site] | None, on_expire(SET_NULL)] = None


def test_reference_to_several_kinds_needs_all_of_them_leased():
    """BAD-9: one kind without a lease is enough to refuse it."""
    with pytest.raises(InvalidModel, match="Site has no lease"):

        class Bad(Resource):
            at: Annotated[Ref[Worker | Site] | None, on_expire(SET_NULL)] = None


def test_target_that_is_defined_later_is_judged_when_it_is_met():
    """BAD-9: a target that is given as text is judged when it is first needed."""

    class Late(Resource):
        of: Annotated[Ref[Tardy] | None, on_expire(SET_NULL)] = None

    class Tardy(Resource):
        pass

    with pytest.raises(InvalidModel, match="Tardy has no lease"):
        Late(name="x", of="Tardy/t")


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [(Ref[Worker], SET_NULL), (Ref[Worker], SET_DEFAULT), (Ref[Worker] | None, REMOVE), (set[Ref[Worker]], SET_NULL)],
)
def test_rule_that_cannot_work_in_its_place_is_refused(annotation, rule):
    """BAD-9: the rules have the same needs as those of deletes."""
    with pytest.raises(InvalidModel, match=rule):
        type(Resource)(
            "Bad",
            (Resource,),
            {"__module__": __name__, "__annotations__": {"at": Annotated[annotation, on_expire(rule)]}},
        )


def test_parent_and_selection_cannot_depend_on_a_lease():
    """BAD-9: a resource cannot lose its parent, and a selection chooses by names."""
    with pytest.raises(InvalidModel, match="parent"):

        class Child(Resource, parent=Worker):
            parent: Annotated[Ref[Any] | None, on_expire(CASCADE)] = None

    with pytest.raises(InvalidModel, match="selection"):

        class Chooser(Resource):
            worker: Annotated[str, some_of(Worker), on_expire(CASCADE)] = ""


def test_reference_with_on_expire_has_two_edges_at_its_place():
    """LEA-5: one leads to the resource, the other one to its lease, each with its own rule."""
    edges = stored(worker="w1", first="w1", others=["w1"], shares={"w1": 1}).edges

    pairs = [(edge.place, edge.target, edge.rule) for edge in edges if edge.target in {W1, lease_of(W1)}]
    assert [
        ("worker", W1, RESTRICT),
        ("worker", lease_of(W1), SET_NULL),
        ("first", W1, SET_NULL),
        ("first", lease_of(W1), CASCADE),
        ("others[0]", W1, RESTRICT),
        ("others[0]", lease_of(W1), REMOVE),
        ("shares{Worker/w1}", W1, RESTRICT),
        ("shares{Worker/w1}", lease_of(W1), REMOVE),
    ] == pairs
    assert edges == read_edges(write_edges(edges))


def test_default_is_stored_with_the_edge_whose_rule_needs_it():
    """LEA-6: SET_DEFAULT of the lease stores the lease of the default, and RESTRICT stores nothing."""
    edges = [edge for edge in stored(fallback="w1").edges if edge.place == "fallback"]

    assert [(W1, None), (lease_of(W1), lease_of(W2))] == [(edge.target, edge.default) for edge in edges]


def test_end_of_a_lease_takes_both_edges_along():
    """LEA-6: SET_NULL and REMOVE drop both edges, SET_DEFAULT re-points both, and the document names no lease."""
    before = stored(worker="w1", fallback="w1", others=["w2", "w1", "w3"], shares={"w1": 1, "w2": 2})

    after = lost(before, lease_of(W1))

    own = draft(Operator(name="o", others=["w2", "w3"], shares={"w2": 2}), max_bytes=10_000)
    assert (own.document, own.edges) == (after.document, after.edges)


def test_key_in_a_document_is_that_of_the_resource():
    """No document names a lease."""
    assert (W1, W1) == (stated(W1), stated(lease_of(W1)))
