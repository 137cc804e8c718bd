"""Unique values: who has one already, so that a plan can tell before a commit would be refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.flows.asking import Flow
from emco_store.flows.filling import scanned
from emco_store.flows.view import View
from emco_store.ports import Scan


class Claim(NamedTuple):
    """A unique value that a transaction gives to a resource.

    Attributes:
        key: The resource.
        field: The field.
        text: The value, as it stands in the index.
    """

    key: Key
    field: str
    text: str


def claims_of(record: Record, before: Record | None) -> Iterator[Claim]:
    """Yield the unique values that a record has now and had not before."""
    known = () if before is None else before.unique
    return (Claim(record.key, field, text) for field, text in record.unique if (field, text) not in known)


def given_twice(view: View, claims: Sequence[Claim]) -> Iterator[tuple[Claim, Key]]:
    """Yield the values that the transaction gives to another resource too, each with that resource."""
    owners: dict[tuple[str, str, str], list[Key]] = defaultdict(list)
    for key, record in view.puts.items() if claims else ():
        for field, text in record.unique:
            owners[key.kind, field, text].append(key)
    for claim in claims:
        other = next((key for key in owners[claim.key.kind, claim.field, claim.text] if key != claim.key), None)
        if other is not None:
            yield claim, other


def stored_owner(view: View, claim: Claim) -> Flow[Key | None]:
    """Ask which other resource has the value and keeps it; None where there is none. It takes one request."""
    stored = yield from scanned(Scan(claim.key.kind, field=claim.field, equal=claim.text, limit=2))
    owners = (record.key for record in stored)
    return next((key for key in owners if key != claim.key and key not in view.gone and key not in view.puts), None)


def taken(view: View, claims: Sequence[Claim]) -> Flow[list[tuple[Claim, Key]]]:
    """Return the values that another resource has or would get, each with that resource; a request for each value."""
    found = list(given_twice(view, claims))
    for claim in claims:
        owner = yield from stored_owner(view, claim)
        if owner is not None:
            found.append((claim, owner))
    return found
