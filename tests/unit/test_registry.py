"""The registry, in random orders: it always fits together, and what does not clash ends the same in any order."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest

from emco_store.contracts.registrations import check_whole
from emco_store.core.registry import (
    EMPTY,
    Declaration,
    Registry,
    awaited,
    read_registry,
    register,
    remove,
    write_registry,
)
from emco_store.errors import SegmentRefused


def _said(field: str = "a") -> dict[str, Any]:
    return {
        "key": ["name"], "chain": [["K", 1]], "fields": {field: {"form": {"type": "string"}, "required": True}},
        "references": {}, "unique": [], "indexes": [], "lease": False, "open": False, "model_version": 1, "form": 1,
    }  # fmt: skip


def _need(field: str | None = None) -> dict[str, Any]:
    return {} if field is None else {"fields": {field: {"form": {"type": "string"}, "required": True}}, "form": 1}


def _any(rng: Random, kinds: str) -> Declaration:
    """Return a declaration of some kinds that relies on some others."""
    own = rng.sample(kinds, rng.randint(1, 2))
    others = [kind for kind in kinds if kind not in own]
    needs = {kind: _need(rng.choice([None, "a", "b"])) for kind in rng.sample(others, rng.randint(0, 3))}
    return Declaration(version=rng.randint(1, 2), kinds={kind: _said(rng.choice("aaab")) for kind in own}, needs=needs)


@pytest.mark.parametrize("seed", range(25))
def test_whatever_comes_and_goes_the_registry_fits_together(seed: int) -> None:
    """SEG-1, SEG-2, SEG-7: After each step the active ones fit, and whoever waits is told why."""
    rng, registry = Random(seed), EMPTY
    for _ in range(40):
        name = rng.choice("uvwxyz")
        before = registry
        with suppress(SegmentRefused):
            change = remove(registry, name) if rng.random() < 0.15 else register(registry, name, _any(rng, "ABCDEFG"))
            registry = read_registry(write_registry(change.registry))
        check_whole(registry)
        gone = before.active.keys() - registry.active.keys()
        assert gone <= {name}, "nobody else is thrown out"
        assert all(awaited(registry, one) for one in registry.waiting)
        assert all(not awaited(registry, one) for one in registry.active if one not in registry.waiting)


@pytest.mark.parametrize("seed", range(15))
def test_segments_that_do_not_clash_end_the_same_in_any_order(seed: int) -> None:
    """SEG-2: Each kind has one owner here, so nobody is refused, and the order in which services start is no matter."""
    rng = Random(seed)
    kinds, given = list("ABCDEFGH"), {}
    rng.shuffle(kinds)
    for name in "uvwx":
        own = [kinds.pop() for _ in range(rng.randint(1, 2))]
        others = [kind for kind in "ABCDEFGH" if kind not in own]
        needs = {kind: _need("a") for kind in rng.sample(others, rng.randint(0, 2))}
        given[name] = Declaration(version=1, kinds={kind: _said() for kind in own}, needs=needs)

    ends = set()
    for _ in range(12):
        names, registry = list(given), EMPTY
        rng.shuffle(names)
        for name in names:
            registry = register(registry, name, given[name]).registry
        ends.add((frozenset(registry.active), frozenset(registry.waiting)))
    assert 1 == len(ends)


def test_document_of_a_newer_program_is_kept() -> None:
    """What this program does not know of a registry, it writes back."""
    text = b'{"active":{"u":{"version":1,"kinds":{},"needs":{},"more":2}},"waiting":{},"new":[1]}'

    again = write_registry(register(read_registry(text), "v", Declaration(version=1, kinds={"K": _said()})).registry)

    assert (b'"more":2' in again, b'"new":[1]' in again) == (True, True)
    assert isinstance(read_registry(again), Registry)
