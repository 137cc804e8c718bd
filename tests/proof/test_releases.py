"""Two releases of a service, one beside the other, on lists that are migrated meanwhile: judged as all transactions."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from emco_store import MemoryBackend
from emco_store.contracts.histories import serializability
from emco_store.contracts.histories.models import NewJournal
from emco_store.contracts.versions import as_stored
from emco_store.core.codec import load
from emco_store.flows.writing import Writing
from emco_store.ports import Commit, Get
from proof.mutants import CommitsLate, MutantBackend
from proof.rig import Rig
from proof.stepping import run_releases
from tests.contracts.broken_migrating import renew_whatever_is_there

SEEDS = range(5)
OPERATIONS = 15
NUMBERS = count()


class WritesBack(CommitsLate):
    """Stores each list that it reads in the new form."""

    def ask(self, request):
        """See the base class."""
        reply = super().ask(request)
        if isinstance(request, Get):
            for old in list(reply.values()):
                made = old_as_new(old)
                if made.document != old.document:
                    self._pause()
                    self._inner.ask(Commit(f"back-{next(NUMBERS)}", puts=(made,)))
        return reply


def old_as_new(record):
    """Return a record of a list as the newer release writes it."""
    return replace(record, document=as_stored(load(record, NewJournal)).document)


def anomalies(seed, out, kind=CommitsLate):
    """Return what is found of a run in which others come before each commit, and what was migrated in it."""
    rig = Rig("late", MutantBackend(MemoryBackend(), kind))
    known = run_releases(rig, seed, OPERATIONS, out)
    return serializability.check(known.operations), known.counts


@pytest.mark.parametrize("seed", SEEDS)
def test_old_and_new_readers_are_strictly_serializable(seed, tmp_path):
    """MIG-1, MIG-2, MIG-4: Neither a step nor a migration loses or invents what another release has appended."""
    verdict, counts = anomalies(seed, tmp_path)

    assert verdict.holds, verdict.anomalies
    assert verdict.transactions > 20
    assert counts["migrated"] > 0
    assert counts["left"] == 0


def test_migration_that_rests_on_nothing_is_caught(monkeypatch, tmp_path):
    """The checker can fail: a migration that writes what it has read over what came since."""
    monkeypatch.setattr(Writing, "renew", renew_whatever_is_there)

    assert any(not anomalies(seed, tmp_path)[0].holds for seed in SEEDS)


def test_reading_that_writes_is_caught(tmp_path):
    """The checker can fail: a program that stores what it has made current, without looking what is there by then."""
    assert any(not anomalies(seed, tmp_path, WritesBack)[0].holds for seed in SEEDS)
