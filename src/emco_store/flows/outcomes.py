"""Outcomes: send a commit again under its txid while no answer comes, and settle it later."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from emco_store.core.keys import Key
from emco_store.errors import Conflict, InvalidCall, NotSupported, StoreError
from emco_store.flows.asking import Flow, ask
from emco_store.flows.noting import note
from emco_store.flows.refusals import refused, unavailable, unknown_outcome
from emco_store.ports import Commit, Outcome, OutcomeLost, Receipt, Refusal, Settle, Unreachable

SENDS = 3
"""How often a commit is sent before its outcome counts as unknown. The txid makes repeats harmless."""


def submit(commit: Commit, read: Collection[Key] = ()) -> Flow[None]:
    """Commit once.

    Args:
        commit: The commit.
        read: Keys whose state was read for this commit. If one of them has changed, another attempt may succeed.

    Raises:
        StoreError: The commit was refused and nothing was written, or its outcome is unknown (``UnknownOutcome``).

    Rules: ATM-2, ATM-4.
    """
    note(commit)
    lost: Exception | None = None
    for _ in range(SENDS):
        try:
            reply: Receipt | Refusal = yield commit
        except OutcomeLost as problem:
            lost = problem
        except Unreachable as problem:
            if lost is None:
                raise unavailable(problem) from problem
            lost = problem
        except StoreError as problem:  # this request had no effect; one that was lost before may have had one
            if lost is None:
                raise
            lost = problem
        else:
            if isinstance(reply, Refusal):
                if lost is not None and (yield from _has_happened(commit)):
                    return
                raise refused(commit, reply, read)
            return
    raise unknown_outcome(commit.txid) from lost


def _has_happened(commit: Commit) -> Flow[bool]:
    """Settle a commit that was refused when it was sent again: an earlier request may still be under way."""
    if not commit.size:
        return False
    try:
        return (yield from ask(Settle(commit.txid))) is Outcome.COMMITTED
    except (Unreachable, OutcomeLost, StoreError) as problem:
        raise unknown_outcome(commit.txid) from problem


def resolve(txid: Any, *, kept: timedelta) -> Flow[Outcome]:
    """Settle a commit: return its outcome, and make sure that it cannot change any more.

    Args:
        txid: The id of the commit.
        kept: Outcome retention: how long the backend remembers outcomes.

    Rules: ATM-5.
    """
    if not isinstance(txid, str) or not txid:
        raise InvalidCall(
            f"Cannot resolve {txid!r:.40}.",
            why=["it is not the id of a commit"],
            hint="give the txid of an UnknownOutcome.",
        )
    try:
        outcome = yield from ask(Settle(txid))
    except (Unreachable, OutcomeLost) as problem:
        raise unavailable(problem) from problem
    if outcome is None:
        raise NotSupported(
            f"Cannot resolve {txid:.80}.",
            why=[f"it began more than {kept / 2} ago, and outcomes are forgotten after {kept}"],
            hint="read what the commit would have changed, and resolve sooner next time.",
        )
    return outcome


def is_lost_race(problem: BaseException) -> bool:
    """Return whether another commit won a race, so that another attempt with fresh reads may succeed.

    A ``Conflict`` about a version that the caller has given comes again every time.
    """
    return isinstance(problem, Conflict) and not problem.pinned
