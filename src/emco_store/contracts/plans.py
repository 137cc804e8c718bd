"""DEL-8 to DEL-12: plans, deletes inside transactions, and the limit of one commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.deletes import blocked, sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Cascade, Crate, Protect, Rack, Remove, Restrict, Safe, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, DeleteRestricted, InvalidCall, NotFound


class PlanRules:
    """What a delete would do, as a plan that the commit checks."""

    @rule("DEL-8")
    def test_plan_shows_all_and_writes_nothing(self, lab: Lab) -> None:
        """A plan names what is deleted and why, and what changes and where (DEL-8)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Crate(name="c", parent=a))
        lab.store.create(SetNull(name="n", one=a))
        lab.store.create(Remove(name="r", listed=[b, a, a]))
        before = lab.state()

        plan = lab.store.plan_delete(a)

        assert before == lab.state()
        assert [("Site/a", None), ("Crate/a/c", "parent")] == [
            (gone.key.text, gone.via and gone.via.place) for gone in plan.deletes
        ]
        assert {("SetNull/n", "one"), ("Remove/r", "listed[1]"), ("Remove/r", "listed[2]")} == {
            (change.key.text, change.edge.place) for change in plan.updates
        }
        assert () == plan.blockers

    @rule("DEL-8")
    def test_plan_and_refusal_show_all_blockers_at_once(self, lab: Lab) -> None:
        """Every blocker of the cascade is named, in the plan and in the error (DEL-8)."""
        (a,) = sites(lab, "a")
        lab.store.create(Restrict(name="r", one=a, listed=[a]))
        lab.store.create(Protect(name="p", one=a, also=a))
        lab.store.create(Rack(name="k", parent=a))
        lab.store.create(Safe(name="s", parent=a))
        x = lab.store.create(Cascade(name="x", one=a))
        lab.store.create(Cascade(name="y", blocked_by=x))
        before = lab.state()

        plan = lab.store.plan_delete(a)
        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(a)
        with pytest.raises(DeleteRestricted) as applied:
            lab.store.apply(plan)

        wanted = {
            ("Restrict/r", "one", Rule.RESTRICT),
            ("Restrict/r", "listed[0]", Rule.RESTRICT),
            ("Protect/p", "one", Rule.PROTECT),
            ("Rack/a/k", "parent", Rule.RESTRICT),
            ("Safe/a/s", "parent", Rule.PROTECT),
            ("Cascade/y", "blocked_by", Rule.RESTRICT),
        }
        assert wanted == {(item.referrer.text, item.place, item.rule) for item in plan.blockers}
        assert wanted == blocked(caught.value) == blocked(applied.value)
        assert before == lab.state()

    @rule("DEL-8")
    def test_blockers_of_all_targets_are_named(self, lab: Lab) -> None:
        """A delete of several resources names the blockers of all of them (DEL-8)."""
        targets = sites(lab, "a", "b", "c")
        for site in targets:
            lab.store.create(Restrict(name=f"r-{site.name}", one=site))

        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(*targets)

        assert {(f"Restrict/r-{name}", "one", Rule.RESTRICT) for name in "abc"} == blocked(caught.value)

    @rule("DEL-9")
    def test_plan_is_applied_as_shown(self, lab: Lab) -> None:
        """Applying does what the plan shows, even in another store, and only once (DEL-9)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Crate(name="c", parent=a))
        lab.store.create(SetNull(name="n", one=a, listed=[b]))
        plan = lab.store.plan_delete(a)

        lab.open().apply(plan)

        assert ["SetNull/n", "Site/b"] == sorted(lab.state())
        assert lab.store.get(SetNull, "n").one is None
        with pytest.raises((NotFound, Conflict)):
            lab.store.apply(plan)
        with pytest.raises(InvalidCall):
            lab.store.apply("a plan")

    @rule("DEL-9")
    def test_plan_that_has_been_overtaken_is_refused(self, lab: Lab) -> None:
        """If anything that a plan rests on has changed, nothing is written (DEL-9)."""
        move: Callable[[], Any]
        for move in (
            lambda: lab.store.create(Crate(name="new", parent=Key("Site", "a").text)),
            lambda: lab.store.create(Restrict(name="new", one="Site/a")),
            lambda: lab.store.create(SetNull(name="new", listed=["Site/a"])),
            lambda: lab.store.update(lab.store.get(Site, "a").model_copy(update={"title": "new"})),
            lambda: lab.store.update(lab.store.get(SetNull, "n").model_copy(update={"note": "new"})),
            lambda: lab.store.update(lab.store.get(SetNull, "n").model_copy(update={"one": None})),
            lambda: lab.store.update(lab.store.get(Crate, "a", "c").model_copy(update={"note": "new"})),
            lambda: lab.store.create(Restrict(name="new", either="Site/a")),
            lambda: lab.store.delete(Key("Crate", "a", "c")),
            lambda: lab.store.delete(Key("SetNull", "n")),
        ):
            site = lab.store.put(Site(name="a"))
            lab.store.put(Crate(name="c", parent=site))
            lab.store.put(SetNull(name="n", one=site))
            plan = lab.store.plan_delete(site)
            move()
            before = lab.state()
            with pytest.raises(Conflict):
                lab.store.apply(plan)
            assert before == lab.state()
            _clear(lab)

    @rule("DEL-10")
    def test_blocker_that_is_gone_by_the_commit_does_not_block(self, lab: Lab) -> None:
        """A referrer that is re-pointed, deleted or replaced later in the transaction does not block (DEL-10)."""
        for kind in (Restrict, Protect):
            for way in ("update", "delete", "put", "again"):
                a, b = sites(lab, "a", "b")
                made = lab.store.create(kind(name="r", one=a))
                with lab.store.transaction() as tx:
                    tx.delete(a)
                    if way == "update":
                        tx.update(made.model_copy(update={"one": b.ref}))
                    elif way == "put":
                        tx.put(kind(name="r", one=b))
                    elif way == "delete":
                        tx.delete(made)
                    else:
                        tx.delete(made)
                        tx.create(kind(name="r", one=b))
                assert "Site/a" not in lab.state()
                assert [] == lab.dangling()
                _clear(lab)

    @rule("DEL-10")
    def test_blocker_that_remains_at_the_commit_blocks(self, lab: Lab) -> None:
        """A referrer that still refers at the commit blocks, even if the transaction wrote it (DEL-10)."""
        (a,) = sites(lab, "a")
        made = lab.store.create(Restrict(name="r"))
        before = lab.state()

        steps: Callable[[Any], Any]
        for steps in (
            lambda tx: (tx.update(made.model_copy(update={"one": a.ref})), tx.delete(a)),
            lambda tx: (tx.create(Restrict(name="s", one=a)), tx.delete(a)),
            lambda tx: (tx.create(Rack(name="k", parent=a)), tx.delete(a)),
        ):
            with pytest.raises(DeleteRestricted), lab.store.transaction() as tx:
                steps(tx)
            assert before == lab.state()

    @rule("DEL-10")
    def test_referrer_moved_before_the_delete_is_spared(self, lab: Lab) -> None:
        """The rules see the transaction's own writes: a referrer that was re-pointed stays unchanged (DEL-10)."""
        a, b = sites(lab, "a", "b")
        made = lab.store.create(Cascade(name="c", one=a))
        null = lab.store.create(SetNull(name="n", one=a))

        with lab.store.transaction() as tx:
            tx.update(made.model_copy(update={"one": b.ref}))
            tx.update(null.model_copy(update={"one": b.ref}))
            tx.delete(a)

        assert ["Site/b", "Site/b"] == [lab.store.get(item).one.text for item in (made, null)]

    @rule("DEL-10")
    def test_rules_reach_what_the_transaction_made(self, lab: Lab) -> None:
        """Cascades and rules apply to what the same transaction has created (DEL-10)."""
        a, b = sites(lab, "a", "b")

        with lab.store.transaction() as tx:
            tx.create(Cascade(name="c", one=a))
            tx.create(SetNull(name="n", one=a, only=b))
            tx.create(Remove(name="r", listed=[a, b]))
            tx.delete(a)

        assert ["Remove/r", "SetNull/n", "Site/b"] == sorted(lab.state())
        assert (None, "Site/b") == (lab.store.get(SetNull, "n").one, lab.store.get(SetNull, "n").only.text)
        assert ["Site/b"] == [ref.text for ref in lab.store.get(Remove, "r").listed]

    @rule("DEL-11")
    def test_delete_of_a_predecessor_is_refused(self, lab: Lab) -> None:
        """A delete of a resource never deletes a later one with its key; a delete of a key does (DEL-11)."""
        old = lab.store.create(Site(name="a"))
        lab.store.delete(old)
        lab.store.create(Site(name="a"))
        before = lab.state()

        with pytest.raises(Conflict):
            lab.store.delete(old)
        with pytest.raises(Conflict):
            lab.store.plan_delete(old)
        assert before == lab.state()

        lab.store.delete(old.key)
        assert {} == lab.state()

    @rule("DEL-11", "OCC-3")
    def test_delete_of_another_version_is_refused(self, lab: Lab) -> None:
        """``if_version`` deletes only that version; without it, an older value deletes the resource (DEL-11, OCC-3)."""
        old = lab.store.create(Site(name="a"))
        lab.store.update(old.model_copy(update={"title": "new"}))

        with pytest.raises(Conflict):
            lab.store.delete(old, if_version=1)
        assert ["Site/a"] == list(lab.state())
        lab.store.delete(old)

        assert {} == lab.state()

    @rule("DEL-12")
    def test_commit_beyond_the_limit_is_refused(self, lab: Lab) -> None:
        """A delete of more records than the limit is one error with the number, and nothing is written (DEL-12)."""
        small = lab.open(max_records=4)
        (a,) = sites(lab, "a")
        for name in ("c1", "c2", "c3"):
            lab.store.create(Crate(name=name, parent=a))
        lab.store.create(Crate(name="c4", parent=a))
        before = lab.state()

        with pytest.raises(InvalidCall) as caught:
            small.delete(a)
        with pytest.raises(InvalidCall) as many, small.transaction() as tx:
            for name in "vwxyz":
                tx.create(Site(name=name))
        assert (5, 4, 5, 4) == tuple(
            problem.value.fields[name] for problem in (caught, many) for name in ("size", "limit")
        )
        assert before == lab.state()

        small.delete(Key("Crate", "a", "c4"))
        small.delete(a)
        assert {} == lab.state()


def _clear(lab: Lab) -> None:
    with lab.store.transaction() as tx:
        tx.delete(*(record.key for record in lab.records().values()))
