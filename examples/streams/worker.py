"""A worker: a process that holds the lease of its worker, and carries out the operators that are assigned to it.

An operator is read from its checkpoint once. From then on its state is in memory, and each step stores it, together
with what the step has put out. So of two processes that believe to be in charge of an operator, each would go on from
its own state. The line with ``tx.require`` makes sure that only the one with the lease commits.
"""

from __future__ import annotations

import argparse
from datetime import timedelta
from threading import Event
from typing import Any

from emco_store import (
    InvalidResource,
    Key,
    Lease,
    LeaseLost,
    Store,
    StoreError,
    Transaction,
    UnknownOutcome,
    connect,
)  # fmt: skip
from examples.streams import stages
from examples.streams.models import MODELS, STAGES, Checkpoint, Entry, Job, Operator, Total, Worker
from examples.streams.saying import end_with_parent, say

PAUSE_S = 0.1
"""Time between two rounds, in seconds."""
AT_ONCE = 5
"""Maximum number of entries that a source writes in a step; the others take four times as many."""
DEADLINE = timedelta(seconds=3)


class Round:
    """Carries out operators under one lease.

    Args:
        store: The store.
        lease: The lease of the worker.
        is_fenced: Whether commits require the lease; without that, sums come out wrong.
    """

    def __init__(self, store: Store, lease: Lease, *, is_fenced: bool) -> None:
        self._store = store
        self._lease = lease
        self._is_fenced = is_fenced
        self._operators: dict[Key, tuple[Operator, Checkpoint]] = {}
        self._unknown: list[str] = []
        self._commits = 0

    def go_round(self) -> None:
        """Do one step of each operator, then see which operators are assigned.

        Raises:
            LeaseLost: The lease is over.
        """
        try:
            for key, (operator, at) in self._operators.items():
                self._operators[key] = (operator, self._step(operator, at))
            self._lease.check()
            self._look()
        except LeaseLost:
            raise
        except StoreError as problem:
            say(failed=problem.line)
            self._operators = {}  # what is in memory may be older than what is stored
            if isinstance(problem, UnknownOutcome):
                self._unknown.append(problem.txid)

    def _look(self) -> None:
        """Begin with operators that have been assigned since, and drop those that are others' now."""
        while self._unknown:
            self._store.resolve(self._unknown[-1])  # or a commit that is still on its way would come later
            self._unknown.pop()
        found = self._store.referrers(self._lease.resource)
        mine = {one.key: one for one in found.resources if isinstance(one, Operator)}
        kept = {key: known for key, known in self._operators.items() if key in mine}
        for key, operator in mine.items():
            if key not in kept:
                new = Checkpoint(parent=operator, name="now")
                (stored,) = self._store.get_many([new], missing_ok=True)
                kept[key] = (operator, stored or new)
        self._operators = kept
        self._lease.progress(commits=self._commits)

    def _step(self, operator: Operator, at: Checkpoint) -> Checkpoint:
        """Take what there is into account, and store the checkpoint and the output in one commit."""
        job, stage = operator.key.segments
        given = [] if stage == "source" else self._input(job, stage, at.read)
        if stage == "source":
            state, entries = stages.source(at.written, self._store.get(Job, job).events, AT_ONCE)
        else:
            state, entries = stages.STEPS[stage](at.state, given)
        if not given and not entries:
            return at
        after = Checkpoint(
            parent=operator,
            name="now",
            read=at.read + len(given),
            written=at.written + len(entries),
            state=dict(state),
        )

        def commit(tx: Transaction) -> None:
            if self._is_fenced:
                tx.require(self._lease)
            for number, values in enumerate(entries, at.written):
                tx.put(Entry(parent=operator, name=f"{number:08}", values=values))
            if stage == "sink":
                total = tx.get(Total, job, "all")
                sums = [total.sum, *(value for values in given for value in values)]
                tx.put(total.model_copy(update={"windows": total.windows + len(given), "sum": sum(sums)}))
            tx.put(after)

        try:
            self._store.run(commit)
        except LeaseLost as problem:
            say(refused="; ".join(problem.why))
            raise
        self._commits += 1
        return after

    def _input(self, job: str, stage: str, begin: int) -> list[list[Any]]:
        """Return the values of the next entries of the operator before this one."""
        before = STAGES[STAGES.index(stage) - 1]
        keys = [Key("Entry", job, before, f"{number:08}") for number in range(begin, begin + 4 * AT_ONCE)]
        found: list[list[Any]] = []
        for entry in self._store.get_many(keys, missing_ok=True):
            if entry is None or isinstance(entry, InvalidResource):
                break
            found.append(entry.values)
        return found


def main() -> None:
    """Work until the process is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "namespace", "name", "zone"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--heartbeat", choices=("thread", "process"), default="thread")
    parser.add_argument("--unsafe", action="store_true")
    options = parser.parse_args()
    end_with_parent()
    pause = Event()
    while True:
        try:
            with (
                connect(options.url, namespace=options.namespace, models=MODELS, deadline=DEADLINE) as store,
                store.lease(
                    Worker(name=options.name, zone=options.zone), heartbeat=options.heartbeat, wait=timedelta(minutes=1)
                ) as lease,
            ):
                say(took=lease.token)
                rounds = Round(store, lease, is_fenced=not options.unsafe)
                while True:
                    say(round=1)
                    pause.wait(PAUSE_S)
                    rounds.go_round()
        except LeaseLost:
            say(lost="its lease")
        except StoreError as problem:
            say(failed=problem.line)
            pause.wait(PAUSE_S)


if __name__ == "__main__":
    main()
