"""A bound for each test: a request that never returns fails its test, and the run goes on."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pytest

BOUND_S: Final = 300.0
"""How long one test may take."""


@contextmanager
def bounded(seconds: float) -> Generator[None]:
    """Fail a test that takes longer.

    A signal ends it where the system has one and the test runs in the main thread. Elsewhere the whole run is
    interrupted, because nothing can end another thread.
    """
    if seconds <= 0:
        yield
    elif hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread():
        with _by_signal(seconds):
            yield
    else:
        timer = threading.Timer(seconds, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def _by_signal(seconds: float) -> Generator[None]:
    def end(*_: object) -> None:
        pytest.fail(
            f"The test has not ended after {seconds:g} seconds. Hint: a request does not return, or waits for a lock."
        )

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
