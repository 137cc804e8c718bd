"""Rolling upgrades under load: five releases of one service on one store, each taking over from the one before.

The service renames a field in three deploys, after each of which the release before can be brought back. Eight clients
are at work at a time, four of the old and four of the new release; those that end are followed by others of both in
turn. Each takes steps with resources that all of them share, and checks all that it reads. At the end, each resource
has made exactly the steps that were acknowledged.

``python -m proof.upgrade --store redis://… --steps 300`` runs clients in eight processes; without a store, in threads.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from threading import Barrier
from time import monotonic, perf_counter
from typing import Annotated, Any, Final

from emco_store import InvalidResource, MemoryBackend, NewerModel, Resource, connect, indexed, since

CLIENTS: Final = 4
"""Clients of each release at work at the same time, and in each turn."""
SHIPS: Final = 12
"""Resources that all clients share."""
AT_REST: Final = f"s{SHIPS}"
"""One more, which no client takes a step with: what the migration finds, however far the clients have come."""


class Ship1(Resource, kind="Ship"):
    """As it was: a ship has a region."""

    steps: int = 0
    region: str = ""


class Ship2(Resource, kind="Ship", model_version=2):
    """Knows the new name of the region; which of the two is written, the program decides."""

    steps: int = 0
    region: Annotated[str, indexed()] = ""
    zone: Annotated[str, indexed(), since(2)] = ""


def fold_region(document: dict[str, Any]) -> dict[str, Any]:
    """Move the region, where there is one, to zone."""
    region = document.pop("region", "")
    if region:
        document["zone"] = region
    return document


class Ship3(Resource, kind="Ship", model_version=3, steps={3: fold_region}, readable_by=2):
    """Has the new name alone; the version before can read what it writes."""

    steps: int = 0
    zone: Annotated[str, indexed(), since(2)] = ""


class Ship4(Resource, kind="Ship", model_version=4, steps={3: fold_region}, readable_by=2):
    """A field more, which its programs use at once."""

    steps: int = 0
    zone: Annotated[str, indexed(), since(2)] = ""
    flag: Annotated[str, since(4)] = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One release of the service.

    Attributes:
        model: Its model.
        read: Returns where a ship is.
        move: Returns the values of the fields that say so.
    """

    model: type[Any]
    read: Callable[[Any], str]
    move: Callable[[str], Mapping[str, str]]


RELEASES: Final[Mapping[str, Release]] = {
    "region": Release(Ship1, lambda ship: ship.region, lambda place: {"region": place}),
    "knows zone": Release(Ship2, lambda ship: ship.zone or ship.region, lambda place: {"region": place, "zone": ""}),
    "writes zone": Release(Ship2, lambda ship: ship.zone or ship.region, lambda place: {"region": "", "zone": place}),
    "zone": Release(Ship3, lambda ship: ship.zone, lambda place: {"zone": place}),
    "flag": Release(Ship4, lambda ship: ship.zone, lambda place: {"zone": place, "flag": "x"}),
}
PHASES: Final = (
    (("region", "knows zone"), ("knows zone",), ("region", "knows zone")),
    (("knows zone", "writes zone"), ("writes zone",), ("knows zone", "writes zone")),
    (("writes zone", "zone"), ("zone",), ("writes zone", "zone", "migrate")),
    (("zone", "flag"), ("flag",), ("zone", "flag")),
)
"""Who takes over from whom, and back, in turns; between two phases, the clients of the earlier one have ended."""


@dataclass(slots=True)
class Seen:
    """What clients have done.

    Attributes:
        steps: Acknowledged steps, by the name of the ship.
        calls: How many calls were made.
        newer: How often a document needed a newer version of the model.
        migrated: Documents that were migrated.
        shifts: The release of each client, with the seconds at which it began and ended.
    """

    steps: Counter[str] = field(default_factory=Counter[str])
    calls: int = 0
    newer: int = 0
    migrated: int = 0
    shifts: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])

    def add(self, other: Seen) -> None:
        """Add what another client has done."""
        self.steps.update(other.steps)
        self.calls, self.newer = self.calls + other.calls, self.newer + other.newer
        self.migrated += other.migrated
        self.shifts += other.shifts

    def at_once(self) -> str:
        """Say how many clients of each release were at work at the moment when most were."""
        moments = (
            Counter(name for name, begun, ended in self.shifts if begun <= moment < ended)
            for _, moment, _ in self.shifts
        )
        return " + ".join(f"{number} {name}" for name, number in sorted(max(moments, key=Counter[str].total).items()))


def work(target: Any, namespace: str, name: str, seed: int, steps: int) -> Seen:
    """Be one client of a release, or a migration to the form without the region.

    Raises:
        AssertionError: What it reads is not what a client has written.
    """
    seen, begun = Seen(), monotonic()
    if name == "migrate":
        with connect(target, namespace=namespace, models=[Ship3]) as store:
            done = store.migrate(Ship3, batch=5)
            _must(done.left_count == 0, f"left: {done.left}")
            seen.migrated = done.written
        return seen
    release, draw = RELEASES[name], random.Random(f"{name} {seed}")  # noqa: S311 - a seeded load
    with connect(target, namespace=namespace, models=[release.model]) as store:
        for number in range(steps):
            seen.calls += 1
            ship = f"s{draw.randrange(SHIPS)}"
            try:
                _call(store, release, draw.random(), (ship, f"{name} {seed} {number}"), seen)
            except NewerModel:
                seen.newer += 1
    seen.shifts.append((name, begun, monotonic()))
    return seen


def _call(store: Any, release: Release, chance: float, names: tuple[str, str], seen: Seen) -> None:
    model, (ship, own) = release.model, names
    if chance < 0.7:

        def step(tx: Any) -> None:
            found = tx.get(model, ship)
            _check(release, found)
            steps = found.steps + 1
            tx.update(found.model_copy(update={"steps": steps, **release.move(f"p{steps}")}))

        store.run(step)
        seen.steps[ship] += 1
    elif chance < 0.8:
        for found in store.list(model, limit=100).items:
            if isinstance(found, NewerModel):
                seen.newer += 1
            elif isinstance(found, InvalidResource):
                raise found
            else:
                _check(release, found)
    elif chance < 0.9:
        name = own.replace(" ", "-")
        _check(release, store.create(model(name=name, steps=1, **release.move("p1"))))
        store.delete(store.get(model, name))
    else:
        _check(release, store.get(model, ship))


def _check(release: Release, ship: Any) -> None:
    place = release.read(ship)
    _must(place == f"p{ship.steps}", f"{ship.key} has made {ship.steps} steps and is at {place!r}")


def _must(holds: bool, said: str) -> None:  # noqa: FBT001 - as in an assert statement
    if not holds:
        raise AssertionError(said)


def upgrade(
    target: Any, namespace: str, steps: int, *, executor: Callable[[], Executor], say: Callable[[str], object]
) -> Seen:  # fmt: skip
    """Run all phases, and check that nothing was lost.

    Args:
        target: As for ``connect``.
        namespace: An empty namespace.
        steps: Calls of each client.
        executor: Opens what runs clients, ``2 * CLIENTS`` at a time, in the order in which they are given.
        say: Told how each phase went.

    Raises:
        AssertionError: Something was lost, or an older release met what it cannot read before somebody used it.
    """
    whole = Seen()
    with connect(target, namespace=namespace, models=[Ship1]) as store:
        for number in range(SHIPS):
            store.create(Ship1(name=f"s{number}", region="p0"))
        store.create(Ship1(name=AT_REST, region="p0"))
    for number, phase in enumerate(PHASES):
        begun = perf_counter()
        part = _phase(executor, partial(work, target, namespace), phase, number, steps)
        turns = " -> ".join(map(" + ".join, phase))
        say(
            f"{turns}: {part.calls:,} calls, {part.steps.total():,} steps, {part.newer:,} "
            f"documents too new, {part.migrated:,} migrated, {perf_counter() - begun:.1f} s, at once {part.at_once()}"
        )
        is_last = number == len(PHASES) - 1
        _must(is_last or part.newer == 0, f"{phase}: {part.newer} documents could not be read")
        whole.add(part)
        _check_nothing_lost(target, namespace, whole)
    with connect(target, namespace=namespace, models=[Ship3]) as store:
        whole.newer += sum(isinstance(found, NewerModel) for found in store.list(Ship3).items)
    _must(whole.newer > 0, "no older program has met a newer document")
    _must(whole.migrated > 0, "the migration found nothing to do")
    return whole


def _phase(
    executor: Callable[[], Executor],
    client: Callable[[str, int, int], Seen],
    phase: Iterable[Sequence[str]],
    number: int,
    steps: int,
) -> Seen:
    whole = Seen()
    with executor() as clients:
        under_way = [
            clients.submit(client, name, 1000 * number + 100 * turn + one, steps)
            for turn, names in enumerate(phase)
            for one in range(CLIENTS)
            for name in (names[:2] if one else names)  # one migration is enough
        ]
        for one in under_way:
            whole.add(one.result())
    return whole


def threads() -> Executor:
    """Return threads for the clients, which begin together."""
    return ThreadPoolExecutor(2 * CLIENTS, initializer=Barrier(2 * CLIENTS).wait)


def processes() -> Executor:
    """Return processes for the clients, which begin together."""
    spawning = get_context("spawn")
    wait = spawning.Barrier(2 * CLIENTS).wait
    return ProcessPoolExecutor(2 * CLIENTS, spawning, initializer=wait)


def _check_nothing_lost(target: Any, namespace: str, whole: Seen) -> None:
    with connect(target, namespace=namespace, models=[Ship4]) as store:
        found = {ship.name: ship.steps for ship in store.iterate(Ship4)}
        flaws = [flaw for page in _pages(store) for flaw in page.flaws]
    expected = {f"s{one}": whole.steps[f"s{one}"] for one in range(SHIPS)} | {AT_REST: 0}
    _must(expected == found, f"acknowledged: {expected}, found: {found}")
    _must(flaws == [], f"flaws: {flaws}")


def _pages(store: Any) -> Iterable[Any]:
    page = store.check()
    yield page
    while page.next is not None:
        page = store.check(after=page.next)
        yield page


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it as the command line says, and print how each phase went."""
    parser = argparse.ArgumentParser(prog="python -m proof.upgrade", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", default="memory://", metavar="URL", help="the store; in memory, clients are threads")
    parser.add_argument("--namespace", default="upgrade", metavar="NAME", help="an empty namespace (upgrade)")
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="calls of each client (200)")
    options = parser.parse_args(arguments)
    target: Any = MemoryBackend() if options.store == "memory://" else options.store
    executor = threads if options.store == "memory://" else processes
    whole = upgrade(target, options.namespace, options.steps, executor=executor, say=_say)
    _say(f"all: {whole.calls:,} calls, {whole.steps.total():,} steps, none lost")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
