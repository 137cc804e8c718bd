"""Beating: one thread that tells the server, for all leases of one store in this process, that their holder lives.

It is apart from the work, over a connection of its own, so that neither a busy event loop nor a slow request delays it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final, NoReturn

from emco_store.core.leases import LeaseTarget, check_progress, write_progress
from emco_store.core.pulses import Heartbeat
from emco_store.errors import InvalidCall, StoreError
from emco_store.flows.refusals import lease_lost
from emco_store.ports import Beat, Beaten, Port, Unreachable, no_leases

MakePort = Callable[[], Port]
_US: Final = timedelta(microseconds=1)
_PERIODS: Final = 3
"""Beats in a TTL."""
_TRIES: Final = 15
"""How often a beat that failed is tried again in a TTL."""
_LONGEST_JOIN_S: Final = 1.0
"""How long the end of a store waits for a beat that is on its way; the thread ends by itself after it."""
_OWN_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that also counts while the machine is suspended, where there is one."""


def no_leases_from() -> NoReturn:
    """Refuse to make a port over which beats could go.

    Raises:
        NotSupported: Always: the store was made without such a port.
    """
    raise no_leases()


def own_us() -> int:
    """Return the time of this process's own clock, which nobody sets, in microseconds."""
    return time.clock_gettime_ns(_OWN_CLOCK) // 1000


def this_process() -> str:
    """Return the name of this process, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Lease(LeaseTarget):
    """A lease that this process holds; the value of ``with store.lease(…) as lease``.

    It may be used by any thread and task of the process that took it, and by no child that the process has forked.

    Attributes:
        resource: The key of the resource.
        uid: The uid of the lease.
        token: Greater than that of every earlier lease of the resource. Send it along with effects outside the store:
            whoever takes them must refuse what has a smaller token than it has seen.
        ttl: How long the lease counts as alive after a beat.

    Rules: LEA-3, LEA-4, LEA-9, HB-5.
    """

    token: int
    ttl: timedelta
    _home: object = field(repr=False, compare=False)
    _state: _State = field(repr=False, compare=False)

    def check(self) -> None:
        """Raise if the lease is over, or may be over by now: call it before effects outside the store.

        It asks nobody: the lease counts as over when two thirds of its TTL have passed, by the own clock, since the
        newest beat was sent that was acknowledged.

        Raises:
            LeaseLost: It is over, or may be.

        Rules: HB-5, LEA-9.
        """
        reason = self._state.reason_now(self.ttl, self.token)
        if reason:
            raise lease_lost([self.resource], reason)

    def progress(self, **fields: Any) -> None:
        """Report progress, which goes along with the next beat and is shown by ``store.leases``.

        Args:
            fields: Values that have a JSON form, at most 960 bytes in all.

        Raises:
            InvalidCall: They are no JSON, or too large.
        """
        check_progress(fields)
        self._state.report(fields)

    def heartbeat(self) -> Heartbeat:
        """Return the next beat."""
        number, progress = self._state.next_beat()
        return Heartbeat(self.key, number, self.ttl, progress)


def required(lease: Any, home: object) -> LeaseTarget:
    """Return a lease on which a commit may rest.

    Args:
        lease: What the caller gave.
        home: What tells the store from others.

    Raises:
        InvalidCall: It is no lease, or another store has taken it.
        LeaseLost: It is known to be over, or a parent of this process holds it.
    """
    if not isinstance(lease, Lease):
        raise InvalidCall(
            f"Cannot require {lease!r:.80}.", why=["it is not a lease"], hint="give the value of store.lease(…)."
        )
    if lease._home is not home:  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
        raise InvalidCall(
            f"Cannot require the lease of {lease.resource}.",
            why=["another store has taken it"],
            hint="use the store from which the lease comes.",
        )
    reason = lease._state.over_now(lease.token)  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
    if reason:
        raise lease_lost([lease.resource], reason)
    return lease


class _State:
    """What changes about a lease while it is held.

    Args:
        acked_us: When the first beat was sent, by the own clock.
        clock: The own clock.
    """

    def __init__(self, acked_us: int, clock: Callable[[], int]) -> None:
        self._pid = os.getpid()
        self._clock = clock
        self._acked_us = acked_us
        self._number = 1
        self._over = ""
        self._progress: tuple[Mapping[str, Any], int] = ({}, acked_us)

    def reason_now(self, ttl: timedelta, token: int) -> str:
        """Return why the lease counts as over; empty if it does not."""
        over = self.over_now(token)
        silent = (self._clock() - self._acked_us) * _US
        if over or silent * 3 < ttl * 2:
            return over
        return (
            f"no beat was acknowledged for {silent.total_seconds():.1f} s, and it ends after {ttl.total_seconds():g} s "
            f"without one; its token is {token}"
        )

    def over_now(self, token: int) -> str:
        """Return why the lease is known to be over, for this process; empty if it is not."""
        if os.getpid() != self._pid:
            return f"process {self._pid} holds it, and this process was forked from that one"
        return f"{self._over}; its token was {token}" if self._over else ""

    def report(self, fields: Mapping[str, Any]) -> None:
        """Note what the holder reports."""
        self._progress = (fields, self._clock())

    def next_beat(self) -> tuple[int, str]:
        """Return the number of the next beat, and what goes along with it."""
        self._number += 1
        fields, at_us = self._progress
        return self._number, write_progress(fields, self._clock() - at_us)

    def acknowledge(self, sent_us: int) -> None:
        """Note that a beat was acknowledged which was sent at that time."""
        self._acked_us = max(self._acked_us, sent_us)

    def end(self, reason: str) -> None:
        """Note that the lease is over."""
        self._over = self._over or reason

    @property
    def is_own(self) -> bool:
        """Whether this process holds it, and is no child of the one that does."""
        return os.getpid() == self._pid


class Beater:
    """Beats for all leases that one store holds in this process.

    Args:
        make_port: Makes the port over which beats go; it is opened by the thread that beats.
        home: What tells the store from others.
        clock: The own clock.
        is_threaded: Whether a thread beats; if not, whoever calls :meth:`beat` decides when.

    Rules: HB-1, HB-4, LEA-9.
    """

    def __init__(
        self, make_port: MakePort, *, home: object, clock: Callable[[], int] = own_us, is_threaded: bool = True
    ) -> None:
        self._home = home
        self._make_port = make_port
        self.clock = clock
        self._is_threaded = is_threaded
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._port: Port | None = None
        self._is_open = False
        self._random = Random()  # noqa: S311 - so that not all processes beat at once

    def prepare(self) -> None:
        """See that there is something to beat over.

        Raises:
            StoreError: What the store was made from allows no blocking port beside it.
        """
        if os.getpid() != self._pid:  # the thread, the connection and the lock are the parent's
            self._begin()
        if self._port is None:
            self._port = self._make_port()

    def hold(self, target: LeaseTarget, *, token: int, ttl: timedelta, sent_us: int) -> Lease:
        """Begin to beat for a lease that was taken.

        Args:
            target: The lease.
            token: Its token.
            ttl: Its TTL.
            sent_us: When its first beat was sent, by :attr:`clock`.
        """
        self.prepare()
        lease = Lease(target.resource, target.uid, token, ttl, self._home, _State(sent_us, self.clock))
        with self._lock:
            self._leases[lease.uid] = lease
            if self._is_threaded and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="emco-store heartbeats", daemon=True)
                self._thread.start()
        self._woken.set()
        return lease

    def drop(self, lease: Lease, reason: str) -> bool:
        """Stop beating for a lease; return False for one that a parent of this process holds."""
        if not lease._state.is_own:  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
            return False
        lease._state.end(reason)  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
        with self._lock:
            self._leases.pop(lease.uid, None)
        self._woken.set()
        return True

    def close(self) -> None:
        """Stop beating. Leases that are still held end by themselves, when somebody judges them."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            thread, self._thread = self._thread, None
            for lease in self._leases.values():
                lease._state.end("its store was closed")  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
            self._leases.clear()
        self._woken.set()
        if thread is not None:
            thread.join(_LONGEST_JOIN_S)

    def beat(self) -> bool:
        """Beat once for all leases, in one request; return whether an answer came."""
        with self._lock:
            leases = list(self._leases.values())
        if not leases:
            return True
        sent_us = self.clock()
        try:
            answer = self._port_to_beat().ask(Beat({lease.uid: lease.heartbeat() for lease in leases}))
        except (Unreachable, StoreError, OSError):
            return False
        self._take_note(leases, answer, sent_us)
        return True

    def _port_to_beat(self) -> Port:
        self.prepare()
        port: Any = self._port
        if not self._is_open:
            port.open()
            self._is_open = True
        found: Port = port
        return found

    def _take_note(self, leases: Iterable[Lease], answer: Beaten, sent_us: int) -> None:
        for lease in leases:
            if lease.uid in answer.lapsed:
                self.drop(lease, "it was ended, whatever its holder still does")
            else:
                lease._state.acknowledge(sent_us)  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]

    def _run(self) -> None:
        thread = threading.current_thread()
        due_s: float | None = None
        was_heard = True
        while self._thread is thread:
            now_s, pause_s = time.monotonic(), self._pause_s(was_heard=was_heard)
            # What was due already stays due, however often leases come and go.
            due_s = None if pause_s is None else min(now_s + pause_s, now_s + pause_s if due_s is None else due_s)
            if self._woken.wait(None if due_s is None else max(0.0, due_s - now_s)):
                self._woken.clear()
                continue
            was_heard, due_s = self.beat(), None
        if self._port is not None:
            with suppress(Unreachable, StoreError, OSError):
                self._port.close()

    def _pause_s(self, *, was_heard: bool) -> float | None:
        """Return for how long to wait before the next beat; None while nothing is held."""
        with self._lock:
            if not self._leases:
                return None
            ttl_s = min(lease.ttl for lease in self._leases.values()).total_seconds()
        return ttl_s / _PERIODS * self._random.uniform(0.8, 1.0) if was_heard else ttl_s / _TRIES
