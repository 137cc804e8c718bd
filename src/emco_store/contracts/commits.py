"""ATM-2, ATM-3 and ATM-5: what a port answers to a commit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Item, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.errors import Conflict
from emco_store.ports import Commit, Fenced, Missing, Moved, Outcome, Receipt, Refusal, Stale, Taken


class CommitRules:
    """The port itself, without a store before it."""

    @rule("ATM-2")
    def test_same_commit_again_gives_the_receipt_again(self, lab: Lab) -> None:
        """The port knows a txid again, also when what it wrote has long changed (ATM-2)."""
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

    @rule("ATM-3")
    def test_refusal_names_every_failed_precondition(self, lab: Lab) -> None:
        """A port answers with all preconditions that failed, of every sort, and writes nothing (ATM-3)."""
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
    def test_refused_commit_can_be_repaired_and_sent_anew(self, lab: Lab) -> None:
        """A refusal is no outcome: it leaves no trace, neither of data nor of the txid (ATM-3)."""
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


def _like(record: Record, name: str) -> Record:
    """Give a record of another name that claims the same unique values."""
    return replace(record, key=Key(record.key.kind, name), uid=f"uid-{name}")
