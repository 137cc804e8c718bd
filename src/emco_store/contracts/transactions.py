"""OCC-5 to OCC-8: what a transaction sees, who may use it, and how ``run`` repeats it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Cascade, Crate, Item, Parcel, Rack, Remove, Restrict, Site
from emco_store.contracts.rules import rule
from emco_store.core.query import F
from emco_store.errors import AlreadyExists, Conflict, InvalidCall, MissingReference, NotFound, UniqueViolation
from emco_store.ports import Commit, Get


class TransactionRules:
    """One transaction and its block."""

    @rule("OCC-5")
    def test_list_without_an_owner_must_say_so(self, lab: Lab) -> None:
        """Inside a transaction a list without an owner is refused unless it says ``stable=False`` (OCC-5)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))

        with lab.store.transaction() as tx:
            with pytest.raises(InvalidCall):
                tx.list(Site)
            with pytest.raises(InvalidCall):
                tx.list(Crate, under=a)
            assert [a] == list(tx.list(Site, stable=False))
            assert [crate] == list(tx.list(Crate, parent=a))

    @rule("OCC-5")
    def test_unstable_list_still_rests_on_what_it_gave(self, lab: Lab) -> None:
        """With ``stable=False`` others may join the list, but what was read must not change (OCC-5)."""
        (a,) = sites(lab, "a")
        other = lab.open()

        with lab.store.transaction() as tx:
            tx.list(Site, stable=False)
            other.create(Site(name="b"))
            tx.create(Site(name="c"))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.list(Site, stable=False)
            other.update(a.model_copy(update={"title": "new"}))
            tx.create(Site(name="d"))

        assert ["Site/a", "Site/b", "Site/c"] == sorted(lab.state())

    @rule("OCC-6")
    def test_run_repeats_until_it_wins_and_counts_once(self, lab: Lab) -> None:
        """``run`` repeats its function on ``Conflict``, has its effect once, and returns the last result (OCC-6)."""
        made = lab.store.create(Item(name="i", rank=0))
        other = lab.open()
        attempts = []

        def add(tx: Any) -> Any:
            found = tx.get(made)
            attempts.append(found.rank)
            if len(attempts) < 4:
                lab.faults.do(
                    Commit, lambda: lab.inside(other).update(found.model_copy(update={"rank": found.rank + 1}))
                )
            tx.update(found.model_copy(update={"rank": found.rank + 100}))
            return found.rank

        assert 3 == lab.store.run(add)
        assert [0, 1, 2, 3] == attempts
        assert 103 == lab.store.get(made).rank

    @rule("OCC-6")
    def test_run_gives_up_at_its_deadline(self, lab: Lab) -> None:
        """After the deadline the last ``Conflict`` is raised, and nothing is written (OCC-6)."""
        made = lab.store.create(Item(name="i", rank=0))
        other = lab.open()
        attempts = []

        def lose(tx: Any) -> None:
            found = tx.get(made)
            attempts.append(found.rank)
            lab.faults.do(Commit, lambda: lab.inside(other).update(found.model_copy(update={"rank": found.rank + 1})))
            tx.update(found.model_copy(update={"rank": 100}))

        with pytest.raises(Conflict):
            lab.store.run(lose, deadline=timedelta(0))

        assert ([0], 1) == (attempts, lab.store.get(made).rank)

    @rule("OCC-6")
    def test_run_does_not_repeat_what_would_fail_again(self, lab: Lab) -> None:
        """Other errors, including those of the function, end ``run`` at once, and nothing is written (OCC-6)."""
        (a,) = sites(lab, "a")
        stale = a
        lab.store.update(a.model_copy(update={"title": "new"}))
        before = lab.state()
        attempts = []

        for problem, step in (
            (NotFound, lambda tx: tx.get(Site, "absent")),
            (AlreadyExists, lambda tx: tx.create(Site(name="a"))),
            (Conflict, lambda tx: tx.update(stale.model_copy(update={"title": "stale"}))),
            (ZeroDivisionError, lambda tx: (tx.create(Site(name="b")), 1 // 0)),
        ):

            def fn(tx: Any, step: Any = step) -> None:
                attempts.append(1)
                step(tx)

            with pytest.raises(problem):
                lab.store.run(fn)

        assert (4, before) == (len(attempts), lab.state())

    @rule("OCC-6", "DEL-10")
    def test_own_contradiction_is_no_lost_race(self, lab: Lab) -> None:
        """A transaction whose own steps contradict each other is no ``Conflict`` and not repeated (OCC-6, DEL-10)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Remove(name="r", listed=[a, b]))
        lab.store.create(Cascade(name="x", one=a))
        before = lab.state()
        attempts: list[int] = []

        steps: Callable[[Any], Any]
        for steps, problem in (
            (lambda tx: (tx.create(Site(name="a")), tx.delete(b)), AlreadyExists),
            (lambda tx: (tx.create(Site(name="a")), tx.delete(a)), AlreadyExists),
            (lambda tx: (tx.delete(a), tx.put(Remove(name="r", listed=[b, a]))), MissingReference),
            (lambda tx: (tx.delete(a), tx.create(Cascade(name="x", one=a))), MissingReference),
        ):
            attempts.clear()
            with pytest.raises(problem):
                lab.store.run(partial(_counted, attempts, steps))
            assert ([1], before) == (attempts, lab.state())

    @rule("OCC-6", "ID-5")
    def test_put_repeats_until_it_wins(self, lab: Lab) -> None:
        """A put that loses a race replaces what the other one has put (OCC-6, ID-5)."""
        other = lab.open()
        lab.faults.do(Commit, lambda: lab.inside(other).put(Site(name="a", title="theirs")))

        mine = lab.store.put(Site(name="a", title="mine"))

        assert (2, "mine") == (mine.meta.version, lab.store.get(mine).title)

    @rule("OCC-7")
    def test_transaction_sees_its_own_writes(self, lab: Lab) -> None:
        """Every read shows what the transaction has created, changed and deleted (OCC-7)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))
        old, gone = (lab.store.create(Parcel(name=name, parent=crate, colour="red", weight=5)) for name in ("old", "x"))

        with lab.store.transaction() as tx:
            tx.create(Parcel(name="new", parent=crate, colour="red", weight=1))
            tx.update(old.model_copy(update={"weight": 3}))
            tx.delete(gone)
            assert 3 == tx.get(old).weight
            with pytest.raises(NotFound):
                tx.get(gone)
            for found in (
                tx.list(Parcel, parent=crate),
                tx.list(Parcel, parent=crate, where=F.colour == "red"),
                tx.list(Parcel, parent=crate, order_by="-weight", limit=2),
                tx.list(Parcel, stable=False),
                tx.children(crate),
                tx.referrers(crate),
            ):
                assert {"new": 1, "old": 3} == {parcel.name: parcel.weight for parcel in found}
            ordered = tx.list(Parcel, parent=crate, order_by="weight", limit=1)
            rest = tx.list(Parcel, parent=crate, order_by="weight", limit=1, after=ordered.next)
            assert (["new"], ["old"]) == ([item.name for item in ordered], [item.name for item in rest])

    @rule("OCC-7")
    def test_nobody_sees_a_write_before_the_commit(self, lab: Lab) -> None:
        """Until the commit everybody else sees the state before it (OCC-7)."""
        (a,) = sites(lab, "a")
        before = lab.state()
        other = lab.open()

        with lab.store.transaction() as tx:
            tx.create(Rack(name="k", parent=a))
            tx.update(a.model_copy(update={"title": "new"}))
            tx.delete(tx.create(Site(name="b")))
            assert before == lab.state()
            assert [a] == list(other.list(Site))
            assert [] == list(other.children(a))

        assert ["Rack/a/k", "Site/a"] == sorted(lab.state())

    @rule("OCC-7", "ID-6")
    def test_own_claim_of_a_unique_value_is_seen_at_the_commit(self, lab: Lab) -> None:
        """A unique value that another client claims between read and commit is refused (OCC-7, ID-6)."""
        other = lab.open()

        with pytest.raises(UniqueViolation), lab.store.transaction() as tx:
            tx.create(Item(name="i", serial="x"))
            other.create(Item(name="j", serial="x"))

        assert ["Item/j"] == list(lab.state())

    @rule("OCC-8")
    def test_transaction_is_refused_after_its_end(self, lab: Lab) -> None:
        """A transaction is valid only inside its block, however the block ends (OCC-8)."""
        (a,) = sites(lab, "a")
        ended = []
        with lab.store.transaction() as tx:
            ended.append(tx)
        with pytest.raises(ZeroDivisionError), lab.store.transaction() as tx:
            ended.append(tx)
            _ = 1 // 0
        lab.store.run(ended.append)

        for tx in ended:
            use: Callable[[Any], Any]
            for use in (
                lambda tx: tx.get(a),
                lambda tx: tx.create(Site(name="b")),
                lambda tx: tx.update(a),
                lambda tx: tx.put(a),
                lambda tx: tx.delete(a),
                lambda tx: tx.list(Site, stable=False),
                lambda tx: tx.children(a),
                lambda tx: tx.referrers(a),
                lambda tx: tx.commit(),
            ):
                with pytest.raises(InvalidCall):
                    use(tx)
        assert ["Site/a"] == list(lab.state())

    @rule("OCC-8")
    def test_transaction_is_refused_to_a_second_user(self, lab: Lab) -> None:
        """While one call of a transaction waits for the backend, other calls on it are refused (OCC-8)."""
        (a,) = sites(lab, "a")

        second: Callable[[Any], Any]
        for second in (
            lambda tx: lab.inside(tx).get(a),
            lambda tx: lab.inside(tx).create(Site(name="b")),
            lambda tx: lab.inside(tx).delete(a),
        ):
            with lab.store.transaction() as tx:
                lab.faults.do(Get, partial(second, tx))
                with pytest.raises(InvalidCall):
                    tx.get(a)

        assert ["Site/a"] == list(lab.state())

    @rule("OCC-8")
    def test_store_is_refused_inside_run(self, lab: Lab) -> None:
        """What is done around ``tx`` would neither be checked nor repeated with it, so it is refused (OCC-8)."""
        (a,) = sites(lab, "a")
        use: Callable[[], Any]
        for use in (
            lambda: lab.store.get(a),
            lambda: lab.store.list(Site),
            lambda: lab.store.create(Site(name="b")),
            lambda: lab.store.delete(a),
            lambda: lab.store.run(lambda _: None),
        ):
            with pytest.raises(InvalidCall):
                lab.store.run(lambda _, use=use: use())
        assert a == lab.store.get(a)
        other = lab.open()
        assert a == lab.store.run(lambda _: other.get(a))

    @rule("OCC-8")
    def test_store_is_refused_inside_its_transaction_only(self, lab: Lab) -> None:
        """Inside a block the store itself is refused, other stores are not, and afterwards it is free again (OCC-8)."""
        (a,) = sites(lab, "a")
        other = lab.open()
        uses: Sequence[Callable[[], Any]] = (
            lambda: lab.store.get(a),
            lambda: lab.store.create(Site(name="c")),
            lambda: lab.store.delete(a),
        )

        with pytest.raises(ValueError, match="given up"), lab.store.transaction() as tx:
            tx.create(Site(name="b"))
            for use in uses:
                with pytest.raises(InvalidCall):
                    use()
            with pytest.raises(InvalidCall), lab.store.transaction():
                pass
            assert a == other.get(a)
            raise ValueError("given up")

        assert ["Site/a"] == list(lab.state())
        assert a == lab.store.get(a)

    @rule("OCC-14")
    def test_run_of_a_generator_commits_nothing(self, lab: Lab) -> None:
        """A function that yields would be called and never run: it is refused, and nothing is written (OCC-14)."""

        def yields(tx: Any) -> Any:
            yield tx.create(Site(name="never"))

        with pytest.raises(InvalidCall):
            lab.store.run(yields)

        assert {} == lab.state()

    @rule("OCC-8", "ATM-1")
    def test_failed_step_does_not_end_the_transaction(self, lab: Lab) -> None:
        """A refused step writes nothing, and the steps before and after it commit together (OCC-8, ATM-1)."""
        (a,) = sites(lab, "a")

        with lab.store.transaction() as tx:
            tx.create(Rack(name="k", parent=a))
            with pytest.raises(NotFound):
                tx.get(Site, "absent")
            with pytest.raises(AlreadyExists):
                tx.create(Rack(name="k", parent=a))
            tx.create(Restrict(name="r", either="Rack/a/k"))

        assert ["Rack/a/k", "Restrict/r", "Site/a"] == sorted(lab.state())


def _counted(attempts: list[int], steps: Callable[[Any], Any], tx: Any) -> None:
    attempts.append(1)
    steps(tx)
