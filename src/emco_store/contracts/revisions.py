"""HIS-1 to HIS-5, HIS-11, HIS-12: the history of a resource."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.recorded import (
    CHART,
    DESK,
    HALL,
    PLANT,
    Desk,
    Plain,
    PlantLife,
    approve,
    begin,
    saved,
    write,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.naming import REVISION, REVISION_PART
from emco_store.core.records import Record
from emco_store.core.resource import Resource
from emco_store.core.trails import FieldChange
from emco_store.errors import AlreadyExists, InvalidCall, InvalidResource, NotFound
from emco_store.ports import Commit, Get, Scan


class RevisionRules:
    """Revisions: what they hold, how they are numbered, found, named and removed."""

    @rule("HIS-1", "HIS-3")
    def test_revision_holds_the_content_of_its_commit(self, lab: Lab) -> None:
        """A revision is addressed by key, uid and number, and brings its content back whole (HIS-1, HIS-3)."""
        begin(lab.store)
        uid = lab.store.get(PLANT).meta.uid
        approve(lab.store)
        write(lab.store, DESK, text="second")

        found = lab.store.revision(PLANT, 1)

        assert (PLANT, uid, 1, "Approved", "approve", "seen") == (
            found.revision.key, found.revision.uid, found.revision.number, found.revision.state,
            found.revision.transition, found.revision.note,
        )  # fmt: skip
        assert [DESK, HALL, PLANT] == sorted(found.documents)
        assert "first" == found.documents[DESK]["text"]
        assert {CHART: {"name": "c", "text": "first"}} == found.targets
        assert lab.clock.now() == found.revision.at

    @rule("HIS-2")
    def test_numbers_only_rise(self, lab: Lab) -> None:
        """No transition, prune or rollback gives a number a second time (HIS-2)."""
        begin(lab.store)
        saved(lab, "a", "b", "c")
        lab.store.prune(PLANT, keep=1)
        lab.store.apply(lab.store.plan_rollback(PLANT, 3))
        saved(lab, "d")

        assert [5, 4, 3] == [one.number for one in lab.store.history(PLANT)]

    @rule("HIS-2")
    def test_another_incarnation_has_another_history(self, lab: Lab) -> None:
        """A resource that is created again begins with 1, under its own uid (HIS-2)."""
        begin(lab.store)
        saved(lab, "a", "b")
        old = lab.store.get(PLANT).meta.uid
        lab.store.delete(Key("Ground", "g"), CHART)
        begin(lab.store)
        saved(lab, "c")
        new = lab.store.get(PLANT).meta.uid

        found = {(one.uid, one.number) for one in lab.store.history(PLANT)}

        assert {(new, 1), (old, 2), (old, 1)} == found
        assert "c" == lab.store.revision(PLANT, 1).documents[PLANT]["text"]
        with pytest.raises(NotFound):
            lab.store.revision(PLANT, 2)
        (first,) = [one for one in lab.store.history(PLANT) if (one.uid, one.number) == (old, 1)]
        assert "a" == lab.store.revision(PLANT, first).documents[PLANT]["text"]

    @rule("HIS-3")
    def test_same_content_is_recorded_once(self, lab: Lab) -> None:
        """A transition that records points to the newest revision where that has the same content (HIS-3)."""
        begin(lab.store)
        saved(lab, "a")
        lab.store.transition(PLANT, PlantLife.save)
        write(lab.store, DESK, text="b")
        lab.store.transition(PLANT, PlantLife.save)

        assert [2, 1] == [one.number for one in lab.store.history(PLANT)]

    @rule("HIS-3")
    def test_revision_holds_the_writes_of_its_transaction(self, lab: Lab) -> None:
        """What a transaction writes before a transition is recorded; a write after it is refused (HIS-3)."""
        begin(lab.store)
        with lab.store.transaction() as tx:
            write(tx, DESK, text="b")
            tx.create(Desk(parent=HALL, name="e", text="b"))
            tx.transition(PLANT, PlantLife.save)
        assert {"b"} == {
            document["text"] for key, document in lab.store.revision(PLANT, 1).documents.items() if key.kind == "Desk"
        }
        before = lab.records()
        laters: list[Any] = [
            lambda tx: write(tx, DESK, text="c"),
            lambda tx: tx.create(Desk(parent=HALL, name="f")),
            lambda tx: tx.delete(DESK),
            lambda tx: write(tx, CHART, text="c"),
        ]
        for later in laters:
            with pytest.raises(InvalidCall), lab.store.transaction() as tx:
                tx.transition(PLANT, PlantLife.save)
                later(tx)
        assert before == lab.records()

    @rule("HIS-3")
    def test_large_content_is_kept_in_parts(self, lab: Lab) -> None:
        """Content that is larger than one part comes back byte for byte (HIS-3)."""
        begin(lab.store)
        texts = ["".join(sha256(b"%d %d" % (at, number)).hexdigest() for at in range(6_000)) for number in range(3)]
        for number, text in enumerate(texts):
            lab.store.create(Desk(parent=HALL, name=f"big{number}", text=text))
        saved(lab, "a")

        found = lab.store.revision(PLANT, 1)

        assert texts == [found.documents[Key("Desk", "g", "p", "h", f"big{number}")]["text"] for number in range(3)]
        assert len(_records(lab, REVISION_PART)) > 1

    @rule("HIS-4")
    def test_revision_is_nobodys_referrer(self, lab: Lab) -> None:
        """A revision has no edges, is in no list and no digest, blocks no delete, and outlives its resource (HIS-4)."""
        begin(lab.store)
        digest = lab.store.digest(PLANT)
        approve(lab.store)

        assert digest == lab.store.digest(PLANT)
        assert {()} == {record.edges for record in (*_records(lab, REVISION), *_records(lab, REVISION_PART))}
        listed = {item.key.kind for item in lab.store.list(Resource)}
        assert {"Chart", "Desk", "Ground", "Hall", "Plant"} == listed
        assert {"Plant": 1, "Hall": 1, "Desk": 1} == dict(lab.store.delete(PLANT).deleted)
        assert [1] == [one.number for one in lab.store.history(PLANT)]
        assert "first" == lab.store.revision(PLANT, 1).documents[PLANT]["text"]

    @rule("HIS-5")
    def test_page_of_history_is_one_request(self, lab: Lab) -> None:
        """Pages are read newest first, in one request each, with the same result for every size (HIS-5)."""
        begin(lab.store)
        saved(lab, *"abcdefg")
        lab.store.tag(PLANT, 2, "stable")
        for limit in (1, 3, 7, 100):
            numbers: list[int] = []
            after: str | None = None
            while True:
                lab.faults.clear()
                page = lab.store.history(PLANT, limit=limit, after=after)
                assert (1, 0) == (lab.faults.count(Scan), lab.faults.count(Get))
                numbers += [one.number for one in page]
                after = page.next
                if after is None:
                    break
            assert [7, 6, 5, 4, 3, 2, 1] == numbers

    @rule("HIS-5")
    def test_history_follows_the_hierarchy(self, lab: Lab) -> None:
        """The history of a resource never shows that of one whose name begins equally (HIS-5)."""
        begin(lab.store)
        saved(lab, "a")
        lab.store.create(lab.store.get(PLANT).model_copy(update={"name": "p2"}))
        lab.store.transition(Key("Plant", "g", "p2"), PlantLife.save)

        assert 1 == len(lab.store.history(PLANT))
        assert () == lab.store.history(Key("Plant", "g", "p3")).items
        with pytest.raises(InvalidCall):
            lab.store.history(lab.store.create(Plain(name="n")))

    @rule("HIS-1")
    def test_diff_shows_paths(self, lab: Lab) -> None:
        """A diff names what was added, removed and changed, and where (HIS-1)."""
        begin(lab.store)
        saved(lab, "a")
        write(lab.store, DESK, text="b")
        write(lab.store, CHART, text="b")
        lab.store.create(Desk(parent=HALL, name="e"))
        saved(lab, "a2")

        found = lab.store.diff(PLANT, 1, 2)
        back = lab.store.diff(PLANT, "now", 1)

        assert ((Key("Desk", "g", "p", "h", "e"),), ()) == (found.added, found.removed)
        assert {CHART: "b", DESK: "b", PLANT: "a2"} == {one.key: one.fields[0].new for one in found.changed}
        assert FieldChange(("text",), "a2", "a") in {field for one in back.changed for field in one.fields}
        assert not lab.store.diff(PLANT, 2)
        lab.store.delete(PLANT)
        gone = lab.store.diff(PLANT, 2)
        assert ({PLANT, HALL, DESK} <= set(gone.removed), ()) == (True, gone.added)

    @rule("HIS-1", "HIS-11")
    def test_tag_names_one_revision(self, lab: Lab) -> None:
        """A tag names one revision of a resource, and a later one of the same name moves it (HIS-1)."""
        begin(lab.store)
        saved(lab, "a", "b", "c")
        before = [record.document for record in _records(lab, REVISION)]
        lab.store.tag(PLANT, 1, "stable")
        lab.store.tag(PLANT, 1, "v1.0")
        lab.store.tag(PLANT, 3, "stable")

        assert {3: ("stable",), 2: (), 1: ("v1.0",)} == {one.number: one.tags for one in lab.store.history(PLANT)}
        assert "c" == lab.store.revision(PLANT, "stable").documents[PLANT]["text"]
        assert {"stable": 3, "v1.0": 1} == dict(lab.store.lifecycle(PLANT).tags)
        assert before == [record.document for record in _records(lab, REVISION)]
        lab.store.untag(PLANT, "stable")
        with pytest.raises(NotFound):
            lab.store.revision(PLANT, "stable")
        wrong: list[Any] = ["", "now", "7", "a b", "a/b", "x" * 64, None]
        for name in wrong:
            with pytest.raises(InvalidCall):
                lab.store.tag(PLANT, 1, name)
        for number in (4, "no"):
            with pytest.raises(NotFound):
                lab.store.tag(PLANT, number, "x")

    @rule("HIS-11")
    def test_prune_keeps_what_is_named(self, lab: Lab) -> None:
        """A prune keeps the newest, the tagged and the approved revisions, and removes all parts of others (HIS-11)."""
        begin(lab.store)
        saved(lab, "a", "b")
        lab.store.tag(PLANT, 1, "first")
        approve(lab.store)
        saved(lab, "c", "d", "e", "f")

        pruned = lab.store.prune(PLANT, keep=2)

        assert [7, 6, 3, 1] == [one.number for one in lab.store.history(PLANT)]
        assert (3, 4) == (pruned.removed, pruned.kept)
        assert len(_records(lab, REVISION)) == len(_records(lab, REVISION_PART))
        assert (0, 4) == (lab.store.prune(PLANT, keep=2).removed, len(_records(lab, REVISION)))
        lab.store.delete(PLANT)
        lab.store.prune(PLANT, keep=1)
        assert [7, 3, 1] == [one.number for one in lab.store.history(PLANT)]
        for keep in (0, -1, True, None):
            with pytest.raises(InvalidCall):
                lab.store.prune(PLANT, keep=keep)

    @rule("HIS-11")
    def test_prune_rests_on_the_lifecycle_record(self, lab: Lab) -> None:
        """A tag or a transition that comes between is never overrun by a prune (HIS-11)."""
        begin(lab.store)
        saved(lab, "a", "b", "c")
        other = lab.open()
        lab.faults.do(Commit, lambda: lab.inside(other).tag(PLANT, 1, "stable"))

        lab.store.prune(PLANT, keep=1)

        assert [3, 1] == [one.number for one in lab.store.history(PLANT)]
        assert "a" == lab.store.revision(PLANT, "stable").documents[PLANT]["text"]

    @rule("HIS-11")
    def test_forgotten_resource_leaves_nothing(self, lab: Lab) -> None:
        """What is forgotten leaves no record at all, and only what is gone can be forgotten (HIS-11)."""
        begin(lab.store)
        saved(lab, "a", "b")
        lab.store.tag(PLANT, 1, "stable")
        with pytest.raises(AlreadyExists):
            lab.store.prune(PLANT, forget=True)
        lab.store.delete(PLANT)

        assert 2 == lab.store.prune(PLANT, forget=True).removed
        assert {"Chart", "Ground"} == {record.key.kind for record in lab.records().values()}

    @rule("HIS-12")
    def test_check_finds_spoilt_history(self, lab: Lab) -> None:
        """A check names a revision whose content is not its digest, or not whole, and a state that is none (HIS-12)."""
        begin(lab.store)
        saved(lab, "a", "b", "c")
        assert () == lab.store.check().flaws
        one, two, three = _records(lab, REVISION_PART)
        lab.tamper(one.key, two.document)
        lab.port.ask(Commit("gone", {two.key: two.stamp}, deletes=(two.key,)))
        lab.tamper(three.key, b"no JSON")
        (lifecycle,) = (record for record in lab.records().values() if record.key.kind == "emco__Lifecycle")
        lab.tamper(lifecycle.key, b'{"state":"Nowhere"}')

        found = [flaw for page in _checked(lab) for flaw in page.flaws]

        assert 4 == len({flaw.key for flaw in found if flaw.key.startswith(("emco__Revision/", "emco__Lifecycle/"))})
        for number in (1, 2, 3):
            with pytest.raises(InvalidResource):
                lab.store.revision(PLANT, number)


def _records(lab: Lab, kind: str) -> list[Record]:
    return [record for record in lab.records().values() if record.key.kind == kind]


def _checked(lab: Lab) -> list[Any]:
    pages = [lab.store.check()]
    while pages[-1].next:
        pages.append(lab.store.check(after=pages[-1].next))
    return pages
