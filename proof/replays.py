"""What readers of a feed are told, replayed and held against what clients have sent and what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from emco_store.core.events import Action, Event, RecordChange
from emco_store.core.keys import Key
from emco_store.ports import (
    AsyncPort,
    AsyncPortWrapper,
    Backend,
    Commit,
    Port,
    PortWrapper,
    Receipt,
    Refusal,
    Request,
)

T = TypeVar("T")
State = tuple[str, int]
"""The uid and the version of a record."""
END: Final = Key("Site", "the-end")
"""The record that a proof itself commits, when the clients have ended."""


class Sent:
    """The commits that clients have sent, and what became of them, by their txids."""

    def __init__(self) -> None:
        self._commits: dict[str, tuple[Commit, object]] = {}

    def around(self, backend: Backend) -> Backend:
        """Return a backend whose commits are noted."""
        return _Noted(backend, self)

    def note(self, commit: Commit, reply: object) -> None:
        """Note a commit that is sent (None), or its reply."""
        before = self._commits.get(commit.txid)
        if commit.size and not (before and isinstance(before[1], Receipt)):
            self._commits[commit.txid] = commit, reply

    @property
    def acknowledged(self) -> set[str]:
        """The commits that were acknowledged."""
        return {txid for txid, (_, reply) in self._commits.items() if isinstance(reply, Receipt)}

    @property
    def refused(self) -> set[str]:
        """The commits that were refused at last."""
        return {txid for txid, (_, reply) in self._commits.items() if isinstance(reply, Refusal)}

    def differences(self, event: Event) -> Iterator[str]:
        """Yield how an event differs from the commit that it tells."""
        if event.txid not in self._commits:
            yield f"{event.txid} is told, and nobody has sent it"
            return
        commit, _ = self._commits[event.txid]
        written = {one.key: (one.uid, one.version) for one in event.changes if one.action is not Action.DELETED}
        sent = {record.key: (record.uid, record.version) for record in commit.puts}
        if written != sent:
            yield f"{event.txid} has written {sent}, and {written} is told"
        gone = {one.key for one in event.changes if one.action is Action.DELETED} - sent.keys()
        if not gone <= {*commit.deletes} or any(commit.expect.get(key) for key in {*commit.deletes} - gone):
            yield f"{event.txid} has deleted {commit.deletes}, and {gone} is told"

    def expected(self, event: Event) -> Mapping[Key, State | None]:
        """Return the states that the records of a commit had before it, as far as it says."""
        commit, _ = self._commits.get(event.txid, (Commit(""), None))
        return {key: stamp and (stamp.uid, stamp.version) for key, stamp in commit.expect.items()}


class Replay:
    """Replays events, and notes whatever does not follow from those before.

    Args:
        sent: The commits of all clients; None where they are not known.

    Attributes:
        live: The records that there are after the newest event.
        txids: The commits that were told, since the newest gap.
        told: How many events there were in all.
        gaps: How often a gap was told.
        is_whole: Whether it has begun at the beginning.
        wrong: What must not be.
    """

    def __init__(self, sent: Sent | None = None) -> None:
        self.live: dict[Key, State] = {}
        self.txids: set[str] = set()
        self.told = 0
        self.gaps = 0
        self.is_whole = True
        self.wrong: list[str] = []
        self._sent = sent
        self._known: set[Key] | None = None

    def note(self, event: Event) -> None:
        """Replay one event."""
        self.told += 1
        if event.txid in self.txids:
            self.wrong.append(f"{event.txid} is told twice, again at {event.cursor}")
        self.txids.add(event.txid)
        is_ours = any(change.key == END for change in event.changes)
        if self._sent is not None and not is_ours:
            self.wrong += self._sent.differences(event)
        expected: Mapping[Key, State | None] = {} if self._sent is None else self._sent.expected(event)
        for change in event.changes:
            self._note(change, event, expected)

    def begin_anew(self, stored: Mapping[Key, State]) -> None:
        """Go on from a place in the feed that was taken before these records were read, as after a gap.

        The first event about a record may be older than what was read, so only what follows it is judged.
        """
        self.is_whole = False
        self.txids = set()
        self.live, self._known = dict(stored), set()

    def compare(self, stored: Mapping[Key, State]) -> None:
        """Note how what was replayed differs from what is stored."""
        self.wrong += [
            f"{key} is {stored.get(key, 'not there')}, and was told to be {self.live.get(key, 'gone')}"
            for key in sorted(self.live.keys() | stored.keys())
            if self.live.get(key) != stored.get(key)
        ]

    def _note(self, change: RecordChange, event: Event, expected: Mapping[Key, State | None]) -> None:
        key, before = change.key, self.live.get(change.key)
        is_judged = self._known is None or key in self._known
        if is_judged and (not _follows(change, before) or expected.get(key, before) != before):
            self.wrong.append(f"{change.action} {key} {change.uid} {change.version} after {before}, at {event.cursor}")
        if self._known is not None:
            self._known.add(key)
        if change.action is Action.DELETED:
            self.live.pop(key, None)
        else:
            self.live[key] = change.uid, change.version


def _follows(change: RecordChange, before: State | None) -> bool:
    """Return whether a change may come after a state; one commit may change a record more than once."""
    if change.action is Action.CREATED:
        return before is None and change.version >= 1
    if before is None:
        return False
    if change.action is Action.UPDATED:
        return before[0] == change.uid and before[1] < change.version
    # A commit that deletes what it has not read does not know what it was.
    return before == (change.uid, change.version) or not change.uid


@dataclass(frozen=True, slots=True)
class _Noted:
    inner: Backend
    sent: Sent

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return _NotedPort(self.inner.port(namespace), self.sent)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return _NotedAsyncPort(self.inner.async_port(namespace), self.sent)


class _NotedPort(PortWrapper):
    def __init__(self, inner: Port, sent: Sent) -> None:
        super().__init__(inner)
        self._sent = sent

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        if not isinstance(request, Commit):
            return super().ask(request)
        self._sent.note(request, None)
        reply: Any = super().ask(request)
        self._sent.note(request, reply)
        answer: T = reply
        return answer


class _NotedAsyncPort(AsyncPortWrapper):
    def __init__(self, inner: AsyncPort, sent: Sent) -> None:
        super().__init__(inner)
        self._sent = sent

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.AsyncPort.ask`."""
        if not isinstance(request, Commit):
            return await super().ask(request)
        self._sent.note(request, None)
        reply: Any = await super().ask(request)
        self._sent.note(request, reply)
        answer: T = reply
        return answer
