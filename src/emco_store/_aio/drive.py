"""Run a flow on a port."""

from __future__ import annotations

from typing import Any, TypeVar

from emco_store.flows.ops import Flow, Get, Op, Submit
from emco_store.lines import AsyncPlace
from emco_store.ports import AsyncPort, Receipt

T = TypeVar("T")


async def drive(flow: Flow[T], port: AsyncPort, place: AsyncPlace | None = None) -> T:
    """Answer each request of the flow from the port, and give what the flow ends with.

    Args:
        flow: The flow.
        port: The port.
        place: Where the call stands, if there are lines that it keeps to.
    """
    try:
        op = next(flow)
        while True:
            try:
                reply = await (op.on_async(port) if place is None else _answer(op, port, place))
            except BaseException as problem:  # noqa: BLE001 - the flow decides what a failure or a cancellation means
                op = flow.throw(problem)
            else:
                op = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the generator returned


async def _answer(op: Op[Any], port: AsyncPort, place: AsyncPlace) -> Any:
    """Answer one request; wait before what others wait for is read, and hand them what was written."""
    if isinstance(op, Get):
        return await place.before(op.keys) or place.note(await op.on_async(port))
    if isinstance(op, Submit):
        place.name_heirs(op.commit.txid)
        reply = await op.on_async(port)
        if isinstance(reply, Receipt):
            place.hand_over(op.commit.puts)
        return reply
    return await op.on_async(port)
