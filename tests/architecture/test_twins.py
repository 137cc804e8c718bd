"""Every synchronous twin is its asynchronous source, and the check that says so sees what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.twins import ROOT, check, generate, write

PAIRS = (("_aio", "_sync"),)
RENAMES = {
    "AsyncIterator": "Iterator",
    "AsyncStore": "Store",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "_aio": "_sync",
}
SOURCE = '''"""AsyncStore: ``async with AsyncStore() as store`` and ``await store.get(1)``."""

from collections.abc import AsyncIterator, Awaitable, Iterator

from package._aio import zoo
from package.base import AsyncStore as Base, other


class AsyncStore(Base):
    """A store."""

    async def __aenter__(self) -> "AsyncStore":
        return self  # an AsyncStore

    async def __aexit__(self, *_: object) -> None:
        await zoo.close()

    async def get(self, key: int) -> list[str]:
        # Why: the comment stays.
        async with self.lock:
            names = (await self.port.names(key)).names
        found: Awaitable[Iterator[str]] | AsyncIterator[str] = self.found
        return [name async for name in other(names) if (await zoo.has(name) if key else True)]
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder that holds a source and its generated twin."""
    (tmp_path / "_aio").mkdir()
    (tmp_path / "_aio" / "store.py").write_text(SOURCE)
    write(tmp_path, PAIRS, RENAMES)
    return tmp_path


def test_twins_of_the_package_are_equal_to_their_sources():
    """No twin differs from its source; where one does, ``python3 dev.py sync`` makes it anew."""
    problems = check(ROOT)

    assert [] == problems, "\n".join(problems)


def test_generated_twin_passes_the_check(tree):
    """What the generator writes is what the check demands."""
    assert [] == check(tree, PAIRS, RENAMES)


def test_writing_again_changes_nothing(tree):
    """Generation has one result."""
    assert [] == write(tree, PAIRS, RENAMES)


def test_twin_keeps_comments_and_carries_a_banner(tree):
    """A reader of the twin finds the reasons in it, and learns that it is not the place to change them."""
    twin = (tree / "_sync" / "store.py").read_text()

    assert twin.startswith("# Generated from _aio/store.py by `python3 dev.py sync`: do not edit.\n")
    assert "# Why: the comment stays." in twin
    assert '"""Store: ``with Store() as store`` and ``store.get(1)``."""' in twin


def test_needless_parentheses_of_an_await_go():
    """``(await call()).x`` becomes ``call().x``; parentheses that still hold something together stay."""
    assert "x = a.b(1).c" == generate("x = (await a.b(1)).c")
    assert "x = (a if b else c).d" == generate("x = (await a if b else c).d")
    assert "f(a)" == generate("f(await a)")
    assert "x = (a, b)" == generate("x = (await a, b)")


def test_awaitable_of_a_type_becomes_the_type():
    """``Awaitable[T]`` is what a caller awaits, and a twin's caller has it at once."""
    assert "f: Callable[[A], dict[B, C]]" == generate("f: Callable[[A], Awaitable[dict[B, C]]]")


@pytest.mark.parametrize("lost_lines", [1, 2, 4, 15])
def test_truncated_twin_is_reported(tree, lost_lines):
    """A twin that lost its end is not its source's twin, wherever the cut is."""
    twin = tree / "_sync" / "store.py"
    twin.write_text("".join(twin.read_text().splitlines(keepends=True)[:-lost_lines]))

    assert 1 == len(check(tree, PAIRS, RENAMES))


def test_function_appended_to_a_twin_is_reported(tree):
    """Code that only the twin has is a difference."""
    with (tree / "_sync" / "store.py").open("a") as twin:
        twin.write("\n\ndef extra() -> None: ...\n")

    (problem,) = check(tree, PAIRS, RENAMES)

    assert "def extra() -> None: is not in the source" in problem


def test_await_left_in_a_twin_is_reported(tree):
    """A twin that still awaits is not synchronous."""
    twin = tree / "_sync" / "store.py"
    twin.write_text(twin.read_text().replace("zoo.close()", "await zoo.close()"))

    assert 1 == len(check(tree, PAIRS, RENAMES))


def test_function_appended_to_a_source_is_reported(tree):
    """A source that moved on without its twin is a difference."""
    with (tree / "_aio" / "store.py").open("a") as source:
        source.write("\n\nasync def extra() -> None: ...\n")

    (problem,) = check(tree, PAIRS, RENAMES)

    assert "def extra() -> None: is missing" in problem


def test_orphan_and_missing_files_are_reported(tree):
    """The two folders hold the same files."""
    (tree / "_sync" / "orphan.py").touch()
    (tree / "_aio" / "fresh.py").touch()

    assert ["_sync/fresh.py: missing", "_sync/orphan.py: its source is gone: delete it"] == check(tree, PAIRS, RENAMES)


def test_writing_deletes_an_orphan(tree):
    """A twin goes with its source."""
    orphan = tree / "_sync" / "orphan.py"
    orphan.touch()

    assert [orphan] == write(tree, PAIRS, RENAMES)
    assert not orphan.exists()


def test_rename_that_no_source_uses_is_reported(tree):
    """The table of names holds what is needed and nothing else."""
    assert ["RENAMES: no source uses 'gone': remove it"] == check(tree, PAIRS, RENAMES | {"gone": "went"})


def test_comparison_of_nothing_is_reported(tmp_path):
    """Two empty folders are not a proof."""
    assert ["_aio: no module there, so nothing was compared"] == check(tmp_path, PAIRS, {})
