"""Leases in virtual time: holders that beat, a server, an observer that judges, and everything that misleads it.

A seed decides everything. ``python -m proof.simulated_leases --beats 1000000`` runs many seeds, and then the same
faults with rules that are known to be wrong, as negative controls. A lease that is ended while its holder lives is a
false end; SUP-3 says when a dead one is found at the latest, and each death is held against it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

from emco_store.core.judging import SECOND_US, TOLERANCE, Poll
from emco_store.core.keys import Key
from emco_store.core.pulses import Pulse
from proof.simulated_judges import TTL_S, ByAnyServer, BySuccessivePolls, OwnClock, Proposed, ServerClock, without_watch

POLLS_S: Final = (1.0, 0.25)
FAULTS: Final = ("forward", "back", "wrong", "outage", "cut off", "stopped", "failover", "new observer")
_LATENCY_S: Final = 0.02
_TRIES_S: Final = TTL_S / 15
_LOST: Final = 0.05
_LEASE: Final = Key.parse("Worker/w")


@dataclass(slots=True)
class Holder:
    """One holder of a lease."""

    uid: str
    number: int = 0
    died_s: float | None = None
    found_s: float | None = None
    is_over: bool = False


@dataclass(slots=True)
class Counts:
    """What a run has counted.

    Attributes:
        beats: Beats that arrived.
        deaths: Holders that died long enough before the end.
        false_ends: Leases that were ended while their holder lived.
        late: Deaths that were found later than SUP-3 allows, or not at all.
        worst_calm_s: The longest time from a death to its discovery while nothing disturbed the observer.
        worst_s: The longest time from a death, or from the end of what disturbed the observer after it, if later.
        faults: How often each fault struck.
    """

    beats: int = 0
    deaths: int = 0
    false_ends: int = 0
    late: list[str] = field(default_factory=list[str])
    worst_calm_s: float = 0.0
    worst_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter[str])
    found_s: list[float] = field(default_factory=list[float])

    def add(self, other: Counts) -> None:
        """Add another run."""
        self.beats += other.beats
        self.deaths += other.deaths
        self.false_ends += other.false_ends
        self.late += other.late
        self.worst_calm_s = max(self.worst_calm_s, other.worst_calm_s)
        self.worst_s = max(self.worst_s, other.worst_s)
        self.faults += other.faults
        self.found_s += other.found_s


class Clock:
    """A clock that advances at a rate, and may be set or made to run wrong."""

    def __init__(self, start_s: float, rate: float) -> None:
        self._base_s, self._at_s = start_s, 0.0
        self._rate = self._own_rate = rate

    def us(self, now_s: float) -> int:
        """Return what it shows."""
        return round((self._base_s + (now_s - self._at_s) * self._rate) * SECOND_US)

    def step(self, now_s: float, by_s: float) -> None:
        """Set it forward or back."""
        self._base_s += (now_s - self._at_s) * self._rate + by_s
        self._at_s = now_s

    def run(self, now_s: float, rate: float | None) -> None:
        """Make it run at another rate; None for its own."""
        self.step(now_s, 0.0)
        self._rate = self._own_rate if rate is None else rate


class World:
    """One run.

    Args:
        seed: The seed.
        rule: Makes the rule of an observer.
        holders: Number of holders at any time.
        seconds: How long, in virtual time.
        faults: What may go wrong; one of them begins about every three TTLs.
    """

    def __init__(
        self, seed: int, rule: Callable[[], Any] = Proposed, *, holders: int = 60, seconds: float = 600.0,
        faults: Sequence[str] = FAULTS,
    ) -> None:  # fmt: skip
        self.random = random = Random(seed)  # noqa: S311 - a seed repeats the run
        self.counts = Counts()
        self._make, self._rule = rule, rule()
        self._end_s, self._now_s = seconds, 0.0
        self._faults = faults
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._uids = count()
        self._server = Clock(1.7e9, 1 + random.uniform(-0.02, 0.02))
        self._poll_s = random.choice(POLLS_S)
        self._own = Clock(random.uniform(0, 1e6), 1 + random.uniform(-0.02, 0.02))
        self._down_until_s = self._cut_until_s = self._stopped_until_s = 0.0
        self._holders: dict[str, Holder] = {}
        self._all: list[Holder] = []
        self._pulses: dict[str, tuple[int, int]] = {}
        self._failovers = 0
        self._journal: list[tuple[float, str, tuple[int, int] | None]] = []
        self._disturbed: list[tuple[float, float]] = [(0.0, 0.0)]
        for _ in range(holders):
            self._begin(random.uniform(0, TTL_S / 3))
        self._at(0.5, self._poll, 0)
        self._observer = 0
        if faults:
            self._at(random.uniform(1, 3) * TTL_S, self._fault)
        self._at(random.expovariate(1 / (2 * TTL_S)), self._kill)

    def run(self) -> Counts:
        """Run to the end."""
        while self._events:
            at_s, _, call, given = heappop(self._events)
            if at_s > self._end_s:
                break
            self._now_s = at_s
            call(*given)
        for holder in self._all:
            self._hold_against(holder)
        return self.counts

    def _at(self, at_s: float, call: Callable[..., None], *given: Any) -> None:
        heappush(self._events, (at_s, next(self._order), call, given))

    # holders

    def _begin(self, at_s: float) -> None:
        holder = Holder(f"u{next(self._uids)}")
        self._holders[holder.uid] = holder
        self._all.append(holder)
        self._at(at_s, self._send, holder)

    def _send(self, holder: Holder) -> None:
        """Send the next beat, the number of which counts whether it arrives or not."""
        if holder.died_s is not None or holder.is_over:
            return
        holder.number += 1
        is_lost = self._now_s < self._down_until_s or self.random.random() < _LOST
        if not is_lost:
            self._at(self._now_s + self.random.expovariate(1 / _LATENCY_S), self._arrive, holder, holder.number)
        pause_s = _TRIES_S if is_lost else TTL_S / 3 * self.random.uniform(0.8, 1.0)
        self._at(self._now_s + pause_s, self._send, holder)

    def _arrive(self, holder: Holder, number: int) -> None:
        if self._now_s < self._down_until_s or holder.is_over:
            return
        before = self._pulses.get(holder.uid)
        if before is None or number > before[0]:
            self._journal.append((self._now_s, holder.uid, before))
            self._pulses[holder.uid] = (number, self._server.us(self._now_s))
            self.counts.beats += 1

    def _kill(self) -> None:
        """Kill one holder, some of them, or nearly all; others begin in their place."""
        living = [holder for holder in self._holders.values() if holder.died_s is None]
        share = self.random.choice([0, 0, 0, 0, 0, 0.1, 0.4, 0.9])
        for holder in self.random.sample(living, min(len(living), max(1, int(share * len(living))))):
            if holder.uid in self._pulses:
                holder.died_s = self._now_s
                self._begin(self._now_s + self.random.uniform(0, 2 * TTL_S))
        self._at(self._now_s + self.random.expovariate(1 / (2 * TTL_S)), self._kill)

    # the observer

    def _poll(self, observer: int) -> None:
        if observer != self._observer:
            return
        if self._now_s < self._stopped_until_s:
            self._at(self._stopped_until_s, self._poll, observer)
            return
        sent_s, sent_us = self._now_s, self._own.us(self._now_s)
        reads_s = sent_s + self.random.expovariate(1 / _LATENCY_S)
        self._at(reads_s, self._read, observer, sent_us)

    def _read(self, observer: int, sent_us: int) -> None:
        if self._now_s < max(self._down_until_s, self._cut_until_s):
            self._at(self._now_s + 2 * self._poll_s, self._poll, observer)  # no answer came
            return
        at_us = self._server.us(self._now_s)
        is_whole = self._rule.wants_all
        pulses = tuple([
            Pulse(uid, _LEASE, number, timedelta(seconds=TTL_S), beaten_us)
            for uid, (number, beaten_us) in self._pulses.items()
            if is_whole or at_us - beaten_us >= TTL_S * SECOND_US
        ])  # fmt: skip
        back_s = self._now_s + self.random.expovariate(1 / _LATENCY_S)
        self._at(back_s, self._answered, observer, Poll(sent_us, 0, at_us, f"{self._failovers}", pulses, is_whole))

    def _answered(self, observer: int, poll: Poll) -> None:
        if observer != self._observer:
            return
        if self._now_s < self._stopped_until_s:
            self._at(self._stopped_until_s, self._answered, observer, poll)
            return
        answer = self._rule(poll._replace(received_us=self._own.us(self._now_s)))
        for uid in answer.dead:
            holder = self._holders.get(uid)
            if holder and holder.died_s is not None and holder.found_s is None:
                holder.found_s = self._now_s
        for uid, number in answer.ends:
            self._at(self._now_s + self.random.expovariate(1 / _LATENCY_S), self._commit, uid, number)
        self._at(self._now_s + (0 if answer.at_once else self._poll_s), self._poll, observer)

    def _commit(self, uid: str, number: int) -> None:
        """End a lease, if no further beat has come; it may arrive long after the observer has judged."""
        if self._now_s < self._stopped_until_s:
            self._at(self._stopped_until_s, self._commit, uid, number)
            return
        holder = self._holders.get(uid)
        if self._now_s < max(self._down_until_s, self._cut_until_s) or holder is None or uid not in self._pulses:
            return
        if self._pulses[uid][0] > number:
            return
        if holder.died_s is None:
            self.counts.false_ends += 1
            self._begin(self._now_s + 0.1)
        holder.is_over = True
        del self._pulses[uid], self._holders[uid]

    # what goes wrong

    def _fault(self) -> None:
        fault = self.random.choice(self._faults)
        self.counts.faults[fault] += 1
        lasts_s = getattr(self, f"_{fault.replace(' ', '_')}")()
        self._disturbed.append((self._now_s, self._now_s + lasts_s))
        # At times one follows while the one before has not been digested.
        self._at(self._now_s + lasts_s + self.random.choice([0.1, 0.5, 1, 3, 5]) * TTL_S, self._fault)

    def _forward(self) -> float:
        self._server.step(self._now_s, self.random.choice([0.5, 2, 10, 14, 60, 3600]) * self.random.uniform(0.5, 1.5))
        return 0.0

    def _back(self) -> float:
        self._server.step(self._now_s, -self.random.choice([0.5, 2, 10, 14, 60, 3600]) * self.random.uniform(0.5, 1.5))
        return 0.0

    def _wrong(self) -> float:
        """Make the server's clock run wrong, as one that is slewed, or one of a machine that was suspended."""
        lasts_s = self.random.uniform(1, 2 * TTL_S)
        self._server.run(self._now_s, self.random.choice([0.1, 0.5, 0.9, 1.1, 1.5, 1.9, 3.0]))
        self._at(self._now_s + lasts_s, lambda: self._server.run(self._now_s, None))
        return lasts_s

    def _outage(self) -> float:
        lasts_s = self.random.uniform(0.1, 4 * TTL_S)
        self._down_until_s = self._now_s + lasts_s
        return lasts_s

    def _cut_off(self) -> float:
        lasts_s = self.random.uniform(0.1, 4 * TTL_S)
        self._cut_until_s = self._now_s + lasts_s
        return lasts_s

    def _stopped(self) -> float:
        """Stop the observer, wherever it is; its own clock stops too where the whole machine does."""
        lasts_s = self.random.uniform(0.1, 4 * TTL_S)
        self._stopped_until_s = self._now_s + lasts_s
        if self.random.random() < 0.5:
            self._own.run(self._now_s, 0.0)
            self._at(self._stopped_until_s, lambda: self._own.run(self._now_s, None))
        return lasts_s

    def _failover(self) -> float:
        """Go on with a server that has not seen the newest beats, and has another clock; often at once."""
        self._failovers += 1
        forgotten_s = self.random.uniform(0, TTL_S)
        while self._journal and self._journal[-1][0] > self._now_s - forgotten_s:
            _, uid, before = self._journal.pop()
            if uid in self._pulses:
                if before is None:
                    continue  # the commit that took the lease has survived, and so has the first beat before it
                self._pulses[uid] = before
        self._server.step(self._now_s, self.random.choice([0.0, 0.3, 3, 20]) * self.random.uniform(-1, 1))
        lasts_s = self.random.choice([0.1, 1, 4, 10]) * self.random.uniform(0.5, 1.0)
        self._down_until_s = self._now_s + lasts_s
        return lasts_s

    def _new_observer(self) -> float:
        self._rule = self._make()
        self._observer += 1
        self._at(self._now_s, self._poll, self._observer)
        return 0.0

    # SUP-3

    def _hold_against(self, holder: Holder) -> None:
        """Hold the discovery of a death against what SUP-3 promises."""
        if holder.died_s is None:
            return
        slack_s = TTL_S / TOLERANCE + 2 * self._poll_s
        seen_s = self._end_s if holder.found_s is None else holder.found_s
        near = [(a, b) for a, b in self._disturbed if a < seen_s and b > holder.died_s - 1.1 * TTL_S]
        if near:
            since_s, bound_s = max(holder.died_s, *(b for _, b in near)), 2 * TTL_S + slack_s
        else:
            since_s, bound_s = holder.died_s, TTL_S + slack_s
        if holder.found_s is None and self._end_s - since_s < bound_s:
            return
        self.counts.deaths += 1
        took_s = seen_s - since_s
        if near:
            self.counts.worst_s = max(self.counts.worst_s, took_s)
        else:
            self.counts.worst_calm_s = max(self.counts.worst_calm_s, took_s)
            self.counts.found_s.append(took_s)
        if took_s > bound_s:
            self.counts.late.append(f"{holder.uid} died at {holder.died_s:.1f}, found {holder.found_s}, {near}")


RULES: Final[dict[str, Callable[[], Any]]] = {
    "as proposed": Proposed,
    "without (b)": without_watch,
    "successive polls only": BySuccessivePolls,
    "whichever server answers": ByAnyServer,
    "own clock, as client-go": OwnClock,
    "plain TTL, by the server's clock": ServerClock,
}


def played(rule: Callable[[], Any], *, beats: int, first_seed: int = 0, **world: Any) -> Counts:
    """Run one seed after another until that many beats have arrived, and return what was counted."""
    counts = Counts()
    for seed in count(first_seed):
        counts.add(World(seed, rule, **world).run())
        if counts.beats >= beats:
            break
    return counts


def main() -> int:
    """Run from the command line; exit code 1 if a live lease was ended, or a dead one was found late."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--beats", type=int, default=1_000_000, help="beats of the rule as proposed")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    exit_code = 0
    for name, rule in RULES.items():
        beats = options.beats if rule is Proposed else options.beats // 10
        counts = played(rule, beats=beats, first_seed=options.seed)
        found_s = sorted(counts.found_s)
        median_s = found_s[len(found_s) // 2] if found_s else 0.0
        sys.stdout.write(
            f"{name}: {counts.beats:,} beats, {sum(counts.faults.values()):,} faults, "
            f"{counts.false_ends:,} false ends; {counts.deaths:,} deaths, {len(counts.late):,} found late; "
            f"found after {median_s:.1f} s (median), {counts.worst_calm_s:.1f} s at most, "
            f"{counts.worst_s:.1f} s after what disturbed\n"
        )
        if rule is Proposed and (counts.false_ends or counts.late):
            sys.stdout.write("".join(f"  {text}\n" for text in counts.late[:20]))
            exit_code = 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
