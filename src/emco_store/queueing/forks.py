"""What a forked process inherits from threads that it does not have: locks that they held, and turns that they had."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from weakref import WeakSet


class Renewed(ABC):
    """State that coordinates the threads of one process, and begins anew in a forked one.

    Without that, the first thread of the child that comes across a lock or a turn of a thread of the parent waits for
    ever. The state is renewed before any other code of the child runs (see ``os.register_at_fork``).
    """

    def __init__(self) -> None:
        _everything.add(self)

    @abstractmethod
    def _renew(self) -> None:
        """Make the state that a new process has."""


_everything: WeakSet[Renewed] = WeakSet()


def _renew_everything() -> None:
    for one in list(_everything):
        one._renew()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # for this module only


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_everything)
