"""The door into a backend, and what a backend must do about each request; ``sync.py`` is the blocking form of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Protocol, TypeVar

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports.guarantees import Guarantees
from emco_store.ports.replies import (
    Audited,
    Beaten,
    EventPage,
    Outcome,
    PulsePage,
    Receipt,
    RecordPage,
    ReferrerPage,
    Refusal,
    no_feed,
    no_leases,
)
from emco_store.ports.requests import (
    Audit,
    Beat,
    Commit,
    Count,
    Events,
    Get,
    Hold,
    Mend,
    Pulses,
    ReferrerQuery,
    Release,
    Request,
    Scan,
    Settle,
)

T = TypeVar("T")


class AsyncPort(Protocol):
    """The door into a backend, for one namespace.

    A wrapper implements these four; a backend subclasses :class:`AsyncPortBase`, which says what each request demands.
    """

    @property
    def guarantees(self) -> Guarantees:
        """What holds with the server that was found.

        Raises:
            InvalidCall: The port is not open, and the server says what holds; see :func:`emco_store.ports.not_open`.
        """
        ...

    async def open(self) -> None:
        """Reach the server, see that it can keep its promises, and prepare what requests need; once.

        Raises:
            Misconfigured: A setting of the server or of the client would break a promise.
            NotSupported: The server is too old, or of a kind that is not proven.
            Unreachable: The server does not answer.

        Rules: DUR-1.
        """
        ...

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """Answer one request.

        Raises:
            Unreachable: The request had no effect, because the backend could not be reached.
            OutcomeLost: A commit was sent, and its answer is lost.
            StoreError: The backend refuses the request, with a reason that the caller can act on.
        """
        ...

    async def close(self) -> None:
        """Release what was opened; a port that is not open, or is closed already, stays as it is."""
        ...


class AsyncPortBase(ABC):
    """A port that answers each request by the method of its name: subclass it to write a backend.

    What holds for every method:

    - One port serves one namespace, and any number of callers at once.
    - Each request is answered as of one moment, and sees every commit that was acknowledged before it was asked.
    - A request changes nothing but what its method says, and no driver's exception leaves a port.
    - The driver repeats no commit by itself. A port may repeat any request as it is, because each has its effect once.
    - A caller that is cancelled or interrupted leaves its request whole or without effect, and the port usable.

    Keys, indexed texts and unique texts compare and sort by code points, never by a locale. Documents, edges and times
    come back exactly as they were put (ID-13).
    """

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """See :attr:`AsyncPort.guarantees`."""

    @abstractmethod
    async def open(self) -> None:
        """See :meth:`AsyncPort.open`."""

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """Answer one request by the method that it names."""
        reply: Awaitable[T] = getattr(self, request.verb)(request)
        return reply

    @abstractmethod
    async def get(self, request: Get) -> Mapping[Key, Record]:
        """Return those of the records that exist.

        A record that exists is never left out. If it cannot be read, because another program has spoiled it, return
        what can be told of it, with an empty document: the core then reports it as unreadable in its place, and a put
        or a delete replaces it. If nothing can be told of it, raise a ``StoreError`` that names it.

        Raises:
            Unreachable: No answer came.

        Rules: ID-2, ID-11, ID-22, ID-23, BAD-8.
        """

    @abstractmethod
    async def scan(self, scan: Scan) -> RecordPage:
        """Return the next records of an order, up to ``scan.limit`` of them, and where the next page begins.

        Only ``next`` says whether anything follows. A port may stop before the page is full, at a hundred records or at
        some number of bytes, and may return no record at all, as long as ``next`` names the place up to which it has
        looked; whoever asks goes on from there. With ``next=None`` it promises that nothing is left. A port that fills
        its pages need not look further: it returns the position of the last record whenever the page is full.

        The order is by key text; with ``scan.field`` it is by indexed text and then by key text, and records without
        this field do not appear. What ``scan.after``, ``scan.until`` and ``scan.below`` name is not part of the page
        and need not exist; what ``scan.low`` names is. Unreadable records: see :meth:`get`.

        Raises:
            Unreachable: No answer came.

        Rules: ID-7 to ID-9, ID-16, ID-20, ID-23, BAD-8.
        """

    @abstractmethod
    async def count(self, count: Count) -> int:
        """Return how many records a scan would find if it had no limit, without reading them.

        A backend may count the entries of its index. Unreadable records count.

        Raises:
            Unreachable: No answer came.

        Rules: ID-18.
        """

    @abstractmethod
    async def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """Return the next records with an edge to any of the targets, and the records to load, as of the same moment.

        The page holds up to ``query.limit`` referrers in the order of their key text, each once; see :meth:`scan` for
        what ``next`` means. A target need not exist. A referrer that cannot be read is returned
        with an edge to the target, under the rule RESTRICT, so that nobody deletes what it may refer to; or else
        the request fails with a ``StoreError`` that names it.

        Raises:
            Unreachable: No answer came.

        Rules: DEL-3, DEL-8, OCC-4, ID-16, REF-13, BAD-8.
        """

    @abstractmethod
    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """Check every precondition and write everything, or write nothing and name every precondition that failed.

        The whole call is one step for every other call. It checks, by the state before the commit:

        1. ``txid``: if the commit has happened, return the receipt again; if it was settled as aborted, refuse it as
           :class:`Fenced`. Nothing else is looked at then.
        2. ``expect``: each record has this uid and version, or is absent where None stands; else :class:`Stale`.
        3. ``require``: each record exists; else :class:`Missing`. A record that the commit itself creates does not
           count.
        4. ``sealed``: each record exists with this uid and guard; else :class:`Moved`.
        5. The unique values of ``puts``: each belongs to no other record of the kind that remains, and to no other of
           the puts; else :class:`Taken`. A record that is deleted or replaced gives its values up in the same commit.
        6. If the commit writes: no record that any part of it names is held by another than ``holder``; else
           :class:`Held`. Records that are only fenced do not count. A hold that is taken while the commit is on its
           way may be missed: this check alone may come before the write.
        7. ``fenced``: each record exists with this uid, in whatever version; else :class:`Lapsed`. A record that the
           commit itself creates does not count. The check may move nothing that another commit rests on.
        8. ``silent``: no beat with a greater number than this has arrived for this lease; else :class:`Alive`. A lease
           without a pulse is silent.

        If anything failed, it returns all of it, in any order, in one :class:`Refusal`, and leaves no trace, not even
        of the txid. Otherwise it removes ``deletes``, writes ``puts`` over whatever has their key, with the guard of
        the record that was there or else 0, adds 1 to the guard of each record in ``require``, ends the holds of what
        it removed or wrote, and notes the txid as committed for at least ``guarantees.outcome_retention``. A commit
        that has neither puts, deletes nor ``silent`` is checked and changes nothing: no guard moves, and no txid is
        noted.

        In the same step it ends pulses: those that ``silent`` names, even if it writes nothing else, and the pulse of
        each lease (a record of the kind ``emco__Lease``) that it deletes or replaces by one of another uid. No beat
        that arrives later brings one back, apart from a first beat.

        One key may stand in several parts: each check is made by itself, even where no state can pass all of them. No
        key stands in ``deletes`` and also in ``puts`` or ``require``, and none twice in ``puts``; a port need not look
        for that. A delete of what does not exist, without a precondition on it, has no effect.

        A spoiled record has the uid and version, and the guard, with which :meth:`get` returned it. A port that cannot
        tell them refuses a commit on it with a ``StoreError``.

        Raises:
            Unreachable: The commit was certainly not carried out, and will not be.
            OutcomeLost: It was sent and no answer came, or its connection broke, or it is not certain: it may happen
                still. The caller then sends it again under its txid, or settles it.
            StoreError: The server refuses it whole, for example because it is full; nothing was written.

        Rules: ATM-1 to ATM-7, OCC-1 to OCC-4, OCC-10, OCC-11, OCC-17, ID-1, ID-6, ID-13, PUL-1, PUL-2, PUL-5.
        """

    @abstractmethod
    async def settle(self, request: Settle) -> Outcome | None:
        """Return how a commit ended, and make sure that it can no longer end otherwise.

        A txid without an outcome gets the outcome "aborted", in one step: a commit of this name that arrives later is
        refused as :class:`Fenced`. An answer without this fence is a guess. A port whose reply was lost asks again.

        Return None where there is no outcome and there may have been one: by the clock of the server, the commit began
        longer ago than half of the outcome retention (see ``emco_store.core.txids``). The clocks of clients do not
        count. An outcome is remembered from the commit on, and from the time in its txid on where that is later.

        Raises:
            Unreachable: No answer came; the commit may be settled, and a later call tells how.

        Rules: ATM-5.
        """

    @abstractmethod
    async def hold(self, hold: Hold) -> None:
        """Take an advisory lock with an expiry: refuse commits of others that write and name one of these records.

        It hinders no read and no commit that only checks. A record that does not exist, or that another holds, is
        passed over without an error; a hold that is over hinders nobody and can be taken by anybody. Its holder may
        take it again, which sets its end anew. It ends by the clock of the server, when the record is written or
        deleted, or by :meth:`release`, whichever comes first. No promise rests on it: one that is lost costs others an
        attempt.

        Raises:
            Unreachable: No answer came; the hold may have begun, and ends by itself.

        Rules: OCC-11.
        """

    @abstractmethod
    async def release(self, release: Release) -> None:
        """End what :meth:`hold` began; what this holder does not hold stays as it is.

        Raises:
            Unreachable: No answer came; the holds end by themselves.

        Rules: OCC-11.
        """

    async def beat(self, beat: Beat) -> Beaten:  # noqa: ARG002 - a backend that knows leases overrides it
        """Note that the holders of leases are alive, each lease by itself.

        A beat of the number 1 makes the pulse of its lease, whether the lease is there or not: a taker beats before it
        commits. A beat of a greater number replaces the pulse; if there is none, the lease is over and the reply says
        that it has lapsed. A beat whose number is not greater than that of the pulse is late or doubled: it changes
        nothing, not even the time, and has not lapsed.

        The backend dates a beat by the clock of the server when it arrives. It writes to no record and moves no
        version and no guard, so no commit fails or waits because of a beat, apart from one that ends this very lease.

        A beat may be forgotten by a failover; then the pulse is as old as the beat before it. The first beat of a lease
        is as durable as a commit, so that no lease can be without a pulse.

        A backend that leaves out this method and :meth:`pulses` knows no leases, as ``guarantees.leases`` says, and
        then refuses a commit with ``fenced`` or ``silent`` by :func:`emco_store.ports.no_leases`.

        Raises:
            NotSupported: The backend knows no leases.
            Unreachable: No answer came; some of the beats may count.

        Rules: PUL-3 to PUL-6.
        """
        raise no_leases()

    async def pulses(self, pulses: Pulses) -> PulsePage:  # noqa: ARG002 - so it does this
        """Return the next pulses and the time of the server, as of the same moment.

        The page holds up to ``pulses.limit`` of them, by their uids as code points; see :meth:`scan` for what ``next``
        means. With ``pulses.due`` it holds those whose TTL has passed since their last beat, by
        the clock of the server alone. It may ask for many, but must not stop the server for long.

        Raises:
            NotSupported: The backend knows no leases.
            Unreachable: No answer came.

        Rules: PUL-4, PUL-6.
        """
        raise no_leases()

    async def events(self, events: Events) -> EventPage:  # noqa: ARG002 - a backend that has a feed overrides it
        """Return the next events of the feed: each commit that wrote or deleted a record or has messages is one.

        Nothing else is an event. An event is part of its commit: both happen, or neither. It stands after the events of
        all commits that it rests on, and of all that were acknowledged before it was sent. It names every record that
        the commit wrote or deleted, and has its messages. A delete without ``expect`` may be told without uid and
        version, even if nothing was there.

        The events after a cursor come in order, each once, and none is left out. Where that cannot be promised, because
        the event of the cursor is not kept any more, or is not the one that the cursor names, the backend raises
        :func:`emco_store.ports.feed_gap`. A cursor names the event itself, for example by its txid, and not only its
        number, so one of an event that a failover has forgotten, or of another namespace, is a gap.

        A page holds up to ``events.limit`` events, and may hold fewer. If there is none, wait for up to
        ``events.wait`` until there is one; a wait delays no other request. An event is there soon after its commit was
        acknowledged, and need not be there at once. A backend may begin to keep events with the first request for
        them, or the first commit with messages. It keeps as many as ``guarantees.feed_retention`` says, whether anybody
        reads them or not. With ``events.oldest``, the cursor of the page is that of the beginning of what it keeps.

        A backend that leaves out this method has no feed, as ``guarantees.feed`` says.

        Raises:
            FeedGap: Events after the cursor are missing, or may be.
            InvalidCall: The text is no cursor of such a backend.
            NotSupported: The backend has no feed.
            Unreachable: No answer came.

        Rules: FEED-1 to FEED-8.
        """
        raise no_feed()

    @abstractmethod
    async def audit(self, audit: Audit) -> Audited:
        """Examine the next part of everything that is stored; write nothing.

        Return the records that can be read, which of their targets do not exist, and what is wrong with whatever the
        backend keeps beside its records: compare both ways, from record to entry and from entry to record. A record
        that cannot be read, or a value that is no record, is a flaw of the kind ``UNREADABLE`` and never an exception.

        A step may examine less than ``audit.limit``, even nothing: only ``next=None`` is the end. It must not stop the
        server for long. Commits meanwhile make nothing look wrong: each flaw is one as of a moment.

        Raises:
            InvalidCall: ``after`` is not what a step of such a backend returned as ``next``.
            Unreachable: No answer came.

        Rules: CHK-1 to CHK-6.
        """

    @abstractmethod
    async def mend(self, mend: Mend) -> None:
        """Make the entries that an audit has named fit the records as they are by now.

        Each flaw is mended by itself, and only if it is one still; a record that can be read never changes. So it is
        harmless at any time, and may be repeated. A flaw of the kind ``UNREADABLE`` is removed if nothing can read it.

        Raises:
            Unreachable: No answer came; some of it may be mended.

        Rules: CHK-6, CHK-8.
        """

    @abstractmethod
    async def close(self) -> None:
        """See :meth:`AsyncPort.close`."""


class AsyncPortWrapper:
    """A port around another: it passes everything on, and a subclass overrides :meth:`ask`.

    Args:
        inner: The other port.
    """

    def __init__(self, inner: AsyncPort) -> None:
        self._inner = inner

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`AsyncPort.guarantees`."""
        return self._inner.guarantees

    async def open(self) -> None:
        """See :meth:`AsyncPort.open`."""
        await self._inner.open()

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """See :meth:`AsyncPort.ask`."""
        return self._inner.ask(request)

    async def close(self) -> None:
        """See :meth:`AsyncPort.close`."""
        await self._inner.close()
