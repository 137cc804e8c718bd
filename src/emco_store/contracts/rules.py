"""The mark that joins tests to the rules that they prove, and how to find the tests of a rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., None])


def rule(*ids: str) -> Callable[[T], T]:
    """Mark a test with the rules of ``docs/contracts.md`` that it proves."""

    def mark(test: T) -> T:
        test.__rules__ = ids  # type: ignore[attr-defined]  # functions take attributes
        return test

    return mark


def rules_of(test: object) -> tuple[str, ...]:
    """Return the rules that a test proves; none if it is not a test of the contract."""
    return getattr(test, "__rules__", ())


def proofs_of(suite: type) -> Iterator[tuple[str, Callable[[Any, Any], None]]]:
    """Yield the tests of a class with their names, including inherited ones."""
    for name in dir(suite):
        test: Any = getattr(suite, name)
        if name.startswith("test_"):
            yield name, test


def names_by_rule(suite: type) -> dict[str, list[str]]:
    """Return the names of the tests of each rule."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, test in proofs_of(suite):
        for one in rules_of(test):
            found[one].append(name)
    return dict(found)
