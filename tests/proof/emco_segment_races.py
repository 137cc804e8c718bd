"""The ways in which EMCO's reference schema breaks, as races: services that register at once, and write at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from emco_store import NotReady, Ref, Resource, Segment, View
from emco_store.contracts.histories.clients import Ask, Request
from tests.proof.emco_races import End, Race

_TRIES = 20_000
"""How often a service that has just started writes again before it gives up."""


def _class(base: Any, name: str, fields: dict[str, Any], **options: Any) -> Any:
    return type(name, (base,), {"__module__": __name__, "__annotations__": fields}, **options)


def _claim(segment: str, field: str) -> Any:
    """Register a segment that owns the type of a round, and say whether it is active."""

    def act(name: str) -> Generator[Request, Any, Any]:
        given = Segment(f"{segment}-{name}", [_class(Resource, f"Type_{name}", {field: str})])
        state = yield Ask("register", (given,))
        return state.is_active

    return act


def _look(name: str) -> Generator[Request, Any, Any]:
    """Look who owns the type of a round, now and again; return the greatest number of active owners."""
    most = 0
    for _ in range(5):
        states = yield Ask("segments")
        most = max(most, sum(f"Type_{name}" in one.kinds for one in states if one.is_active))
    return most


def _b27(end: End) -> Iterator[str]:
    winners = [told for told in end.told[:2] if told == ("done", True)]
    refused = [told for told in end.told[:2] if told[0] == "refused"]
    if (len(winners), len(refused)) != (1, 1):
        yield f"not one owner: {end.told[:2]}"
    if end.told[2][0] != "done" or end.told[2][1] > 1:
        yield f"two owners were seen: {end.told[2]}"


def _register_base(name: str) -> Generator[Request, Any, Any]:
    yield Ask("register", (Segment(f"base-{name}", [_class(Resource, f"Base_{name}", {})]),))


def _register_and_write(name: str) -> Generator[Request, Any, Any]:
    """Register, and write at once; write again as long as the schema is not complete."""
    base = _class(View, "BaseView", {}, of=f"Base_{name}")
    kind = _class(Resource, f"Top_{name}", {"to": Ref[base] | None})
    yield Ask("register", (Segment(f"top-{name}", [kind, base]),))
    for _ in range(_TRIES):
        try:
            yield Ask("create", (kind(name=name, to=None),))
        except NotReady:
            continue
        return True
    return False


def _b28(end: End) -> Iterator[str]:
    if [("done", None), ("done", True)] != list(end.told):
        yield f"a service could not write: {end.told}"
    if not any(text.startswith("Top_") for text in end.records):
        yield "what was written is not there"


SEGMENTS: tuple[Race, ...] = (
    Race("B27", "Two services register one type at once, and a third one looks",
         "Both get in; afterwards every restart fails",
         ("SEG-1", "SEG-3"), lambda _: [], (_claim("one", "a"), _claim("other", "b"), _look), _b27),
    Race("B28", "A service writes right after its start, while what it relies on is registered",
         "Fails, or a moment later works; a failure of the database is never retried", ("SEG-2", "SEG-6"), lambda _: [],
         (_register_base, _register_and_write), _b28),
)  # fmt: skip
