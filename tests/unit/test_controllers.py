"""Controllers among random writers, in threads and in tasks."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from emco_store import AsyncController, Backoff, Controller, MemoryBackend, Resource, connect, connect_async

NAMES = "abcde"
WRITES = 40


class Order(Resource):
    """What writers change."""

    total: int = 0


class View(Resource):
    """What the controller makes of an order."""

    total: int = 0


def write(store, seed):
    """Write and delete orders at random."""
    chosen = random.Random(seed)
    for number in range(WRITES):
        name = chosen.choice(NAMES)
        if chosen.random() < 0.3:
            store.delete(Order(name=name).key, missing_ok=True)
        else:
            store.put(Order(name=name, total=number))


def totals(resources):
    """Return what a view must say of each order."""
    return {one.name: one.total for one in resources}


@pytest.mark.parametrize("seed", range(3))
def test_read_model_becomes_what_the_orders_are(seed):
    """Whatever writers do, and however often a call fails, each view becomes what its order is (FEED-14)."""
    with connect(MemoryBackend(), namespace="controllers") as store:
        chosen, lock, seen = random.Random(seed), threading.Lock(), set()

        def reconcile(work):
            with lock:
                if RuntimeError not in seen or chosen.random() < 0.2:
                    raise RuntimeError
            shown = work.others["View"].find(work.key.name)
            if work.resource is None:
                if shown is not None:
                    store.delete(shown)
            elif shown is None:
                store.create(View(name=work.key.name, total=work.resource.total))
            elif shown.total != work.resource.total:
                store.update(shown.model_copy(update={"total": work.resource.total}))
            if "end" in totals(store.list(View)) and totals(store.list(Order)) == totals(store.list(View)):
                seen.add("end")
                controller.stop()

        controller = Controller(
            store, Order, reconcile, also={View: lambda view: [Order(name=view.name)]}, workers=3,
            failed=lambda _, problem: seen.add(type(problem)), retry=Backoff("1ms", 1, "1ms"),
        )  # fmt: skip
        writers = [threading.Thread(target=write, args=(store, seed * 10 + number)) for number in range(3)]
        for thread in writers:
            thread.start()
        last = threading.Thread(target=lambda: [*[one.join() for one in writers], store.create(Order(name="end"))])
        last.start()
        controller.run()
        last.join()

        assert {"end", RuntimeError} <= seen
        assert totals(store.list(Order)) == totals(store.list(View))


class Told:
    """A lease that notes what progress it is told of."""

    def __init__(self):
        self.reports = []

    def progress(self, **fields):
        """Note it."""
        self.reports.append(fields)


def test_progress_is_reported_only_while_work_is_taken_up():
    """With its heartbeat, a controller reports no progress while its caches are stale, or due work stays (FEED-14)."""
    with connect(MemoryBackend(), namespace="controllers") as store:
        now_s, is_ready, lease = [0.0], [True], Told()
        controller = Controller(store, Order, lambda _: None, clock_s=lambda: now_s[0])
        controller.ready = lambda: is_ready[0]
        queue, key = controller._queue, Order(name="a").key

        def reports():
            before = len(lease.reports)
            controller._report(lease)
            return len(lease.reports) - before

        assert 1 == reports()  # nothing is to be done
        is_ready[0] = False
        assert 0 == reports()  # it is deaf
        is_ready[0] = True
        queue.add(key, 5.0)
        assert 1 == reports()  # nothing is due yet
        now_s[0] = 6.0
        assert 0 == reports()  # work is due, and nobody takes it
        queue.take(6.0)
        controller._moves += 1
        assert 1 == reports()  # it was taken
        assert 0 == reports()  # and the call hangs
        queue.done(key, 7.0, has_failed=False)
        assert 1 == reports()


def test_stop_waits_for_the_calls_that_are_under_way():
    """When ``run`` has returned, no call is under way and none begins any more (FEED-14)."""

    async def main():
        begun, ended, both = [], [], asyncio.Barrier(2)
        async with connect_async(MemoryBackend(), namespace="controllers") as store:
            for name in NAMES:
                await store.create(Order(name=name))

            async def reconcile(work):
                begun.append(work.key.name)
                await both.wait()
                controller.stop()
                ended.append(work.key.name)

            controller = AsyncController(store, Order, reconcile, workers=2)
            await controller.run()
            return begun, sorted(ended)

    assert (["a", "b"], ["a", "b"]) == asyncio.run(main())
