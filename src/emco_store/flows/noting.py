"""Noting what is written within a block, so that whoever follows it can tell when it has seen all of it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Self

from emco_store.core.keys import Key
from emco_store.core.reserved import is_reserved
from emco_store.ports import Commit


class Noting:
    """A block that notes the keys of all resources whose writes begin in it, whether they succeed or not.

    It holds for the task or thread that enters it, and for tasks that are created within it; threads begin without.

    Attributes:
        keys: The keys.
    """

    __slots__ = ("_token", "keys")

    def __init__(self) -> None:
        self.keys: set[Key] = set()
        self._token: Token[Noting | None] | None = None

    def __enter__(self) -> Self:
        self._token = _noting.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _noting.reset(self._token)


_noting: ContextVar[Noting | None] = ContextVar("emco_store_noting", default=None)


def note(commit: Commit) -> None:
    """Note the resources of a commit that is about to be sent, if anybody wants to know."""
    noting = _noting.get()
    if noting is not None:
        written = (*(record.key for record in commit.puts), *commit.deletes)
        noting.keys.update(key for key in written if not is_reserved(key.kind))
