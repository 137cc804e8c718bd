"""Paths: where a value stands in a document, as people write it: ``spec.ports[0]``, ``labels["app/name"]``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, cast

from emco_store import InvalidCall

Path = tuple[str | int, *tuple[str | int, ...]]
"""Names and places in lists, one at least."""
_STEP = re.compile(r"""\[(?P<place>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<dot>\.)?(?P<name>[^.\[\]="\s]+)""")


def read_path(text: str) -> Path:
    """Parse a path.

    Raises:
        InvalidCall: It is none.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (found["name"] is not None and bool(found["dot"]) is not bool(steps)):
            break
        if found["place"] is not None:
            steps.append(int(found["place"]))
        else:
            steps.append(json.loads(found["quoted"]) if found["quoted"] is not None else found["name"])
        at = found.end()
    if not steps or at < len(text) or isinstance(steps[0], int):
        raise InvalidCall(
            f"{text!r:.100} is not a field.",
            hint="""write its name, and what is in it after dots: spec.image, ports[0], labels["example.org/name"].""",
        )
    return steps[0], *steps[1:]


def value_at(document: Any, path: Path) -> Any:
    """Return the value at a path; None where there is none."""
    for step in path:
        try:
            document = document[step]
        except (LookupError, TypeError):
            return None
    return document


def with_value(document: Any, path: Sequence[str | int], value: Any) -> Any:
    """Return a copy of a document with another value at a path; maps on the way are made.

    Raises:
        InvalidCall: There is no such place: a list is shorter, or a value on the way is no map and no list.
    """
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items: list[Any] = list(cast("Any", document)) if isinstance(document, list) else []
        if step >= len(items):
            raise _no_place(path, document)
        items[step] = with_value(items[step], rest, value)
        return items
    if document is not None and not isinstance(document, dict):
        raise _no_place(path, document)
    entries: dict[str, Any] = dict(cast("Any", document or {}))
    entries[step] = with_value(entries.get(step), rest, value)
    return entries


def _no_place(path: Sequence[str | int], document: Any) -> InvalidCall:
    step = path[0]
    what = "no map" if isinstance(step, str) else f"no list with an entry [{step}]"
    return InvalidCall(
        f"Cannot set {step!r:.80}.",
        why=[f"what it would stand in is {what}, but {json.dumps(document):.60}"],
        hint="set the whole value, as JSON; emco-store get KEY -o json shows the document.",
    )
