"""The layers point down, type-only imports included, and the check that says so sees what does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UPWARD_FOR_TYPES_ONLY = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from emco_store import connect
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its contracts, for planting violations in."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_package_keeps_its_layer_contracts():
    """Every import of the package points down."""
    run = _lint_imports(ROOT)

    assert 0 == run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "planted", "broken"),
    [
        ("core/__init__.py", UPWARD_FOR_TYPES_ONLY, "Layers point down"),
        ("core/__init__.py", "import time", "Core and flows do no I/O and read no clock"),
        ("core/refs.py", "from emco_store.core import shapes", "Modules of the core point down"),
        ("flows/__init__.py", "import asyncio", "Core and flows do no I/O and read no clock"),
        ("flows/outcomes.py", "from emco_store.flows import unit", "Modules of the flows point down"),
        ("_aio/__init__.py", "from emco_store.backends import memory", "Stores do not know backends"),
        ("backends/__init__.py", "from emco_store import flows", "Layers point down"),
        ("backends/memory.py", "from emco_store.backends import mongo", "Backends do not know each other"),
    ],
)
def test_planted_violation_is_caught(copy, module, planted, broken):
    """An import that points up, sideways or out is named with the contract that it breaks."""
    with (copy / "src" / "emco_store" / module).open("a") as source:
        source.write(f"\n{planted}\n")

    run = _lint_imports(copy)

    assert 1 == run.returncode, run.stdout + run.stderr
    assert f"{broken} BROKEN" in run.stdout


def test_module_without_a_place_is_caught(copy):
    """A new module must be given its layer."""
    (copy / "src" / "emco_store" / "helpers.py").touch()

    run = _lint_imports(copy)

    assert 1 == run.returncode, run.stdout + run.stderr
    assert "Layers point down BROKEN" in run.stdout


def _lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    # The package must be found in ``root`` and nowhere else, so the path is set before import-linter looks for it.
    start = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as go; go()"
    command = [sys.executable, "-c", start, "--no-cache", "--no-logo"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=root)
