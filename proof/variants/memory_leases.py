# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Variants of the memory backend that are wrong about leases or the feed, or examine themselves badly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from emco_store.backends.feeds import awaited
from emco_store.backends.memory import MemoryPort
from emco_store.core.events import Action, Event
from emco_store.core.flaws import FlawKind
from emco_store.ports import (
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    EventPage,
    Events,
    Mend,
    PulsePage,
    Pulses,
    Receipt,
    Refusal,
)
from proof.variants.broken import BrokenPort, Variant, of_port

# pulses


class EndsPulsesAtThePage(MemoryPort):
    """Says that nothing follows a page of pulses that is full."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        return replace(super().pulses(pulses), next=None)


class TurnsPulsesRound(MemoryPort):
    """Returns pulses from the last to the first."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        page = super().pulses(pulses)
        return replace(page, pulses=page.pulses[::-1])


class LosesProgress(MemoryPort):
    """Keeps nothing of what a holder says of its work."""

    def beat(self, beat: Beat) -> Beaten:
        return super().beat(Beat({uid: replace(one, progress="") for uid, one in beat.beats.items()}))


class BeatsTenAtMost(MemoryPort):
    """Notes the first ten beats of a request."""

    def beat(self, beat: Beat) -> Beaten:
        return super().beat(Beat(dict(list(beat.beats.items())[:10])))


class CallsLeasesDueTooSoon(BrokenPort):
    """Calls a lease due after half of its TTL."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        page = super().pulses(replace(pulses, due=False))
        if not pulses.due:
            return page
        due = tuple(one for one in page.pulses if one.at_us + one.ttl // timedelta(microseconds=2) <= page.at_us)
        return replace(page, pulses=due)


class CallsLeasesDueByUidOnly(MemoryPort):
    """Takes no notice of the TTL where leases are named."""

    def pulses(self, pulses: Pulses) -> PulsePage:
        return super().pulses(replace(pulses, due=pulses.due and pulses.uids is None))


class RoundsTtlsToSeconds(MemoryPort):
    """Keeps a TTL in whole seconds, as leases of some servers are."""

    def beat(self, beat: Beat) -> Beaten:
        rounded = {
            uid: replace(one, ttl=timedelta(seconds=max(1, round(one.ttl.total_seconds()))))
            for uid, one in beat.beats.items()
        }
        return super().beat(Beat(rounded))


class FencesTheFirstOnly(MemoryPort):
    """Looks at the first lease that a commit requires."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, fenced=dict(list(commit.fenced.items())[:1])))


class JudgesTheFirstOnly(MemoryPort):
    """Looks for beats of the first lease that a commit finds silent."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, silent=dict(list(commit.silent.items())[:1])))


class EndsPulsesOfUpdatedLeases(BrokenPort):
    """Ends the pulse of a lease whose record changes."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        uids = [self.space.records[put.key.text].uid for put in commit.puts if put.key.text in self.space.records]
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            for uid in uids:
                self.space.pulses.pop(uid, None)
        return reply


class ComesBackUnderAnotherName(MemoryPort):
    """Names another server each time, as if it had just been restarted."""

    _asked = 0

    def pulses(self, pulses: Pulses) -> PulsePage:
        self._asked += 1
        return replace(super().pulses(pulses), server=f"server-{self._asked}")


# the feed


class _Changes(MemoryPort):
    """Changes what is told."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        return replace(page, events=tuple(self.told(page.events)))

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        raise NotImplementedError


class TellsAHundredChanges(_Changes):
    """Tells the first hundred changes of a commit."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        yield from (replace(event, changes=event.changes[:100]) for event in events)


class TellsTenMessages(_Changes):
    """Tells the first ten messages of a commit."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        yield from (replace(event, messages=event.messages[:10]) for event in events)


class TellsVersionsBefore(_Changes):
    """Tells of an update the version that was there before it."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        for event in events:
            changes = tuple(
                replace(one, version=one.version - 1) if one.action is Action.UPDATED else one for one in event.changes
            )
            yield replace(event, changes=changes)


class TellsWhatWasWrittenFirst(_Changes):
    """Tells what was deleted after what was written."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        yield from (replace(event, changes=event.changes[::-1]) for event in events)


class TellsNoKeysOfMessages(_Changes):
    """Leaves out what a message concerns."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        for event in events:
            yield replace(event, messages=tuple(replace(one, key=None) for one in event.messages))


class SkipsOwnKinds(_Changes):
    """Does not tell what the store keeps beside a resource."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        for event in events:
            yield replace(event, changes=tuple(one for one in event.changes if not one.key.kind.startswith("emco__")))


class LosesEventsOfDeletes(_Changes):
    """Does not tell a commit that only deletes."""

    def told(self, events: tuple[Event, ...]) -> Iterator[Event]:
        for event in events:
            if event.messages or not event.changes or any(one.action is not Action.DELETED for one in event.changes):
                yield event


class KeepsTenEvents(BrokenPort):
    """Keeps ten events, and promises more."""

    def events_now(self, events: Events) -> EventPage:
        entries = self.space.feed._entries  # noqa: SLF001 - it breaks into it  # pyright: ignore[reportPrivateUsage]
        while len(entries) > 11:
            entries.popleft()
        return super().events_now(events)


class WaitsForNothing(MemoryPort):
    """Returns at once, whatever the caller is ready to wait."""

    def events(self, events: Events) -> EventPage:
        return awaited(self, replace(events, wait=timedelta(0)))


class ReturnsMoreThanAsked(MemoryPort):
    """Returns all events, whatever the limit."""

    def events_now(self, events: Events) -> EventPage:
        return super().events_now(replace(events, limit=1000))


# audits and repairs


class _Overlooks(MemoryPort):
    """Leaves out flaws."""

    stages: tuple[str, ...] = ()
    kinds: tuple[FlawKind, ...] = ()

    def audit(self, audit: Audit) -> Audited:
        found = super().audit(audit)
        return replace(
            found,
            flaws=tuple(
                flaw
                for flaw in found.flaws
                if flaw.kind not in self.kinds and (not flaw.entry or flaw.entry[0] not in self.stages)
            ),
        )


class OverlooksUniques(_Overlooks):
    """Does not compare unique values with the records."""

    stages = ("unique",)


class OverlooksIndexes(_Overlooks):
    """Does not compare the indexes with the records."""

    stages = ("index",)


class OverlooksReferrers(_Overlooks):
    """Does not compare the entries of referrers with the records."""

    stages = ("referrers",)


class OverlooksHolds(_Overlooks):
    """Does not look at holds."""

    stages = ("holds",)


class OverlooksStrays(_Overlooks):
    """Compares from records to entries only."""

    kinds = (FlawKind.STRAY_ENTRY,)


class OverlooksGaps(_Overlooks):
    """Compares from entries to records only."""

    kinds = (FlawKind.MISSING_ENTRY,)


class MendsNothing(MemoryPort):
    """Says that it has mended what it was told to mend."""

    def mend(self, mend: Mend) -> None:
        pass


class MendsTheFirstOnly(MemoryPort):
    """Mends the first flaw of a request."""

    def mend(self, mend: Mend) -> None:
        super().mend(Mend(mend.flaws[:1]))


class MendsByRemoving(BrokenPort):
    """Removes the record of an entry that it should mend."""

    def mend(self, mend: Mend) -> None:
        super().mend(mend)
        for flaw in mend.flaws:
            if flaw.entry[0] in {"keys", "referrers", "index"} and flaw.entry[-1] in self.space.records:
                self.space.drop(self.space.records[flaw.entry[-1]].key)


BROKEN: tuple[Variant, ...] = tuple(
    map(
        of_port,
        (
            EndsPulsesAtThePage,
            TurnsPulsesRound,
            LosesProgress,
            BeatsTenAtMost,
            CallsLeasesDueTooSoon,
            CallsLeasesDueByUidOnly,
            RoundsTtlsToSeconds,
            FencesTheFirstOnly,
            JudgesTheFirstOnly,
            EndsPulsesOfUpdatedLeases,
            ComesBackUnderAnotherName,
            TellsAHundredChanges,
            TellsTenMessages,
            TellsVersionsBefore,
            TellsWhatWasWrittenFirst,
            TellsNoKeysOfMessages,
            SkipsOwnKinds,
            LosesEventsOfDeletes,
            KeepsTenEvents,
            WaitsForNothing,
            ReturnsMoreThanAsked,
            OverlooksUniques,
            OverlooksIndexes,
            OverlooksReferrers,
            OverlooksHolds,
            OverlooksStrays,
            OverlooksGaps,
            MendsNothing,
            MendsTheFirstOnly,
            MendsByRemoving,
        ),
    )
)
