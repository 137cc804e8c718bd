# Generated from src/emco_store/_aio/drive.py by `python3 dev.py sync`: do not edit.
"""Run a flow on a port."""

from __future__ import annotations

from typing import TypeVar

from emco_store.flows.ops import Flow
from emco_store.ports import Port

T = TypeVar("T")


def drive(flow: Flow[T], port: Port) -> T:
    """Answer each request of the flow from the port, and give what the flow ends with."""
    try:
        op = next(flow)
        while True:
            try:
                reply = op.on(port)
            except BaseException as problem:  # noqa: BLE001 - the flow decides what a failure or a cancellation means
                op = flow.throw(problem)
            else:
                op = flow.send(reply)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the generator returned
