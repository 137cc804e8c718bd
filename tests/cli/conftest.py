"""What the tests of the command line share: a way to run it, and bundles to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from emco_store import MemoryBackend
from emco_store.cli import main

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "src" / "emco_store" / "cli" / "edge.yaml"
ENTRY = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from emco_store.cli import main; sys.exit(main())"
)
"""As from a terminal: what a shell starts in the background ignores SIGINT, and so do these tests there."""
BUNDLE = """
version: emco/v2
resourceContext: {anchor: projects}
metadata: {name: p1, description: "first"}
---
version: emco/v2
resourceContext: {anchor: projects/p1/composite-apps}
metadata: {name: vfw}
spec: {compositeAppVersion: v1}
---
version: emco/v2
resourceContext: {anchor: cluster-providers}
metadata: {name: edge}
---
version: emco/v2
resourceContext: {anchor: cluster-providers/edge/clusters}
metadata: {name: c1}
---
version: emco/v2
resourceContext: {anchor: cluster-providers/edge/clusters}
metadata: {name: c2}
"""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch):
    """Neither the caller's settings nor what a command does to the module path reach other tests."""
    for name in ("EMCO_STORE_URL", "EMCO_STORE_NAMESPACE", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def run(capsys) -> Run:
    """Run a command in this process."""

    def call(*arguments: object) -> Ended:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A bundle of five resources."""
    path = tmp_path / "bundle.yaml"
    path.write_text(BUNDLE)
    return path


@pytest.fixture
def kept(monkeypatch) -> MemoryBackend:
    """A backend that outlives a command, as a server does: the URL ``kept://`` leads to it."""
    backend = MemoryBackend()
    from emco_store.cli import opening  # noqa: PLC0415 - the module whose way to a store is replaced

    real = opening.connect
    monkeypatch.setattr(
        opening, "connect", lambda url, **options: real(backend if url == "kept://" else url, **options)
    )
    return backend


def start(
    *arguments: object, settings: Mapping[str, str] = MappingProxyType({}), **options: object
) -> subprocess.Popen[str]:
    """Start a command as a process of its own, as the console script does; ``settings`` go into its environment."""
    command = [sys.executable, "-c", ENTRY, *map(str, arguments)]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")} | dict(settings)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": env, "text": True, "encoding": "utf-8"}
    return subprocess.Popen(command, **pipes | options)  # noqa: S603 - our own entry point
