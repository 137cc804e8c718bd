"""What type checkers see of ports: the reply of each request, and a backend that does not answer all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, assert_type

from emco_store.backends.adapters import BackgroundPort, ImmediatePort, ThreadedPort
from emco_store.backends.memory import MemoryBackend
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.flows.asking import Flow, ask, read
from emco_store.ports import (
    AsyncPort,
    AsyncPortWrapper,
    Audit,
    Audited,
    Backend,
    Commit,
    Count,
    Get,
    Guarantees,
    Outcome,
    Port,
    PortBase,
    PortWrapper,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Request,
    Scan,
    Settle,
)

T = TypeVar("T")


def replies_have_the_type_of_their_request(port: Port) -> None:
    assert_type(port.ask(Get(())), Mapping[Key, Record])
    assert_type(port.ask(Scan(kind=None)), RecordPage)
    assert_type(port.ask(Count(Scan(kind=None))), int)
    assert_type(port.ask(ReferrerQuery(())), ReferrerPage)
    assert_type(port.ask(Commit("t")), Receipt | Refusal)
    assert_type(port.ask(Settle("t")), Outcome | None)
    assert_type(port.ask(Audit()), Audited)


async def replies_of_an_asyncio_port_are_awaited(port: AsyncPort) -> None:
    assert_type(await port.ask(Get(())), Mapping[Key, Record])
    assert_type(await port.ask(Commit("t")), Receipt | Refusal)


def flows_know_the_type_of_a_reply() -> Flow[int]:
    found = yield from read(Get(()))
    assert_type(found, Mapping[Key, Record])
    reply = yield from ask(Commit("t"))
    assert_type(reply, Receipt | Refusal)
    return len(found)


class Passing(PortWrapper):
    """A wrapper that does not ask what a request is about."""

    def ask(self, request: Request[T]) -> T:
        """See the base class."""
        return super().ask(request)


class PassingLater(AsyncPortWrapper):
    """The same for asyncio."""

    async def ask(self, request: Request[T]) -> T:
        """See the base class."""
        return await super().ask(request)


class Choosing(PortWrapper):
    """A wrapper that treats some requests otherwise."""

    def ask(self, request: Request[Any]) -> Any:
        """See the base class."""
        return Receipt(request.txid) if isinstance(request, Commit) else super().ask(request)


def adapters_are_ports(port: Port, later: AsyncPort) -> tuple[Port, Port, Port, AsyncPort, AsyncPort, AsyncPort]:
    return (
        BackgroundPort(later),
        Passing(port),
        Choosing(port),
        ThreadedPort(port),
        ImmediatePort(port),
        PassingLater(later),
    )


def memory_is_a_backend() -> Backend:
    return MemoryBackend()


class Deaf(PortBase):
    """A backend that answers nothing."""

    @property
    def guarantees(self) -> Guarantees:
        """See the base class."""
        raise NotImplementedError

    def open(self) -> None:
        """See the base class."""

    def close(self) -> None:
        """See the base class."""


def backend_that_does_not_answer_every_request_is_refused() -> None:
    Deaf()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]  # it is what is shown
