"""Why no primary can be reached, as far as PyMongo knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from emco_store.backends.causes import cause_of


class Outage(NamedTuple):
    """What keeps requests from a primary.

    Attributes:
        reasons: One for each server, with its address.
        is_outright: Whether every server refuses, so that waiting helps only if somebody mends it.
    """

    reasons: tuple[str, ...]
    is_outright: bool


def addresses(client: Any) -> tuple[str, ...]:
    """Return the addresses of the servers that a client knows; at first, those that its URL names."""
    return tuple(f"{host}:{port}" for host, port in client.topology_description.server_descriptions())


def outage(client: Any, named: Sequence[str]) -> Outage | None:
    """Say why a client has no primary; None where it has one.

    Args:
        client: A client of PyMongo.
        named: The addresses that it was given.
    """
    topology = client.topology_description
    if topology.has_writable_server():
        return None
    servers = topology.server_descriptions()
    if not servers:  # PyMongo forgets a server that says that it belongs to another set
        name = topology.replica_set_name
        reasons = tuple(f"{address}: it does not belong to the replica set {name!r:.80}" for address in named)
        return Outage(reasons or ("no server is known",), is_outright=bool(reasons) and name is not None)
    found: list[str] = []
    is_outright = True
    for (host, port), server in servers.items():
        if server.error is not None:
            cause = cause_of(str(server.error))
            found.append(f"{host}:{port}: {cause.text}")
            is_outright = is_outright and cause.is_outright
        else:
            is_known = server.server_type_name != "Unknown"
            found.append(f"{host}:{port}: {'it is not the primary' if is_known else 'it has not answered yet'}")
            is_outright = False
    return Outage(tuple(found), is_outright)
