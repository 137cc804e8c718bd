"""The thread that beats: it tells the server, for all leases of one store in this process, that their holder lives.

It is apart from the work, over a connection of its own, so that neither a busy event loop nor a slow request delays it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any, Final, NoReturn

from emco_store.beating.clocks import PERIODS, TRIES, own_us
from emco_store.beating.held import Lease, State, state_of
from emco_store.beating.process import Attendance, Launch, no_process_from
from emco_store.core.leases import LeaseTarget
from emco_store.errors import StoreError
from emco_store.ports import Beat, Beaten, Port, Unreachable, no_leases

MakePort = Callable[[], Port]
FindLaunch = Callable[[], Launch]
_LOOKS: Final = 12
"""How often in a TTL to look after the process that beats. If it beats no more, that is seen after half of a TTL and a
twelfth: before its leases count as over."""
_LONGEST_JOIN_S: Final = 1.0
"""How long the end of a store waits for a beat that is on its way; the thread ends by itself after it."""


def no_leases_from() -> NoReturn:
    """Refuse to make a port over which beats could go.

    Raises:
        NotSupported: Always: the store was made without such a port.
    """
    raise no_leases()


class Beater:
    """Beats for all leases that one store holds in this process.

    Args:
        make_port: Makes the port over which beats go; it is opened by the thread that beats.
        home: What tells the store from others.
        clock: The own clock.
        is_threaded: Whether a thread beats; if not, whoever calls :meth:`beat` and :meth:`look` decides when.
        find_launch: Returns what starts a process that beats, or refuses to.

    Rules: HB-1, HB-4, HB-8, LEA-9.
    """

    def __init__(
        self,
        make_port: MakePort,
        *,
        home: object,
        clock: Callable[[], int] = own_us,
        is_threaded: bool = True,
        find_launch: FindLaunch = no_process_from,
    ) -> None:
        self._home = home
        self._make_port = make_port
        self._find_launch = find_launch
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
        self._attendance: Attendance | None = None
        self._is_open = False
        self._random = Random()  # noqa: S311 - so that not all processes beat at once

    def prepare(self, stall_after: timedelta | None = None) -> None:
        """See that there is something to beat over, and if it is asked for, a way to start a process that beats.

        Args:
            stall_after: See :meth:`hold`.

        Raises:
            StoreError: What the store was made from allows no blocking port beside it, or no process.
        """
        if os.getpid() != self._pid:  # the thread, the connection and the lock are the parent's
            self._begin()
        if self._port is None:
            self._port = self._make_port()
        if stall_after is not None:
            with self._lock:
                self._attendance = self._attendance or Attendance(self._find_launch(), self._now_us)

    def _now_us(self) -> int:
        return self.clock()

    def hold(
        self, target: LeaseTarget, *, token: int, ttl: timedelta, sent_us: int, stall_after: timedelta | None = None
    ) -> Lease:
        """Begin to beat for a lease that was taken.

        Args:
            target: The lease.
            token: Its token.
            ttl: Its TTL.
            sent_us: When its first beat was sent, by :attr:`clock`.
            stall_after: A process is to beat, and ends the lease when this one has stood still for so long; None for
                the thread.
        """
        self.prepare(stall_after)
        lease = Lease(target.resource, target.uid, token, ttl, self._home, State(sent_us, self.clock, stall_after))
        with self._lock:
            self._leases[lease.uid] = lease
            if self._is_threaded and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="emco-store heartbeats", daemon=True)
                self._thread.start()
        self._woken.set()
        return lease

    def drop(self, lease: Lease, reason: str) -> bool:
        """Stop beating for a lease; return False for one that a parent of this process holds."""
        if not state_of(lease).is_own:
            return False
        state_of(lease).end(reason)
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
                state_of(lease).end("its store was closed")
            self._leases.clear()
        self._woken.set()
        if thread is not None:
            thread.join(_LONGEST_JOIN_S)
        elif self._attendance is not None:
            self._attendance.close()

    def beat(self) -> bool:
        """Beat once for all leases for which no process beats, in one request; return whether an answer came.

        Rules: HB-4, HB-8.
        """
        with self._lock:
            leases = [lease for lease in self._leases.values() if not state_of(lease).is_attended(lease.ttl)]
        if not leases:
            return True
        sent_us = self.clock()
        try:
            answer = self._port_to_beat().ask(Beat({lease.uid: lease.heartbeat() for lease in leases}))
        except (Unreachable, StoreError, OSError):
            return False
        self._take_note(leases, answer, sent_us)
        return True

    def look(self) -> bool:
        """Look after the process that beats, if there is one; return whether it has left a lease.

        Rules: HB-7, HB-8.
        """
        if self._attendance is None:
            return False
        with self._lock:
            leases = [lease for lease in self._leases.values() if state_of(lease).stall_after is not None]
        self._attendance.look(leases)
        for lease in leases:
            if reason := state_of(lease).found_end:
                self.drop(lease, reason)
        return any(state_of(lease).is_left(lease.ttl) for lease in leases)

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
                state_of(lease).acknowledge(sent_us)

    def _run(self) -> None:
        thread = threading.current_thread()
        due_s: float | None = None
        was_heard = True
        while self._thread is thread:
            is_left = self.look()
            now_s, pause_s = time.monotonic(), 0.0 if is_left and was_heard else self._pause_s(was_heard=was_heard)
            # What was due already stays due, however often leases come and go.
            due_s = None if pause_s is None else min(now_s + pause_s, now_s + pause_s if due_s is None else due_s)
            wait_s = [wait_s for wait_s in (due_s and due_s - now_s, self._look_s()) if wait_s is not None]
            if self._woken.wait(max(0.0, min(wait_s)) if wait_s else None):
                self._woken.clear()
            elif due_s is not None and time.monotonic() >= due_s:
                was_heard, due_s = self.beat(), None
        with suppress(Unreachable, StoreError, OSError):
            if self._port is not None:
                self._port.close()
        if self._attendance is not None:
            self._attendance.close()

    def _pause_s(self, *, was_heard: bool) -> float | None:
        """Return for how long to wait before the next beat; None while nothing is held."""
        with self._lock:
            ttls = [lease.ttl for lease in self._leases.values()]
        if not ttls:
            return None
        ttl_s = min(ttls).total_seconds()
        return ttl_s / PERIODS * self._random.uniform(0.8, 1.0) if was_heard else ttl_s / TRIES

    def _look_s(self) -> float | None:
        """Return for how long to wait before the next look; None while no process is to beat."""
        with self._lock:
            ttls = [lease.ttl for lease in self._leases.values() if state_of(lease).stall_after is not None]
        return min(ttls).total_seconds() / _LOOKS if ttls else None
