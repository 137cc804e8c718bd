"""A supervisor: a process that assigns operators to workers of their zone, and again when a worker has died.

Two of them run, and one leads. What they must remember is in the operators, so the other one goes on at once.
"""

from __future__ import annotations

import argparse

from emco_store import Backoff, Store, StoreError, Supervised, Supervisor, by_zone, connect
from examples.streams.models import MODELS, Operator, Worker
from examples.streams.saying import end_with_parent, say

STRATEGY = Backoff("100ms", factor=2, most="2s", reset="10s")


def supervisor_of(store: Store) -> Supervisor:
    """Return what supervises the operators."""
    return Supervisor(store, Worker, assign=(Operator, "worker"), place=by_zone(), strategy=STRATEGY)


def tell(done: Supervised) -> None:
    """Say what was done after a look."""
    for worker in done.reaped.ended:
        say(ended=str(worker))
    for worker in sorted({worker for _, worker in done.assigned}):
        names = [" ".join(operator.segments) for operator, to in done.assigned if to == worker]
        say(assigned=f"{', '.join(names)} to {worker}")
    for key, problem in done.refused:
        say(failed=f"{key}: {problem.line}")


def main() -> None:
    """Supervise until the process is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "namespace", "name"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    end_with_parent()
    while True:
        try:
            with connect(options.url, namespace=options.namespace, models=MODELS) as store:
                supervisor_of(store).run(tell)
        except StoreError as problem:
            say(failed=problem.line)


if __name__ == "__main__":
    main()
