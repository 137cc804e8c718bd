"""OCC-15: what a patch changes, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Item, Restrict, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.errors import Conflict, InvalidCall, InvalidResource, MissingReference, NotFound
from emco_store.ports import Commit


class PatchRules:
    """Changes of what is stored, by fields and by functions."""

    @rule("OCC-15")
    def test_patch_changes_the_newest_state(self, lab: Lab) -> None:
        """Whatever state the caller has seen, only the named fields change (OCC-15)."""
        seen = lab.store.create(Item(name="i", rank=1, label="old"))
        lab.open().update(seen.model_copy(update={"label": "theirs"}))

        for target in (seen, seen.key):
            lab.store.patch(target, {"rank": 5})
        made = lab.store.patch(seen, lambda item: item.model_copy(update={"rank": item.rank + 1}))

        assert (6, "theirs", 4) == (made.rank, made.label, made.meta.version)
        assert made == lab.store.get(seen)

    @rule("OCC-15")
    def test_patch_is_repeated_until_it_wins(self, lab: Lab) -> None:
        """A change between its read and its write is kept, and the function is called again (OCC-15)."""
        made = lab.store.create(Item(name="i", rank=0))
        other = lab.open()
        seen = []

        def add(item: Any) -> Any:
            seen.append(item.rank)
            if len(seen) < 4:
                theirs = item.model_copy(update={"rank": item.rank + 10})
                lab.faults.do(Commit, lambda: lab.inside(other).update(theirs))
            return item.model_copy(update={"rank": item.rank + 1})

        assert 31 == lab.store.patch(made, add).rank
        assert [0, 10, 20, 30] == seen

    @rule("OCC-15")
    def test_patch_that_changes_nothing_writes_nothing(self, lab: Lab) -> None:
        """An equal value, and a function that changes nothing, leave the version alone (OCC-15)."""
        made = lab.store.create(Item(name="i", rank=3))

        for change in ({"rank": 3}, {}, lambda item: item, lambda item: item.model_copy(update={"rank": 3})):
            assert made == lab.store.patch(made, change)

        assert 1 == lab.store.get(made).meta.version

    @rule("OCC-15")
    def test_change_in_place_counts(self, lab: Lab) -> None:
        """A function may change a list or a map inside what it is given, and return it (OCC-15)."""
        (a, b) = sites(lab, "a", "b")
        made = lab.store.create(Restrict(name="w", listed=["Site/a"]))

        def add(found: Any) -> Any:
            found.listed.append(Ref(b.key))
            return found

        assert [a.key, b.key] == [ref.key for ref in lab.store.patch(made, add).listed]
        assert 2 == len(lab.store.get(made).listed)

    @rule("OCC-15")
    def test_patch_in_a_transaction_is_part_of_it(self, lab: Lab) -> None:
        """It sees what the transaction wrote, and commits or fails with it (OCC-15)."""
        made = lab.store.create(Item(name="i", rank=0))

        with lab.store.transaction() as tx:
            tx.patch(made, {"rank": 1})
            tx.patch(made, lambda item: item.model_copy(update={"rank": item.rank + 1}))
            tx.create(Site(name="a"))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.patch(made, {"rank": 9})
            lab.open(models=[Item]).patch(made.key, {"label": "theirs"})

        found = lab.store.get(made)
        assert (2, "theirs", 4) == (found.rank, found.label, found.meta.version)

    @rule("OCC-15", "REF-1")
    def test_patch_obeys_the_rules_of_an_update(self, lab: Lab) -> None:
        """Its result is validated, its references are checked, and its key stays (OCC-15, REF-1)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))
        referrer = lab.store.create(Restrict(name="r", either="Site/a"))

        for change, problem in (
            ({"note": 7}, InvalidResource),
            ({"name": "other"}, InvalidResource),
            ({"nothing": 1}, InvalidCall),
            (lambda _: None, InvalidCall),
            (lambda _: Crate(name="c", parent=a), InvalidCall),
            (7, InvalidCall),
            (Crate, InvalidCall),
        ):
            with pytest.raises(problem):
                lab.store.patch(crate, change)
        with pytest.raises(MissingReference):
            lab.store.patch(referrer, {"either": "Site/none"})
        with pytest.raises(Conflict):
            lab.store.patch(crate, {"note": "new"}, if_version=2)

        assert (crate, referrer) == (lab.store.get(crate), lab.store.get(referrer))

    @rule("OCC-15", "ID-4")
    def test_patch_creates_nothing(self, lab: Lab) -> None:
        """What is gone stays gone, and another one with its key is another one (OCC-15, ID-4)."""
        (a,) = sites(lab, "a")
        lab.store.delete(a)
        with pytest.raises(NotFound):
            lab.store.patch(a, {"title": "new"})
        sites(lab, "a")

        with pytest.raises(NotFound):
            lab.store.patch(a, {"title": "new"})
        with pytest.raises(InvalidCall):
            lab.open().patch(Key("Site", "a"), {"title": "new"})

        assert "new" == lab.store.patch(Key("Site", "a"), {"title": "new"}).title
