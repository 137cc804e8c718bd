"""Why a server cannot be reached, in words of our own: a driver's text may hold what nobody else should read."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Cause(NamedTuple):
    """Why a server cannot be reached.

    Attributes:
        text: The cause, to be read after the address of the server.
        is_outright: Whether trying again at once cannot help, unless somebody mends it.
    """

    text: str
    is_outright: bool


_CAUSES: Final = (
    (
        re.compile(r"Connection refused|Connect call failed|actively refused|connecting to /"),
        Cause("it refuses connections: nothing listens there", is_outright=True),
    ),
    (
        re.compile(r"Name or service not known|nodename nor servname|getaddrinfo failed|No address associated"),
        Cause("there is no host of this name", is_outright=True),
    ),
    (
        re.compile(r"Temporary failure in name resolution"),
        Cause("its name cannot be resolved at the moment", is_outright=False),
    ),
    (re.compile(r"belongs to a set named"), Cause("it belongs to another replica set", is_outright=True)),
    (
        re.compile(r"timed out|Timeout|TimeoutError", re.IGNORECASE),
        Cause("it did not answer in time", is_outright=False),
    ),
    (
        re.compile(r"\bSSL|\bTLS|_ssl\.c|CERTIFICATE"),
        Cause("the TLS handshake failed: does the server speak TLS, and to this client?", is_outright=True),
    ),
    (
        re.compile(r"No route to host|[Nn]etwork is unreachable"),
        Cause("no network leads there", is_outright=False),
    ),
    (
        re.compile(r"Too many connections|No connection available"),
        Cause("every connection of the client's pool is in use", is_outright=False),
    ),
    (re.compile(r"max number of clients reached"), Cause("it takes no more clients", is_outright=False)),
    (re.compile(r"No master found|master is now a slave"), Cause("no primary is known", is_outright=False)),
    (re.compile(r"reset by peer|[Cc]losed|Broken pipe|EOF"), Cause("it closed the connection", is_outright=False)),
)
_UNKNOWN: Final = Cause("it does not answer", is_outright=False)


def cause_of(said: str) -> Cause:
    """Read a driver's text about a server that it cannot reach."""
    said = said.partition(" (configured timeouts")[0]  # as PyMongo adds to every error
    return next((cause for pattern, cause in _CAUSES if pattern.search(said)), _UNKNOWN)
