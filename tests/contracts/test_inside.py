# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""A backend whose requests take several steps is caught where another client can come between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from emco_store.backends.memory import MemoryBackend, MemoryPort, _judged
from emco_store.contracts.harness import Harness, Mode
from emco_store.contracts.pauses import Pauses
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Get, Port, Receipt, RecordPage, ReferrerPage, ReferrerQuery, Refusal, Scan
from tests.contracts.test_contracts_bite import first_failing_test


class InSteps(MemoryPort):
    """Passes a point between what a commit checks and what it writes, and checks all of it again."""

    unchecked: tuple[str, ...] = ()
    pauses = Pauses()

    def commit(self, commit: Commit) -> Receipt | Refusal:
        with self._backend.request(self._namespace, "commit", commit) as space:
            answer = _judged(space, commit, self._backend.clock())
        self.pauses.point()
        return answer if isinstance(answer, Refusal) else super().commit(self._rest(commit))

    def _rest(self, commit: Commit) -> Commit:
        """Return what is still checked when it writes."""
        nothing = Commit(commit.txid)
        return replace(commit, **{name: getattr(nothing, name) for name in self.unchecked})


class ForgetsVersions(InSteps):
    """Compares versions before it writes."""

    unchecked = ("expect",)


class ForgetsGuards(InSteps):
    """Compares guards before it writes."""

    unchecked = ("sealed", "expect")


class ForgetsTargets(InSteps):
    """Looks for the targets of references before it writes."""

    unchecked = ("require",)


class ForgetsFences(InSteps):
    """Looks at fences before it writes."""

    unchecked = ("fenced",)


class ForgetsSilence(InSteps):
    """Looks at pulses before it writes."""

    unchecked = ("silent",)


class ForgetsUniques(InSteps):
    """Looks for the owners of unique values before it writes."""

    def _rest(self, commit: Commit) -> Commit:
        return replace(commit, puts=tuple([replace(put, unique=()) for put in commit.puts]))


class ForgetsTxids(InSteps):
    """Looks whether a txid was settled before it writes."""

    def _rest(self, commit: Commit) -> Commit:
        return replace(commit, txid=f"{commit.txid}!")


class GetsOneByOne(InSteps):
    """Reads one record after the other."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        found: dict[Key, Record] = {}
        for key in request.keys:
            self.pauses.point()
            found |= super().get(Get((key,)))
        return found


class ScansOneByOne(InSteps):
    """Reads the keys of a page, then its records."""

    def scan(self, scan: Scan) -> RecordPage:
        page, found = super().scan(scan), list[Record]()
        for record in page.records:
            found += super().get(Get((record.key,))).values()
            self.pauses.point()
        return replace(page, records=tuple(found))


class LoadsFirst(InSteps):
    """Reads what is to be loaded before it looks for referrers."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        loaded = super().get(Get(query.load))
        self.pauses.point()
        return replace(super().referrers(query), records=loaded)


BROKEN = (
    ForgetsVersions, ForgetsGuards, ForgetsTargets, ForgetsFences, ForgetsSilence, ForgetsUniques, ForgetsTxids,
    GetsOneByOne, ScansOneByOne, LoadsFirst,
)  # fmt: skip


def in_steps(port: type[InSteps]) -> Any:
    """Return how to get into the requests of a port over memory."""

    class Paused:
        """The same data, by ports that pass points."""

        def __init__(self, inner: MemoryBackend, pauses: Pauses) -> None:
            self._inner, self._type = inner, type("Port", (port,), {"pauses": pauses})

        def port(self, namespace: str) -> Port:
            return self._type(self._inner, namespace)

    @contextmanager
    def inside(backend: MemoryBackend, pauses: Pauses) -> Iterator[Any]:
        yield Paused(backend, pauses)

    return inside


@pytest.mark.parametrize("port", BROKEN)
def test_backend_that_checks_before_it_writes_is_caught(port):
    """OCC-17: each precondition, left out of the write, fails its case."""
    harness = Harness("steps", MemoryBackend, inside=in_steps(port))

    assert first_failing_test(harness, "OCC-17", Mode.BLOCKING) is not None


def test_backend_that_checks_again_as_it_writes_passes():
    """OCC-17: steps do no harm if the last one checks everything."""
    assert (
        first_failing_test(Harness("steps", MemoryBackend, inside=in_steps(InSteps)), "OCC-17", Mode.BLOCKING) is None
    )
