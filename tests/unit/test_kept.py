"""Kept values: which models suit, and how many values are kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, computed_field, field_validator

from emco_store import InvalidCall, Ref, Resource, connect
from emco_store.backends.memory import MemoryBackend
from emco_store.core.codec import draft, load
from emco_store.core.kept import Kept, is_immutable
from emco_store.core.records import Record


class Colour(Enum):
    """A colour."""

    RED = "red"


class Part(BaseModel, frozen=True, extra="forbid"):
    """A part that never changes."""

    size: int


class Loose(BaseModel, extra="forbid"):
    """A part that may change."""

    size: int


class Open(BaseModel, frozen=True, extra="allow"):
    """A part that may hold anything."""


class Secretive(BaseModel, frozen=True, extra="forbid"):
    """A part with a note of its own."""

    _note: str = PrivateAttr(default="")


class Target(Resource):
    """What others refer to."""


class Fixed(Resource, parent=Target):
    """Every form that suits."""

    text: str = "x"
    number: int = 1
    real: float = 0.5
    exact: Decimal = Decimal(1)
    when: datetime | None = None
    colour: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    parts: tuple[Part, ...] = ()
    pair: tuple[int, str] = (1, "a")
    tags: frozenset[str] = frozenset()
    either: Part | int = 1
    to: Ref[Target] | None = None
    several: tuple[Ref[Target], ...] = ()
    short: Annotated[str, Field(max_length=5)] = ""

    @computed_field
    def shown(self) -> str:
        """Return what is made anew each time."""
        return self.text


class WithList(Resource):
    """One that does not suit, as all below."""

    values: list[int] = []


class WithMap(Resource):
    """See above."""

    values: dict[str, int] = {}


class WithSetInside(Resource):
    """See above."""

    values: tuple[set[int], ...] = ()


class WithAnything(Resource):
    """See above."""

    value: Any = None


class WithLoosePart(Resource):
    """See above."""

    part: Loose | None = None


class WithOpenPart(Resource):
    """See above."""

    part: Open | None = None


class WithSecretivePart(Resource):
    """See above."""

    part: Secretive | None = None


class WithExtras(Resource, extra="allow"):
    """See above."""


class WithFactory(Resource):
    """See above: a document that lacks the field is read differently each time."""

    value: int = Field(default_factory=lambda: 1)


class WithValidator(Resource):
    """See above: nobody knows what the code does."""

    value: int = 1

    @field_validator("value")
    @classmethod
    def check(cls, value: int) -> int:
        """Do anything."""
        return value


class WithFunction(Resource):
    """See above."""

    value: Annotated[int, AfterValidator(abs)] = 1


class WithCache(Resource):
    """See above: the list is made once for all readers."""

    @cached_property
    def parts(self) -> list[int]:
        """Return a list."""
        return []


UNSUITED = [
    WithList, WithMap, WithSetInside, WithAnything, WithLoosePart, WithOpenPart, WithSecretivePart, WithExtras,
    WithFactory, WithValidator, WithFunction, WithCache,
]  # fmt: skip


def record_of(at: int, **fields: Any) -> Record:
    """Return the record of a resource."""
    made = draft(Fixed(name=f"f{at}", parent=Ref("Target/t"), **fields), max_bytes=1000)
    return made.record(uid="uid", version=1, created_us=0, updated_us=0)


def test_model_of_immutable_parts_suits():
    """Nothing in it can change."""
    assert is_immutable(Fixed)


@pytest.mark.parametrize("model", UNSUITED)
def test_model_with_a_part_that_may_change_does_not_suit(model):
    """A container, an unfrozen part, or code that decides about the value."""
    assert not is_immutable(model)


def test_value_is_kept_until_others_take_its_place():
    """The least recently read one goes first, and none beyond the limit stays."""
    kept, records = Kept(2), [record_of(number) for number in range(3)]
    first, second = (kept.load(record, Fixed) for record in records[:2])
    assert first is kept.load(records[0], Fixed)

    third = kept.load(records[2], Fixed)

    assert first is kept.load(records[0], Fixed)
    assert third is kept.load(records[2], Fixed)
    assert second is not kept.load(records[1], Fixed)
    assert second == kept.load(records[1], Fixed)


def test_newer_record_takes_the_place_of_the_older_one():
    """A place holds one value, whatever its versions."""
    kept = Kept(2)
    kept.load(record_of(0), Fixed)
    other = kept.load(record_of(1), Fixed)
    for version in range(2, 9):
        record = replace(record_of(0, number=version), version=version)
        assert load(record, Fixed) == kept.load(record, Fixed)

    assert other is kept.load(record_of(1), Fixed)


def test_value_is_the_one_that_loading_gives_in_every_field():
    """A record that differs in anything that a reader sees is read anew; its guard alone is nothing that one sees."""
    kept, record = Kept(10), record_of(0)
    value = kept.load(record, Fixed)
    assert value is kept.load(replace(record, guard=7), Fixed)
    for other in different(record):
        assert load(other, Fixed) == kept.load(other, Fixed) != value
        assert value == kept.load(record, Fixed)


def different(record: Record) -> Iterator[Record]:
    """Yield records that differ in one respect."""
    yield replace(record, uid="other")
    yield replace(record, version=2)
    yield replace(record, created_us=1)
    yield replace(record, updated_us=1)
    yield replace(record, origin=record.origin._replace(actor="somebody"))
    yield replace(record, document=record.document.replace(b'"number":1', b'"number":2'))


def test_threads_keep_no_more_than_allowed_and_get_their_own():
    """Any number of threads may read through one store."""
    kept, records, wrong = Kept(5), [record_of(number) for number in range(20)], list[str]()

    def read() -> None:
        for _ in range(30):
            wrong.extend(record.key.text for record in records if kept.load(record, Fixed).key != record.key)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [] == wrong
    assert 5 >= len(kept._values)


def test_value_that_another_thread_pushes_out_leaves_no_place_behind():
    """Whoever has lost the place of a value meanwhile still makes the room that it took."""

    class Crowded(OrderedDict[Any, Any]):
        def move_to_end(self, key: Any, last: bool = True) -> None:  # noqa: FBT001, FBT002 - as it is inherited
            if key[1] == record_of(5).key.text:  # another thread puts its own in place of this one
                self[Fixed, "another"] = self.pop(key)
            super().move_to_end(key, last)

    kept = Kept(5)
    kept._values = Crowded()

    for number in range(6):
        kept.load(record_of(number), Fixed)

    assert 5 == len(kept._values)


def test_two_classes_of_one_kind_have_their_own_values():
    """A class that is defined again gets no value of the class before."""
    kept, record = Kept(10), record_of(0)
    again = type("Fixed", (Resource,), {**namespace_of(Fixed)}, parent=Target)

    assert type(kept.load(record, Fixed)) is Fixed
    assert type(kept.load(record, again)) is again


def namespace_of(model: type[Resource]) -> dict[str, Any]:
    """Return what a class like a model is defined by."""
    return {"__module__": __name__, "__annotations__": {name: one.annotation for name, one in own(model).items()}} | {
        name: one.default for name, one in own(model).items()
    }


def own(model: type[Resource]) -> dict[str, Any]:
    """Return the fields that a model adds."""
    return {name: one for name, one in model.model_fields.items() if name not in Resource.model_fields}


@pytest.mark.parametrize("number", [-1, 1.5, True, None])
def test_number_that_cannot_be_is_refused(number):
    """Opening a store with it raises InvalidCall."""
    with pytest.raises(InvalidCall):
        connect(MemoryBackend(), namespace="n", keep_decoded=number)
