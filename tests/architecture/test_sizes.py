"""Files and functions stay small enough to be read in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_SOURCE_LINES = 500
MAX_TEST_LINES = 600
MAX_FUNCTION_LINES = 60
TESTS = ("tests", "proof", "src/emco_store/contracts")


def test_no_file_is_too_long():
    """A source file has at most 500 lines, a file of tests, of the proof or of the shipped contracts at most 600."""
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in _files()}

    assert {} == {path: length for path, length in lengths.items() if length > _limit(path)}


def test_no_function_is_too_long():
    """A function has at most 60 lines, its docstring not counted."""
    functions = {
        f"{path}:{node.lineno} {node.name}": _length(node)
        for path in _files()
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert {} == {name: length for name, length in functions.items() if length > MAX_FUNCTION_LINES}


def test_the_files_of_the_package_are_measured():
    """The two rules above look at something."""
    assert "src/emco_store/errors.py" in set(_files())


def _files() -> Iterator[str]:
    for folder in ("src", "tests", "proof"):
        yield from (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py"))
    yield "dev.py"


def _limit(path: str) -> int:
    return MAX_TEST_LINES if path.startswith(TESTS) else MAX_SOURCE_LINES


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        length -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return length
