"""How a commit ends: sent again under its txid when no answer comes, and its refusal told as one typed error."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from emco_store.core.keys import Key
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    InvalidCall,
    MissingReference,
    NotFound,
    NotSupported,
    StoreError,
    UniqueViolation,
    UnknownOutcome,
)
from emco_store.flows.asking import Flow, ask, unavailable
from emco_store.ports import (
    Commit,
    Fenced,
    Held,
    Missing,
    Moved,
    Outcome,
    OutcomeLost,
    Refusal,
    Settle,
    Stale,
    Taken,
    Unreachable,
)

SENDS = 3
"""How often a commit is sent before its outcome is called unknown; the txid makes that harmless."""


def submit(commit: Commit, read: Collection[Key] = ()) -> Flow[None]:
    """Commit, once.

    Args:
        commit: What to do.
        read: Keys whose state the caller has seen; when one of them moved, running again can help.

    Raises:
        StoreError: It was refused, and nothing was written; or ``UnknownOutcome``.

    Rules: ATM-2, ATM-4.
    """
    lost: Exception | None = None
    for _ in range(SENDS):
        try:
            reply = yield from ask(commit)
        except OutcomeLost as problem:
            lost = problem
        except Unreachable as problem:
            if lost is None:
                raise unavailable(problem) from problem
            lost = problem
        except StoreError as problem:  # this sending had no effect; that says nothing about one that was lost before
            if lost is None:
                raise
            lost = problem
        else:
            if isinstance(reply, Refusal):
                if lost is not None and (yield from _has_happened(commit)):
                    return
                raise refused(commit, reply, read)
            return
    raise _unknown(commit.txid) from lost


def _has_happened(commit: Commit) -> Flow[bool]:
    """Settle a commit that was refused when it was sent again: what was sent before may still be under way."""
    if not commit.size:
        return False
    try:
        return (yield from ask(Settle(commit.txid))) is Outcome.COMMITTED
    except (Unreachable, OutcomeLost, StoreError) as problem:
        raise _unknown(commit.txid) from problem


def _unknown(txid: str) -> UnknownOutcome:
    return UnknownOutcome(
        f"It is not known whether the commit {txid} happened.",
        why=["it was sent, and no answer came"],
        hint="store.resolve(error.txid) settles it; it is safe to ask at any time.",
        txid=txid,
    )


def resolve(txid: Any, *, now_us: int, kept: timedelta) -> Flow[Outcome]:
    """Settle a commit: say how it ended, and make sure that it can no longer end otherwise.

    Args:
        txid: The id of the commit.
        now_us: The time, in microseconds since 1970, UTC.
        kept: For how long the backend remembers outcomes.

    Rules: ATM-5.
    """
    if not isinstance(txid, str) or not txid:
        raise InvalidCall(
            f"Cannot resolve {txid!r:.40}.",
            why=["it is not the id of a commit"],
            hint="give the txid of an UnknownOutcome.",
        )
    begun_us = _begun_us(txid)
    if begun_us is not None and now_us - begun_us > kept // timedelta(microseconds=2):
        raise NotSupported(
            f"Cannot resolve {txid}.",
            why=[f"it began more than {kept / 2} ago, and outcomes are forgotten after {kept}"],
            hint="read what the commit would have changed; resolve sooner next time.",
        )
    try:
        return (yield from ask(Settle(txid)))
    except (Unreachable, OutcomeLost) as problem:
        raise unavailable(problem) from problem


def _begun_us(txid: str) -> int | None:
    """Read the time from an id of UUID version 7; None for ids of another source."""
    try:
        found = UUID(txid)
    except ValueError:
        return None
    return (found.int >> 80) * 1000 if found.version == 7 else None  # noqa: PLR2004 - as RFC 9562 numbers it


def refused(commit: Commit, refusal: Refusal, read: Collection[Key]) -> StoreError:  # noqa: PLR0911 - one for each error
    """Choose the error that tells the caller what to do, from all preconditions that failed."""
    failures = refusal.failures
    if any(isinstance(failure, Fenced) for failure in failures):
        return _conflict((), f"the commit {commit.txid} was settled as aborted before it arrived")
    stale = [failure for failure in failures if isinstance(failure, Stale)]
    moved = [failure.key for failure in failures if isinstance(failure, Moved)]
    moved += [failure.key for failure in stale if failure.key in read]
    if moved:
        return _conflict(tuple(moved))
    for failure in stale:
        if failure.expected is None:
            return already_exists(failure.key)
    for failure in stale:
        if failure.expected is not None and (failure.found is None or failure.found.uid != failure.expected.uid):
            return NotFound(
                f"Cannot find {failure.key}.",
                why=["it was deleted since it was read"],
                hint="create() it, if it is to be there again.",
                keys=(failure.key,),
            )
    if stale:
        return _conflict(tuple(failure.key for failure in stale), pinned=True)
    absent = {failure.key for failure in failures if isinstance(failure, Missing)}
    if absent:
        places = [
            (f"{record.key} {edge.place}", edge.target)
            for record in commit.puts
            for edge in record.edges
            if edge.target in absent
        ]
        return missing_references(places)
    taken = next((failure for failure in failures if isinstance(failure, Taken)), None)
    if taken is None:
        held = tuple(failure.key for failure in failures if isinstance(failure, Held))
        return _conflict(held, "somebody is about to delete it, and has lost before", held=True)
    return UniqueViolation(
        f"Cannot store {taken.key}: {taken.field} must be unique.",
        why=[f"{taken.owner} has the same {taken.field}"],
        hint="choose another value.",
        key=taken.key,
        field=taken.field,
        owner=taken.owner,
    )


def already_exists(key: Key) -> AlreadyExists:
    """Make the error for a key that is not free."""
    return AlreadyExists(
        f"Cannot create {key}.",
        why=["it exists"],
        hint="choose another name; update() it, or put() to create or replace.",
        key=key,
    )


def missing_references(places: Sequence[tuple[str, Key]]) -> MissingReference:
    """Make the error for references that resolve nowhere, with all of them."""
    return MissingReference(
        "A reference resolves nowhere." if len(places) == 1 else f"{len(places)} references resolve nowhere.",
        why=[f"{place} -> {target}" for place, target in places],
        hint="create the targets first, or in the same transaction.",
        missing=tuple(places),
    )


def is_worth_repeating(problem: BaseException) -> bool:
    """Tell whether the same attempt, made again with fresh reads, may succeed.

    A ``Conflict`` about a version that the caller brought along comes again every time.
    """
    return is_lost_race(problem) or (
        isinstance(problem, StoreError) and problem.retryable and not isinstance(problem, Conflict)
    )


def is_lost_race(problem: BaseException) -> bool:
    """Tell whether another commit came between; see :func:`is_worth_repeating`."""
    return isinstance(problem, Conflict) and not problem.pinned


def _conflict(keys: tuple[Key, ...], reason: str = "", *, pinned: bool = False, held: bool = False) -> Conflict:
    named = ", ".join(map(str, keys)) or "What the transaction rests on"
    return Conflict(
        f"Cannot go on with {named}." if reason else f"{named} changed since it was read.",
        why=[reason or "another commit came between"],
        hint="read again and repeat; store.run(fn) does so by itself.",
        keys=keys,
        pinned=pinned,
        held=held,
    )
