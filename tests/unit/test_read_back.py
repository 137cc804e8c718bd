"""What is stored is what was given, each time that it is read: by a look at the value, or by reading it back."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from random import Random
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PlainValidator,
    RootModel,
    StringConstraints,
    WrapValidator,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)

from emco_store import InvalidResource, Ref, Resource, StoreError, reference
from emco_store.core.codec import draft, load
from emco_store.core.documents import MAX_BYTES

EXAMPLES = 10_000
FEWER = 2_000


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


# a look at the value, and reading its document back


class Target(Resource):
    """What is referred to."""


class Deep(BaseModel, extra="forbid"):
    """A nested model."""

    size: int = 1
    share: float = 0.5


class Deeper(BaseModel, extra="forbid"):
    """One with a field more; if it were a subclass, every value of the other would be compared."""

    size: int = 1
    share: float = 0.5
    more: int = 1


class Holder(BaseModel, extra="forbid", str_strip_whitespace=True):
    """A nested model with references."""

    to: Ref[Target] | None = None
    deep: Deep = Deep()
    title: str = ""


class Flat(Resource):
    """Fields of which none holds more than one reference."""

    to: Ref[Target] | None = None
    whole: int = 1
    part: float = 1.0
    flag: bool = False
    title: Annotated[str, Field(max_length=4, pattern="^[a-z ]*$")] = ""
    choice: Literal["a", "b"] = "a"
    day: date | None = None
    at: datetime | None = None
    ident: UUID | None = None
    tags: list[str] = []
    shares: dict[str, float] = {}
    deep: Deep = Deep()
    deeps: list[Deep] = []


class Converting(Resource):
    """Fields that strict validation may give back as something else."""

    trimmed: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)] = ""
    trims: list[Annotated[str, StringConstraints(strip_whitespace=True)]] = []
    by_ref: dict[Ref[Target], int] = {}


class Spread(Resource):
    """References and sets at any depth."""

    refs: list[Ref[Target]] = []
    holder: Holder = Holder()
    holders: dict[str, list[Holder]] = {}
    numbers: set[int] = set()
    words: frozenset[str] = frozenset()
    groups: list[frozenset[int]] = []


T = TypeVar("T")


class Pair(BaseModel, Generic[T], extra="forbid", frozen=True):
    """A generic, frozen one."""

    left: T
    right: T | None = None


class Size(BaseModel, extra="forbid", populate_by_name=True):
    """One with an alias, bounds, and what is only shown."""

    least: Annotated[int, Field(alias="min", ge=0)] = 0
    most: Annotated[int, Field(lt=1 << 70)] = 0

    @computed_field
    @property
    def spread(self) -> int:
        """Only shown."""
        return self.most - self.least


class Shapes(Resource, validate_by_name=True, validate_by_alias=True):
    """Fields with aliases and bounds, generic and frozen models, maps of lists of models."""

    few: Annotated[list[Annotated[int, Field(gt=-100)]], Field(max_length=2)] = []
    named: Annotated[int, Field(alias="NAMED")] = 0
    half: Annotated[float, Field(ge=-1, allow_inf_nan=True)] = 0.0
    pair: Pair[int] = Pair(left=1)
    texts: dict[str, Pair[str]] = {}
    size: Size | None = None
    sizes: dict[str, list[Size]] = {}
    near: Ref[Target] | None = None
    others: dict[str, Ref[Target]] = {}
    noted: Annotated[Ref[Target] | None, reference(ignore=["none", "$x"])] = None

    @computed_field
    @property
    def shown(self) -> str:
        """Only shown."""
        return f"{self.named}"


class Text(str):
    """A subclass of text."""

    __slots__ = ()


class Number(IntEnum):
    """A subclass of numbers."""

    ONE = 1


class OtherRef(Ref[Target]):
    """A subclass of references."""

    __slots__ = ()


JUNK: list[Callable[[Random], Any]] = [
    lambda r: r.choice([None, True, False, 0, 1, -1, 2.0, 1.5, float("nan"), float("inf"), 1 << 64, -(1 << 63)]),
    lambda r: r.choice(["", "a", " a ", "A", "abcde", "Target/t", "t", "2026-01-01", "1", "true", "\ud800", "a/b"]),
    lambda r: r.choice([Ref("t"), Ref("Target/t"), Target(name="t"), date(2026, 1, 1), UUID(int=3), b"a", object()]),
    lambda r: r.choice([*MOMENTS.values(), datetime(9999, 1, 1)]),  # noqa: DTZ001 - one without a zone
    lambda r: r.choice([str(UUID(int=3)), "2026-01-01T00:00:00Z", Deep(), Deeper(), Holder(), (), (1, 2), {1}]),
    lambda r: r.choice([(1 << 60) + 1, {"a": (1 << 60) + 1}, {Ref("t"): 1, Ref("Target/t"): 2}, " A", [" a"]]),
    lambda r: r.choice(
        [Text("a"), Number.ONE, OtherRef("Target/t"), Ref("$x"), Ref("\ud800"), Decimal(1), -(1 << 63) - 1]
    ),
    lambda r: Pair.model_construct(left=junk(r), right=junk(r)),
    lambda r: r.choice([Pair[int], Pair[str]]).model_construct(left=junk(r), right=None),
    lambda r: Size.model_construct(least=junk(r), most=junk(r)),
    lambda r: Deep.model_construct(size=junk(r), share=junk(r)),
    lambda r: Holder.model_construct(to=junk(r), deep=junk(r), title=junk(r)),
    lambda r: without_a_field(Deep(share=r.random())),
    lambda r: [junk(r) for _ in range(r.randrange(3))],
    lambda r: {
        r.choice(["a", "$a", "\0", "a.b", Text("b"), 1, Ref("Target/t")]): junk(r) for _ in range(r.randrange(3))
    },
]


def junk(r: Random) -> Any:
    """Make anything."""
    return r.choice(JUNK)(r)


def without_a_field(model: BaseModel) -> BaseModel:
    """Take a field out of a model, around its class."""
    del model.__dict__["size"]
    return model


def right(r: Random, name: str) -> Any:
    """Make a value that fits a field."""
    return {
        "to": lambda: r.choice([None, Ref("Target/t"), "t"]),
        "whole": lambda: r.randrange(-9, 9),
        "part": r.random,
        "flag": lambda: r.random() < 0.5,
        "title": lambda: r.choice(["", "ab", "a b"]),
        "choice": lambda: r.choice("ab"),
        "day": lambda: date(2026, 1, r.randrange(1, 28)),
        "at": lambda: r.choice(list(MOMENTS.values())),
        "ident": lambda: UUID(int=r.randrange(9)),
        "tags": lambda: [r.choice(["a", "b", "é\n"]) for _ in range(r.randrange(3))],
        "shares": lambda: {r.choice("abc"): r.random() for _ in range(r.randrange(3))},
        "deep": lambda: Deep(size=r.randrange(9)),
        "deeps": lambda: [Deep(size=r.randrange(9)) for _ in range(r.randrange(3))],
        "refs": lambda: [Ref(f"Target/t{r.randrange(3)}") for _ in range(r.randrange(3))],
        "by_ref": lambda: {Ref(f"Target/t{r.randrange(3)}"): 1 for _ in range(r.randrange(3))},
        "holder": lambda: Holder(to=r.choice([None, "t"]), title=r.choice(["a", " b"])),
        "holders": lambda: {"a": [Holder(to=r.choice([None, "Target/t"])) for _ in range(r.randrange(3))]},
        "numbers": lambda: {r.randrange(9) for _ in range(r.randrange(4))},
        "words": lambda: frozenset(r.choice("abc") for _ in range(r.randrange(4))),
        "trimmed": lambda: r.choice(["", " a", "B"]),
        "trims": lambda: [r.choice(["a", "b "])],
        "few": lambda: [r.randrange(9) for _ in range(r.randrange(3))],
        "named": lambda: r.randrange(-9, 9),
        "half": r.random,
        "pair": lambda: Pair[int](left=r.randrange(3)),
        "texts": lambda: {"a": Pair[str](left="b", right=r.choice([None, "$c"]))},
        "size": lambda: r.choice([None, Size(min=1), Size(least=2, most=(1 << r.randrange(60, 66)))]),
        "sizes": lambda: {r.choice(["a", "é"]): [Size(most=r.randrange(3)) for _ in range(r.randrange(3))]},
        "near": lambda: r.choice([None, Ref("Target/t"), "t"]),
        "others": lambda: {r.choice(["a", "$b", "c\\"]): Ref("Target/t")},
        "noted": lambda: r.choice([None, "none", Ref("$x"), Ref("Target/t")]),
        "groups": lambda: [frozenset({r.randrange(3)})],
    }[name]()


def anything(r: Random, model: type[Resource]) -> Resource:
    """Make a resource, valid or broken in some fields and in one of the ways in which values come into one."""
    names = [name for name in model.model_fields if name not in {"name", "parent"}]
    some = r.sample(names, r.randrange(1, min(5, len(names) + 1)))
    good = model(name="a", **{name: right(r, name) for name in some})
    how = r.randrange(4)
    if how == 0:
        return good
    changes = {name: junk(r) if r.random() < 0.5 else right(r, name) for name in r.sample(names, r.randrange(1, 3))}
    if how == 1:
        return good.model_copy(update=changes)
    if how == 2:
        return model.model_construct(**(vars(good) | changes))
    good.__dict__.update(changes)
    return good


def verdict(resource: Resource) -> Any:
    """Return what becomes of a resource: its document, and the value that is given back; None when it is refused."""
    try:
        made = draft(resource, max_bytes=MAX_BYTES)
    except StoreError:
        return None
    return made.document, repr(made.resource).replace("datetime.timezone.utc", "TzInfo(0)"), made.edges


@pytest.mark.parametrize("model", [Flat, Spread, Converting, Shapes])
def test_look_at_a_value_and_its_document_agree(model: type[Resource], monkeypatch: pytest.MonkeyPatch):
    """ID-15: Where the strict validator accepts a value, reading its document back accepts the same one."""
    r = Random(model.__name__)
    resources = [anything(r, model) for _ in range(FEWER if model is Shapes else EXAMPLES)]
    spec = model.__emco__
    quick = [verdict(resource) for resource in resources]
    taken = sum(spec.storage.proved(resource) is not None for resource in resources)
    monkeypatch.setattr(spec.storage, "_strict", None)

    whole = [verdict(resource) for resource in resources]

    assert [] == [(r, q, w) for r, q, w in zip(resources, quick, whole, strict=True) if q != w]
    assert len(resources) // 5 < taken < len(resources)  # by a look alone
    assert len(resources) // 5 < sum(found is None for found in whole) < len(resources)


class Loose(BaseModel, extra="allow"):
    """A model with unknown fields."""


class Rooted(RootModel[list[int]]):
    """A model that is one value."""


class Private(BaseModel, extra="forbid"):
    """A model with a private attribute."""

    _kept: int = 0


class Own(BaseModel, extra="forbid"):
    """A model that compares itself."""

    size: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own)

    __hash__ = None


@dataclass
class Record:
    """A dataclass."""

    size: int = 0


class Cat(BaseModel, extra="forbid"):
    """One choice."""

    kind: Literal["cat"] = "cat"


class Dog(BaseModel, extra="forbid"):
    """The other."""

    kind: Literal["dog"] = "dog"


NOT_LOOKED_AT: dict[str, Any] = {
    "any": Any,
    "union": int | str,
    "tagged-union": Annotated[Cat | Dog, Field(discriminator="kind")],
    "decimal": Decimal,
    "bytes": bytes,
    "enum": Number,
    "literal-of-numbers": Literal[1, 2],
    "tuple": tuple[int, str],
    "list-of-anything": list,
    "map-by-numbers": dict[int, str],
    "time-span": timedelta,
    "root": Rooted,
    "extra-fields": Loose,
    "private-attribute": Private,
    "own-equality": Own,
    "dataclass": Record,
    "before": Annotated[int, BeforeValidator(int)],
    "after": Annotated[int, AfterValidator(abs)],
    "wrap": Annotated[int, WrapValidator(lambda value, handler: handler(value))],
    "plain": Annotated[int, PlainValidator(int)],
}


@pytest.mark.parametrize("name", NOT_LOOKED_AT)
def test_value_of_another_form_is_written_and_read_back(name: str):
    """ID-15: A look alone is taken only for forms that are listed; one list of them, and no other form."""
    kind = NOT_LOOKED_AT[name]

    plain = create_model("Kept", __base__=Resource, field=(kind | None, None))
    within = create_model("Held", __base__=Resource, field=(dict[str, list[kind]], {}))

    assert [False, False] == [model.__emco__.storage.is_exact for model in (plain, within)]


CONVERTED: dict[str, tuple[type[Resource], dict[str, Any]]] = {
    "int-as-float": (Flat, {"part": (1 << 60) + 1}),
    "int-in-a-map-of-floats": (Flat, {"shares": {"a": (1 << 60) + 1}}),
    "field-that-is-not-there": (Flat, {"deep": without_a_field(Deep())}),
    "text-that-a-field-strips": (Converting, {"trims": [" a"]}),
    "text-that-a-class-strips": (Spread, {"holder": Holder.model_construct(to=None, deep=Deep(), title=" a")}),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_nothing_is_converted_in_silence(name: str, monkeypatch: pytest.MonkeyPatch):
    """ID-15: What was put into a resource around its class is refused where it would come back as another value."""
    model, values = CONVERTED[name]
    resource = model(name="a")
    resource.__dict__.update(deepcopy(values))
    quick = verdict(resource)
    monkeypatch.setattr(model.__emco__.storage, "_strict", None)

    assert [quick, verdict(resource)] == [None, None]


def test_instance_of_a_subclass_is_refused_however_late_the_class_is_defined():
    """ID-15: It would come back as one of the class of the field."""

    class Lone(BaseModel, extra="forbid"):
        size: int = 0

    class Keeper(Resource):
        lone: Lone
        lones: list[Lone] = []

    kept = stored(Keeper(name="a", lone=Lone(), lones=[Lone(size=1)]))

    class Later(Lone):
        """Adds no field."""

    for change in ({"lone": Later()}, {"lones": [Lone(), Later()]}):
        with pytest.raises(InvalidResource, match=next(iter(change))):
            draft(kept.model_copy(update=change), max_bytes=MAX_BYTES)
