"""Run a flow on a port."""

from __future__ import annotations

from typing import Any, TypeVar

from emco_store.flows.ops import Flow, Get, Op, Submit
from emco_store.ports import AsyncPort, Receipt
from emco_store.queueing.waiters import AsyncWaiter

T = TypeVar("T")


async def drive(flow: Flow[T], port: AsyncPort, waiter: AsyncWaiter | None = None) -> T:
    """Answer each request of the flow from the port, and give what the flow ends with.

    Args:
        flow: The flow.
        port: The port.
        waiter: The call in the queues of the store, if it keeps to them.
    """
    try:
        op = next(flow)
        while True:
            try:
                reply = await (op.on_async(port) if waiter is None else _answer(op, port, waiter))
            except BaseException as problem:  # noqa: BLE001 - the flow decides what a failure or a cancellation means
                op = flow.throw(problem)
            else:
                op = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the generator returned


async def _answer(op: Op[Any], port: AsyncPort, waiter: AsyncWaiter) -> Any:
    """Answer one request; wait before what others wait for is read, and hand them what was written."""
    if isinstance(op, Get):
        return await waiter.wait_before(op.keys) or waiter.note(await op.on_async(port))
    if isinstance(op, Submit):
        waiter.note_successors(op.commit.txid)
        reply = await op.on_async(port)
        if isinstance(reply, Receipt):
            waiter.hand_over(op.commit.puts)
        return reply
    return await op.on_async(port)
