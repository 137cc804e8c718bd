"""ATM-2, ATM-3 and ATM-5: what a port answers to a commit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Item, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.errors import Conflict
from emco_store.ports import (
    Commit,
    Failure,
    Fenced,
    Get,
    Missing,
    Moved,
    Outcome,
    Receipt,
    Refusal,
    Settle,
    Stale,
    Taken,
)

_MANY: Final = 20
"""How many commits follow one whose outcome is asked for."""
_UID, _OTHER = "uid", "another"
_STAMPS: Final[tuple[tuple[Stamp | None, ...], ...]] = (
    (),
    (None,),
    (Stamp(_UID, 1),),
    (Stamp(_UID, 7),),
    (Stamp(_OTHER, 1),),
)
_SEALS: Final[tuple[tuple[Seal, ...], ...]] = ((), (Seal(_UID, 1),), (Seal(_UID, 7),), (Seal(_OTHER, 1),))
_WRITES: Final = (*product(("put", "other", "check"), (False, True)), ("delete", False))
"""What a commit does to a record, or to another one, and whether it requires the record; a delete requires none."""


class CommitRules:
    """The port itself, without a store."""

    @rule("ATM-2")
    def test_same_commit_again_gives_the_receipt_again(self, lab: Lab) -> None:
        """The port recognises a txid even after its writes have been overwritten (ATM-2)."""
        (a,) = sites(lab, "a")
        record = lab.records()["Site/a"]
        commit = Commit(
            "again-1",
            {record.key: record.stamp},
            puts=(replace(record, version=2, document=b'{"name":"a","title":"x"}'),),
        )

        assert Receipt("again-1") == lab.port.ask(commit) == lab.port.ask(commit)
        lab.store.update(lab.store.get(a).model_copy(update={"title": "y"}))
        assert Receipt("again-1") == lab.port.ask(commit)

        assert (3, "y") == (lab.store.get(a).meta.version, lab.store.get(a).title)

    @rule("ATM-2", "ATM-5")
    def test_outcomes_outlive_those_of_many_others(self, lab: Lab) -> None:
        """However many commits follow, each outcome is known: committed or aborted, and not only the last (ATM-2)."""
        key = Key("Site", "a")
        first = Commit("first", puts=(_plain(key, 1),))
        assert Receipt("first") == lab.port.ask(first)
        aborted = ("aborted-1", "aborted-2")
        assert [Outcome.ABORTED] * 2 == [lab.port.ask(Settle(txid)) for txid in aborted]
        for number in range(_MANY):
            txid = f"other-{number}"
            assert Receipt(txid) == lab.port.ask(Commit(txid, puts=(_plain(key, number + 2),)))

        assert (Receipt("first"), Outcome.COMMITTED) == (lab.port.ask(first), lab.port.ask(Settle("first")))
        for txid in aborted:
            assert Refusal((Fenced(txid),)) == lab.port.ask(replace(first, txid=txid))
        assert _MANY + 1 == lab.port.ask(Get((key,)))[key].version

    @rule("ATM-2")
    def test_commit_that_only_checks_is_not_remembered(self, lab: Lab) -> None:
        """A txid under which nothing was written is still free (ATM-2)."""
        key = Key("Site", "a")

        assert Receipt("one") == lab.port.ask(Commit("one", {key: None}))
        assert Receipt("one") == lab.port.ask(Commit("one", {key: None}, puts=(_plain(key, 1),)))

        assert [key] == list(lab.port.ask(Get((key,))))

    @rule("ATM-3")
    def test_refusal_names_every_failed_precondition(self, lab: Lab) -> None:
        """A refusal names all failed preconditions, of every kind, and nothing is written (ATM-3)."""
        lab.store.create(Item(name="i", serial="x"))
        (a,) = sites(lab, "a")
        lab.store.create(Rack(name="k", parent=a))
        records = lab.records()
        item, site = records["Item/i"], records["Site/a"]
        absent = [Key("Site", name) for name in ("g1", "g2", "g3", "g4")]
        wrong = Stamp(site.uid, 7)
        commit = Commit(
            "refused-1",
            expect={site.key: wrong, item.key: None, absent[0]: wrong},
            require=frozenset({absent[1], absent[2], site.key}),
            sealed={site.key: Seal(site.uid, site.guard + 1), absent[3]: Seal("u", 0)},
            puts=(_like(item, "j"), _like(item, "k")),
            deletes=(site.key,),
        )

        reply = lab.port.ask(commit)

        assert isinstance(reply, Refusal)
        taken = [failure for failure in reply.failures if isinstance(failure, Taken)]
        assert [(Key("Item", name), "serial", item.key) for name in "jk"] == sorted(
            (failure.key, failure.field, failure.owner) for failure in taken
        )
        assert {
            Stale(site.key, wrong, site.stamp),
            Stale(item.key, None, item.stamp),
            Stale(absent[0], wrong, None),
            Missing(absent[1]),
            Missing(absent[2]),
            Moved(site.key),
            Moved(absent[3]),
        } == set(reply.failures) - set(taken)
        assert records == lab.records()

    @rule("ATM-3")
    def test_one_record_in_several_parts_is_judged_by_each(self, lab: Lab) -> None:
        """Each precondition on a record is checked, whatever else the commit says of it, and holds or not (ATM-3)."""
        cases = tuple(_cases())
        there = tuple(_plain(case.key, 1) for case in cases if case.is_there)
        moving = Commit("move", require=frozenset(record.key for record in there), puts=(_plain(Key("Site", "m"), 1),))
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=there))
        assert Receipt("move") == lab.port.ask(moving)

        replies = [lab.port.ask(case.commit) for case in cases]
        found = lab.port.ask(Get(tuple(case.key for case in cases)))

        for case, reply in zip(cases, replies, strict=True):
            record = found.get(case.key)
            assert case.failures == (set(reply.failures) if isinstance(reply, Refusal) else set()), case
            assert case.after == (None if record is None else (record.version, record.guard)), case

    @rule("ATM-3")
    def test_refused_commit_can_be_repaired_and_sent_anew(self, lab: Lab) -> None:
        """A refusal leaves no trace, neither data nor the txid (ATM-3)."""
        lab.store.create(Site(name="a"))
        record = lab.records()["Site/a"]
        changed = replace(record, version=2)

        refused = lab.port.ask(Commit("retry-1", {record.key: Stamp(record.uid, 9)}, puts=(changed,)))
        again = lab.port.ask(Commit("retry-1", {record.key: record.stamp}, puts=(changed,)))

        assert (True, Receipt("retry-1")) == (isinstance(refused, Refusal), again)

    @rule("ATM-5")
    def test_what_was_settled_as_aborted_cannot_happen(self, lab: Lab) -> None:
        """A commit that arrives after it was settled as aborted writes nothing (ATM-5)."""
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.create(Site(name="a"))
            assert Outcome.ABORTED == lab.open().resolve(tx.txid)
        assert {} == lab.state()

        lab.store.create(Site(name="b"))
        late = lab.faults.asked(Commit)[-1]
        fenced = replace(late, txid="late-1")
        assert Outcome.ABORTED == lab.store.resolve("late-1")
        assert Refusal((Fenced("late-1"),)) == lab.port.ask(fenced)
        assert Outcome.ABORTED == lab.store.resolve("late-1")


@dataclass(frozen=True, slots=True)
class _Case:
    """A commit that names one record in some of its parts.

    Attributes:
        commit: The commit.
        is_there: Whether the record exists; then its version and its guard are 1.
    """

    commit: Commit
    is_there: bool

    @property
    def key(self) -> Key:
        """The key of the record."""
        return Key("Site", self.commit.txid)

    @property
    def failures(self) -> set[Failure]:
        """The preconditions that must fail, each judged by itself."""
        found: set[Failure] = set()
        stamp = Stamp(_UID, 1) if self.is_there else None
        found |= {Stale(key, wanted, stamp) for key, wanted in self.commit.expect.items() if wanted != stamp}
        found |= {Missing(key) for key in self.commit.require if not self.is_there}
        sealed = self.commit.sealed.items()
        return found | {Moved(key) for key, wanted in sealed if not (self.is_there and wanted == Seal(_UID, 1))}

    @property
    def after(self) -> tuple[int, int] | None:
        """The version and the guard that the record must have afterwards; None where it must not exist."""
        before = (1, 1) if self.is_there else None
        if self.failures or not self.commit.size:
            return before
        if self.commit.deletes:
            return None
        guard = int(self.is_there) + len(self.commit.require)
        is_put = any(record.key == self.key for record in self.commit.puts)
        return (2, guard) if is_put else before and (1, guard)


def _cases() -> Iterator[_Case]:
    """Yield every combination, each about a record of its own."""
    every = product((True, False), _STAMPS, _SEALS, _WRITES)
    for number, (is_there, stamps, seals, (write, is_required)) in enumerate(every):
        key = Key("Site", name := f"case{number}")
        yield _Case(
            Commit(
                name,
                expect=dict(zip((key,), stamps, strict=False)),
                require=frozenset({key} if is_required else ()),
                sealed=dict(zip((key,), seals, strict=False)),
                puts={"put": (_plain(key, 2),), "other": (_plain(Key("Site", f"{name}-other"), 1),)}.get(write, ()),
                deletes=(key,) if write == "delete" else (),
            ),
            is_there,
        )


def _plain(key: Key, version: int) -> Record:
    return Record(key, _UID, version, b"{}", (), (), (), 1, 1)


def _like(record: Record, name: str) -> Record:
    """Return a record of another name that claims the same unique values."""
    return replace(record, key=Key(record.key.kind, name), uid=f"uid-{name}")
