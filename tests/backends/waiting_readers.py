"""Tasks that wait at the end of a feed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from emco_store.contracts.feed import site
from emco_store.core.keys import Key
from emco_store.ports import Commit, Events


async def turns() -> None:
    """Let others run until all of them wait for something outside the loop."""
    for _ in range(20):
        await asyncio.sleep(0)


async def first_is_cancelled(
    port: Any, cursor: str, wait: timedelta, settle: Callable[[], Awaitable[None]] = turns
) -> None:
    """Have four readers wait, cancel the one that reads for all, and see that the next commit reaches the others.

    Args:
        port: An asyncio port to MongoDB or Redis.
        cursor: The end of its feed.
        wait: How long a reader may wait.
        settle: Returns as soon as the first reader waits on the server.
    """
    readers = [asyncio.create_task(port.ask(Events(cursor, wait=wait))) for _ in range(4)]
    await settle()
    assert 3 == len(port._feed._turns._waiting)
    readers[0].cancel()
    key = Key("Site", "a")
    await port.ask(Commit("t", {key: None}, puts=(site(key),)))
    first, *others = await asyncio.gather(*readers, return_exceptions=True)
    await port.close()
    assert isinstance(first, asyncio.CancelledError)
    assert [["t"]] * 3 == [[event.txid for event in page.events] for page in others]
