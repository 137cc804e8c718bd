"""Two callers whose steps are taken in every order that their own orders allow."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from emco_store import Store, StoreError
from emco_store.contracts.faults import Kind, Moment
from emco_store.contracts.harness import Bench, Lab

Script = Callable[[Store], Iterator[None]]
"""What one caller does, as a generator that pauses wherever the other may come between."""
_ORDERS_FOR_A_PAIR = 20
"""So many orders take about as long as one pair of the suite in all of its schedules."""


@dataclass(frozen=True)
class Run:
    """One order, and how it ended.

    Attributes:
        lab: The data that it left.
        order: Who took each step: 0 or 1.
        errors: For each caller, the error that ended it, or None.
    """

    lab: Lab
    order: tuple[int, ...]
    errors: tuple[StoreError | None, StoreError | None]

    @property
    def winners(self) -> int:
        """How many of the two came to their end."""
        return self.errors.count(None)


def interleave(bench: Bench, given: Callable[[Store], object], left: Script, right: Script) -> Iterator[Run]:
    """Run two scripts in the orders of their steps, each time on fresh data and with two stores.

    In memory these are all orders; where a commit takes milliseconds, every second one.
    """
    lengths = [_length(bench, given, script) for script in (left, right)]
    total = sum(lengths)
    for places in list(combinations(range(total), lengths[0]))[:: bench.harness.every(_ORDERS_FOR_A_PAIR)]:
        order = tuple(0 if place in places else 1 for place in range(total))
        with bench.lab() as lab:
            given(lab.store)
            yield Run(lab, order, _take(order, left(lab.open()), right(lab.open())))


def _length(bench: Bench, given: Callable[[Store], object], script: Script) -> int:
    with bench.lab() as lab:
        given(lab.store)
        return sum(1 for _ in script(lab.open())) + 1


def _take(order: tuple[int, ...], *callers: Iterator[None]) -> tuple[StoreError | None, StoreError | None]:
    errors: list[StoreError | None] = [None, None]
    for who in order:
        try:
            next(callers[who], None)
        except StoreError as problem:
            errors[who] = problem
    return errors[0], errors[1]


def meanwhile(lab: Lab, kind: Kind, moment: Moment, call: Callable[[Any], Any]) -> list[StoreError]:
    """Let another store do something in the midst of the next request of that class, and give the error that it met."""
    other = lab.inside(lab.open())
    errors: list[StoreError] = []

    def act() -> Any:
        try:
            result = call(other)
        except StoreError as problem:
            errors.append(problem)
            return None
        return _awaited(result, errors) if inspect.isawaitable(result) else result

    lab.faults.do(kind, act, moment=moment)
    return errors


async def _awaited(result: Awaitable[Any], errors: list[StoreError]) -> None:
    try:
        await result
    except StoreError as problem:
        errors.append(problem)
