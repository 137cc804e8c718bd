"""What is stored is what was given, each time that it is read: by a look at the value, or by reading it back."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PrivateAttr,
    field_validator,
    model_validator,
)

from emco_store import InvalidResource, Resource
from emco_store.core.codec import draft, load
from emco_store.core.documents import MAX_BYTES


def stored(resource: Resource) -> Any:
    """Return what a store gives back for a resource."""
    made = draft(resource, max_bytes=MAX_BYTES)
    read = load(made.record(uid="u", version=1, created_us=0, updated_us=0), type(resource))
    assert vars(made.resource) == vars(read)
    return read


def cents(value: Any) -> int:
    """Convert euros, and again what was converted."""
    return round(float(value) * 100)


def suffixed(value: str) -> str:
    """Append, each time."""
    return f"{value}-x"


class Euros(Resource):
    """A price."""

    price: Annotated[int, BeforeValidator(cents)]


class Suffix(Resource):
    """A text."""

    title: Annotated[str, AfterValidator(suffixed)]


class Shifted(Resource):
    """A time."""

    at: Annotated[datetime, AfterValidator(lambda at: at + timedelta(hours=1))]


class Counted(Resource):
    """A counter that a validator of the model moves."""

    count: int = 0

    @model_validator(mode="before")
    @classmethod
    def add(cls, data: Any) -> Any:
        """Add one."""
        return {**data, "count": data.get("count", 0) + 1}


class CountedAfter(Resource):
    """The same, after validation."""

    count: int = 0

    @model_validator(mode="after")
    def add(self) -> CountedAfter:
        """Add one."""
        self.__dict__["count"] += 1
        return self


class Items(Resource):
    """Items of a list."""

    items: list[Annotated[str, AfterValidator(suffixed)]]


class Keys(Resource):
    """Keys of a map."""

    items: dict[Annotated[str, AfterValidator(suffixed)], int]


class Members(Resource):
    """Members of a set."""

    items: set[Annotated[int, AfterValidator(lambda value: value + 1)]]


class Part(BaseModel, extra="forbid"):
    """A nested model whose validator is of the same kind."""

    size: Annotated[int, AfterValidator(lambda value: value * 2)]


class Nested(Resource):
    """A nested model, alone and in a list."""

    part: Part


class Listed(Resource):
    """Nested models in a list."""

    parts: list[Part]


class Named(Resource):
    """The name itself."""

    @field_validator("name")
    @classmethod
    def suffix(cls, name: str) -> str:
        """Append."""
        return suffixed(name)


class Capped(Resource):
    """A value that comes to rest after some readings."""

    size: Annotated[int, AfterValidator(lambda size: min(size * 2, 100))]


class Chosen(Resource, extra="allow"):
    """A model with unknown fields."""

    size: Annotated[int, AfterValidator(lambda size: -size)]


UNSTABLE: dict[str, tuple[str, Callable[[], Resource]]] = {
    "euros": ("price", lambda: Euros(name="a", price="1.5")),
    "suffix": ("title", lambda: Suffix(name="a", title="t")),
    "shifted-time": ("at", lambda: Shifted(name="a", at=datetime(2026, 1, 1, tzinfo=UTC))),
    "counter-before": ("count", lambda: Counted(name="a")),
    "counter-after": ("count", lambda: CountedAfter(name="a")),
    "item": ("items", lambda: Items(name="a", items=["b"])),
    "key-of-a-map": ("items", lambda: Keys(name="a", items={"b": 1})),
    "member-of-a-set": ("items", lambda: Members(name="a", items={1})),
    "nested": ("part", lambda: Nested(name="a", part=Part(size=1))),
    "nested-in-a-list": ("parts", lambda: Listed(name="a", parts=[Part(size=1)])),
    "name": ("name", lambda: Named(name="a")),
    "comes-to-rest-later": ("size", lambda: Capped(name="a", size=30)),
    "changes-to-and-fro": ("size", lambda: Chosen(name="a", size=1, more=2)),
}


@pytest.mark.parametrize("name", UNSTABLE)
def test_value_that_a_validator_changes_again_is_refused(name: str):
    """ID-15: What would be read as another value is not stored, and the error names the field."""
    field, make = UNSTABLE[name]

    with pytest.raises(InvalidResource) as caught:
        draft(make(), max_bytes=MAX_BYTES)

    assert [field] == [problem.partition(":")[0] for problem in caught.value.problems]


@pytest.mark.parametrize("name", sorted({*UNSTABLE} - {"comes-to-rest-later"}))
def test_copy_does_not_hide_a_validator_that_changes_again(name: str):
    """ID-15: A copy with another value is validated once, and then has to stay as it is."""
    field, make = UNSTABLE[name]
    made = make()

    with pytest.raises(InvalidResource) as caught:
        draft(made.model_copy(update={field: made.__dict__[field]}), max_bytes=MAX_BYTES)

    assert [field] == [problem.partition(":")[0] for problem in caught.value.problems]


class Tidy(Resource):
    """Validators that leave alone what they have made."""

    title: Annotated[str, AfterValidator(str.strip)] = ""
    price: Annotated[int, BeforeValidator(lambda price: cents(price[1:]) if isinstance(price, str) else price)] = 0
    items: list[int] = []
    total: int = 0

    @model_validator(mode="after")
    def add(self) -> Tidy:
        """Compute a field from another."""
        self.__dict__["total"] = sum(self.items)
        return self


def test_validator_that_leaves_alone_what_it_has_made_changes_nothing_again():
    """ID-15: Conversion is for what is new."""
    made = Tidy(name="a", title=" t ", price="€1.5", items=[1, 2])

    assert ("t", 150, [1, 2], 3) == (made.title, made.price, made.items, made.total)
    assert vars(made) == vars(stored(made))


def test_copy_is_validated_as_a_new_resource_is():
    """BAD-6: What an update puts into a copy is converted once, and what is computed from it is computed again."""
    copied = Tidy(name="a", items=[1]).model_copy(update={"title": " t ", "price": "€1.5", "items": [1, 2]})

    assert vars(Tidy(name="a", title="t", price=150, items=[1, 2])) == vars(stored(copied))


def test_pickled_copy_is_still_a_copy():
    """BAD-6: The same holds for a copy that has travelled between processes, or was copied once more."""
    changed = Tidy(name="a").model_copy(update={"title": " t "})

    for copied in (pickle.loads(pickle.dumps(changed)), deepcopy(changed), changed.model_copy()):  # noqa: S301 - made above
        assert "t" == stored(copied).title


class Noted(Resource, extra="allow"):
    """Unknown fields, and a private attribute."""

    _seen: list[int] = PrivateAttr(default_factory=list)


@pytest.mark.parametrize("model", [Tidy, Chosen, Noted])
def test_copy_is_the_one_that_pydantic_makes(model: type[Resource]):
    """BAD-6: A copy has the same fields, unknown ones and private attributes, in containers of its own."""
    made = model(name="a", **({} if model is Tidy else {"size": 1, "more": [2]}))
    copied, theirs = copy(made), BaseModel.__copy__(made)

    for slot in ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"):
        mine = getattr(copied, slot)
        assert getattr(theirs, slot) == mine
        assert mine is None or mine is not getattr(made, slot)


BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = {
    "clocks-go-back-first": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
    "clocks-go-back-second": datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    "skipped": datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
    "skipped-second": datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN, fold=1),
    "summer": datetime(2026, 7, 1, tzinfo=BERLIN),
    "utc": datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    "offset": datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))),
}


class Moments(Resource):
    """Datetimes in every place."""

    at: datetime
    times: list[datetime] = []
    by_time: dict[datetime, int] = {}
    spread: frozenset[datetime] = frozenset()
    pair: tuple[datetime, str] | None = None


@pytest.mark.parametrize("name", MOMENTS)
def test_moment_comes_back_with_its_offset(name: str):
    """ID-13: A datetime is its moment and its offset, in the hours too in which clocks are changed."""
    moment = MOMENTS[name]

    read = stored(Moments(name="a", at=moment, times=[moment], by_time={moment: 1}, spread={moment}, pair=(moment, "")))

    for found in (read.at, *read.times, *read.by_time, *read.spread, read.pair[0]):
        assert (moment.isoformat(), moment.astimezone(UTC)) == (found.isoformat(), found.astimezone(UTC))


def test_offset_that_json_cannot_hold_is_refused():
    """ID-13: Seconds of an offset would be lost."""
    with pytest.raises(InvalidResource):
        draft(Moments(name="a", at=datetime(1890, 1, 1, tzinfo=BERLIN)), max_bytes=MAX_BYTES)
