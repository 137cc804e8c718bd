"""Workers under the hand of a test: started, told what to do, stopped, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
_WITHIN_S = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: It is not within a minute.
    """
    end_s = monotonic() + _WITHIN_S
    while not condition():
        assert monotonic() < end_s, what
        threading.Event().wait(0.005)


def is_gone(pid: int) -> bool:
    """Return whether a process has ended, also where nobody has asked for its exit code yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


class Hand:
    """A worker and the hand that leads it.

    Attributes:
        process: The process of the worker.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def hear(self) -> str:
        """Return the next line that the worker says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker has ended with {self.process.wait()}"
        return line.strip()

    def tell(self, order: str) -> str:
        """Give an order, and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        return self.hear()

    def kill(self) -> None:
        """Kill the worker, as the kernel does when memory runs out."""
        self.process.kill()

    def stop(self) -> None:
        """Let the worker stand still."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def started(*arguments: str) -> Iterator[Hand]:
    """Start a Python program that says something, until the block is left."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603
        try:
            yield Hand(process)
        finally:
            process.kill()


@contextmanager
def worker(*arguments: str) -> Iterator[Hand]:
    """Start a worker, until the block is left; see ``tests.beating.worker``."""
    with started("-m", "tests.beating.worker", *arguments) as hand:
        yield hand
