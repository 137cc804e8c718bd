#!/usr/bin/env python3
"""Work on emco_store with nothing but Python 3.11: ``python3 dev.py demo``, ``test``, ``check``; ``--help`` tells more.

The tools live in ``.venv``, which is made and filled when it is first needed, and again when pyproject.toml changed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
BENCH_VENV = ROOT / ".venv-bench"
"""Other mappers bring old stubs of the drivers, which would spoil the type checks: they stay apart from ``.venv``."""
OLDEST_PYTHON = (3, 11)
DOCS = ROOT / "docs" / "_build"
CHECKS: dict[str, Sequence[str]] = {
    "types (basedpyright)": ("basedpyright", "--pythonpath", str(PYTHON)),
    "docs": ("sphinx-build", "--builder=html", "-n", "-W", "--keep-going", "--quiet", "--fresh-env", "docs", str(DOCS)),
    "types (mypy)": ("mypy",),
    "types in docs (mypy)": ("python", "-m", "tests.docs.typed_blocks"),
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "--quiet", "."),
    "layers": ("lint-imports", "--no-logo"),
    "twins": ("python", "-m", "tests.architecture.twins", "check"),
}
"""In the order in which they begin, the longest first."""
WIDER = {"cli": ("docs", "dev"), "docs": ("dev",)}
"""The extras of the project that contain others."""
NARROWING = ("-n", "--numprocesses", "-k", "-s", "--lf", "--last-failed", "--pdb", "--trace", "-h", "--help")
"""Arguments for pytest with which a run is quicker, or only possible, in one process."""


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo", help="see the library at work, in a minute", add_help=False)
    test = commands.add_parser(
        "test", help="run every test that can run here; more arguments go to pytest", allow_abbrev=False
    )
    test.add_argument("--require", default="", metavar="SERVERS", help="e.g. redis,mongo: their absence is a failure")
    commands.add_parser("check", help="format, lint, types, layers, twins and docs: all of them, then the sum")
    commands.add_parser("sync", help="generate the synchronous twins of the asynchronous sources")
    commands.add_parser("docs", help="build the documentation")
    commands.add_parser("bench", help="measure against hand-written code and other mappers", add_help=False)
    commands.add_parser("prove", help="attack the promises for as long as wanted, and write a report", add_help=False)
    known, more = parser.parse_known_args()
    if more and known.command not in {"demo", "test", "bench", "prove"}:
        parser.error(f"unknown arguments: {' '.join(more)}")
    os.chdir(ROOT)
    if known.command == "demo":
        install("cli")
        return run("emco-store", "demo", *more)
    if known.command == "bench":
        install("bench", BENCH_VENV)
        return run("python", "-m", "benchmarks", *more, venv=BENCH_VENV)
    if known.command == "docs":
        install("docs")
        return docs()
    install("dev")
    if known.command == "test":
        return run_tests(known.require, more)
    if known.command == "prove":
        return run("python", "-m", "tests.proof.prove", *more)
    return {"check": check, "sync": sync}[known.command]()


def run_tests(require: str, more: Sequence[str]) -> int:
    """Run the tests, on several workers unless ``more`` chooses few of them or says how many workers to use."""
    is_narrow = any("::" in argument or argument.startswith(NARROWING) for argument in more)
    workers = [] if is_narrow else ["--numprocesses=auto"]
    required = [f"--require={require}"] if require else []
    return run("python", "-m", "pytest", *workers, *required, *more)


def check() -> int:
    """Run every check, as many at a time as there are cores; show what failed, and sum up."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        passed = pool.map(_check_one, CHECKS, CHECKS.values())
        failed = [name for name, has_passed in zip(CHECKS, passed, strict=True) if not has_passed]
    if not failed:
        print(f"\n{_green('All ' + str(len(CHECKS)) + ' checks are ok.')}")
        return 0
    print(f"\n{_red(f'{len(failed)} of {len(CHECKS)} checks failed:')} {', '.join(failed)}.")
    if {"format", "lint"} & set(failed):
        print("Hint: .venv/bin/ruff format . && .venv/bin/ruff check --fix .")
    return 1


def sync() -> int:
    """Generate the twins and say which changed."""
    code = run("python", "-m", "tests.architecture.twins", "write")
    print(_green("The twins are up to date.") if code == 0 else _red("The twins could not be written."))
    return code


def docs() -> int:
    """Build the documentation and say where it is."""
    if not _check_one("docs", CHECKS["docs"]):
        return 1
    print(f"\nOpen {(DOCS / 'index.html').relative_to(ROOT)}")
    return 0


def install(extra: str, venv: Path = VENV) -> None:
    """Make ``venv`` hold this project with ``extra``, unless it does already.

    Args:
        extra: ``cli`` (small and quick), ``docs``, ``dev`` (both of them, the tools and the servers for the tests), or
            ``bench``.
        venv: Where.

    Raises:
        SystemExit: This machine cannot do it; the text says what to install.
    """
    wanted = _fingerprint()
    stamps = [_stamp(each, venv) for each in (extra, *WIDER.get(extra, ()))]
    if _is_usable(venv) and any(stamp.exists() and stamp.read_text() == wanted for stamp in stamps):
        return
    if not _is_usable(venv):
        _make_venv(venv)
    what, how_long = {
        "cli": ("the command line and what it needs", "some seconds"),
        "docs": ("what builds the documentation", "less than a minute"),
        "dev": ("the development tools and test servers", "a minute or two"),
        "bench": ("the other mappers and test servers", "a minute or two"),
    }[extra]
    with _progress(f"Installing {what} into {venv.name} (once; {how_long})"):
        pip = [str(_programs(venv) / PYTHON.name), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        _run_quietly([*pip, "--editable", f".[{extra}]"])
    _stamp(extra, venv).write_text(wanted)


def run(tool: str, *arguments: str, venv: Path = VENV) -> int:
    """Run a tool of ``venv`` with its output shown; return its exit code."""
    try:
        program = _programs(venv) / tool
        return subprocess.run([program, *arguments], check=False, cwd=ROOT, env=_environment(venv)).returncode
    except KeyboardInterrupt:
        return 130  # the tool got the signal too, and has said what it had to say


def _check_one(name: str, command: Sequence[str]) -> bool:
    begun = perf_counter()
    tool, *arguments = command
    done = subprocess.run(
        [BIN / tool, *arguments], check=False, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    is_ok = done.returncode == 0
    lines = [f"  {name:22}{_green('ok    ') if is_ok else _red('failed')}  {perf_counter() - begun:6.1f} s"]
    if not is_ok:
        lines += [*(f"    {line}" for line in done.stdout.strip().splitlines()), ""]
    print(*lines, sep="\n", flush=True)
    return is_ok


def _environment(venv: Path = VENV) -> dict[str, str]:
    """Return an environment in which tools find one another in ``venv`` first."""
    path = os.pathsep.join(filter(None, [str(_programs(venv)), os.environ.get("PATH", "")]))
    environment = os.environ | {"PATH": path, "VIRTUAL_ENV": str(venv)}
    environment.pop("PYTHONHOME", None)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the workers of a test run share what is compiled
    return environment


def _fingerprint() -> str:
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()).hexdigest()


def _programs(venv: Path) -> Path:
    return venv / BIN.name


def _stamp(extra: str, venv: Path = VENV) -> Path:
    return venv / f"installed-{extra}"


def _is_usable(venv: Path) -> bool:
    python = _programs(venv) / PYTHON.name
    if not python.exists():
        return False
    look = f"import sys, pip; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return subprocess.run([python, "-c", look], check=False, capture_output=True).returncode == 0


def _make_venv(venv: Path) -> None:
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        sys.exit(
            "This Python cannot make a virtual environment: the modules venv and ensurepip are not there.\n"
            "  Hint: install them, with Debian and Ubuntu: sudo apt install python3-venv"
        )
    if venv.exists():
        shutil.rmtree(venv)
    with _progress(f"Making {venv.name}"):
        _run_quietly([sys.executable, "-m", "venv", str(venv)])


def _run_quietly(command: Sequence[str]) -> None:
    """Run ``command`` and show what it printed only when it fails; then stop."""
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{_red('failed')}\n{done.stdout}\nThis command failed: {' '.join(command)}")


@contextmanager
def _progress(text: str) -> Iterator[None]:
    print(f"{text} … ", end="", flush=True)
    begun = perf_counter()
    yield
    print(f"{_green('done')} in {perf_counter() - begun:.0f} s", flush=True)


def _green(text: str) -> str:
    return _coloured(text, 32)


def _red(text: str) -> str:
    return _coloured(text, 31)


def _coloured(text: str, colour: int) -> str:
    is_plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    return text if is_plain else f"\033[{colour}m{text}\033[0m"


if __name__ == "__main__":
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(
            "emco_store needs Python {}.{} or newer, and this is {}.\n  Hint: use a newer one, for example: "
            "python3.11 dev.py".format(*OLDEST_PYTHON, sys.version.split()[0])
        )
    sys.exit(main())
