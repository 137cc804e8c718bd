"""Transactions used at a wrong time, by a wrong hand, or around themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from emco_store import (
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    MemoryBackend,
    MissingReference,
    NotFound,
    StoreError,
    connect,
    connect_async,
)
from emco_store.contracts.blocking import raw
from tests.bad_input.case import NAMESPACE, Case, World, check, check_error, table
from tests.bad_input.models import Host, Service, Zone

USES: dict[str, Callable[[Any, World], object]] = {
    "get": lambda tx, w: tx.get(w.zone),
    "get-many": lambda tx, w: tx.get_many([w.zone]),
    "list": lambda tx, w: tx.list(Host, parent=w.zone),
    "children": lambda tx, w: tx.children(w.zone),
    "referrers": lambda tx, w: tx.referrers(w.zone),
    "create": lambda tx, _: tx.create(Zone(name="new")),
    "update": lambda tx, w: tx.update(w.zone.model_copy(update={"title": "new"})),
    "put": lambda tx, _: tx.put(Zone(name="new")),
    "delete": lambda tx, w: tx.delete(w.spare),
    "commit": lambda tx, _: tx.commit(),
}


@pytest.mark.parametrize("use", USES)
def test_use_of_a_transaction_after_its_block_is_refused(world: World, use: str):
    """OCC-8: A transaction is valid inside its block only."""
    with world.store.transaction() as tx:
        pass

    check(Case(use, "OCC-8", lambda w: USES[use](tx, w), InvalidCall), world)


@pytest.mark.parametrize("use", USES)
def test_use_of_a_transaction_after_run_is_refused(world: World, use: str):
    """OCC-8: A transaction that ``run`` gave is valid inside the function only."""
    tx = world.store.run(lambda tx: tx)

    check(Case(use, "OCC-8", lambda w: USES[use](tx, w), InvalidCall), world)


@pytest.mark.parametrize("use", USES)
def test_use_of_a_transaction_after_its_commit_is_refused(world: World, use: str):
    """OCC-8: A transaction that was committed by hand has ended, and the end of its block does nothing more."""
    with world.store.transaction() as tx:
        made = tx.create(Zone(name="by-hand"))
        tx.commit()
        world.asked.clear()
        check(Case(use, "OCC-8", lambda w: USES[use](tx, w), InvalidCall), world)

    assert [] == world.asked
    assert made == world.store.get(made)


@pytest.mark.parametrize("use", sorted(USES.keys() - {"commit"}))
def test_use_of_the_store_inside_run_is_refused(world: World, use: str):
    """OCC-8: What is done around ``tx`` would neither be checked with it nor be repeated with it."""
    check(Case(use, "OCC-8", lambda w: w.store.run(lambda _: USES[use](w.store, w)), InvalidCall), world)


@pytest.mark.parametrize("use", sorted(USES.keys() - {"commit"}))
def test_use_of_the_store_inside_a_transaction_is_refused(world: World, use: str):
    """OCC-8: What is done beside ``tx`` would be written even if the transaction is given up."""

    def call(world: World) -> object:
        with world.store.transaction():
            return USES[use](world.store, world)

    check(Case(use, "OCC-8", call, InvalidCall), world)


@pytest.mark.parametrize("use", USES)
def test_use_of_a_transaction_before_its_block_is_refused(world: World, use: str):
    """OCC-8: ``transaction()`` without ``with`` begins nothing."""
    tx = raw(world.store).transaction()

    with pytest.raises(InvalidCall) as caught:
        _finish(USES[use](tx, world))
    check_error(Case(use, "OCC-8", lambda _: None, InvalidCall), caught.value)


def _finish(result: Any) -> None:
    if asyncio.iscoroutine(result):
        asyncio.run(result)


def test_run_inside_run_is_refused(world: World):
    """OCC-8: A transaction has no transaction inside it."""
    check(Case("run", "OCC-8", lambda w: w.store.run(lambda _: w.store.run(lambda _: None)), InvalidCall), world)


def test_transaction_used_by_two_threads_at_once_refuses_the_second():
    """OCC-8: Two threads have no order among their reads and writes, so the later one is refused."""
    backend = MemoryBackend()
    caught: list[BaseException] = []

    def use(tx: Any) -> None:
        try:
            tx.get(Zone, "z")
        except BaseException as problem:  # noqa: BLE001 - looked at below, in the thread of the test
            caught.append(problem)

    def second(*_: object) -> None:
        backend.hook = None
        other = threading.Thread(target=use, args=(tx,))
        other.start()
        other.join()

    with connect(backend, namespace=NAMESPACE) as store:
        store.create(Zone(name="z"))
        with store.transaction() as tx:
            backend.hook = second
            tx.get(Zone, "z")

    (problem,) = caught
    assert isinstance(problem, StoreError)
    check_error(Case("threads", "OCC-8", lambda _: None, InvalidCall), problem)


def test_transaction_used_by_two_tasks_at_once_refuses_the_second():
    """OCC-8: Two tasks have no order among their reads and writes, so the later one is refused."""
    backend = MemoryBackend()
    caught: list[BaseException] = []

    async def work() -> None:
        async with connect_async(backend, namespace=NAMESPACE) as store:
            await store.create(Zone(name="z"))
            async with store.transaction() as tx:

                def second(*_: object) -> None:
                    backend.hook = None
                    other = tx.get(Zone, "z")
                    try:
                        other.send(None)  # a task's first step, in the middle of a request of the first one
                    except BaseException as problem:  # noqa: BLE001 - looked at below
                        caught.append(problem)

                backend.hook = second
                await tx.get(Zone, "z")

    asyncio.run(work())

    (problem,) = caught
    assert isinstance(problem, StoreError)
    check_error(Case("tasks", "OCC-8", lambda _: None, InvalidCall), problem)


def _orphan(tx: Any) -> None:
    tx.create(Service(parent="Zone/none", name="s"))


def _revive(tx: Any, world: World) -> None:
    tx.delete(world.spare)
    tx.update(world.spare)


def _update_twice(tx: Any, world: World) -> None:
    tx.update(world.zone.model_copy(update={"title": "once"}))
    tx.update(world.zone.model_copy(update={"title": "twice"}))


def refused_half_way(work: Callable[[Any, World], object]) -> Callable[[World], object]:
    """Return a call that writes something good, and then does ``work`` in the same transaction."""

    def call(world: World) -> object:
        with world.store.transaction() as tx:
            tx.create(Zone(name="good"))
            return work(tx, world)

    return call


@table(
    Case("bad-name", "ATM-1", refused_half_way(lambda tx, _: tx.create(Zone(name="a/b"))), InvalidResource),
    Case("bad-document", "ATM-1", refused_half_way(lambda tx, _: tx.create(Zone(name="b", title=7))), InvalidResource),
    Case("parent-missing", "ATM-1", refused_half_way(lambda tx, _: _orphan(tx)), MissingReference, must_commit=True),
    Case("what-was-deleted-before", "ATM-1", refused_half_way(_revive), NotFound, must_read=True),
    Case("value-from-before", "ATM-1", refused_half_way(_update_twice), InvalidCall),
    Case(
        "referrer-that-stays",
        "ATM-1",
        refused_half_way(lambda tx, w: tx.delete(w.host)),
        DeleteRestricted,
        must_read=True,
    ),
)
def test_transaction_with_one_bad_step_leaves_nothing_behind(case: Case, world: World):
    """ATM-1: A transaction that ends in an error writes nothing of what came before."""
    check(case, world)
