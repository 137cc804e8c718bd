"""Pauses of a thread and of a task, as a policy says how long they are."""

from __future__ import annotations

import asyncio
import time


def pause(seconds: float) -> None:
    """Let this thread do nothing for some seconds."""
    time.sleep(seconds)  # noqa: TID251 - the one place where a store sleeps


async def async_pause(seconds: float) -> None:
    """Let this task do nothing for some seconds."""
    await asyncio.sleep(seconds)
