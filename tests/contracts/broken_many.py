# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends that look at the first of many, take a name for a pattern, or end what should last, each with its rule."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from emco_store.backends.feeds import awaited
from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Audit,
    Audited,
    Commit,
    Count,
    EventPage,
    Events,
    Hold,
    Outcome,
    PulsePage,
    Pulses,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
    Settle,
)

T = TypeVar("T")
_MOST = 100


class _Port(MemoryPort):
    def _space(self) -> Space:
        return self._backend.space(self._namespace)  # type: ignore[attr-defined]  # a Mutant's


# the first of many


def _first(some: dict[Key, T]) -> dict[Key, T]:
    return dict(islice(some.items(), _MOST))


class ExpectsAHundred(MemoryPort):
    """Compares a hundred versions."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, expect=_first({**commit.expect})))


class RequiresAHundred(MemoryPort):
    """Looks for a hundred of the records that must be there."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, require=frozenset(sorted(commit.require)[:_MOST])))


class SealsAHundred(MemoryPort):
    """Compares a hundred guards."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, sealed=_first({**commit.sealed})))


class FencesAHundred(MemoryPort):
    """Looks for a hundred leases."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, fenced=_first({**commit.fenced})))


class JudgesAHundred(_Port):
    """Looks for the beats of a hundred leases, and ends all."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(replace(commit, silent=_first({**commit.silent})))
        if isinstance(reply, Receipt):
            for seen in commit.silent.values():
                self._space().pulses.pop(seen.uid, None)
        return reply


class FindsByAHundredTargets(MemoryPort):
    """Looks for the referrers of a hundred targets."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, targets=query.targets[:_MOST]))


class EntersAHundredReferences(Space):
    """Finds a record by a hundred of its references."""

    def add(self, record: Record) -> None:
        super().add(record)
        for edge in record.edges[_MOST:]:
            self.referrers[edge.target.text].discard(record.key.text)


class TellsAHundredChanges(MemoryPort):
    """Tells a hundred changes of a commit."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        return replace(page, events=tuple([replace(one, changes=one.changes[:_MOST]) for one in page.events]))

    def events(self, events: Events) -> EventPage:
        return awaited(self, events)


# names


class TakesPrefixesForPatterns(MemoryPort):
    """Finds a prefix as LIKE does, to which an underscore is any character."""

    def scan(self, scan: Scan) -> RecordPage:
        pattern = re.compile(re.escape(scan.prefix).replace("_", "."))
        page = super().scan(replace(scan, prefix="", limit=10_000))
        found = [record for record in page.records if pattern.match(record.key.text)][: scan.limit]
        following = page.next if len(found) < scan.limit else ("", found[-1].key.text)
        return RecordPage(tuple(found), following)


class CountsByPatterns(TakesPrefixesForPatterns):
    """Counts so, and scans as it should."""

    def count(self, count: Count) -> int:
        return len(super().scan(replace(count.scan, limit=10_000)).records)

    def scan(self, scan: Scan) -> RecordPage:
        return MemoryPort.scan(self, scan)


# outcomes and holds


class RemembersTenOutcomes(_Port):
    """Remembers the last ten outcomes."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        for txid in list(self._space().outcomes)[:-10]:
            del self._space().outcomes[txid]
        return reply


class RemembersTheLastFence(_Port):
    """Keeps one txid that was settled as aborted."""

    def settle(self, request: Settle) -> Outcome | None:
        for txid, (outcome, _) in list(self._space().outcomes.items()):
            if outcome is Outcome.ABORTED and txid != request.txid:
                del self._space().outcomes[txid]
        return super().settle(request)


class RemembersChecks(_Port):
    """Notes the txid of a commit that writes nothing."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            self._space().settled(commit.txid, self._backend.clock(), Outcome.COMMITTED)
        return reply


class LengthensNoHold(_Port):
    """Leaves the end of a hold where it was when its holder takes it again."""

    def hold(self, hold: Hold) -> None:
        holds = self._space().holds
        super().hold(replace(hold, keys=tuple(k for k in hold.keys if holds.get(k.text, ("",))[0] != hold.holder)))


class HoldsForAHundredth(MemoryPort):
    """Ends a hold after a hundredth of its time."""

    def hold(self, hold: Hold) -> None:
        super().hold(replace(hold, lasts=hold.lasts / 100))


class SeesNoHolds(MemoryPort):
    """Does not look at holds when it examines what is stored."""

    def audit(self, audit: Audit) -> Audited:
        page = super().audit(audit)
        return replace(page, flaws=tuple([flaw for flaw in page.flaws if flaw.entry[0] != "holds"]))


# pulses


class CallsLeasesDueTooSoon(MemoryPort):
    """Calls a lease due after half of its TTL."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        if not pulses.due:
            return super().pulses(pulses)
        page = super().pulses(replace(pulses, due=False))
        half = timedelta(microseconds=2)
        return replace(page, pulses=tuple([one for one in page.pulses if one.at_us + one.ttl // half <= page.at_us]))


class CallsLeasesDueTooLate(MemoryPort):
    """Calls a lease due after twice its TTL."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        page = super().pulses(pulses)
        if not pulses.due:
            return page
        us = timedelta(microseconds=1)
        return replace(page, pulses=tuple([one for one in page.pulses if one.due_us + one.ttl // us <= page.at_us]))


class AnswersUnderManyNames(MemoryPort):
    """Names another server each time, as if it had forgotten beats meanwhile."""

    _asked = 0

    def pulses(self, pulses: Pulses) -> PulsePage:
        self._asked += 1
        return replace(super().pulses(pulses), server=f"server-{self._asked}")


BROKEN_MANY: tuple[tuple[type[MemoryPort], str], ...] = (
    (ExpectsAHundred, "ATM-3"),
    (RequiresAHundred, "ATM-3"),
    (SealsAHundred, "ATM-3"),
    (FencesAHundred, "PUL-1"),
    (JudgesAHundred, "PUL-2"),
    (FindsByAHundredTargets, "REF-13"),
    (TellsAHundredChanges, "FEED-1"),
    (TakesPrefixesForPatterns, "ID-9"),
    (CountsByPatterns, "ID-9"),
    (RemembersTenOutcomes, "ATM-2"),
    (RemembersTheLastFence, "ATM-5"),
    (RemembersChecks, "ATM-2"),
    (LengthensNoHold, "OCC-11"),
    (HoldsForAHundredth, "OCC-11"),
    (SeesNoHolds, "CHK-6"),
    (CallsLeasesDueTooSoon, "PUL-4"),
    (CallsLeasesDueTooLate, "PUL-4"),
    (AnswersUnderManyNames, "PUL-4"),
)
"""Mutants of a port, each with the rule that must catch it."""
