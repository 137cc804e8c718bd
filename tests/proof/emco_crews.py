"""Crews that run the races: threads on one store, tasks on one asyncio store, or processes with a store each."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from emco_store import StoreError, connect, connect_async
from emco_store.contracts.harness import scanned
from emco_store.contracts.histories.clients import play, play_async
from emco_store.core.records import Record
from emco_store.core.resource import is_model
from emco_store.emco import RSYNC
from emco_store.ports import Get, Port, Scan
from proof.operations import put
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig, at_url
from tests.breakages import models
from tests.proof.emco_lifecycle_races import RACES
from tests.proof.emco_races import Actor, End, Race, Told, broken, judge

MODELS = [each for each in vars(models).values() if is_model(each)]
STORES = {"actor": RSYNC}
"""How each store is opened: as the only one that may report the ends of operations."""
BATCH = 20
"""Rounds that are prepared, run and judged together."""
MAX_ACTORS = max(len(race.actors) for race in RACES)
WAIT_S = 300.0
"""How long anybody waits for the others before the run is given up."""


def _models(race: Race) -> Sequence[Any]:
    return race.models or MODELS


class Crew(Protocol):
    """Runs the actors of a race at once, round after round."""

    def run(self, race: Race, namespace: str, rounds: Sequence[str]) -> list[list[Told]]:
        """Return what each actor was told in each round."""
        ...


@dataclass
class Threads:
    """Threads that share one blocking store."""

    rig: Rig

    def run(self, race: Race, namespace: str, rounds: Sequence[str]) -> list[list[Told]]:
        """See :class:`Crew`."""
        start = threading.Barrier(len(race.actors))
        with (
            connect(self.rig.backend, namespace=namespace, models=_models(race), **STORES) as store,
            ThreadPoolExecutor(len(race.actors)) as threads,
        ):
            return list(threads.map(lambda actor: _rounds(actor, store, start, rounds), race.actors))


@dataclass
class Tasks:
    """Tasks that share one asyncio store."""

    rig: Rig

    def run(self, race: Race, namespace: str, rounds: Sequence[str]) -> list[list[Told]]:
        """See :class:`Crew`."""

        async def work() -> list[list[Told]]:
            backend = self.rig.fresh()
            async with connect_async(backend, namespace=namespace, models=_models(race), **STORES) as store:
                told = [await asyncio.gather(*(_tell(actor, store, name) for actor in race.actors)) for name in rounds]
            return [list(each) for each in zip(*told, strict=True)]

        return asyncio.run(work())


@dataclass
class Processes:
    """Processes, each with a store of its own; they end with :meth:`close`."""

    rig: Rig
    _pipes: list[Any] = field(default_factory=list)
    _processes: list[Any] = field(default_factory=list)
    _barriers: dict[int, Any] = field(default_factory=dict)

    def start(self) -> None:
        """Start as many as any race has actors."""
        spawning = multiprocessing.get_context("spawn")
        # Kept here, because they end with their last user, and the processes are not yet at theirs.
        self._barriers = {parties: spawning.Barrier(parties) for parties in range(2, MAX_ACTORS + 1)}
        for _ in range(MAX_ACTORS):
            ours, theirs = spawning.Pipe()
            process = spawning.Process(target=_work, args=(theirs, self.rig.url, self._barriers), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def run(self, race: Race, namespace: str, rounds: Sequence[str]) -> list[list[Told]]:
        """See :class:`Crew`."""
        pipes = self._pipes[: len(race.actors)]
        for at, pipe in enumerate(pipes):
            pipe.send((race.number, at, namespace, list(rounds)))
        return [pipe.recv() for pipe in pipes]

    def close(self) -> None:
        """End them."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(WAIT_S)


def _work(pipe: Any, url: str, barriers: dict[int, Any]) -> None:
    """Do what is asked for until nobody asks; the main function of a process."""
    races = {race.number: race for race in RACES}
    while True:
        try:
            number, at, namespace, rounds = pipe.recv()
        except EOFError:
            return
        race = races[number]
        with connect(at_url(url), namespace=namespace, models=_models(race), **STORES) as store:
            pipe.send(_rounds(race.actors[at], store, barriers[len(race.actors)], rounds))


def _rounds(actor: Actor, store: Any, start: Any, rounds: Sequence[str]) -> list[Told]:
    told: list[Told] = []
    for name in rounds:
        start.wait(WAIT_S)
        try:
            told.append(("done", play(actor(name), store)))
        except Exception as problem:  # noqa: BLE001 - the judge names what is unexpected
            told.append(_refusal(problem))
    return told


async def _tell(actor: Actor, store: Any, name: str) -> Told:
    try:
        return "done", await play_async(actor(name), store)
    except Exception as problem:  # noqa: BLE001 - as above
        return _refusal(problem)


def _refusal(problem: Exception) -> Told:
    if isinstance(problem, StoreError):
        return "refused", type(problem).__name__
    return "unexpected", f"{type(problem).__name__}: {problem}"[:300]


@contextmanager
def crews(rig: Rig) -> Iterator[dict[str, Crew]]:
    """Return the crews of a rig; processes only where its data can be reached from others."""
    found: dict[str, Crew] = {"threads": Threads(rig), "tasks": Tasks(rig)}
    if not rig.url:
        yield found
        return
    processes = Processes(rig)
    processes.start()
    try:
        yield found | {"processes": processes}
    finally:
        processes.close()


def run_race(rig: Rig, race: Race, crew: Crew, rounds: Sequence[str]) -> tuple[int, list[str]]:
    """Run the rounds of a race; give the number of those after which there was what must not be, and all of it."""
    namespace = rig.namespace()
    port = rig.backend.port(namespace)
    port.open()
    _prepare(rig, port, race, namespace, rounds)
    told = crew.run(race, namespace, rounds)
    records = _records(port)
    ends = [End(name, [one[at] for one in told], _own(records, name)) for at, name in enumerate(rounds)]
    found = {end.name: judge(race, end) for end in ends}
    bad = [f"{race.number} {name}: {text}" for name, texts in found.items() for text in texts]
    with connect(rig.backend, namespace=namespace, models=_models(race), **STORES) as store:
        flaws = [flaw for flaw in _flaws(store) if race.plant is None or flaw.kind != "invalid"]
        bad += [f"{race.number}: the store finds {flaw}" for flaw in flaws]
    port.close()
    rig.forget(namespace)
    return sum(map(bool, found.values())), bad


def _own(records: dict[str, Record], name: str) -> dict[str, Record]:
    """Return the records of a round: its name, or one that begins with it, is the first of theirs or the second."""
    return {
        text: record
        for text, record in records.items()
        if name in {segment.partition("-")[0] for segment in record.key.segments[:2]}
    }


def _prepare(rig: Rig, port: Port, race: Race, namespace: str, rounds: Sequence[str]) -> None:
    with connect(rig.backend, namespace=namespace, models=_models(race), **STORES) as store:
        with store.transaction() as tx:
            for name in rounds:
                for made in race.prepare(name):
                    if callable(made):
                        made(tx)
                    else:
                        tx.create(made)
        for name in rounds if race.plant else ():
            key, document = race.plant(name) if race.plant else (None, b"")
            assert key is not None
            put(port, f"{namespace}-{name}", broken(port.ask(Get((key,)))[key], document))


def _records(port: Port) -> dict[str, Record]:
    return {record.key.text: record for record in scanned(port, Scan(None))}


def _flaws(store: Any) -> Generator[Any]:
    after = None
    while True:
        page = store.check(after=after)
        yield from page.flaws
        after = page.next
        if after is None:
            return


def breakages(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - see Run
    """Run every race with every crew, again and again, and count what must not be for each."""
    result = PhaseResult("breakages of EMCO", rig.name, seed)
    begun, batch = time.monotonic(), 0
    with crews(rig) as found:
        while not batch or (budget.seconds is not None and time.monotonic() - begun < budget.seconds):
            for race in RACES:
                for crew in found.values():
                    rounds = [f"r{batch}x{at}" for at in range(budget.operations or BATCH)]
                    bad, texts = run_race(rig, race, crew, rounds)
                    name, number = race.number, len(rounds)
                    result.add(**{name: bad, f"rounds of {name}": number, "rounds": number})
                    result.violated(texts)
            batch += 1
    return result


PHASE = Phase(
    "breakages of EMCO",
    "None of the ways in which EMCO's data breaks leads anywhere, in races of threads, tasks and processes.",
    ("memory", "redis", "mongo"),
    breakages,
    1.5,
)
