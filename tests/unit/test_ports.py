"""Ports: each request has its method, and a backend that lacks one cannot be made."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from emco_store.backends.memory import MemoryBackend, MemoryPort
from emco_store.errors import NotSupported
from emco_store.ports import AsyncPortBase, Beat, Durability, Events, Guarantees, PortBase, Pulses, Request, requests

KINDS: tuple[type[Request[Any]], ...] = tuple(
    kind for kind in vars(requests).values()
    if isinstance(kind, type) and issubclass(kind, Request) and kind is not Request
)  # fmt: skip


OF_LEASES = (Beat, Pulses)
LEFT_OUT = (*OF_LEASES, Events)


def reply_of(kind: type[Request[Any]]) -> Any:
    """Return the type of the reply that a request is declared with."""
    (base,) = kind.__orig_bases__
    (reply,) = get_args(base)
    return type(None) if reply is None else reply


@pytest.mark.parametrize("base", [PortBase, AsyncPortBase])
@pytest.mark.parametrize("kind", KINDS)
def test_request_is_answered_by_the_method_of_its_verb(kind, base):
    """The method takes this request and returns its reply, which no type checker can see through ask.

    It is abstract, apart from those of leases and of the feed, which a backend may leave out.
    """
    hints = get_type_hints(getattr(base, kind.verb))

    assert (kind.verb in base.__abstractmethods__) == (kind not in LEFT_OUT)
    assert [kind, reply_of(kind)] == list(hints.values())


@pytest.mark.parametrize("base", [PortBase, AsyncPortBase])
def test_every_abstract_method_answers_a_request(base):
    """Nothing is asked of a backend that no request asks for."""
    assert base.__abstractmethods__ - {kind.verb for kind in KINDS} == {"guarantees", "open", "close"}


def test_backend_without_leases_says_so():
    """A port that leaves out beats and pulses refuses them, and promises no leases."""
    left_out = {kind.verb: getattr(PortBase, kind.verb) for kind in OF_LEASES}
    port = type("Without", (MemoryPort,), left_out)(MemoryBackend(), "n")

    for request in (Beat({}), Pulses()):
        with pytest.raises(NotSupported):
            port.ask(request)
    assert not Guarantees("new", "strict serializable", Durability.VOLATILE).leases


def test_backend_without_a_feed_says_so():
    """A port that leaves out events refuses the request, and promises no feed."""
    port = type("Without", (MemoryPort,), {"events": PortBase.events})(MemoryBackend(), "n")

    with pytest.raises(NotSupported):
        port.ask(Events())
    assert not Guarantees("new", "strict serializable", Durability.VOLATILE).feed


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in LEFT_OUT])
def test_backend_that_lacks_a_method_cannot_be_made(kind):
    """Python refuses it when it is made, and not when the request comes."""
    names = {kind.verb: PortBase.__dict__[kind.verb]}
    lacking = type("Lacking", (MemoryPort,), names)

    with pytest.raises(TypeError, match=kind.verb):
        lacking(None, "n")
