# ruff: noqa: S311 - seeded on purpose
"""ID-19: conditions mean the same on every backend, judged by an oracle that knows neither indexes nor stores."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final
from uuid import UUID

import pytest
from pydantic import BaseModel

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.conditions import Condition, F
from emco_store.core.indexing import indexed
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall


class Hue(Enum):
    """Values that are text."""

    RED = "red"
    DARK_RED = "dark-red"
    BLUE = "blue"


class Inner(BaseModel, extra="forbid"):
    """A nested model."""

    image: str = ""
    size: int | None = None


class Sample(Resource):
    """A root with a field of each type that a condition can ask for."""

    text: Annotated[str, indexed()] = ""
    number: Annotated[int | None, indexed()] = None
    ratio: Annotated[float, indexed()] = 0.0
    flag: Annotated[bool, indexed()] = False
    at: Annotated[datetime | None, indexed()] = None
    day: Annotated[date, indexed()] = date(2026, 1, 1)
    uid: Annotated[UUID | None, indexed()] = None
    hue: Annotated[Hue, indexed()] = Hue.RED
    price: Decimal = Decimal(0)
    clock: time = time(0)
    lasts: timedelta = timedelta(0)
    tags: list[str] = []
    ports: set[int] = set()
    labels: dict[str, str] = {}
    inner: Inner | None = None


TEXTS: Final = (
    "",
    "a",
    "a.b",
    "a%",
    "ab",
    "a\0",
    "^a",
    ".*",
    "$ne",
    "[",
    "ä",
    "\ud7ff",
    "\ue000",
    "🙂",
    "\U0010ffff",
    "a\U0010ffff",
)
LABELS: Final = ("app.kubernetes.io/name", "a.b", "a", "a b", "x$", "ü.ä")
ZONE: Final = timezone(timedelta(hours=5, minutes=30))
VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "text": TEXTS,
    "number": (None, 0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)),
    "ratio": (0.0, 0.1, -0.5, 1.0, 1e300, -1e300, 5e-324),
    "flag": (False, True),
    "at": (
        None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 5, 30, tzinfo=ZONE),
        datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, tzinfo=ZONE),
    ),
    "day": (date(2026, 1, 1), date(1, 1, 1), date(9999, 12, 31)),
    "uid": (None, UUID(int=0), UUID(int=1), UUID(int=2**127), UUID(int=2**128 - 1)),
    "hue": tuple(Hue),
    "price": (Decimal(0), Decimal("0.10"), Decimal("0.1"), Decimal(-7), Decimal("1e30")),
    "clock": (time(0), time(23, 59, 59, 1), time(7)),
    "lasts": (timedelta(0), timedelta(days=-1), timedelta(seconds=1), timedelta(days=400)),
}  # fmt: skip
"""For each field with single values, those that samples have and that conditions compare with."""
INDEXED: Final = ("text", "number", "ratio", "flag", "at", "day", "uid", "hue")
Judge = Callable[[Sample], bool]


def samples(rng: random.Random, number: int) -> list[Sample]:
    """Make samples with values of all fields."""
    return [
        Sample(
            name=f"s{at:03}",
            tags=rng.sample(TEXTS, rng.randrange(4)),
            ports=set(rng.sample(range(5), rng.randrange(4))),
            labels={key: rng.choice(TEXTS) for key in rng.sample(LABELS, rng.randrange(4))},
            inner=rng.choice([None, Inner(image=rng.choice(TEXTS), size=rng.choice([None, 1, 2]))]),
            **{field: rng.choice(values) for field, values in VALUES.items()},
        )
        for at in range(number)
    ]


def condition(rng: random.Random, depth: int = 2) -> tuple[Condition, Judge]:
    """Make a condition, and what judges the same by Python's own comparisons."""
    how = rng.randrange(6) if depth else 5
    if how == 0:
        one, is_one = condition(rng, depth - 1)
        return ~one, lambda sample: not is_one(sample)
    if how in {1, 2}:
        (one, is_one), (other, is_other) = condition(rng, depth - 1), condition(rng, depth - 1)
        if how == 1:
            return one & other, lambda sample: is_one(sample) and is_other(sample)
        return one | other, lambda sample: is_one(sample) or is_other(sample)
    return rng.choice(_LEAVES)(rng)


def _compared(rng: random.Random) -> tuple[Condition, Judge]:
    field = rng.choice(sorted(VALUES))
    value = rng.choice(VALUES[field])
    plain = value.value if isinstance(value, Enum) else value

    def at(sample: Sample) -> Any:
        found = getattr(sample, field)
        return found.value if isinstance(found, Enum) else found

    def both(compare: Callable[[Any, Any], bool]) -> Judge:
        return lambda sample: at(sample) is not None and plain is not None and compare(at(sample), plain)

    path = F[field]
    equal: tuple[Condition, Judge] = (path == value, lambda sample: at(sample) == plain)
    several = rng.sample(VALUES[field], rng.randint(1, 2))
    choices: list[tuple[Condition, Judge]] = [
        equal,
        equal,
        (path != value, lambda sample: at(sample) != plain),
        (path.in_(several), lambda sample: getattr(sample, field) in several),
    ]
    if plain is not None:
        choices += [
            (path < value, both(lambda a, b: a < b)),
            (path <= value, both(lambda a, b: a <= b)),
            (path > value, both(lambda a, b: a > b)),
            (path >= value, both(lambda a, b: a >= b)),
        ]
    return rng.choice(choices)


def _begins(rng: random.Random) -> tuple[Condition, Judge]:
    text = rng.choice(TEXTS)
    key = rng.choice(LABELS)
    return rng.choice([
        (F.text.startswith(text), lambda sample: sample.text[: len(text)] == text),
        (F.inner.image.startswith(text), lambda sample: bool(sample.inner) and _begin(sample.inner.image, text)),
        (F.labels[key].startswith(text), lambda sample: key in sample.labels and _begin(sample.labels[key], text)),
        (F.hue.startswith("dark"), lambda sample: sample.hue is Hue.DARK_RED),
    ])  # fmt: skip


def _begin(text: str, prefix: str) -> bool:
    return text[: len(prefix)] == prefix


def _holds(rng: random.Random) -> tuple[Condition, Judge]:
    text, number, key = rng.choice(TEXTS), rng.randrange(5), rng.choice(LABELS)
    return rng.choice([
        (F.tags.contains(text), lambda sample: text in sample.tags),
        (F.ports.contains(number), lambda sample: number in sample.ports),
        (F.labels.contains(key), lambda sample: key in sample.labels),
        (F.labels[key] == text, lambda sample: sample.labels.get(key) == text),
        (F.labels[key].is_set(), lambda sample: key in sample.labels),
        (F.inner.is_set(), lambda sample: sample.inner is not None),
        (F.inner.size == 1, lambda sample: sample.inner is not None and sample.inner.size == 1),
        (F.number.is_set(), lambda sample: sample.number is not None),
    ])  # fmt: skip


_LEAVES: Final = (_compared, _compared, _begins, _holds)


def check_conditions(lab: Lab, rng: random.Random, *, number: int, asked: int) -> Iterator[str]:
    """Compare what lists and counts give with the oracle; yield what differs.

    Args:
        lab: An empty store.
        rng: The source of samples and conditions.
        number: The number of samples.
        asked: The number of filters.
    """
    made = samples(rng, number)
    with lab.store.transaction() as tx:
        for sample in made:
            tx.create(sample)
    for _ in range(asked):
        pairs = [condition(rng, rng.randrange(3)) for _ in range(rng.randint(1, 3))]
        where = [one for one, _ in pairs]
        wanted = [one for one in made if all(judge(one) for _, judge in pairs)]
        if len(wanted) != lab.store.count(Sample, where=where):
            yield f"count of {where}"
        order, size = rng.choice([None, *INDEXED]), rng.choice([1000, 1000, 7])
        found = [*lab.store.iterate(Sample, where=where, order_by=order and f"-{order}", page_size=size)]
        if [one.name for one in wanted] != sorted(one.name for one in found):
            yield f"{where} by {order}: {[one.name for one in wanted]} and not {[one.name for one in found]}"


class ConditionRules:
    """What conditions find."""

    @rule("ID-19")
    def test_condition_finds_what_the_oracle_finds(self, lab: Lab) -> None:
        """Generated filters over generated documents find the same as plain Python, with any index (ID-19)."""
        assert [] == [*check_conditions(lab, random.Random(19), number=30, asked=40)]

    @rule("ID-19", "BAD-5", "BAD-7")
    def test_text_of_a_user_is_never_a_pattern(self, lab: Lab) -> None:
        """Dots, signs and patterns in values, prefixes and keys of maps stand for themselves (ID-19, BAD-5, BAD-7)."""
        for at, text in enumerate(TEXTS):
            made = lab.store.create(Sample(name=f"s{at:02}", text=text, labels={f"k{text}".replace("\0", "."): text}))
            assert made == lab.store.get(made)

        for text in TEXTS:
            found = lab.store.list(Sample, where=F.text.startswith(text), order_by="text").resources
            assert sorted(one for one in TEXTS if one[: len(text)] == text) == [one.text for one in found]
            assert len(found) == lab.store.count(Sample, where=F.text.startswith(text))
            key = f"k{text}".replace("\0", ".")
            assert {text} == {one.text for one in lab.store.list(Sample, where=F.labels[key] == text)}

    @rule("ID-19")
    def test_condition_that_says_nothing_is_refused(self, lab: Lab) -> None:
        """An unknown name at any depth, and a value that the field never has, are refused with the reason (ID-19)."""
        for where in (
            F.txt == "a",
            F.inner.imgae != "a",
            ~(F.inner.image.tag == "a"),
            F.labels.a.b == "x",
            F.tags.size == 1,
            F.meta.updated == 1,
            F.text == 1,
            F.number == "1",
            F.number == True,  # noqa: E712 - a condition, not a comparison
            F.number < None,
            F.flag == 1,
            F.uid == "00000000-0000-0000-0000-000000000000",
            F.at == date(2026, 1, 1),
            F.day.in_([date(2026, 1, 1), "2026-01-01"]),
            F.text == None,  # noqa: E711 - see above
            F.number.startswith("1"),
            F.text.contains("a"),
            F.tags.contains(1),
            F.labels.contains(1),
            F.labels == "a",
        ):
            for call in (lab.store.list, lab.store.count, lab.store.iterate):
                with pytest.raises(InvalidCall):
                    call(Sample, where=where)
        with pytest.raises(InvalidCall, match=r"inner\.image"):
            lab.store.list(Sample, where=F.inner.imgae != "a")
        with pytest.raises(InvalidCall, match=r"image"):
            _ = F(Sample).inner.imgae  # type: ignore[union-attr]  # a type checker sees it too
