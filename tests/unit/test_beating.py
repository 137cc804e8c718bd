"""Who can beat from a process of its own, and what both sides make of what they hear."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise

import pytest
from redis import Redis

from emco_store import InvalidCall, MemoryBackend, NotSupported, Resource, beating_process, connect
from emco_store.backends.redis.backend import RedisBackend
from emco_store.beating import process
from emco_store.beating.cells import EMPTY, LEFT, TICK, new_cells
from emco_store.beating.held import Lease, State, state_of
from emco_store.beating.notes import Note, NoteReader, Opening, read_opening, written
from emco_store.beating.process import Attendance, Child, launcher
from emco_store.core.keys import Key
from emco_store.core.leases import checked_stall
from emco_store.ports import Scan
from tests.beating.rig import until

TTL = timedelta(seconds=15)


class Runner(Resource, lease=TTL):
    """What is leased."""


@pytest.mark.parametrize("target", ["memory://", "fakeredis://beating", "mongomock://beating", MemoryBackend()])
def test_store_that_no_other_process_can_use_refuses_at_once(target):
    """The error says why and what to do, before anything is written."""
    with connect(target, namespace="n", models=[Runner]) as store:
        with pytest.raises(NotSupported) as refused:
            store.lease(Runner(name="r"), heartbeat="process")

        assert "heartbeat_url=" in str(refused.value)
        assert () == store._port.ask(Scan(kind=None)).records


@pytest.mark.redis
def test_store_of_a_client_needs_a_url(redis_server):
    """A client cannot be handed to another process; with a URL beside it, the store can start one."""
    client = Redis.from_url(redis_server.url)
    for target in (client, RedisBackend(client)):
        with connect(target, namespace="unit-beating") as store, pytest.raises(NotSupported):
            store.lease("seat", heartbeat="process")
    options = {"namespace": "unit-beating", "heartbeat_url": redis_server.url}
    with connect(client, **options) as store, store.lease("seat", heartbeat="process") as lease:
        lease.check()
    client.close()


def test_program_without_an_interpreter_refuses(monkeypatch):
    """A frozen program would start itself anew."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(NotSupported):
        launcher({})
    monkeypatch.delattr(sys, "frozen")
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(NotSupported):
        launcher({})


@pytest.mark.parametrize(
    ("heartbeat", "stall_after"),
    [
        ("smoke", None),
        (None, None),
        (["process"], None),
        ("thread", 4 * TTL),
        ("process", 60),
        ("process", "60"),
        ("process", TTL - timedelta(microseconds=1)),
        ("process", timedelta(0)),
    ],
)
def test_way_to_beat_that_cannot_be_is_refused(heartbeat, stall_after):
    """Neither another way to beat, nor a time that is too short, has no unit or suits no thread."""
    with pytest.raises(InvalidCall):
        checked_stall(heartbeat, stall_after, TTL)


def test_time_for_which_a_holder_may_stand_still():
    """Four TTLs unless given; none where a thread beats."""
    assert [None, 4 * TTL, TTL] == [
        checked_stall("thread", None, TTL),
        checked_stall("process", None, TTL),
        checked_stall("process", TTL, TTL),
    ]


def test_notes_that_arrive_in_pieces():
    """However a pipe cuts the lines, the same notes come out."""
    notes = [
        Note(1, "u", "Runner/ä", 15, 60, {"offset": 7, "text": "a\nb"}, 5),
        Note(1),
        Note(2, "v", "Runner/r", 1, 1),
    ]
    data = b"".join(map(written, notes))
    for size in (1, 7, len(data)):
        reader = NoteReader()
        pieces = [data[first : first + size] for first in range(0, len(data), size)]

        assert notes == [note for piece in pieces for note in reader.read(piece)]
    assert Opening(7, {"target": "u"}) == read_opening(written(Opening(7, {"target": "u"})))


def test_cells_are_seen_by_another_process():
    """What one process writes, another one reads."""
    cells = new_cells()
    cells[TICK], cells[5], cells[len(cells) - 1] = 2**62, -1, 3
    code = (
        "import sys; from emco_store.beating.cells import Cells; cells = Cells(int(sys.argv[1])); "
        "print(cells[0], cells[5], cells[len(cells) - 1]); cells[6] = -2"
    )

    found = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", code, str(cells.fd)], pass_fds=[cells.fd], capture_output=True, text=True, check=True
    )

    assert [f"{2**62} -1 3", -2] == [found.stdout.strip(), cells[6]]
    cells.close()


def test_process_without_standard_files_keeps_their_numbers_free():
    """What an error message is written to is none of our files."""
    code = (
        "import os; from emco_store.beating.cells import beyond_standard, new_cells; os.close(0); os.close(2); "
        "print(new_cells().fd > 2, [beyond_standard(fd) > 2 for fd in os.pipe()])"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - see above

    assert "True [True, True]" == found.stdout.strip()


class Silent:
    """A process that hears everything and does nothing."""

    def __init__(self, cells):
        self.cells = cells
        self.heard = []
        self.is_up = True
        self._reader = NoteReader()

    def tell(self, data):
        """Hear."""
        self.heard += self._reader.read(data)
        return len(data)

    def is_there(self):
        """Say whether it runs."""
        return self.is_up

    def end(self):
        """End."""


class Stage:
    """An attendance on a clock that a test moves, with processes that do nothing."""

    def __init__(self, launch=None):
        self.now_us = 1_000_000
        self.started = []
        self.attendance = Attendance(launch or self._launch, lambda: self.now_us)

    def _launch(self, cells):
        self.started.append(Silent(cells))
        return self.started[-1]

    def lease(self, uid):
        """Return a lease."""
        state = State(self.now_us, lambda: self.now_us, 4 * TTL)
        return Lease(Key("Runner", uid), uid, 1, TTL, self, state)


def test_cell_of_a_lease_that_was_left_is_used_again_once_it_is_empty():
    """The process may still write what it has reached for the old lease, which must not count for a new one."""
    stage = Stage()
    old, new, later = stage.lease("old"), stage.lease("new"), stage.lease("later")
    stage.attendance.look([old])
    stage.attendance.look([])
    cells, cell = stage.started[0].cells, state_of(old).cell
    assert LEFT == cells[cell]
    cells[cell] = stage.now_us

    stage.attendance.look([new])
    cells[cell] = EMPTY
    stage.attendance.look([new, later])

    assert cell not in {None, state_of(new).cell}
    assert cell == state_of(later).cell
    assert ["old", "", "new", "later"] == [note.uid for note in stage.started[0].heard]


def test_lease_beyond_the_last_cell_is_beaten_for_by_the_thread():
    """Where no cell is free, there is no process for a lease, and nothing breaks."""
    stage = Stage()
    leases = [stage.lease(f"u{number}") for number in range(len(new_cells()))]

    stage.attendance.look(leases)

    assert state_of(leases[-1]).cell is None
    assert not state_of(leases[-1]).is_attended(TTL)
    assert len(leases) - 1 == len(stage.started[0].heard)


def test_process_that_cannot_start_is_tried_again_after_pauses_that_grow(caplog):
    """The holder is told each time, and beats from its thread."""
    tried_us = []

    def fail(_):
        tried_us.append(stage.now_us)
        message = "no memory"
        raise OSError(message)

    stage = Stage(fail)
    for _ in range(3000):
        stage.attendance.look([stage.lease("u")])
        stage.now_us += 100_000

    assert [1, 2, 4, 8, 16, 32, 60, 60, 60] == [round((later - earlier) / 1e6) for earlier, later in pairwise(tried_us)]
    assert len(tried_us) == sum("no memory" in record.getMessage() for record in caplog.records)


class Attended:
    """What a worker's leases get done."""

    def __init__(self):
        self.done = []
        self._steps = 0

    def take(self, note):
        """Take note."""
        self.done.append(note.uid)

    def step(self):
        """Do what is due."""
        self._steps += 1
        assert self._steps < 500, "the worker has gone long since"
        return 0.01

    def leave(self):
        """End all leases."""
        self.done.append("left")


def test_worker_is_gone_when_its_pipe_ends_or_when_there_is_another_parent(monkeypatch):
    """What is in the pipe is heard first; a pipe that somebody else keeps open does not matter."""
    found = []
    for worker in (os.getppid(), os.getpid()):  # the parent of this process, and another process
        reading, writing = os.pipe()
        monkeypatch.setattr(beating_process, "_INPUT", reading)
        os.write(writing, written(Note(1, "u", "Runner/r", 15, 60)) * 400)
        attended = Attended()
        if worker == os.getppid():
            os.close(writing)
        beating_process.attend(Opening(worker, {}), attended)
        found.append(attended.done)

    assert [["u"] * 400 + ["left"]] * 2 == found


def test_pipe_that_is_full_or_closed_takes_what_fits(monkeypatch):
    """A process that does not read, or has ended, holds nobody up."""
    monkeypatch.setattr(process, "MODULE", "emco_store.nothing")
    child = Child(new_cells())
    until(lambda: not child.is_there(), "a program that is not there has ended")
    assert 0 == child.tell(b"x" * 10)
    child.end()
    reading, child._writing = os.pipe()
    os.set_blocking(child._writing, False)

    first = child.tell(b"x" * 1_000_000)

    assert 0 < first < 1_000_000
    assert 0 == child.tell(b"x")
    os.close(reading)
    child.end()
