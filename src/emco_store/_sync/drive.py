# Generated from src/emco_store/_aio/drive.py by `python3 dev.py sync`: do not edit.
"""Run a flow on a port."""

from __future__ import annotations

from typing import Any, TypeVar

from emco_store.flows.ops import Flow, Get, Op, Submit
from emco_store.ports import Port, Receipt
from emco_store.queueing.waiters import Waiter

T = TypeVar("T")


def drive(flow: Flow[T], port: Port, waiter: Waiter | None = None) -> T:
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
                reply = op.on(port) if waiter is None else _answer(op, port, waiter)
            except BaseException as problem:  # noqa: BLE001 - the flow decides what a failure or a cancellation means
                op = flow.throw(problem)
            else:
                op = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the generator returned


def _answer(op: Op[Any], port: Port, waiter: Waiter) -> Any:
    """Answer one request; wait before what others wait for is read, and hand them what was written."""
    if isinstance(op, Get):
        return waiter.wait_before(op.keys) or waiter.note(op.on(port))
    if isinstance(op, Submit):
        waiter.note_successors(op.commit.txid)
        reply = op.on(port)
        if isinstance(reply, Receipt):
            waiter.hand_over(op.commit.puts)
        return reply
    return op.on(port)
