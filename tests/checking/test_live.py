"""A check while others write: it reports nothing that is not so, and repairs of real damage disturb nobody."""

from __future__ import annotations

import random
import threading
from contextlib import suppress

from emco_store import FlawKind, RetryPolicy, StoreError
from emco_store.ports import Commit, Receipt
from tests.checking.scenes import MODELS, Box, Route, Site, checked, told

BRIEF = RetryPolicy(deadline_s=1.0)
"""Whoever loses for so long does something else."""
WRITERS = 3
CHANGES = 100
"""How many changes each writer makes."""
CHECKS = 3
"""How many whole checks are made at least."""


def test_check_of_a_busy_store_reports_nothing(lab):
    """Sites, boxes and routes come, change and go all the time; no check finds anything wrong."""
    reader = lab.open(models=MODELS)
    reader.create(Site(name="main"))
    found, checks = [], 0

    with Writers(lab) as writers:
        while not writers.are_done() or checks < CHECKS:
            found += checked(reader, limit=5)
            checks += 1

    assert [] == found
    assert [] == checked(reader)


def test_repair_on_a_busy_store_mends_what_is_wrong_and_nothing_else(lab):
    """Damage that was planted beside the writers is repaired while they go on, and is gone afterwards."""
    store = lab.open(models=MODELS, retry=BRIEF)
    for name in ("main", "gone"):
        store.create(Site(name=name))
    routes = [store.create(Route(name=f"hurt{number}", stops=["Site/gone", "Site/main"])) for number in range(5)]
    gone = store.get(Site, "gone").key
    assert isinstance(lab.port.ask(Commit(f"{lab.namespace}-plant", deletes=(gone,))), Receipt)
    flaws = []

    with Writers(lab) as writers:
        flaws += checked(store, limit=5)
        repaired = store.repair(flaws)
        while not writers.are_done():
            assert [] == checked(store, limit=5)

    assert {(FlawKind.DANGLING, route.key.text) for route in routes} == told(flaws)
    assert ((), len(flaws)) == (repaired.skipped, len(repaired.done))
    assert [] == checked(store)
    assert all(["Site/main"] == [stop.text for stop in store.get(route).stops] for route in routes)


class Writers:
    """Threads that change a store while a block runs, each until so many changes have succeeded."""

    def __init__(self, lab):
        stores = [lab.open(models=MODELS, retry=BRIEF) for _ in range(WRITERS)]
        self.threads = [threading.Thread(target=self.write, args=(store, seed)) for seed, store in enumerate(stores)]
        self.problems = []

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()
        assert [] == self.problems

    def are_done(self):
        """Tell whether all threads have ended."""
        return not any(thread.is_alive() for thread in self.threads)

    def write(self, store, seed):
        """Make, change and delete by chance, the same at every run."""
        chance = random.Random(seed)
        changes = 0
        try:
            while changes < CHANGES:
                with suppress(StoreError):  # what is not there, or was changed by others meanwhile
                    one_step(store, chance)
                    changes += 1
        except BaseException as problem:  # told where the block ends
            self.problems.append(problem)
            raise


def one_step(store, chance):
    """Do one thing to one of a few names."""
    site, name = f"s{chance.randrange(4)}", f"n{chance.randrange(4)}"
    match chance.randrange(6):
        case 0:
            store.put(Site(name=site))
        case 1:
            store.delete(Site(name=site))
        case 2:
            store.put(Box(parent=f"Site/{site}", name=name, code=f"c{chance.randrange(6)}", colour=chance.choice("ab")))
        case 3:
            store.delete(Box(parent=f"Site/{site}", name=name))
        case 4:
            store.put(Route(name=name, soft=f"Site/{site}", stops=[f"Site/s{chance.randrange(4)}", f"Site/{site}"]))
        case _:
            store.delete(Route(name=name))
