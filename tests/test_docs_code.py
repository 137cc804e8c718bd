"""The code in README.md and docs/ runs: ``conftest.py`` makes each Python block a test, and no block hides.

To skip one block, write why in the comment before it: ``<!-- skip: next "needs a cluster of three nodes" -->``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("README.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts
)
_SKIP = re.compile(r"^[ \t]*(?:<!--+|%)\s*skip:.*$", re.MULTILINE)
_END = re.compile(r"skip:\s*end\b")
_REASON = re.compile(r"""(["'])(?=[^"']* )[^"']{10,}\1""")


def unexplained_skips(text: str) -> list[str]:
    """Return the comments in ``text`` that skip a block and do not say why."""
    comments = [comment.strip() for comment in _SKIP.findall(text)]
    return [comment for comment in comments if not _END.search(comment) and not _REASON.search(comment)]


@pytest.mark.parametrize("page", PAGES)
def test_skipped_block_says_why(page):
    """A block of documentation that does not run says why, in the comment that skips it."""
    assert [] == unexplained_skips((ROOT / page).read_text("utf-8"))


@pytest.mark.parametrize(
    ("comment", "is_explained"),
    [
        ("<!-- skip: next -->", False),
        ('<!-- skip: next "" -->', False),
        ("% skip: start", False),
        ('<!-- skip: next "needs a cluster of three nodes" -->', True),
        ("<!-- skip: next if(True, reason='needs a cluster of three nodes') -->", True),
        ("<!-- skip: next if(True) -->", False),
        ("<!-- skip: end -->", True),
    ],
)
def test_skip_without_a_reason_is_seen(comment, is_explained):
    """The rule above bites."""
    assert is_explained == (not unexplained_skips(f"Text.\n\n{comment}\n\n```python\n1 / 0\n```\n"))
