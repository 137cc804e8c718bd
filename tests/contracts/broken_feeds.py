# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Mutants of the feed."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import Any

from emco_store.backends.feeds import Ring, number_in
from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.core.events import Action, RecordChange
from emco_store.core.messages import Message, Outbox
from emco_store.core.origins import NOBODY
from emco_store.core.reserved import is_reserved
from emco_store.errors import FeedGap, InvalidCall, Unavailable
from emco_store.flows.asking import Flow
from emco_store.flows.watching import Told
from emco_store.ports import (
    Beat,
    Beaten,
    Commit,
    EventPage,
    Events,
    Hold,
    Outcome,
    Receipt,
    Refusal,
    Settle,
)  # fmt: skip


class _Port(MemoryPort):
    @property
    def _space(self) -> Space:
        return self._backend.space(self._namespace)  # type: ignore[attr-defined]  # a Mutant's

    @property
    def _feed(self) -> Ring:
        return self._space.feed


class _Tells(_Port):
    """Changes what is told."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        return replace(page, events=tuple(map(self.told, page.events)))

    def told(self, event: Any) -> Any:
        raise NotImplementedError


# what is told, and when


class TellsBeforeTheChecks(_Port):
    """Tells a commit before it is known whether it happens."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Refusal):
            self._feed.add(commit, {})
        return reply


class TellsAfterTheCommit(_Port):
    """Tells a commit with the request that follows it, so the newest one is not told if no other follows."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        late = getattr(self._feed, "late", None)
        if late is not None and self._feed.has_begun:
            self._feed.add(*late)
        has_begun, self._feed.has_begun = self._feed.has_begun, False
        try:
            reply = super().commit(commit)
        finally:
            self._feed.has_begun = has_begun
        self._feed.late = (commit, {}) if isinstance(reply, Receipt) and commit.size else None  # type: ignore[attr-defined]
        return reply


class TellsRepeats(_Port):
    """Tells a commit each time that it arrives."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        was_there = commit.txid in self._space.outcomes
        reply = super().commit(commit)
        if was_there and isinstance(reply, Receipt):
            self._feed.add(commit, {})
        return reply


class TellsChecks(_Port):
    """Tells commits that write nothing."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if not commit.size and isinstance(reply, Receipt):
            self._feed.add(commit, {})
        return reply


class TellsRecordsApart(_Port):
    """Tells each record as if it had been committed by itself."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if isinstance(reply, Receipt):
            for record in commit.puts[1:]:
                self._feed.add(replace(commit, puts=(record,), deletes=()), {})
        return reply


class ForgetsDeletes(_Tells):
    """Tells what was written only."""

    def told(self, event: Any) -> Any:
        return replace(event, changes=tuple(one for one in event.changes if one.action is not Action.DELETED))


class TakesUpdatesForNew(_Tells):
    """Does not say whether a record was there before."""

    def told(self, event: Any) -> Any:
        return replace(
            event,
            changes=tuple(
                replace(one, action=Action.CREATED) if one.action is Action.UPDATED else one for one in event.changes
            ),
        )


class ForgetsWho(_Tells):
    """Tells nobody whose commit it was."""

    def told(self, event: Any) -> Any:
        return replace(event, origin=NOBODY)


class ForgetsNamesakes(_Tells):
    """Tells a record that takes the place of another one, and not the end of the other."""

    def told(self, event: Any) -> Any:
        new = {one.key for one in event.changes if one.action is Action.CREATED}
        kept = [one for one in event.changes if one.action is not Action.DELETED or one.key not in new]
        return replace(event, changes=tuple(kept))


class TellsKnownKindsOnly(_Tells):
    """Tells the kinds that it has met."""

    def told(self, event: Any) -> Any:
        return replace(event, changes=tuple(one for one in event.changes if one.key.kind == "Site"))


class TellsBeats(_Port):
    """Tells that somebody is alive."""

    def beat(self, beat: Beat) -> Beaten:
        self._feed.add(Commit("beat"), {})
        return super().beat(beat)


class TellsHolds(_Port):
    """Tells that somebody waits."""

    def hold(self, hold: Hold) -> None:
        self._feed.add(Commit("hold"), {})
        super().hold(hold)


class TellsSettlements(_Port):
    """Tells how a commit ended that never happened."""

    def settle(self, request: Settle) -> Outcome | None:
        self._feed.add(Commit(request.txid), {})
        return super().settle(request)


# the order, and where a reader is


class OrdersByTxid(_Port):
    """Orders by the times in ids, which are those of clients, taken before the commit."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        return replace(page, events=tuple(sorted(page.events, key=attrgetter("txid"))))


class TellsTheNewestOnly(_Port):
    """Skips what lies between the cursor and a full page, as one who wants to catch up."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(replace(events, limit=1 << 30))
        return replace(page, events=page.events[-events.limit :])


class TellsTheCursorAgain(_Port):
    """Begins with the event of the cursor."""

    def events_now(self, events: Events) -> EventPage:
        if events.after is None:
            return super().events_now(events)
        super().events_now(events)
        entries = self._feed._entries
        again = tuple(one for one in entries if number_in(one.cursor) >= number_in(events.after))[: events.limit]
        return EventPage(again[-1].cursor, again)


class TrustsNumbers(_Port):
    """Takes the number of a cursor for its event."""

    def events_now(self, events: Events) -> EventPage:
        entries = {number_in(one.cursor): one.cursor for one in self._feed._entries}
        if events.after is None:
            return super().events_now(events)
        return super().events_now(replace(events, after=entries.get(number_in(events.after), events.after)))


class SkipsGaps(_Port):
    """Goes on with what is left."""

    def events_now(self, events: Events) -> EventPage:
        try:
            return super().events_now(events)
        except FeedGap:
            return super().events_now(Events())


class TakesAnyText(_Port):
    """Takes what is no cursor for the end."""

    def events_now(self, events: Events) -> EventPage:
        try:
            return super().events_now(events)
        except InvalidCall:
            return super().events_now(Events())


class HoldsCommitsBack(_Port):
    """Lets nobody write until a reader has caught up."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        self._feed.seen = number_in(page.cursor)  # type: ignore[attr-defined]
        return page

    def commit(self, commit: Commit) -> Receipt | Refusal:
        if self._feed.has_begun and self._feed._last - self._feed.seen > 20:  # type: ignore[attr-defined]
            raise Unavailable("A reader is behind.")
        return super().commit(commit)


class StaysWhereItWas(_Port):
    """Gives the cursor that it was given."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        return page if events.after is None else replace(page, cursor=events.after)


class BeginsAtTheBeginning(_Port):
    """Tells a new reader everything that is kept."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        first = self._feed._entries[0].cursor
        return replace(page, cursor=first) if events.after is None else page


# messages


class TellsMessagesApart(_Port):
    """Tells messages in an event of their own, which a crash would lose."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(replace(commit, messages=()))
        if commit.messages and isinstance(reply, Receipt):
            self._feed.add(Commit(commit.txid, messages=commit.messages), {})
        return reply


class TellsMessagesOfRefused(_Port):
    """Tells what a commit says although it does not happen."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        if commit.messages and isinstance(reply, Refusal):
            self._feed.add(Commit(commit.txid, messages=commit.messages), {})
        return reply


class TellsMessagesAgain(_Port):
    """Tells messages each time that their commit arrives."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        was_there = commit.txid in self._space.outcomes
        reply = super().commit(commit)
        if was_there and commit.messages and isinstance(reply, Receipt):
            self._feed.add(Commit(commit.txid, messages=commit.messages), {})
        return reply


class OrdersMessagesByTime(_Port):
    """Has an outbox that is read in the order of the times in ids."""

    def events_now(self, events: Events) -> EventPage:
        page = super().events_now(events)
        outbox = [one.messages for one in sorted(page.events, key=attrgetter("txid"))]
        ordered = [replace(event, messages=said) for event, said in zip(page.events, outbox, strict=True)]
        return replace(page, events=tuple(ordered))


class OrdersMessagesByTopic(_Tells):
    """Sorts what a commit says."""

    def told(self, event: Any) -> Any:
        return replace(event, messages=tuple(sorted(event.messages, key=attrgetter("topic"))))


class NeedsARecordToTell(_Port):
    """Takes a commit that changes no record for a check."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(commit if commit.puts or commit.deletes else replace(commit, messages=()))


class NeedsAReaderToKeep(_Port):
    """Throws away what is said before somebody listens."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(commit if self._feed.has_begun else replace(commit, messages=()))


class BeginsAtTheEnd(_Port):
    """Shows only the end of the feed."""

    def events_now(self, events: Events) -> EventPage:
        return super().events_now(replace(events, oldest=False))


_kept = Outbox()


def keep_the_outbox() -> Outbox:
    """Emit what attempts before have emitted as well."""
    return _kept


def emit_whatever(outbox: Outbox, topic: Any, key: Any, body: Any) -> None:
    """Refuse nothing, and copy nothing."""
    outbox.messages.append(Message(topic, key, body))


# what a watch tells of it


def tell_resources_only(change: RecordChange) -> RecordChange | None:
    """Tell nothing of states, statuses and leases."""
    return None if is_reserved(change.key.kind) else change


def watch_by_the_kind(key: Any, prefixes: Any) -> bool:
    """Take every resource of a kind for one under the resource that was given."""
    return prefixes is None or key.kind in prefixes


def load_nothing(_: Any) -> Flow[dict[Any, Any]]:
    """Leave the resources out."""
    yield from ()
    return {}


def commit_for_nobody(*args: Any, **fields: Any) -> Commit:
    """Do not say whose commit it is."""
    return Commit(*args, **{**fields, "origin": NOBODY})


def stay_behind(cursor: str, events: tuple[Any, ...], is_end: bool) -> Told:  # noqa: FBT001 - as Told takes it
    """Begin anew, from now on, wherever nothing was for the watcher."""
    return Told(cursor if events else "0.begin", events, is_end)


BROKEN_FEEDS: tuple[tuple[type[MemoryPort], str], ...] = (
    (TellsBeforeTheChecks, "FEED-1"),
    (TellsAfterTheCommit, "FEED-1"),
    (TellsRecordsApart, "FEED-1"),
    (ForgetsDeletes, "FEED-1"),
    (TakesUpdatesForNew, "FEED-1"),
    (ForgetsWho, "FEED-1"),
    (ForgetsNamesakes, "FEED-1"),
    (OrdersByTxid, "FEED-2"),
    (TellsTheNewestOnly, "FEED-3"),
    (TellsTheCursorAgain, "FEED-3"),
    (SkipsGaps, "FEED-3"),
    (TrustsNumbers, "FEED-4"),
    (TakesAnyText, "FEED-4"),
    (TellsKnownKindsOnly, "FEED-5"),
    (HoldsCommitsBack, "FEED-6"),
    (StaysWhereItWas, "FEED-7"),
    (BeginsAtTheBeginning, "FEED-7"),
    (TellsRepeats, "FEED-8"),
    (TellsChecks, "FEED-8"),
    (TellsBeats, "FEED-8"),
    (TellsHolds, "FEED-8"),
    (TellsSettlements, "FEED-8"),
    (TellsMessagesApart, "FEED-10"),
    (TellsMessagesOfRefused, "FEED-10"),
    (TellsMessagesAgain, "FEED-10"),
    (OrdersMessagesByTime, "FEED-10"),
    (OrdersMessagesByTopic, "FEED-10"),
    (NeedsARecordToTell, "FEED-10"),
    (NeedsAReaderToKeep, "FEED-10"),
    (BeginsAtTheEnd, "FEED-10"),
)
"""Each broken port, with the rule that must catch it."""
