"""Processes that die with SIGKILL in the middle of a commit: it has happened, or it has not, and others go on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, Stamp
from emco_store.core.rules import RESTRICT
from emco_store.ports import Audit, Commit, Events, Get, Outcome, Receipt, ReferrerQuery, Settle
from tests.backends.test_sqlite import on

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:This process .*multi-threaded"),
]
A, B, C = (Key("Site", name) for name in "abc")
WATCHED = (f"{os.sep}sqlite{os.sep}", f"keyvalue{os.sep}port.py")
BOTH = frozenset({(2, True), (1, False)})


def record(key: Key, version: int = 1, *targets: Key) -> Record:
    """Return a record."""
    edges = tuple(Edge(target, ("to",), RESTRICT) for target in targets)
    return Record(key, f"u-{key.name}", version, b"{}", edges, (("f", key.name),), (("f", key.name),), 1, 1)


def commit(txid: str) -> Commit:
    """Return a commit that changes, creates and deletes, and moves a guard."""
    expect = {A: Stamp("u-a", 1), B: None, C: Stamp("u-c", 1)}
    return Commit(txid, expect, frozenset({A}), puts=(record(A, 2), record(B, 1, A)), deletes=(C,))


class _Death:
    """Kills the process at one of the lines that it executes."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, frame, event, _argument):
        """Follow a call into the backend; see :func:`sys.settrace`."""
        if event == "call" and not any(part in frame.f_code.co_filename for part in WATCHED):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def _died(file: Path, txid: str, at: int) -> bool:
    """Carry out a commit in a process that dies at a line of it; return whether it came so far."""
    child = os.fork()
    if child == 0:
        try:
            port = on(file).port("ns")
            port.open()
            sys.settrace(_Death(at))
            port.ask(commit(txid))
            sys.settrace(None)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_process_that_dies_at_any_line_leaves_the_commit_done_or_undone(tmp_path):
    """Wherever it is killed, all of the commit is there or nothing, its outcome says which, and the next one passes."""
    file = tmp_path / "store.db"
    port = on(file).port("ns")
    port.open()
    begin = port.ask(Events()).cursor
    seen: set[tuple[int, bool]] = set()
    at, events = 0, 0
    while True:
        at += 1
        port.ask(Commit(f"fill{at}", puts=(record(A), record(C)), deletes=(B,)))
        if not _died(file, f"one{at}", at):
            break
        found = port.ask(Get((A, B, C)))
        is_done = B in found
        seen.add((found[A].version, is_done))
        assert ([A, B] if is_done else [A, C]) == sorted(found)
        assert ([B] if is_done else []) == [one.key for one in port.ask(ReferrerQuery((A,))).referrers]
        assert (Outcome.COMMITTED if is_done else Outcome.ABORTED) == port.ask(Settle(f"one{at}"))
        events += 1 + is_done
    assert (BOTH, True) == (frozenset(seen), at > 50)
    assert () == port.ask(Audit()).flaws
    page = port.ask(Events(begin))
    assert events + 2 == len(page.events)
    port.close()


def test_process_that_holds_the_file_and_dies_hinders_nobody(tmp_path):
    """Its lock ends with it, and what it had begun is not there."""
    file = tmp_path / "store.db"
    port = on(file).port("ns")
    port.open()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        backend = on(file)
        backend.rows.open()
        with backend.rows.connections.lent(1) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM entries")
            os.write(tell, b"x")
            signal.pause()
        os._exit(1)
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert Receipt("one") == port.ask(Commit("one", puts=(record(A),)))
    assert {A} == port.ask(Get((A, B))).keys()
    for end in (ready, tell):
        os.close(end)
    port.close()
