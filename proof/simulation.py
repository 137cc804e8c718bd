"""Whole runs in virtual time, by a seed: services, a network that loses and delays, clients that die, and a judgement.

A seed decides everything: the port, the workload, what goes wrong and when, and who runs first. So a run that found
something can be repeated: ``python -m proof.simulation --seed 17``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from emco_store._aio import attempts
from emco_store._aio.store import AsyncStore
from emco_store.backends import memory, patience
from emco_store.connect import connect_async
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.histories import linearizability, serializability
from emco_store.contracts.histories.clients import play_async
from emco_store.contracts.histories.history import History, Recorder, read
from emco_store.contracts.histories.workloads import Shift
from emco_store.core.flaws import FlawKind
from emco_store.core.keys import Key
from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.ports import AsyncPort, deadline
from proof import races, versions
from proof.models import Hub
from proof.nemesis import seeded
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig
from proof.running import MODELS, WORKLOADS, check_store, look_finally, read_finally
from proof.simulated_network import CALM, LATEST_S, NAMESPACE, Client, Network, Server, Weather
from proof.simulated_ports import Book, Design, PlainPort, Site, Watched
from proof.virtual_time import SeededIds, Stuck, VirtualClock, VirtualLoop, run, virtual_time

STORM: Final = Weather(
    not_sent=0.03, lost_request=0.02, lost_reply=0.03, late=0.05, again=0.02, slow=0.2, collided=0.3, cut=0.3
)
OUTAGE: Final = Weather(not_sent=0.4, lost_request=0.6)
RETRY: Final = RetryPolicy(deadline_s=10.0)
LONGEST_CALL_S: Final = 120.0
"""Maximum virtual time of a call: its deadline, one attempt that meets every fault, and the release of holds."""
LONGEST_END_S: Final = 15.0
"""Maximum virtual time that a cancelled client takes to end."""
PROMPT_S: Final = 2.0
"""Maximum virtual time of a call in good weather, when all holds have expired."""
_MAX_STEPS: Final = 3_000_000
_PATIENCE_S: Final = 3600.0
_CANCELLED_A_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one seed means.

    Attributes:
        seed: The seed.
        design: The name of the port.
        workload: What the clients do.
        services: Number of processes with a store.
        clients: Number of clients of each service.
        operations: Number of operations of each client.
    """

    seed: int
    design: str
    workload: str
    services: int
    clients: int
    operations: int


@dataclass(slots=True)
class Outcome:
    """The result of one run.

    Attributes:
        scenario: What was run.
        violations: Violated promises.
        digest: The same for each run of the seed.
        steps: Number of callbacks that ran.
        events: Number of messages sent and answered.
        virtual_s: The virtual time of the run.
        worst_call_s: The longest call.
        worst_commit_s: The longest commit at a port, including its time in the batcher.
        worst_end_s: The longest time that a cancelled client took to end.
        operations: Number of calls.
        faults: How often each fault struck.
    """

    scenario: Scenario
    violations: list[str] = field(default_factory=list[str])
    digest: str = ""
    steps: int = 0
    events: int = 0
    virtual_s: float = 0.0
    worst_call_s: float = 0.0
    worst_commit_s: float = 0.0
    worst_end_s: float = 0.0
    operations: int = 0
    faults: dict[str, int] = field(default_factory=dict[str, int])


def designs() -> dict[str, Design]:
    """Return the ports by name: one that commits alone, and those that group or share as on MongoDB and Redis."""
    from proof.simulated_groups import GroupingPort, PipingPort  # noqa: PLC0415 - their drivers
    from proof.simulated_wire import SharingPort  # noqa: PLC0415 - its driver

    return {"plain": PlainPort, "grouping": GroupingPort, "piping": PipingPort, "sharing": SharingPort}


def scenario(seed: int) -> Scenario:
    """Return the scenario of a seed; of twelve seeds in a row, each has another port or another workload."""
    random = seeded("scenario", seed)
    design = ("plain", "grouping", "sharing" if seed // 12 % 4 == 1 else "piping")[seed % 3]
    workload = tuple(WORKLOADS)[seed // 3 % 4]
    return Scenario(seed, design, workload, random.randint(1, 3), random.randint(3, 8), random.randint(8, 16))


def simulate(wanted: Scenario, out: Path, design: Design | None = None) -> Outcome:
    """Run one seed, and judge it.

    Args:
        wanted: The scenario.
        out: A folder for its history.
        design: The port, if it is not the one of the scenario: a broken one.
    """
    seed = wanted.seed
    loop = VirtualLoop(seeded("order", seed), max_steps=_MAX_STEPS)
    result = Outcome(wanted)
    path = out / f"seed-{seed}.jsonl"
    path.unlink(missing_ok=True)
    pauses = seeded("pauses", seed)
    with virtual_time(loop, pauses, *_clocks(loop, pauses)), Recorder(path) as recorder:
        world = _World(wanted, loop, recorder, design or designs()[wanted.design], result)
        try:
            run(loop, world.play(path))
        except Stuck as problem:
            result.violations.append(f"stuck at {loop.time():.3f} s: {problem}")
        known = read(path)
        result.violations += world.judge(known, out)
    result.digest, result.events = world.network.trace.digest, world.network.trace.lines
    result.steps, result.virtual_s, result.faults = loop.steps, loop.time(), dict(world.network.struck)
    result.operations, result.worst_commit_s = len(known.operations), world.book.worst_s
    result.worst_call_s = max((operation.took_ms / 1000 for operation in known.operations), default=0.0)
    path.unlink()
    return result


def _clocks(loop: VirtualLoop, pauses: Random) -> tuple[tuple[Any, str, Any], ...]:
    return (
        (memory, "_now_ms", VirtualClock(loop).now_ms),
        (patience, "monotonic", loop.time), (patience, "random", pauses), (deadline, "monotonic", loop.time),
        (attempts, "monotonic", loop.time),
    )  # fmt: skip


class _Service:
    """One process: a store, and a clock that may be a little wrong."""

    def __init__(self, world: _World, number: int) -> None:
        random = seeded("service", world.wanted.seed, number)
        clock = VirtualClock(world.loop, random.uniform(-1.0, 1.0))
        self.client = Client(f"service-{number}")
        inner = world.design(Site(world.server, world.network, self.client))
        self._port = Watched(inner, world.book, world.loop.time)
        self.store: AsyncStore = connect_async(
            self, namespace=NAMESPACE, models=MODELS, retry=RETRY, clock=clock, ids=SeededIds(clock, random)
        )

    def async_port(self, _: str) -> Any:
        """See :meth:`emco_store.ports.Backend.async_port`."""
        return self._port

    def port(self, namespace: str) -> AsyncPort:
        """Refuse: there are no threads in virtual time."""
        raise NotImplementedError(namespace)


class _World:
    """A run: its services, and what happens to them."""

    def __init__(
        self, wanted: Scenario, loop: VirtualLoop, recorder: Recorder, design: Design, result: Outcome
    ) -> None:
        self.wanted = wanted
        self.loop = loop
        self.design = design
        self.server = Server(loop)
        self.network = Network(loop, seeded("network", wanted.seed), CALM)
        self.book = Book()
        self._recorder = recorder
        self._result = result
        self._random = seeded("fate", wanted.seed)
        self._services: list[_Service] = []
        self._started = 0
        self._shifts = 0
        self._running: list[asyncio.Task[Any]] = []
        self._cancelled_s: dict[asyncio.Task[Any], float] = {}

    # what happens

    async def play(self, path: Path) -> None:
        """Let all clients work while things go wrong, wait for what is still under way, and check what is left."""
        self._services = [self._start() for _ in range(self.wanted.services)]
        fates = [asyncio.create_task(fate, name=fate.__name__) for fate in self._fates()]
        lives = [
            asyncio.create_task(self._live(slot), name=f"life-{slot}")
            for slot in range(self.wanted.services * self.wanted.clients)
        ]
        self.loop.between = self._between
        await asyncio.wait(lives, timeout=self._random.uniform(0.5, 5.0))
        self.loop.between = None
        for fate in fates:
            fate.cancel()
        await asyncio.wait(fates)
        self.network.weather = CALM
        # From now on nothing is cancelled, so a client that waits for ever is found.
        _, late = await asyncio.wait(lives, timeout=_PATIENCE_S)
        if late:
            names = ", ".join(sorted(task.get_name() for task in (*late, *self._running)))
            raise Stuck(f"after {_PATIENCE_S:.0f} s there still work: {names}")
        for ended in (*lives, *fates):
            if not ended.cancelled():
                ended.result()
        await asyncio.sleep(LATEST_S + 10.0)
        if self.wanted.workload == "races":
            self._result.violations += races.audit(self.server.port, read(path)).violations
        await self._look_after()

    def _fates(self) -> list[Any]:
        chosen = [self._weather(), self._deaths()]
        chosen += [self._resolver()] if self._random.random() < 0.4 else []
        return chosen + ([self._janitor()] if self._random.random() < 0.4 else [])

    def _start(self) -> _Service:
        self._started += 1
        return _Service(self, self._started)

    async def _live(self, slot: int) -> None:
        """Work as one client after another: each that dies is followed by the next."""
        left = [self.wanted.operations]

        def goes_on(_: int) -> bool:
            left[0] -= 1
            return left[0] >= 0

        while left[0] > 0:
            self._shifts += 1
            number = 4 * self._shifts + slot % 4  # its role stays the same
            shift = Shift(f"c{number}", number, seeded("shift", self.wanted.seed, number), self._recorder, goes_on)
            store = self._services[slot % self.wanted.services].store
            working = play_async(WORKLOADS[self.wanted.workload](shift), store)
            await self._ended(asyncio.create_task(working, name=f"client-{number}"))

    async def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.append(task)
        await asyncio.wait({task})
        self._running.remove(task)
        cancelled_s = self._cancelled_s.pop(task, None)
        if cancelled_s is not None:
            took_s = self.loop.time() - cancelled_s
            self._result.worst_end_s = max(self._result.worst_end_s, took_s)
            if took_s > LONGEST_END_S:
                self._result.violations.append(f"{task.get_name()} needed {took_s:.1f} s to end when it was cancelled")
            if not task.cancelled() and not isinstance(task.exception(), ClientDied):
                self._result.violations.append(f"{task.get_name()} was cancelled, and went on: {task.exception()!r}")
        elif task.cancelled():
            self._result.violations.append(f"{task.get_name()} ended as cancelled, and nobody had cancelled it")
        elif task.exception() is not None and not isinstance(task.exception(), ClientDied):
            self._result.violations.append(f"{task.get_name()} broke down: {task.exception()!r}")

    async def _weather(self) -> None:
        while True:
            self.network.weather = self._random.choices((CALM, STORM, OUTAGE), (0.3, 0.6, 0.1))[0]
            await asyncio.sleep(self._random.uniform(0.1, 3.0))

    async def _deaths(self) -> None:
        """Kill whole processes sometimes, and cancel clients while they wait."""
        while True:
            await asyncio.sleep(self._random.expovariate(2.0))
            if self._random.random() < 0.3:
                slot = self._random.randrange(len(self._services))
                self._services[slot].client.is_dead = True
                self._services[slot] = self._start()
                self.network.struck["processes killed"] += 1
            else:
                self._cancel_one()

    def _between(self) -> None:
        """Cancel clients at any step, even where no time passes."""
        if self._random.random() < _CANCELLED_A_STEP:
            self._cancel_one()

    def _cancel_one(self) -> None:
        living = [task for task in self._running if task not in self._cancelled_s and not task.done()]
        if living:
            task = self._random.choice(living)
            self._cancelled_s[task] = self.loop.time()
            task.cancel()
            self.network.struck["clients cancelled"] += 1

    async def _resolver(self) -> None:
        """Settle commits of others at any moment, even while they are under way."""
        service = self._start()
        while True:
            await asyncio.sleep(self._random.expovariate(5.0))
            if unknown := self.book.unknown:
                self.network.struck["resolved by others"] += 1
                with suppress(StoreError):
                    await service.store.resolve(self._random.choice(unknown))

    async def _janitor(self) -> None:
        """Check and repair while others write: only holds of dead clients may be found."""
        service = self._start()
        after: str | None = None
        while True:
            await asyncio.sleep(self._random.uniform(0.05, 0.5))
            with suppress(StoreError):
                page = await service.store.check(after=after, limit=self._random.randint(1, 50))
                after = page.next
                wrong = [flaw for flaw in page.flaws if flaw.kind is not FlawKind.STALE_HOLD]
                self._result.violations += [f"a live check found {flaw}" for flaw in wrong]
                await service.store.repair(page.flaws)

    async def _look_after(self) -> None:
        """In good weather, settle unknown outcomes: all holds must have expired, and every call must be prompt."""
        service = self._start()
        for txid in self.book.unknown:
            await self._prompt(f"resolve {txid}", partial(service.store.resolve, txid))
        hubs = [Hub(name=f"h{at}", note=1000) for at in range(races.HUBS)]
        for hub in hubs if self.wanted.workload == "races" else ():
            await self._prompt(f"put {hub.name}", partial(service.store.put, hub))
            holders = [one.key for one in await service.store.referrers(hub) if one.key.kind == "Pin"]
            going = (Key("Hub", hub.name), *holders)
            await self._prompt(f"delete {hub.name}", partial(service.store.delete, *going))

    async def _prompt(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        begun_s = self.loop.time()
        try:
            await call()
        except StoreError as problem:
            self._result.violations.append(f"in good weather, {name} ended in {problem!r}"[:400])
        took_s = self.loop.time() - begun_s
        if took_s > PROMPT_S:
            self._result.violations.append(f"in good weather, {name} took {took_s:.1f} s")

    # judgement

    def judge(self, known: History, out: Path) -> list[str]:
        """Judge the answers, the reads, and what is left."""
        rig = Rig("memory", self.server.backend)
        found = self.book.broken(self.server.outcomes())
        surprises = {operation.problem for operation in known.operations if operation.problem.startswith("unexpected")}
        found += sorted(surprises)
        found += [f"a call took too long: {each}" for each in known.operations if each.took_ms > 1e3 * LONGEST_CALL_S]
        _, flaws = check_store(rig, NAMESPACE)
        found += flaws
        if self.wanted.workload == "lists":
            everything = read_finally(rig, NAMESPACE, known, out).operations
            (out / "final.jsonl").unlink()
            found += [f"{each.kind}: {each.text}" for each in serializability.check(everything).anomalies]
        elif self.wanted.workload == "registers":
            found += linearizability.check(known.operations).violations
        elif self.wanted.workload == "deployments":
            everything = look_finally(rig, NAMESPACE, known, out).operations
            (out / "final.jsonl").unlink()
            found += [f"{each.kind}: {each.text}" for each in versions.check(everything).anomalies]
        else:
            found += races.dangling(races.scan_all(self.server.port))
        return found


# many runs


def simulation(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - in memory always
    """Run one seed after another until the budget is used."""
    result = PhaseResult("simulation", "memory", seed)
    begun = time.monotonic()
    number = 0
    while budget.operations is None or number < budget.operations:
        _add(result, simulate(scenario(seed * 1_000_000 + number), out))
        number += 1
        if budget.seconds is not None and time.monotonic() - begun > budget.seconds:
            break
    return result


def _add(result: PhaseResult, one: Outcome) -> None:
    result.add(
        seeds=1,
        operations=one.operations,
        steps=one.steps,
        messages=one.events,
        virtual_hours=one.virtual_s / 3600,
    )
    result.most(
        worst_call_s=one.worst_call_s,
        worst_commit_s=one.worst_commit_s,
        worst_end_of_a_cancelled_client_s=one.worst_end_s,
    )
    result.struck(one.faults)
    result.violated([f"seed {one.scenario.seed}: {text}" for text in one.violations])
    if one.violations:
        result.notes.append(f"again: {again(one.scenario.seed)}")


def again(seed: int) -> str:
    """Return the command that runs a seed again."""
    return f"python -m proof.simulation --seed {seed}"


PHASE: Final = Phase(
    "simulation",
    "Retries, groups, holds and recovery, in virtual time on a server in memory, with faults at each message.",
    ("memory",),
    simulation,
    2.0,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run seeds; return 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--count", type=int, default=1, help="how many (1)")
    asked = parser.parse_args(arguments)
    found = 0
    with TemporaryDirectory() as folder:
        for seed in range(asked.seed, asked.seed + asked.count):
            one = simulate(scenario(seed), Path(folder))
            found += len(one.violations)
            what = f"{one.scenario.design} {one.scenario.workload}, {one.steps} steps, {one.virtual_s:.3f} s"
            sys.stdout.write(f"seed {seed}: {one.digest} {what}\n")
            sys.stdout.writelines(f"  {text}\n" for text in one.violations)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
