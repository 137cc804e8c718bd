"""What is aimed at, row by row, and whether the figures of one run reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Figures = Mapping[str, Any]
"""An item of the results file."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One bound.

    Attributes:
        other: A role, or how the name of a peer begins; ``peer`` means each of them.
        kind: ``time``, ``CPU``: our time, or our client's processor time, divided by theirs is at most the bound.
            ``throughput``: so many times theirs at least.
            ``ms``, ``us of CPU``, ``ms above`` and ``MiB above``: an amount, at most the bound. ``attempts``: a count.
        bound: The bound.
    """

    other: str
    kind: Literal["time", "CPU", "throughput", "ms", "us of CPU", "ms above", "MiB above", "attempts"]
    bound: float

    @property
    def text(self) -> str:
        """The goal for people."""
        return {
            "time": f"<= {self.bound:.2f} of the time",
            "CPU": f"<= {self.bound:.2f} of the client's CPU",
            "throughput": f">= {self.bound:g} x",
        }.get(self.kind, f"<= {self.bound:g} {self.kind}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal and what was measured.

    Attributes:
        ours: Our contender of the same colour.
        other: The other one, or nothing for an amount.
        value: The ratio or amount.
        low: The least in any round.
        high: The greatest.
        is_met: Whether the goal is reached.
        lacks: What the other one does not guarantee.
    """

    item: str
    goal: Goal
    ours: str
    other: str
    value: float
    low: float
    high: float
    is_met: bool
    lacks: str


RAW, BARE, PEER = "raw safe", "unguarded", "peer"
GOALS: Mapping[str, Sequence[Goal]] = {
    "mongo-create": (Goal(RAW, "time", 0.95), Goal("Beanie", "time", 1.25), Goal("MongoEngine", "time", 1)),
    "mongo-32-random": (Goal(RAW, "throughput", 2.5), Goal(BARE, "throughput", 1.3), Goal("Beanie", "throughput", 3)),
    "mongo-32-get": (Goal(RAW, "throughput", 4.5),),
    "mongo-32-hot": (Goal(RAW, "throughput", 10), Goal(BARE, "throughput", 4)),
    "mongo-4x8-hot": (Goal(RAW, "throughput", 5), Goal(BARE, "throughput", 1)),
    "mongo-6x1-hot": (Goal(RAW, "throughput", 1.5), Goal(BARE, "throughput", 0.5)),
    "mongo-cascade-fire": (Goal("", "ms", 200), Goal("", "attempts", 2)),
    "mongo-get": (Goal(RAW, "time", 1.10), Goal(PEER, "time", 1)),
    "redis-get": (Goal(RAW, "time", 1.10), Goal(PEER, "time", 1)),
    "mongo-get-followed": (Goal(RAW, "time", 1), Goal(PEER, "time", 1)),
    "redis-get-followed": (Goal(RAW, "time", 1),),
    "mongo-list": (Goal(RAW, "time", 1), Goal("Beanie", "throughput", 4), Goal("MongoEngine", "throughput", 20)),
    "redis-list": (Goal(RAW, "time", 1.1), Goal("redis-om", "throughput", 5)),
    "mongo-create-many": (Goal(RAW, "time", 1.8), Goal("Beanie", "throughput", 4)),
    "mongo-cascade-1000": (Goal(RAW, "time", 1.7), Goal("Beanie", "throughput", 20)),
    "mongo-cascade-10000": (Goal(RAW, "time", 1.7),),
    "mongo-update": (
        Goal(RAW, "time", 1.05),
        Goal("Beanie", "time", 0.8),
        Goal("MongoEngine", "time", 1),
        Goal("ODMantic", "time", 1),
    ),
    "mongo-32-get-followed": (Goal(RAW, "throughput", 4.5),),
    "mongo-list-kept": (Goal(RAW, "time", 0.35),),
    "mongo-hot-record": (Goal(RAW, "throughput", 1.6), Goal("Beanie", "throughput", 3)),
    "redis-create": (Goal(RAW, "time", 1.4), Goal("redis-om", "throughput", 1.5)),
    "redis-32-random": (Goal(RAW, "throughput", 1.1), Goal("redis-om", "throughput", 3)),
    "memory-create": (Goal("", "us of CPU", 35),),
    "memory-get": (Goal("", "us of CPU", 8),),
    "memory-update": (Goal("", "us of CPU", 30),),
    **{
        f"lifecycle-{work}-{server}": goals
        for server in ("memory", "redis", "mongo")
        for work, goals in {
            "create": (Goal("without", "CPU", 1.10),),
            "update": (Goal("without", "CPU", 1.10),),
            "move": (Goal("get and update", "CPU", 1.10), Goal(RAW, "time", 1.10)),
            "approve-10": (Goal("cascade", "time", 1.3), Goal("cascade", "CPU", 1.3), Goal(RAW, "time", 1.25)),
            "approve-1000": (Goal("cascade", "time", 1.3), Goal("cascade", "CPU", 1.3), Goal(RAW, "time", 1.25)),
            "history": (Goal("20 children", "CPU", 1), Goal(RAW, "time", 1.10)),
            "rollback": (Goal("transaction", "CPU", 1),),
        }.items()
    },
    **{
        f"{work}-{server}": (Goal(RAW, "time", 1.10),)
        for server in ("redis", "mongo")
        for work in ("lease-beat", "lease-beats", "lease-commit", "feed-event")
    },
    "lifecycle-digest-small": (Goal("", "us of CPU", 15), Goal(RAW, "CPU", 1)),
    "lifecycle-digest-dense": (Goal("", "us of CPU", 15), Goal(RAW, "CPU", 1)),
    "lifecycle-digest-1kb": (Goal("", "us of CPU", 15), Goal(RAW, "CPU", 1)),
    "import-mongo": (Goal("driver alone", "ms above", 150), Goal("driver alone", "MiB above", 30)),
    "import-redis": (Goal("driver alone", "ms above", 150), Goal("driver alone", "MiB above", 30)),
}


def verdicts(items: Sequence[Figures]) -> list[Verdict]:
    """Judge every goal whose contenders were measured."""
    return [verdict for item in items for goal in GOALS.get(item["name"], ()) for verdict in _judge(item, goal)]


def _judge(item: Figures, goal: Goal) -> Iterator[Verdict]:
    measured = [one for one in item["contenders"] if one["seconds"] is not None]
    for other in [one for one in measured if _is_meant(one, goal)] if goal.other else [None]:
        # A coroutine is compared with a coroutine, and a blocking call with a blocking call.
        colours = [other["colour"]] if other else ["sync", "async"]
        ours = [one for colour in colours for one in measured if one["role"] == "ours" and one["colour"] == colour]
        if ours:
            values = list(_values(goal, ours[0], other))
            value = _value(goal, ours[0], other)
            is_met = value >= goal.bound if goal.kind == "throughput" else value <= goal.bound
            name, lacks = (other["name"], other["lacks"]) if other else ("", "")
            yield Verdict(item["name"], goal, ours[0]["name"], name, value, min(values), max(values), is_met, lacks)


def _is_meant(contender: Figures, goal: Goal) -> bool:
    if goal.other in {RAW, BARE, PEER}:
        return bool(contender["role"] == goal.other)
    return str(contender["name"]).startswith(goal.other)


def _value(goal: Goal, ours: Figures, other: Figures | None) -> float:
    """Compare medians."""
    theirs = other or {}
    if goal.kind in {"time", "CPU"}:
        of = "seconds" if goal.kind == "time" else "cpu_seconds"
        return float(ours[of] / theirs[of])
    if goal.kind == "throughput":
        return float(theirs["seconds"] / ours["seconds"])
    if goal.kind == "ms above":
        return float(ours["seconds"] - theirs["seconds"]) * 1e3
    if goal.kind == "MiB above":
        return float(ours["notes"]["mib"] - theirs["notes"]["mib"])
    if goal.kind == "attempts":
        return float(ours["notes"]["attempts"])
    return float(ours["seconds"] * 1e3 if goal.kind == "ms" else ours["cpu_seconds"] * 1e6)


def _values(goal: Goal, ours: Figures, other: Figures | None) -> Iterator[float]:
    """Compare round by round."""
    rounds = other["rounds"] if other else ours["rounds"]
    for mine, theirs in zip(ours["rounds"], rounds, strict=False):
        yield _value(goal, _of_round(mine), _of_round(theirs))


def _of_round(sample: Figures) -> dict[str, Any]:
    count = max(1, sample["operations"])
    return {"seconds": sample["wall_s"] / count, "cpu_seconds": sample["cpu_s"] / count, "notes": sample}
