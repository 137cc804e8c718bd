"""WHO-5 to WHO-9: trails, which hold who changed a resource, when, why and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import pytest

from emco_store.contracts.bad_input import refused
from emco_store.contracts.checks import checked, take_away
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Site
from emco_store.contracts.origins import ALICE
from emco_store.contracts.rules import rule
from emco_store.core.indexing import indexed
from emco_store.core.keys import Key
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.trails import ABSENT, FieldChange, Trail, TrailEntry
from emco_store.errors import AlreadyExists, Conflict, InvalidCall, InvalidModel, MissingReference, Unavailable
from emco_store.ports import Commit, Request, Scan, Unreachable

KEEP = 3
"""How many versions the trail of a ledger goes back."""


class Ledger(Resource, trail=Trail(keep=KEEP, days=30)):
    """A resource with a trail, which a rule may edit."""

    site: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    rank: Annotated[int, indexed()] = 0
    notes: dict[str, Any] = {}


class Line(Resource, parent=Ledger, on_parent_delete=Rule.CASCADE, trail=Trail()):
    """A child with a trail, which a cascade may delete."""

    amount: int = 0


class TrailRules:
    """Ledgers and their lines have trails; sites have none."""

    @rule("WHO-5")
    def test_each_write_adds_what_changed_and_who_changed_it(self, lab: Lab) -> None:
        """Create, update, put and delete add one entry each, with old and new values (WHO-5)."""
        with lab.store.acting(**ALICE):
            made = lab.store.create(Ledger(name="a", notes={"k": [1, {"x": None}]}))
        moment = lab.clock.advance()
        with lab.store.acting(actor="bob", reason="fix"):
            lab.store.update(made.model_copy(update={"rank": 2, "notes": {"k": [1, {"x": 0}], "ключ": ""}}))
        lab.store.put(Ledger(name="a", rank=2))
        lab.store.put(Ledger(name="a", rank=2))
        lab.store.delete(made.key)

        deleted, replaced, updated, created = entries(lab, made)
        assert [("deleted", 4), ("changed", 3), ("changed", 2), ("created", 1)] == _steps(
            (deleted, replaced, updated, created)
        )
        assert ("alice", "CHG-7", "op-1") == (created.actor, created.reason, created.operation)
        assert {"name": "a", "site": None, "rank": 0, "notes": {"k": [1, {"x": None}]}} == _new(created)
        assert ("bob", "fix", "", moment) == (updated.actor, updated.reason, updated.operation, updated.at)
        assert {
            FieldChange(("rank",), 0, 2), FieldChange(("notes", "k", 1, "x"), None, 0),
            FieldChange(("notes", "ключ"), ABSENT, ""),
        } == set(updated.changes)  # fmt: skip
        assert {(("notes", "k"), ABSENT), (("notes", "ключ"), ABSENT)} == {(c.path, c.new) for c in replaced.changes}
        assert {"name": "a", "site": None, "rank": 2, "notes": {}} == {c.path[0]: c.old for c in deleted.changes}
        assert {made.meta.uid} == {one.uid for one in (deleted, replaced, updated, created)}

    @rule("WHO-5")
    def test_rules_and_cascades_leave_entries_in_their_commit(self, lab: Lab) -> None:
        """What a delete edits or takes along has an entry with the origin and the txid of that commit (WHO-5)."""
        site = lab.store.create(Site(name="s"))
        ledger = lab.store.create(Ledger(name="a", site=site))
        line = lab.store.create(Line(name="l", parent=ledger, amount=7))
        with lab.store.acting(actor="bob"):
            lab.store.delete(site)
            lab.store.delete(ledger.key)

        gone, edited, _ = entries(lab, ledger)
        along, _ = entries(lab, line)
        assert ("bob", (FieldChange(("site",), "Site/s", None),)) == (edited.actor, edited.changes)
        assert ("bob", "deleted", gone.txid) == (along.actor, along.action, along.txid)
        assert gone.txid != edited.txid

    @rule("WHO-5", "CHK-7")
    def test_repair_leaves_an_entry(self, lab: Lab) -> None:
        """A repair is a write like any other, with an entry in its commit, also without the model (WHO-5)."""
        for number, store in enumerate((lab.store, lab.open())):
            site = lab.store.create(Site(name=f"s{number}"))
            ledger = lab.store.create(Ledger(name=f"a{number}", site=site))
            take_away(lab, site.key)
            with store.acting(actor="carol"):
                store.repair(checked(store))

            newest, _ = entries(lab, ledger)
            assert ("carol", (FieldChange(("site",), site.key.text, None),)) == (newest.actor, newest.changes)

    @rule("WHO-5", "OCC-7")
    def test_transaction_leaves_one_entry_for_each_resource(self, lab: Lab) -> None:
        """Several writes of one resource in a transaction are one change; delete and create are two (WHO-5)."""
        old = lab.store.create(Ledger(name="a", rank=1))
        with lab.store.transaction() as tx:
            first = tx.create(Ledger(name="b"))
            tx.update(first.model_copy(update={"rank": 5}))
            tx.delete(old)
            tx.create(Ledger(name="a", rank=2))

        (b,) = entries(lab, first)
        found = entries(lab, old)
        assert ("created", 5) == (b.action, _new(b)["rank"])
        assert ["created", "created", "deleted"] == sorted(one.action for one in found)
        assert 2 == len({one.uid for one in found})
        assert {b.txid, next(one.txid for one in found if one.version == 1 and one.uid == old.meta.uid)} == {
            one.txid for one in found
        }

    @rule("WHO-5", "ATM-1")
    def test_write_that_is_refused_leaves_no_entry(self, lab: Lab) -> None:
        """An entry tells of a write that happened, and of nothing else (WHO-5)."""
        made = lab.store.create(Ledger(name="a"))
        newer = lab.store.update(made.model_copy(update={"rank": 1}))
        before = lab.state()
        refusals: tuple[tuple[type[Exception], Callable[[], Any]], ...] = (
            (AlreadyExists, lambda: lab.store.create(Ledger(name="a"))),
            (Conflict, lambda: lab.store.update(made.model_copy(update={"rank": 2}))),
            (MissingReference, lambda: lab.store.update(newer.model_copy(update={"site": Key("Site", "x")}))),
        )
        for problem, call in refusals:
            with pytest.raises(problem):
                call()
        lab.faults.do(Commit, _out_of_reach)
        with pytest.raises(Unavailable):
            lab.store.update(newer.model_copy(update={"rank": 3}))

        assert before == lab.state()

    @rule("WHO-5", "DEL-9")
    def test_plan_leaves_entries_when_it_is_applied(self, lab: Lab) -> None:
        """An entry has origin, time and txid of the application; a plan alone leaves none (WHO-5)."""
        ledger = lab.store.create(Ledger(name="a"))
        with lab.store.acting(actor="planner"):
            plan = lab.store.plan_delete(ledger)
        assert 1 == len(entries(lab, ledger))
        now = lab.clock.advance()
        with lab.store.acting(actor="applier"):
            lab.store.apply(plan)

        gone, _ = entries(lab, ledger)
        assert ("applier", "deleted", now) == (gone.actor, gone.action, gone.at)
        assert gone.txid != plan.commit.txid
        assert [gone.key] == [one.key for one in lab.store.trail(Ledger, limit=1)]

    @rule("WHO-6")
    def test_trail_outlives_its_resources(self, lab: Lab) -> None:
        """It is there when the resource is not, tells apart who had the key, and blocks nothing (WHO-6)."""
        first = lab.store.create(Ledger(name="a"))
        lab.store.delete(first)
        second = lab.store.create(Ledger(name="a"))
        other = lab.store.create(Ledger(name="ab"))
        lab.store.delete(second, other)

        assert {first.meta.uid: 2, second.meta.uid: 2} == _by_uid(entries(lab, first.key))
        assert {other.meta.uid: 2} == _by_uid(entries(lab, other.key))
        assert () == lab.store.list(Resource).items
        assert [] == checked(lab.store)

    @rule("WHO-7")
    def test_page_of_a_trail_is_one_request(self, lab: Lab) -> None:
        """Every size of page gives the same entries, newest first, for one request each (WHO-7)."""
        lines = lab.store.create(Ledger(name="a"))
        line = lab.store.create(Line(name="l", parent=lines))
        for amount in range(1, 8):
            lab.clock.advance()
            line = lab.store.update(line.model_copy(update={"amount": amount}))
        lab.store.create(Line(name="m", parent=lines))

        for target, versions in ((line, [*range(8, 0, -1)]), (Line, [8, *range(7, 0, -1)])):
            for limit in (1, 3, 8, 100):
                found: list[int] = []
                after: str | None = None
                while True:
                    asked = len(lab.faults.requests)
                    page = lab.store.trail(target, limit=limit, after=after)
                    assert 1 == len(lab.faults.requests) - asked
                    found += [one.version for one in page if one.key == line.key]
                    after = page.next
                    if after is None:
                        break
                assert versions == found
        for bad in ({"limit": 0}, {"limit": 1001}, {"after": "x"}, {"after": lab.store.trail(Line, limit=1).next}):
            with refused(lab, InvalidCall):
                lab.store.trail(line, **bad)

    @rule("WHO-8")
    def test_trail_goes_back_as_far_as_its_class_says(self, lab: Lab) -> None:
        """Each write removes what lies too far back, in its own commit (WHO-8)."""
        ledger = lab.store.create(Ledger(name="a"))
        for rank in range(1, 5):
            ledger = lab.store.update(ledger.model_copy(update={"rank": rank}))
        assert [5, 4, 3] == [one.version for one in entries(lab, ledger)]
        with lab.store.transaction() as tx:
            for rank in (10, 11):
                ledger = tx.update(ledger.model_copy(update={"rank": rank}))
        assert [7, 5] == [one.version for one in entries(lab, ledger)]
        read = lab.store.get(ledger)
        asked = len(lab.faults.requests)
        with lab.store.transaction() as tx:
            tx.update(tx.get(read).model_copy(update={"rank": 12}))

        assert [8, 7] == [one.version for one in entries(lab, ledger)]
        assert [True] == [isinstance(one, Commit) for one in lab.faults.requests[asked + 1 : asked + 2]]

    @rule("WHO-8")
    def test_prune_removes_what_is_old_and_nothing_else(self, lab: Lab) -> None:
        """Age counts, of one resource or of a kind, and a page at a time is removed (WHO-8)."""
        store = lab.open(max_records=2)
        for name in ("a", "b"):
            lab.store.delete(lab.store.create(Ledger(name=name)))
        lab.clock.advance(timedelta(days=31))
        kept = lab.store.create(Ledger(name="b"))
        store.create(Site(name="s"))

        for nothing in (None, 7, timedelta(seconds=-1)):
            with refused(lab, InvalidCall):
                lab.open().prune_trail(kept.key, older_than=nothing)
        assert 2 == store.prune_trail(Key("Ledger", "a"), older_than=timedelta(days=30))
        assert 2 == store.prune_trail(Ledger)
        assert [kept.meta.uid] == [one.uid for one in lab.store.trail(Ledger)]
        assert 0 == store.prune_trail(Ledger)
        assert 1 == store.prune_trail(Ledger, older_than=timedelta(0))
        assert {"Ledger/b", "Site/s"} == lab.state().keys()

    @rule("WHO-9", "ALL-2")
    def test_programs_without_the_model_keep_the_trail(self, lab: Lab) -> None:
        """Their cascades and edits leave entries, and the old ones go (WHO-9)."""
        site = lab.store.create(Site(name="s"))
        ledger = lab.store.create(Ledger(name="a", site=site))
        line = lab.store.create(Line(name="l", parent=ledger))
        for rank in (1, 2):
            ledger = lab.store.update(ledger.model_copy(update={"rank": rank}))
        store = lab.open()
        with store.acting(actor="stranger"):
            store.delete(site.key)
            assert [4, 3, 2] == [one.version for one in lab.store.trail(ledger)]
            store.delete(ledger.key)

        for one in (ledger, line):
            last = next(iter(lab.open().trail(one.key)))
            assert ("stranger", "deleted") == (last.actor, last.action)

    @rule("WHO-5", "BAD-9")
    def test_trail_that_cannot_work_is_refused(self, lab: Lab) -> None:
        """Numbers out of range and anything but a trail are refused when the class is defined (WHO-5)."""
        for keep, days in ((0, 1), (-1, 1), (10_001, 1), (1, 0), (True, 1), ("3", 1), (3.0, 1), (1, -1), (1, 10**9)):
            bad: Any = keep
            with refused(lab, InvalidModel):
                Trail(keep=bad, days=days)
        meta: Any = type(Resource)
        for trail in (3, "yes", Trail):
            with refused(lab, InvalidModel):
                meta("Impossible", (Resource,), {}, trail=trail)

    @rule("WHO-5", "BAD-3")
    def test_entry_that_would_be_too_large_names_the_fields_alone(self, lab: Lab) -> None:
        """A change whose two values do not fit into one document is recorded without them (WHO-5)."""
        store = lab.open(max_bytes=1000)
        made = store.create(Ledger(name="a", notes={"k": "x" * 800}))
        store.update(made.model_copy(update={"notes": {"k": "y" * 800}}))

        last, first = entries(lab, made)
        assert (True, (FieldChange(("notes", "k")),)) == (last.is_shortened, last.changes)
        assert not first.is_shortened

    @rule("WHO-6", "BAD-8")
    def test_entry_that_cannot_be_read_stands_in_its_place(self, lab: Lab) -> None:
        """An entry that somebody has spoiled hides none of the others (WHO-6)."""
        made = lab.store.create(Ledger(name="a"))
        lab.store.update(made.model_copy(update={"rank": 1}))
        for text in (b"{}", b"[]", b'{"action":"x","changes":[]}', b'{"action":"created","changes":[1]}', b"{"):
            spoiled = lab.port.ask(Scan("emco__Trail")).records[0]
            lab.tamper(spoiled.key, text)
            page = lab.store.trail(made)
            assert ([2], 1) == ([one.version for one in page.resources], len(page.errors))


def entries(lab: Lab, target: Any) -> tuple[TrailEntry, ...]:
    """Return the whole trail of a resource, newest first."""
    page = lab.store.trail(target)
    assert page.next is None
    assert () == page.errors
    return tuple(page)


def _steps(found: Sequence[TrailEntry]) -> list[tuple[str, int]]:
    return [(one.action.value, one.version) for one in found]


def _new(entry: TrailEntry) -> dict[str, Any]:
    return {str(change.path[0]): change.new for change in entry.changes}


def _by_uid(found: Sequence[TrailEntry]) -> dict[str, int]:
    return dict(Counter(one.uid for one in found))


def _out_of_reach() -> Request[Any]:
    raise Unreachable("out of reach")
