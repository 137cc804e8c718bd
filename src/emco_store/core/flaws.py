"""Flaws: what a check finds wrong in what is stored, and where a check stands."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from emco_store.core.keys import shown_key
from emco_store.core.records import Stamp
from emco_store.errors import InvalidCall

HOLD_LONGEST_S = 3600
"""A hold that ends later than so many seconds from now was made by no store."""


class FlawKind(StrEnum):
    """The kinds of flaws."""

    DANGLING = "dangling"
    """The target of a reference does not exist."""
    EDGES = "edges"
    """The references in a document differ from those that are recorded for it."""
    VALUES = "values"
    """The indexed or unique values of a document differ from those that are recorded for it."""
    INVALID = "invalid"
    """A document does not fit its model, or is not a JSON object."""
    UNREADABLE = "unreadable"
    """What is stored is neither a record nor the outcome of a commit."""
    UNKNOWN_KIND = "unknown-kind"
    """This store has no model of the kind. Reported only on request, because another service may have it."""
    DUPLICATE = "duplicate"
    """Two resources have the same unique value."""
    MISSING_ENTRY = "missing-entry"
    """The backend lacks an entry by which it must find a record."""
    STRAY_ENTRY = "stray-entry"
    """An entry of the backend leads to no record, or to one that it does not fit."""
    STALE_HOLD = "stale-hold"
    """A mark that held a record for a delete has ended, or never will."""
    FORGOTTEN_OUTCOME = "forgotten-outcome"
    """The outcome of a commit would be kept for ever."""
    SETUP = "setup"
    """An index of the server is missing, or is not the one that it should be."""


class Repair(StrEnum):
    """The ways to repair a flaw."""

    DELETE = "delete"
    """Delete the record, and apply the rules of its referrers."""
    EDIT = "edit"
    """Edit the reference in the document as its rule says."""
    REWRITE = "rewrite"
    """Write the record again, with the values that its document has."""
    MEND = "mend"
    """Make an entry of the backend fit the records, which do not change."""
    DISCARD = "discard"
    """Remove what no store can read. Its content is lost."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong in what is stored.

    Attributes:
        kind: The kind of the flaw.
        key: The key of the record, as text; if the stored text is not a key, that text.
        place: A reference, a field, or an entry of the backend.
        detail: What was found, for people.
        hint: What a repair does, or what a person can do.
        repair: What ``store.repair`` does; None if a program cannot decide.
        stamp: The state of the record in which the flaw was found; None if the flaw is in the backend's own entries.
        entry: The backend's own name of the entry.
    """

    kind: FlawKind
    key: str
    place: str
    detail: str
    hint: str
    repair: Repair | None = None
    stamp: Stamp | None = None
    entry: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{shown_key(self.key)} {self.place}".strip()
        return f"{self.kind} {where}: {self.detail}\n  {'Repair' if self.repair else 'Do'}: {self.hint}"

    def plain(self) -> dict[str, Any]:
        """Return the flaw as JSON values."""
        return {
            "kind": str(self.kind),
            "key": self.key,
            "place": self.place,
            "detail": self.detail,
            "repair": None if self.repair is None else str(self.repair),
            "hint": self.hint,
        }


def write_place(stage: str, position: str) -> str:
    """Write where a check stands, as text that only ``after=`` reads."""
    data = json.dumps(["check", stage, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def read_place(text: str, stages: tuple[str, ...]) -> tuple[str, str]:
    """Read where a check stands; the empty text is the beginning.

    Raises:
        InvalidCall: It is not what a check of this backend has given.
    """
    if text == "":
        return stages[0], ""
    try:
        check, stage, position = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if check == "check" and stage in stages and isinstance(position, str):
            return stage, position
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise InvalidCall(
        "Cannot go on with the check after this cursor.",
        why=["it is not page.next of a check of such a store"],
        hint="pass page.next unchanged.",
    )


def next_place(stages: tuple[str, ...], stage: str, position: str | None) -> str | None:
    """Return the place after a step that has ended at a position, or with its stage; None at the end of all."""
    if position is not None:
        return write_place(stage, position)
    later = stages[stages.index(stage) + 1 :]
    return write_place(later[0], "") if later else None


def missing_entry(key: str, place: str, entry: tuple[str, ...]) -> Flaw:
    """Make the flaw of a record that cannot be found by something that it should be found by."""
    detail = "the backend has no entry that leads to the record"
    return Flaw(FlawKind.MISSING_ENTRY, key, place, detail, "adds the entry", Repair.MEND, entry=entry)


def stray_entry(key: str, place: str, entry: tuple[str, ...]) -> Flaw:
    """Make the flaw of an entry that leads to no record, or to one that does not have it."""
    detail = "the backend has an entry that belongs to no record"
    return Flaw(FlawKind.STRAY_ENTRY, key, place, detail, "takes the entry away", Repair.MEND, entry=entry)


def duplicate(key: str, field: str, owner: str) -> Flaw:
    """Make the flaw of a unique value that two resources have."""
    hint = f"change it in one of the two, or delete one; {owner} is the other"
    return Flaw(FlawKind.DUPLICATE, key, field, f"{owner} has the same {field}, which must be unique", hint)


def hold_problem(ends_in_s: float) -> str | None:
    """Return what is wrong with a hold that ends in that many seconds, by the clock of the server; None if nothing is.

    A hold that has ended is no flaw: it stops nobody, and the next commit of its record removes it.
    """
    if ends_in_s > HOLD_LONGEST_S:
        return f"it would keep commits of others off for {ends_in_s:,.0f} s"
    return None


def stale_hold(key: str, detail: str, entry: tuple[str, ...]) -> Flaw:
    """Build the flaw of a hold that ends too late, or whose end cannot be read."""
    return Flaw(FlawKind.STALE_HOLD, key, "hold", detail, "takes the mark away", Repair.MEND, entry=entry)


def forgotten_outcome(txid: str, entry: tuple[str, ...]) -> Flaw:
    """Make the flaw of an outcome that would never be forgotten."""
    detail = "the outcome of this commit is kept without an end"
    hint = "lets it be forgotten after the usual time"
    return Flaw(FlawKind.FORGOTTEN_OUTCOME, txid, "outcome", detail, hint, Repair.MEND, entry=entry)
