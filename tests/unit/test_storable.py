"""Types of fields: every value of one that is accepted can be stored, and one of which that is not so is refused."""

from __future__ import annotations

import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable as AnyCallable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from fractions import Fraction
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pydantic
import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    HttpUrl,
    ImportString,
    InstanceOf,
    Json,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    computed_field,
    field_serializer,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypeAliasType, TypedDict

from emco_store import (
    REMOVE,
    DeleteRestricted,
    InvalidModel,
    Key,
    MemoryBackend,
    MissingReference,
    Ref,
    Resource,
    connect,
    on_delete,
)
from emco_store.core.likeness import is_alike

T = TypeVar("T")


class Colour(Enum):
    """Of texts."""

    RED = "red"
    BLUE = "blue"


class Pair(Enum):
    """Of tuples, which JSON gives back as lists."""

    LOW = (1, 2)
    HIGH = (3, 4)


class Number(Enum):
    """Of numbers, which are texts in the keys of a map."""

    ONE = 1
    TWO = 2


class Rank(IntEnum):
    """The same, as numbers themselves."""

    ONE = 1


class Word(StrEnum):
    """Of texts that are texts themselves."""

    A = "a"


class Bits(Flag):
    """That can be joined."""

    A = 1
    B = 2


class IntBits(IntFlag):
    """The same, as numbers themselves."""

    A = 1
    B = 2


class Mixed(Enum):
    """Of several types, some of them equal to each other's texts."""

    ONE = 1
    TEXT = "1"
    NONE = None
    DAY = date(2020, 1, 1)


class Clash(Enum):
    """Two values that JSON cannot tell apart."""

    TUPLE = (1,)
    LIST = [1]


class Odd(Enum):
    """A value without a JSON form."""

    THING = object()


class Part(BaseModel, extra="forbid"):
    """A nested model."""

    size: int = 1


class More(Part, extra="forbid"):
    """One with a field more."""

    more: int = 1


class Camel(BaseModel, extra="forbid"):
    """Fields that are shown under other names."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)
    some_field: int = 1
    other_field: Annotated[int, Field(validation_alias="in", serialization_alias="out")] = 1


class Computed(BaseModel, extra="forbid"):
    """A field that is computed from others."""

    size: int = 1

    @computed_field
    @property
    def double(self) -> int:
        """Twice."""
        return 2 * self.size


class Bytes(BaseModel, extra="forbid", ser_json_bytes="base64"):
    """Bytes of any kind."""

    raw: bytes = b""


class Hex(BaseModel, extra="forbid", val_json_bytes="hex"):
    """The same."""

    raw: bytes = b""


class Times(BaseModel, extra="forbid", ser_json_temporal="milliseconds"):
    """Times that are shown as numbers."""

    span: timedelta = timedelta(0)
    at: datetime = datetime(2020, 1, 1)  # noqa: DTZ001 - without a zone on purpose
    hour: time = time(1)


class Spans(BaseModel, extra="forbid", ser_json_timedelta="float"):
    """Spans that are shown as numbers."""

    span: timedelta = timedelta(0)


class Rounded(BaseModel, extra="forbid"):
    """A number that is shown with one digit."""

    share: float

    @field_serializer("share")
    def show(self, share: float) -> float:
        """Round."""
        return round(share, 1)


class Shown(BaseModel, extra="forbid"):
    """A model that is shown with one entry more."""

    size: int = 1

    @model_serializer
    def show(self) -> dict[str, int]:
        """Add something."""
        return {"size": self.size, "more": 1}


class Values(BaseModel, extra="forbid", use_enum_values=True, validate_default=True):
    """Values of enums."""

    colour: Colour = Colour.RED


class Members(BaseModel, extra="forbid", use_enum_values=True):
    """The same, with a default that stays a member."""

    colour: Colour = Colour.RED


class Hidden(BaseModel, extra="forbid"):
    """A field that is left out."""

    size: int = Field(default=1, exclude=True)


class HandedDown(BaseModel, extra="forbid"):
    """A field that is left out, and is told by what is around each time that it is read."""

    inner: Hidden = Hidden()
    size: int = 1

    @model_validator(mode="before")
    @classmethod
    def hand_down(cls, data: Any) -> Any:
        """Say it again."""
        if isinstance(data, dict) and not isinstance(data.get("inner"), Hidden):
            data = {**data, "inner": {"size": data.get("size", 1)}}
        return data


class Cat(BaseModel, extra="forbid"):
    """Told apart by the member of an enum."""

    kind: Literal[Colour.RED] = Colour.RED


class Dog(BaseModel, extra="forbid"):
    """The same."""

    kind: Literal[Colour.BLUE] = Colour.BLUE


class Numbers(RootModel[list[int]]):
    """A model that is a list."""


@dataclass
class Plain:
    """A dataclass."""

    size: int = 1
    day: date = date(2020, 1, 1)


@pydantic.dataclasses.dataclass(eq=False)
class Unequal:
    """One whose values are never equal."""

    size: int = 1


class Typed(TypedDict):
    """A typed dict."""

    size: int
    day: NotRequired[date]


class Named(NamedTuple):
    """A named tuple."""

    size: int
    day: date = date(2020, 1, 1)


class Boxed(BaseModel, Generic[T], extra="forbid"):
    """A generic model."""

    value: T


class Custom:
    """A class that pydantic does not know."""

    def __init__(self, value: int) -> None:
        self.value = value


Coded = Annotated[
    Custom, pydantic.PlainValidator(lambda value: value if isinstance(value, Custom) else Custom(value)),
    PlainSerializer(lambda custom: custom.value),
]  # fmt: skip
ONCE_MORE = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
"""In the hour that comes twice."""

WORKS: dict[str, tuple[Any, list[Any]]] = {
    "text": (str, ["", "é\n"]),
    "numbers": (float | int, [1, 1.0, 0.1 + 0.2]),
    "number-or-text": (int | str, [1, "1", "a"]),
    "day-or-time": (date | datetime, [date(2020, 1, 1), datetime(2020, 1, 1, 5, tzinfo=UTC)]),
    "datetime": (AwareDatetime, [ONCE_MORE]),
    "span": (timedelta, [timedelta.max, timedelta.min, timedelta(microseconds=-1)]),
    "decimal": (Decimal, [Decimal("1.10"), Decimal("1E+5")]),
    "fraction": (Fraction, [Fraction(1, 3)]),
    "complex": (complex, [1 + 2j]),
    "uuid": (UUID, [UUID(int=1)]),
    "path": (Path, [Path("/a/b")]),
    "pure-path": (PurePosixPath, [PurePosixPath("a")]),
    "address": (IPv4Address, [ip_address("1.2.3.4")]),
    "interface": (pydantic.IPvAnyInterface, [ip_interface("1.2.3.4/24")]),
    "network": (pydantic.IPvAnyNetwork, [ip_network("::/64")]),
    "pattern": (re.Pattern[str], [re.compile("a.b")]),
    "size-in-bytes": (ByteSize, [5, "1GB"]),
    "url": (HttpUrl, ["http://example.org/a"]),
    "json": (Json[list[int]], ["[1,2]"]),
    "base64": (Base64Bytes, [b"YWI="]),
    "import": (ImportString[Any], ["math.pi"]),
    "enum": (Colour, list(Colour)),
    "enum-of-tuples": (Pair, list(Pair)),
    "enum-of-several-types": (Mixed, list(Mixed)),
    "enum-of-tuples-in-a-set": (frozenset[Pair], [frozenset(Pair)]),
    "flags": (Bits, [Bits.A, Bits.A | Bits.B]),
    "number-flags": (IntBits, [IntBits.A | IntBits.B]),
    "literals": (Literal["a", 1, True] | None, ["a", 1, True, None]),
    "literal-member": (Literal[Colour.RED] | None, [Colour.RED, None]),
    "literal-member-or-text": (Literal[Colour.RED, "x"], [Colour.RED, "x"]),
    "literal-tuple": (list[Literal[Pair.LOW]], [[Pair.LOW]]),
    "literal-bytes": (Literal[b"a"], [b"a"]),
    "word-or-text": (Word | str, [Word.A, "b"]),
    "keys-that-are-numbers": (dict[int, str], [{1: "a", -5: "b"}]),
    "keys-that-are-members": (dict[Number, int], [{Number.ONE: 1}]),
    "keys-that-are-ranks": (dict[Rank, int], [{Rank.ONE: 1}]),
    "keys-that-are-tuples-of-an-enum": (dict[Pair, dict[Number, Pair]], [{Pair.LOW: {Number.ONE: Pair.HIGH}}]),
    "keys-that-are-literals": (dict[Literal[1, 2], int], [{1: 1}]),
    "keys-that-are-words": (dict[Word, int], [{Word.A: 1}]),
    "keys-that-are-days": (dict[date, int], [{date(2020, 1, 1): 1}]),
    "keys-that-are-uuids": (dict[UUID, int], [{UUID(int=1): 1}]),
    "keys-that-hold-a-dot": (dict[float, int], [{1.5: 1, -1e300: 2, 3.0: 3}]),
    "keys-that-always-hold-a-dot": (dict[IPv4Address, int], [{IPv4Address("10.0.0.1"): 1}]),
    "keys-that-are-flags": (dict[bool, int], [{True: 1, False: 2}]),
    "tuple": (tuple[int, str], [(1, "a")]),
    "set-of-tuples": (set[tuple[int, int]], [{(1, 2), (3, 4)}]),
    "deque": (deque[int], [deque([1])]),
    "counter": (Counter[str], [Counter("aab")]),
    "counter-of-numbers": (Counter[int], [Counter([1, 1])]),
    "ordered": (OrderedDict[str, int], [OrderedDict(b=1, a=2)]),
    "defaultdict": (defaultdict[str, list[int]], [{"a": [1]}]),
    "mapping": (Mapping[str, int], [{"a": 1}]),
    "union-of-models": (Part | More, [Part(), More()]),
    "union-told-apart-by-members": (Annotated[Cat | Dog, Field(discriminator="kind")], [Cat(), Dog()]),
    "union-of-models-with-members": (Cat | Dog, [Cat(), Dog()]),
    "aliases": (list[Camel], [[Camel(some_field=2)]]),
    "computed": (dict[str, Computed], [{"a": Computed(size=2)}]),
    "bytes": (bytes, [b"ab"]),
    "bytes-of-any-kind": (Bytes, [Bytes(raw=b"\xff")]),
    "bytes-as-hex": (Hex, [Hex(raw=b"\xff")]),
    "times": (Times, [Times(span=timedelta(days=9999, microseconds=1))]),
    "spans": (Spans, [Spans(span=timedelta(days=999999, microseconds=1))]),
    "rounded": (Rounded, [Rounded(share=0.123)]),
    "shown": (Shown, [Shown()]),
    "shown-by-a-function": (Annotated[int, PlainSerializer(lambda _: "?")], [1]),
    "validated-and-shown": (Annotated[int, AfterValidator(abs)], [1]),
    "written-and-read": (
        Annotated[date, BeforeValidator(lambda day: day if isinstance(day, date) else date.fromisoformat(day[1:])),
                  PlainSerializer(lambda day: f"D{day}")],
        [date(2020, 1, 1)],
    ),
    "custom-class": (Coded, [Custom(1)]),
    "secret-that-says-how": (Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value)], [SecretStr("a")]),
    "values-of-enums": (Values, [Values()]),
    "handed-down": (HandedDown, [HandedDown(size=3)]),
    "root-model": (Numbers, [Numbers([1])]),
    "dataclass": (Plain, [Plain(2)]),
    "dataclass-without-equality": (Unequal, [Unequal(2)]),
    "typed-dict": (Typed, [{"size": 1}, {"size": 1, "day": date(2020, 1, 1)}]),
    "named-tuple": (Named, [Named(1)]),
    "generic": (Boxed[date], [Boxed[date](value=date(2020, 1, 1))]),
    "alias-of-a-type": (TypeAliasType("Items", list[int]), [[1]]),
}  # fmt: skip

REFUSED: dict[str, Any] = {
    "secret": SecretStr,
    "secret-bytes": SecretBytes | None,
    "secret-number": Secret[int],
    "secret-in-a-list": list[SecretStr],
    "subclasses": SerializeAsAny[Part],
    "subclasses-in-a-list": list[SerializeAsAny[Part]],
    "left-out": Hidden,
    "default-that-stays-a-member": Members,
    "sequence": Sequence[int],
    "sequence-of-anything": Sequence[Any],
    "sequence-in-a-map": Mapping[str, Sequence[int]],
    "iterable": Iterable[int],
    "function": AnyCallable[[int], int],
    "class": type[Part],
    "instance": InstanceOf[Custom],
    "any-enum": Enum,
    "enum-that-json-cannot-tell-apart": Clash,
    "enum-without-a-form": Odd,
    "pattern-of-bytes": re.Pattern[bytes],
    "keys-that-are-tuples": dict[tuple[int, int], int],
    "keys-that-are-models": dict[Part, int],
    "keys-that-may-be-none": dict[int | None, int],
    "keys-of-two-types": dict[str | int, int],
    "text-or-day": str | date,
    "text-or-uuid": str | UUID,
    "decimal-or-text": Decimal | str,
    "text-or-bytes": str | bytes,
    "member-or-text": Colour | str,
    "list-or-set": list[int] | set[int],
    "list-or-tuple": list[int] | tuple[int, ...],
    "model-or-map": Part | dict[str, int],
    "wider-model-first": More | Part,
}


def defined(annotation: Any) -> type[Resource]:
    """Define a resource with one field."""
    return type(Resource)("Typed", (Resource,), {"__module__": __name__, "__annotations__": {"value": annotation}})


@pytest.mark.parametrize("name", WORKS)
def test_value_of_an_accepted_type_can_be_stored(name: str):
    """ID-13: It comes back from every call as it was made."""
    annotation, values = WORKS[name]
    model: Any = defined(annotation)
    with connect(MemoryBackend(), namespace="types", models=[model]) as store:
        for number, value in enumerate(values):
            made = model(name=f"n{number}", value=value)

            created = store.create(made)
            read = store.get(model, f"n{number}")
            updated = store.update(read.model_copy())

            for found in (created.value, read.value, updated.value):
                assert is_alike(made.value, found)
                assert type(made.value) is type(found) or isinstance(made.value, Word)
        assert () == tuple(store.check().flaws)


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_type_of_which_not_every_value_could_be_stored_is_refused(name: str):
    """BAD-9: The class is refused, and the reason names the field."""
    with pytest.raises(InvalidModel) as caught:
        defined(REFUSED[name])

    assert ["value"] == [reason.partition(":")[0].partition(".")[0] for reason in caught.value.why]


def test_what_is_shown_is_not_what_is_stored():
    """ID-13: Aliases, computed fields and serializers change what a dump shows."""

    class Both(Resource):
        model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True)
        some_field: int = 1
        part: Shown = Shown()

        @computed_field
        @property
        def double(self) -> int:
            return 2 * self.some_field

    backend = MemoryBackend()
    with connect(backend, namespace="shown") as store, connect(backend, namespace="shown") as other:
        made = store.create(Both(name="a"))
        untyped = other.get(Key("Both", "a")).document

    assert {
        "name": "a",
        "parent": None,
        "someField": 1,
        "part": {"size": 1, "more": 1},
        "double": 2,
    } == made.model_dump()
    assert {"name": "a", "some_field": 1, "part": {"size": 1}} == untyped


class Target(Resource):
    """What is referred to."""


class Line(RootModel[list[Annotated[Ref[Target], on_delete(REMOVE)]]]):
    """References in a model that is a list."""


class Table(Resource):
    """References in models that are one value."""

    line: Line = Line([])
    one: RootModel[Ref[Target]] | None = None
    votes: Counter[Ref[Target]] = Counter()


def test_references_in_models_of_one_value_and_in_counters_are_references():
    """REF-5: They are followed, completed and removed as in any other place."""
    with connect("memory://", namespace="roots") as store:
        target, other = store.create(Target(name="t")), store.create(Target(name="o"))
        made = store.create(Table(name="a", line=["t", other], votes=Counter({target.ref: 2})))

        assert ([target.ref, other.ref], Counter({target.ref: 2})) == (made.line.root, store.get(made).votes)
        assert {("line", 0), ("line", 1), ("votes", "Target/t")} == {e.path for e in made.meta.edges}
        store.delete(other)
        assert [target.ref] == store.get(made).line.root
        with pytest.raises(DeleteRestricted):
            store.delete(target)
        with pytest.raises(MissingReference):
            store.create(Table(name="b", one="nobody"))
