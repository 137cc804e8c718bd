"""A race: one service creates references to resources that another deletes, and no reference may dangle."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from emco_store import (
    Conflict,
    DeleteRestricted,
    Key,
    MemoryBackend,
    MissingReference,
    NotFound,
    Resource,
    Store,
    Transaction,
    connect,
)  # fmt: skip
from emco_store.cli.demo.models import MODELS, App, Cluster, CompositeApp, Placement, Project, Provider
from emco_store.core.codec import draft
from emco_store.core.documents import LARGEST_MAX_BYTES

OPERATIONS = 300
"""Operations of each service."""
LATENCY_S = 0.001
"""Seconds that each request takes, as over a network; meanwhile the other service continues."""
NAMESPACE = "race"
_PROJECT, _PROVIDER = Key("Project", "shop"), Key("Provider", "edge")
_VERSIONS, _CLUSTERS = 3, 5

R = TypeVar("R", bound=Resource)
Service = Callable[[Transaction, Random, int], None]


@dataclass(slots=True)
class Score:
    """Results of a service: commits, repeated attempts after a lost race, and refusals by reason."""

    commits: int = 0
    repeats: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Score) -> Score:
        return Score(
            self.commits + other.commits, self.repeats + other.repeats, self.refusals + other.refusals
        )  # fmt: skip


def run_race(*, operations: int = OPERATIONS, latency_s: float = LATENCY_S) -> tuple[MemoryBackend, Score]:
    """Run two services against each other, each in its own thread and with its own store.

    Which of them wins depends on the threads. That no reference dangles does not.
    """
    never = threading.Event()

    def on_the_way(_: str, moment: str, __: object) -> None:
        if moment == "before":
            never.wait(latency_s)

    backend = MemoryBackend(hook=on_the_way)
    with connect(backend, namespace=NAMESPACE, models=MODELS) as store, store.transaction() as tx:
        tx.create(Project(name=_PROJECT.name))
        tx.create(Provider(name=_PROVIDER.name))
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(_work, backend, service, operations) for service in (_create, _delete)]
    return backend, runs[0].result() + runs[1].result()


def _work(backend: MemoryBackend, service: Service, operations: int) -> Score:
    """Run one service; a refusal is an answer, not a failure."""
    score = Score()
    with connect(backend, namespace=NAMESPACE, models=MODELS) as store:
        for number in range(operations):
            attempts: list[int] = []

            def attempt(tx: Transaction, number: int = number, attempts: list[int] = attempts) -> None:
                attempts.append(number)
                service(tx, Random(number), number)  # noqa: S311 - a repeat makes the same choices

            try:
                store.run(attempt)
                score.commits += 1
            except (NotFound, MissingReference, DeleteRestricted, Conflict) as problem:
                score.refusals[type(problem).__name__] += 1
            score.repeats += len(attempts) - 1
    return score


def _create(tx: Transaction, random: Random, number: int) -> None:
    """Create an app and a placement that refers to it and to clusters, and their parents if they are missing."""
    version = f"v{random.randrange(_VERSIONS)}"
    parent = _ensured(tx, CompositeApp(parent=_PROJECT, name="web", version=version))
    names = random.sample(range(_CLUSTERS), 3)
    first, second, standby = (_ensured(tx, Cluster(parent=_PROVIDER, name=f"c{name}")) for name in names)
    app = tx.create(App(parent=parent, name=f"app{number}", chart=f"chart-{number}"))
    tx.create(Placement(parent=parent, name=f"on{number}", app=app, clusters=[first, second], standby=standby))


def _delete(tx: Transaction, random: Random, number: int) -> None:
    """Delete a cluster; sometimes a version with everything in it, or an app, which is refused while it is placed."""
    version = Key("CompositeApp", _PROJECT.name, "web", f"v{random.randrange(_VERSIONS)}")
    turn = number % 6
    if turn == 0:
        tx.delete(version)
    elif turn == 3:  # noqa: PLR2004 - every sixth operation
        tx.delete(next((child for child in tx.children(version).resources if isinstance(child, App)), version))
    else:
        tx.delete(Key("Cluster", _PROVIDER.name, f"c{random.randrange(_CLUSTERS)}"))


def _ensured(tx: Transaction, resource: R) -> R:
    (found,) = tx.get_many([resource], missing_ok=True)
    return tx.create(resource) if found is None else found


@dataclass(frozen=True, slots=True)
class Census:
    """Number of resources, references and dangling references in a namespace."""

    resources: int
    references: int
    dangling: int


def take_census(store: Store) -> Census:
    """Read a whole namespace and look up every reference of every document, including parents."""
    items: list[Resource] = []
    after: str | None = None
    while True:
        page = store.list(Resource, limit=1000, after=after)
        items += page.resources
        after = page.next
        if after is None:
            break
    keys = {item.key for item in items}
    targets = [edge.target for item in items for edge in draft(item, max_bytes=LARGEST_MAX_BYTES).edges]
    return Census(len(items), len(targets), sum(target not in keys for target in targets))
