"""The backends on which the breakages are tried, each through the blocking and through the asyncio store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.contracts.harness import Bench, Lab
from tests.backends.shared import IN_EACH_MODE, bench_on, url_of


@pytest.fixture(scope="module", params=IN_EACH_MODE)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A backend in one mode, where a test may take as many namespaces as it has schedules."""
    with bench_on(*request.param, url_of(request)) as made:
        yield made


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """One namespace of that backend."""
    with bench.lab() as made:
        yield made
