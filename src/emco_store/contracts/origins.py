"""WHO: each commit carries actor, reason and operation, and every record that it writes keeps them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import pytest

from emco_store._aio.store import AsyncStore
from emco_store.contracts.bad_input import refused
from emco_store.contracts.checks import checked, take_away
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Crate, Parcel, Remove, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import transition
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.resource import Resource
from emco_store.core.status import Status
from emco_store.errors import InvalidCall
from emco_store.ports import Get

ALICE = {"actor": "alice", "reason": "CHG-7", "operation": "op-1"}
"""What a caller may say."""


_ACTORS: Sequence[Any] = ("", " ", "a\nb", "\0", "\x1b[1m", "\ud800", "a" * 254, b"a", 1, ["a"], {})
_REASONS: Sequence[Any] = ("r" * 1001, "\0", "\x07", "\ud800", b"r", 1, {"$gt": ""})
_OPERATIONS: Sequence[Any] = ("o" * 254, "\n", "\0", 1, {"$set": 1})
_UNUSABLE: Sequence[dict[str, Any]] = (
    *({"actor": text} for text in _ACTORS),
    *({"reason": text} for text in _REASONS),
    *({"operation": text} for text in _OPERATIONS),
)


class GateState(StrEnum):
    """In which states a gate can be."""

    SHUT = "Shut"
    OPEN = "Open"


class GateLifecycle(Lifecycle[GateState]):
    """A gate opens, which is recorded, and shuts."""

    initial = GateState.SHUT
    open = transition(GateState.SHUT, to=GateState.OPEN, records=True)
    shut = transition(GateState.OPEN, to=GateState.SHUT)
    deletable = {GateState.SHUT}


class Gate(Resource, lifecycle=GateLifecycle):
    """A resource with a lifecycle and a status."""


class GateStatus(Status, of=Gate, writer=ALICE["actor"]):
    """What Alice observes of a gate."""


class OriginRules:
    """An origin is the same in the value that a call returns, in what another store reads, and in what is stored."""

    @rule("WHO-1", "ID-13")
    def test_origin_comes_back_as_it_was_given(self, lab: Lab) -> None:
        """Actor, reason and operation survive in every script, and a record without them has none (WHO-1, ID-13)."""
        texts = ('"\\ é 漢字 🙂 {0} %s', "first\nsecond\t$where: {} \u202e", "a.b/c|d'; --")
        nobody = lab.store.create(Site(name="a"))
        with lab.store.acting(actor=texts[0], reason=texts[1], operation=texts[2]):
            made = lab.store.create(Site(name="b"))

        read = lab.open().get(Site, "b")

        assert Origin(*texts) == made.meta.origin == read.meta.origin == _stored(lab, made)
        assert texts == (read.meta.actor, read.meta.reason, read.meta.operation)
        assert NOBODY == nobody.meta.origin == lab.open().get(Site, "a").meta.origin == _stored(lab, nobody)

    @rule("WHO-1")
    def test_every_call_that_writes_carries_the_origin(self, lab: Lab) -> None:
        """Create, update, put and each write of a transaction carry it, and the newest write counts (WHO-1)."""
        with lab.store.acting(**ALICE):
            made = lab.store.create(Site(name="a"))
            put = lab.store.put(Site(name="b"))
            with lab.store.transaction() as tx:
                inside = tx.create(Site(name="c"))
            ran = lab.store.run(lambda tx: tx.create(Site(name="d")))
        with lab.store.acting(actor="bob"):
            updated = lab.store.update(made.model_copy(update={"title": "x"}))
            replaced = lab.store.put(Site(name="b", title="x"))

        assert [Origin(**ALICE)] * 3 == [one.meta.origin for one in (made, put, inside)]
        assert [Origin(**ALICE)] * 2 == [_stored(lab, one) for one in (inside, ran)]
        assert [Origin("bob")] * 2 == [one.meta.origin for one in (updated, replaced)]
        assert [Origin("bob")] * 2 == [_stored(lab, one) for one in (updated, replaced)]

    @rule("WHO-1")
    def test_write_without_an_origin_leaves_none_behind(self, lab: Lab) -> None:
        """A change about which nothing was said is not ascribed to whoever made the one before it (WHO-1)."""
        with lab.store.acting(**ALICE):
            made = lab.store.create(Site(name="a"))
            gone = lab.store.create(Site(name="b"))
        lab.store.update(made.model_copy(update={"title": "x"}))
        lab.store.delete(gone)
        again = lab.store.create(Site(name="b"))

        assert [NOBODY] * 2 == [_stored(lab, one) for one in (made, again)]

    @rule("WHO-1")
    def test_records_beside_a_resource_carry_the_origin(self, lab: Lab) -> None:
        """The store's own records, of lifecycles, revisions and statuses, are written by whoever acts (WHO-1)."""
        with lab.store.acting(**ALICE):
            gate = lab.store.create(Gate(name="g"))
            lab.store.transition(gate, GateLifecycle.open)
            lab.store.set_status(GateStatus(parent=gate), observed=gate)

        records = lab.records()
        assert {"Gate", "emco__Lifecycle", "emco__Status_Gate"} <= {one.key.kind for one in records.values()}
        assert {Origin(**ALICE)} == {one.origin for one in records.values()}

    @rule("WHO-1", "ID-5")
    def test_put_of_an_equal_resource_keeps_the_origin(self, lab: Lab) -> None:
        """An equal put changes nothing, so whoever made the last change is still named (WHO-1, ID-5)."""
        with lab.store.acting(actor="alice"):
            lab.store.create(Site(name="a", title="x"))
        with lab.store.acting(actor="bob"):
            same = lab.store.put(Site(name="a", title="x"))

        assert "alice" == same.meta.actor == _stored(lab, same).actor

    @rule("WHO-1")
    def test_edits_by_rules_carry_the_origin_of_the_delete(self, lab: Lab) -> None:
        """What a delete changes elsewhere was changed by whoever deleted, also without models (WHO-1)."""
        with lab.store.acting(actor="alice"):
            site = lab.store.create(Site(name="a"))
            lab.store.create(Site(name="b"))
            null = lab.store.create(SetNull(name="n", one=site))
            other = lab.store.create(Remove(name="r", listed=[site, Key("Site", "b")]))
        store = lab.open()
        with store.acting(actor="bob", operation="op-2"):
            store.delete(site.key)

        assert [Origin("bob", "", "op-2")] * 2 == [_stored(lab, one) for one in (null, other)]

    @rule("WHO-1", "DEL-9")
    def test_plan_is_written_with_the_origin_and_time_of_its_application(self, lab: Lab) -> None:
        """Whoever applies a plan changes something, at that moment; whoever made it has changed nothing (WHO-1)."""
        site = lab.store.create(Site(name="a"))
        null = lab.store.create(SetNull(name="n", one=site))
        with lab.store.acting(actor="planner"):
            plan = lab.store.plan_delete(site)
        now = lab.clock.advance()
        with lab.store.acting(actor="applier"):
            lab.store.apply(plan)

        meta = lab.store.get(null).meta
        assert ("applier", now) == (meta.actor, meta.updated_at)

    @rule("WHO-1", "CHK-7")
    def test_repair_carries_the_origin_of_its_call(self, lab: Lab) -> None:
        """A repair is a change like any other (WHO-1)."""
        site = lab.store.create(Site(name="a"))
        null = lab.store.create(SetNull(name="n", one=site))
        take_away(lab, site.key)
        with lab.store.acting(actor="carol"):
            lab.store.repair(checked(lab.store))

        assert "carol" == _stored(lab, null).actor

    @rule("WHO-2")
    def test_blocks_nest_over_the_actor_of_the_store(self, lab: Lab) -> None:
        """A block says what it says, keeps the rest of what is around it, and ends at its end (WHO-2)."""
        store = lab.open(actor="service")
        found = [store.create(Site(name="a"))]
        with store.acting(reason="CHG-7"):
            with store.acting(actor="alice", operation="op-1"):
                found.append(store.create(Site(name="b")))
                with store.acting(reason=""):
                    found.append(store.create(Site(name="c")))
            found.append(store.create(Site(name="d")))
        found.append(store.create(Site(name="e")))

        assert [
            Origin("service"), Origin("alice", "CHG-7", "op-1"), Origin("alice", "", "op-1"),
            Origin("service", "CHG-7"), Origin("service"),
        ] == [_stored(lab, one) for one in found]  # fmt: skip

    @rule("WHO-2")
    def test_transaction_has_the_origin_with_which_it_began(self, lab: Lab) -> None:
        """All that one commit writes has one origin, and acting() inside a transaction is refused (WHO-2)."""
        with lab.store.acting(actor="alice"), lab.store.transaction() as tx:
            first = tx.create(Site(name="a"))
            second = tx.create(Crate(name="c", parent=first))

        assert ["alice"] * 2 == [_stored(lab, one).actor for one in (first, second)]
        with pytest.raises(InvalidCall), lab.store.transaction(), lab.store.acting(actor="bob"):
            pass

    @rule("WHO-3")
    def test_block_of_one_store_says_nothing_about_another(self, lab: Lab) -> None:
        """Two stores of one program act for themselves (WHO-3)."""
        other = lab.open(actor="other")
        with lab.store.acting(actor="alice"):
            made = other.create(Site(name="a"))
            mine = lab.store.create(Site(name="b"))

        assert ["other", "alice"] == [_stored(lab, one).actor for one in (made, mine)]

    @rule("WHO-3")
    def test_concurrent_callers_keep_their_origins(self, lab: Lab) -> None:
        """Eight tasks or threads on one store, each with an actor of its own, write what is theirs (WHO-3)."""
        names = [f"s{at}" for at in range(8)]
        begun = threading.Barrier(len(names))
        lab.together([_as(name, begun) for name in names])
        lab.store.create(Site(name="last"))

        actors = {key: record.origin.actor for key, record in lab.records().items() if key.startswith("Site/")}
        assert {f"Site/{name}": name for name in names} | {"Site/last": ""} == actors
        parcels = {key: record.origin.actor for key, record in lab.records().items() if key.startswith("Parcel/")}
        assert {f"Parcel/{name}/c/p": name for name in names} == parcels

    @rule("WHO-4")
    def test_origin_that_cannot_be_stored_is_refused(self, lab: Lab) -> None:
        """Nothing is asked of the backend before an unusable text is refused (WHO-4)."""
        for given in _UNUSABLE:
            with refused(lab, InvalidCall), lab.store.acting(**given):
                pass
        for name in ("", "a\0", 7):
            with refused(lab, InvalidCall):
                lab.open(actor=name)
        with lab.store.acting(actor="a" * 253, reason="r" * 1000, operation="o" * 253):
            made = lab.store.create(Site(name="a"))

        assert Origin("a" * 253, "r" * 1000, "o" * 253) == _stored(lab, made)


def _stored(lab: Lab, resource: Resource) -> Origin:
    """Give the origin of a resource as the backend has it."""
    return lab.port.ask(Get((resource.key,)))[resource.key].origin


def _as(name: str, begun: threading.Barrier) -> Any:
    """Make a call that writes several times in the name of an actor, as one task or thread.

    Threads go on when all have begun to act; tasks take turns at each request.
    """

    def blocking(store: Any) -> None:
        with store.acting(actor=name):
            begun.wait(timeout=60)
            site = store.create(Site(name=name))
            crate = store.create(Crate(name="c", parent=site))
            store.create(Parcel(name="p", parent=crate, code=name))

    async def awaited(store: Any) -> None:
        with store.acting(actor=name):
            site = await store.create(Site(name=name))
            crate = await store.create(Crate(name="c", parent=site))
            await store.create(Parcel(name="p", parent=crate, code=name))

    return lambda store: awaited(store) if isinstance(store, AsyncStore) else blocking(store)
