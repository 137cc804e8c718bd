"""OCC-1 to OCC-3 and OCC-9: two transactions, interleaved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Item, Restrict, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import Conflict


class ConcurrencyRules:
    """Another store of the same namespace commits between the steps of the test's store."""

    @rule("OCC-1")
    def test_lost_update_is_refused(self, lab: Lab) -> None:
        """Of two transactions that read and change one resource, the second to commit loses (OCC-1)."""
        made = lab.store.create(Item(name="i", rank=1))
        other = lab.open()

        with pytest.raises(Conflict) as caught, lab.store.transaction() as tx:
            mine = tx.get(made)
            with other.transaction() as rival:
                theirs = rival.get(made)
                rival.update(theirs.model_copy(update={"rank": theirs.rank + 10}))
            tx.update(mine.model_copy(update={"rank": mine.rank + 100}))

        assert (made.key,) == caught.value.keys
        assert 11 == lab.store.get(made).rank

    @rule("OCC-1")
    def test_write_skew_is_refused(self, lab: Lab) -> None:
        """Two transactions that read two resources and each change the other one do not both commit (OCC-1)."""
        first, second = (lab.store.create(Item(name=name, rank=1)) for name in ("i", "j"))
        other = lab.open()

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.get_many([first, second])
            with other.transaction() as rival:
                rival.get_many([first, second])
                rival.update(second.model_copy(update={"rank": 0}))
            tx.update(first.model_copy(update={"rank": 0}))

        assert [1, 0] == [lab.store.get(item).rank for item in (first, second)]

    @rule("OCC-1")
    def test_absence_that_was_read_is_protected(self, lab: Lab) -> None:
        """If a resource was absent when it was read, the commit fails unless it is still absent (OCC-1)."""
        other = lab.open()

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            assert (None,) == tx.get_many([Key("Site", "a")], missing_ok=True)
            other.create(Site(name="a"))
            tx.create(Site(name="b"))

        assert ["Site/a"] == list(lab.state())

    @rule("OCC-1")
    def test_deleted_and_created_again_is_changed(self, lab: Lab) -> None:
        """A resource that was replaced by another one with the same key and version counts as changed (OCC-1)."""
        made = lab.store.create(Site(name="a"))
        other = lab.open()

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.get(made)
            other.delete(made)
            other.create(Site(name="a"))
            tx.create(Site(name="b"))

        assert ["Site/a"] == list(lab.state())

    @rule("OCC-1")
    def test_what_was_not_read_does_not_conflict(self, lab: Lab) -> None:
        """Transactions on different resources do not conflict, even under one parent (OCC-1)."""
        (a,) = sites(lab, "a")
        other = lab.open()

        with lab.store.transaction() as tx:
            tx.create(Crate(name="c", parent=a))
            tx.create(Restrict(name="r", one=a))
            other.create(Crate(name="d", parent=a))
            other.create(Restrict(name="s", one=a))
            other.update(a.model_copy(update={"title": "new"}))

        assert 5 == len(lab.state())

    @rule("OCC-2")
    def test_update_of_a_stale_value_is_refused(self, lab: Lab) -> None:
        """An update of a value that has changed since is ``Conflict``, alone and in a transaction (OCC-2)."""
        old = lab.store.create(Site(name="a"))
        lab.open().update(old.model_copy(update={"title": "theirs"}))
        before = lab.state()

        with pytest.raises(Conflict):
            lab.store.update(old.model_copy(update={"title": "mine"}))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.update(old.model_copy(update={"title": "mine"}))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.get(old)
            tx.update(old.model_copy(update={"title": "mine"}))

        assert before == lab.state()

    @rule("OCC-3")
    def test_if_version_admits_that_version_only(self, lab: Lab) -> None:
        """Reads and writes with ``if_version`` succeed only at that version (OCC-3)."""
        made = lab.store.create(Site(name="a"))

        assert made == lab.store.get(made, if_version=1)
        assert (made,) == lab.store.get_many([made], if_version={made.key: 1})
        call: Callable[[], Any]
        for call in (
            lambda: lab.store.get(made, if_version=2),
            lambda: lab.store.get_many([made], if_version={made.key: 2}),
            lambda: lab.store.update(made, if_version=2),
            lambda: lab.store.put(made, if_version=2),
            lambda: lab.store.delete(made, if_version=2),
        ):
            with pytest.raises(Conflict):
                call()
        assert 1 == lab.store.get(made).meta.version

        assert 2 == lab.store.update(made.model_copy(update={"title": "x"}), if_version=1).meta.version
        lab.store.delete(made.key, if_version=2)

    @rule("OCC-13")
    def test_if_match_admits_the_state_that_the_tag_names(self, lab: Lab) -> None:
        """Reads and writes with ``if_match`` succeed for one state; ``*`` admits whatever is stored (OCC-13)."""
        old = lab.store.create(Site(name="a"))
        now = lab.store.update(old.model_copy(update={"title": "x"}))

        _refuse_tag(lab, now, old.meta.etag)
        assert now == lab.store.get(now, if_match=now.meta.etag)
        assert (now,) == lab.store.get_many([now], if_match={now.key: f"{old.meta.etag}, {now.meta.etag}"})
        assert now == lab.store.get(now, if_match="*")
        with pytest.raises(Conflict):
            lab.store.put(Site(name="b"), if_match="*")

        then = lab.store.update(now.model_copy(update={"title": "y"}), if_match=now.meta.etag)
        with lab.store.transaction() as tx:
            then = tx.put(then.model_copy(update={"title": "z"}), if_match=then.meta.etag)
        lab.store.delete(then.key, if_match=then.meta.etag)
        assert {} == lab.state()

    @rule("OCC-13")
    def test_if_match_refuses_a_resource_that_was_created_again(self, lab: Lab) -> None:
        """The tag of a deleted resource admits no other resource of the same key and version (OCC-13)."""
        old = lab.store.create(Site(name="a"))
        lab.store.delete(old)
        new = lab.store.create(Site(name="a"))

        assert old.meta.version == new.meta.version
        _refuse_tag(lab, new, old.meta.etag)
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.delete(new.key, if_match=old.meta.etag)
        assert new == lab.store.get(new, if_match=new.meta.etag)

    @rule("OCC-9")
    def test_reading_transaction_sees_one_state(self, lab: Lab) -> None:
        """A read-only transaction that reads before and after a change ends in ``Conflict`` (OCC-9)."""
        first, second = (lab.store.create(Item(name=name, rank=1)) for name in ("i", "j"))
        other = lab.open()

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.get(first)
            with other.transaction() as rival:
                rival.update(first.model_copy(update={"rank": 2}))
                rival.update(second.model_copy(update={"rank": 2}))
            tx.get(second)

    @rule("OCC-9")
    def test_undisturbed_reads_do_not_conflict(self, lab: Lab) -> None:
        """Reads succeed if nothing changed between them; a single request always does (OCC-9)."""
        first, second = (lab.store.create(Item(name=name, rank=1)) for name in ("i", "j"))
        other = lab.open()

        with lab.store.transaction() as tx:
            assert first == tx.get(first)
            assert first == tx.get(first)
            assert second == tx.get(second)
        with lab.store.transaction() as tx:
            both = tx.get_many([first, second])
            other.update(first.model_copy(update={"rank": 2}))

        assert (first, second) == both

    @rule("OCC-9")
    def test_second_read_shows_the_first_state(self, lab: Lab) -> None:
        """A transaction reads the same value every time, or fails (OCC-9)."""
        made = lab.store.create(Item(name="i", rank=1))
        seen = []

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            seen.append(tx.get(made).rank)
            lab.open().update(made.model_copy(update={"rank": 2}))
            seen.append(tx.get(made).rank)
            seen += [item.rank for item in tx.list(Item, stable=False).resources]

        assert {1} == set(seen)

    @rule("OCC-9", "OCC-1")
    def test_referrer_read_before_it_moved_is_a_conflict(self, lab: Lab) -> None:
        """A transaction that reads a referrer before and its target after a change by others fails (OCC-9, OCC-1)."""
        a, b = sites(lab, "a", "b")
        held = lab.store.create(SetNull(name="n", one=a))
        other = lab.open()

        with pytest.raises(Conflict), lab.store.transaction() as tx:
            mine = tx.get(held)
            other.update(held.model_copy(update={"one": b.ref}))
            tx.delete(a)
            tx.update(mine.model_copy(update={"note": "mine"}))

        assert ("Site/b", True) == (lab.store.get(held).one.text, "Site/a" in lab.state())


def _refuse_tag(lab: Lab, stored: Any, tag: str) -> None:
    """Assert that every call refuses the tag with an error that repeating cannot help, and changes nothing."""
    before = lab.state()
    call: Callable[[], Any]
    for call in (
        lambda: lab.store.get(stored, if_match=tag),
        lambda: lab.store.get_many([stored], if_match={stored.key: tag}),
        lambda: lab.store.update(stored, if_match=tag),
        lambda: lab.store.put(stored, if_match=tag),
        lambda: lab.store.delete(stored.key, if_match=tag),
        lambda: lab.store.delete(stored, if_match=f'W/{stored.meta.etag}, "{stored.meta.uid}"'),
    ):
        with pytest.raises(Conflict) as caught:
            call()
        assert caught.value.pinned
    assert before == lab.state()
