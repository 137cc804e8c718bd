"""Documents that could not be stored, or would not come back as they went in."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from emco_store import InvalidResource, Key
from tests.bad_input.case import Case, World, check, table
from tests.bad_input.models import Host, Sheet

DEEPEST_DATA = 63
"""The document is the first of 64 levels."""


def nested(levels: int) -> Any:
    """Return a list in a list, nested to that depth."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def endless_list() -> list[Any]:
    """Return a list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


def endless_map() -> dict[str, Any]:
    """Return a map that holds itself."""
    value: dict[str, Any] = {}
    value["again"] = {"deeper": value}
    return value


BAD_DATA: dict[str, tuple[str, Any]] = {
    "dollar-key": ("BAD-5", {"$set": 1}),
    "dollar-key-inside": ("BAD-5", {"a": [{"b": {"$where": "1"}}]}),
    "nul-in-a-key": ("BAD-5", {"a\0b": 1}),
    "lone-surrogate-in-a-key": ("BAD-5", {"a\ud800": 1}),
    "key-that-is-no-text": ("BAD-6", {1: "a"}),
    "key-that-is-none": ("BAD-6", {None: "a"}),
    "lone-surrogate": ("BAD-6", "a\ud800"),
    "nan": ("BAD-4", math.nan),
    "nan-inside": ("BAD-4", [{"a": math.nan}]),
    "infinity": ("BAD-4", math.inf),
    "negative-infinity": ("BAD-4", -math.inf),
    "2**63": ("BAD-4", 2**63),
    "2**70-inside": ("BAD-4", {"a": [2**70]}),
    "-2**63-1": ("BAD-4", -(2**63) - 1),
    "10**400": ("BAD-4", 10**400),
    "depth-65": ("BAD-2", nested(DEEPEST_DATA + 1)),
    "depth-300": ("BAD-2", nested(300)),
    "depth-2000": ("BAD-2", nested(2000)),
    "list-in-itself": ("BAD-2", endless_list()),
    "map-in-itself": ("BAD-2", endless_map()),
    "1-mib-and-more": ("BAD-3", "x" * (1 << 20)),
    "9-mib": ("BAD-3", "x" * (9 << 20)),
    "many-small-ones": ("BAD-3", ["xxxx"] * 200_000),
    "bytes": ("BAD-6", b"abc"),
    "bytes-that-are-no-text": ("BAD-6", b"\xff"),
    "set": ("BAD-6", {1, 2}),
    "tuple": ("BAD-6", (1, 2)),
    "date": ("BAD-6", datetime(2026, 1, 1, tzinfo=UTC)),
    "complex-number": ("BAD-6", 1j),
    "object": ("BAD-6", object()),
    "class": ("BAD-6", Host),
    "function": ("BAD-6", nested),
    "resource": ("BAD-6", Sheet(name="inside")),
}


WAYS: dict[str, Callable[[World, Any], object]] = {
    "create": lambda world, value: world.store.create(Sheet(name="new", data=value)),
    "put": lambda world, value: world.store.put(Sheet(name="new", data=value)),
    "update": lambda world, value: world.store.update(world.sheet.model_copy(update={"data": value})),
    "in-a-list": lambda world, value: world.store.create(Sheet(name="new", labels={"a": [value]})),
    "in-a-transaction": lambda world, value: world.store.run(lambda tx: tx.create(Sheet(name="new", data=value))),
}


@pytest.mark.parametrize("way", WAYS)
def test_data_that_json_cannot_hold_is_refused(world: World, way: str, subtests: pytest.Subtests):
    """BAD-2 to BAD-6: What no backend could give back as it went in is refused before anything is asked."""
    for title, (rule, value) in BAD_DATA.items():
        with subtests.test(title):
            check(Case(title, rule, partial(WAYS[way], value=value), InvalidResource), world)


@pytest.mark.parametrize(
    "value",
    [2**63 - 1, -(2**63), 5e-324, 1.7976931348623157e308, nested(DEEPEST_DATA), {"": ""}, {"a$": "$x", "b": "a.b\0"}],
    ids=["int-max", "int-min", "least-float", "greatest-float", "depth-64", "empty-key", "dollar-elsewhere"],
)
def test_data_at_the_limit_comes_back_as_it_went_in(world: World, value: Any):
    """ID-13: What the limits allow is stored exactly."""
    made = world.store.create(Sheet(name="new", data=value))

    assert value == world.store.get(made).data


@table(
    Case("wrong-type", "BAD-6", lambda _: Sheet(name="a", count="many"), InvalidResource),
    Case("part-of-a-number", "BAD-6", lambda _: Sheet(name="a", count=1.5), InvalidResource),
    Case(
        "text-with-a-lone-surrogate", "BAD-6", lambda w: w.store.create(Sheet(name="a", text="\ud800")), InvalidResource
    ),
    Case("none-for-a-text", "BAD-6", lambda _: Sheet(name="a", text=None), InvalidResource),
    Case("list-of-another-type", "BAD-6", lambda _: Sheet(name="a", numbers=[1, "x"]), InvalidResource),
    Case("map-with-a-number-as-key", "BAD-6", lambda _: Sheet(name="a", labels={1: 1}), InvalidResource),
    Case("map-in-the-place-of-a-text", "BAD-6", lambda _: Sheet(name="a", text={"$ne": ""}), InvalidResource),
    Case("unknown-field", "BAD-6", lambda _: Sheet(name="a", colour="red"), InvalidResource),
    Case("unknown-field-of-a-nested-model", "BAD-6", lambda w: _with_slot(w, x=1), InvalidResource),
    Case("number-beyond-64-bits", "BAD-4", lambda w: w.store.create(Sheet(name="a", count=2**63)), InvalidResource),
    Case("number-below-64-bits", "BAD-4", lambda w: w.store.create(Sheet(name="a", count=-(2**70))), InvalidResource),
    Case("nan-in-a-float", "BAD-4", lambda w: w.store.create(Sheet(name="a", ratio=math.nan)), InvalidResource),
    Case("infinity-in-a-float", "BAD-4", lambda w: w.store.create(Sheet(name="a", ratio="inf")), InvalidResource),
    Case("opaque-that-is-no-map", "BAD-6", lambda _: Sheet(name="a", free=[1]), InvalidResource),
    Case("opaque-that-is-no-json", "BAD-6", lambda _: Sheet(name="a", free="{"), InvalidResource),
    Case("opaque-with-nan", "BAD-4", lambda w: w.store.create(Sheet(name="a", free={"a": math.nan})), InvalidResource),
    Case("opaque-with-a-set", "BAD-6", lambda w: w.store.create(Sheet(name="a", free={"a": {1}})), InvalidResource),
    Case("opaque-with-a-tuple", "BAD-6", lambda w: w.store.create(Sheet(name="a", free={"a": (1,)})), InvalidResource),
    Case(
        "opaque-2000-deep",
        "BAD-2",
        lambda w: w.store.create(Sheet(name="a", free={"a": nested(2000)})),
        InvalidResource,
    ),
    Case("opaque-in-itself", "BAD-2", lambda w: w.store.create(Sheet(name="a", free=endless_map())), InvalidResource),
    Case(
        "opaque-with-a-surrogate",
        "BAD-6",
        lambda w: w.store.create(Sheet(name="a", free={"\ud800": 1})),
        InvalidResource,
    ),
    Case("copy-with-a-wrong-type", "BAD-6", lambda w: _update(w, count="many"), InvalidResource),
    Case("copy-with-an-unknown-field", "BAD-6", lambda w: _update(w, titel="x"), InvalidResource),
    Case("copy-with-none", "BAD-6", lambda w: _update(w, text=None), InvalidResource),
    Case(
        "copy-with-another-name", "ID-10", lambda w: _update(w, name="d2"), InvalidResource, {"key": Key("Sheet", "d1")}
    ),
    Case("copy-with-a-bad-name", "BAD-1", lambda w: _update(w, name="a/b"), InvalidResource),
    Case("list-changed-in-place", "BAD-6", lambda w: _append_and_update(w, "x"), InvalidResource),
    Case("large-number-put-in-a-list", "BAD-4", lambda w: _append_and_update(w, 2**63), InvalidResource),
    Case("map-changed-in-place", "BAD-5", lambda w: _label_and_update(w, "$a"), InvalidResource),
)
def test_bad_document_is_refused(case: Case, world: World):
    """BAD-6: Wrong types, unknown fields and values that were changed around their model are refused."""
    check(case, world)


def test_document_of_the_largest_size_is_stored_and_one_byte_more_is_refused(world: World):
    """BAD-3: The limit is exact."""
    rest = len(b'{"name":"new","text":"","count":0,"ratio":0.0,"seen":null,"numbers":[],"labels":{},"data":null,')
    rest += len(b'"free":"{}","slot":null}')
    largest = (1 << 20) - rest
    case = Case(
        "1 MiB + 1", "BAD-3", lambda w: w.store.put(Sheet(name="new", text="x" * (largest + 1))), InvalidResource
    )

    check(case, world)

    assert largest == len(world.store.create(Sheet(name="new", text="x" * largest)).text)


def test_all_problems_of_a_document_are_named_at_once(world: World):
    """BAD-6: The error names every problem with its path, not only the first."""
    bad = Sheet(name="new", data={"$a": 1, "b": [2**63, math.nan]}, labels={"$y": 1})

    with pytest.raises(InvalidResource) as caught:
        world.store.create(bad)

    assert ["data", "data.b[0]", "data.b[1]", "labels"] == sorted(
        problem.partition(":")[0] for problem in caught.value.problems
    )


def _with_slot(world: World, **values: Any) -> Sheet:
    return Sheet(name="a", slot={"host": world.host, **values})  # type: ignore[arg-type]  # pydantic makes the model


def _update(world: World, **changes: Any) -> object:
    return world.store.update(world.sheet.model_copy(update=changes))


def _append_and_update(world: World, value: Any) -> object:
    sheet = world.sheet.model_copy(update={"numbers": [1]})
    sheet.numbers.append(value)
    return world.store.update(sheet)


def _label_and_update(world: World, key: str) -> object:
    sheet = world.sheet.model_copy(update={"labels": {}})
    sheet.labels[key] = 1
    return world.store.update(sheet)
