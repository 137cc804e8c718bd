# Generated from src/emco_store/_aio/retry.py by `python3 dev.py sync`: do not edit.
"""Run an attempt again while it loses races, with jittered pauses, until a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.flows.outcomes import is_worth_repeating

T = TypeVar("T")


def retrying(
    attempt: Callable[[], T],
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
        return attempt()
    except StoreError as problem:
        if not worth(problem):
            raise
        failed = [problem]

    def once() -> T:
        if failed:  # the first attempt, which was made without the machinery: most need no second one
            raise failed.pop()
        return attempt()

    pauses = wait_random_exponential(multiplier=policy.first_pause_s, max=policy.longest_pause_s)
    return Retrying(
        stop=stop_after_delay(policy.deadline_s), wait=pauses, retry=retry_if_exception(worth), reraise=True
    )(once)
