"""Exit codes: how a command ended, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from emco_store import InvalidCall, NotFound, StoreError


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_FOUND = 3
    RETRY = 4
    FLAWS = 5
    INTERRUPTED = 130
    NO_READER = 141


MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "done",
    Exit.REFUSED: "the store refused, a plan is blocked, doctor found something that must be changed, or the output "
    "cannot be written",
    Exit.USAGE: "the command is wrong, or one of its files cannot be read",
    Exit.NOT_FOUND: "a resource does not exist",
    Exit.RETRY: "something changed meanwhile, or the server does not answer: the same command may succeed later",
    Exit.FLAWS: "check found flaws that are not repaired",
    Exit.INTERRUPTED: "interrupted from the keyboard, or supervise was told to end",
    Exit.NO_READER: "the program that read the output has ended",
}
"""What ``emco-store --help`` says about each."""


def exit_of(problem: StoreError) -> Exit:
    """Return the exit code of an error."""
    if problem.retryable:
        return Exit.RETRY
    if isinstance(problem, NotFound):
        return Exit.NOT_FOUND
    return Exit.USAGE if isinstance(problem, InvalidCall) else Exit.REFUSED
