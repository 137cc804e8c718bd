"""Sets in documents: equal ones have one document, wherever in a model they stand."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel, BeforeValidator, PlainSerializer, RootModel
from typing_extensions import TypedDict

from emco_store import InvalidResource, MemoryBackend, Ref, Resource, connect, since
from emco_store.core.codec import draft
from emco_store.core.documents import MAX_BYTES, decode

TO_AND_FRO = [7, 15]
"""Numbers that a set of CPython holds in an order that changes each time that it is made anew from the last one."""


class Target(Resource):
    """What is referred to."""


@dataclass
class Data:
    """A dataclass."""

    numbers: set[int]


class Entry(TypedDict):
    """A map with known keys."""

    numbers: set[int]


class Point(NamedTuple):
    """A tuple with names."""

    numbers: frozenset[int]


class Inner(BaseModel, extra="forbid", frozen=True):
    """A nested model that can stand in a set."""

    numbers: frozenset[int]
    to: Ref[Target] | None = None


class Plain(Resource):
    """A set that is a field."""

    numbers: set[int] = set()


class Below(Resource):
    """Sets at any depth, of which the references know nothing."""

    data: Data | None = None
    entry: Entry | None = None
    point: Point | None = None
    either: set[int] | str = ""
    pair: tuple[frozenset[int], int] | None = None
    root: RootModel[set[int]] | None = None
    inner: Inner | None = None
    inners: set[Inner] = set()
    sets: list[dict[str, frozenset[frozenset[int]]]] = []


class More(Resource, extra="allow"):
    """Sets in fields of any name."""

    __pydantic_extra__: dict[str, set[int]] = {}


PLACES: dict[str, Any] = {
    "field": lambda numbers: Plain(name="a", numbers=set(numbers)),
    "copy": lambda numbers: Plain(name="a").model_copy(update={"numbers": set(numbers)}),
    "changed-in-place": lambda numbers: (made := Plain(name="a"), made.numbers.update(numbers))[0],
    "dataclass": lambda numbers: Below(name="a", data=Data(set(numbers))),
    "typed-dict": lambda numbers: Below(name="a", entry={"numbers": set(numbers)}),
    "named-tuple": lambda numbers: Below(name="a", point=Point(frozenset(numbers))),
    "union": lambda numbers: Below(name="a", either=set(numbers)),
    "tuple": lambda numbers: Below(name="a", pair=(frozenset(numbers), 1)),
    "root": lambda numbers: Below(name="a", root=RootModel[set[int]](set(numbers))),
    "nested": lambda numbers: Below(name="a", inner=Inner(numbers=frozenset(numbers))),
    "nested-in-a-set": lambda numbers: Below(name="a", inners={Inner(numbers=frozenset(numbers))}),
    "set-of-sets": lambda numbers: Below(name="a", sets=[{"b": frozenset({frozenset(numbers)})}]),
    "extra": lambda numbers: More(name="a", more=set(numbers)),
}


@pytest.mark.parametrize("place", PLACES)
def test_equal_sets_have_one_document(place: str):
    """ID-15: A set is stored in an order of its own, and is no change when it is made anew."""
    assert str(set(TO_AND_FRO)) != str(set(TO_AND_FRO[::-1]))  # noqa: C415 - sets have orders
    first, second = (PLACES[place](numbers) for numbers in (TO_AND_FRO, TO_AND_FRO[::-1]))

    made = draft(first, max_bytes=MAX_BYTES)
    again = draft(second, max_bytes=MAX_BYTES)

    assert first == made.resource == again.resource
    assert made.document == again.document
    assert b"[15,7]" in made.document


@pytest.mark.parametrize("place", sorted({*PLACES} - {"copy", "changed-in-place"}))
def test_equal_set_is_no_change(place: str):
    """ID-15: To put what is there changes nothing, although its sets were made anew."""
    store = connect(MemoryBackend(), namespace="n")
    store.put(PLACES[place](TO_AND_FRO))

    assert 1 == store.put(PLACES[place](TO_AND_FRO[::-1])).meta.version


class Team(Resource):
    """References in sets."""

    members: set[Ref[Target]] = set()
    pairs: frozenset[Inner] = frozenset()
    lists: list[set[Ref[Target]]] = []


def test_paths_of_references_in_sets_lead_to_them():
    """REF-3: Each edge names the place in the document where its reference stands, in whatever order a set was made."""
    random = Random(7)
    for _ in range(200):
        names = [f"{random.getrandbits(32):x}" for _ in range(random.randrange(1, 12))]
        team = Team(
            name="a",
            members={Ref[Target](name) for name in names},
            pairs=frozenset(Inner(numbers=frozenset(TO_AND_FRO), to=Ref[Target](name)) for name in names),
            lists=[{Ref[Target](name) for name in names[:number]} for number in range(3)],
        )

        made = draft(team, max_bytes=MAX_BYTES)

        document = decode(made.document)
        found = []
        for edge in made.edges:
            place: Any = document
            for step in edge.path:
                place = place[step]
            found.append((place, str(edge.target)))
        assert len(names) * 2 <= len(found)
        assert [] == [pair for pair in found if pair[0] != pair[1]]


def joined(given: Any) -> Any:
    """Read what a serializer below has written."""
    return given.split(",") if isinstance(given, str) else given if isinstance(given, (list, set)) else []


READ = BeforeValidator(joined)


class Turned(Resource):
    """A set that a function writes."""

    refs: Annotated[set[Ref[Target]], READ, PlainSerializer(lambda refs: sorted(ref.text for ref in refs))]


class Joined(Resource):
    """A list that becomes a text."""

    refs: Annotated[list[Ref[Target]], READ, PlainSerializer(lambda refs: ",".join(ref.text for ref in refs))]


class Counted(Resource):
    """A list that becomes a number."""

    refs: Annotated[list[Ref[Target]], READ, PlainSerializer(len)]


class Renamed(Resource):
    """A map whose keys a function changes."""

    refs: Annotated[
        dict[Ref[Target], int], BeforeValidator(dict), PlainSerializer(lambda refs: {f"{key}.": 1 for key in refs})
    ]


TWO = [Ref[Target]("b"), Ref[Target]("c")]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Turned(name="a", refs=set(TWO)),
        lambda: Joined(name="a", refs=TWO), lambda: Counted(name="a", refs=TWO),
        lambda: Renamed(name="a", refs=dict.fromkeys(TWO, 1)),
    ],
    ids=["set", "text", "number", "renamed"],
)  # fmt: skip
def test_references_that_a_serializer_hides_are_refused(make):
    """REF-3: A reference stands where its type says, since a delete rule edits it there; else it is not stored."""
    with pytest.raises(InvalidResource, match="refs: a serializer of its own writes this"):
        draft(make(), max_bytes=MAX_BYTES)


def test_set_that_is_its_default_is_left_out():
    """MIG-1: A set that equals its default is left out, in whatever order the two are made."""

    class Grown(Resource, model_version=2):
        numbers: Annotated[set[int], since(2)] = set(TO_AND_FRO)

    documents = [
        draft(Grown(name="a", numbers=set(numbers)), max_bytes=MAX_BYTES).document
        for numbers in (TO_AND_FRO, TO_AND_FRO[::-1])
    ]

    assert [b'{"name":"a"}'] * 2 == documents
