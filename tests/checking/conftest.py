"""The backends on which checks are tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.contracts.harness import Bench, Lab, Mode
from tests.backends.shared import ON_EACH, bench_on, url_of


@pytest.fixture(scope="module", params=ON_EACH)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A backend."""
    with bench_on(request.param, Mode.BLOCKING, url_of(request)) as made:
        yield made


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """One namespace of that backend."""
    with bench.lab() as made:
        yield made
