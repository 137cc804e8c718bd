"""LEA: leases are there exactly while they are held, and nothing is committed for whoever has lost one."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest

from emco_store.contracts.faults import ClientDied, Moment
from emco_store.contracts.harness import Lab
from emco_store.contracts.lease_models import (
    DUTIES,
    RUNNER,
    SPARE,
    Chore,
    ChoreBefore,
    DutyToDelete,
    DutyToFree,
    DutyToKeep,
    DutyToMove,
    DutyToShare,
    Runner,
    duty,
)
from emco_store.contracts.rules import rule
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.keys import Key
from emco_store.core.leases import Verdict
from emco_store.core.naming import LEASE
from emco_store.core.plan import BlockReason
from emco_store.core.refs import Ref
from emco_store.core.reserved import lease_of
from emco_store.core.rules import Rule
from emco_store.errors import (
    DeleteRestricted,
    InvalidCall,
    LeaseHeld,
    LeaseLost,
    MissingReference,
    NotFound,
    StoreError,
    Unavailable,
)
from emco_store.ports import Beat, Commit, Pulses


class LeaseRules:
    """Take, require, release and end leases."""

    @rule("LEA-1")
    def test_lease_is_there_exactly_while_it_is_held(self, lab: Lab) -> None:
        """A lease begins with its block and ends with it, and nobody else has one meanwhile (LEA-1)."""
        assert [] == _leases(lab)

        with lab.store.lease(Runner(name="r", zone="eu")) as lease:
            assert [(RUNNER, "alive", lease.token)] == _leases(lab)
            for store in (lab.store, lab.open(models=[Runner])):
                with pytest.raises(LeaseHeld) as held, store.lease(RUNNER):
                    pass
                assert (lease.token, lease.uid) == (held.value.token, held.value.lease_uid)

        assert [] == _leases(lab)
        assert [(RUNNER, Verdict.FREE)] == [(one.resource, one.verdict) for one in lab.store.leases(Runner)]
        assert "eu" == lab.store.get(Runner, "r").zone
        assert () == lab.ask(Pulses()).pulses

    @rule("ID-8")
    def test_pages_of_leases_hold_each_once_and_take_their_own_cursors_only(self, lab: Lab) -> None:
        """The pages of the leases that are held show each once, by key, and refuse other cursors (ID-8)."""
        with ExitStack() as stack:
            for name in ("b", "a", "c"):
                stack.enter_context(lab.store.lease(Runner(name=name)))
            first = lab.store.leases(limit=2)
            second = lab.store.leases(limit=2, after=first.next)
            foreign = lab.store.list(Runner, limit=1).next

            assert ["a", "b", "c"] == [state.resource.name for page in (first, second) for state in page]
            assert second.next is None
            for after in ("Runner/a", lease_of(RUNNER).text, "\0", foreign):
                with pytest.raises(InvalidCall):
                    lab.store.leases(after=after)

    @rule("LEA-1")
    def test_taker_that_finds_it_held_changes_nothing(self, lab: Lab) -> None:
        """A resource is stored along only with its lease (LEA-1)."""
        with lab.store.lease(Runner(name="r", zone="eu")):
            before = lab.state()
            with pytest.raises(LeaseHeld), lab.open().lease(Runner(name="r", zone="us")):
                pass

            assert before == lab.state()

    @rule("LEA-1")
    def test_exception_in_the_block_releases_too(self, lab: Lab) -> None:
        """However the block ends, the lease does too, and the exception goes on (LEA-1)."""
        with pytest.raises(ZeroDivisionError), lab.store.lease("leader"):
            _ = 1 / 0

        assert [] == _leases(lab)

    @rule("LEA-2")
    def test_client_that_dies_while_it_takes_leaves_all_or_nothing(self, lab: Lab) -> None:
        """Before the commit there is no lease, after it there is one; each that is there has a pulse (LEA-2)."""
        lab.store.create(Runner(name="r"))
        deaths: tuple[tuple[type[Any], Moment, int], ...] = (
            (Beat, "before", 0),
            (Beat, "after", 0),
            (Commit, "before", 0),
            (Commit, "after", 1),
        )
        for kind, moment, held in deaths:
            lab.faults.clear()
            lab.faults.do(kind, _die, moment=moment)

            with pytest.raises(ClientDied), lab.store.lease(RUNNER):
                pass

            uids = {record.uid for record in lab.records().values() if record.key.kind == LEASE}
            assert held == len(uids)
            assert uids <= {pulse.uid for pulse in lab.ask(Pulses()).pulses}

    @rule("LEA-2")
    def test_answer_that_is_lost_takes_the_lease_once(self, lab: Lab) -> None:
        """A take whose answer is lost is sent again, and has its effect once (LEA-2)."""
        lab.store.create(Runner(name="r"))
        lab.faults.lose_reply(times=2)

        with lab.store.lease(RUNNER) as lease:
            assert [(RUNNER, "alive", lease.token)] == _leases(lab)

    @rule("LEA-2")
    def test_end_by_another_is_a_commit_with_a_reason(self, lab: Lab) -> None:
        """What ends a lease is a commit, which says why in what it changes; what is not held cannot end (LEA-2)."""
        with lab.store.lease(Runner(name="r")):
            lab.store.create(DutyToFree(name="d", runner=RUNNER))
            figures = lab.open(models=[Runner]).expire(RUNNER, reason="node drained")

            assert ({}, {"DutyToFree": 1}) == (figures.deleted, figures.changed)
            assert "node drained" == lab.store.get(DutyToFree, "d").meta.reason
            assert [] == _leases(lab)
        with pytest.raises(NotFound):
            lab.store.expire(RUNNER)

    @rule("LEA-3")
    def test_tokens_grow_over_all_leases_of_a_resource(self, lab: Lab) -> None:
        """Each lease has a greater token than all before it, whatever happens to the resource (LEA-3)."""
        tokens: list[int] = []
        for number in range(4):
            with lab.store.lease(Runner(name="r", zone=str(number // 2))) as lease:
                tokens.append(lease.token)
                if number == 1:
                    lab.store.create(DutyToKeep(name="d", runner=RUNNER))
                if number == 2:
                    lab.store.expire(RUNNER)

        assert sorted(set(tokens)) == tokens
        assert tokens[0] > 0

    @rule("LEA-4")
    def test_commit_that_requires_a_lease_happens_only_under_it(self, lab: Lab) -> None:
        """Under the lease the commit happens; once it is over, nothing is written, and run does not repeat (LEA-4)."""
        attempts: list[int] = []

        def step(tx: Any) -> None:
            attempts.append(1)
            tx.require(lease)
            tx.put(DutyToKeep(name=f"d{len(attempts)}"))

        with lab.store.lease(Runner(name="r")) as lease:
            lab.store.run(step)
            lab.open(models=[Runner]).expire(RUNNER)
            with pytest.raises(LeaseLost) as lost:
                lab.store.run(step)

        assert (RUNNER,) == lost.value.keys
        assert 2 == len(attempts)
        assert ["DutyToKeep/d1", "Runner/r"] == sorted(lab.state())

    @rule("LEA-4")
    def test_lease_that_ends_at_the_last_moment_is_found(self, lab: Lab) -> None:
        """The end of the lease just before the commit counts, and so does the lease of the next holder (LEA-4)."""
        other = lab.open(models=[Runner])
        for is_taken_again in (False, True):
            with ExitStack() as stack:
                lease = stack.enter_context(lab.store.lease(Runner(name="r")))
                with pytest.raises(LeaseLost), lab.store.transaction() as tx:
                    tx.require(lease)
                    tx.create(DutyToKeep(name="d"))
                    other.expire(RUNNER)
                    if is_taken_again:
                        stack.enter_context(other.lease(RUNNER))

            assert "DutyToKeep/d" not in lab.state()

    @rule("LEA-4")
    def test_transaction_that_only_reads_requires_its_lease_too(self, lab: Lab) -> None:
        """What reads under a lease learns that it is over (LEA-4)."""
        with lab.store.lease(Runner(name="r")) as lease:
            lab.open(models=[Runner]).expire(RUNNER)
            with pytest.raises(LeaseLost), lab.store.transaction() as tx:
                tx.require(lease)
                tx.get(Runner, "r")

    @rule("LEA-4")
    def test_lease_that_was_released_or_is_of_another_store_is_refused(self, lab: Lab) -> None:
        """Bad input: what is no lease of this store is a mistake; what was released is lost (LEA-4)."""
        with lab.store.lease(Runner(name="r")) as lease:
            with pytest.raises(InvalidCall), lab.open().transaction() as tx:
                tx.require(lease)
            with pytest.raises(InvalidCall), lab.store.transaction() as tx:
                tx.require(RUNNER)
        with pytest.raises(LeaseLost), lab.store.transaction() as tx:
            tx.require(lease)

    @rule("LEA-5")
    def test_reference_that_needs_a_lease_is_refused_without_one(self, lab: Lab) -> None:
        """Nothing is assigned to a runner that nobody leases, by any rule (LEA-5)."""
        for name in ("r", "spare"):
            lab.store.create(Runner(name=name))
        for chosen in DUTIES:
            with pytest.raises(MissingReference) as missing:
                lab.store.create(duty(chosen, "d", RUNNER))
            assert [lease_of(RUNNER)] == [key for _, key in missing.value.missing]
        with lab.store.lease(RUNNER), lab.store.lease(SPARE):
            for chosen in DUTIES:
                lab.store.delete(lab.store.create(duty(chosen, "d", RUNNER)))
        lab.store.create(DutyToKeep(name="d", runner=RUNNER))

    @rule("LEA-5")
    def test_end_of_a_lease_just_before_an_assignment_is_found(self, lab: Lab) -> None:
        """Not even in a race is something assigned to the dead (LEA-5)."""
        other = lab.open(models=[Runner])
        with lab.store.lease(Runner(name="r")):
            inside = lab.inside(other)
            lab.faults.do(Commit, lambda: inside.expire(RUNNER))
            with pytest.raises(MissingReference):
                lab.store.create(DutyToFree(name="d", runner=RUNNER))

        assert ["Runner/r"] == sorted(lab.state())

    @rule("LEA-6")
    def test_end_does_to_each_reference_what_its_rule_says(self, lab: Lab) -> None:
        """CASCADE, SET_NULL, SET_DEFAULT and REMOVE, in one commit; what does not depend on it stays (LEA-6)."""
        with lab.store.lease(Runner(name="r")), lab.store.lease(Runner(name="spare")):
            assign_all(lab)
            plan = lab.store.plan_expire(RUNNER)
            before = lab.faults.count(Commit)

            figures = lab.store.expire(RUNNER)

            assert before + 1 == lab.faults.count(Commit)
            assert plan.figures == figures
            assert_all_freed(lab)

    @rule("LEA-6")
    def test_end_does_the_same_in_a_store_without_models(self, lab: Lab) -> None:
        """The rules are stored with the references (LEA-6)."""
        with lab.store.lease(Runner(name="r")), lab.store.lease(Runner(name="spare")):
            assign_all(lab)

            lab.open().expire(RUNNER)

            assert_all_freed(lab)
            assert [] == list(lab.store.check().flaws)

    @rule("LEA-6")
    def test_plan_of_an_end_shows_it_and_can_be_applied(self, lab: Lab) -> None:
        """A plan names what would be deleted and changed, names no record of the store's own, and does it (LEA-6)."""
        with lab.store.lease(Runner(name="r")), lab.store.lease(Runner(name="spare")):
            assign_all(lab)

            plan = lab.store.plan_expire(RUNNER)
            figures = lab.store.apply(plan)

            assert {"DutyToDelete": 1} == figures.deleted
            assert {"DutyToFree": 1, "DutyToMove": 1, "DutyToShare": 1} == figures.changed
            assert "emco__" not in str(plan)
            assert "DutyToMove/d runner -> Runner/spare (SET_DEFAULT)" in str(plan)
            assert "- DutyToDelete/d" in str(plan)
            assert_all_freed(lab)

    @rule("LEA-6")
    def test_end_that_a_rule_cannot_carry_out_is_refused_whole(self, lab: Lab) -> None:
        """SET_DEFAULT to what nobody leases blocks the end, as it blocks a delete: the lease stays (LEA-6)."""
        with lab.store.lease(Runner(name="r")):
            lab.store.create(Runner(name="spare"))
            lab.store.create(duty(Rule.SET_DEFAULT, "d", RUNNER))
            before = lab.state()

            with pytest.raises(DeleteRestricted) as refused:
                lab.store.expire(RUNNER)

            assert [BlockReason.NO_DEFAULT] == [one.reason for one in refused.value.blockers]
            assert "emco__" not in str(refused.value)
            assert before == lab.state()
            lab.store.delete(Key("DutyToMove", "d"))

    @rule("LEA-7")
    def test_leased_resource_is_deleted_only_with_its_lease(self, lab: Lab) -> None:
        """A delete of what is leased is refused, unless it names this very lease too (LEA-7)."""
        with lab.store.lease(Runner(name="r")) as old:
            pass
        with lab.store.lease(RUNNER) as lease:
            lab.store.create(DutyToFree(name="d", runner=RUNNER))
            with pytest.raises(DeleteRestricted) as refused:
                lab.store.delete(RUNNER)
            leased = [one for one in refused.value.blockers if one.reason is BlockReason.LEASED]
            assert [RUNNER] == [one.referrer for one in leased]
            assert "emco__" not in str(refused.value)
            with pytest.raises(StoreError):
                lab.store.delete(RUNNER, old)

            lab.store.delete(RUNNER, lease)

        assert ["DutyToFree/d"] == sorted(lab.state())
        assert lab.store.get(DutyToFree, "d").runner is None

    @rule("LEA-8")
    def test_release_does_what_an_expiry_does(self, lab: Lab) -> None:
        """The end of the block carries out the same rules, in one commit (LEA-8)."""
        with lab.store.lease(Runner(name="spare")):
            with lab.store.lease(Runner(name="r")):
                assign_all(lab)
                before = lab.faults.count(Commit)

            assert before + 1 == lab.faults.count(Commit)
            assert_all_freed(lab)

    @rule("LEA-8")
    def test_release_of_what_has_ended_does_no_harm_to_the_next_holder(self, lab: Lab) -> None:
        """A late release ends nobody else's lease (LEA-8)."""
        other = lab.open(models=[Runner])
        with ExitStack() as stack:
            with lab.store.lease(Runner(name="r")):
                other.expire(RUNNER)
                lease = stack.enter_context(other.lease(RUNNER))

            assert [(RUNNER, "alive", lease.token)] == _leases(lab)

    @rule("LEA-8")
    def test_release_that_cannot_be_sent_is_told(self, lab: Lab) -> None:
        """A block that ended well raises what its release met; another exception of the block goes first (LEA-8)."""
        with pytest.raises(Unavailable), lab.store.lease(Runner(name="r")):
            lab.faults.unreachable(Commit)
        lab.store.expire(RUNNER)
        with pytest.raises(ZeroDivisionError), lab.store.lease(RUNNER):
            lab.faults.unreachable(Commit)
            _ = 1 / 0

    @rule("LEA-9")
    def test_child_of_a_fork_holds_no_lease_of_its_parent(self, lab: Lab) -> None:
        """In another process the lease counts as lost, and the end of its block there releases nothing (LEA-9)."""
        with ExitStack() as stack:
            lease = stack.enter_context(lab.store.lease(Runner(name="r")))
            with mock.patch("os.getpid", return_value=os.getpid() + 1):
                with pytest.raises(LeaseLost):
                    lease.check()
                with pytest.raises(LeaseLost), lab.store.transaction() as tx:
                    tx.require(lease)
                stack.close()

            assert [(RUNNER, "alive", lease.token)] == _leases(lab)
            lease.check()

    @rule("LEA-10")
    def test_reference_from_before_on_expire_is_found_and_repaired(self, lab: Lab) -> None:
        """It works as before until a repair or an update adds the reference to the lease (LEA-10)."""
        before = lab.open(models=[Runner, ChoreBefore])
        after = lab.open(models=[Runner, Chore])
        before.create(Runner(name="r"))
        for name in ("c", "d"):
            before.create(ChoreBefore(name=name, runner=RUNNER))
        with after.lease(RUNNER):
            found = _flaws(after)
            assert [(FlawKind.EDGES, Repair.REWRITE)] * 2 == [(one.kind, one.repair) for one in found]
            assert tuple(found[:1]) == after.repair(found[:1]).done
            after.expire(RUNNER)

        assert after.get(Chore, "c").runner is None
        assert RUNNER == after.get(Chore, "d").runner.key
        kinds: list[FlawKind] = []
        while flaws := _flaws(after):
            kinds += [flaw.kind for flaw in flaws]
            assert tuple(flaws) == after.repair(flaws).done
        assert [FlawKind.EDGES, FlawKind.DANGLING] == kinds
        assert after.get(Chore, "d").runner is None
        before.create(ChoreBefore(name="e", runner=RUNNER))
        with pytest.raises(MissingReference):
            after.update(after.get(Chore, "e").model_copy(update={"runner": Ref(RUNNER)}))


def _flaws(store: Any) -> list[Flaw]:
    """Return all flaws that a check finds."""
    page = store.check()
    found = [*page.flaws]
    while page.next is not None:
        page = store.check(after=page.next)
        found += page.flaws
    return found


def _leases(lab: Lab) -> list[tuple[Key, str, int]]:
    return [(one.resource, str(one.verdict), one.token) for one in lab.store.leases()]


def assign_all(lab: Lab) -> None:
    """Create a duty of the runner under each rule."""
    for chosen in DUTIES:
        lab.store.create(duty(chosen, "d", RUNNER))
    lab.store.create(DutyToKeep(name="d", runner=RUNNER))


def assert_all_freed(lab: Lab) -> None:
    """Check that the end of the lease has done to each duty what its rule says."""
    with pytest.raises(NotFound):
        lab.store.get(DutyToDelete, "d")
    assert lab.store.get(DutyToFree, "d").runner is None
    assert SPARE == lab.store.get(DutyToMove, "d").runner.key
    assert [] == lab.store.get(DutyToShare, "d").runners
    assert RUNNER == lab.store.get(DutyToKeep, "d").runner.key
    edges = {text: sorted(edge.target.text for edge in record.edges) for text, record in lab.records().items()}
    assert ["Runner/spare", "emco__Lease/Runner/spare"] == edges["DutyToMove/d"]
    assert [] == edges["DutyToFree/d"]
    lab.store.delete(Key("DutyToMove", "d"))  # which would forbid the end of the lease of its default


def _die() -> None:
    raise ClientDied
