# Generated from src/emco_store/_aio/retry.py by `python3 dev.py sync`: do not edit.
"""Run an attempt again while it loses races, in a queue with other calls or after jittered pauses, until a deadline."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from emco_store import notices, tallies
from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.flows.outcomes import is_lost_race
from emco_store.queueing.waiters import Waiter

T = TypeVar("T")


def retrying(
    attempt: Callable[[], T],
    policy: RetryPolicy,
    find_waiter: Callable[[], Waiter],
) -> T:
    """Call ``attempt`` until it loses no race, or the deadline has passed; then raise its last error.

    Args:
        attempt: What to do.
        policy: How long, and with what pauses.
        find_waiter: Returns the waiter with which the call queues, instead of pausing, after it has lost what others
            want too. Called after the first failure.
    """
    try:
        return attempt()
    except StoreError as problem:
        if not is_lost_race(problem):
            raise
        failed = [problem]
    waiter, since_s = find_waiter(), monotonic()

    def once() -> T:
        if failed:  # the first attempt, which was made without the machinery: most need no second one
            raise failed.pop()
        tallies.again()
        return attempt()

    def is_lost(problem: BaseException) -> bool:
        return is_lost_race(problem) and tallies.lost()

    def longest_pause_s(state: RetryCallState) -> float:
        problem = None if state.outcome is None else state.outcome.exception()
        if problem is not None and waiter.join_after(problem):
            return max(0.0, deadline_s - (state.seconds_since_start or 0.0))
        return pauses(state)

    deadline_s = max(0.0, policy.deadline_s - waiter.waited_s)
    pauses = wait_random_exponential(multiplier=policy.first_pause_s, max=policy.longest_pause_s)
    retries = Retrying(
        stop=stop_after_delay(deadline_s), wait=longest_pause_s, sleep=waiter.pause,
        retry=retry_if_exception(is_lost), reraise=True,
    )  # fmt: skip
    try:
        return retries(once)
    except StoreError as problem:
        if is_lost_race(problem):
            notices.gave_up(problem, attempts=retries.statistics["attempt_number"], since_s=since_s)
        raise
