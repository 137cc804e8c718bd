"""Every pair of transactions, in every order of their requests to the backend.

Each transaction runs in a thread that stops before each request and waits for its turn. There is one turn at a time, so
a schedule is exact and repeatable on any backend. All schedules of a pair are found by going back to the last turn that
could have been the other's, as stateless model checkers do.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, Final, TypeVar

from emco_store.connect import connect
from emco_store.contracts.harness import AT_ONCE, CountedIds, SetClock
from emco_store.contracts.interleavings import Ending, Result
from emco_store.contracts.lifecycle_scripts import begin_with_lifecycles, scripts_of_lifecycles
from emco_store.contracts.scripts import (
    begin_with,
    begin_with_hierarchies,
    begin_with_values,
    renames_for,
    scripts_for,
    scripts_of_hierarchies,
    scripts_of_values,
)
from emco_store.contracts.status_scripts import begin_with_status, begin_without_status, scripts_of_statuses
from emco_store.core.documents import decode
from emco_store.core.naming import LIFECYCLE, REVISION, REVISION_PART
from emco_store.core.records import Record
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, StoreError
from emco_store.ports import AsyncPort, Commit, Port, PortWrapper, Receipt, ReferrerQuery, Request
from proof.lifecycle_pairs import (
    OPERATIONS,
    ROLLBACKS,
    Begin,
    Call,
    Player,
    scripts_of_operations,
    scripts_of_rollbacks,
)
from proof.races import dangling, scan_all
from proof.rig import Rig

T = TypeVar("T")
_WITHIN_S: Final = 120.0
_EXAMPLES: Final = 10
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Family:
    """Transactions around the same few resources.

    Attributes:
        name: For the report.
        begins: Create the data, in one transaction each.
        scripts: The transactions; each runs against each, including itself.
    """

    name: str
    begins: tuple[Begin, ...]
    scripts: tuple[Player, ...]

    def pairs(self) -> Iterator[tuple[Player, Player]]:
        """Yield the pairs."""
        return combinations_with_replacement(self.scripts, 2)


def families() -> tuple[Family, ...]:
    """Return all families: one for each delete rule, keys and values, cascades, lifecycles, rollbacks, statuses."""
    ruled = (Family(str(rule), (begin_with(rule),), scripts_for(rule) + renames_for(rule)) for rule in Rule)
    return (
        *ruled,
        Family("keys and values", (begin_with_values,), scripts_of_values()),
        Family("hierarchies", (begin_with_hierarchies,), scripts_of_hierarchies()),
        Family("lifecycles", (begin_with_lifecycles,), scripts_of_lifecycles()),
        Family("operations", OPERATIONS, scripts_of_operations()),
        Family("rollbacks", ROLLBACKS, scripts_of_rollbacks()),
        Family("first statuses", (begin_without_status,), scripts_of_statuses()),
        Family("later statuses", (begin_with_status,), scripts_of_statuses()),
    )


@dataclass(slots=True)
class Tally:
    """The outcomes of many schedules.

    Attributes:
        pairs: Number of pairs of transactions of which all schedules were run.
        schedules: Number of schedules.
        requests: Number of requests to the backend in them.
        outcomes: How the two transactions ended, and how often.
        dangling: Number of schedules after which a reference dangled.
        unexplained: Number of schedules with an outcome of no serial order, dangling or not.
        examples: Some of them.
    """

    pairs: int = 0
    schedules: int = 0
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    dangling: int = 0
    unexplained: int = 0
    examples: list[str] = field(default_factory=list[str])


class _Gate:
    """One transaction under way, in its own thread."""

    def __init__(self) -> None:
        self._arrived = threading.Semaphore(0)
        self._granted = threading.Semaphore(0)
        self.has_ended = False

    def wait(self) -> None:
        """Wait before a request until it is the turn of this transaction; called by its thread."""
        self._arrived.release()
        self._granted.acquire()

    def end(self) -> None:
        """Signal that there will be no more requests; called by its thread."""
        self.has_ended = True
        self._arrived.release()

    def settle(self) -> None:
        """Wait until the transaction is before its next request, or has ended."""
        if not self._arrived.acquire(timeout=_WITHIN_S):
            message = f"a transaction made no step within {_WITHIN_S:.0f} s"
            raise TimeoutError(message)

    def grant(self) -> None:
        """Let it make one request, and wait until it is before the next."""
        self._granted.release()
        self.settle()


class _GatedPort(PortWrapper):
    """A port whose requests wait for their turn if there is a gate."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.gate: _Gate | None = None

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        if self.gate is not None:
            self.gate.wait()
        return super().ask(request)


class _GatedBackend:
    """A backend with one gated port."""

    def __init__(self, port: _GatedPort) -> None:
        self._port = port

    def port(self, namespace: str) -> Port:  # noqa: ARG002 - it was opened there
        """Return the port."""
        return self._port

    def async_port(self, namespace: str) -> AsyncPort:
        """Refuse: only threads take turns."""
        raise NotImplementedError(namespace)


class Stage:
    """Two stores on one namespace whose requests run in a given order.

    Args:
        rig: The backend, sound or broken.
        namespace: The namespace; everything in it is deleted before each schedule.
    """

    def __init__(self, rig: Rig, namespace: str) -> None:
        self._settings: dict[str, Any] = {
            "namespace": namespace, "clock": SetClock(), "ids": CountedIds(namespace), "retry": AT_ONCE,
        }  # fmt: skip
        self.port = rig.backend.port(namespace)
        self.port.open()
        self.store = connect(rig.backend, **self._settings)
        self._gated = [_GatedPort(rig.backend.port(namespace)) for _ in range(2)]
        self._stores = [connect(_GatedBackend(port), **self._settings) for port in self._gated]
        self._empty = rig.empty
        self._wiped = 0

    def close(self) -> None:
        """Close everything."""
        for store in (*self._stores, self.store):
            store.close()
        self.port.close()

    def wipe(self) -> None:
        """Delete everything."""
        if self._empty is not None:
            self._empty(self._settings["namespace"])
            return
        there = tuple(record.key for record in scan_all(self.port).values())
        self._wiped += 1
        if there:
            reply = self.port.ask(Commit(f"{self._settings['namespace']}-wipe-{self._wiped}", deletes=there))
            if not isinstance(reply, Receipt):
                message = f"the stage could not be wiped: {reply}"
                raise TypeError(message)

    def play(
        self, begins: Sequence[Begin], scripts: Sequence[Player], turns: Sequence[int]
    ) -> tuple[Result, list[str], list[tuple[int, bool]]]:
        """Run the transactions on fresh data.

        Args:
            begins: Create the data, in one transaction each.
            scripts: One or two transactions.
            turns: Whose turn each of the first turns is; after them all turns of the first transaction come before
                those of the second.

        Returns:
            The outcome, what is wrong with the state, and for each turn whose it was and whether it could have been the
            second's instead.
        """
        self.wipe()
        for begin in begins:
            with self.store.transaction() as tx:
                begin(tx)
        gates = [_Gate() for _ in scripts]
        endings: list[Ending | BaseException | None] = [None] * len(scripts)
        threads = [
            threading.Thread(target=self._perform, args=(at, script, gates[at], endings), daemon=True)
            for at, script in enumerate(scripts)
        ]
        for thread, gate in zip(threads, gates, strict=True):
            thread.start()
            gate.settle()
        taken: list[tuple[int, bool]] = []
        while waiting := [at for at, gate in enumerate(gates) if not gate.has_ended]:
            wanted = turns[len(taken)] if len(taken) < len(turns) else waiting[0]
            at = wanted if wanted in waiting else waiting[0]
            taken.append((at, at == 0 and 1 in waiting))
            gates[at].grant()
        for thread in threads:
            thread.join()
        for port in self._gated:
            port.gate = None
        problems, state = self._look()
        return Result(tuple(map(_ended, endings)), state), problems, taken

    def _perform(self, at: int, script: Player, gate: _Gate, endings: list[Any]) -> None:
        self._gated[at].gate = gate
        seen: list[Any] = []
        notes: dict[str, Any] = {}
        try:
            if isinstance(script, Call):
                seen.append(script.does(self._stores[at]))
            else:
                with self._stores[at].transaction() as tx:
                    seen += [step(tx, notes) for step in script.steps]
            endings[at] = Ending(None, tuple(seen))
        except StoreError as problem:
            endings[at] = Ending(type(problem), ())
        except BaseException as problem:  # noqa: BLE001 - it is raised again, by the thread that gives the turns
            endings[at] = problem
        finally:
            gate.end()

    def _look(self) -> tuple[list[str], str]:
        """Read the state, and compare the referrers found with it."""
        records = scan_all(self.port)
        problems = dangling(records)
        targets = {record.key for record in records.values()} | {e.target for r in records.values() for e in r.edges}
        if targets:
            found = self.port.ask(ReferrerQuery(tuple(sorted(targets)))).referrers
            wanted = sorted(text for text, record in records.items() if record.edges)
            if wanted != [record.key.text for record in found]:
                problems.append("the look-up of referrers is not what the records say")
        state = [_shown(record) for _, record in sorted(records.items()) if record.key.kind != REVISION_PART]
        return problems, repr(state)


def _shown(record: Record) -> tuple[str, int, Any]:
    """Return what must be the same in all runs: uids and ids of operations are not."""
    text, document = record.key.text, decode(record.document)
    if record.key.kind == REVISION:
        text = "/".join((*record.key.segments[:-2], record.key.name))
    if record.key.kind == LIFECYCLE and isinstance(document, dict) and "operation" in document:
        document["operation"] = "under way"
    return text, record.version, document


def _ended(ending: Ending | BaseException | None) -> Ending:
    if isinstance(ending, Ending):
        return ending
    raise ending or RuntimeError("a transaction has no end")


def explore(stage: Stage, family: Family, pair: tuple[Player, Player], tally: Tally) -> None:
    """Run every schedule of a pair, and count the outcomes.

    A transaction that ended in ``Conflict`` counts as not run; one that runs after the other must not end so. One that
    ended in another error must end in the same error in that serial order.
    """
    alone = [stage.play(family.begins, [script], ())[0] for script in pair]
    serial = [stage.play(family.begins, pair, order)[0] for order in ((), (1,) * 1000)]
    turns: list[int] | None = []
    while turns is not None:
        found, problems, taken = stage.play(family.begins, pair, turns)
        tally.schedules += 1
        tally.requests += len(taken)
        tally.outcomes[
            " | ".join(ending.problem.__name__ if ending.problem else "done" for ending in found.endings)
        ] += 1
        tally.dangling += any("dangles" in problem for problem in problems)
        if problems or not _is_explained(found, serial, alone):
            tally.unexplained += 1
            if len(tally.examples) < _EXAMPLES:
                order = "".join(str(at + 1) for at, _ in taken)
                where = f"{family.name}: {pair[0].name} | {pair[1].name}, turns {order}"
                tally.examples.append(f"{where}: {'; '.join(problems) or found}"[:_LONGEST])
        turns = _next(taken)
    tally.pairs += 1


def _is_explained(found: Result, serial: Sequence[Result], alone: Sequence[Result]) -> bool:
    lost = [ending.problem is Conflict for ending in found.endings]
    if not any(lost):
        return found in serial
    if all(lost):
        return False
    winner = lost.index(False)
    return Result((found.endings[winner],), found.state) == alone[winner]


def _next(taken: Sequence[tuple[int, bool]]) -> list[int] | None:
    """Return the next schedule: the last turn that could have been the second's becomes the second's."""
    for at in range(len(taken) - 1, -1, -1):
        if taken[at][1]:
            return [*(who for who, _ in taken[:at]), 1]
    return None


@contextmanager
def stage_at(rig: Rig) -> Generator[Stage]:
    """Build a stage in a new namespace."""
    namespace = rig.namespace()
    stage = Stage(rig, namespace)
    try:
        yield stage
    finally:
        stage.close()
        rig.forget(namespace)
