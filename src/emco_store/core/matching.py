"""Preconditions that a caller brings along: the version, or the entity tag, that a stored resource must have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from emco_store.errors import InvalidCall

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')
_MAX_HEADER = 8192
"""Characters of an ``If-Match`` header."""


class Stored(Protocol):
    """What a precondition looks at: a record, or the meta of a resource."""

    @property
    def uid(self) -> str:
        """Differs for each resource that ever had the key."""
        ...

    @property
    def version(self) -> int:
        """1 when created, and one more with each change."""
        ...


def etag(uid: str, version: int) -> str:
    """Return the strong entity tag of one state of one resource, as HTTP writes it.

    Source: RFC 9110, section 8.8.3.
    """
    return f'"{uid}-{version}"'


@dataclass(frozen=True, slots=True)
class Match:
    """What a stored resource must be.

    Attributes:
        version: Its version; 0 for nothing stored. None where tags say it.
        tags: Entity tags, one of which it must have. None admits whatever is stored.
    """

    version: int | None = None
    tags: frozenset[str] | None = None

    def admits(self, stored: Stored | None) -> bool:
        """Check what is stored; None where nothing is."""
        if self.version is not None:
            return self.version == (0 if stored is None else stored.version)
        return stored is not None and (self.tags is None or etag(stored.uid, stored.version) in self.tags)


def match(if_version: Any, if_match: Any) -> Match | None:
    """Read the arguments of a call.

    Args:
        if_version: A version, 0 for what must not be there, or None.
        if_match: The value of an ``If-Match`` header, or None: an entity tag such as ``resource.meta.etag``, several
            with commas, or ``*`` for whatever is stored. Weak tags match nothing (RFC 9110, section 13.1.1).

    Returns:
        None where the caller demands nothing.

    Raises:
        InvalidCall: An argument cannot be compared with what is stored, or both are given.
    """
    if if_version is None and if_match is None:
        return None
    if if_match is None:
        if type(if_version) is not int or if_version < 0:
            raise InvalidCall(
                f"Cannot compare a version with {if_version!r:.40}.",
                why=["versions are whole numbers: 0 for what is not there, 1 for what is new"],
                hint="give resource.meta.version.",
            )
        return Match(version=if_version)
    if if_version is not None:
        raise InvalidCall(
            "Cannot use both if_version= and if_match=.",
            why=["an entity tag names the version too"],
            hint="give if_match=resource.meta.etag alone.",
        )
    return Match(tags=_read_tags(if_match))


def matches(keys: Iterable[Any], if_version: Any, if_match: Any) -> Mapping[Any, Match]:
    """Read the arguments of a call that reads several resources: each maps keys to what :func:`match` reads.

    Raises:
        InvalidCall: An argument is no such mapping, names a key that is not read, or holds what cannot be compared.
    """
    found: dict[Any, Match] = {}
    read = set(keys)
    for name, wanted in (("if_version", if_version), ("if_match", if_match)):
        given: Mapping[Any, Any] = {} if wanted is None else wanted
        if not isinstance(wanted, Mapping | None) or set(given).difference(read):
            raise InvalidCall(
                f"Cannot read with {name}={wanted!r:.80}.",
                why=["it must map keys that are read here to what they must match, or else nobody would check them"],
                hint="give a dict with the keys of the call.",
            )
        for key, value in given.items():
            one = match(value, None) if name == "if_version" else match(None, value)
            if key in found and one is not None:
                raise InvalidCall(
                    f"Cannot use both if_version= and if_match= for {key}.",
                    why=["an entity tag names the version too"],
                    hint="give one of them.",
                )
            if one is not None:
                found[key] = one
    return found


def is_known(header: Any, meta: Stored) -> bool:
    """Return whether an ``If-None-Match`` header names a state, so that its sender has it already.

    Weak tags count as strong ones here (RFC 9110, section 13.1.2).

    Raises:
        InvalidCall: The text is no such header.
    """
    tags = _read_tags(header, weak=True)
    return tags is None or etag(meta.uid, meta.version) in tags


def _read_tags(text: Any, *, weak: bool = False) -> frozenset[str] | None:
    if isinstance(text, str) and len(text) <= _MAX_HEADER:
        if text.strip() == "*":
            return None
        at = 0
        tags: set[str] = set()
        while found := _TAG.match(text, at):
            if weak or not found[1]:
                tags.add(f'"{found[2]}"')
            if found.end() == len(text):
                return frozenset(tags)
            if text[found.end()] != ",":
                break
            at = found.end() + 1
    raise InvalidCall(
        f"Cannot compare an entity tag with {text!r:.60}.",
        why=['an entity tag is a text between double quotes, such as "0f3a-1"; several are separated by commas'],
        hint="give resource.meta.etag, or the If-Match header of a request as it came.",
        argument="if_match",
    )
