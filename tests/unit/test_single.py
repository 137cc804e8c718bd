"""A create or an update by itself makes the very commit of a unit of work, and ends as that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from emco_store import CASCADE, REMOVE, Key, Ref, Resource, View, indexed, on_delete, some_of, unique
from emco_store.contracts.lease_models import DutyToFree, Runner
from emco_store.core.matching import match
from emco_store.core.origins import Origin
from emco_store.core.records import Stamp
from emco_store.core.schema import Schema
from emco_store.core.trails import Trail
from emco_store.flows import resources, single
from emco_store.flows.acting import Actors
from emco_store.flows.context import Context, Limits
from emco_store.flows.unit import Unit
from emco_store.ports import (
    Commit,
    Fenced,
    Held,
    Missing,
    Outcome,
    OutcomeLost,
    Receipt,
    Refusal,
    Stale,
    Taken,
    Unreachable,
)
from tests.unit.test_lifecycle_requests import Frozen

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


class Town(Resource, indexes=[("size", "meta.created_at", "meta.updated_at")]):
    """A root with values in indexes."""

    code: Annotated[str | None, unique()] = None
    size: Annotated[int, indexed()] = 0


class House(Resource, parent=Town, on_parent_delete=CASCADE):
    """A child with references of several forms."""

    near: Ref[Town] | None = None
    others: Annotated[list[Ref[Town]], on_delete(REMOVE)] = []
    by_name: dict[str, Ref[Town]] = {}


class Post(Resource):
    """What a selection rests on."""

    town: Annotated[str | None, some_of(Town)] = None


class Book(Resource, trail=Trail()):
    """What leaves a trail."""

    text: str = ""


class Sight(View, of="Town", parent=None):
    """What somebody else sees of a town."""

    size: int = 0


TOWN = Town(name="t", code="a", size=3)
HOUSE = House(
    parent=Ref("Town/t"),
    name="h",
    near=Ref("Town/u"),
    others=[Ref("Town/v"), Ref("Town/u")],
    by_name={"x": Ref("Town/w")},
)


def context(**given: Any) -> Context:
    """Return surroundings that give the same to every flow."""
    numbers = count()
    return Context(
        Schema(), Limits(**given), SimpleNamespace(now=lambda: NOW), lambda: f"id-{next(numbers)}",  # type: ignore[arg-type]  # a clock
        Actors(Origin("ada", "because", "op")),
    )  # fmt: skip


def ended(flow: Any, replies: Sequence[Any]) -> tuple[list[Any], Any]:
    """Drive a flow; return what it asked, and its result or error."""
    asked: list[Any] = []
    left = iter(replies)
    try:
        request = next(flow)
        while True:
            asked.append(request)
            reply = next(left)
            request = flow.throw(reply) if isinstance(reply, Exception) else flow.send(reply)
    except StopIteration as end:
        return asked, (end.value, end.value.meta)
    except Exception as problem:  # noqa: BLE001 - both ways must end in the same
        shown = {name: value for name, value in vars(problem).items() if name != "__notes__"}
        return asked, (type(problem), str(problem), shown, type(problem.__cause__))


def stored(resource: Any) -> Any:
    """Return a resource as a store gave it back."""
    asked, (value, _) = ended(resources.create(Unit(context()), resource, None), [Receipt("")])
    assert [Commit] == [type(one) for one in asked]
    return value


def both(call: str, resource: Any, only: Any = None, replies: Sequence[Any] = (), **given: Any) -> tuple[Any, Any]:
    """Return how a call by itself ends, and how one in a unit of work does."""
    of_unit, alone = getattr(resources, call), getattr(single, call)
    return (
        ended(alone(context(**given), resource, only), replies),
        ended(of_unit(Unit(context(**given)), resource, only), replies),
    )


@pytest.mark.parametrize(
    "made",
    [
        TOWN, Town(name="u"), HOUSE, House(parent=Ref("Town/t"), name="i"), Runner(name="r"),
        DutyToFree(name="d", runner=Ref("Runner/r")), Post(name="p", town="t"), Post(name="p"),
        Book(name="b"), Frozen(name="f"),
    ],
    ids=str,
)  # fmt: skip
def test_create_by_itself_is_that_of_a_unit_of_work(made):
    """It asks the same, in the same order, and returns the same value with the same meta."""
    alone, unit = both("create", made, replies=[Receipt(""), Receipt("")])

    assert unit == alone
    assert alone[0]


def test_new_resource_with_a_lifecycle_takes_no_unit_of_work(monkeypatch):
    """A lifecycle freezes fields of what is stored only."""
    monkeypatch.delattr(single, "Unit")

    asked, _ = ended(single.create(context(), Frozen(name="f"), None), [Receipt("")])

    assert [Commit] == [type(one) for one in asked]


@pytest.mark.parametrize("made", [TOWN, HOUSE, DutyToFree(name="d", runner=Ref("Runner/r"))], ids=lambda one: one.name)
def test_plain_resource_takes_no_unit_of_work(monkeypatch, made):
    """What is compared here are two flows."""
    before = stored(made)
    monkeypatch.delattr(single, "Unit")

    for call, given in (("create", made), ("update", before)):
        asked, (value, _) = ended(getattr(single, call)(context(), given, None), [Receipt("")])
        assert [Commit] == [type(one) for one in asked]
        assert made.model_dump() == value.model_dump()


UPDATES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: stored(TOWN),
    "indexed": lambda: stored(TOWN).model_copy(update={"size": 4, "code": "b"}),
    "same targets": lambda: stored(HOUSE).model_copy(update={"near": Ref("Town/w"), "others": []}),
    "new targets": lambda: stored(HOUSE).model_copy(update={"near": Ref("Town/new"), "by_name": {"y": Ref("Town/y")}}),
    "no targets": lambda: stored(HOUSE).model_copy(update={"near": None, "others": [], "by_name": {}}),
    "leased": lambda: stored(DutyToFree(name="d")).model_copy(update={"runner": Ref("Runner/r")}),
    "selection": lambda: stored(Post(name="p")).model_copy(update={"town": "t"}),
    "trail": lambda: stored(Book(name="b")).model_copy(update={"text": "x"}),
    "frozen": lambda: stored(Frozen(name="f")).model_copy(update={"size": 2}),
}


@pytest.mark.parametrize("change", UPDATES)
def test_update_by_itself_is_that_of_a_unit_of_work(change):
    """It rests on the state that was read, and requires only targets that are new."""
    alone, unit = both("update", UPDATES[change](), replies=[{}, {}, Receipt(""), Receipt("")])

    assert unit == alone
    assert alone[0]


LOST, AWAY = OutcomeLost("lost"), Unreachable("away")
REPLIES: dict[str, Sequence[Any]] = {
    "exists": [Refusal((Stale(HOUSE.key, None, Stamp("other", 1)),))],
    "changed": [Refusal((Stale(HOUSE.key, Stamp("id-0", 1), Stamp("id-0", 2)),))],
    "deleted": [Refusal((Stale(HOUSE.key, Stamp("id-0", 1), None),))],
    "missing": [Refusal((Missing(Key("Town", "u")), Missing(Key("Town", "w"))))],
    "taken": [Refusal((Taken(HOUSE.key, "code", TOWN.key),))],
    "held": [Refusal((Held(HOUSE.key),))],
    "fenced": [Refusal((Fenced("id-1"),))],
    "away": [AWAY],
    "lost": [LOST, LOST, LOST],
    "lost, then there": [LOST, Receipt("")],
    "lost, then refused, but done": [LOST, Refusal((Stale(HOUSE.key, None, Stamp("other", 1)),)), Outcome.COMMITTED],
    "lost, then refused": [LOST, Refusal((Held(HOUSE.key),)), Outcome.ABORTED],
    "lost, then not settled": [LOST, Refusal((Held(HOUSE.key),)), AWAY],
}


@pytest.mark.parametrize("call", ["create", "update"])
@pytest.mark.parametrize("replies", REPLIES)
def test_reply_means_to_a_call_by_itself_what_it_means_to_a_unit_of_work(call, replies):
    """Refusals, lost replies and their settlement end in the same error or value."""
    given = HOUSE if call == "create" else stored(HOUSE).model_copy(update={"near": Ref("Town/w")})

    alone, unit = both(call, given, replies=REPLIES[replies])

    assert unit == alone
    assert alone[0]


WRONG: dict[str, tuple[str, Callable[[], Any], Any]] = {
    "no resource": ("create", lambda: "Town/t", None),
    "no resource to update": ("update", lambda: None, None),
    "a view": ("create", lambda: Sight(name="t"), None),
    "stored already": ("create", lambda: TOWN, match(2, None)),
    "another entity tag": ("create", lambda: TOWN, match(None, '"x"')),
    "never stored": ("update", lambda: Town(name="n"), None),
    "another key": ("update", lambda: stored(TOWN).model_copy(update={"name": "n"}), None),
    "another version": ("update", lambda: stored(TOWN), match(7, None)),
    "bad data": ("create", lambda: TOWN.model_copy(update={"size": "many"}), None),
    "bad data to update": ("update", lambda: stored(TOWN).model_copy(update={"size": "many"}), match(7, None)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_bad_input_is_refused_as_by_a_unit_of_work(wrong):
    """The error is the same, and nothing is asked."""
    call, make, only = WRONG[wrong]

    alone, unit = both(call, make(), only)

    assert unit == alone
    assert [] == alone[0]
    assert issubclass(alone[1][0], Exception)


@pytest.mark.parametrize("call", ["create", "update"])
def test_segment_that_waits_is_asked_for_as_by_a_unit_of_work(call):
    """A store whose segment waits asks for the registry before it writes."""
    given = TOWN if call == "create" else stored(TOWN)
    ends = []
    for flow, start in ((getattr(single, call), lambda one: one), (getattr(resources, call), Unit)):
        here = context()
        here.registered.waiting["Town"] = "towns"
        ends.append(ended(flow(start(here), given, None), [AWAY]))

    assert ends[0] == ends[1]
    assert [] != ends[0][0]
    assert Commit not in map(type, ends[0][0])


def test_documents_over_the_limit_are_refused_as_by_a_unit_of_work():
    """The limit of the store holds."""
    alone, unit = both("create", TOWN, max_bytes=10)

    assert unit == alone
    assert [] == alone[0]
