"""The mark that joins a test to the rules that it proves, and how the tests of a rule are found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., None])


def rule(*ids: str) -> Callable[[T], T]:
    """Say which rules of ``docs/contracts.md`` a test proves."""

    def mark(test: T) -> T:
        test.__rules__ = ids  # type: ignore[attr-defined]  # functions take attributes
        return test

    return mark


def rules_of(test: object) -> tuple[str, ...]:
    """Give the rules that a test proves; none where it is no test of the contract."""
    return getattr(test, "__rules__", ())


def proofs_of(suite: type) -> Iterator[tuple[str, Callable[[Any, Any], None]]]:
    """Yield the tests of a class with their names, inherited ones included."""
    for name in dir(suite):
        test: Any = getattr(suite, name)
        if name.startswith("test_"):
            yield name, test


def names_by_rule(suite: type) -> dict[str, list[str]]:
    """Give the names of the tests for each rule."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, test in proofs_of(suite):
        for one in rules_of(test):
            found[one].append(name)
    return dict(found)
