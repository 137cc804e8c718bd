"""What ``run`` does with the function that it is given, and where the store itself may be used."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, TypeVar

from emco_store.errors import InvalidCall

T = TypeVar("T")


class Scope:
    """The inside of one transaction of a store, in which the store itself must not be used.

    Tasks and threads that inherit the context of the block belong to it, but only until it ends.

    Args:
        owner: The store.
    """

    __slots__ = ("is_open", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.is_open = False

    def open(self) -> None:
        """Begin it in the current context, and in those that inherit it.

        Raises:
            InvalidCall: This is the inside of another transaction of the store.
        """
        refuse_inside(self.owner)
        self.is_open = True
        _scopes.set((*_open_scopes(), self))

    def close(self) -> None:
        """End it, wherever it was inherited; it may end in another context than it began in, as a fixture may do."""
        self.is_open = False
        _scopes.set(_open_scopes())


_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("emco_store_open_transactions", default=())


def _open_scopes() -> tuple[Scope, ...]:
    return tuple(one for one in _scopes.get() if one.is_open)


def refuse_inside(owner: object) -> None:
    """Refuse the use of a store inside one of its own transactions.

    Raises:
        InvalidCall: This is the inside of a transaction of ``owner``.

    Rules: OCC-8.
    """
    scopes = _scopes.get()
    if scopes and any(scope.owner is owner and scope.is_open for scope in scopes):
        raise InvalidCall(
            "The store was used inside one of its transactions other than through tx.",
            why=["what is done beside tx is neither checked nor committed nor repeated with it"],
            hint="call the same method on tx, or end the transaction first.",
        )


def finished(result: T) -> T:
    """Return what the function of a blocking ``run`` returned, unless that shows that the function has not run yet.

    Raises:
        InvalidCall: It was declared with ``async def``, or it is a generator.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise _refused(
            "it is a coroutine function, and this store blocks", "pass a plain function, or connect_async()."
        )
    _refuse_generator(result)
    return result


async def awaited(result: Awaitable[T]) -> T:
    """Return what the function of an asyncio ``run`` ends with.

    Raises:
        InvalidCall: The function returned something that cannot be awaited, or it is a generator.
    """
    _refuse_generator(result)
    if not inspect.isawaitable(result):  # pyright: ignore[reportUnnecessaryComparison]  # what a caller may pass all the same
        raise _refused("it is a plain function, which cannot await tx", "declare it with `async def`, and await tx.")
    value = await result
    _refuse_generator(value)
    return value


def finished_answer(result: T) -> T:
    """Return what the function of a guard answers; see :func:`finished`."""
    return finished(result)


async def awaited_answer(result: Any) -> Any:
    """Return what the function of a guard answers, which may be declared with ``async def`` or not.

    Raises:
        InvalidCall: It is a generator.
    """
    _refuse_generator(result)
    return await awaited(result) if inspect.isawaitable(result) else result


def _refuse_generator(result: object) -> None:
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise _refused("it is a generator function, of which nothing has run", "return the result; do not yield it.")


def _refused(why: str, hint: str) -> InvalidCall:
    return InvalidCall("Cannot run this function as a transaction; nothing was written.", why=[why], hint=hint)
