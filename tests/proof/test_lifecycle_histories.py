"""Histories of deployments: what is broken in transitions, approvals, rollbacks, statuses and holds is caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from emco_store import MemoryBackend
from emco_store.contracts.histories.history import Result
from emco_store.core.keys import Key
from emco_store.core.naming import LIFECYCLE, REVISION, REVISION_PART, STATUS
from emco_store.core.records import Record
from emco_store.core.reserved import beside, beside_prefix, numbered, resource_of
from emco_store.ports import Commit, Scan
from proof import versions
from proof.mutants import Mutant, MutantBackend, Reply
from proof.rig import Rig
from proof.stepping import run_deployments, run_pruned
from tests.proof.written import transaction

SEEDS = 12
"""Number of runs within which a mutant must be caught."""
TOGETHER = (0, 100)


def without(commit: Commit, is_ignored: Callable[[Key], bool]) -> Commit:
    """Return a commit that rests on nothing that is ignored."""
    return replace(
        commit,
        expect={key: stamp for key, stamp in commit.expect.items() if not is_ignored(key)},
        sealed={key: seal for key, seal in commit.sealed.items() if not is_ignored(key)},
        require=frozenset(key for key in commit.require if not is_ignored(key)),
    )


def revision_in(commit: Commit) -> dict[str, object] | None:
    """Return what a commit says of the revision that it records."""
    return next((json.loads(put.document) for put in commit.puts if put.key.kind == REVISION), None)


class TransitionIgnoresState(Mutant):
    """A transition does not expect the version of the lifecycle record that it writes."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        own = {put.key for put in commit.puts if put.key.kind == LIFECYCLE}
        self._pause()
        return self._inner.ask(without(commit, own.__contains__))


class ApprovalIgnoresContent(Mutant):
    """An approval does not expect the content that it has read, and does not seal it against new members."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        is_approval = "approval" in (revision_in(commit) or {})
        self._pause()
        return self._inner.ask(without(commit, lambda key: is_approval and key.kind in {"Works", "Piece"}))


class RollbackIgnoresChanges(Mutant):
    """A rollback is applied though what it has planned with has changed."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        is_rollback = "restores" in (revision_in(commit) or {})
        self._pause()
        return self._inner.ask(without(commit, lambda key: is_rollback and key.kind != REVISION))


class ReportIgnoresReports(Mutant):
    """A status does not expect the version of the one before."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        self._pause()
        return self._inner.ask(without(commit, lambda key: key.kind.startswith(STATUS)))


class PruneTakesAll(Mutant):
    """A prune takes the revisions along that it has to keep."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        kept: list[Record] = []
        owners = [key for key in commit.expect if key.kind == LIFECYCLE]
        if commit.deletes and owners and all(key.kind in {REVISION, REVISION_PART} for key in commit.deletes):
            kept += self._inner.ask(Scan(REVISION, prefix=beside_prefix(REVISION, resource_of(owners[0])))).records
        stamps = {record.key: record.stamp for record in kept}
        deletes = tuple(dict.fromkeys((*commit.deletes, *stamps)))
        return self._inner.ask(replace(commit, expect={**stamps, **commit.expect}, deletes=deletes))


class HoldIsForgotten(Mutant):
    """Whoever leaves a state or deletes does not look who holds it."""

    def commit(self, commit: Commit) -> Reply:
        """Commit."""
        self._pause()
        return self._inner.ask(without(commit, lambda key: key.kind == LIFECYCLE and key.segments[0] == "Ground"))


MUTANTS = {
    TransitionIgnoresState: {"lost update"},
    ApprovalIgnoresContent: {"G-single", "G2-item", "G2-item-realtime", "G-single-realtime"},
    RollbackIgnoresChanges: {"lost update", "G-single", "G2-item"},
    ReportIgnoresReports: {"lost update"},
    HoldIsForgotten: {"broken hold"},
}
"""Each mutant, and anomalies as which it may be caught."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_broken_lifecycles_are_caught(mutant, tmp_path):
    """What a transition, an approval, a rollback, a report or a hold must look at is ignored, and that is seen."""
    rig = Rig("memory", MutantBackend(MemoryBackend(), mutant))

    runs = (versions.check(run_deployments(rig, seed, 30, tmp_path).operations) for seed in range(SEEDS))

    assert any(MUTANTS[mutant] & run.counts.keys() for run in runs)


@pytest.mark.parametrize("seed", range(3))
def test_sound_prunes_keep_what_they_must(seed, tmp_path):
    """Clients that prune while others record revisions leave the newest, and the one that is approved."""
    operations = run_pruned(Rig("memory", MemoryBackend()), seed, 40, tmp_path).operations

    assert {} == versions.check(operations).counts
    assert any(step[0] == "kept" and step[2] for operation in operations for step in operation.steps)


def test_prune_that_takes_too_much_is_caught(tmp_path):
    """A revision that had to be kept is missed at the end."""
    rig = Rig("memory", MutantBackend(MemoryBackend(), PruneTakesAll))

    runs = (versions.check(run_pruned(rig, seed, 30, tmp_path).operations) for seed in range(SEEDS))

    assert any("pruned" in run.counts for run in runs)


@pytest.mark.parametrize("seed", range(3))
def test_sound_lifecycles_have_an_order(seed, tmp_path):
    """Turns of clients on a sound backend are explained, and every kind of step is among them."""
    operations = run_deployments(Rig("memory", MemoryBackend()), seed, 40, tmp_path).operations
    verdict, counted = versions.check(operations), versions.counted(operations)

    assert {} == verdict.counts
    assert verdict.transactions > 80
    assert all(counted[name] for name in ("lifecycle_changes", "revisions", "statuses")), counted


# histories by hand

WORKS, PIECE = "Works/w@1", "Piece/w/a@2"
STATE, REVISIONS = f"{LIFECYCLE}/{WORKS}", f"{REVISION}/{WORKS}"
BEGIN = [
    transaction("c", (0, 1), ("made", WORKS, 1, 1)),
    transaction("c", (2, 3), ("made", PIECE, 1, 2)),
]


def test_two_transitions_from_one_state_are_a_lost_update():
    """Both have made version 1 of the lifecycle record, so both have seen none."""
    verdict = versions.check(
        [
            *BEGIN,
            transaction("a", (4, 9), ("made", STATE, 1, 3)),
            transaction("b", (4, 9), ("made", STATE, 1, 4)),
        ]
    )

    assert 1 == verdict.counts["lost update"]


def test_approval_of_content_that_had_changed_is_seen():
    """A part changed while the state was Draft, and the approval after that holds what was there before."""
    edit = transaction("a", (4, 9), ("saw", STATE, 0, None), ("saw", PIECE, 1, 2), ("made", PIECE, 2, 3))
    approval = transaction("b", (4, 9), ("made", STATE, 1, 4), ("made", REVISIONS, 1, 4))

    def held(content):
        return transaction("final", (10, 11), ("held", REVISIONS, 1, 4, content))

    assert {"G2-item": 1} == versions.check([*BEGIN, edit, approval, held({"Works/w": 1, "Piece/w/a": 2})]).counts
    assert versions.check([*BEGIN, edit, approval, held({"Works/w": 1, "Piece/w/a": 3})]).holds


def test_approval_without_a_part_that_was_there_is_seen():
    """A part that nobody deleted is in all revisions after it was created."""
    approval = transaction("b", (4, 9), ("made", STATE, 1, 4), ("made", REVISIONS, 1, 4))
    held = transaction("final", (10, 11), ("held", REVISIONS, 1, 4, {"Works/w": 1}))

    assert "G-single-realtime" in versions.check([*BEGIN, approval, held]).counts


def test_state_that_is_seen_after_its_end_is_seen():
    """What was deleted has no state any more for those who come later."""
    gone = transaction("a", (4, 5), ("gone", WORKS, None, None), ("gone", STATE, None, None))
    later = transaction("b", (6, 7), ("saw", STATE, 1, None))
    first = transaction("a", (4, 4), ("made", STATE, 1, 3))

    assert not versions.check([*BEGIN, first, gone, later]).holds


def test_unknown_end_that_nobody_saw_is_no_anomaly():
    """Of two that may have made a version, the one whose content was seen has."""
    unknown = [
        transaction("a", (4, 5), ("made", PIECE, 2, 3), result=Result.UNKNOWN),
        transaction("b", (4, 5), ("made", PIECE, 2, 4), result=Result.UNKNOWN),
    ]

    assert versions.check([*BEGIN, *unknown, transaction("c", (6, 7), ("saw", PIECE, 2, 4))]).holds
    assert versions.check([*BEGIN, *unknown]).holds
    assert not versions.check([*BEGIN, *unknown, transaction("c", (6, 7), ("saw", PIECE, 2, 5))]).holds


def test_hold_that_is_broken_is_seen():
    """A deployment that holds its ground, and a ground that is off, are not seen together."""
    assert {"broken hold": 1} == versions.check(
        [*BEGIN, transaction("a", (4, 5), ("rests", WORKS, "Running", "Off"))]
    ).counts
    assert versions.check([*BEGIN, transaction("a", (4, 5), ("rests", WORKS, "Running", "On"))]).holds


def test_what_was_acknowledged_and_is_gone_is_named():
    """A change that is not there at the end is lost, unless somebody has deleted its resource."""
    works, piece = Key("Works", "w"), Key("Piece", "w", "a")
    rows = (works, "u", 2), (beside(LIFECYCLE, works), "l", 3), (numbered(REVISION, works, "u", 2), "r", 1)
    records = [Record(key, uid, version, b"{}", (), (), (), 1, 1) for key, uid, version in rows]

    def lost(*steps):
        return versions.lost([transaction("", TOGETHER, *steps)], records)

    kept = [
        ["made", "Works/w@u", 2, 1],
        ["made", f"{LIFECYCLE}/Works/w@u", 3, 1],
        ["made", f"{REVISION}/Works/w@u", 2, 1],
    ]
    assert [] == lost(*kept)
    assert 3 == len(lost(*([kind, name, version + 1, 1] for kind, name, version, _ in kept)))
    assert 1 == len(lost(*kept, ["made", f"{piece.text}@p", 1, 1]))
    assert [] == lost(*kept, ["made", f"{piece.text}@p", 1, 1], ["gone", f"{piece.text}@p", None, None])
