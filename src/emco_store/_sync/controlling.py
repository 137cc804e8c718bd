# Generated from src/emco_store/_aio/controlling.py by `python3 dev.py sync`: do not edit.
"""``Controller``: calls a function for each resource that has changed, until all is as it should be."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from emco_store._sync.block import Target
from emco_store._sync.caching import Cache
from emco_store._sync.store import Store
from emco_store.beating import Lease
from emco_store.core.events import Aspect
from emco_store.core.following import News, Resynced, Updated
from emco_store.core.keys import Key
from emco_store.core.query import Condition
from emco_store.core.resource import Resource
from emco_store.core.strategies import Backoff
from emco_store.core.work_queues import Task, WorkQueue
from emco_store.errors import Conflict, LeaseLost, StaleCache, Unavailable, UnknownOutcome
from emco_store.flows import callbacks, controlling
from emco_store.flows.noting import Noting
from emco_store.queueing.backgrounds import Background, Signal
from emco_store.queueing.pauses import pause

R = TypeVar("R", bound=Resource)
STEP_S: Final = 1.0
"""Maximum time between two looks at what may have changed without a signal, in seconds."""
_LOG: Final = logging.getLogger("emco_store.controller")


@dataclass(frozen=True, slots=True)
class Work(Generic[R]):
    """What a controller asks for: that the resource of a key be seen to.

    Attributes:
        key: The key.
        resource: The resource as the cache shows it; None if it is gone, or no longer one that is followed.
        failures: How often this work has failed since it last succeeded.
        cache: The cache of the resources.
        others: The caches of the other kinds that the controller follows, by kind.
        lease: The lease under which the controller works; None if it works under none. Transactions that must not
            happen after its end call ``tx.require(work.lease)``.
    """

    key: Key
    resource: R | None
    failures: int
    cache: Cache[R]
    others: Mapping[str, Cache[Any]]
    lease: Lease | None


class Controller(Generic[R]):
    """Calls a function for each resource of a kind: at the beginning, whenever it changes, and now and then.

    The function looks at what is there and does what is missing; it need not know what has changed. It is called for
    each key once at a time, again after an error, and never before the cache shows what it wrote the last time.

    Args:
        store: The store.
        model: The model.
        reconcile: The function. It gets an ``Work``, and returns None, or a time after which it is to be called
            again.
        under: Only resources under this one, at any depth.
        where: Conditions on fields, all of which must hold.
        aspects: Changes of what of a resource count; see ``store.follow``.
        also: Other kinds that are followed, each with a function that returns the resources to see to when one of the
            kind has changed: keys, references or resources of ``model``. It must be pure.
        workers: How many calls may be under way at once, for different keys.
        retry: How long to wait after an error, longer each time.
        resync: After which time without a call a resource that is there is seen to again.
        stale_after: How old the caches may become; beyond that no call begins. See ``Follow.cache``.
        lease: The name of a seat: of all controllers with this name, one works, and another takes over when it ends or
            dies.
        failed: Called with the key and the exception after each call that has failed. Default: it is logged.
        clock_s: The own clock, in seconds.

    Raises:
        InvalidCall: An argument cannot be right.
        NotSupported: The backend has no feed; or no leases, if one is to be taken.

    Rules: FEED-14.
    """

    def __init__(
        self,
        store: Store,
        model: type[R],
        reconcile: Callable[[Work[R]], timedelta | None],
        *,
        under: Target | None = None,
        where: Sequence[Condition] | Condition = (),
        aspects: Iterable[Aspect] = (Aspect.RESOURCE,),
        also: Mapping[type[Resource], Callable[[Any], Iterable[Target]]] | None = None,
        workers: int = 1,
        retry: Backoff = Backoff("100ms", 2, "5m"),  # noqa: B008 - a frozen value
        resync: timedelta = timedelta(minutes=10),
        stale_after: timedelta | None = timedelta(seconds=15),
        lease: str | None = None,
        failed: Callable[[Key, Exception], object] | None = None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        controlling.check(
            reconcile=reconcile, also=also, workers=workers, retry=retry, resync=resync, lease=lease, failed=failed
        )
        self._store = store
        self._reconcile = reconcile
        self._workers = workers
        self._resync_s = resync.total_seconds()
        self._seat = lease
        self._failed = failed
        self._clock_s = clock_s
        self._queue = WorkQueue(lambda failures: retry.wait(failures).total_seconds())
        self._lock = threading.Lock()
        self._signal = Signal()
        self._stopped = self._leads = self._has_run = False
        self._broken: BaseException | None = None
        self._lease: Lease | None = None
        self._moves = self._told = self._calls = 0
        follow = store.follow(model, under=under, where=where, aspects=aspects)
        self.cache: Cache[R] = follow.cache(stale_after=stale_after)
        self._others: dict[str, Cache[Any]] = {}
        self.cache.listen(self._take_news)
        for kind, function in (also or {}).items():
            other = store.follow(kind).cache(stale_after=stale_after)
            other.listen(self._listener(function))
            self._others[kind.__emco__.kind] = other

    @property
    def _caches(self) -> list[Cache[Any]]:
        return [self.cache, *self._others.values()]

    def stop(self) -> None:
        """Let :meth:`run` return when the calls that are under way have ended; may be called from any thread."""
        self._stopped = True
        self._signal.give()

    def ready(self) -> bool:
        """Return whether it follows what happens: for the readiness of a service."""
        return all(cache.ready() for cache in self._caches)

    def run(self) -> None:
        """Work until :meth:`stop` is called; a backend that cannot be reached is waited for.

        Raises:
            StaleCache: A cache is no longer kept true, because of an error that does not pass; it is the cause.
            InvalidCall: It has run before.
        """
        if self._has_run:
            raise controlling.has_run()
        self._has_run = True
        try:
            for cache in self._caches:
                cache.begin()
            while not self._stopped:
                if self._seat is None:
                    self._lead(None)
                else:
                    self._lead_under(self._seat)
        finally:
            for cache in self._caches:
                cache.close()

    def _lead_under(self, seat: str) -> None:
        try:
            with self._store.lease(seat, wait=timedelta(seconds=STEP_S)) as lease:
                self._lead(lease)
        except LeaseLost:
            return
        except (Conflict, Unavailable, UnknownOutcome):  # another has the seat, or nobody answers
            pause(0 if self._stopped else STEP_S / 10)

    def _lead(self, lease: Lease | None) -> None:
        """Work, until it is stopped or the lease is over."""
        self._lease, self._leads = lease, True
        self._add_all()
        workers = [Background(self._work, f"emco-store controller {number}") for number in range(self._workers)]
        try:
            while self._leads and not self._stopped and self._broken is None:
                seen = self._signal.number
                for cache in self._caches:
                    cache.refuse_ended()
                if lease is not None:
                    lease.check()
                    self._report(lease)
                self._signal.wait(seen, STEP_S)
        finally:
            self._leads = False
            self._signal.give()
            for worker in workers:
                worker.join()
        if self._broken is not None:
            raise self._broken

    def _report(self, lease: Lease) -> None:
        """Report progress with the heartbeat, unless work is due and nothing moves, or the caches are not true."""
        with self._lock:
            due_s = self._queue.next_s()
            is_idle = not self._queue.is_busy and (due_s is None or due_s > self._clock_s())
            moves, waiting = self._moves, len(self._queue)
        if (is_idle or moves != self._told) and self.ready():
            self._told = moves
            lease.progress(calls=self._calls, waiting=waiting)

    # what is to be done

    def _take_news(self, told: Iterable[News[Any]]) -> None:
        now_s = self._clock_s()
        for one in told:
            if isinstance(one, Resynced):
                self._add_all()
            else:
                self._add([one.key], now_s)
        self._signal.give()

    def _listener(self, function: Callable[[Any], Iterable[Target]]) -> Callable[[Iterable[News[Any]]], None]:
        def listen(told: Iterable[News[Any]]) -> None:
            now_s = self._clock_s()
            for one in told:
                if not isinstance(one, Resynced):
                    values = [one.resource, one.old] if isinstance(one, Updated) else [controlling.value_of(one)]
                    self._add([self.cache.key_of(target) for value in values for target in function(value)], now_s)
            self._signal.give()

        return listen

    def _add_all(self) -> None:
        self._add(self.cache.keys(), self._clock_s())

    def _add(self, keys: Iterable[Key], due_s: float) -> None:
        with self._lock:
            for key in keys:
                self._queue.add(key, due_s)

    # workers

    def _work(self) -> None:
        try:
            while self._leads and not self._stopped and self._broken is None:
                seen, now_s = self._signal.number, self._clock_s()
                with self._lock:
                    task = self._queue.take(now_s) if self.ready() else None
                    self._moves += task is not None
                    due_s = self._queue.next_s()
                if task is None:
                    pause_s = STEP_S if due_s is None or due_s <= now_s else min(STEP_S, due_s - now_s)
                    self._signal.wait(seen, pause_s)
                else:
                    self._see_to(task)
        except BaseException as problem:  # noqa: BLE001 - run raises it
            self._broken = problem
            self._signal.give()

    def _see_to(self, task: Task) -> None:
        """Call the function for one key, and wait until the caches show what it wrote."""
        key, failures = task
        resource: R | None = None
        problem: Exception | None = None
        after: timedelta | None = None
        with Noting() as noting:
            try:
                if self._lease is not None:
                    self._lease.check()
                resource = self.cache.find(key)
                work = Work(key, resource, failures, self.cache, self._others, self._lease)
                after = controlling.checked_answer(callbacks.finished_answer(self._reconcile(work)))
            except Exception as error:  # noqa: BLE001 - of the caller's function, which must not stop the others
                problem = error
        if problem is not None:
            self._tell(key, problem)
        if isinstance(problem, LeaseLost) and self._lease is not None and self._lease.resource in problem.keys:
            self._leads = False
        for cache in self._caches:
            self._await_sight(cache, noting.keys)
        now_s = self._clock_s()
        with self._lock:
            again_s = None if resource is None else now_s + self._resync_s
            if after is not None:
                again_s = min(again_s or now_s + after.total_seconds(), now_s + after.total_seconds())
            self._queue.done(key, now_s, has_failed=problem is not None, again_s=again_s)
            self._moves += 1
            self._calls += 1
        self._signal.give()

    def _await_sight(self, cache: Cache[Any], written: Iterable[Key]) -> None:
        """Wait until a cache shows what was written, as far as it follows it."""
        keys = [key for key in written if cache.follows(key)]
        while keys and not self._stopped:
            try:
                cache.wait(*keys, deadline=timedelta(seconds=STEP_S))
            except (StaleCache, Unavailable):
                cache.refuse_ended()
            else:
                return

    def _tell(self, key: Key, problem: Exception) -> None:
        if self._failed is None:
            _LOG.error("Reconciling %s failed; it is tried again.", key, exc_info=problem)
        else:
            self._failed(key, problem)
