"""How the tests are spread over worker processes: what stays together, and what starts first.

A unit is what one worker runs as a whole: a file, or a part of one where each test has a namespace of its own. Tests
are put in the order from quick to slow. Without workers they run in that order. With workers, the first half of these
takes units from the quick end, so that an error shows at once; the other half takes them from the slow end, so that no
long unit is left over when everything else is done.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import pytest

THREE: Final = tuple(f"tests/backends/mongo/test_{name}.py" for name in ("connections", "members", "three_members"))
"""Files that share a replica set of three, which takes long to start."""
SLOW: Final = (
    "tests/checking/",
    "tests/benchmarks/",
    "tests/beating/",
    "tests/contracts/test_third_party.py",
    "tests/breakages/",
    "tests/backends/",
    "tests/proof/",
    "tests/backends/redis/",
    "tests/backends/mongo/",
    *THREE,
)
"""Where the tests that take long are, the longest last; where several match, the last one counts."""
DIVISIBLE: Final = (
    "tests/bad_input/",
    "tests/breakages/",
    "tests/backends/test_etcd.py",
    "tests/backends/test_fakeredis.py",
    "tests/backends/test_memory.py",
    "tests/backends/test_mongo.py",
    "tests/backends/test_mongo_many.py",
    "tests/backends/test_mongomock.py",
    "tests/backends/test_redis.py",
)
"""Files whose tests may run on different workers at once."""
TOGETHER: Final = (
    ("docs/how-to/",),  # pages that clear the same database before they begin
    THREE,
)
"""Files that one worker must run, or that share a server of their own."""
_PART: Final = 60
"""Tests in a unit, where a file is divided."""


def unit_of(nodeid: str, at: int) -> str:
    """Return the unit of a test.

    Args:
        nodeid: The id of the test.
        at: Its position among the tests of its file.
    """
    file = nodeid.partition("::")[0]
    group = next((group for group in TOGETHER if file.startswith(group)), None)
    if group is not None:
        return group[0]
    return f"{file} {at // _PART}" if file.startswith(DIVISIBLE) else file


def rank_of(nodeid: str) -> int:
    """Return where a test stands in the order from quick to slow: 0 for the quick ones."""
    return max((rank for rank, start in enumerate(SLOW, 1) if nodeid.startswith(start)), default=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests last; all others keep their order."""
    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return a worker for each core that this process may use, and one more: many tests wait for a server."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return what spreads units over workers."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - it is absent where nothing runs in parallel

    class Units(LoadScopeScheduling):
        """Units in order, from both ends."""

        def schedule(self) -> None:
            if self.collection is None:
                self._units = units_of(next(iter(self.registered_collections.values())))
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return self._units[nodeid]

        def _assign_work_unit(self, node: Any) -> None:
            if self.nodes.index(node) >= (len(self.nodes) + 1) // 2:
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False
    return Units(config, log)


def units_of(nodeids: Sequence[str]) -> dict[str, str]:
    """Return the unit of each test."""
    counts: dict[str, int] = {}
    found = {}
    for nodeid in nodeids:
        file = nodeid.partition("::")[0]
        found[nodeid] = unit_of(nodeid, counts.setdefault(file, 0))
        counts[file] += 1
    return found
