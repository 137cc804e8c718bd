"""LIF-10, LIF-11: approval is bound to the digest of the content."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.recorded import CHART, DESK, HALL, PLANT, Desk, Guest, PlantLife, approve, begin, write
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.rules import CASCADE
from emco_store.errors import ContentChanged, InvalidCall, TransitionRefused
from emco_store.ports import Commit, Receipt


class DigestRules:
    """What an approval holds for, and how long."""

    @rule("LIF-10")
    def test_approval_records_what_was_looked_at(self, lab: Lab) -> None:
        """An approval records a revision, and is bound to its digest (LIF-10)."""
        begin(lab.store)
        digest = lab.store.digest(PLANT)

        record = lab.store.transition(PLANT, PlantLife.approve, digest=digest)

        (revision,) = lab.store.history(PLANT)
        assert (digest, 1) == (record.approved.digest, record.approved.revision)
        assert (digest, 1, record.approved) == (revision.digest, revision.number, revision.approval)

    @rule("LIF-10")
    def test_approval_of_other_content_is_refused_and_names_it(self, lab: Lab) -> None:
        """Who approves another content than there is gets ContentChanged, with what changed (LIF-10)."""
        begin(lab.store)
        digest = approve(lab.store).approved.digest
        write(lab.store, DESK, text="second")
        before = lab.records()

        with pytest.raises(ContentChanged) as caught:
            lab.store.transition(PLANT, PlantLife.approve, digest=digest)

        assert (digest, lab.store.digest(PLANT)) == (caught.value.digest, caught.value.found)
        assert (DESK,) == caught.value.changed
        assert before == lab.records()

    @rule("LIF-10")
    def test_retry_never_approves_what_nobody_saw(self, lab: Lab) -> None:
        """A change between the reads and the commit of an approval makes it ContentChanged, not a repeat (LIF-10)."""
        begin(lab.store)
        digest = lab.store.digest(PLANT)
        other = lab.open()
        changed = other.get(Desk, *DESK.segments).model_copy(update={"text": "second"})
        lab.faults.do(Commit, lambda: lab.inside(other).update(changed))

        with pytest.raises(ContentChanged):
            lab.store.transition(PLANT, PlantLife.approve, digest=digest)

        assert () == lab.store.history(PLANT).items

    @rule("LIF-10")
    def test_approval_needs_a_digest(self, lab: Lab) -> None:
        """No digest never means that none is checked (LIF-10)."""
        begin(lab.store)
        wrong: list[Any] = [None, "", 5]
        for digest in wrong:
            with pytest.raises(InvalidCall):
                lab.store.transition(PLANT, PlantLife.approve, digest=digest)
        with pytest.raises(ContentChanged):
            lab.store.transition(PLANT, PlantLife.approve, digest="sha256:0")

    @rule("LIF-11")
    def test_approval_holds_while_the_content_is_the_same(self, lab: Lab) -> None:
        """Any change of content makes approved() refuse; undoing it makes it hold again (LIF-11)."""
        begin(lab.store)
        approve(lab.store)
        for key in (PLANT, HALL, DESK, CHART):
            write(lab.store, key, text="second")
            with pytest.raises(TransitionRefused):
                lab.store.transition(PLANT, PlantLife.run)
            write(lab.store, key, text="first")
        added = lab.store.create(Desk(parent=HALL, name="new"))
        with pytest.raises(TransitionRefused):
            lab.store.transition(PLANT, PlantLife.run)
        lab.store.delete(added)
        lab.store.create(Guest(name="v", hall=HALL))

        assert "Running" == lab.store.transition(PLANT, PlantLife.run).state

    @rule("LIF-11")
    def test_equal_content_is_equal(self, lab: Lab) -> None:
        """Uids, versions and states are no content: what is created again equally has the same digest (LIF-11)."""
        begin(lab.store)
        digest = lab.store.digest(PLANT)
        approve(lab.store)
        lab.clock.advance()
        write(lab.store, DESK, text="second")
        lab.store.delete(Key("Ground", "g"), Key("Chart", "c"))

        begin(lab.store)

        assert digest == lab.store.digest(PLANT)

    @rule("LIF-11")
    def test_content_has_every_kind_and_no_order_of_fields(self, lab: Lab) -> None:
        """Resources of unknown kinds count, by their values and not by their bytes (LIF-11)."""
        begin(lab.store)
        first = lab.store.digest(PLANT)
        odd = Record(
            Key("Odd", "g", "p", "o"), "odd", 1, b'{"a":1,"b":[2]}', (Edge(PLANT, PARENT_PATH, CASCADE),), (), (), 0, 0
        )
        reply = lab.port.ask(Commit("odd", {odd.key: None}, frozenset([PLANT]), puts=(odd,)))
        assert isinstance(reply, Receipt)
        second = lab.store.digest(PLANT)
        lab.tamper(odd.key, b'{ "b": [2], "a": 1 }')
        third = lab.store.digest(PLANT)
        lab.tamper(odd.key, b"no JSON")
        fourth = lab.store.digest(PLANT)

        assert second == third
        assert len({first, second, fourth}) == len(("without", "with", "unreadable"))

    @rule("LIF-11")
    def test_read_of_content_conflicts_with_nobody_else(self, lab: Lab) -> None:
        """A foreign referrer that changes during a transition makes it lose nothing (LIF-11)."""
        begin(lab.store)
        digest = approve(lab.store).approved.digest
        guest = lab.store.create(Guest(name="v", hall=HALL))
        with lab.store.transaction() as tx:
            tx.transition(PLANT, PlantLife.approve, digest=digest)
            lab.open().delete(guest)

        assert lab.store.lifecycle(PLANT).revision == len(("first", "second"))
