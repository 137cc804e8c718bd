"""CHK-9: entries that a backend keeps beside its records are found wrong if they are, and a repair makes them fit.

The harness says with ``damage=`` how to take an entry away, or to add one that fits no record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from emco_store.contracts.damaging import OTHER, TARGET, Damage
from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.flaws import Flaw, Repair
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record
from emco_store.core.rules import Rule
from emco_store.errors import NotSupported
from emco_store.ports import Audit, Commit, Count, Mend, Receipt, ReferrerQuery, Refusal, Scan

_EDGES: Final = (Edge(TARGET, ("one",), Rule.RESTRICT),)
_RECORD: Final = Record(Key("Item", "a"), "uid-a", 1, b"{}", _EDGES, (("serial", "s"),), (("rank", "1"),), 1, 1)


class DamageRules:
    """The port itself, without a store, after somebody has changed what it keeps."""

    @rule("CHK-9")
    def test_damaged_entries_are_found_and_mended(self, lab: Lab) -> None:
        """An audit finds each entry that is lost or leads nowhere, and a repair restores it (CHK-9)."""
        sites = tuple([Record(key, f"uid-{key.name}", 1, b"{}", (), (), (), 1, 1) for key in (TARGET, OTHER)])
        assert Receipt("fill") == lab.port.ask(Commit("fill", puts=(*sites, _RECORD)))
        assert [] == _flaws(lab)
        done = [what for what in Damage if _damaged(lab, what)]
        if not done:
            raise NotSupported(
                "The suite cannot damage the entries of this backend.",
                why=["its harness has no damage=, or it does nothing"],
                hint="say in the harness how, or declare the gap UNDAMAGED.",
            )


def _damaged(lab: Lab, what: Damage) -> bool:
    """Damage something if that is possible, and see that it is found and mended."""
    damage = lab.bench.harness.damage
    if damage is None or not damage(lab.bench.backend, lab.namespace, _RECORD, what):
        return False
    flaws = _flaws(lab)
    assert flaws, f"{what}: an audit finds nothing"
    assert {_RECORD.key.text} == {flaw.key for flaw in flaws}, what
    repairs = {flaw.repair for flaw in flaws}
    assert repairs <= {Repair.MEND, Repair.REWRITE}, what
    lab.port.ask(Mend(tuple([flaw for flaw in flaws if flaw.repair is Repair.MEND])))
    if Repair.REWRITE in repairs:
        assert Receipt(f"{what}-again") == lab.port.ask(Commit(f"{what}-again", puts=(_RECORD,)))
    assert [] == _flaws(lab), f"{what}: it is not mended"
    _is_found(lab, what)
    return True


def _is_found(lab: Lab, what: Damage) -> None:
    """See that the record is found by all that it is found by, and by nothing else."""
    found = [[one.key for one in lab.port.ask(ReferrerQuery((key,))).referrers] for key in (TARGET, OTHER)]
    assert [[_RECORD.key], []] == found, what
    assert [_RECORD.key] == [one.key for one in lab.port.ask(Scan("Item", field="rank")).records], what
    assert 1 == lab.port.ask(Count(Scan("Item", field="rank"))), what
    plain = replace(_RECORD, edges=(), index=())
    rivals = [replace(plain, key=Key("Item", f"b-{what}"), unique=(("serial", text),)) for text in "so"]
    replies = [lab.port.ask(Commit(f"{what}-{put.unique[0][1]}", puts=(put,))) for put in rivals]
    assert [True, False] == [isinstance(reply, Refusal) for reply in replies], what
    lab.port.ask(Commit(f"{what}-gone", deletes=(rivals[1].key,)))


def _flaws(lab: Lab) -> list[Flaw]:
    found: list[Flaw] = []
    audit = Audit()
    while True:
        step = lab.port.ask(audit)
        found += step.flaws
        if step.next is None:
            return found
        audit = Audit(after=step.next)
