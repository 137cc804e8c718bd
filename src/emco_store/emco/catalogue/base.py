# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""What all models of the catalogue share: names and metadata, unknown fields, and references made of several fields.

The models accept what EMCO's own JSON schemas accept: required fields, lengths, patterns and enumerations are theirs.
Decision 32 lists the few places where a model is stricter or looser, and why.

The policy for unknown fields, for the whole catalogue: metadata and the top of a document are closed, and an unknown
field there is refused. A ``spec``, at every level, keeps what its model does not know, unread, in ``unknown_fields``;
it is written back where it stood. So nothing is lost, and nothing unknown is ever taken for a reference (EMCO's B13).
A field is known in any letter case, as to EMCO's decoder. A null is the same as a field that is not there, and so is
empty text instead of a reference of several fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from emco_store.core.keys import encode_segment
from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref, Reference
from emco_store.core.resource import Resource
from emco_store.emco.json_data import is_map

NAME = r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
_MAX_NAME = 128
Name = Annotated[str, StringConstraints(max_length=_MAX_NAME, pattern=NAME)]
"""A name that EMCO accepts, which is narrower than what a key could hold."""
UserData = Annotated[str, StringConstraints(max_length=512)]
"""Text that belongs to the user of a resource."""
Text = Annotated[str, StringConstraints(max_length=_MAX_NAME)]
"""Text of the length that EMCO gives most fields."""
PortNumber = Annotated[int, Field(strict=True, ge=0, le=65535)]
Port = PortNumber | Annotated[str, StringConstraints(pattern=r"^[a-z]+(_[a-z]+)*_port$")]
"""A port, or the name of a template's variable in its place, as in EMCO's example ``test-tac``."""


class Shape(BaseModel):
    """What known entries of free-form data must be; the data themselves are kept as they are."""

    model_config = ConfigDict(extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not is_map(data):
            return data
        values, unknown = _sorted_out(cls, data)
        return values | unknown


def shaped(wanted: Any) -> AfterValidator:
    """Return the marker for free-form data that must fit a type, and are kept as they are."""
    adapter: TypeAdapter[Any] = TypeAdapter(wanted)

    def check(value: dict[str, Any]) -> dict[str, Any]:
        try:
            adapter.validate_python(value)
        except ValidationError as problem:
            (first, *_) = problem.errors(include_url=False, include_input=False, include_context=False)
            message = f"at {'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ValueError(message) from None
        return value

    return AfterValidator(check)


Texts = Annotated[Opaque, shaped(dict[str, Text])]
"""A map of short texts whose keys may hold dots."""
LongTexts = Annotated[Opaque, shaped(dict[str, str])]
"""A map of texts whose keys may hold dots."""


class EmcoResource(Resource, abstract=True):
    """The base of the catalogue's models: metadata, and the names of the files that belong to a resource.

    Attributes:
        description: At most 1024 characters.
        userData1: Text of the user, at most 512 characters.
        userData2: Text of the user, at most 512 characters.
        file: The name of a file; its content is not in the store.
        files: The names of several files.
    """

    name: Name
    description: Annotated[str, StringConstraints(max_length=1024)] | None = None
    userData1: UserData | None = None
    userData2: UserData | None = None
    file: str | None = None
    files: list[str] | None = None


def is_name(value: object) -> bool:
    """Return whether a value is a name that EMCO accepts."""
    return isinstance(value, str) and len(value) <= _MAX_NAME and re.fullmatch(NAME, value) is not None


def check_name(reference: Ref[Any] | None) -> Ref[Any] | None:
    """Check that a reference ends with a name that EMCO accepts, whether or not it counts as a reference.

    Raises:
        ValueError: It does not.
    """
    if reference is not None and not is_name(unquote(reference.text.rpartition("/")[2])):
        message = f"{reference.text!r:.100} does not end with a name"
        raise ValueError(message)
    return reference


@dataclass(frozen=True, slots=True)
class Parts:
    """The marker that :func:`parts` puts into an annotation."""

    fields: tuple[str, ...]


def parts(*fields: str) -> Parts:
    """State that a reference is written as several fields: its own holds the last name, and these the ones before it.

    ``{clusterProvider: p, cluster: c}`` is a reference to the cluster ``p/c``. In the model the field is a whole
    reference, and the others stay as plain text beside it. Given a whole key, text or resource, they are filled in
    where they are absent; where they are there, they must agree.

    Args:
        fields: The fields that come before, the outermost first.
    """
    return Parts(fields)


class Spec(BaseModel):
    """The base of all specs and of what is nested in them; see the policy for unknown fields above.

    Attributes:
        unknown_fields: What the document has and the model does not know; None where there is nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    unknown_fields: Opaque | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not is_map(data):
            return data
        values, unknown = _sorted_out(cls, data)
        if unknown:
            if values.get("unknown_fields") is not None:
                message = f"give unknown fields inside unknown_fields or beside it, not both: {', '.join(unknown)}"
                raise ValueError(message)
            values["unknown_fields"] = unknown
        for name, info in cls.model_fields.items():
            composed = next((mark for mark in info.metadata if isinstance(mark, Parts)), None)
            if composed is not None and values.get(name) == "":
                values[name] = None
            elif composed is not None and values.get(name) is not None and _counts(info, values):
                _compose(name, composed.fields, values)
        return values


class AnySpec(Spec):
    """The spec of a type for which EMCO defines no field; all that is given is kept."""


def _sorted_out(model: type[BaseModel], data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that a model knows, in its own letter case, and the ones that it does not know."""
    known = {name.lower(): name for name in model.model_fields}
    values: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for given, value in data.items():
        name = known.get(str(given).lower())
        if name is None:
            unknown[given] = value
        elif name in values:
            message = f"at {given}: the field is given twice, in different letter cases"
            raise ValueError(message)
        else:
            values[name] = value
    return values, unknown


def _counts(info: FieldInfo, values: Mapping[str, Any]) -> bool:
    """Tell whether the reference is one; where its condition does not hold, its text is left as it is."""
    conditions = [mark.when for mark in info.metadata if isinstance(mark, Reference)]
    return all(
        any(values.get(name) == value for value in wanted) for when in conditions for name, wanted in when.items()
    )


def _compose(name: str, fields: tuple[str, ...], values: dict[str, Any]) -> None:
    """Bring a reference and the fields that are parts of it together, in place."""
    try:
        text = Ref(values[name]).text
    except ValueError:
        return  # the validation of the field says why, with its path
    *above, last = text.split("/")
    for field, part in zip(reversed(fields), map(unquote, reversed(above)), strict=False):
        if values.get(field) is not None and values[field] != part:
            message = f"at {name}: it is {text:.200}, but {field} is {values[field]!r:.100}"
            raise ValueError(message)
        values[field] = part
    if len(above) > len(fields):
        return
    before = [value for value in map(values.get, fields) if isinstance(value, str)]
    if len(before) < len(fields):
        message = f"at {name}: it needs beside it, as text: {', '.join(fields)}"
        raise ValueError(message)
    values[name] = "/".join((*map(encode_segment, before), last))
