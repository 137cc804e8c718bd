"""Chaos: what is done to the processes, and when it has had its effect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from random import Random
from threading import Event
from time import monotonic

from emco_store import Key, Store, Verdict
from examples.streams.crew import SUPERVISORS, Crew
from examples.streams.models import ZONES, Checkpoint, Operator, Worker
from examples.streams.wire import Wire

PATIENCE_S = 90.0
"""How long to wait for an effect, in seconds: much longer than it takes, even on a busy machine."""
HARM = ("kill", "stop", "cut", "lead")
"""Kill a worker, stop one, cut off a zone, kill the supervisor that leads."""
_LOOK_EVERY_S = 0.1


class TooSlow(Exception):
    """Something that should happen has not happened in :data:`PATIENCE_S`."""


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        TooSlow: It takes too long.
    """
    end_s = monotonic() + PATIENCE_S
    while not is_so():
        if monotonic() > end_s:
            raise TooSlow(f"waited {PATIENCE_S:g} s in vain: {what}")
        Event().wait(_LOOK_EVERY_S)


class Chaos:
    """Does harm, one thing after another, and waits until each has had its effect.

    Args:
        store: A store that reads what the processes do.
        crew: The processes.
        wires: The way of each zone to the server.
        seat: The seat of the leading supervisor.
    """

    def __init__(self, store: Store, crew: Crew, wires: dict[str, Wire], seat: str) -> None:
        self._store = store
        self._crew = crew
        self._wires = wires
        self._seat = Key("emco_Seat", seat)
        self._random = Random(7)  # noqa: S311 - the same chaos each time

    def go_round(self, harm: Collection[str]) -> None:
        """Do harm of each of the wanted kinds, see :data:`HARM`, to a zone of its own each."""
        killed, stopped, cut = self._random.sample(ZONES, 3)
        if "kill" in harm:
            self.kill_worker(killed)
        if "stop" in harm:
            self.stop_worker(stopped)
        if "cut" in harm:
            self.cut_zone(cut)
        if "lead" in harm:
            self.kill_supervisor()
            self.kill_worker(cut)  # which the other supervisor must notice

    def kill_worker(self, zone: str) -> None:
        """Kill the worker that runs the sink of a zone; when its work runs elsewhere, start it again."""
        name = self._worker_of(zone, "sink")
        self._crew.kill(name)
        until(lambda: self._has_moved(zone, name), f"the sink of {zone} moves from {name}")
        self._crew.start(name)

    def stop_worker(self, zone: str) -> None:
        """Stop the worker that runs the sink of a zone, and let it go on when the sink has gone on elsewhere."""
        name = self._worker_of(zone, "sink")
        self._crew.stop(name)
        before = self.read(zone)
        until(lambda: self._has_moved(zone, name), f"the sink of {zone} moves from {name}")
        until(lambda: self.read(zone) > before + 1, f"the sink of {zone} goes on")
        self._crew.go_on(name)
        Event().wait(1.0)  # it does what it will do at once

    def cut_zone(self, zone: str) -> None:
        """Cut off a zone until all of its work runs in others."""
        self._crew.tell("cut", f"network of {zone} is cut")
        self._wires[zone].cut()
        until(lambda: self._is_elsewhere(zone), f"the work of {zone} moves")
        self._wires[zone].mend()
        self._crew.tell("mended", f"network of {zone} works again, and hands on what has waited")

    def wait_for_the_rest(self) -> None:
        """Wait until the processes that beat for workers have ended the leases of those that were killed, and end."""
        with suppress(TooSlow):
            until(lambda: all(one.verdict is Verdict.FREE for one in self._store.leases(Worker)), "all is free")

    def kill_supervisor(self) -> None:
        """Kill the supervisor that leads; when the other one leads, start it again as the one that waits."""
        until(lambda: self.leader() is not None, "a supervisor leads")
        name = self.leader() or SUPERVISORS[0]
        self._crew.kill(name)
        until(lambda: self.leader() is not None, "the other supervisor leads")
        self._crew.start(name)

    def leader(self) -> str | None:
        """Return the name of the supervisor that leads."""
        held = self._store.leases(limit=1000).resources
        return next((self._crew.name_of(one.holder) for one in held if one.resource == self._seat), None)

    def operators(self) -> list[Operator]:
        """Return all operators."""
        return list(self._store.list(Operator, limit=1000).resources)

    def is_all_assigned(self) -> bool:
        """Return whether each operator has a worker."""
        return all(one.worker is not None for one in self.operators())

    def read(self, zone: str) -> int:
        """Return how many windows the sink of a zone has added up."""
        (found,) = self._store.get_many([Key("Checkpoint", zone, "sink", "now")], missing_ok=True)
        return found.read if isinstance(found, Checkpoint) else 0

    def _worker_of(self, zone: str, stage: str) -> str:
        until(self.is_all_assigned, "each operator has a worker")
        worker = self._store.get(Operator, zone, stage).worker
        return worker.key.name if worker is not None else ""

    def _has_moved(self, zone: str, name: str) -> bool:
        worker = self._store.get(Operator, zone, "sink").worker
        return worker is not None and worker.text != f"Worker/{name}"

    def _is_elsewhere(self, zone: str) -> bool:
        mine = [one.worker for one in self.operators() if one.zone == zone]
        return all(worker is not None and not worker.text.startswith(f"Worker/{zone}-") for worker in mine)
