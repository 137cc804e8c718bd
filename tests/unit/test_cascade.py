"""Cascades: what is counted and what is given up, without a backend that holds so much."""

from __future__ import annotations

from typing import Annotated

import pytest

from emco_store import (
    CASCADE,
    PROTECT,
    REMOVE,
    Deleted,
    DeleteRestricted,
    MemoryBackend,
    Ref,
    Resource,
    connect,
    on_delete,
)
from emco_store.flows import cascade, view


class Hub(Resource):
    """What is referred to."""


class Spoke(Resource):
    """Refers under RESTRICT."""

    hub: Ref[Hub]


class Tie(Resource):
    """Refers to one resource from many places."""

    bound: Annotated[list[Ref[Hub]], on_delete(PROTECT)] = []
    loose: Annotated[list[Ref[Hub]], on_delete(REMOVE)] = []
    grid: Annotated[list[list[Ref[Hub]]], on_delete(REMOVE)] = []


class Rim(Resource):
    """Goes with a hub, which a tie of it then blocks."""

    hub: Annotated[Ref[Hub], on_delete(CASCADE)]


def test_counting_is_given_up_after_a_bound(monkeypatch: pytest.MonkeyPatch):
    """DEL-16: A delete that very many references forbid reads no more of them than it has to count."""
    monkeypatch.setattr(cascade, "MAX_COUNTED", 20)
    monkeypatch.setattr(view, "MIN_PAGE", 10)
    backend = MemoryBackend()
    store = connect(backend, namespace="n")
    hub = store.create(Hub(name="h"))
    for number in range(100):
        store.create(Spoke(name=f"s{number}", hub=hub))
    asked: list[str] = []
    backend.hook = lambda name, moment, _: asked.append(name) if moment == "before" else None
    small = connect(backend, namespace="n", max_records=5)

    for call in (small.delete, small.plan_delete):
        asked.clear()
        with pytest.raises(DeleteRestricted) as caught:
            call(hub)

        assert (20, 20) == (caught.value.blocker_count, len(caught.value.blockers))
        assert "20 references or more" in caught.value.what
        assert ["referrers", "referrers"] == asked


def test_suspects_that_do_not_block_are_not_given_up(monkeypatch: pytest.MonkeyPatch):
    """DEL-2: A referrer that was named does not block, however many references it holds."""
    monkeypatch.setattr(cascade, "MAX_COUNTED", 20)
    store = connect("memory://", namespace="n")
    hub = store.create(Hub(name="h"))
    tie = store.create(Tie(name="t", bound=[hub] * 100))

    assert Deleted({"Hub": 1, "Tie": 1}, {}) == store.delete(hub, tie)


def test_pages_of_referrers_meet_what_the_transaction_wrote(monkeypatch: pytest.MonkeyPatch):
    """DEL-10: What a transaction wrote or deleted before counts on every page of referrers, and counts once."""
    monkeypatch.setattr(view, "MIN_PAGE", 4)
    store = connect("memory://", namespace="n", max_records=3)
    hub, other = (store.create(Hub(name=name)) for name in ("h", "o"))
    spokes = [store.create(Spoke(name=f"s{number}", hub=hub)) for number in range(9)]

    with pytest.raises(DeleteRestricted) as caught, store.transaction() as tx:  # noqa: PT012 - the end of it is judged
        tx.update(spokes[7].model_copy(update={"hub": other.ref}))
        tx.delete(spokes[8])
        tx.delete(hub)

    assert [f"Spoke/s{number}" for number in range(7)] == [item.referrer.text for item in caught.value.blockers]


def test_thousands_of_entries_are_taken_out_of_one_document():
    """DEL-6: Each entry goes, the others keep their order and their places, in lists of lists too."""
    store = connect("memory://", namespace="n", max_bytes=8 << 20)
    a, b = (store.create(Hub(name=name)) for name in ("a", "b"))
    store.create(Tie(name="t", loose=[a, b, a] * 3000, grid=[[a, b] * 50, [a], [b, a]] * 30))

    done = store.delete(a)

    left = store.get(Tie, "t")
    assert Deleted({"Hub": 1}, {"Tie": 1}) == done
    assert [b.ref] * 3000 == left.loose
    assert [[b.ref] * 50, [], [b.ref]] * 30 == left.grid
    assert [] == list(store.check().flaws)
    assert "grid[89][0]" == left.meta.edges[-1].place
