# Generated from src/emco_store/_aio/caching.py by `python3 dev.py sync`: do not edit.
"""``Cache``: a copy of resources that stays true in the background, with look-ups that ask nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from emco_store._sync.attempts import LEAST_S, Attempts
from emco_store._sync.block import Target
from emco_store._sync.followers import STEP, Follower
from emco_store.core.following import News
from emco_store.core.keys import Key
from emco_store.core.lookups import Index, Lookups
from emco_store.core.records import Stamp
from emco_store.errors import InvalidResource, StaleCache, Unavailable
from emco_store.flows import caching
from emco_store.flows.context import Context, checked_deadline
from emco_store.flows.following import Following
from emco_store.queueing.backgrounds import Background, Signal

T = TypeVar("T")
Listener = Callable[[Iterable[News[Any]]], None]
_FIRST_S: Final = 0.01
"""How long the first request after news waits, and the first pause after an error; both double up to :data:`STEP`."""


class Cache(Generic[T]):
    """A copy of resources for an ``with`` block, during which it stays true; made by ``store.follow(…).cache()``.

    The block begins when the first list is complete. Look-ups are plain calls that ask nobody. They raise
    ``StaleCache`` where the copy is older than was allowed, or no longer kept true: a cache is never wrong in silence.

    What it returns is shared by all who look: do not change it.

    Rules: FEED-13.
    """

    def __init__(
        self,
        context: Context,
        attempts: Attempts,
        asked: Following,
        follower: Follower[T],
        *,
        indexes: Mapping[str, Index[T]],
        stale_after: timedelta | None,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._asked = asked
        self._follower = follower
        self._lookups: Lookups[T] = Lookups(indexes)
        self._lock = threading.Lock()
        self._stale_after = stale_after
        self._clock_s = clock_s
        self._true_s = 0.0
        self._has_begun = False
        self._begun = self._ended = 0
        self._problem: BaseException | None = None
        self._is_running = False
        self._stopped = False
        self._background: Background | None = None
        self._listeners: list[Listener] = []
        self.signal = Signal()

    def __enter__(self) -> Self:
        self.begin()
        try:
            seen = self.signal.number
            while not self._has_begun:
                self._refuse_stale()
                self.signal.wait(seen, STEP.total_seconds())
                seen = self.signal.number
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begin(self) -> None:
        """Begin the work in the background, and do not wait for the first list: until then the cache is not ready."""
        if self._background is not None or self._stopped:
            raise caching.used_before(self._asked)
        self._true_s, self._is_running = self._clock_s(), True
        self._background = Background(self._run, "emco-store cache")

    def listen(self, listener: Listener) -> None:
        """Have a function called with what was told, once look-ups show it, and with nothing at the end.

        It must not wait.
        """
        self._listeners.append(listener)

    def close(self) -> None:
        """End the work in the background; look-ups raise ``StaleCache`` from now on."""
        self._stopped = True
        self.signal.give()
        background, self._background = self._background, None
        if background is not None:
            background.join()

    # look-ups

    def get(self, target: Target | str, *names: str) -> T:
        """Return a resource.

        Args:
            target: A key, a reference or a resource; or the first of the names of the key.
            names: The other names.

        Raises:
            NotFound: It is not there.
            InvalidResource: Its stored document cannot be read.
            StaleCache: The copy is too old.
        """
        key = caching.key_of(self._context, self._asked, target, names)
        found = self.find(key)
        if found is None:
            raise self._follower.copy.unreadable.get(key) or caching.not_there(key)
        return found

    def find(self, target: Target | str, *names: str) -> T | None:
        """Return a resource, or None if it is not there or cannot be read; see :meth:`get`."""
        key = caching.key_of(self._context, self._asked, target, names)
        self.check()
        with self._lock:
            return self._lookups.get(key)

    def list(self, *, under: Target | None = None) -> tuple[T, ...]:
        """Return all resources, or those under another one, at any depth, by key.

        Raises:
            StaleCache: The copy is too old.
        """
        prefix = "" if under is None else caching.prefix_of(self._context, self._asked, under)
        self.check()
        with self._lock:
            return tuple(self._lookups.under(prefix))

    def by(self, index: str, value: Hashable) -> tuple[T, ...]:
        """Return the resources that an index finds under a value, by key.

        Raises:
            InvalidCall: There is no such index.
            StaleCache: The copy is too old.
        """
        self.check()
        with self._lock:
            return tuple(self._lookups.by(index, value))

    def keys(self) -> tuple[Key, ...]:
        """Return the keys of all resources, however old the copy is."""
        with self._lock:
            return tuple(self._lookups.keys())

    def key_of(self, target: Target) -> Key:
        """Return the key of a target, as look-ups understand it.

        Raises:
            InvalidCall: It is none of the kind that is followed.
        """
        return caching.key_of(self._context, self._asked, target)

    def follows(self, key: Key) -> bool:
        """Return whether a key is of the kind, and lies in the place, that is followed."""
        return caching.is_followed(self._asked, key)

    def __len__(self) -> int:
        with self._lock:
            return len(self._lookups)

    @property
    def unreadable(self) -> Mapping[Key, InvalidResource]:
        """The errors of documents that cannot be read, by key; such resources are left out of all look-ups."""
        return dict(self._follower.copy.unreadable)

    # how true it is

    def ready(self) -> bool:
        """Return whether look-ups work: for the readiness of a service."""
        try:
            self.check()
        except StaleCache:
            return False
        return self._has_begun

    def check(self) -> None:
        """Raise if the copy is older than was allowed, or no longer kept true.

        Raises:
            StaleCache: It is.
        """
        self._refuse_stale()

    def wait(self, *targets: Target, deadline: timedelta | None = None) -> None:
        """Wait until the copy shows resources as they are in the store now, or later: it reads its own writes then.

        Args:
            targets: What ``create``, ``update``, ``put`` or ``patch`` have returned; or keys, also of what was deleted.
            deadline: How long to wait at most, though the cache be stale; None for as long as it is not.

        Raises:
            StaleCache: The deadline has passed; or without one, the copy is too old.
            InvalidCall: A target is none of the resources that the cache follows.

        Rules: FEED-13.
        """
        wanted = caching.wanted(self._context, self._asked, targets)
        longest = checked_deadline(deadline)
        end_s = None if longest is None else monotonic() + longest.total_seconds()
        begun = self._begun
        while True:
            seen = self.signal.number
            self._refuse_stale(is_patient=end_s is not None)
            wanted = {key: stamp for key, stamp in wanted.items() if not self._shows(key, stamp, begun)}
            if wanted:  # what was written may be gone since: what counts is what is there now
                within = None if end_s is None else timedelta(seconds=max(end_s - monotonic(), LEAST_S))
                wanted |= self._attempts.once(caching.states(self._context, self._asked, wanted), within)
                begun = self._begun
            if all(self._shows(key, stamp, begun) for key, stamp in wanted.items()) and self.ready():
                return
            left_s = STEP.total_seconds() if end_s is None else end_s - monotonic()
            if left_s <= 0:
                self.check()
                raise caching.not_shown(sorted(wanted))
            self.signal.wait(seen, min(left_s, STEP.total_seconds()))

    def refuse_ended(self) -> None:
        """Raise if the background has ended with an error, however old the copy may be.

        Raises:
            StaleCache: It has; the error is the cause.
        """
        self._refuse_stale(is_patient=True)

    def _shows(self, key: Key, stamp: Stamp | None, begun: int) -> bool:
        """Return whether the copy shows a state or a later one, and what is being read cannot bring an older one back.

        Args:
            key: The resource.
            stamp: The state; None where it must not be there, ``UNREADABLE`` where it must be a document that cannot
                be read.
            begun: How many requests of the follower had begun when it was known not to be there.
        """
        with self._lock:
            found: Any = self._lookups.get(key)
            if stamp is None or stamp == caching.UNREADABLE:
                is_shown = found is None and (key in self._follower.copy.unreadable) == (stamp is not None)
                return is_shown and self._ended >= begun
            if found is None:
                return False
        return bool(found.meta.uid == stamp.uid and found.meta.version >= stamp.version >= 0)

    def _refuse_stale(self, *, is_patient: bool = False) -> None:
        problem = self._problem
        found = caching.refusal(
            self._asked,
            self._clock_s() - self._true_s,
            None if is_patient else self._stale_after,
            problem,
            is_inside=self._background is not None and not self._stopped,
            is_running=self._is_running,
        )
        if found is not None:
            raise found from problem

    # in the background

    def _run(self) -> None:
        pause_s = wait_s = _FIRST_S
        try:
            while not self._stopped:
                self._begun += 1
                try:
                    told, is_empty = self._follower.advance(timedelta(seconds=wait_s))
                except Unavailable as problem:
                    self._problem, self._ended = problem, self._begun
                    self.signal.wait(self.signal.number, pause_s)
                    pause_s = min(STEP.total_seconds(), pause_s * 2)
                    continue
                self._take(told)
                pause_s, self._problem = _FIRST_S, None
                # An end is noticed soon after news, and a quiet feed is seldom asked.
                wait_s = min(STEP.total_seconds(), wait_s * 2) if is_empty else _FIRST_S
        except BaseException as problem:  # noqa: BLE001 - raised to whoever looks next
            self._problem = problem
        finally:
            self._is_running = False
            self.signal.give()
            for listener in self._listeners:
                listener(())

    def _take(self, told: Iterable[News[T] | InvalidResource]) -> None:
        news = [one for one in told if not isinstance(one, InvalidResource)]
        with self._lock:
            for one in news:
                self._lookups.take(one)
            self._ended = self._begun
        as_of_s = self._follower.as_of_s
        if as_of_s is None:  # the first list goes on
            self._true_s = self._clock_s()
        else:
            self._true_s, self._has_begun = as_of_s, True
        for listener in self._listeners:
            listener(news)
        self.signal.give()
