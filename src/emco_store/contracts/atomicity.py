"""ATM: all or nothing, and only once, even if requests or replies are lost."""

from __future__ import annotations

import pickle
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Item, Rack, Restrict, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import AlreadyExists, MissingReference, NotSupported, Unavailable, UnknownOutcome
from emco_store.ports import Commit, Fenced, Get, Outcome, ReferrerQuery, Refusal, Scan, Settle

AHEAD = timedelta(minutes=90)


class AtomicityRules:
    """Network faults around the ports of any backend."""

    @rule("ATM-1")
    def test_exception_in_the_block_discards_everything(self, lab: Lab) -> None:
        """A transaction that ends in an exception writes nothing (ATM-1)."""
        (a,) = sites(lab, "a")
        lab.store.create(SetNull(name="n", one=a))
        before = lab.state()

        for problem in (ZeroDivisionError, ClientDied):
            with pytest.raises(problem), lab.store.transaction() as tx:
                _much(tx, a)
                raise problem
            with pytest.raises(problem):
                lab.store.run(partial(_fail_late, a=a, problem=problem))
        assert before == lab.state()

    @rule("ATM-1")
    def test_client_that_dies_leaves_all_or_nothing(self, lab: Lab) -> None:
        """If a client dies around any of its requests, its call has happened as a whole or not at all (ATM-1)."""
        calls = _calls(lab)
        for name, call in calls.items():
            requests = _requests_of(lab, call)
            assert [] != requests, name
            for at, moment in [(at, moment) for at in range(len(requests)) for moment in ("before", "after")]:
                before = _begin(lab)
                _die_at(lab, at, requests, moment)
                with pytest.raises(ClientDied):
                    call()
                lab.faults.clear()
                is_committed = (requests[at], moment) == (Commit, "after")
                assert is_committed == (before != lab.state()), (name, at, moment)
                assert [] == lab.dangling()

    @rule("ATM-1", "ATM-3")
    def test_one_failing_precondition_stops_everything(self, lab: Lab) -> None:
        """One invalid member, at any position, makes a large commit fail as a whole (ATM-1, ATM-3)."""
        lab.store.create(Site(name="s10"))
        before = lab.state()

        for at in (0, 10, 20):
            with pytest.raises((AlreadyExists, MissingReference)), lab.store.transaction() as tx:
                for number in range(20):
                    tx.create(Site(name=f"x{number:02}"))
                    if number == at:
                        tx.create(Rack(name="k", parent="Site/absent"))
                if at == 20:
                    tx.create(Site(name="s10"))
            assert before == lab.state()

    @rule("ATM-2")
    def test_lost_reply_has_its_effect_once(self, lab: Lab) -> None:
        """A commit whose reply is lost is sent again, and its effect happens once (ATM-2)."""
        for name, call in _calls(lab).items():
            for lose in (lab.faults.lose_reply, lab.faults.lose_request):
                for times in (1, 2):
                    _begin(lab)
                    call()
                    wanted = lab.state()
                    _begin(lab)
                    lose(times=times)
                    call()
                    assert wanted == lab.state(), name
                    assert times + 1 == lab.faults.count(Commit)
                    assert 1 == len({commit.txid for commit in _commits(lab)})
                    lab.faults.clear()

    @rule("ATM-4", "ATM-5")
    def test_refusal_after_a_lost_answer_is_final(self, lab: Lab) -> None:
        """If the repeat of a commit was refused, a late first request has no effect (ATM-4, ATM-5)."""
        lab.faults.lose_request()
        with pytest.raises(MissingReference):
            lab.store.create(Rack(name="k", parent="Site/late"))
        first = lab.faults.asked(Commit)[0]
        lab.store.create(Site(name="late"))

        assert Refusal((Fenced(first.txid),)) == lab.port.ask(first)
        assert ["Site/late"] == list(lab.state())

    @rule("ATM-4")
    def test_answer_that_never_comes_is_an_unknown_outcome(self, lab: Lab) -> None:
        """If no answer comes at all, the error has the txid, can be pickled, and ``run`` stops (ATM-4)."""
        for name, call in _calls(lab).items():
            for lose, happened in ((lab.faults.lose_reply, True), (lab.faults.lose_request, False)):
                before = _begin(lab)
                lose(times=1000)
                with pytest.raises(UnknownOutcome) as caught:
                    call()
                (txid,) = {commit.txid for commit in _commits(lab)}
                lab.faults.clear()
                copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
                assert txid == caught.value.txid == copied.txid
                assert happened == (before != lab.state()), name

    @rule("ATM-4")
    def test_lost_answer_followed_by_silence_is_unknown(self, lab: Lab) -> None:
        """After a lost answer, the outcome stays unknown even if the backend is then out of reach (ATM-4)."""
        lab.faults.do(Commit, lambda: None)
        lab.faults.lose_reply()
        lab.faults.unreachable(Commit, times=1000)

        with pytest.raises(UnknownOutcome):
            lab.store.create(Site(name="a"))

        assert ["Site/a"] == list(lab.state())

    @rule("ATM-4")
    def test_request_that_never_left_is_unavailable(self, lab: Lab) -> None:
        """If nothing was sent, the outcome is known: nothing was written, and a later attempt may succeed (ATM-4)."""
        for kind in (Get, Commit):
            lab.faults.unreachable(kind)
            with pytest.raises(Unavailable) as caught:
                lab.store.get(Site, "a") if kind is Get else lab.store.create(Site(name="a"))
            assert caught.value.retryable
        assert {} == lab.state()

        lab.faults.unreachable(Scan)
        with pytest.raises(Unavailable):
            lab.store.list(Site)
        lab.faults.unreachable(ReferrerQuery)
        with pytest.raises(Unavailable):
            lab.store.children(lab.store.create(Site(name="a")))

    @rule("ATM-5")
    def test_resolve_says_how_the_commit_ended(self, lab: Lab) -> None:
        """``resolve`` returns whether a commit happened, at any time and as often as it is called (ATM-5)."""
        for lose, outcome in ((lab.faults.lose_reply, Outcome.COMMITTED), (lab.faults.lose_request, Outcome.ABORTED)):
            lose(times=1000)
            with pytest.raises(UnknownOutcome) as caught:
                lab.store.put(Site(name="a", title=outcome))
            lab.faults.clear()
            state = lab.state()

            assert [outcome] * 3 == [store.resolve(caught.value.txid) for store in (lab.store, lab.open(), lab.store)]
            assert state == lab.state()

    @rule("ATM-5")
    def test_resolve_counts_by_the_clock_of_the_server(self, lab: Lab) -> None:
        """The clocks of the committer and of the one who asks may be wrong, ahead or behind (ATM-5)."""
        for committer, asking in ((AHEAD, timedelta()), (timedelta(), 10 * AHEAD), (timedelta(), -10 * AHEAD)):
            for lose, outcome in (
                (lab.faults.lose_reply, Outcome.COMMITTED),
                (lab.faults.lose_request, Outcome.ABORTED),
            ):
                lab.faults.clear()
                lose(times=1000)
                store = lab.open(ids=TimedIds(committer))
                with pytest.raises(UnknownOutcome) as caught:
                    store.put(Site(name="a", title=f"{committer} {asking} {outcome}"))
                lab.faults.clear()
                lab.clock.advance(asking)

                assert outcome == lab.open().resolve(caught.value.txid)
                lab.clock.advance(-asking)

    @rule("ATM-5")
    def test_outcome_that_may_have_been_forgotten_is_not_guessed(self, lab: Lab) -> None:
        """A commit that began long ago, and of which nothing is known, is neither committed nor aborted (ATM-5)."""
        txid = TimedIds(-10 * lab.store.guarantees.outcome_retention).new()

        for _ in range(2):
            with pytest.raises(NotSupported):
                lab.store.resolve(txid)

    @rule("ATM-5")
    def test_outcome_that_is_known_is_told_however_old_it_seems(self, lab: Lab) -> None:
        """A client whose clock is far behind learns what became of its commit (ATM-5)."""
        store = lab.open(ids=TimedIds(-10 * lab.store.guarantees.outcome_retention))
        lab.faults.lose_reply(times=1000)
        with pytest.raises(UnknownOutcome) as caught:
            store.put(Site(name="a"))
        lab.faults.clear()

        assert Outcome.COMMITTED == store.resolve(caught.value.txid)

    @rule("ATM-5")
    def test_resolve_that_cannot_ask_says_so(self, lab: Lab) -> None:
        """If the backend is out of reach, ``resolve`` raises ``Unavailable`` (ATM-5)."""
        lab.faults.unreachable(Settle)

        with pytest.raises(Unavailable):
            lab.store.resolve("some-1")
        assert Outcome.ABORTED == lab.store.resolve("some-1")


class TimedIds:
    """Identifiers of UUID version 7, by a clock that is wrong.

    Args:
        ahead: How far it is ahead.
    """

    def __init__(self, ahead: timedelta) -> None:
        self._ahead_ms = ahead // timedelta(milliseconds=1)

    def new(self) -> str:
        """Return a new identifier."""
        moment = f"{time.time_ns() // 1_000_000 + self._ahead_ms:012x}"
        chance = secrets.token_hex(9)
        return f"{moment[:8]}-{moment[8:]}-7{chance[:3]}-8{chance[3:6]}-{chance[6:]}"


def _raise(problem: type[BaseException]) -> None:
    raise problem


def _much(tx: Any, a: Site) -> None:
    tx.create(Rack(name="k", parent=a))
    tx.update(a.model_copy(update={"title": "new"}))
    tx.put(Item(name="i", serial="x"))
    tx.delete(tx.get(SetNull, "n"))


def _fail_late(tx: Any, *, a: Site, problem: type[BaseException]) -> None:
    _much(tx, a)
    raise problem


def _begin(lab: Lab) -> dict[str, Any]:
    """Create the data that each of :meth:`_calls` starts with."""
    if lab.records():
        with lab.store.transaction() as tx:
            tx.delete(*(record.key for record in lab.records().values()))
    with lab.store.transaction() as tx:
        site = tx.create(Site(name="a"))
        tx.create(Crate(name="c", parent=site))
        tx.create(SetNull(name="n", one=site))
    lab.faults.clear()
    return lab.state()


def _calls(lab: Lab) -> dict[str, Callable[[], Any]]:
    """Return a call of each kind that writes."""

    def move(tx: Any) -> None:
        tx.update(tx.get(Site, "a").model_copy(update={"title": "moved"}))
        tx.create(Restrict(name="r", one="Site/a"))

    def inside() -> None:
        with lab.store.transaction() as tx:
            move(tx)

    return {
        "create": lambda: lab.store.create(Rack(name="k", parent="Site/a")),
        "update": lambda: lab.store.update(lab.store.get(Site, "a").model_copy(update={"title": "new"})),
        "put": lambda: lab.store.put(Site(name="a", title="put")),
        "delete": lambda: lab.store.delete(Key("Site", "a")),
        "apply": lambda: lab.store.apply(lab.store.plan_delete(Key("Site", "a"))),
        "transaction": inside,
        "run": lambda: lab.store.run(move),
    }


def _requests_of(lab: Lab, call: Callable[[], Any]) -> list[Any]:
    _begin(lab)
    call()
    return [type(request) for request in lab.faults.requests]


def _die_at(lab: Lab, at: int, requests: list[Any], moment: Any) -> None:
    kind = requests[at]
    earlier = requests[:at].count(kind)
    if earlier:
        lab.faults.do(kind, lambda: None, moment=moment, times=earlier)
    lab.faults.do(kind, lambda: _raise(ClientDied), moment=moment)


def _commits(lab: Lab) -> list[Commit]:
    return lab.faults.asked(Commit)
