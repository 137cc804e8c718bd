"""Run an attempt again while it loses races, with jittered pauses, until a deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.flows.outcomes import is_worth_repeating

T = TypeVar("T")


async def retrying(
    attempt: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    worth: Callable[[BaseException], bool] = is_worth_repeating,
) -> T:
    """Call ``attempt`` until it succeeds, fails for good, or the deadline has passed; then raise its last error.

    Args:
        attempt: What to do.
        policy: How long, and with what pauses.
        worth: Tells the errors after which another attempt may succeed.
    """
    try:
        return await attempt()
    except StoreError as problem:
        if not worth(problem):
            raise
        failed = [problem]

    async def once() -> T:
        if failed:  # the first attempt, which was made without the machinery: most need no second one
            raise failed.pop()
        return await attempt()

    pauses = wait_random_exponential(multiplier=policy.first_pause_s, max=policy.longest_pause_s)
    return await AsyncRetrying(
        stop=stop_after_delay(policy.deadline_s), wait=pauses, retry=retry_if_exception(worth), reraise=True
    )(once)
