# Generated from src/emco_store/_aio/registering.py by `python3 dev.py sync`: do not edit.
"""The calls of stores about segments: what services declare in a namespace, and whether that fits together."""

from __future__ import annotations

from datetime import timedelta

from emco_store._sync.reading import ReadingStore
from emco_store.core.segments import Readiness, Segment, SegmentState
from emco_store.flows import registering


class Registering(ReadingStore):
    """The part of a store that is about segments; :class:`Store` is the whole."""

    def register(self, segment: Segment, *, deadline: timedelta | None = None) -> SegmentState:
        """Declare in the namespace what a service owns and relies on.

        A segment becomes active if all that it relies on is there. Otherwise it waits and disturbs nobody; the
        registration that completes it activates it. Meanwhile this store does not write its kinds. Registering what is
        registered writes nothing, so each process of a service may do it at its start.

        Args:
            segment: The segment.
            deadline: When the call must have ended.

        Returns:
            Whether it is active, and what it waits for.

        Raises:
            SegmentRefused: Another segment owns one of its kinds, it contradicts active ones, or it has changed in a
                way that programs of the earlier version cannot live with. What was registered stays.
            Conflict: Others registered until the deadline.

        Rules: SEG-1 to SEG-6.
        """
        given = registering.checked(segment)
        return self._attempts.retried(lambda holding: registering.enter(self._unit(holding), given), deadline)

    def unregister(self, name: str, *, deadline: timedelta | None = None) -> None:
        """Remove a segment; one that is not there stays so.

        Args:
            name: The name of the segment.
            deadline: When the call must have ended.

        Raises:
            SegmentRefused: Another one relies on it, or there are resources of its kinds.

        Rules: SEG-7.
        """
        given = registering.checked_name(name)
        self._attempts.retried(lambda holding: registering.leave(self._unit(holding), given), deadline)

    def segments(self, *, deadline: timedelta | None = None) -> tuple[SegmentState, ...]:
        """Return where all segments of the namespace stand: the active ones, then those that wait.

        Args:
            deadline: When the call must have ended.
        """
        self._context()
        return self._attempts.once(registering.standing(), deadline)

    def ready(self, *, deadline: timedelta | None = None) -> Readiness:
        """Return whether all that this store has registered is active, so that it may be written.

        A store that has registered nothing is ready if its backend answers.

        Args:
            deadline: When the call must have ended.

        Raises:
            Unavailable: The backend does not answer.

        Rules: SEG-6.
        """
        return self._attempts.once(registering.ready(self._context()), deadline)
