"""The rig of the tests of supervisors: a store whose time the test moves, leases, and one who supervises."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from emco_store._aio.supervising import AsyncSupervisor
from emco_store._sync.supervising import Supervisor
from emco_store.contracts.blocking import raw, viewed
from emco_store.contracts.harness import Lab, Mode
from emco_store.contracts.judgements import Warp, warped
from emco_store.contracts.lease_models import RUNNER, TTL, Errand, Runner
from emco_store.core.keys import Key
from emco_store.core.leases import Verdict
from emco_store.core.pulses import Heartbeat
from emco_store.core.reserved import lease_of
from emco_store.core.supervising import Recovery, Supervised
from emco_store.ports import Beat, Commit, Get

ERRAND = Key("Errand", "e")
SEC = timedelta(seconds=1)
_US = timedelta(microseconds=1)


def supervisor(lab: Lab, store: Any, **options: Any) -> Any:
    """Make a supervisor of errands in the mode of the test."""
    settings: dict[str, Any] = {"assign": (Errand, "runner"), "stop": "is_off", **options}
    if lab.bench.mode is Mode.BLOCKING:
        return Supervisor(store, Runner, **settings)
    return viewed(AsyncSupervisor(raw(store), Runner, **settings), lab.bench.loop)


@dataclass(slots=True)
class Crew:
    """A supervisor that leads, the store that it uses, and its time.

    Attributes:
        lab: The lab.
        store: The store.
        supervisor: The supervisor.
        warp: The time of the store.
        leases: The leases that it holds.
    """

    lab: Lab
    store: Any
    supervisor: Any
    warp: Warp
    leases: ExitStack = field(default_factory=ExitStack)
    leader: Any = None

    def lead(self) -> None:
        """Take the seat."""
        self.leader = self.leases.enter_context(self.store.lease(self.supervisor.seat))
        self.warp.alive.add(self.leader.uid)

    def hire(self, resource: Any) -> Any:
        """Take the lease of a runner, and beat for it."""
        lease = self.leases.enter_context(self.store.lease(resource))
        self.warp.alive.add(lease.uid)
        return lease

    def look(self) -> Supervised:
        """Let the supervisor look once."""
        found: Supervised = self.supervisor.step(self.leader)
        return found

    def wait(self, lasts: timedelta) -> None:
        """Let time pass, by the clock of the server and by that of the process."""
        self.warp.by_us += lasts // _US

    def errand(self, name: str = "e") -> Errand:
        """Read an errand."""
        found: Errand = self.lab.store.get(Errand, name)
        return found


@contextmanager
def crew(lab: Lab, **options: Any) -> Generator[Crew]:
    """Let a supervisor lead, in a store whose time the test moves."""
    warp = Warp()
    with warped(lab, warp) as store, ExitStack() as leases:
        found = Crew(lab, store, supervisor(lab, store, **options), warp, leases)
        found.lead()
        yield found


def runner_of(errand: Errand) -> Key | None:
    """Return the runner of an errand."""
    return None if errand.runner is None else errand.runner.key


def counted(found: Crew) -> tuple[int, int]:
    """Return the failures and attempts of an errand."""
    recovery = found.errand().recovery
    return len(recovery.failures), recovery.attempts


def verdicts(found: Crew, stall_after: timedelta | None = None) -> list[tuple[Key, Verdict]]:
    """Return the verdicts about the runners that are leased."""
    states = found.store.leases(Runner, stall_after=stall_after)
    return [(one.resource, one.verdict) for one in states if one.verdict is not Verdict.FREE]


def until(found: Crew, holds: Callable[[Supervised], bool]) -> Supervised:
    """Let the supervisor look until something holds of what it did."""
    for _ in range(6 * (TTL // SEC)):
        seen = found.look()
        if holds(seen):
            return seen
    pytest.fail("the supervisor has found nothing")


def by_name(errand: Errand, candidates: Any) -> Any:
    """Place an errand on the runner of its name."""
    return next((one for one in candidates if one.key.name == errand.name), None)


def switch(lab: Lab, **fields: Any) -> None:
    """Change fields of the errand."""
    errand = lab.store.get(Errand, "e")
    lab.store.update(errand.model_copy(update=fields))


def free_all(lab: Lab) -> None:
    """Free all errands, as if nobody had ever had them."""
    for errand in lab.store.list(Errand):
        lab.store.update(errand.model_copy(update={"runner": None, "recovery": Recovery()}))


def once(act: Callable[[], object]) -> Callable[[], None]:
    """Return what does something at its first call only."""
    done: list[object] = []

    def do() -> None:
        if not done:
            done.append(None)
            act()

    return do


def replace_lease(lab: Lab, *, is_taken_again: bool) -> None:
    """End the lease of the runner by the port alone, and let another one take it."""
    key = lease_of(RUNNER)
    record = lab.port.ask(Get((key,)))[key]
    lab.port.ask(Commit(f"{record.uid}-gone", deletes=(key,)))
    if is_taken_again:
        taken = replace(record, uid=f"{record.uid}-next")
        lab.port.ask(Beat({taken.uid: Heartbeat(key, 1, TTL)}))
        lab.port.ask(Commit(f"{taken.uid}-taken", {key: None}, puts=(taken,)))
