"""The errors with which calls are refused: one function builds each, so that all callers say the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from emco_store.core.keys import Key
from emco_store.core.naming import LEASE
from emco_store.core.plan import Blocker, BlockReason
from emco_store.core.reserved import stated
from emco_store.core.wording import count
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    LeaseLost,
    MissingReference,
    NotFound,
    StoreError,
    Unavailable,
    UniqueViolation,
    UnknownOutcome,
    shown,
)
from emco_store.ports import (
    Alive,
    Commit,
    Failure,
    Fenced,
    Held,
    Lapsed,
    Missing,
    Moved,
    Refusal,
    Stale,
    Taken,
    Unreachable,
)

FIRST_BLOCKERS = 1_000
"""Blockers that a plan or an error names, where there are more than the records that one commit may hold."""


def refused(commit: Commit, refusal: Refusal, read: Collection[Key]) -> StoreError:  # noqa: PLR0911 - one for each error
    """Build the error for a refused commit: of all preconditions that failed, the one that says what to do next.

    Args:
        commit: The commit.
        refusal: The preconditions that failed.
        read: Keys whose state the caller has seen; when one of them moved, running again can help.
    """
    failures = refusal.failures
    if any(isinstance(failure, Fenced) for failure in failures):
        return fenced(commit.txid)
    if any(isinstance(failure, Lapsed | Alive) for failure in failures):
        return _of_lease(failures)
    outdated = [failure for failure in failures if isinstance(failure, Stale)]
    others = [failure.key for failure in failures if isinstance(failure, Moved)]
    others += [failure.key for failure in outdated if failure.key in read]
    if others:
        return moved(others)
    for failure in outdated:
        if failure.expected is None:
            return already_exists(failure.key)
    for failure in outdated:
        if failure.expected is not None and (failure.found is None or failure.found.uid != failure.expected.uid):
            return not_found([failure.key], "it was deleted since it was read")
    if outdated:
        return moved([failure.key for failure in outdated], pinned=True)
    return _of_targets(commit, failures)


def _of_targets(commit: Commit, failures: Sequence[Failure]) -> StoreError:
    """Build the error for a commit whose own reads all hold: for targets, values and holds of others."""
    absent = {failure.key for failure in failures if isinstance(failure, Missing)}
    if absent:
        return _absent(commit, absent)
    taken = next((failure for failure in failures if isinstance(failure, Taken)), None)
    if taken is not None:
        return unique_violation(taken.key, taken.field, taken.owner)
    return held([failure.key for failure in failures if isinstance(failure, Held)])


def _of_lease(failures: Sequence[Failure]) -> StoreError:
    """Build the error for a commit that lost its lease, or would end one that is alive."""
    lapsed = [stated(failure.key) for failure in failures if isinstance(failure, Lapsed)]
    if lapsed:
        return lease_lost(lapsed)
    alive = [stated(failure.key) for failure in failures if isinstance(failure, Alive)]
    what = f"Cannot end the lease of {_named(alive)}."
    return _conflict(what, "its holder has beaten again", alive, pinned=True)


def _absent(commit: Commit, absent: Collection[Key]) -> StoreError:
    """Build the error for targets that are not there; where one is the match of a selection, another may be."""
    edges = [(record.key, edge) for record in commit.puts for edge in record.edges if edge.target in absent]
    matches = {edge.target for _, edge in edges if edge.selection is not None and not edge.selection.is_plain}
    if matches:
        return moved(sorted(matches))
    return missing_references([(f"{key} {edge.place}", edge.target) for key, edge in edges])


def not_found(keys: Sequence[Key], reason: str = "") -> NotFound:
    """Build the error for resources that are not there."""
    return NotFound(
        f"Cannot find {_named(keys)}.",
        why=[reason or ("nothing has this key" if len(keys) == 1 else "nothing has these keys")],
        hint="check the key; list(…) shows what is there.",
        keys=tuple(keys),
    )


def already_exists(key: Key, what: str = "create", hint: str = "") -> AlreadyExists:
    """Build the error for a resource that is there and should not be.

    Args:
        key: Its key.
        what: What was to be done with it.
        hint: What to do instead.
    """
    return AlreadyExists(
        f"Cannot {what} {key}.",
        why=["it exists"],
        hint=hint or "choose another name; update() it, or put() to create or replace.",
        key=key,
    )


def missing_references(places: Sequence[tuple[str, Key]]) -> MissingReference:
    """Build the error for unresolved references.

    Args:
        places: For each of them, the place that holds it and its target.
    """
    absent = set(places)  # what is not there itself is not leased either
    places = [
        (place, target) for place, target in places if target.kind != LEASE or (place, stated(target)) not in absent
    ]
    are_unleased = all(target.kind == LEASE for _, target in places)
    return MissingReference(
        f"Cannot write: {count(len(places), 'reference')} without a target.",
        why=[f"{place} -> {_missing(target)}" for place, target in places],
        hint="take the leases first." if are_unleased else "create the targets first, or in the same transaction.",
        missing=tuple(places),
    )


def _missing(target: Key) -> str:
    return f"{stated(target)}: nobody holds its lease" if target.kind == LEASE else str(target)


def unique_violation(key: Key, field: str, owner: Key) -> UniqueViolation:
    """Build the error for a unique value that another resource has."""
    return UniqueViolation(
        f"Cannot store {key}: {field} must be unique.",
        why=[f"{owner} has the same {field}"],
        hint="choose another value.",
        key=key,
        field=field,
        owner=owner,
    )


def restricted(
    keys: Sequence[Key], blockers: Sequence[Blocker], limit: int, number: int = 0, *, is_complete: bool = True
) -> DeleteRestricted:
    """Build the error for a delete that references forbid.

    Args:
        keys: What was to be deleted.
        blockers: The references.
        limit: Records that one commit may hold; see :func:`first_blockers`.
        number: How many references there are, where ``blockers`` are not all of them.
        is_complete: Whether there are certainly no more.
    """
    number = number or len(blockers)
    kept = first_blockers(blockers, limit)
    by_state = any(blocker.reason is BlockReason.STATE for blocker in kept)
    is_leased = any(blocker.reason is BlockReason.LEASED for blocker in kept)
    noun = "blocker" if by_state or is_leased else "reference"
    references = count(number, noun) if is_complete else f"{number:,} {noun}s or more are"
    leave = "make a transition to a state that allows it; " if by_state else ""
    leave += "end the lease with store.expire(…), or wait for its end; " if is_leased else ""
    return DeleteRestricted(
        f"Cannot delete {_named(keys)}: {references} still in the way.",
        why=[str(blocker) for blocker in kept],
        hint=f"{leave}delete or re-point the referrers first; store.plan_delete(key) shows the whole plan.",
        keys=tuple(keys),
        blockers=kept,
        blocker_count=number,
    )


def first_blockers(blockers: Sequence[Blocker], limit: int) -> tuple[Blocker, ...]:
    """Return all blockers, or the first 1,000 where they are more than one commit may hold records."""
    return tuple(blockers if len(blockers) <= limit else blockers[:FIRST_BLOCKERS])


def lease_lost(resources: Sequence[Key], reason: str = "it was ended, whatever its holder still does") -> LeaseLost:
    """Build the error for leases that are over."""
    return LeaseLost(
        f"The lease of {_named(resources)} is over.",
        why=[reason],
        hint="stop what was begun under it and take a new one; store.run() must not repeat it.",
        keys=tuple(resources),
    )


def stale(keys: Sequence[Key]) -> Conflict:
    """Build the error for resources whose version is not the caller's; the same call would fail again."""
    return Conflict(
        f"The version of {_named(keys)} is not the one that the call asks for.",
        why=["the store holds another one"],
        hint="get() it again, apply the change to that, and repeat; store.run(fn) does so by itself.",
        keys=tuple(keys),
        pinned=True,
    )


def moved(keys: Sequence[Key], *, pinned: bool = False) -> Conflict:
    """Build the error for resources that another commit changed since they were read."""
    return _conflict(
        f"{_named(keys) or 'What the transaction rests on'} changed since it was read.",
        "another commit came between",
        keys,
        pinned=pinned,
    )


def read_apart(key: Key, *, pinned: bool) -> Conflict:
    """Build the error for a resource that changed between two reads of one transaction."""
    return _conflict(
        f"{_named([key])} cannot be read as of one moment.", "it changed between two reads", [key], pinned=pinned
    )


def held(keys: Sequence[Key]) -> Conflict:
    """Build the error for resources that another client's delete holds."""
    reason = "another client is about to delete it, and has lost before"
    return _conflict(f"Cannot go on with {_named(keys)}.", reason, keys, held=True)


def fenced(txid: str) -> Conflict:
    """Build the error for a commit that was settled before it arrived."""
    reason = f"the commit {txid} was settled as aborted before it arrived"
    return _conflict("Cannot go on with what the transaction rests on.", reason, ())


def _conflict(
    what: str, reason: str, keys: Sequence[Key], *, pinned: bool = False, held: bool = False
) -> Conflict:  # fmt: skip
    hint = "read again and repeat; store.run(fn) does so by itself."
    return Conflict(what, why=[reason], hint=hint, keys=tuple(keys), pinned=pinned, held=held)


def too_large(what: str, size: int, limit: int) -> InvalidCall:
    """Build the error for a commit that would hold more records than the store allows.

    Args:
        what: What was counted.
        size: How many there are, at least.
        limit: How many there may be.
    """
    return InvalidCall(
        "The commit would be too large.",
        why=[f"{what} number {size:,} or more, the limit of this store is {limit:,}"],
        hint="delete in stages, children before parents, a page of list(…) at a time; or open the store with a "
        "higher max_records, knowing that a Redis server stands still for about 7 us a record.",
        size=size,
        limit=limit,
    )


def unknown_outcome(txid: str) -> UnknownOutcome:
    """Build the error for a commit whose answer was lost."""
    return UnknownOutcome(
        f"It is not known whether the commit {txid} happened.",
        why=["it was sent, and no answer came"],
        hint="store.resolve(error.txid) settles it; it is safe to ask at any time.",
        txid=txid,
    )


def unavailable(problem: Exception) -> Unavailable:
    """Build the error for a backend that cannot be reached."""
    reasons = problem.reasons if isinstance(problem, Unreachable) else ()
    return Unavailable(
        "The backend cannot be reached; nothing was written.",
        why=reasons or ["it does not answer"],
        hint="see that its servers run and that their addresses are right; try again later.",
    )


def _named(keys: Sequence[Key]) -> str:
    return ", ".join(shown([str(key) for key in keys]))
