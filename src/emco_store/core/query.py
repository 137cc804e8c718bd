"""Queries: which fields conditions may be asked of, orders, and the cursors of lists."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from emco_store.core.conditions import Condition, F, Filter, conditions_of, path_of
from emco_store.core.fields import lead_of_model, reached, step_to, unknown_name
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall

__all__ = [
    "MAX_PAGE",
    "Condition",
    "F",
    "Filter",
    "Order",
    "check_fields",
    "check_limit",
    "conditions_of",
    "path_of",
    "read_cursor",
    "write_cursor",
]
MAX_PAGE = 1000
"""The most resources that one page holds."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by key, or by one indexed field and then by key."""

    field: str | None = None
    descending: bool = False

    @classmethod
    def read(cls, text: Any, model: type[Resource], *, under_parent: bool) -> Self:
        """Read ``"region"`` or ``"-region"``.

        Raises:
            InvalidCall: There is no such field, or no index ends with it.
        """
        if text is None:
            return cls()
        name = text.removeprefix("-") if isinstance(text, str) else str(text)
        spec = model.__emco__
        own_key = name in spec.key_fields[:1] and (under_parent or spec.parent is None)
        if name == "key" or own_key:
            return cls(None, descending=text != name)
        last = dict.fromkeys(fields[-1] for fields in spec.indexes)
        if name in last:
            return cls(name, descending=text != name)
        raise InvalidCall(
            f"Cannot order {spec.kind} by {name!r:.80}.",
            why=[f"lists are ordered by key, or by the last field of an index: {', '.join(last) or 'none here'}"],
            hint="declare the field with indexed() or in indexes=[…], or order by key; by name, say parent= too.",
        )

    def position(self, resource_index: dict[str, str], key: Key) -> tuple[str, str]:
        """Return the place of a record in this order."""
        return ("" if self.field is None else resource_index.get(self.field, ""), key.text)


def check_limit(limit: Any) -> None:
    """Refuse a page size that is out of range.

    Raises:
        InvalidCall: It is not 1 to 1000.
    """
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidCall(
            f"Cannot give a page with limit={limit!r:.40}.",
            why=[f"a page has 1 to {MAX_PAGE} resources"],
            hint="read page by page, with after=page.next.",
        )


def check_fields(conditions: Iterable[Condition], model: type[Resource]) -> None:
    """Refuse conditions on fields that the model does not have, and those that compare with what is never there.

    Raises:
        InvalidCall: A name in a path is unknown, or a value is of another type than its field.

    Rules: ID-19.
    """
    lead, kind = lead_of_model(model), model.__emco__.kind
    for leaf in (leaf for condition in conditions for leaf in condition.leaves()):
        found = reached(lead, leaf.path)
        shown = ".".join(leaf.path)
        if isinstance(found, int):
            before = leaf.path[:found]
            raise InvalidCall(
                f"Cannot filter {kind} by {shown!r:.80}: {'.'.join(before) or 'it'} has no {leaf.path[found]!r:.80}.",
                **unknown_name(step_to(lead, before), leaf.path[found], before),
            )
        objection = leaf.objection(found[0], may_be_absent=found[1])
        if objection is not None:
            raise InvalidCall(
                f"Cannot filter {kind} by {shown!r:.80}: the condition says the same of every resource.",
                why=[objection],
                hint="compare with a value of the type of the field.",
            )


def write_cursor(kind: str, order: Order, position: tuple[str, str]) -> str:
    """Write where a page ended, as text that only ``after=`` reads."""
    data = json.dumps([kind, order.field, order.descending, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def read_cursor(text: str, kind: str, order: Order) -> tuple[str, str]:
    """Read a cursor of the same query.

    Raises:
        InvalidCall: It is not a cursor, or one of another kind or order.
    """
    try:
        data = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        found_kind, field, descending, value, key = data
        is_same = [found_kind, field, descending] == [kind, order.field, order.descending]
        if is_same and isinstance(value, str) and isinstance(key, str):
            return value, key
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise InvalidCall(
        "Cannot continue after this cursor.",
        why=["it is not page.next of a list with the same kind and order"],
        hint="pass page.next unchanged, with the same order_by.",
        argument="after",
    )
