"""Real input: EMCO's reference schema and its rendered examples, which lie beside the checkout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emco_store import Store, connect
from emco_store.contracts.harness import Bench, Mode
from emco_store.emco import Bundle, read_bundle
from tests.backends.shared import ON_EACH, bench_on, url_of

FACTS = Path(os.environ.get("EMCO_STORE_TEST_EMCO", Path(__file__).parents[2] / ".." / "shared" / "emco"))


@pytest.fixture(scope="session")
def facts() -> Path:
    """The folder with the schema and the examples; what needs it is skipped where it is absent."""
    if not FACTS.is_dir():
        pytest.skip(f"EMCO's schema and examples are not there: {FACTS.resolve()}")
    return FACTS


@pytest.fixture
def example(facts: Path) -> Callable[[str], str]:
    """Gives the text of one of EMCO's examples."""
    return lambda name: (facts / "examples" / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    with connect("memory://", namespace="emco") as opened:
        yield opened


@pytest.fixture(scope="module", params=ON_EACH)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each backend, for blocking use."""
    with bench_on(request.param, Mode.BLOCKING, url_of(request)) as made:
        yield made


@pytest.fixture
def each_store(bench: Bench) -> Iterator[Store]:
    """An empty store on each backend."""
    with bench.lab() as lab:
        yield lab.store


def bundle_of(text: str, source: str = "bundle.yaml") -> Bundle:
    """Read one text."""
    return read_bundle([(source, text)])
