"""Consumers that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from typing import Any

from emco_store.core.consumers import Place
from emco_store.errors import FeedGap
from emco_store.flows.asking import Flow
from emco_store.flows.consuming import Part, look, move, stand, step
from emco_store.flows.unit import Unit


def save_in_a_second_commit(unit: Unit, name: str, place: Place, cursor: str, number: int, **more: Any) -> Place:
    """Commit the effect first, and the cursor after it."""
    later, commit = Unit(unit.context), unit.commit
    after = move(later, name, place, cursor, number, **more)

    def both() -> Flow[None]:
        yield from commit()
        yield from later.commit()

    unit.commit = both  # type: ignore[method-assign]  # that is what is broken
    return after


def save_first(unit: Unit, name: str, place: Place, cursor: str, number: int, **more: Any) -> Place:
    """Commit the cursor first, and the effect after it."""
    earlier, commit = Unit(unit.context), unit.commit
    after = move(earlier, name, place, cursor, number, **more)

    def both() -> Flow[None]:
        yield from earlier.commit()
        yield from commit()

    unit.commit = both  # type: ignore[method-assign]  # that is what is broken
    return after


def need_no_lease(unit: Unit, name: str, place: Place | None, leader: Any) -> Flow[None]:  # noqa: ARG001 - it does not look
    """Write whether the lease is there or not."""
    return (yield from stand(unit, name, place, None))


def overwrite_the_cursor(unit: Unit, name: str, place: Place | None, leader: Any) -> Flow[None]:
    """Write over whatever cursor is there."""
    yield from stand(unit, name, place, leader)
    if place is not None and place.record is not None:
        unit.expect.pop(place.record.key)
        stamp = unit._expected
        unit._expected = lambda deletes: {  # type: ignore[method-assign]
            key: one for key, one in stamp(deletes).items() if key != place.record.key
        }


def forget_what_was_skipped(*given: Any, skipped: Any = None) -> Place:  # noqa: ARG001 - it does not look
    """Pass over an event in silence."""
    return move(*given)


def go_on_after_a_gap(watching: Any, place: Place, wait: Any) -> Flow[Part]:
    """Take a gap for the end of the feed."""
    try:
        return (yield from step(watching, place, wait))
    except FeedGap:
        return Part(place.cursor, place.number, "", ())


def tell_in_reverse(watching: Any, place: Place, wait: Any) -> Flow[Part]:
    """Deal with the newest event first."""
    part = yield from step(watching, place, wait)
    return part._replace(events=part.events[::-1])


def tell_the_last_twice(watching: Any, place: Place, wait: Any) -> Flow[Part]:
    """Deal with the last event of a part twice."""
    part = yield from step(watching, place, wait)
    return part._replace(events=(*part.events, *part.events[-1:]))


def show_the_first_only(**given: Any) -> Flow[Any]:
    """Show one consumer."""
    page = yield from look(**given)
    return type(page)(page.items[:1], None)
