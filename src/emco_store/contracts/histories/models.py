"""The resources of the workloads: a list, in two releases of its model, too, and a register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from emco_store.core.evolution import since
from emco_store.core.resource import Resource


class Journal(Resource):
    """A list that transactions read and append to."""

    entries: list[int] = []


class OldJournal(Resource, kind="Journal", model_version=2):
    """The list of a service that knows the new name of its field, and writes the old one."""

    entries: list[int] = []
    values: Annotated[list[int], since(2)] = []


def rename_entries(document: dict[str, Any]) -> dict[str, Any]:
    """Rename the entries, where there are some, to values."""
    entries = document.pop("entries", [])
    if entries:
        document["values"] = entries
    return document


class NewJournal(Resource, kind="Journal", model_version=3, steps={3: rename_entries}, readable_by=2):
    """The list of the release after it, which has the new name alone."""

    values: Annotated[list[int], since(2)] = []


@dataclass(frozen=True, slots=True)
class ListForm:
    """How a program keeps a list.

    Attributes:
        model: Its model.
        read: Returns what is in the list.
        write: Returns the values of the fields that hold it.
    """

    model: type[Any]
    read: Callable[[Any], list[int]]
    write: Callable[[list[int]], Mapping[str, Any]]


ENTRIES: Final = ListForm(Journal, lambda one: one.entries, lambda values: {"entries": values})
"""How lists are kept where all programs are of one release."""
RELEASES: Final = (
    ListForm(OldJournal, lambda one: one.values or one.entries, lambda values: {"entries": values, "values": []}),
    ListForm(NewJournal, lambda one: one.values, lambda values: {"values": values}),
)
"""How the old and the new release of a service keep them, one beside the other."""


class Register(Resource):
    """A value with a version; ``born``, the value at its creation, distinguishes it from its predecessors."""

    born: int
    value: int
