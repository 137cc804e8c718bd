"""The example of streams: under chaos, sums equal the formula; without the fence, they do not."""

from __future__ import annotations

import io
import secrets
import sys
from pathlib import Path

import pytest
from rich.console import Console

from examples.streams import stages
from examples.streams.__main__ import run
from examples.streams.chaos import HARM


def play(url, harm, *workers):
    """Run the example for one round of chaos; return the sums, the refused commits, and what it has shown."""
    namespace, shown = f"streams-{secrets.token_hex(6)}", io.StringIO()
    try:
        sums, refused = run(url, Console(file=shown, width=200), harm=harm, workers=workers, namespace=namespace)
    finally:
        print(shown.getvalue())  # noqa: T201 - where the test fails, pytest shows it
    assert [] == left_behind(namespace)
    return sums, refused, shown.getvalue()


def left_behind(namespace):
    """Return the processes that still work in a namespace; nothing where the system does not show them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline") if sys.platform == "linux" else ():
        try:
            command = path.read_bytes()
        except OSError:
            continue
        if namespace.encode() in command:
            found.append(path)
    return found


@pytest.mark.redis
@pytest.mark.timeout(400)
def test_sums_equal_the_formula_whatever_dies(redis_server):
    """LEA-4, SUP-6: killed, stopped and cut off workers lose no event and count none twice; a supervisor follows."""
    sums, refused, shown = play(redis_server.url, HARM)

    assert [True] * 3 == [one.is_right for one in sums], sums
    assert min(one.events for one in sums) >= stages.WINDOW
    assert refused >= 1
    for text in ("kill -9", "kill -STOP", "is cut", "late commit refused", "super-1 has ass", "super-2 has ass"):
        assert text in shown


@pytest.mark.mongo
@pytest.mark.timeout(400)
def test_sums_equal_the_formula_on_mongodb(mongo_server):
    """LEA-4: what is stopped and what a network has kept back is refused there too."""
    sums, refused, _ = play(mongo_server.url, {"stop", "cut"})

    assert [True] * 3 == [one.is_right for one in sums], sums
    assert refused >= 1


@pytest.mark.redis
@pytest.mark.timeout(400)
def test_sums_are_wrong_without_the_fence(redis_server):
    """The negative control: a worker that wakes up does harm where commits do not require the lease."""
    sums, refused, _ = play(redis_server.url, {"stop"}, "--unsafe")

    assert 0 == refused
    assert any(one.found > one.wanted for one in sums), sums
