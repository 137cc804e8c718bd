"""Lists: read one page at a time, from an index if there is one, with filters and the unit's own writes applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from emco_store.core.fields import lead_of_model
from emco_store.core.keys import Key, key_prefix, kind_problem
from emco_store.core.naming import PREFIX
from emco_store.core.pages import Page
from emco_store.core.query import (
    MAX_PAGE,
    Condition,
    Filter,
    Order,
    check_fields,
    check_limit,
    conditions_of,
    read_cursor,
    write_cursor,
)
from emco_store.core.ranges import Range, range_for
from emco_store.core.records import Record
from emco_store.core.reserved import BEHIND, is_reserved, refuse_reserved
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.unit import Unit
from emco_store.ports import Scan

MIN_BATCH = 100
"""Records in one request if a filter may refuse most of them."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A checked request for one page.

    Attributes:
        kind: The kind; None for all kinds.
        prefix: The start of the text of each key.
        owner: The parent of all resources in the list, if one was given.
        where: The conditions; all must hold.
        order: The order.
        range: The part of an index that is read; None where the records are read in the order of their keys.
        after: The cursor of the page before.
        limit: Maximum number of resources in the page.
    """

    kind: str | None
    prefix: str
    owner: Key | None
    where: tuple[Condition, ...]
    order: Order
    range: Range | None
    after: tuple[str, str] | None
    limit: int

    def cursor(self, record: Record) -> str:
        """Return the cursor after a record."""
        return write_cursor(self.kind or "*", self.order, self.position(record))

    def after_cursor(self, cursor: str | None) -> Listing:
        """Return the same list from a cursor on."""
        return replace(self, after=None if cursor is None else read_cursor(cursor, self.kind or "*", self.order))

    def position(self, record: Record) -> tuple[str, str]:
        """Return the position of a record in the order."""
        found = self.range
        if self.order.field is None or found is None:
            return "", record.key.text
        return found.order_text(dict(record.index).get(found.name, "")), record.key.text


def ask(
    context: Context,
    model: Any,
    *,
    parent: Any = None,
    under: Any = None,
    where: Filter = (),
    order_by: str | None = None,
    limit: Any = 100,
    after: str | None = None,
) -> Listing:
    """Check the arguments of a list.

    Raises:
        InvalidCall: They contradict each other, or name what is not there.
    """
    check_limit(limit)
    kind, known = _kind_of(context, model)
    conditions = conditions_of(where)
    if known is None:
        if order_by is not None or parent is not None:
            raise InvalidCall(
                "Cannot order this list, or list the children in it.",
                why=["order_by= and parent= need a model"],
                hint="list a model, or use under= and the order by key.",
            )
        order = Order()
    else:
        check_fields(conditions, known)
        order = Order.read(order_by, known, under_parent=parent is not None)
    owner = None if parent is None else context.address(parent)
    prefix = _prefix(kind, known, owner, None if under is None else context.address(under))
    position = None if after is None else read_cursor(after, kind or "*", order)
    found = None if known is None else _range(known, conditions, order)
    return Listing(kind, prefix, owner, conditions, order, found, position, limit)


def _range(model: type[Resource], conditions: Sequence[Condition], order: Order) -> Range | None:
    """Choose the index that is read; the order of the list must be its order.

    Raises:
        InvalidCall: No index has the order, because the conditions leave open a field before.
    """
    indexes = model.__emco__.indexes
    found = range_for(indexes, conditions, lead_of_model(model), order.field)
    if found is None and order.field is not None:
        needed = [" and ".join(fields[:-1]) for fields in indexes if fields[-1] == order.field]
        raise InvalidCall(
            f"Cannot order this list of {model.__emco__.kind} by {order.field!r:.80}.",
            why=["its index begins with other fields, and the conditions do not say their values"],
            hint=f"give a condition with == on {', or on '.join(needed)}.",
        )
    return found


def refuse_unreadable(unreadable: Any) -> None:
    """Refuse a wish for unreadable documents that cannot be met.

    Raises:
        InvalidCall: There is no such wish.
    """
    if unreadable not in ("raise", "skip", "give"):
        raise InvalidCall(
            f"Cannot treat unreadable documents as {unreadable!r:.40}.",
            why=["an iteration raises, skips or gives them"],
            hint="give unreadable='raise', 'skip' or 'give'.",
        )


def _kind_of(context: Context, model: Any) -> tuple[str | None, type[Resource] | None]:
    if model is Resource:
        return None, None
    if isinstance(model, str):
        problem = kind_problem(model)
        if problem:
            raise InvalidCall(f"Cannot list {model!r:.80}.", why=[problem], hint="give a model, or the name of a kind.")
        refuse_reserved(model)
        return model, context.schema.reader_of(model)
    context.schema.learn(model)
    refuse_reserved(model.__emco__.kind)
    return model.__emco__.kind, model


def _prefix(kind: str | None, model: type[Resource] | None, owner: Key | None, under: Key | None) -> str:
    above = owner or under
    if above is None:
        return f"{kind}/" if kind else ""
    if owner is not None and under is not None:
        raise InvalidCall(
            "Cannot list under two resources at once.",
            why=["parent= and under= were both given"],
            hint="give one of them; under= takes any ancestor, including the parent.",
        )
    if kind is None:
        raise InvalidCall(
            f"Cannot list resources of all kinds under {above}.",
            why=["under= needs a kind"],
            hint="list one model, or all resources without under=.",
        )
    if model is not None and not model.__emco__.length:
        raise InvalidCall(
            f"Cannot list {kind} under {above}.",
            why=[f"the view {model.__name__} does not say where resources of the kind {kind} lie"],
            hint="declare the view with parent=, or list all of the kind.",
        )
    if model is not None:
        chain = [name for name, _ in model.__emco__.chain[:-1]]
        possible = chain[-1:] if owner is not None else chain
        if above.kind not in possible:
            raise InvalidCall(
                f"No {kind} lies {'directly ' if owner is not None else ''}under {above.kind}.",
                why=[f"the ancestors of {kind} are: {', '.join(chain) or 'none, it is a root'}"],
                hint="name one of them; under= takes any ancestor.",
            )
    return key_prefix(kind, above.segments)


def read_page(context: Context, listing: Listing) -> Flow[Page[Any]]:
    """Read one page outside a transaction; each request shows one moment."""
    found: list[Record] = []
    values: list[Any] = []
    position, has_more = listing.after, True
    while has_more and len(found) <= listing.limit:
        wanted = listing.limit + 1 - len(found)
        batch = max(wanted, MIN_BATCH) if listing.where else wanted
        records, position, has_more = yield from _read_batch(listing, position, batch)
        matching, shown = _matching(context, listing, records)
        found += matching
        values += shown
    return _page(listing, found, values)


def read_page_in(unit: Unit, listing: Listing, *, stable: bool) -> Flow[Page[Any]]:
    """Read one page inside a unit of work, including the unit's own writes.

    If the list has an owner, the commit fails if anything has joined or left it since: the owner is sealed, and the
    unit rests on every record that was read.

    Rules: OCC-4, OCC-5.
    """
    if listing.owner is None and stable:
        raise InvalidCall(
            "A list without an owner is not stable inside a transaction.",
            why=["others may add resources to it before the commit, and the commit would not notice"],
            hint="list with parent=…, or with stable=False if the transaction need not see all of them.",
        )
    whole = stable and (bool(listing.where) or listing.order.field is not None)
    if listing.owner is not None and stable:
        yield from unit.load([listing.owner])
        unit.seal(listing.owner)
    records = yield from _read_all(unit, listing) if whole else _read_some(unit, listing)
    own = [record for record in unit.puts.values() if _belongs(listing, record)]
    stored = [record for record in records if record.key not in unit.puts and record.key not in unit.gone]
    ordered = sorted([*stored, *own], key=listing.position, reverse=listing.order.descending)
    behind = [record for record in ordered if _is_behind(listing, record)]
    return _page(listing, *_matching(unit.context, listing, behind))


def _read_all(unit: Unit, listing: Listing) -> Flow[list[Record]]:
    """Read everything under the owner, because each resource may change what is on the page."""
    plain = Listing(listing.kind, listing.prefix, None, (), Order(), None, None, MAX_PAGE)
    found: list[Record] = []
    position = None
    while True:
        records = yield from scanned(_scan(plain, position, MAX_PAGE))
        unit.reads += 1
        found += [unit.remember(record) for record in records]
        if len(records) < MAX_PAGE:
            return found
        position = plain.position(records[-1])


def _read_some(unit: Unit, listing: Listing) -> Flow[list[Record]]:
    """Read until the page is full, leaving out records that the unit itself replaces or deletes."""
    found: list[Record] = []
    position, useful, has_more = listing.after, 0, True
    while has_more and useful <= listing.limit:
        batch = max(listing.limit + 1, MIN_BATCH)
        records, position, has_more = yield from _read_batch(listing, position, batch)
        unit.reads += 1
        found += [unit.remember(record) for record in records]
        fresh = [record for record in records if record.key not in unit.puts and record.key not in unit.gone]
        useful += len(_matching(unit.context, listing, fresh)[0])
    return found


def _read_batch(
    listing: Listing, position: tuple[str, str] | None, limit: int
) -> Flow[tuple[Sequence[Record], tuple[str, str] | None, bool]]:
    """Read the next records of a list.

    A list of all kinds leaves out the store's own records: it reads what sorts before them, then what sorts after them.

    Returns:
        The records, the position after the last one, and whether there may be more.

    Rules: RES-2.
    """
    is_before = listing.kind is None and (position is None or position[1] < PREFIX)
    records = yield from scanned(_scan(listing, position, limit, until=PREFIX if is_before else ""))
    if len(records) == limit:
        return records, listing.position(records[-1]), True
    return records, ("", BEHIND), is_before


def _scan(listing: Listing, position: tuple[str, str] | None, limit: int, *, until: str = "") -> Scan:
    found = listing.range
    plain = Scan(
        listing.kind, listing.prefix, after=position, limit=limit, descending=listing.order.descending, until=until
    )
    if found is None:
        return plain
    after = position and (found.entry_text(position[0]), position[1])
    if found.point is not None:
        return replace(plain, field=found.name, equal=found.point, after=after)
    return replace(plain, field=found.name, low=found.low, below=found.below, after=after)


def scan_of(listing: Listing) -> Scan:
    """Return the scan that goes over a list, as far as an index narrows it."""
    return _scan(listing, listing.after, MAX_PAGE)


def counted(context: Context, listing: Listing) -> Scan | None:
    """Return the scan that finds all resources of a list and nothing else; None if no index answers it."""
    if not listing.where:
        return scan_of(listing)
    found = None if listing.kind is None else _narrowest(context, listing, longest=None)
    is_whole = listing.prefix == f"{listing.kind}/"
    if found is None or not found.is_exact or not (is_whole or found.point is not None):
        return None
    return scan_of(replace(listing, range=found))


def in_any_order(context: Context, listing: Listing) -> Listing:
    """Return a list of the same resources that is read through the index on one field that narrows it most."""
    found = None if listing.kind is None else _narrowest(context, listing, longest=1)
    order = Order() if found is None or found.point is not None else Order(found.fields[0])
    return replace(listing, range=found, order=order)


def _narrowest(context: Context, listing: Listing, *, longest: int | None) -> Range | None:
    model = context.schema.reader_of(listing.kind or "")
    if model is None:
        return None
    indexes = [fields for fields in model.__emco__.indexes if longest is None or len(fields) <= longest]
    return range_for(indexes, listing.where, lead_of_model(model), None, any_order=True)


def _matching(context: Context, listing: Listing, records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Any]]:
    """Return the records that meet the conditions, with their resources."""
    values = [context.value_or_error(record) for record in records]
    if not listing.where:
        return records, values
    pairs = [
        (record, value)
        for record, value in zip(records, values, strict=True)
        if isinstance(value, InvalidResource) or holds(listing.where, value)
    ]
    return [record for record, _ in pairs], [value for _, value in pairs]


def holds(conditions: Sequence[Condition], value: Any) -> bool:
    """Return whether all conditions are true of a resource."""
    return all(condition.holds(value) for condition in conditions)


def _belongs(listing: Listing, record: Record) -> bool:
    if listing.kind is None:
        return not is_reserved(record.key.kind)
    return record.key.text.startswith(listing.prefix) and listing.kind == record.key.kind


def _is_behind(listing: Listing, record: Record) -> bool:
    if listing.after is None:
        return True
    position = listing.position(record)
    return position < listing.after if listing.order.descending else position > listing.after


def _page(listing: Listing, found: Sequence[Record], values: Sequence[Any]) -> Page[Any]:
    more = len(found) > listing.limit
    following = listing.cursor(found[listing.limit - 1]) if more else None
    return Page(tuple(values[: listing.limit]), following, lambda at: listing.cursor(found[at]))
