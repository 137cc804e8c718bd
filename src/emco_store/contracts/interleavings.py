"""Every schedule of two transactions: in none a reference dangles, and each outcome is that of some serial order.

One thread drives both transactions, so schedules are repeatable and nothing depends on luck. The idea is that of Martin
Kleppmann's Hermitage, which runs chosen schedules to show isolation levels; here all schedules of a pair are run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement
from typing import Any

from emco_store.contracts.harness import Bench, Lab, dangling_in, state_of
from emco_store.contracts.lifecycle_scripts import begin_with_lifecycles, scripts_of_lifecycles
from emco_store.contracts.operation_scripts import Operations
from emco_store.contracts.rules import rule
from emco_store.contracts.scripts import (
    Script,
    begin_with,
    begin_with_hierarchies,
    begin_with_values,
    scripts_for,
    scripts_of_hierarchies,
    scripts_of_values,
)
from emco_store.core.naming import LIFECYCLE, REVISION
from emco_store.core.records import Record
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, StoreError
from emco_store.ports import ReferrerQuery


@dataclass(frozen=True, slots=True)
class Ending:
    """How one transaction ended.

    Attributes:
        problem: The class of the error; None if it was committed.
        seen: What its steps returned.
    """

    problem: type[StoreError] | None
    seen: tuple[Any, ...]


@dataclass(slots=True)
class Actor:
    """One transaction under way."""

    script: Script
    block: AbstractContextManager[Any]
    tx: Any = None
    at: int = 0
    notes: dict[str, Any] = field(default_factory=dict)
    seen: list[Any] = field(default_factory=list)
    ending: Ending | None = None

    def advance(self) -> None:
        """Take the next step, or commit after the last one; do nothing if it has ended."""
        if self.ending is not None:
            return
        try:
            if self.tx is None:
                self.tx = self.block.__enter__()
            if self.at < len(self.script.steps):
                self.seen.append(self.script.steps[self.at](self.tx, self.notes))
                self.at += 1
                return
        except StoreError as problem:
            self._end(problem)
            return
        self._end(None)

    def _end(self, problem: StoreError | None) -> None:
        try:
            self.block.__exit__(*(sys.exc_info() if problem is not None else (None, None, None)))
        except StoreError as raised:
            problem = raised
        self.ending = Ending(None if problem is None else type(problem), tuple(self.seen) if problem is None else ())


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one run: how each transaction ended, and the state."""

    endings: tuple[Ending, ...]
    state: str


def schedules(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """Yield every order of ``first`` steps of one and ``second`` steps of another transaction."""
    total = first + second
    for places in combinations(range(total), first):
        yield tuple(0 if at in places else 1 for at in range(total))


def play(bench: Bench, begin: Callable[[Any], None], scripts: Sequence[Script], schedule: Sequence[int]) -> Result:
    """Run the scripts by the schedule on fresh data, and return the outcome."""
    with bench.lab() as lab:
        with lab.store.transaction() as tx:
            begin(tx)
        actors = [Actor(script, lab.open().transaction()) for script in scripts]
        for at in schedule:
            actors[at].advance()
        endings = tuple(actor.ending for actor in actors if actor.ending is not None)
        assert len(scripts) == len(endings)
        records = lab.records()
        check_integrity(lab, records)
        return Result(endings, repr(sorted(_compared(records).items())))


def _compared(records: Mapping[str, Record]) -> dict[str, tuple[int, Any]]:
    """Return the state without what differs in each run: the ids of operations, and revisions."""
    state = state_of(_without_revisions(records))
    for text, (_, document) in state.items():
        if records[text].key.kind == LIFECYCLE and "operation" in document:
            document["operation"] = "under way"
    return state


def _without_revisions(records: Mapping[str, Record]) -> Mapping[str, Record]:
    """Leave revisions out: the uid of their resource, which differs in each run, is in their keys."""
    return {text: record for text, record in records.items() if not record.key.kind.startswith(REVISION)}


def check_integrity(lab: Lab, records: Mapping[str, Record]) -> None:
    """Assert that every reference resolves and that the referrers found are those of the records."""
    assert [] == dangling_in(records)
    chosen = [edge for record in records.values() for edge in record.edges if edge.selection is not None]
    assert all(edge.selection and edge.selection.matches(edge.target) for edge in chosen)
    targets = {edge.target for record in records.values() for edge in record.edges} | {
        record.key for record in records.values()
    }
    for target in targets:
        wanted = sorted(text for text, record in records.items() if target in record.targets)
        assert wanted == [record.key.text for record in lab.port.ask(ReferrerQuery((target,))).referrers]


def check_pair(bench: Bench, begin: Callable[[Any], None], pair: tuple[Script, Script], alone: Sequence[Result]) -> int:
    """Assert that every schedule of the pair has the outcome of some serial order; return the number of schedules.

    A transaction that ended in ``Conflict`` counts as not run; one that runs after the other must not end so. One that
    ended in another error must end in the same error in that serial order. If two overlap, at least one must not end in
    ``Conflict``.

    Args:
        bench: The backend.
        begin: Creates the data.
        pair: The two transactions.
        alone: The outcome of each of them without the other.
    """
    first, second = (len(script.steps) + 1 for script in pair)
    orders = (0,) * first + (1,) * second, (1,) * second + (0,) * first
    serial = [play(bench, begin, pair, order) for order in orders]
    assert all(ending.problem is not Conflict for result in serial for ending in result.endings), serial
    overlapping = [schedule for schedule in schedules(first, second) if schedule not in orders]
    for schedule in overlapping:
        found = play(bench, begin, pair, schedule)
        lost = [ending.problem is Conflict for ending in found.endings]
        where = f"{pair[0].name} | {pair[1].name} as {''.join(map(str, schedule))}: {found}"
        assert not all(lost), where
        if any(lost):
            winner = lost.index(False)
            assert Result((found.endings[winner],), found.state) == alone[winner], where
        else:
            assert found in serial, where
    return len(serial) + len(overlapping)


def check_all(bench: Bench, begin: Callable[[Any], None], scripts: Sequence[Script]) -> None:
    """Run :func:`check_pair` for the pairs that the harness asks for, including each script with itself."""
    alone = [play(bench, begin, [script], (0,) * (len(script.steps) + 1)) for script in scripts]
    pairs = list(combinations_with_replacement(range(len(scripts)), 2))[:: bench.harness.stride]
    number = sum(check_pair(bench, begin, (scripts[one], scripts[two]), (alone[one], alone[two])) for one, two in pairs)
    assert number >= 6 * len(pairs) > 0, "each pair has six schedules at least"


class InterleavingRules:
    """All pairs of transactions, all schedules."""

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-1")
    def test_every_schedule_under_restrict_is_serial(self, lab: Lab) -> None:
        """Pairs around a target with referrers under RESTRICT end as in a serial order (OCC-1, OCC-4, OCC-10)."""
        check_all(lab.bench, begin_with(Rule.RESTRICT), scripts_for(Rule.RESTRICT))

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-2")
    def test_every_schedule_under_protect_is_serial(self, lab: Lab) -> None:
        """The same under PROTECT (OCC-1, OCC-4, OCC-10, DEL-2)."""
        check_all(lab.bench, begin_with(Rule.PROTECT), scripts_for(Rule.PROTECT))

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-3")
    def test_every_schedule_under_cascade_is_serial(self, lab: Lab) -> None:
        """The same under CASCADE (OCC-1, OCC-4, OCC-10, DEL-3)."""
        check_all(lab.bench, begin_with(Rule.CASCADE), scripts_for(Rule.CASCADE))

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-4")
    def test_every_schedule_under_set_null_is_serial(self, lab: Lab) -> None:
        """The same under SET_NULL (OCC-1, OCC-4, OCC-10, DEL-4)."""
        check_all(lab.bench, begin_with(Rule.SET_NULL), scripts_for(Rule.SET_NULL))

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-5")
    def test_every_schedule_under_set_default_is_serial(self, lab: Lab) -> None:
        """The same under SET_DEFAULT (OCC-1, OCC-4, OCC-10, DEL-5)."""
        check_all(lab.bench, begin_with(Rule.SET_DEFAULT), scripts_for(Rule.SET_DEFAULT))

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-6")
    def test_every_schedule_under_remove_is_serial(self, lab: Lab) -> None:
        """The same under REMOVE (OCC-1, OCC-4, OCC-10, DEL-6)."""
        check_all(lab.bench, begin_with(Rule.REMOVE), scripts_for(Rule.REMOVE))

    @rule("OCC-1", "OCC-4", "ID-1", "ID-5", "ID-6")
    def test_every_schedule_around_keys_and_values_is_serial(self, lab: Lab) -> None:
        """Pairs that compete for keys, unique values and lists end as in a serial order (OCC-1, ID-1, ID-5, ID-6)."""
        check_all(lab.bench, begin_with_values, scripts_of_values())

    @rule("OCC-1", "OCC-4", "OCC-10", "DEL-3")
    def test_every_schedule_in_a_hierarchy_is_serial(self, lab: Lab) -> None:
        """Pairs that meet in a cascade over several levels end as in a serial order (OCC-1, OCC-4, OCC-10, DEL-3)."""
        check_all(lab.bench, begin_with_hierarchies, scripts_of_hierarchies())

    @rule("LIF-3", "LIF-5", "LIF-6", "LIF-7", "LIF-10")
    def test_every_schedule_of_lifecycles_is_serial(self, lab: Lab) -> None:
        """Pairs of transitions, edits and deletes end as in a serial order (LIF-3, LIF-5, LIF-6, LIF-7, LIF-10)."""
        check_all(lab.bench, begin_with_lifecycles, scripts_of_lifecycles())

    @rule("LIF-3", "LIF-8")
    def test_every_schedule_of_operations_is_serial(self, lab: Lab) -> None:
        """Pairs of reports, of what gives an operation up and of edits end as in a serial order (LIF-3, LIF-8)."""
        operations = Operations()
        check_all(lab.bench, operations.begin, operations.scripts())
