"""Origins: who made a change, why, and as part of which operation; stored with each record that the commit writes."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from emco_store.core.wording import count
from emco_store.errors import InvalidCall

MAX_NAME: Final = 253
"""Maximum number of characters of an actor or an operation."""
MAX_REASON: Final = 1_000
"""Maximum number of characters of a reason."""


class Origin(NamedTuple):
    """Who made a change and why; each part is empty where nobody has said.

    Attributes:
        actor: Who made it, such as the subject of a token.
        reason: Why, such as the number of a change request.
        operation: The id of the operation or request that it belongs to.
    """

    actor: str = ""
    reason: str = ""
    operation: str = ""


NOBODY: Final = Origin()
"""The origin of a change about which nothing was said."""


def origin_of(actor: Any, reason: Any, operation: Any, within: Origin = NOBODY) -> Origin:
    """Build an origin from what a caller gives; None keeps a part as it is around it.

    Args:
        actor: 1 to 253 printable characters.
        reason: At most 1,000 characters, without control characters but line breaks and tabs.
        operation: At most 253 printable characters.
        within: The origin around it.

    Raises:
        InvalidCall: One of them is something else.

    Rules: WHO-4.
    """
    return Origin(
        within.actor if actor is None else _name("actor", actor, least=1),
        within.reason if reason is None else _reason(reason),
        within.operation if operation is None else _name("operation", operation, least=0),
    )


@lru_cache(maxsize=10_000)
def write_origin(origin: Origin) -> bytes:
    """Write an origin as the JSON text in which backends store it, a list; nothing for nobody."""
    parts = list(origin)
    while parts and not parts[-1]:
        parts.pop()
    return to_json(parts) if parts else b""


@lru_cache(maxsize=10_000)
def read_origin(text: bytes) -> Origin:
    """Read an origin from the JSON text in which it is stored. Further parts, of a newer program, are passed over.

    Raises:
        TypeError: It holds something else than texts.
        ValueError: It is no JSON.
    """
    if not text:
        return NOBODY
    found = from_json(text)
    if not isinstance(found, list):
        message = "an origin is a list"
        raise TypeError(message)
    parts: list[Any] = found[: len(NOBODY)]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not all(isinstance(part, str) for part in parts):
        message = "a part of an origin is no text"
        raise TypeError(message)
    return Origin(*parts)


def _name(what: str, given: Any, *, least: int) -> str:
    if not isinstance(given, str):
        raise _refused(what, given, "it is no text")
    text = str.__str__(given)  # of an enum: its value
    if not least <= len(text) <= MAX_NAME:
        raise _refused(what, given, f"it has {count(len(text), 'character')}")
    if not text.isprintable():
        raise _refused(what, given, "it holds a character that cannot be printed")
    if text and not text.strip():
        raise _refused(what, given, "it is blank")
    return text


def _reason(given: Any) -> str:
    problem = prose_problem(given)
    if problem:
        raise _refused("reason", given, problem)
    return str.__str__(given)


def prose_problem(given: Any) -> str:
    """Return why something cannot be stored as what people say about a change, a reason or a note; empty if it can."""
    if not isinstance(given, str):
        return "it is no text"
    text = str.__str__(given)
    if len(text) > MAX_REASON:
        return f"it has {count(len(text), 'character')}, and may have {MAX_REASON:,}"
    if not text.isprintable() and any(one not in "\n\t" and unicodedata.category(one) in {"Cc", "Cs"} for one in text):
        return "it holds a control character, or half of a character"
    return ""


def _refused(what: str, given: object, why: str) -> InvalidCall:
    return InvalidCall(
        f"Cannot act with {what}={given!r:.80}.",
        why=[why],
        hint=f"an actor has 1 to {MAX_NAME} printable characters, a reason at most {MAX_REASON:,}, "
        f"an operation at most {MAX_NAME}.",
    )
