"""END: every call ends, and says how."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Rack, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import InvalidCall, Unavailable, UnknownOutcome
from emco_store.ports import Commit, Get, OutcomeLost, Request, Scan
from emco_store.ports.deadline import time_left_s

NOW = timedelta(0)
SHORT = timedelta(milliseconds=20)
LONG = timedelta(seconds=30)


class DeadlineRules:
    """What a deadline does to each call."""

    @rule("END-1")
    def test_call_whose_deadline_has_passed_asks_nothing(self, lab: Lab) -> None:
        """It is ``Unavailable``, and no request reaches the backend (END-1)."""
        for name, call in _calls(lab).items():
            before = _begin(lab)
            with pytest.raises(Unavailable):
                call(NOW)
            assert [] == lab.faults.requests, name
            assert before == lab.state(), name

    @rule("END-1")
    def test_deadline_that_passes_between_two_requests_ends_the_call(self, lab: Lab) -> None:
        """What is asked after it is not asked at all, so nothing is written (END-1)."""
        before = _begin(lab)
        lab.faults.do(Get, _wait_until_late, moment="after")

        with pytest.raises(Unavailable):
            lab.store.put(Site(name="a", title="late"), deadline=SHORT)

        assert [Get] == [type(request) for request in lab.faults.requests]
        assert before == lab.state()

    @rule("END-1")
    def test_deadline_that_passes_while_a_commit_is_on_its_way_leaves_it_unknown(self, lab: Lab) -> None:
        """It is sent once, and its outcome can be settled later (END-1)."""
        _begin(lab)
        lab.faults.do(Commit, _lose_until_late, moment="after")

        with pytest.raises(UnknownOutcome) as caught:
            lab.store.create(Site(name="b"), deadline=SHORT)

        assert 1 == sum(isinstance(request, Commit) for request in lab.faults.requests)
        assert "committed" == lab.store.resolve(caught.value.txid)

    @rule("END-1")
    def test_run_makes_one_attempt_whatever_its_deadline(self, lab: Lab) -> None:
        """An attempt that begins in time has time to end, so that its error says why it failed (END-1)."""
        _begin(lab)

        lab.store.run(lambda tx: tx.put(Site(name="a", title="new")), deadline=NOW)

        assert "new" == lab.store.get(Site, "a").title

    @rule("END-2")
    def test_deadline_reaches_the_backend_with_every_request(self, lab: Lab) -> None:
        """A backend can end what it waits for by the deadline of the call (END-2)."""
        for name, call in _calls(lab).items():
            for deadline in (None, LONG):
                _begin(lab)
                left_s: list[float | None] = []
                for kind in Request.__subclasses__():
                    lab.faults.do(kind, partial(_note, left_s), times=100)
                call(deadline)
                assert left_s, name
                expected = deadline is not None
                assert {expected} == {left is not None and 0 < left <= LONG.total_seconds() for left in left_s}, name

    @rule("END-2")
    def test_store_has_a_deadline_for_calls_without_one(self, lab: Lab) -> None:
        """The deadline of a call goes before that of its store (END-2)."""
        store = lab.open(deadline=LONG)
        left_s: list[float | None] = []
        lab.faults.do(Scan, lambda: left_s.append(time_left_s()), times=2)

        store.list(Site)
        store.list(Site, deadline=2 * LONG)

        of_store, of_call = (left or 0 for left in left_s)
        assert 0 < of_store <= LONG.total_seconds() < of_call

    @rule("END-2")
    def test_deadline_that_is_none_is_refused(self, lab: Lab) -> None:
        """A number does not say its unit, and no call has ended before it began (END-2)."""
        _begin(lab)
        for name, call in _calls(lab).items():
            for wrong in (1, 0.5, "1s", timedelta(seconds=-1)):
                with pytest.raises(InvalidCall):
                    call(wrong)
                assert [] == [type(request) for request in lab.faults.requests], name


def _begin(lab: Lab) -> dict[str, Any]:
    """Store a little, forget what was asked, and return what is stored."""
    lab.faults.clear()
    if lab.records():
        with lab.store.transaction() as tx:
            tx.delete(*(record.key for record in lab.records().values()))
    lab.store.create(Rack(name="k", parent=lab.store.create(Site(name="a"))))
    before = lab.state()
    lab.faults.clear()
    return before


def _note(left_s: list[float | None]) -> None:
    left_s.append(time_left_s())


def _wait_until_late() -> None:
    while (left_s := time_left_s()) is not None and left_s > 0:
        pass


def _lose_until_late() -> None:
    _wait_until_late()
    raise OutcomeLost


def _calls(lab: Lab) -> dict[str, Callable[[Any], Any]]:
    """Return every call that asks a backend, each with a deadline."""
    rack = Key("Rack", "a", "k")

    def inside(deadline: Any) -> None:
        with lab.store.transaction(deadline=deadline) as tx:
            tx.create(Site(name="t"))

    return {
        "get": lambda deadline: lab.store.get(Site, "a", deadline=deadline),
        "get_many": lambda deadline: lab.store.get_many([rack], deadline=deadline),
        "list": lambda deadline: lab.store.list(Site, deadline=deadline),
        "children": lambda deadline: lab.store.children(Key("Site", "a"), deadline=deadline),
        "referrers": lambda deadline: lab.store.referrers(Key("Site", "a"), deadline=deadline),
        "create": lambda deadline: lab.store.create(Site(name="c"), deadline=deadline),
        "put": lambda deadline: lab.store.put(Site(name="p"), deadline=deadline),
        "delete": lambda deadline: lab.store.delete(rack, deadline=deadline),
        "plan_delete": lambda deadline: lab.store.plan_delete(Key("Site", "a"), deadline=deadline),
        "check": lambda deadline: lab.store.check(deadline=deadline),
        "resolve": lambda deadline: lab.store.resolve("another", deadline=deadline),
        "transaction": inside,
    }
