"""Lists by state: an index finds every state but the initial one, in which most resources have no lifecycle record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.lifecycle_parts import LifecycleSpec
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.naming import LIFECYCLE
from emco_store.core.pages import Page
from emco_store.core.records import Record
from emco_store.core.reserved import resource_of
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows import lists
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.lists import Listing
from emco_store.flows.unit import Unit
from emco_store.ports import Scan

Pages = Callable[[Listing], Flow[Page[Any]]]
Fetch = Callable[[Sequence[Key]], Flow[Mapping[Key, Record]]]


def read_page(context: Context, listing: Listing, state: Any) -> Flow[Page[Any]]:
    """Read one page of the resources in a state, outside a transaction.

    Each request shows one moment, so a resource that changes its state meanwhile may be on the page.

    Raises:
        InvalidCall: The kind has no such state, or the list is ordered by a field.

    Rules: LIF-1.
    """
    spec = _spec(context, listing, state)
    if state is not spec.initial:
        return (yield from _indexed(context, listing, str(state.value)))
    pages: Pages = lambda rest: lists.read_page(context, rest)  # noqa: E731 - two closures of one call
    return (yield from _thinned(listing, spec, state, pages, records_at))


def read_page_in(unit: Unit, listing: Listing, state: Any, *, stable: bool) -> Flow[Page[Any]]:
    """Read one page of the resources in a state inside a unit of work, which rests on their lifecycle records.

    Raises:
        InvalidCall: The kind has no such state, or the list is ordered by a field.

    Rules: LIF-1, LIF-3.
    """
    spec = _spec(unit.context, listing, state)
    pages: Pages = lambda rest: lists.read_page_in(unit, rest, stable=stable)  # noqa: E731 - see above
    return (yield from _thinned(listing, spec, state, pages, unit.fetch))


def _spec(context: Context, listing: Listing, state: Any) -> LifecycleSpec[Any]:
    model = None if listing.kind is None else context.schema.model_of(listing.kind)
    lifecycle = None if model is None else model.__emco__.lifecycle
    reasons: list[str] = []
    if lifecycle is None:
        reasons.append("the kind has no lifecycle that is known here")
    elif not isinstance(state, lifecycle.spec.states):
        reasons.append(f"it is no state of {lifecycle.spec.states.__name__}, which {listing.kind} has")
    if listing.order.field is not None:
        reasons.append("a list by state is ordered by key")
    if lifecycle is None or reasons:
        states = [] if lifecycle is None else [f"{type(one).__name__}.{one.name}" for one in lifecycle.spec.states]
        raise InvalidCall(
            f"Cannot list {listing.kind or 'all kinds'} by state={state!r:.80}.",
            why=reasons,
            hint=f"give one of {', '.join(states)}; for several, list each."
            if states
            else "give the class of a model with lifecycle=.",
        )
    spec: LifecycleSpec[Any] = lifecycle.spec
    return spec


def _indexed(context: Context, listing: Listing, state: str) -> Flow[Page[Any]]:
    """Find the lifecycle records in the state, then their resources."""
    kind, text = listing.kind or "", index_text(state)
    found: list[Any] = []
    last: list[Record] = []
    position = None if listing.after is None else (text, standing_key(Key.parse(listing.after[1])).text)
    while len(found) <= listing.limit:
        batch = max(listing.limit + 1 - len(found), lists.MIN_BATCH if listing.where else 1)
        standings = yield from scanned(
            Scan(
                LIFECYCLE,
                f"{LIFECYCLE}/{listing.prefix}",
                field=kind,
                equal=text,
                after=position,
                limit=batch,
                descending=listing.order.descending,
            )
        )
        keys = [resource_of(record.key) for record in standings]
        records: Mapping[Key, Record] = yield from records_at(keys)
        for key in keys:
            value = context.value_or_error(records[key]) if key in records else None
            if value is not None and (isinstance(value, InvalidResource) or _holds(listing, value)):
                found.append(value)
                last.append(records[key])
        if len(standings) < batch:
            break
        position = (text, standings[-1].key.text)
    more = len(found) > listing.limit
    following = listing.cursor(last[listing.limit - 1]) if more else None
    return Page(tuple(found[: listing.limit]), following, lambda at: listing.cursor(last[at]))


def _thinned(
    listing: Listing, spec: LifecycleSpec[Any], state: Any, pages: Pages, fetch: Fetch
) -> Flow[Page[Any]]:  # fmt: skip
    """Read pages of all resources, and keep those in the state, until there are enough."""
    found: list[Any] = []
    sources: list[tuple[Page[Any], int]] = []
    rest = listing
    while True:
        page = yield from pages(rest)
        standings = yield from fetch([standing_key(one.key) for one in page.items])
        for at, one in enumerate(page.items):
            record = standings.get(standing_key(one.key))
            try:
                if not _is_in(spec, None if record is None else read_standing(record), state):
                    continue
                found.append(one)
            except InvalidResource as problem:
                found.append(problem)
            sources.append((page, at))
        if page.next is None or len(found) >= listing.limit:
            return Page(tuple(found), page.next, lambda at: sources[at][0].cursor(sources[at][1]))
        rest = replace(listing.after_cursor(page.next), limit=listing.limit - len(found))


def _is_in(spec: LifecycleSpec[Any], standing: Standing | None, state: Any) -> bool:
    """Return whether a resource is in a state; one that this class does not declare is another state.

    Rules: LIF-13.
    """
    return state is spec.initial if standing is None else standing.state == str(state.value)


def _holds(listing: Listing, value: Any) -> bool:
    return all(condition.holds(value) for condition in listing.where)
