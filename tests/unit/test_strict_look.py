"""A strict look at a value, and reading its document back, give the same verdict."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from random import Random
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

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
)

from emco_store import InvalidResource, Ref, Resource, StoreError, reference
from emco_store.core.codec import draft
from emco_store.core.documents import MAX_BYTES
from tests.unit.test_read_back import MOMENTS, stored

EXAMPLES = 10_000
FEWER = 2_000
SET = re.compile(r"(?<=\{)[^{}:]+(?=\})")
"""What stands in the representation of a set, in an order that says nothing."""


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
    pair: Pair[int] = Pair[int](left=1)
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
        "size": lambda: r.choice([None, Size(min=1), Size(least=2, most=(1 << r.randrange(60, 64)))]),
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
    shown = repr(made.resource).replace("datetime.timezone.utc", "TzInfo(0)")
    return made.document, SET.sub(lambda found: " ".join(sorted(found[0].split(", "))), shown), made.edges


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
    "generic-class-without-its-type": (Shapes, {"near": Ref("t"), "pair": Pair.model_construct(left=1)}),
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
