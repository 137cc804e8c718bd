"""Run an attempt again while it loses races, with jittered pauses, until a deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from emco_store.flows.context import RetryPolicy
from emco_store.flows.outcomes import is_worth_repeating

T = TypeVar("T")


async def retrying(attempt: Callable[[], Awaitable[T]], policy: RetryPolicy) -> T:
    """Call ``attempt`` until it succeeds, fails for good, or the deadline has passed; then raise its last error."""

    async def once() -> T:
        return await attempt()  # tenacity awaits coroutine functions only, and a lambda that gives a coroutine is none

    pauses = wait_random_exponential(multiplier=policy.first_pause_s, max=policy.longest_pause_s)
    return await AsyncRetrying(
        stop=stop_after_delay(policy.deadline_s),
        wait=pauses,
        retry=retry_if_exception(is_worth_repeating),
        reraise=True,
    )(once)
