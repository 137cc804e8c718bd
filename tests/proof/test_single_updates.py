"""The model of a protocol that was declined: it keeps its promises, and none of its parts can be left out."""

from __future__ import annotations

import pytest

from proof.single_updates import PARTS, casts, explored

FOUND_BY = {
    "fence": "a writer, two resolvers",
    "key": "a writer, two resolvers",
    "bound": "a writer, a resolver, a deleter",
    "ring first": "a writer, a resolver, a deleter",
    "archive": "two writers, a resolver",
    "archive on delete": "a writer, a resolver, a deleter",
    "room": "two writers, a resolver",
    "majority": "a writer, two resolvers",
}


@pytest.mark.parametrize("cast", ["a writer, two resolvers", "a writer, a resolver, a deleter"])
def test_the_whole_protocol_keeps_its_promises_in_all_orders(cast):
    """ATM-2, ATM-5, FEED-2: What is said of a commit stays true, and it happens at most once."""
    states, found = explored(casts()[cast], frozenset(PARTS), failovers=0)

    assert ("", True) == (found, states > 9_000)


@pytest.mark.parametrize("part", PARTS)
def test_without_any_part_a_promise_is_broken(part):
    """ATM-5: Each part of the protocol has its reason."""
    _, found = explored(casts()[FOUND_BY[part]], frozenset(PARTS) - {part}, failovers=int(part == "majority"))

    assert found.startswith("it was said that a commit has")
