"""OCC-4 and OCC-10: lists and referrers hold until the commit, and no reference outlives its target."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Cascade, Crate, Parcel, Rack, Restrict, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.errors import Conflict, DeleteRestricted, MissingReference, NotFound
from emco_store.ports import Commit


class PhantomRules:
    """Lists and referrers are at the commit as they were read."""

    @rule("OCC-4")
    def test_nobody_joins_or_leaves_unseen(self, lab: Lab) -> None:
        """If a resource joins, leaves or changes in a list, a transaction that read it ends in ``Conflict`` (OCC-4)."""
        other = lab.open()
        moves: list[Callable[[], Any]] = [
            lambda: other.create(Parcel(name="new", parent="Crate/a/c", colour="red", weight=1)),
            lambda: other.update(other.get(Parcel, "a", "c", "out").model_copy(update={"colour": "red", "weight": 1})),
            lambda: other.update(other.get(Parcel, "a", "c", "in").model_copy(update={"colour": "blue", "weight": 2})),
            lambda: other.delete(Key("Parcel", "a", "c", "in")),
        ]
        read: Callable[[Any], Any]
        for read in (
            lambda tx: tx.list(Parcel, parent=Key("Crate", "a", "c")),
            lambda tx: tx.list(Parcel, parent=Key("Crate", "a", "c"), where=F.colour == "red"),
            lambda tx: tx.list(Parcel, parent=Key("Crate", "a", "c"), where=F.weight == 1),
            lambda tx: tx.list(Parcel, parent=Key("Crate", "a", "c"), order_by="-weight", limit=1),
            lambda tx: tx.children(Key("Crate", "a", "c")),
            lambda tx: tx.referrers(Key("Crate", "a", "c")),
        ):
            for move in moves:
                _parcels(lab)
                _overtaken(lab, read, move)

    @rule("OCC-4")
    def test_referrer_that_joins_by_re_pointing_is_seen(self, lab: Lab) -> None:
        """A referrer that joins after the referrers were read is a conflict (OCC-4)."""
        a, b = sites(lab, "a", "b")
        other = lab.open()

        for move in (
            lambda: other.update(other.get(Restrict, "r").model_copy(update={"one": a.ref})),
            lambda: other.put(Restrict(name="r", listed=[b, a])),
            lambda: other.put(Restrict(name="s", by_site={a: "x"})),
            lambda: other.put(Rack(name="k", parent=a)),
        ):
            lab.store.put(Restrict(name="r", one=b))
            _overtaken(lab, lambda tx: tx.referrers(a), move)

    @rule("OCC-4")
    def test_empty_list_is_protected(self, lab: Lab) -> None:
        """An empty list is a read as any other (OCC-4)."""
        (a,) = sites(lab, "a")
        other = lab.open()
        for at, read in enumerate(
            (lambda tx: tx.children(a), lambda tx: tx.referrers(a), lambda tx: tx.list(Rack, parent=a))
        ):
            name = f"k{at}"
            assert [] == [child for child in lab.store.children(a) if child.name == name]
            _overtaken(lab, read, partial(other.create, Rack(name=name, parent=a)))

    @rule("OCC-10")
    def test_create_of_a_referrer_and_delete_of_its_target_exclude_each_other(self, lab: Lab) -> None:
        """In every order of reads and commits the second commit is refused, and nothing dangles (OCC-10)."""
        makers: list[Callable[[Any], Any]] = [
            lambda tx: tx.create(Rack(name="k", parent="Site/a")),
            lambda tx: tx.create(Crate(name="c", parent="Site/a")),
            lambda tx: tx.create(Restrict(name="r", listed=["Site/a"])),
            lambda tx: tx.create(SetNull(name="n", one="Site/a")),
            lambda tx: tx.create(Cascade(name="x", by_site={"Site/a": ""})),
            lambda tx: tx.update(tx.get(Restrict, "old").model_copy(update={"one": Site(name="a").ref})),
            lambda tx: tx.put(Restrict(name="old", row=["Site/a"])),
        ]
        for make in makers:
            for does_read in (True, False):
                _exclude(lab, make, does_read=does_read)

    @rule("OCC-10", "OCC-6")
    def test_delete_of_a_busy_target_ends_as_if_after(self, lab: Lab) -> None:
        """A delete that loses to a creator plans again: it deletes the newcomer or is blocked by it (OCC-10, OCC-6)."""
        (a,) = sites(lab, "a")
        other = lab.open()

        _between(lab, lambda store: store.create(Crate(name="c", parent=a)), other)
        lab.store.delete(a)
        assert {} == lab.state()

        (a,) = sites(lab, "a")
        _between(lab, lambda store: store.create(Rack(name="k", parent=a)), other)
        with pytest.raises(DeleteRestricted):
            lab.store.delete(a)
        assert ["Rack/a/k", "Site/a"] == sorted(lab.state())

    @rule("OCC-10")
    def test_creator_that_is_overtaken_by_the_delete_is_refused(self, lab: Lab) -> None:
        """A create whose target is deleted meanwhile is ``MissingReference``; an update is ``NotFound`` (OCC-10)."""
        (a,) = sites(lab, "a")
        made = lab.store.create(Cascade(name="x", one=a))
        other = lab.open()

        _between(lab, lambda store: store.delete(a), other)
        with pytest.raises(NotFound):
            lab.store.update(made.model_copy(update={"note": "new"}))
        (a,) = sites(lab, "a")
        _between(lab, lambda store: store.delete(a), other)
        with pytest.raises(MissingReference):
            lab.store.create(Crate(name="c", parent=a))

        assert {} == lab.state()


def _exclude(lab: Lab, make: Callable[[Any], Any], *, does_read: bool) -> None:
    target = Key("Site", "a")

    def creates(tx: Any) -> None:
        if does_read:
            tx.get(target)
        make(tx)

    for inner, outer, refused in (
        (creates, lambda tx: tx.delete(target), Conflict),
        (lambda tx: tx.delete(target), creates, Conflict if does_read else MissingReference),
    ):
        lab.store.put(Site(name="a"))
        lab.store.put(Restrict(name="old"))
        with pytest.raises(refused), lab.store.transaction() as tx:
            outer(tx)
            with lab.open().transaction() as rival:
                inner(rival)
        assert [] == lab.dangling()
        with lab.store.transaction() as tx:
            tx.delete(*(record.key for record in lab.records().values()))


def _between(lab: Lab, action: Callable[[Any], Any], other: Any) -> None:
    """Let another store act between the read and the commit of the next call."""
    lab.faults.do(Commit, lambda: action(lab.inside(other)))


def _overtaken(lab: Lab, read: Callable[[Any], Any], move: Callable[[], Any]) -> None:
    """Assert that a transaction is refused because what it read has changed, even if it writes elsewhere."""
    with pytest.raises(Conflict), lab.store.transaction() as tx:
        read(tx)
        move()
        tx.create(Site(name="result"))
    assert "Site/result" not in lab.state()


def _parcels(lab: Lab) -> None:
    site = lab.store.put(Site(name="a"))
    crate = lab.store.put(Crate(name="c", parent=site))
    if "Parcel/a/c/new" in lab.records():
        lab.store.delete(Key("Parcel", "a", "c", "new"))
    lab.store.put(Parcel(name="in", parent=crate, colour="red", weight=1))
    lab.store.put(Parcel(name="out", parent=crate, colour="blue", weight=2))
