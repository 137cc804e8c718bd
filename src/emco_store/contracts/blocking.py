"""A blocking view of the asyncio store, so that the same tests prove both."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Self, TypeVar

from emco_store._aio.controlling import AsyncController
from emco_store._aio.store import AsyncStore
from emco_store._aio.transaction import AsyncTransaction
from emco_store._sync.controlling import Controller
from emco_store.flows.acting import Acting

T = TypeVar("T")


class Loop:
    """An event loop that runs for one call at a time."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._context = copy_context()  # one for all calls, as if they were made by one task

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, even from a thread that ``AsyncStore.run`` waits for."""
        loop = self._runner.get_loop()
        if loop.is_running():
            return asyncio.run_coroutine_threadsafe(work, loop).result()
        # Runner.run would prepare for SIGINT each time, which takes longer than most calls.
        return loop.run_until_complete(loop.create_task(work, context=self._context))

    def close(self) -> None:
        """Close the loop."""
        self._runner.close()


class _View:
    """An asyncio object whose coroutine methods are called as functions."""

    def __init__(self, inner: Any, loop: Loop) -> None:
        self.inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return functools.partial(self._call, found) if inspect.iscoroutinefunction(found) else found

    def _call(self, method: Callable[..., Coroutine[Any, Any, T]], *args: Any, **options: Any) -> T:
        return self._loop.call(method(*args, **options))


class _IterationView(_View):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self._loop.call(_next(self.inner))
        except StopAsyncIteration:
            raise StopIteration from None


class _FollowView(_IterationView):
    @contextmanager
    def cache(self, **options: Any) -> Generator[_View]:
        block = self.inner.cache(**options)
        self._loop.call(_entered(block))
        try:
            yield _View(block, self._loop)
        finally:
            self._loop.call(_left(block, None))


class _StoreView(_View):
    inner: AsyncStore

    def __enter__(self) -> Self:
        self._loop.call(self.inner.__aenter__())
        return self

    def __exit__(self, *problem: Any) -> None:  # noqa: PYI036 - handed on as they are
        self._loop.call(self.inner.__aexit__(*problem))

    def close(self) -> None:
        self._loop.call(self.inner.aclose())

    @contextmanager
    def transaction(self, **options: Any) -> Generator[_View]:
        block = self._loop.call(_begun(self.inner, options))
        tx = self._loop.call(_entered(block))
        try:
            yield _View(tx, self._loop)
        except BaseException as problem:
            if not self._loop.call(_left(block, problem)):
                raise
        else:
            self._loop.call(_left(block, None))

    @contextmanager
    def lease(self, *args: Any, **options: Any) -> Generator[Any]:
        block = self.inner.lease(*args, **options)
        lease = self._loop.call(_entered(block))
        try:
            yield lease
        except BaseException as problem:
            if not self._loop.call(_left(block, problem)):
                raise
        else:
            self._loop.call(_left(block, None))

    def iterate(self, *args: Any, **options: Any) -> _IterationView:
        return _IterationView(self.inner.iterate(*args, **options), self._loop)

    def follow(self, *args: Any, **options: Any) -> _FollowView:
        return _FollowView(self.inner.follow(*args, **options), self._loop)

    def watch(self, **options: Any) -> _IterationView:
        return _IterationView(self.inner.watch(**options), self._loop)

    def consume(self, name: str, handler: Callable[..., object], **options: Any) -> _View:
        """Call the plain functions of a consumer in a thread, in which they may wait for the loop."""
        if options.get("reset") is not None:
            options["reset"] = _threaded(options["reset"], self._loop)
        return _View(self.inner.consume(name, _threaded(handler, self._loop), **options), self._loop)

    def relay(self, name: str, sink: Any, **options: Any) -> _View:
        """Call the plain methods of a sink, and a plain function."""
        if callable(options.get("on_gap")):
            options["on_gap"] = _awaitable(options["on_gap"])
        awaited: Any = _AwaitedSink(sink)
        return _View(self.inner.relay(name, awaited, **options), self._loop)

    def reaper(self, **options: Any) -> _View:
        return _View(self.inner.reaper(**options), self._loop)

    @contextmanager
    def acting(self, **options: Any) -> Generator[None]:
        block = self._loop.call(_acting(self.inner, options))
        try:
            yield
        finally:
            self._loop.call(_acted(block))

    def run(self, fn: Callable[[Any], T], **options: Any) -> T:
        """Run the plain function ``fn`` in a thread, in which it may wait for the loop."""
        result: T = self._loop.call(self.inner.run(_threaded(fn, self._loop), **options))
        return result


class _AwaitedSink:
    """A plain sink, as one for asyncio."""

    def __init__(self, inner: Any) -> None:
        for name in ("position", "send"):
            if callable(getattr(inner, name, None)):
                setattr(self, name, _awaitable(getattr(inner, name)))


def _awaitable(fn: Callable[..., Any]) -> Any:
    async def call(*given: Any) -> Any:
        return await asyncio.to_thread(fn, *given)

    return call


def _threaded(fn: Any, loop: Loop) -> Any:
    if not callable(fn):
        return fn

    async def call(tx: AsyncTransaction, *given: Any) -> Any:
        return await asyncio.to_thread(fn, _View(tx, loop), *given)

    return call


async def _next(iteration: Any) -> Any:
    return await anext(iteration)


async def _begun(store: AsyncStore, options: dict[str, Any]) -> AsyncTransaction:
    return store.transaction(**options)


async def _acting(store: AsyncStore, options: dict[str, Any]) -> Acting:
    block = store.acting(**options)
    block.__enter__()
    return block


async def _acted(block: Acting) -> None:
    block.__exit__()


async def _entered(block: Any) -> Any:
    return await block.__aenter__()


async def _left(block: Any, problem: BaseException | None) -> bool:
    kind = None if problem is None else type(problem)
    trace = None if problem is None else problem.__traceback__
    return bool(await block.__aexit__(kind, problem, trace))


def blocking(store: AsyncStore, loop: Loop) -> Any:
    """Return a view of the asyncio store with the methods of the blocking one."""
    return _StoreView(store, loop)


def viewed(thing: Any, loop: Loop) -> Any:
    """Return a view of an asyncio object, whose coroutine methods are called as functions."""
    return _View(thing, loop)


def raw(thing: Any) -> Any:
    """Return the object of a view. In the action of a fault, the port awaits what its methods return."""
    return thing.inner if isinstance(thing, _View) else thing


def controller(store: Any, model: Any, reconcile: Callable[[Any], Any], **options: Any) -> Any:
    """Return a controller of a blocking store, or a view of one for asyncio, with plain functions in both cases.

    In asyncio, the function is called in a thread, in which it may wait for the loop.
    """
    if not isinstance(store, _StoreView):
        return Controller(store, model, reconcile, **options)

    async def called(work: Any) -> Any:
        return await asyncio.to_thread(reconcile, work)

    inner = AsyncController(store.inner, model, called, **options)
    return _View(inner, store._loop)  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
