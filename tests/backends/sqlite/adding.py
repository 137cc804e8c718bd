"""A process that adds to one counter in a file, as often as it is told."""

from __future__ import annotations

import sys
from datetime import timedelta

from emco_store import Resource, connect


class Tally(Resource):
    """What all processes count in."""

    number: int = 0


def main(url: str, name: str, times: int) -> None:
    """Add to the counter, each time in a transaction, and leave a record of each."""
    with connect(url, namespace="adding", deadline=timedelta(seconds=60)) as store:
        for number in range(times):

            def add(tx, number=number):
                found = tx.get(Tally, "all")
                tx.update(found.model_copy(update={"number": found.number + 1}))
                tx.create(Tally(name=f"{name}-{number}"))

            store.run(add)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
