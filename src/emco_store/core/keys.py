"""Keys: the exact address of one resource, and which names may be part of one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache, total_ordering
from typing import Any
from urllib.parse import quote, unquote

from pydantic_core import CoreSchema, core_schema

from emco_store.core.naming import PREFIX, named
from emco_store.errors import InvalidResource

MAX_NAME_LENGTH = 253
"""Characters in one segment of a key."""
MAX_KIND_LENGTH = 63
"""Characters in the name of a kind."""

_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._ -]{0,251}[A-Za-z0-9._-])?")
_PLAIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
_SAFE = re.compile(r"[A-Za-z0-9._-]+")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
NAME_PATTERN = r"^[^/%\\\u0000-\u001f\u007f-\u009f]+$"
"""What every name fits, for JSON schemas; not all that fits it is a name."""
_SEGMENT = "[A-Za-z0-9._%-]+"
"""A name as it stands in the text of a key."""
_BLANK = re.compile(
    r"(?! )\s|[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Spaces other than U+0020, and what shows nothing although Unicode counts it among marks, letters and symbols.

Source: DerivedCoreProperties.txt of Unicode 15, Default_Ignorable_Code_Point.
"""
_REFUSED_CATEGORIES = {
    "Cc": "a control character",
    "Cf": "an invisible format character",
    "Cs": "a lone surrogate",
    "Co": "a private-use character",
    "Cn": "an unassigned code point",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def name_problem(name: object) -> str | None:  # noqa: C901, PLR0911 - one check after the other
    """Say why ``name`` cannot be a segment of a key, or None if it can.

    Letters and digits of every script are welcome. Refused is what could be read as another key (``/``, ``%``), what
    cannot be seen (control and format characters, a space at either end) and what looks like another name but is not
    (text outside Unicode's NFC form).
    """
    if not isinstance(name, str):
        return f"a name is a string, not {type(name).__name__}"
    if _PLAIN.fullmatch(name):
        return None
    if not name:
        return "a name may not be empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"a name has at most {MAX_NAME_LENGTH} characters, this one has {len(name)}"
    for character in name:
        if character in "/%\\":
            return f"a name may not hold {character!r}"
        reason = _REFUSED_CATEGORIES.get(unicodedata.category(character))
        if reason:
            return f"a name may not hold U+{ord(character):04X}, {reason}"
    blank = _BLANK.search(name)
    if blank:
        return f"a name may not hold U+{ord(blank[0]):04X}, which cannot be told from a space or from nothing"
    if name.strip() != name:
        return "a name may not begin or end with a space"
    if name in {".", ".."}:
        return "a name may not be '.' or '..'"
    if unicodedata.normalize("NFC", name) != name:
        return "a name must be in Unicode's NFC form"
    return None


def kind_problem(kind: object) -> str | None:
    """Say why ``kind`` cannot name a kind of resource, or None if it can."""
    if isinstance(kind, str) and _KIND.fullmatch(kind):
        return None
    return "a kind is 1 to 63 ASCII letters, digits and underscores and begins with a letter"


@total_ordering
class Key:
    """The exact address of one resource: its kind and the names on the path from the root to it.

    ``Key("App", "p1", "vfw", "v1", "sink")`` is written ``App/p1/vfw/v1/sink``. Keys compare, hash and sort by that
    text. Every character outside ``A-Z a-z 0-9 . _ -`` is percent-encoded, so that no name can form another key.

    Args:
        kind: The kind of the resource.
        segments: The names of the ancestors, then the resource's own names; at least one.

    Raises:
        InvalidResource: The kind or a segment is not acceptable.

    Rules: ID-2, ID-3, BAD-1.
    """

    __slots__ = ("kind", "segments", "text")

    kind: str
    segments: tuple[str, ...]
    text: str

    def __init__(self, kind: str, *segments: str) -> None:
        problems = [kind_problem(kind), *(name_problem(segment) for segment in segments)]
        if not segments:
            problems.append("a key has at least one name")
        found = [problem for problem in problems if problem]
        if found:
            raise InvalidResource(
                f"Cannot make a key of kind {kind!r:.80}.",
                why=found,
                hint="use another name.",
                key=None,
                problems=tuple(found),
            )
        self._fill(kind, segments, _text_of(kind, segments))

    def _fill(self, kind: str, segments: tuple[str, ...], text: str) -> None:
        put = object.__setattr__
        put(self, "kind", kind)
        put(self, "segments", segments)
        put(self, "text", text)

    @classmethod
    def trusted(cls, kind: str, segments: tuple[str, ...], text: str = "") -> Key:
        """Build a key of parts that have been checked before, with its text if that is known."""
        key = object.__new__(cls)
        key._fill(kind, segments, text or _text_of(kind, segments))
        return key

    @classmethod
    def parse(cls, text: str) -> Key:
        """Return the key with this text.

        Raises:
            InvalidResource: The text is not the text of a key.
        """
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller is type-checked
            raise InvalidResource(
                f"Cannot read {text!r:.80} as a key.",
                why=[f"the text of a key is a string, not {type(text).__name__}"],
                hint="write the key as str(key) gives it.",
                key=None,
                problems=("not a string",),
            )
        if len(text) <= MAX_NAME_LENGTH:
            plain = _plain_key(text)
            if plain is not None:
                return plain
        kind, _, rest = text.partition("/")
        key = cls(kind, *(unquote(part) for part in rest.split("/")))
        if key.text != text:
            raise InvalidResource(
                f"Cannot read {text!r:.200} as a key.",
                why=[f"its parts would be written {key.text!r:.200}"],
                hint="write the key as str(key) gives it.",
                key=None,
                problems=("not in canonical form",),
            )
        return key

    @property
    def name(self) -> str:
        """The last segment."""
        return self.segments[-1]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            as_key,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _key_text, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_KIND.pattern}(?:/{_SEGMENT})+$", "description": "A key: App/p1/web."}

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a Key is a value: {name!r} cannot be changed"
        raise AttributeError(message)

    def __str__(self) -> str:
        """Return the text of the key; for a record of the store's own, what it is of which resource."""
        return shown_key(self.text)

    def __repr__(self) -> str:
        return f"Key.parse({self.text!r})"

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Key) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.text < other.text if isinstance(other, Key) else NotImplemented

    def __reduce__(self) -> tuple[object, ...]:
        # Without checks: the open target of a selection is the key of no resource, and travels in errors and plans.
        return Key.trusted, (self.kind, self.segments, self.text)


def as_key(value: Any) -> Key:
    """Return the key that a value is or says, for pydantic.

    Raises:
        ValueError: It is neither a key nor the text of one.
    """
    if isinstance(value, Key):
        return value
    try:
        return Key.parse(value)
    except InvalidResource as problem:
        raise ValueError(problem.line) from problem


def _key_text(key: Key) -> str:
    return key.text


def pattern_of(kind: str, length: int) -> str:
    """Return a pattern for JSON schemas that fits the text of each key of a kind.

    Args:
        kind: The kind.
        length: How many names such a key has.
    """
    return f"^{kind}{f'/{_SEGMENT}' * length}$"


@lru_cache(maxsize=10_000)
def key_below(kind: str, above: tuple[str, ...], own: tuple[str, ...]) -> Key | None:
    """Return the key of a resource under its parent; None if an own name is not acceptable.

    The same few are asked for again and again: a resource that is made, checked, written and read asks each time.

    Args:
        kind: The kind of the resource.
        above: The names in the key of its parent, which have been checked before.
        own: Its own names.

    Raises:
        TypeError: One of them is nothing that could be a name.
    """
    return None if any(map(name_problem, own)) else Key.trusted(kind, (*above, *own))


@lru_cache(maxsize=10_000)
def checked_key(kind: str, segments: tuple[str, ...]) -> Key:
    """Check parts and give their key; the same few are asked for again and again.

    Raises:
        InvalidResource: A segment is not acceptable.
        TypeError: A segment is nothing that could be one.
    """
    return Key(kind, *segments)


@lru_cache(maxsize=10_000)
def _plain_key(text: str) -> Key | None:
    """Read a key in which nothing is encoded; the same few are read again and again."""
    if not _PLAIN_TEXT.fullmatch(text):
        return None
    kind, *segments = text.split("/")
    return Key.trusted(kind, tuple(segments), text)


def shown_key(text: str) -> str:
    """Return what people read in place of the text of a key: the same, except for records of the store's own.

    Rules: RES-5.
    """
    if not text.startswith(PREFIX):
        return text
    kind, *names = text.split("/")
    return named(kind, names) or text


def _text_of(kind: str, segments: tuple[str, ...]) -> str:
    return f"{kind}/{'/'.join(map(encode_segment, segments))}"


def encode_segment(segment: str) -> str:
    """Percent-encode one segment of a key, so that it holds no separator."""
    return segment if _SAFE.fullmatch(segment) else quote(segment, safe="").replace("~", "%7E")


def key_prefix(kind: str, segments: tuple[str, ...]) -> str:
    """Return the text with which every key of ``kind`` below ``segments`` begins."""
    return "/".join((kind, *map(encode_segment, segments), ""))
