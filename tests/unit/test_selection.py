"""Selections: which annotations can select, how a pattern is written, and which names may stand in one."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal, NewType

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, RootModel

from emco_store import (
    InvalidModel,
    InvalidResource,
    Key,
    MemoryBackend,
    MissingReference,
    Ref,
    Resource,
    connect,
    some_of,
)
from emco_store.core.codec import draft
from emco_store.core.keys import name_problem
from emco_store.core.records import Edge, read_edges, with_matches, write_edges
from emco_store.core.refs import on_delete, reference
from emco_store.core.rules import RESELECT, RESTRICT, Rule
from emco_store.core.selection import Pattern, selection_of

HOSTILE = ["*", "a|b", "a;b", "a?name", "a b", "ä", "a*", "a or b", "?", "|", ";"]
NAMES = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=8)).filter(lambda name: not name_problem(name))


class Town(Resource):
    """A root."""


class Street(Resource, parent=Town):
    """A child with another key field."""


class House(Resource, parent=Street, key=("number", "name")):
    """A grandchild with two key fields, the first of them not the name."""

    number: str


NUMBERS = itertools.count()


def selecting(annotation: object, **others: object) -> type[Resource]:
    """Define a root with one field that selects, and fields beside it; each time one of another kind."""
    return type(
        f"Buyer{next(NUMBERS)}",
        (Resource,),
        {"__annotations__": {"what": annotation, **others}, "__module__": __name__},
    )


class Uncertain(BaseModel, extra="forbid"):
    """A nested model that selects by a field which is not there."""

    street: Annotated[str, some_of(Street, where={"Town": "town"})]


UserId = NewType("UserId", int)
StreetName = NewType("StreetName", str)


class Height(str, Enum):  # noqa: UP042 - the kind that str() does not write as its value
    """Text of which Python would write the name of the member."""

    HIGH = "high"


class Word(RootModel[Annotated[str, some_of(Street)]]):
    """A model that is one value."""


@dataclass
class Loose:
    """No model, so nothing in it is looked at."""

    street: Annotated[str, some_of(Street)]


@pytest.mark.parametrize(
    ("annotation", "others"),
    [
        (Annotated[int, some_of(Street)], {}),
        (Annotated[set[str], some_of(Street)], {}),
        (Annotated[str | int, some_of(Street)], {}),
        (Annotated[list[list[str]], some_of(Street)], {}),
        (Annotated[Literal[1, "x"], some_of(Street)], {}),
        (Annotated[str, some_of()], {}),
        (Annotated[UserId, some_of(Street)], {}),
        (Annotated[str, some_of(Street, where={"Town": "town"})], {}),
        (Annotated[str, some_of(Street, where={"House": "town"})], {"town": str}),
        (Annotated[str, some_of(House, where={"House": "town"})], {"town": str}),
        (Annotated[str, some_of(House, where={"House.floor": "town"})], {"town": str}),
        (Annotated[str, some_of(Street), reference(when={"how": "x"})], {}),
        (Annotated[Ref[Town] | None, some_of(Street), on_delete(Rule.SET_NULL)], {}),
        (Annotated[Ref[Town], on_delete(RESELECT)], {}),
        (Annotated[list[Ref[Town]], some_of(Street), on_delete(Rule.REMOVE)], {}),
        (Uncertain, {}),
        (dict[Annotated[str, some_of(Street)], str], {}),
        (Word, {}),
        (Loose, {}),
    ],
)
def test_selection_that_cannot_work_is_refused_when_the_class_is_defined(annotation, others):
    """A class that cannot work is refused when it is defined (BAD-9)."""
    with pytest.raises(InvalidModel):
        selecting(annotation, **others)


@pytest.mark.parametrize(
    "call",
    [
        lambda: some_of(int),
        lambda: some_of(Street, None),
        lambda: some_of(Street, where="Town"),
        lambda: some_of(Street, where={"Town": 1}),
        lambda: some_of(Street, where={1: "town"}),
        lambda: some_of(Street, fixed={"name": None}),
        lambda: some_of(Street, keys="sea"),
        lambda: some_of(Street, keys=[1]),
        lambda: some_of(Street, keys=7),
    ],
)
def test_selection_of_what_is_no_resource_or_no_text_is_refused(call):
    """A marker that could not work is refused at once; text is no list of letters (BAD-9)."""
    with pytest.raises(InvalidModel):
        call()


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, some_of(Street)],
        Annotated[StreetName, some_of(Street)],
        Annotated[Height, some_of(Street)],
        Annotated[str, some_of("Street")],
        Annotated[str, some_of(Street)] | None,
        list[Annotated[str, some_of(Street)]],
        Annotated[tuple[str, ...], some_of(Street)],
        dict[str, Annotated[str | None, some_of(Street)]],
        Annotated[Literal["high", "low"], some_of(Street, Town)],
        Annotated[Ref[Town], some_of(Street, House)],
        Annotated[Ref[Town] | None, some_of(House), on_delete(Rule.CASCADE)],
        list[Annotated[Ref[Town], some_of(Street)]],
    ],
)
def test_selection_may_stand_in_text_references_lists_and_maps(annotation):
    """What holds text or references can select."""
    assert selecting(annotation).__emco__.selects


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "..", " a", "a\n", "\u200b", "x" * 254])
def test_text_that_is_no_name_is_refused(name):
    """What cannot be a name cannot select one; it is refused and reads no other key (BAD-1)."""
    buyer = selecting(Annotated[str, some_of(Street)])

    with pytest.raises(InvalidResource) as caught:
        draft(buyer(name="b", what=name), max_bytes=9999)

    assert caught.value.problems[0].startswith("what: ")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_look_like_patterns_match_themselves_only(name):
    """A star in a name is a star, and a bar separates nothing (BAD-1, REF-15)."""
    buyer = selecting(Annotated[str, some_of(Street)])
    with connect("memory://", namespace="names") as store:
        town = store.create(Town(name="t"))
        store.create(Street(parent=town, name="plain"))
        with pytest.raises(MissingReference):
            store.create(buyer(name="b", what=name))
        street = store.create(Street(parent=town, name=name))

        store.create(buyer(name="b", what=name))

        assert ["b"] == [found.name for found in store.referrers(street)]
        assert () == store.check().flaws


def test_member_of_an_enumeration_selects_by_its_value():
    """What is stored is the value, and so is what it selects (REF-15)."""
    buyer = selecting(Annotated[Height, some_of(Street)])

    (edge,) = draft(buyer(name="b", what="high"), max_bytes=9999).edges

    assert "Street/*/high" == edge.target.text


def test_selection_by_a_reference_to_what_is_no_ancestor_is_refused():
    """A reference selects what lies below it; what cannot lie there is named (REF-15)."""
    buyer = selecting(Annotated[Ref[Town | Street], some_of(Street)])

    assert draft(buyer(name="b", what="Town/t"), max_bytes=9999).edges
    with pytest.raises(InvalidResource):
        draft(buyer(name="b", what="Street/t/s"), max_bytes=9999)


def test_field_beside_a_selection_that_says_nothing_is_refused():
    """A selection that does not say where is an error, and is not made wider (REF-15)."""
    buyer = selecting(Annotated[str, some_of(Street, where={"Town": "town"})], town=str | None)

    with pytest.raises(InvalidResource):
        draft(buyer(name="b", what="s", town=None), max_bytes=9999)


@given(
    st.lists(
        st.lists(st.tuples(st.lists(NAMES | st.none(), min_size=1, max_size=4), st.booleans()), min_size=1, max_size=2),
        min_size=1,
        max_size=2,
    )
)
def test_selection_is_read_as_it_was_written(alternatives):
    """Every name stands for itself in the stored text, and the stored edge is the same edge again."""
    wanted = tuple(
        tuple(Pattern("Kind", tuple(names), "name" if indexed else "") for names, indexed in patterns)
        for patterns in alternatives
    )
    text = ";".join("|".join(f"{one}?{one.indexed}" if one.indexed else str(one) for one in each) for each in wanted)

    selection = selection_of(text)
    first = wanted[0][0]
    target = Key("Kind", *(name or "x" for name in first.names))
    edge = Edge(target, ("a", 0), RESELECT, selection=selection)

    assert wanted == selection.alternatives
    assert (edge,) == read_edges(write_edges((edge,)))
    assert selection.matches(target)
    assert edge.is_open is (not selection.is_plain and target == selection.open_target) is False
    assert edge.opened().is_open is not selection.is_plain
    assert (edge,) == with_matches((edge.opened(),), (edge,)) or selection.is_plain or ";" in text


def test_rule_of_selections_is_no_rule_to_choose():
    """``RESELECT`` belongs to ``some_of`` alone; it is stored and read back all the same."""
    assert RESELECT not in list(Rule)
    assert RESELECT is Rule("RESELECT") is Rule.RESELECT is pickle.loads(pickle.dumps(RESELECT))  # noqa: S301 - of our own making
    assert (True, False) == (RESELECT.edits, RESTRICT.edits)


def test_selection_is_pickled_as_its_text():
    """REF-14: A selection travels between processes, also after its open target was asked for, which is no key."""
    selection = selection_of("Beacon/*/north")
    assert "*" in selection.open_target.segments

    assert selection == pickle.loads(pickle.dumps(selection))  # noqa: S301 - pickled here


def test_selection_without_a_match_travels_between_processes():
    """An error, a plan and a record that speak of a match that is still to be chosen are the same when unpickled."""

    class Beam(Resource):
        lamp: Annotated[str, some_of(House)] = ""

    with connect(MemoryBackend(), namespace="n") as store:
        with pytest.raises(MissingReference) as caught:
            store.create(Beam(name="b", lamp="x"))
        town = store.create(Town(name="t"))
        street = store.create(Street(parent=town, name="s"))
        house = store.create(House(parent=street, number="1", name="x"))
        store.create(Beam(name="b", lamp="x"))
        plan = store.plan_delete(house)

    for made in (caught.value.missing, plan.updates, plan.blockers):
        assert made
        assert made == pickle.loads(pickle.dumps(made))  # noqa: S301 - of our own making
    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301 - of our own making
