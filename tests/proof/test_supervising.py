"""Supervisors in virtual time: workers and supervisors die, clocks step, and each failure is counted once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from emco_store import Backoff, Key, Recovery
from emco_store.core.supervising import Decision, Scene, Standing, decide, least_loaded

SEC = timedelta(seconds=1)
TTL_S, GAP_S, SECONDS = 15, 17, 900
MOST_S = 20
SEEDS = range(10)
WORKERS = [Key("Worker", name) for name in "abcde"]
REGIONS = [[Key("Operator", f"{region}{number}") for number in range(3)] for region in "xyz"]


class Named:
    """A worker or an operator as far as decisions look at it."""

    def __init__(self, key: Key) -> None:
        self.key = key


class World:
    """One run: a second is a step; a seed decides everything."""

    def __init__(self, seed: int, *, steps_clock: bool) -> None:
        self.random = Random(seed)
        self.steps_clock = steps_clock
        self.now_s = 0
        self.ahead = timedelta(0)
        self.leases: dict[Key, str] = {}
        self.dies_s: dict[Key, int] = {}
        self.operators = {
            key: Standing(key, None, Recovery(), is_stopped=False, value=Named(key)) for keys in REGIONS for key in keys
        }
        self.leads_s = 0
        self.counts: Counter[str] = Counter()
        self.uncounted: set[Key] = set()
        self.free_since: dict[Key, int] = {}
        self.paused: dict[Key, tuple[int, float]] = {}
        self.longest_free_s = 0

    @property
    def at(self) -> datetime:
        """The server's time."""
        return datetime(2030, 1, 1, tzinfo=UTC) + self.now_s * SEC + self.ahead

    def run(self) -> Counter[str]:
        """Run to the end, and look at everything after each step."""
        while self.now_s < SECONDS:
            self.now_s += 1
            self.live()
            self.supervise()
            self.look()
        return self.counts

    def live(self) -> None:
        """Let workers come and die, the leases of the dead end, and the clock step."""
        for key in WORKERS:
            if key in self.leases:
                if key not in self.dies_s and self.random.random() < 0.004:
                    self.dies_s[key] = self.now_s
                if key in self.dies_s and self.now_s - self.dies_s[key] > TTL_S:
                    self.end(key)
            elif self.random.random() < 0.1:
                self.counts["leases"] += 1
                self.leases[key] = f"lease-{self.counts['leases']}"
        if self.steps_clock and self.random.random() < 0.01:
            self.ahead += self.random.choice([-3600, -60, -1, 1, 60, 3600]) * SEC
        if self.random.random() < 0.02:  # the supervisor dies, and the next one needs its time
            self.counts["deaths of supervisors"] += 1
            self.leads_s = self.now_s + self.random.randint(1, GAP_S)

    def end(self, worker: Key) -> None:
        """End a lease, and do what on_expire says, in one step."""
        del self.leases[worker], self.dies_s[worker]
        for key, one in self.operators.items():
            if one.worker == worker:
                self.operators[key] = one._replace(worker=None)
                self.uncounted.add(key)
                self.counts["ends"] += 1

    def supervise(self) -> None:
        """Look once; a supervisor may die between two regions, and what it has read may be old."""
        if self.now_s < self.leads_s:
            return
        alive = {key: (Named(key), lease) for key, lease in self.leases.items() if not self.is_silent(key)}
        loads = Counter(one.worker for one in self.operators.values() if one.worker is not None)
        scene = Scene(self.at, alive, held=dict(self.leases), loads=loads)
        for keys in REGIONS:
            if self.random.random() < 0.01:
                self.leads_s = self.now_s + self.random.randint(1, GAP_S)
                return
            members = [self.operators[key] for key in keys]
            decision = decide(members, scene, Backoff("2s", factor=2, most=MOST_S * SEC, reset="2m"), least_loaded)
            scene = scene.after(decision)
            self.write(keys, decision)

    def is_silent(self, worker: Key) -> bool:
        """Return whether a worker has died long enough ago for others to suspect it."""
        return worker in self.dies_s and self.now_s - self.dies_s[worker] > TTL_S * 2 // 3

    def write(self, keys: list[Key], decision: Decision) -> None:
        """Carry a decision out in one step."""
        assert set(decision.failed) == self.uncounted & set(keys) if decision.failed else True
        self.counts["failures"] += len(decision.failed)
        self.uncounted -= set(decision.failed)
        for change in decision.changes:
            recovery = change.recovery
            self.operators[change.key] = self.operators[change.key]._replace(worker=change.worker, recovery=recovery)
            if decision.failed and recovery.not_before is not None and recovery.since is not None:
                self.paused[change.key] = self.now_s, (recovery.not_before - recovery.since).total_seconds()
        for key, worker in decision.assigned:
            assert self.operators[key].recovery.lease == self.leases[worker]
            assert not self.is_silent(worker)
            since_s, pause_s = self.paused.pop(key, (0, 0.0))
            assert self.steps_clock or self.now_s - since_s >= pause_s
            self.counts["assignments"] += 1
        assert self.counts["assignments"] == sum(one.recovery.attempts for one in self.operators.values())

    def look(self) -> None:
        """Check that a region runs whole or not at all, and that nothing is free for longer than it may be."""
        for keys in REGIONS:
            running = [key for key in keys if self.operators[key].worker is not None]
            assert len(running) in {0, len(keys)} or self.uncounted & set(keys), self.now_s
        has_workers = any(key not in self.dies_s for key in self.leases)
        for key, one in self.operators.items():
            if one.worker is not None or not has_workers:
                self.free_since[key] = self.now_s
            self.longest_free_s = max(self.longest_free_s, self.now_s - self.free_since.setdefault(key, self.now_s))


@pytest.mark.parametrize("seed", SEEDS)
def test_work_goes_on_and_each_failure_is_counted_once(seed):
    """SUP-6, SUP-7: Each end is one failure, no back-off is cut short, and work is not free for longer."""
    world = World(seed, steps_clock=False)

    counts = world.run()

    assert counts["ends"] == counts["failures"] + len(world.uncounted)
    assert min(counts["failures"], counts["assignments"], counts["deaths of supervisors"]) > 3
    assert world.longest_free_s <= MOST_S + 4 * GAP_S


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_of_the_clock_keep_no_work_free(seed):
    """SUP-6: Whatever the server's clock does, a back-off lasts at most twice as long, and no failure is lost."""
    world = World(1000 + seed, steps_clock=True)

    counts = world.run()

    assert counts["ends"] == counts["failures"] + len(world.uncounted)
    assert world.longest_free_s <= 2 * MOST_S + 4 * GAP_S


def test_back_off_that_trusts_the_clock_keeps_work_free(monkeypatch):
    """The negative control: without a bound, a clock that is set back keeps work free for as long."""
    monkeypatch.setattr(Recovery, "is_waiting", lambda one, at: one.not_before is not None and at < one.not_before)
    longest = []
    for seed in SEEDS:
        world = World(1000 + seed, steps_clock=True)
        world.run()
        longest.append(world.longest_free_s)

    assert max(longest) > 2 * MOST_S + 4 * GAP_S
