"""CHK: a check reports what is wrong in the stored data, and a repair mends what needs no decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    REFERRERS,
    Cascade,
    Choosy,
    Crate,
    Item,
    NullLeg,
    Parcel,
    Protect,
    Remove,
    Restrict,
    SetDefault,
    SetNull,
    Site,
)
from emco_store.contracts.rules import rule
from emco_store.core.documents import decode
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.rules import Rule
from emco_store.errors import InvalidCall
from emco_store.ports import Audit, Commit, Get, Hold, Mend, Receipt

SIZES = (1, 3, 1000)


class CheckRules:
    """What checks find and what repairs do."""

    @rule("CHK-1")
    def test_sound_store_has_no_flaw(self, lab: Lab) -> None:
        """After changes of every kind nothing is wrong, with pages of any size (CHK-1)."""
        a, b = fill(lab)
        items = [lab.store.create(Item(name=f"i{n}", rank=n, serial=f"s{n}")) for n in range(5)]
        lab.store.update(items[0].model_copy(update={"rank": 7, "serial": None}))
        lab.store.put(Item(name="i1", rank=1, serial="s0"))
        lab.store.delete(items[2])
        lab.store.update(lab.store.get(SetNull, "n").model_copy(update={"one": b, "listed": [None, b, b]}))
        lab.store.delete(lab.store.get(Restrict, "r"), lab.store.get(Protect, "p"), a)

        for size in SIZES:
            assert [] == checked(lab.store, size)
        assert [] == checked(lab.open())

    @rule("CHK-1", "CHK-4")
    def test_check_comes_upon_every_record(self, lab: Lab) -> None:
        """With pages of any size every record is checked: damage is found at any position (CHK-1, CHK-4)."""
        items = [lab.store.create(Item(name=f"i{n}", serial=f"s{n}")) for n in range(7)]
        for at, item in enumerate(items):
            lab.tamper(item.key, (b"{", b'{"name":"other"}', b"7", b'{"name":7}')[at % 4])

        for size in SIZES:
            flaws = checked(lab.store, size)
            assert {item.key.text for item in items} == {flaw.key for flaw in flaws}
            assert {(FlawKind.INVALID, None)} == {(flaw.kind, flaw.repair) for flaw in flaws}

    @rule("CHK-2")
    def test_dangling_reference_is_found_with_its_rule(self, lab: Lab) -> None:
        """A dangling reference is reported with its place, even by a store that knows no model (CHK-2)."""
        a, _ = fill(lab)
        take_away(lab, a.key)

        for store in (lab.store, lab.open()):
            flaws = checked(store)
            assert {FlawKind.DANGLING} == {flaw.kind for flaw in flaws}
            assert {
                "Restrict/r one": None,
                "Protect/p one": None,
                "Cascade/c one": Repair.DELETE,
                "Crate/a/x parent": Repair.DELETE,
                "SetNull/n one": Repair.EDIT,
                "SetNull/n listed[0]": Repair.EDIT,
                "SetNull/n legs[1].site": Repair.EDIT,
                "SetDefault/d one": Repair.EDIT,
                "Remove/m listed[0]": Repair.EDIT,
                "Remove/m listed[2]": Repair.EDIT,
                "Remove/m by_site{Site/a}": Repair.EDIT,
            } == {f"{flaw.key} {flaw.place}": flaw.repair for flaw in flaws}
            assert all("Site/a" in flaw.detail for flaw in flaws)

    @rule("CHK-3")
    def test_references_that_are_not_recorded_are_found_and_recorded(self, lab: Lab) -> None:
        """A reference that only the document has is found, and holds its target after the repair (CHK-3)."""
        a, b = fill(lab)
        change(lab, Key("Restrict", "r"), lambda _: {"edges": ()})
        change(lab, Key("Crate", "b", "y"), lambda _: {"edges": ()})
        lab.store.delete(Key("Protect", "p"))

        flaws = checked(lab.store)

        assert {(FlawKind.EDGES, "Restrict/r"), (FlawKind.EDGES, "Crate/b/y")} == {(one.kind, one.key) for one in flaws}
        assert ((), ()) == (lab.store.repair(flaws).skipped, tuple(checked(lab.store)))
        assert [Key("Restrict", "r")] == [blocker.referrer for blocker in lab.store.plan_delete(a).blockers]
        assert [Key("Crate", "b", "y")] == [child.key for child in lab.store.children(b)]

    @rule("CHK-3")
    def test_references_that_the_document_does_not_hold_are_found(self, lab: Lab) -> None:
        """A recorded reference that is not in the document is found, with and without the model (CHK-3)."""
        _, b = fill(lab)
        lab.tamper(Key("Restrict", "r"), b'{"name":"r"}')

        (blind,) = checked(lab.open())
        (flaw,) = checked(lab.store)

        assert (FlawKind.EDGES, None) == (blind.kind, blind.repair)
        assert (FlawKind.EDGES, "Restrict/r", Repair.REWRITE) == (flaw.kind, flaw.key, flaw.repair)
        lab.store.repair([flaw])
        assert [] == checked(lab.store)
        assert "Restrict/r" not in {found.key.text for found in lab.store.referrers(b)}

    @rule("CHK-3")
    def test_values_that_are_not_recorded_are_found_and_recorded(self, lab: Lab) -> None:
        """Indexed values that differ from the document are found, and are right after the repair (CHK-3)."""
        items = [lab.store.create(Item(name=f"i{n}", rank=n, serial=f"s{n}")) for n in range(3)]
        change(lab, items[0].key, lambda _: {"index": (), "unique": ()})
        change(lab, items[1].key, lambda record: {"index": (*record.index[1:], ("rank", "2zzz"))})

        flaws = checked(lab.store)

        assert {("Item/i0", "unique"), ("Item/i0", "indexed"), ("Item/i1", "indexed")} == {
            (flaw.key, flaw.place) for flaw in flaws if flaw.kind is FlawKind.VALUES
        }
        assert len(flaws) == 3
        assert () == lab.store.repair(flaws).skipped
        assert [] == checked(lab.store)
        assert ["i0", "i1", "i2"] == [item.name for item in lab.store.list(Item, order_by="rank")]
        assert [3, 3, 1] == [item.meta.version for item in lab.store.list(Item)]

    @rule("CHK-4")
    def test_kinds_without_a_model_are_told_when_asked_for(self, lab: Lab) -> None:
        """A kind without a model is not a flaw, and is reported on request (CHK-4)."""
        fill(lab)
        blind = lab.open()

        assert [] == checked(blind)
        assert {(FlawKind.UNKNOWN_KIND, kind, None) for kind in (*_names(), "Site", "Crate")} == {
            (flaw.kind, flaw.key, flaw.repair) for flaw in checked(blind, unknown_kinds=True)
        }
        assert [] == checked(lab.store, unknown_kinds=True)

    @rule("CHK-5")
    def test_check_writes_nothing(self, lab: Lab) -> None:
        """A check changes no record, however damaged (CHK-5)."""
        a, _ = fill(lab)
        take_away(lab, a.key)
        before = lab.records()
        lab.faults.clear()

        assert checked(lab.store)

        assert before == lab.records()
        assert 0 == lab.faults.count(Commit) + lab.faults.count(Mend)

    @rule("CHK-5")
    def test_page_goes_on_where_the_page_before_ended(self, lab: Lab) -> None:
        """Another store can continue from a cursor, and no page exceeds its limit (CHK-5)."""
        for number in range(12):
            lab.store.create(Site(name=f"s{number:02}"))
        after, seen = None, 0
        while True:
            page = lab.open().check(after=after, limit=5)
            assert page.records <= 5
            seen += page.records
            after = page.next
            if after is None:
                break
        assert 12 == seen

    @rule("CHK-5")
    def test_cursor_or_limit_that_cannot_be_used_is_refused(self, lab: Lab) -> None:
        """A wrong cursor or page size is one clear error (CHK-5)."""
        for options in ({"after": "nonsense"}, {"after": ""}, {"after": 7}, {"limit": 0}, {"limit": 1001}):
            with pytest.raises(InvalidCall):
                lab.store.check(**options)

    @rule("CHK-5")
    def test_cursor_of_a_list_is_refused(self, lab: Lab) -> None:
        """A check refuses the cursor of a list (CHK-5)."""
        for name in "ab":
            lab.store.create(Site(name=name))

        with pytest.raises(InvalidCall):
            lab.store.check(after=lab.store.list(Site, limit=1).next)

    @rule("CHK-6")
    def test_target_that_comes_meanwhile_is_not_missed(self, lab: Lab) -> None:
        """A target that was absent when the page was read, and exists at the second look, is no flaw (CHK-6)."""
        a, _ = fill(lab)
        take_away(lab, a.key)
        other = lab.inside(lab.open())
        lab.faults.do(Get, lambda: other.put(Site(name="a")))

        assert [] == checked(lab.store, 1000)

    @rule("CHK-6")
    def test_referrer_that_changes_meanwhile_is_judged_as_it_is(self, lab: Lab) -> None:
        """A referrer that was re-pointed or deleted since the page was read is not a flaw (CHK-6)."""
        a, b = fill(lab)
        for key in ("Protect/p", "Cascade/c", "Crate/a/x", "SetDefault/d", "Remove/m", "SetNull/n"):
            lab.store.delete(Key.parse(key))
        second = lab.store.create(Restrict(name="second", one=a))
        take_away(lab, a.key)
        other = lab.inside(lab.open())
        lab.faults.do(Audit, lambda: other.delete(second), moment="after")
        lab.faults.do(Get, lambda: other.put(Restrict(name="r", one=b)))

        assert [] == checked(lab.store, 1000)

    @rule("CHK-6")
    def test_lock_that_would_outlast_its_holder_is_found_and_taken_away(self, lab: Lab) -> None:
        """An advisory lock for longer than any store takes one is a flaw, and a repair ends it (CHK-6)."""
        sites = [lab.store.create(Site(name=name)) for name in "ab"]
        lab.port.ask(Hold("me", (sites[0].key,), lasts=timedelta(hours=3)))
        lab.port.ask(Hold("me", (sites[1].key,), lasts=timedelta(minutes=30)))

        found = checked(lab.store)
        assert [(FlawKind.STALE_HOLD, "Site/a", Repair.MEND)] == [(one.kind, one.key, one.repair) for one in found]
        lab.store.repair(found)

        assert [] == checked(lab.store)
        lab.store.delete(sites[0])

    @rule("CHK-7")
    def test_repair_does_what_the_delete_would_have_done(self, lab: Lab) -> None:
        """Dangling references are removed by their rules; RESTRICT and PROTECT are left to a person (CHK-7)."""
        a, b = fill(lab)
        take_away(lab, a.key)
        models = (SetNull, SetDefault, Remove)
        blind = lab.open()

        done = [blind.repair(checked(blind)), lab.store.repair(checked(lab.store))]

        assert {"Restrict/r", "Protect/p"} == {flaw.key for flaw in checked(lab.store)}
        assert {"Restrict/r", "Protect/p"} == {flaw.key for one in done for flaw, _ in one.skipped}
        null, default, remove = (lab.store.get(model, name) for model, name in zip(models, "ndm", strict=True))
        assert (None, [None, b.key], [b.key, None]) == (
            null.one, [found and found.key for found in null.listed], [leg.site and leg.site.key for leg in null.legs]
        )  # fmt: skip
        assert ("Site/main", [b.key], {b.key}) == (
            default.one.text, [found.key for found in remove.listed], {found.key for found in remove.by_site}
        )  # fmt: skip
        assert not any(text.startswith(("Cascade/", "Crate/a", "Parcel/")) for text in lab.records())
        lab.store.create(Site(name="a"))
        assert [] == checked(lab.store)

    @rule("CHK-7")
    def test_repair_that_deletes_follows_the_rules(self, lab: Lab) -> None:
        """The delete of a referrer follows the rules of its own referrers, and is skipped if they forbid it (CHK-7)."""
        a, _ = fill(lab)
        lab.store.create(Cascade(name="last", blocked_by="Cascade/c"))
        take_away(lab, a.key)

        repaired = lab.store.repair([flaw for flaw in checked(lab.store) if flaw.repair is Repair.DELETE])

        assert {"Cascade/c"} == {flaw.key for flaw, _ in repaired.skipped}
        assert {"Crate/a/x"} == {flaw.key for flaw in repaired.done}
        assert {"Cascade/c", "Cascade/last"} == {text for text in lab.records() if text.startswith("Cascade/")}
        assert not any(text.startswith(("Crate/a", "Parcel/")) for text in lab.records())

    @rule("CHK-7")
    def test_default_that_is_not_there_is_left_to_a_person(self, lab: Lab) -> None:
        """SET_DEFAULT does not replace a missing target by another missing one (CHK-7)."""
        a, _ = fill(lab)
        take_away(lab, a.key, Key("Site", "main"))
        (flaw,) = (flaw for flaw in checked(lab.store) if flaw.key == "SetDefault/d")

        (skipped,) = lab.store.repair([flaw]).skipped

        assert flaw == skipped[0]
        assert "Site/a" == decode(lab.records()["SetDefault/d"].document)["one"]

    @rule("CHK-7", "DEL-14")
    def test_edit_that_the_model_refuses_is_left_to_a_person(self, lab: Lab) -> None:
        """A repair takes no reference out of a resource that would not fit its model without it (CHK-7, DEL-14)."""
        a, b = (lab.store.create(Site(name=name)) for name in ("a", "b"))
        lab.store.create(Choosy(name="x", listed=[a]))
        lab.store.create(Choosy(name="y", listed=[a, b], one=a, spare=b, needs=1))
        take_away(lab, a.key)
        flaws = checked(lab.store)

        repaired = lab.store.repair(flaws)

        assert {("Choosy/x", "listed[0]"), ("Choosy/y", "listed[0]"), ("Choosy/y", "one")} == {
            (flaw.key, flaw.place) for flaw in flaws
        }
        assert {"Choosy/y"} == {flaw.key for flaw in repaired.done}
        ((skipped, reason),) = repaired.skipped
        assert "Choosy/x" == skipped.key
        assert "must not be empty" in reason
        assert [a.ref] == lab.store.get(Choosy, "x").listed

    @rule("CHK-7")
    def test_what_is_no_flaw_is_refused(self, lab: Lab) -> None:
        """A repair accepts flaws of a check and nothing else (CHK-7)."""
        wrong: Any
        for wrong in (7, "flaw", [None], ["x"]):
            with pytest.raises(InvalidCall):
                lab.store.repair(wrong)

    @rule("CHK-8")
    def test_flaw_that_has_moved_is_passed_over(self, lab: Lab) -> None:
        """A flaw whose record has changed since the check is skipped and reported (CHK-8)."""
        a, _ = fill(lab)
        take_away(lab, a.key)
        flaws = [flaw for flaw in checked(lab.store) if flaw.key in {"SetNull/n", "Remove/m", "Cascade/c"}]
        lab.store.put(SetNull(name="n", note="mine"))
        lab.store.put(Site(name="a"))
        before = lab.records()

        repaired = lab.store.repair(flaws)

        assert ((), set(flaws)) == (repaired.done, {flaw for flaw, _ in repaired.skipped})
        assert all(reason for _, reason in repaired.skipped)
        assert before == lab.records()

    @rule("CHK-8")
    def test_record_that_changes_in_the_midst_of_its_repair_is_passed_over(self, lab: Lab) -> None:
        """The commit of a repair rests on the state in which the flaw was found (CHK-8)."""
        a, _ = fill(lab)
        take_away(lab, a.key)
        flaws = [flaw for flaw in checked(lab.store) if flaw.key == "SetNull/n"]
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.put(SetNull(name="n", note="mine")))

        repaired = lab.store.repair(flaws)

        assert (0, len(flaws)) == (len(repaired.done), len(repaired.skipped))
        assert "mine" == lab.store.get(SetNull, "n").note

    @rule("CHK-8")
    def test_target_that_comes_in_the_midst_of_a_repair_keeps_its_references(self, lab: Lab) -> None:
        """The commit of a repair rests on the absence of the target (CHK-8)."""
        a, _ = fill(lab)
        take_away(lab, a.key)
        flaws = [flaw for flaw in checked(lab.store) if flaw.key == "SetNull/n"]
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.put(Site(name="a")))

        repaired = lab.store.repair(flaws)

        assert () == repaired.done
        assert a.key == lab.store.get(SetNull, "n").one.key


def fill(lab: Lab) -> tuple[Any, Any]:
    """Create two sites, a default, and a referrer under each rule; return the sites."""
    a, b, _ = (lab.store.create(Site(name=name)) for name in ("a", "b", "main"))
    lab.store.create(Parcel(parent=lab.store.create(Crate(parent=a, name="x")), name="z", code="c", weight=3))
    lab.store.create(Crate(parent=b, name="y"))
    lab.store.create(Restrict(name="r", one=a, listed=[b], by_site={b: "b"}))
    lab.store.create(Protect(name="p", one=a))
    lab.store.create(Cascade(name="c", one=a))
    lab.store.create(SetNull(name="n", one=a, only=b, listed=[a, b], legs=[NullLeg(site=b), NullLeg(site=a)]))
    lab.store.create(SetDefault(name="d", one=a))
    lab.store.create(Remove(name="m", listed=[a, b, a], by_site={a: "a", b: "b"}))
    return a, b


def checked(store: Any, size: int = 4, *, unknown_kinds: bool = False) -> list[Flaw]:
    """Check everything and return each flaw once."""
    found: dict[Flaw, None] = {}
    after = None
    for _ in range(1000):
        page = store.check(after=after, limit=size, unknown_kinds=unknown_kinds)
        found |= dict.fromkeys(page.flaws)
        after = page.next
        if after is None:
            return list({(flaw.kind, flaw.key, flaw.place): flaw for flaw in found}.values())
    raise AssertionError("the check does not end")


def take_away(lab: Lab, *keys: Key) -> None:
    """Delete records without regard to their referrers, as a manual edit or a faulty program would."""
    reply = lab.port.ask(Commit(f"{lab.namespace}-away-{keys[0]}", deletes=keys))
    assert isinstance(reply, Receipt)


def change(lab: Lab, key: Key, fields: Any) -> None:
    """Write a record whose references or values differ from its document."""
    record: Record = lab.port.ask(Get((key,)))[key]
    broken = replace(record, version=record.version + 1, **fields(record))
    reply = lab.port.ask(Commit(f"{lab.namespace}-change-{key}", {key: record.stamp}, puts=(broken,)))
    assert isinstance(reply, Receipt)


def _names() -> tuple[str, ...]:
    return (*(REFERRERS[applied].__name__ for applied in Rule), "Parcel")
