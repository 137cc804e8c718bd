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

from emco_store.beating.clocks import own_us
from emco_store.beating.held import Lease, State, state_of
from emco_store.core.leases import LeaseTarget
from emco_store.errors import StoreError
from emco_store.ports import Beat, Beaten, Port, Unreachable, no_leases

MakePort = Callable[[], Port]
_PERIODS: Final = 3
"""Beats in a TTL."""
_TRIES: Final = 15
"""How often a beat that failed is tried again in a TTL."""
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
        lease = Lease(target.resource, target.uid, token, ttl, self._home, State(sent_us, self.clock))
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
                state_of(lease).acknowledge(sent_us)

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
