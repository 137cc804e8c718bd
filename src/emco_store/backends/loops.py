"""The event loop of an asyncio port, and the error for its use in any other."""

from __future__ import annotations

import asyncio

from emco_store.errors import InvalidCall


def home_loop(known: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """Return the running loop, which becomes the home of a port that has none yet.

    Args:
        known: The home of the port, if it has one.

    Raises:
        InvalidCall: The home is another loop: connections, locks and timers of the port would wait there.
    """
    running = asyncio.get_running_loop()
    if known not in {None, running}:
        raise other_loop()
    return running


def other_loop() -> InvalidCall:
    """Build the error for a store that is used outside of its event loop."""
    return InvalidCall(
        "This store cannot be used in this event loop.",
        why=["it, or the client that it was given, belongs to another one"],
        hint="open a store in each event loop, by connect_async() with a URL or with a client of that loop.",
    )
