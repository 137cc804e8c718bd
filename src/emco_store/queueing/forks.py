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

    def _pause(self) -> None:  # noqa: B027 - for those that must
        """Before a fork, prepare for it."""

    def _resume(self) -> None:  # noqa: B027 - for those that must
        """After a fork, go on in the parent."""


_everything: WeakSet[Renewed] = WeakSet()


# Only this module calls what it declares.
# pyright: reportPrivateUsage=false


def _before() -> None:
    for one in list(_everything):
        one._pause()  # noqa: SLF001


def _in_parent() -> None:
    for one in list(_everything):
        one._resume()  # noqa: SLF001


def _in_child() -> None:
    for one in list(_everything):
        one._renew()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
