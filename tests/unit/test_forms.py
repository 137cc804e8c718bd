"""Forms: which field of a view can be trusted to read which field of the owner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter, create_model

from emco_store.core.forms import forms_of, misfits


class Colour(StrEnum):
    """Two values."""

    RED = "red"
    BLUE = "blue"


class Few(StrEnum):
    """One of them."""

    RED = "red"


class Whole(BaseModel, extra="forbid"):
    """Of the owner."""

    a: int
    b: str = ""
    inner: dict[str, int] = {}


class Part(BaseModel, extra="ignore"):
    """Of a view."""

    a: int


class Needy(BaseModel, extra="ignore"):
    """Needs what is not there."""

    a: int
    z: int


class Other(BaseModel, extra="ignore"):
    """Has another idea of it."""

    a: str


class Strict(BaseModel, extra="forbid"):
    """Refuses what else is there."""

    a: int


class Open(BaseModel, extra="allow"):
    """Keeps what it does not know."""

    a: int


class Loose(BaseModel, extra="ignore"):
    """Needs what may be missing."""

    b: str


TYPES: Mapping[str, tuple[Any, Any]] = {
    "int": (int, 7),
    "str": (str, "x"),
    "bool": (bool, True),
    "float": (float, 1.5),
    "int?": (int | None, None),
    "[int]": (list[int], [1]),
    "[str]": (list[str], ["x"]),
    "{int}": (dict[str, int], {"a": 1}),
    "Colour": (Colour, "blue"),
    "Few": (Few, "red"),
    "red": (Literal["red"], "red"),
    "date": (date, "2030-01-01"),
    "datetime": (datetime, "2030-01-01T00:00:00Z"),
    "uuid": (UUID, str(UUID(int=1))),
    "Whole": (Whole, {"a": 1, "inner": {}}),
    "Part": (Part, {"a": 1}),
    "Needy": (Needy, {"a": 1, "z": 1}),
    "Other": (Other, {"a": "x"}),
    "Strict": (Strict, {"a": 1}),
    "Loose": (Loose, {"b": ""}),
    "Open": (Open, {"a": 1, "more": 2}),
    "[Whole]": (list[Whole], [{"a": 1, "b": ""}]),
    "any": (Any, [{}]),
    "(int, str)": (tuple[int, str], [1, "x"]),
    "set": (set[int], [1]),
    "[Part]": (list[Part], [{"a": 1}]),
    "{Whole}": (dict[str, Whole], {"k": {"a": 1, "b": ""}}),
    "{Part}": (dict[str, Part], {"k": {"a": 1}}),
    "Whole?": (Whole | None, None),
    "Part?": (Part | None, None),
    "str 3": (Annotated[str, Field(min_length=3)], "xyz"),
    "int 5": (Annotated[int, Field(ge=5)], 6),
}
"""Types, each with a value that another type may not read."""
READS = {
    "int": "int 5",
    "int?": "int, int 5",
    "float": "int, int 5",
    "Colour": "Few, red",
    "Few": "red",
    "red": "Few",
    "str": "Colour, Few, red, date, datetime, uuid, str 3",
    "Part": "Whole, Needy, Strict, Open",
    "Whole?": "Whole, Part, Part?, Strict",
    "Part?": "Part, Whole, Whole?, Needy, Strict, Open",
    "[Part]": "[Whole]",
    "{Part}": "{Whole}",
    "[int]": "set",
    "{int}": "Part, Strict, Needy",
    "Strict": "Part",
    "Whole": "Part, Strict",
    "[Whole]": "[Part]",
    "{Whole}": "{Part}",
    "Open": "Part, Strict, Whole, Needy",
}
"""For a type, the others of which it reads all that they write; ``any`` reads everything."""


def _form(annotation: Any) -> Any:
    return forms_of(create_model("One", x=(annotation, ...)))["x"]


FORMS = {name: _form(annotation) for name, (annotation, _) in TYPES.items()}


@pytest.mark.parametrize("reader", [name for name in TYPES if name != "any"])
def test_field_fits_where_it_reads_all_that_is_written(reader: str) -> None:
    """The types that are listed fit, and no others, even if they read some of what is written."""
    fits = {written for written in TYPES if not misfits(FORMS[reader], FORMS[written]) and written != reader}

    assert {*filter(None, READS.get(reader, "").split(", "))} == fits


@pytest.mark.parametrize("written", TYPES)
def test_what_fits_is_read(written: str) -> None:
    """A type that fits reads the value of the other one, so that no contradiction is overlooked."""
    readers = [reader for reader in TYPES if not misfits(FORMS[reader], FORMS[written])]
    assert {written, "any"} <= {*readers}
    for reader in readers:
        TypeAdapter(TYPES[reader][0]).validate_json(json.dumps(TYPES[written][1]))


def test_what_is_only_shown_is_not_compared() -> None:
    """Titles, descriptions, defaults and the names of nested classes change nothing."""
    again = create_model(
        "Whole", __config__={"extra": "forbid"}, a=(int, ...), b=(str, "other"), inner=(dict[str, int], {})
    )
    shown = Annotated[str, Field(title="T", description="D", examples=["e"])]

    assert FORMS["Whole"] == _form(again)
    assert FORMS["str"] == _form(shown)
    assert FORMS["Whole"] != _form(create_model("Whole", __config__={"extra": "forbid"}, a=(str, ...)))


def test_type_without_a_schema_is_any() -> None:
    """What JSON Schema cannot say is not compared, and is no error."""

    class Odd:
        pass

    model = create_model("One", __config__={"arbitrary_types_allowed": True}, x=(Odd, ...), y=(int, 0))

    assert ({}, FORMS["int"]) == (forms_of(model)["x"], forms_of(model)["y"])
