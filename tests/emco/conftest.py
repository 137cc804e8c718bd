"""Real input: EMCO's reference schema and its rendered examples, which lie beside the checkout."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from emco_store import Key, LifecycleRecord, Ref, Store, connect
from emco_store.contracts.harness import Bench, Mode
from emco_store.emco import Bundle, Cluster, DeploymentIntentGroup, read_bundle
from tests.backends.shared import ON_EACH, bench_on, url_of

FACTS = Path(os.environ.get("EMCO_STORE_TEST_EMCO", Path(__file__).parents[2] / ".." / "shared" / "emco"))

EXAMPLES = Path(__file__).parents[2] / "examples"
REASON = "no route to the cluster"
"""Why a worker that is broken fails."""


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


def rsync_worker() -> Any:
    """Return the worker that is an example of the documentation."""
    spec = importlib.util.spec_from_file_location("rsync_worker", EXAMPLES / "rsync_worker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Rsync:
    """The worker at work on a store, and what it has done to the clusters."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.clusters: list[Ref[Cluster]] = []
        self.deployed: list[Key] = []
        self.removed: list[Key] = []
        self.is_broken = False
        self._work = rsync_worker().work

    def __call__(self, record: LifecycleRecord[Any]) -> None:
        """Work until the operation of a resource has ended."""
        assert record.operation is not None
        assert self._work(self.store, self._deploy, self._remove) > 0

    def catch_up(self) -> None:
        """End all operations that are under way."""
        self._work(self.store, self._deploy, self._remove)

    def _deploy(self, group: DeploymentIntentGroup, operation: str) -> Sequence[Ref[Cluster]]:
        assert operation
        if self.is_broken:
            raise OSError(REASON)
        self.deployed.append(group.key)
        return self.clusters

    def _remove(self, group: DeploymentIntentGroup, operation: str) -> Sequence[Ref[Cluster]]:
        assert operation
        if self.is_broken:
            raise OSError(REASON)
        self.removed.append(group.key)
        return ()
