"""Ranges: which index answers the conditions of a list in its order, and which part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emco_store.core.conditions import Compare, Condition, StartsWith
from emco_store.core.fields import Lead, kind_of, reached
from emco_store.core.indexing import entry_of, index_name, index_text, last_text, part_of

_END: Final = "4"
"""What sorts after all indexed texts; each begins with a digit that says what it is."""
_NEXT: Final = "\0"
"""Makes of a text the least text that is greater."""
_APART: Final = frozenset({"None", "a number", "a boolean"})
"""What shares its part of an index with nothing else."""
_LAST: Final = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class Interval:
    """The indexed texts of one field that conditions admit: from ``low`` on, and less than ``below``.

    Attributes:
        low: The least text.
        below: The first text beyond.
        is_exact: Whether the conditions admit everything that has one of these texts.
        conditions: How many conditions it comes from.
    """

    low: str = ""
    below: str = _END
    is_exact: bool = True
    conditions: int = 0

    @property
    def is_point(self) -> bool:
        """Whether it holds one text."""
        return self.below == self.low + _NEXT

    def __and__(self, other: Interval) -> Interval:
        return Interval(
            max(self.low, other.low),
            min(self.below, other.below),
            self.is_exact and other.is_exact,
            self.conditions + other.conditions,
        )


_ALL: Final = Interval()


@dataclass(frozen=True, slots=True)
class Range:
    """A part of an index, in which all records stand that some conditions admit.

    Attributes:
        fields: The fields of the index.
        head: What the text of each entry begins with, for the fields that have one value.
        low: The least text of an entry.
        below: The first text beyond.
        point: The one text, if all entries have the same.
        is_exact: Whether no other record stands there.
    """

    fields: tuple[str, ...]
    head: str
    low: str
    below: str
    point: str | None
    is_exact: bool

    @property
    def name(self) -> str:
        """The name of the index."""
        return index_name(self.fields)

    def order_text(self, entry: str) -> str:
        """Return the indexed text of the last field from that of an entry."""
        return entry if len(self.fields) == 1 else last_text(entry)

    def entry_text(self, order_text: str) -> str:
        """Return the text of the entry whose last field has an indexed text."""
        if self.point is not None:
            return self.point
        return order_text if len(self.fields) == 1 else self.head + part_of(order_text)


def range_for(
    indexes: Sequence[tuple[str, ...]], conditions: Sequence[Condition], lead: Lead, order: str | None, *,
    any_order: bool = False,
) -> Range | None:  # fmt: skip
    """Return the part of that index which narrows a list most and has its order; None if there is none.

    Args:
        indexes: The fields of each index.
        conditions: All must hold.
        lead: The fields of the model.
        order: The field of the order; None for the order by key.
        any_order: The order does not matter.
    """
    intervals: dict[str, Interval] = {}
    for field, interval in _intervals(conditions, lead):
        intervals[field] = intervals.get(field, _ALL) & interval
    best, best_score = None, (-1, 0)
    for fields in indexes:
        equal = 0
        while equal < len(fields) and intervals.get(fields[equal], _ALL).is_point:
            equal += 1
        is_point, last = equal == len(fields), len(fields) - 1
        further = _ALL if is_point else intervals.get(fields[equal], _ALL)
        score = (equal, further.conditions)
        has_order = any_order or (is_point and order in {None, *fields}) or (equal == last and order == fields[last])
        if has_order and score > best_score and (score > (0, 0) or order is not None):
            best, best_score = (
                _range(fields, [intervals[field] for field in fields[:equal]], further, conditions),
                score,
            )
    return best


def _range(
    fields: tuple[str, ...], equal: Sequence[Interval], further: Interval, conditions: Sequence[Condition]
) -> Range:  # fmt: skip
    used = (*equal, further)
    is_exact = all(one.is_exact for one in used) and sum(one.conditions for one in used) == len(conditions)
    texts = [one.low for one in equal]
    if len(texts) == len(fields):
        point = entry_of(texts)
        return Range(fields, point, point, point + _NEXT, point, is_exact)
    if len(fields) == 1:
        return Range(fields, "", further.low, further.below, None, is_exact)
    head = "".join(map(part_of, texts))
    low, below = (head + part_of(text).removesuffix("\0") for text in (further.low, further.below))
    return Range(fields, head, low, below, None, is_exact)


def _intervals(conditions: Sequence[Condition], lead: Lead) -> Iterator[tuple[str, Interval]]:
    """Yield what each condition demands of a field, if an index could answer it."""
    for condition in conditions:
        if not isinstance(condition, Compare | StartsWith):
            continue
        found = reached(lead, condition.path)
        bounds = None if isinstance(found, int) else _bounds(condition)
        if bounds is not None and not isinstance(found, int):
            yield ".".join(condition.path), Interval(*bounds, _is_exact(condition, found[0]), 1)


def _is_exact(condition: Compare | StartsWith, lead: Lead) -> bool:
    """Return whether no other value has the same indexed text, or one between the same bounds."""
    kind = "text" if isinstance(condition, StartsWith) else kind_of(condition.value)
    is_alone = kind in _APART or lead.scalars - _APART <= {str(kind)}
    is_compared = isinstance(condition, Compare) and condition.sign != "=="
    return not lead.is_open and is_alone and not (is_compared and kind == "a datetime")  # with and without a zone


def _bounds(condition: Compare | StartsWith) -> tuple[str, str] | None:
    """Return the indexed texts between which everything stands that a condition admits; None if there are none."""
    if isinstance(condition, StartsWith):
        return f"3{condition.prefix}", _after_all_that_begin_with(f"3{condition.prefix}")
    sign, value = condition.sign, condition.value
    try:
        text = index_text(value)
    except ValueError:
        return None
    begin, end = text[0], chr(ord(text[0]) + 1)
    if value is None and sign != "==":
        return (end, _END) if sign == "!=" else None
    return {
        "==": (text, text + _NEXT),
        "<": (begin, text),
        "<=": (begin, text + _NEXT),
        ">": (text + _NEXT, end),
        ">=": (text, end),
    }.get(sign)


def _after_all_that_begin_with(prefix: str) -> str:
    """Return the least text that is greater than all that begin with a prefix."""
    kept = prefix.rstrip(_LAST)
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if code == 0xD800 else code)  # noqa: PLR2004 - there are no characters between
