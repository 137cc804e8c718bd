# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Mutants of fences, silence, beats and pulses."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.core.pulses import Seen
from emco_store.ports import (
    Alive,
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    Get,
    Lapsed,
    Mend,
    PulsePage,
    Pulses,
    Receipt,
    Refusal,
)  # fmt: skip


class _Port(MemoryPort):
    def _space(self) -> Space:
        return self._backend.space(self._namespace)  # type: ignore[attr-defined]  # a Mutant's


# fences


class ForgetsFences(MemoryPort):
    """Commits for whoever once held a lease."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, fenced={}))


class FencesByKey(MemoryPort):
    """Takes the lease of the next holder for that of the one before."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(commit.fenced)))
        fenced = {key: found[key].uid if key in found else uid for key, uid in commit.fenced.items()}
        return super().commit(replace(commit, fenced=fenced))


class FencesByVersion(MemoryPort):
    """Takes a lease whose record has changed for another one."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        found = self.get(Get(tuple(commit.fenced)))
        changed = tuple(Lapsed(key) for key in commit.fenced if key in found and found[key].version > 1)
        return Refusal(changed) if changed else super().commit(commit)


class FencesAtTheBeginningOnly(_Port):
    """Looks at a lease when it is first named, and believes what it saw for all that follows."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._seen: dict[object, str] = {}

    def commit(self, commit: Commit) -> Receipt | Refusal:
        known = {key for key, uid in commit.fenced.items() if self._seen.get(key) == uid}
        reply = super().commit(
            replace(commit, fenced={key: uid for key, uid in commit.fenced.items() if key not in known})
        )
        if isinstance(reply, Receipt):
            self._seen.update(commit.fenced)
        return reply


class FencesByMovingGuards(MemoryPort):
    """Counts a fence as a reference, so that it gets into the way of whoever ends the lease."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        require = commit.require | (commit.fenced.keys() - set(commit.deletes))
        return super().commit(replace(commit, require=require))


class FencesWhatIsHeld(MemoryPort):
    """Refuses a holder's commits while somebody waits for its lease to end."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        expect = {**{key: self.get(Get((key,)))[key].stamp for key in commit.fenced if self.get(Get((key,)))}}
        return super().commit(replace(commit, expect={**expect, **commit.expect}))


class NamesOneLapseOnly(MemoryPort):
    """Stops at the first fence that fails."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            return reply
        lapsed = [failure for failure in reply.failures if isinstance(failure, Lapsed)]
        return Refusal((*(one for one in reply.failures if one not in lapsed), *lapsed[:1])) if lapsed else reply


class FencesChecksNot(MemoryPort):
    """Looks at fences only where something is written."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(commit if commit.size else replace(commit, fenced={}))


# silence


class EndsWhoeverItJudged(_Port):
    """Ends a lease whose holder has beaten meanwhile."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        ever = {key: Seen(seen.uid, 1 << 60) for key, seen in commit.silent.items()}
        return super().commit(replace(commit, silent=ever))


class NeedsThePulseThatWasSeen(_Port):
    """Ends only a lease whose pulse is exactly the one that was seen, so one without a pulse never ends."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        pulses = self._space().pulses
        other = [
            key
            for key, seen in commit.silent.items()
            if seen.uid not in pulses or pulses[seen.uid].number != seen.number
        ]
        return Refusal(tuple(map(Alive, other))) if other else super().commit(commit)


class KeepsSilentPulses(_Port):
    """Leaves the pulse of a taker that died for ever."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        before = dict(self._space().pulses)
        reply = super().commit(commit)
        if not commit.size:
            self._space().pulses.update(before)
        return reply


class EndsPulsesOfRefusedCommits(_Port):
    """Ends the pulse of a lease whose end was refused."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        for key, record in self.get(Get(commit.deletes)).items():
            if key not in commit.silent:
                self._space().pulses.pop(record.uid, None)
        return super().commit(commit)


class KeepsPulses(_Port):
    """Leaves the pulse of a lease that has ended, so that its holder believes itself alive."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        before = dict(self._space().pulses)
        reply = super().commit(commit)
        if not commit.silent:
            self._space().pulses.update(before)
        return reply


# beats


class Revives(_Port):
    """Takes every beat for a first one."""

    def beat(self, beat: Beat) -> Beaten:
        pulses = self._space().pulses
        lost = {uid: replace(one, number=1) for uid, one in beat.beats.items() if uid not in pulses}
        super().beat(Beat(lost))
        return super().beat(beat)


class CountsLateBeats(_Port):
    """Dates a pulse anew by a beat that was doubled."""

    def beat(self, beat: Beat) -> Beaten:
        reply = super().beat(beat)
        for uid in beat.beats.keys() & self._space().pulses.keys():
            self._space().pulses[uid] = replace(self._space().pulses[uid], at_us=reply.at_us)
        return reply


class TakesLateBeatsForLapses(_Port):
    """Tells the holder of a live lease that it has lapsed, because a beat came twice."""

    def beat(self, beat: Beat) -> Beaten:
        pulses = self._space().pulses
        late = {uid for uid, one in beat.beats.items() if uid in pulses and pulses[uid].number >= one.number}
        reply = super().beat(beat)
        return replace(reply, lapsed=reply.lapsed | late)


class WantsTheLeaseFirst(MemoryPort):
    """Makes no pulse before the lease is there, so that a lease can be without one."""

    def beat(self, beat: Beat) -> Beaten:
        there = self.get(Get(tuple({one.key for one in beat.beats.values()})))
        uids = {record.uid for record in there.values()}
        return super().beat(Beat({uid: one for uid, one in beat.beats.items() if one.number > 1 or uid in uids}))


class LapsesTogether(MemoryPort):
    """Takes one lease of a request that is over for all of them."""

    def beat(self, beat: Beat) -> Beaten:
        reply = super().beat(beat)
        return replace(reply, lapsed=frozenset(beat.beats)) if reply.lapsed else reply


class BeatsIntoTheRecord(_Port):
    """Keeps a beat in the record of its lease, whose version it moves."""

    def beat(self, beat: Beat) -> Beaten:
        records = self._space().records
        for one in beat.beats.values():
            if one.key.text in records:
                old = records[one.key.text]
                records[one.key.text] = replace(old, version=old.version + 1)
        return super().beat(beat)


class DatesByTheClient(_Port):
    """Dates a beat by the clock of whoever sends it."""

    def beat(self, beat: Beat) -> Beaten:
        reply = super().beat(beat)
        for uid in beat.beats.keys() & self._space().pulses.keys():
            now_us = time.time_ns() // 1_000
            self._space().pulses[uid] = replace(self._space().pulses[uid], at_us=now_us)
        return reply


class KeepsTheFirstTtl(_Port):
    """Takes the TTL of the first beat for good."""

    def beat(self, beat: Beat) -> Beaten:
        pulses = self._space().pulses
        kept = {uid: replace(one, ttl=pulses[uid].ttl) for uid, one in beat.beats.items() if uid in pulses}
        return super().beat(Beat({**beat.beats, **kept}))


class StopsAtFiveHundredPulses(MemoryPort):
    """Ends a page of pulses before it is full, and says that it is all."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        page = super().pulses(replace(pulses, limit=min(pulses.limit, 500)))
        return page if pulses.limit <= 500 else replace(page, next=None)


class FindsNoLostPulse(_Port):
    """Does not see that a lease has no pulse."""

    def audit(self, audit: Audit) -> Audited:
        found = super().audit(audit)
        return replace(found, flaws=tuple(one for one in found.flaws if one.place != "pulse"))


class TakesTakersForDead(MemoryPort):
    """Takes a pulse whose lease is not there yet for one that is left behind."""

    def audit(self, audit: Audit) -> Audited:
        with self._backend.request(self._namespace, "audit", audit) as space:
            real = dict(space.pulses)
            for uid, one in real.items():
                space.pulses[uid] = replace(one, ttl=timedelta(days=-9))
        found = super().audit(audit)
        with self._backend.request(self._namespace, "audit", audit) as space:
            space.pulses.update(real)
        return found


class MendsLiveTakersAway(_Port):
    """Removes what an audit has named, though it has beaten since."""

    def mend(self, mend: Mend) -> None:
        for flaw in mend.flaws:
            if flaw.place == "pulse" and flaw.entry[1] in self._space().pulses:
                del self._space().pulses[flaw.entry[1]]
        super().mend(mend)


BROKEN_LEASES: tuple[tuple[type[MemoryPort], str], ...] = (
    (ForgetsFences, "PUL-1"),
    (FencesByKey, "PUL-1"),
    (FencesByVersion, "PUL-1"),
    (FencesAtTheBeginningOnly, "PUL-1"),
    (FencesByMovingGuards, "PUL-1"),
    (FencesWhatIsHeld, "PUL-1"),
    (NamesOneLapseOnly, "PUL-1"),
    (FencesChecksNot, "PUL-1"),
    (EndsWhoeverItJudged, "PUL-2"),
    (NeedsThePulseThatWasSeen, "PUL-2"),
    (KeepsSilentPulses, "PUL-5"),
    (EndsPulsesOfRefusedCommits, "PUL-5"),
    (KeepsPulses, "PUL-5"),
    (Revives, "PUL-5"),
    (CountsLateBeats, "PUL-5"),
    (TakesLateBeatsForLapses, "PUL-5"),
    (BeatsIntoTheRecord, "PUL-3"),
    (DatesByTheClient, "PUL-4"),
    (KeepsTheFirstTtl, "PUL-4"),
    (WantsTheLeaseFirst, "PUL-6"),
    (LapsesTogether, "PUL-6"),
    (StopsAtFiveHundredPulses, "PUL-6"),
    (FindsNoLostPulse, "PUL-7"),
    (TakesTakersForDead, "PUL-7"),
    (MendsLiveTakersAway, "PUL-7"),
)
"""Each broken port, with the rule that must catch it."""
