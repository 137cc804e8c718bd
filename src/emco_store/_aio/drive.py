"""Run a flow on a port."""

from __future__ import annotations

from typing import Any, TypeVar

from emco_store import notices
from emco_store.errors import Unavailable, UnknownOutcome
from emco_store.flows.asking import Flow
from emco_store.ports import AsyncPort, Commit, Get, Receipt, Request, deadline
from emco_store.queueing.waiters import AsyncWaiter

T = TypeVar("T")


async def drive(flow: Flow[T], port: AsyncPort, waiter: AsyncWaiter | None = None, *, end_s: float | None = None) -> T:
    """Answer each request of the flow from the port, and give what the flow ends with.

    Args:
        flow: The flow.
        port: The port.
        waiter: The call in the queues of the store, if it keeps to them.
        end_s: When every request must have ended; see :mod:`emco_store.ports.deadline`.
    """
    token = None if end_s is None else deadline.begin(end_s)
    try:
        request = next(flow)
        while True:
            try:
                if end_s is not None:
                    deadline.refuse_late(end_s)
                reply = await (port.ask(request) if waiter is None else _answer(request, port, waiter))
            except BaseException as problem:  # noqa: BLE001 - the flow decides what a failure or cancellation means
                request = flow.throw(problem)
            else:
                request = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the generator returned
    except (Unavailable, UnknownOutcome) as problem:
        if end_s is not None and deadline.is_near(end_s):
            notices.came_late(problem)
        raise
    finally:
        if token is not None:
            deadline.end(token)


async def _answer(request: Request[Any], port: AsyncPort, waiter: AsyncWaiter) -> Any:
    """Answer one request; wait before what others wait for is read, and hand them what was written."""
    if isinstance(request, Get):
        return await waiter.wait_before(request.keys) or waiter.note(await port.ask(request))
    if isinstance(request, Commit):
        waiter.note_successors(request.txid)
        reply = await port.ask(request)
        if isinstance(reply, Receipt):
            waiter.hand_over(request.puts)
        return reply
    return await port.ask(request)
