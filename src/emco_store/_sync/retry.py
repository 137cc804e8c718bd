# Generated from src/emco_store/_aio/retry.py by `python3 dev.py sync`: do not edit.
"""Run an attempt again while it loses races, with jittered pauses, until a deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from emco_store.flows.context import RetryPolicy
from emco_store.flows.outcomes import is_worth_repeating

T = TypeVar("T")


def retrying(attempt: Callable[[], T], policy: RetryPolicy) -> T:
    """Call ``attempt`` until it succeeds, fails for good, or the deadline has passed; then raise its last error."""

    def once() -> T:
        return attempt()  # tenacity awaits coroutine functions only, and a lambda that gives a coroutine is none

    pauses = wait_random_exponential(multiplier=policy.first_pause_s, max=policy.longest_pause_s)
    return Retrying(
        stop=stop_after_delay(policy.deadline_s),
        wait=pauses,
        retry=retry_if_exception(is_worth_repeating),
        reraise=True,
    )(once)
