"""Who acts through a store: by default, and within the blocks of ``store.acting``."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from emco_store.core.origins import NOBODY, Origin, origin_of


class Actors:
    """Who acts through one store.

    Args:
        default: The origin of what is done outside all blocks.
    """

    __slots__ = ("_default",)

    def __init__(self, default: Origin = NOBODY) -> None:
        self._default = default

    @property
    def origin(self) -> Origin:
        """The origin of what is done now: that of the innermost block of this store."""
        for block, origin in reversed(_blocks.get()):
            if block.actors is self:
                return origin
        return self._default


class Acting:
    """A block in which everything that is done through one store has an origin; made by ``store.acting``.

    It holds for the task or thread that enters it, and for tasks that are created within it; threads begin without.

    Args:
        actors: Those of the store.
        actor: Who acts; None for whoever acts around the block.
        reason: Why; None for the reason around the block.
        operation: The id of the operation; None for the one around the block.

    Raises:
        InvalidCall: One of them is no such text.

    Rules: WHO-2 to WHO-4.
    """

    __slots__ = ("_given", "actors")

    def __init__(self, actors: Actors, *, actor: Any, reason: Any, operation: Any) -> None:
        self.actors = actors
        self._given = actor, reason, operation
        origin_of(*self._given)

    def __enter__(self) -> None:
        """Begin it in the current context, and in those that inherit it."""
        _blocks.set((*_blocks.get(), (self, origin_of(*self._given, within=self.actors.origin))))

    def __exit__(self, *_: object) -> None:
        """End it; it may end in another context than it began in, as a fixture may do."""
        blocks = _blocks.get()
        at = next((at for at in reversed(range(len(blocks))) if blocks[at][0] is self), None)
        if at is not None:
            _blocks.set(blocks[:at] + blocks[at + 1 :])


_blocks: ContextVar[tuple[tuple[Acting, Origin], ...]] = ContextVar("emco_store_acting", default=())
