"""Bundles in files: read them, and report every file that cannot be read in one error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from emco_store import InvalidCall

STDIN = "-"


def read_files(names: Sequence[str]) -> list[tuple[str, str]]:
    """Read text files; ``-`` is the standard input.

    Returns:
        Pairs of a name for errors and the text.

    Raises:
        InvalidCall: Some files cannot be read; all of them are named.
    """
    texts: list[tuple[str, str]] = []
    problems: list[str] = []
    if names.count(STDIN) > 1:
        problems.append("the standard input can be read only once")
    for name in dict.fromkeys(names):
        try:
            texts.append(("standard input", _stdin()) if name == STDIN else (name, Path(name).read_text("utf-8-sig")))
        except UnicodeDecodeError as problem:
            problems.append(f"{name}: it is not UTF-8 text (byte {problem.start})")
        except (OSError, ValueError) as problem:
            problems.append(f"{name}: {getattr(problem, 'strerror', None) or problem}")
    if problems:
        raise InvalidCall("Cannot read all files.", why=problems, hint="name existing text files, or - for the input.")
    return texts


def _stdin() -> str:
    if sys.stdin is None:
        message = "it is closed"
        raise ValueError(message)
    stream = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read() if stream is None else stream.read().decode("utf-8-sig")
