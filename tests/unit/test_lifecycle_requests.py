"""How many requests lifecycles, approvals and histories send: a budget of each call, whatever the backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from enum import StrEnum
from typing import Any

import pytest

from emco_store import CASCADE, F, Key, Lifecycle, Ref, Resource, Status, approved, content, transition
from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.harness import Bench, Harness, Lab, Mode
from emco_store.ports import Commit, Get, ReferrerQuery, Scan

WIDTH = 3
KEY = Key("Root", "r")


class State(StrEnum):
    """The states of everything here."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    UP = "Up"


class Life(Lifecycle[State]):
    """Transitions with content and without."""

    initial = State.DRAFT
    scope = content(targets=("Chart",))
    approve = transition({State.DRAFT, State.APPROVED}, to=State.APPROVED, approves=True)
    start = transition(State.APPROVED, to=State.UP, records=True, guards=[approved()])
    stop = transition(State.UP, to=State.APPROVED)
    deletable = {State.DRAFT, State.APPROVED}


class Power(StrEnum):
    """The states of a resource with a frozen field."""

    OFF = "Off"
    ON = "On"


class Locked(Lifecycle[Power]):
    """A lifecycle that freezes a field."""

    initial = Power.OFF
    start = transition(Power.OFF, to=Power.ON)
    stop = transition(Power.ON, to=Power.OFF)
    deletable = {Power.OFF}
    frozen = {Power.ON: (F.size,)}


class Chart(Resource):
    """A target outside the subtree."""


class Root(Resource, lifecycle=Life):
    """The root of a content."""

    text: str = ""


class First(Resource, parent=Root, on_parent_delete=CASCADE):
    """The first level below it."""

    chart: Ref[Chart] | None = None
    text: str = ""


class Second(Resource, parent=First, on_parent_delete=CASCADE):
    """The second level."""


class Third(Resource, parent=Second, on_parent_delete=CASCADE):
    """The third level."""


class Frozen(Resource, lifecycle=Locked):
    """A resource with a frozen field."""

    size: int = 0
    text: str = ""


class Plain(Resource):
    """A resource without a lifecycle."""

    text: str = ""


class Health(Status, of=Root, writer="w"):
    """What a writer reports."""

    text: str = ""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Give a lab on a memory backend."""
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench, bench.lab() as opened:
        yield opened


def sent(lab: Lab, call: Callable[[], object]) -> list[type[Any]]:
    """Return the classes of the requests of a call, in their order."""
    lab.faults.clear()
    call()
    return [type(request) for request in lab.faults.requests]


def grow(lab: Lab, depth: int) -> None:
    """Create a content of so many levels below its root, three resources in each, with a target outside."""
    chart = lab.store.create(Chart(name="c"))
    lab.store.create(Root(name="r"))
    for at in range(WIDTH if depth else 0):
        above: Any = lab.store.create(First(parent=KEY, name=f"n{at}", chart=chart))
        for model in (Second, Third)[: depth - 1]:
            above = lab.store.create(model(parent=above, name=f"n{at}"))


def save(lab: Lab, number: int = 1) -> None:
    """Approve the content so many times."""
    digest = lab.store.digest(KEY)
    for _ in range(number):
        lab.store.transition(KEY, Life.approve, digest=digest)


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_transition_with_content_is_a_request_for_each_level_and_one_commit(lab: Lab, depth: int):
    """LIF-10: Of a subtree of depth d, d + 1 requests read members, targets and lifecycle, however many there are."""
    grow(lab, depth)
    digest = lab.store.digest(KEY)
    reads = [ReferrerQuery] * (depth + 1)

    assert [*reads, Commit] == sent(lab, lambda: lab.store.transition(KEY, Life.approve, digest=digest))
    assert reads == sent(lab, lambda: lab.store.plan_transition(KEY, Life.start))
    assert [*reads, Commit] == sent(lab, lambda: lab.store.transition(KEY, Life.start))


def test_plan_reads_the_approved_revision_only_where_the_content_differs(lab: Lab):
    """LIF-10: What has changed since the approval takes one request more, and none where nothing has."""
    grow(lab, 1)
    save(lab)
    reads = [ReferrerQuery] * 2
    assert reads == sent(lab, lambda: lab.store.plan_transition(KEY, Life.approve))
    lab.store.create(First(parent=KEY, name="new"))

    assert [*reads, Get] == sent(lab, lambda: lab.store.plan_transition(KEY, Life.approve))


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_digest_is_a_request_for_each_level(lab: Lab, depth: int):
    """LIF-11: A digest takes d + 1 requests, and one more that confirms that several were of one moment."""
    grow(lab, depth)

    confirmed = [Commit] if depth else []
    assert [*[ReferrerQuery] * (depth + 1), *confirmed] == sent(lab, lambda: lab.store.digest(KEY))


def test_transition_without_content_is_one_request_and_one_commit(lab: Lab):
    """LIF-2: A transition that looks at nothing else reads once, however large the subtree is."""
    grow(lab, 3)
    save(lab)
    lab.store.transition(KEY, Life.start)

    assert [ReferrerQuery, Commit] == sent(lab, lambda: lab.store.transition(KEY, Life.stop))


def test_writes_cost_what_they_cost_without_a_lifecycle(lab: Lab):
    """LIF-7: Only an update takes one request more, and only where the class freezes fields."""
    made = {model: lab.store.create(model(name="a")) for model in (Plain, Root, Frozen)}

    for model, reads in ((Plain, []), (Root, []), (Frozen, [Get])):
        changed = made[model].model_copy(update={"text": "x"})
        assert [*reads, Commit] == sent(lab, lambda one=changed: lab.store.update(one))
        assert [Commit] == sent(lab, lambda of=model: lab.store.create(of(name="b")))
        assert [ReferrerQuery, Commit] == sent(lab, lambda of=model: lab.store.delete(Key(of.__name__, "b")))


def test_status_is_one_request_and_one_commit(lab: Lab):
    """GEN-1: A report reads the status before it, and the resource, at once."""
    root = lab.store.create(Root(name="r"))
    for text in ("first", "second"):
        report = Health(parent=root, text=text)
        assert [Get, Commit] == sent(lab, lambda one=report: lab.store.set_status(one, observed=root))


@pytest.mark.parametrize("number", [1, 300])
def test_history_costs_the_same_whatever_its_length(lab: Lab, number: int):
    """HIS-4, HIS-5: A page is one request. Approvals, lists, children, updates and deletes do not read the history."""
    grow(lab, 1)
    save(lab, number)
    digest, root = lab.store.digest(KEY), lab.store.get(KEY)

    assert [Scan] == sent(lab, lambda: lab.store.history(KEY, limit=20))
    page = lab.store.history(KEY, limit=1)
    if page.next:
        assert [Scan] == sent(lab, lambda: lab.store.history(KEY, limit=20, after=page.next))
    assert [Get, Get] == sent(lab, lambda: lab.store.revision(KEY, 1))
    assert [ReferrerQuery] * 2 + [Commit] == sent(
        lab, lambda: lab.store.transition(KEY, Life.approve, digest=digest)
    )  # fmt: skip
    assert [Scan] == sent(lab, lambda: lab.store.list(First, parent=KEY))
    assert [ReferrerQuery] == sent(lab, lambda: lab.store.children(KEY))
    assert [Commit] == sent(lab, lambda: lab.store.update(root.model_copy(update={"text": "x"})))
    assert [ReferrerQuery] * 2 + [Commit] == sent(lab, lambda: lab.store.delete(KEY))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_rollback_is_planned_in_depth_and_three_requests(lab: Lab, depth: int):
    """HIS-6, HIS-7: A plan reads the revision, its content and the subtree; it is applied in one commit."""
    grow(lab, depth)
    save(lab)
    lab.store.update(lab.store.get(First, "r", "n0").model_copy(update={"text": "changed"}))
    plans: list[Any] = []

    planned = sent(lab, lambda: plans.append(lab.store.plan_rollback(KEY, 1)))

    assert [Get, Get, *[ReferrerQuery] * (depth + 1)] == planned
    assert [Commit] == sent(lab, lambda: lab.store.apply(plans[0]))
