"""Names keep what they say."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
QUESTIONS = ("is_", "has_", "_is_", "_has_")


def test_question_is_answered_without_waiting():
    """``is_…`` and ``has_…`` answer and never wait, so none is a coroutine; the synchronous twins follow."""
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for folder in ("src", "proof")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith(QUESTIONS)
    ]

    assert [] == asking
