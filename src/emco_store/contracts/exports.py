"""EXP-1 to EXP-3: what an export holds, and how an import writes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    Anything,
    App,
    Beacon,
    Bundle,
    Cascade,
    Crate,
    Item,
    Mate,
    Parcel,
    Pilot,
    Plan,
    Rack,
    Remove,
    Restrict,
    SetDefault,
    SetNull,
    Site,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    MissingReference,
    NotFound,
    UniqueViolation,
)
from emco_store.ports import Commit, Scan

MODELS = (Anything, App, Beacon, Bundle, Cascade, Crate, Item, Mate, Parcel, Pilot, Plan, Rack, Remove, Restrict,
          SetDefault, SetNull, Site)  # fmt: skip


def filled(lab: Lab) -> None:
    """Create resources with references of every form, values of every type, and a cycle."""
    a, b, main = sites(lab, "a", "b", "main")
    with lab.store.transaction() as tx:
        crate = tx.create(Crate(parent=a, name="c"))
        tx.create(Parcel(parent=crate, name="p.1", code="X", weight=3))
        rack = tx.create(Rack(parent=b, name="r"))
        tx.create(Restrict(name="x", one=a, listed=[a, b], by_name={"n": b}, by_site={a: "t"}, either=rack))
        tx.create(SetNull(name="x", one=a, only=b, listed=[None, a]))
        tx.create(SetDefault(name="x", one=main))
        tx.create(Remove(name="x", chosen={a, b}, by_site={b: "s"}, grid=[[a], []]))
        tx.create(Cascade(name="x", one=a, before="Cascade/y"))
        tx.create(Cascade(name="y", before="Cascade/z"))
        tx.create(Cascade(name="z", before="Cascade/x"))
        bundle = tx.create(Bundle(parent=a, name="f", version="v1"))
        tx.create(App(parent=bundle, name="ü ő"))
        tx.create(Plan(parent=bundle, name="p", app="ü ő", targets={"ü ő": "t", "all": "u"}))
        tx.create(Beacon(parent=a, name="l"))
        tx.create(Pilot(name="x", one="l", below=a))
        tx.create(Mate(parent=a, name="x", mate="z"))
        tx.create(Mate(parent=b, name="z"))
        tx.create(Item(name="i", rank=-4, label='q"\n', price=0.1, serial="s"))
        tx.create(
            Anything(
                name="x", value=[1, 1.5, None, True, {"z": 1, "a": {}}], whole=2**63 - 1, real=-1e-300, text="\u2028é",
                day=date(2030, 2, 28), moment=datetime(2030, 1, 1, tzinfo=UTC), uid=UUID(int=7), opaque={"$a.b": 1},
            )
        )  # fmt: skip


def shape(records: Iterable[Record]) -> dict[str, Any]:
    """Return all of records that an export holds."""
    return {
        record.key.text: (record.document, record.edges, sorted(record.unique), sorted(record.index))
        for record in records
    }


class ExportRules:
    """Resources leave a namespace and come back."""

    @rule("EXP-1")
    def test_import_is_the_inverse_of_an_export(self, lab: Lab) -> None:
        """All that is stored of a resource but uid, version and times comes back, with and without models (EXP-1)."""
        filled(lab)
        before = shape(lab.records().values())
        values = lab.open(models=MODELS).get_many([Key.parse(text) for text in before])

        text = lab.open().export().text
        for models in ((), MODELS):
            lab.wipe()
            done = lab.open(models=models).import_(text)

            assert (len(before), 0, 0) == (done.created, done.updated, done.unchanged)
            assert before == shape(lab.records().values())
            again = lab.open(models=MODELS).get_many([Key.parse(text) for text in before])
            assert [dict(one) for one in values] == [dict(one) for one in again]
            assert text == lab.open(models=models).export().text

    @rule("EXP-1")
    def test_imported_rules_hold(self, lab: Lab) -> None:
        """What an import without models has written is protected, edited and unique as before (EXP-1)."""
        filled(lab)
        text = lab.store.export().text
        lab.wipe()
        lab.open().import_(text)

        with pytest.raises(DeleteRestricted) as caught:
            lab.open().delete(Key.parse("Site/a"))
        blockers = {blocker.referrer for blocker in caught.value.blockers}
        assert {"Bundle/a/f/v1", "Restrict/x"} <= {key.text for key in blockers}
        lab.open().delete(*blockers, Key.parse("Site/a"))
        assert lab.store.get(SetNull, "x").one is None
        with pytest.raises(UniqueViolation):
            lab.store.create(Item(name="j", serial="s"))

    @rule("EXP-1")
    def test_export_shows_one_moment(self, lab: Lab) -> None:
        """A resource that comes while an export reads is in it with all that it refers to, or neither is (EXP-1)."""
        sites(lab, "a")
        other = lab.open()
        names = iter("bc")

        def write() -> Any:
            return lab.inside(other).create(Site(name=next(names)))

        lab.faults.do(Scan, write, times=2)
        export = lab.store.export()

        assert ["Site/a", "Site/b", "Site/c"] == [json.loads(line)["key"] for line in export.lines[1:]]
        assert 3 == export.resources

    @rule("EXP-1")
    def test_export_of_what_never_rests_is_a_conflict(self, lab: Lab) -> None:
        """An export that sees no state twice is refused, and may be tried again (EXP-1)."""
        (made,) = sites(lab, "a")
        other = lab.open()
        titles = iter("abcdefghijkl")

        def write() -> Any:
            return lab.inside(other).put(made.model_copy(update={"title": next(titles)}))

        lab.faults.do(Scan, write, times=12)

        with pytest.raises(Conflict) as caught:
            lab.store.export()

        assert caught.value.retryable

    @rule("EXP-1")
    def test_export_under_a_resource_holds_what_lies_under_it(self, lab: Lab) -> None:
        """Descendants of every kind and depth are in it, namesakes are not; targets outside are named (EXP-1)."""
        a, b = sites(lab, "a", "ab")
        crate = lab.store.create(Crate(parent=a, name="c"))
        lab.store.create(Parcel(parent=crate, name="p"))
        lab.store.create(Rack(parent=a, name="r"))
        lab.store.create(Crate(parent=b, name="c"))
        lab.store.create(Restrict(name="x", one=a))

        export = lab.store.export(under=a)
        inner = lab.store.export(under=crate)

        assert ["Crate/a/c", "Parcel/a/c/p", "Rack/a/r", "Site/a"] == [
            json.loads(line)["key"] for line in export.lines[1:]
        ]
        assert {"format": 1, "resources": 4, "under": "Site/a"} == json.loads(export.lines[0])["export"]
        assert ((), (a.key,)) == (export.outside, inner.outside)
        with pytest.raises(NotFound):
            lab.store.export(under=Key("Site", "none"))

    @rule("EXP-1")
    def test_unreadable_document_is_not_left_out(self, lab: Lab) -> None:
        """An export that would not be whole is refused (EXP-1)."""
        (a,) = sites(lab, "a")
        lab.tamper(a.key, b"[1]")

        with pytest.raises(InvalidResource) as caught:
            lab.store.export()

        assert a.key == caught.value.key

    @rule("EXP-2")
    def test_targets_are_written_before_those_that_refer_to_them(self, lab: Lab) -> None:
        """With one resource in each commit, nothing dangles at any moment, and a cycle is one commit (EXP-2)."""
        filled(lab)
        lines = lab.store.export().lines
        lab.wipe()
        seen: list[int] = []

        def look(done: Any) -> None:
            seen.append(done.created)
            assert [] == lab.dangling()

        done = lab.open().import_(list(reversed(lines)), batch=1, progress=look)

        assert len(lines) - 1 == done.created == seen[-1]
        assert 3 in {after - before for before, after in zip([0, *seen], seen, strict=False)}
        assert len(seen) == done.created - 2

    @rule("EXP-2")
    def test_what_would_dangle_is_named_and_nothing_is_written(self, lab: Lab) -> None:
        """All references without a target are named at once, whichever batch holds them (EXP-2)."""
        filled(lab)
        lines = [line for line in lab.store.export() if '"key":"Site/b"' not in line and "resources" not in line]
        lab.wipe()

        plan = lab.open().plan_import(lines, batch=1)
        with pytest.raises(MissingReference) as caught:
            lab.open().import_(lines, batch=1)

        places = {place for place, _ in caught.value.missing}
        assert plan.unresolved == caught.value.missing
        assert {"Rack/b/r parent", "SetNull/x only", "Restrict/x listed[1]", "Remove/x by_site{Site/b}"} <= places
        assert {Key("Site", "b")} == {target for _, target in caught.value.missing}
        assert {} == lab.records()

    @rule("EXP-2")
    def test_selection_holds_another_match_of_a_part(self, lab: Lab) -> None:
        """Where the match that it held is left out, a selection comes after another one (EXP-2)."""
        a, b = sites(lab, "a", "b")
        with lab.store.transaction() as tx:
            tx.create(Mate(parent=a, name="a", mate="z"))
            held, other = tx.create(Mate(parent=a, name="z")), tx.create(Mate(parent=b, name="z"))
        if lab.records()["Mate/a/a"].refers_to({other.key.text}):
            held, other = other, held
        lines = [line for line in lab.store.export() if f'"key":"{held.key}"' not in line and "resources" not in line]
        lab.wipe()

        assert 4 == lab.open().import_(lines, batch=1).created
        assert lab.records()["Mate/a/a"].refers_to({other.key.text})

    @rule("EXP-2")
    def test_target_may_be_in_the_store(self, lab: Lab) -> None:
        """What is not in the export and stands in the store is a target like any other (EXP-2)."""
        a, _ = sites(lab, "a", "b")
        made = lab.store.create(Restrict(name="x", one=a))
        lines = [line for line in lab.store.export() if "Restrict/x" in line]
        lab.store.delete(made)

        assert 1 == lab.open().import_(lines).created
        assert a.ref == lab.store.get(made.key).one

    @rule("EXP-2")
    def test_faulty_lines_are_named_all_at_once(self, lab: Lab) -> None:
        """Each line that is none, and each document that its model refuses, is named with its line or key (EXP-2)."""
        good = '{"key":"Site/a","document":{"name":"a"}}'
        faulty = (
            "{",
            "[]",
            '{"key":"Site","document":{}}',
            '{"key":"Site/x","document":1}',
            '{"key":"emco__Lifecycle/Site/x","document":{}}',
            '{"key":"Site/x","document":{},"more":1}',
            '{"key":"Site/x","document":{},"references":[{"path":["one"],"target":"Site/a","rule":"MAYBE"}]}',
            '{"key":"Site/x","document":{},"references":[{"path":["parent"],"target":"Site/a","rule":"CASCADE"}]}',
            '{"key":"Site/x","document":{},"references":[{"path":["o"],"target":"emco__Trail/a/b","rule":"PROTECT"}]}',
            '{"key":"Site/x","document":{"$a":1}}',
            '{"key":"Site/x","document":{},"index":[["a",1]]}',
            '{"key":"Site/a","document":{"name":"b"}}',
            '{"export":{"format":2}}',
        )
        with pytest.raises(InvalidResource) as caught:
            lab.store.import_([good, *faulty])

        assert [f"line {number}" for number in range(2, len(faulty) + 2)] == [
            problem.partition(":")[0] for problem in caught.value.problems
        ]
        with pytest.raises(InvalidResource) as misfit:
            lab.open(models=MODELS).import_([good, '{"key":"Rack/a/r","document":{"name":"r","units":"many"}}'])
        assert ["Rack/a/r"] == [problem.partition(":")[0] for problem in misfit.value.problems]
        alone = '{"key":"Odd/x","document":{},"references":[{"path":["one"],"target":"Site/a","rule":"CASCADE"}]}'
        with pytest.raises(InvalidResource):
            lab.store.import_([good, alone])
        for wrong in (None, 3):
            with pytest.raises(InvalidCall):
                lab.store.import_(wrong)
        with pytest.raises(InvalidCall):
            lab.store.import_([good], batch=0)
        assert {} == lab.records()

    @rule("EXP-2")
    def test_export_that_was_cut_off_is_refused(self, lab: Lab) -> None:
        """Fewer lines than the first one says are no export; without that line they are a choice (EXP-2)."""
        sites(lab, "a", "b", "c")
        lines = lab.store.export().lines
        lab.wipe()

        with pytest.raises(InvalidResource):
            lab.open().import_("\n".join(lines[:3]))
        assert {} == lab.records()
        assert 2 == lab.open().import_("\n".join(lines[1:3])).created

    @rule("EXP-3")
    def test_import_may_be_repeated(self, lab: Lab) -> None:
        """After an interruption the same import goes on: what is there stays, in the same version (EXP-3)."""
        filled(lab)
        lines = lab.store.export().lines
        lab.wipe()

        class Interrupted(Exception):
            """Stands for a key on the keyboard."""

        def interrupt(done: Any) -> None:
            if done.created > 5:
                raise Interrupted

        with pytest.raises(Interrupted):
            lab.open().import_(lines, batch=1, progress=interrupt)
        half = lab.records()
        done = lab.open().import_(lines)

        assert 5 < len(half) < len(lines) - 1
        assert (len(half), len(lines) - 1 - len(half)) == (done.unchanged, done.created)
        stamps = {text: record.stamp for text, record in lab.records().items()}
        assert {text: record.stamp for text, record in half.items()}.items() <= stamps.items()
        assert len(lines) - 1 == lab.open(models=MODELS).import_(lines).unchanged
        assert stamps == {text: record.stamp for text, record in lab.records().items()}

    @rule("EXP-3")
    def test_what_differs_is_refused_or_replaced(self, lab: Lab) -> None:
        """All that differs is named before anything is written; replaced, it keeps its uid (EXP-3)."""
        a, b = sites(lab, "a", "b")
        lines = lab.store.export().lines
        lab.store.delete(a)
        changed = lab.store.update(b.model_copy(update={"title": "new"}))
        before = lab.records()

        plan = lab.open().plan_import(lines, batch=1)
        with pytest.raises(AlreadyExists) as caught:
            lab.open().import_(lines, batch=1)

        assert b.key == caught.value.key
        assert ([a.key], [b.key]) == (list(plan.creates), [change.key for change in plan.updates])
        assert ["title"] == [one.place for one in plan.updates[0].fields]
        assert before == lab.records()
        done = lab.open().import_(lab.open().plan_import(lines, replace=True))
        assert (1, 1, 0) == (done.created, done.updated, done.unchanged)
        again = lab.store.get(b)
        assert (b.title, changed.meta.uid, 3) == (again.title, again.meta.uid, again.meta.version)

    @rule("EXP-3")
    def test_resource_that_appears_meanwhile_is_not_replaced(self, lab: Lab) -> None:
        """One that another writer has created since the plan is refused at its commit (EXP-3)."""
        sites(lab, "a")
        lines = lab.store.export().lines
        lab.wipe()
        plan = lab.open().plan_import(lines)
        other = lab.open()
        lab.faults.do(Commit, lambda: lab.inside(other).create(Site(name="a", title="theirs")))

        with pytest.raises(AlreadyExists):
            lab.open().import_(plan)

        assert "theirs" == lab.store.get(Site, "a").title
