"""One emcoctl document and the resource that it states: from the one to the other, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from emco_store.core.codec import Draft, draft
from emco_store.core.documents import LARGEST_MAX_BYTES
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.emco.anchors import Place, Step, UnknownAnchor, read_anchor, write_anchor
from emco_store.emco.catalogue.applications import CompositeApp
from emco_store.emco.catalogue.base import Spec, is_name
from emco_store.emco.catalogue.clusters import ClusterLabel
from emco_store.emco.catalogue.deployments import Migration, Rollback
from emco_store.emco.catalogue.workflows import Agent
from emco_store.emco.json_data import is_list, is_map
from emco_store.errors import InvalidCall, InvalidResource

VERSION = "emco/v2"
_METADATA = ("name", "description", "userData1", "userData2")
_BODY = ("spec", "file", "files")
_AGENT = ("id", "addr")
_STEPS: Mapping[str, type[Spec]] = {"rollback": Rollback, "migrate": Migration}
ANCHOR_FIELD = "resourceContext.anchor"
"""Where a document says its parent."""


class Unacceptable(Exception):
    """A document cannot be read; carries pairs of field and reason, all of them."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that a document asks for, with whatever it says beyond its anchor."""

    step: Step
    body: Mapping[str, Any]


def read_document(document: Any) -> Draft[Any] | Asked:
    """Read one document.

    Raises:
        Unacceptable: It cannot be read; all reasons are given.
    """
    if not is_map(document):
        raise Unacceptable([("", f"a document is a map, this one is of type {type(document).__name__}")])
    problems = list(_envelope_problems(document))
    anchor = _anchor_of(document, problems)
    found: Place | Step | None = None
    try:
        found = None if anchor is None else read_anchor(anchor)
    except InvalidResource as problem:
        problems += [(ANCHOR_FIELD, reason) for reason in problem.problems]
    except UnknownAnchor as problem:
        problems.append((ANCHOR_FIELD, str(problem)))
    if isinstance(found, Step):
        body = {name: value for name, value in document.items() if name not in {"version", "resourceContext"}}
        problems += _step_problems(found, body)
        if problems:
            raise Unacceptable(problems)
        return Asked(found, body)
    if found is None:
        raise Unacceptable(problems)
    return _resource(found, document, problems)


def _step_problems(step: Step, body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the spec of a step; the steps that have none leave open what stands there."""
    model = _STEPS.get(step.verb)
    if model is not None and body.get("spec") is not None:
        try:
            model.model_validate(body["spec"])
        except ValidationError as problem:
            yield from ((".".join(("spec", *map(str, steps))), reason) for steps, reason in _steps_and_reasons(problem))


def _envelope_problems(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if document.get("version", VERSION) != VERSION:
        yield "version", f"it is not {VERSION}"
    context = document.get("resourceContext")
    if is_map(context):
        yield from ((f"resourceContext.{name}", "unknown field") for name in context if name != "anchor")


def _anchor_of(document: Mapping[str, Any], problems: list[tuple[str, str]]) -> str | None:
    context = document.get("resourceContext")
    anchor: Any = context.get("anchor") if is_map(context) else None
    if isinstance(anchor, str) and anchor:
        return anchor
    problems.append((ANCHOR_FIELD, "text is needed here"))
    return None


def _resource(place: Place, document: Mapping[str, Any], problems: list[tuple[str, str]]) -> Draft[Any]:
    model = place.collection.model
    values: dict[str, Any] = dict(place.collection.fixed)
    allowed = {"version", "resourceContext", *_take_body(model, document, values, problems)}
    problems += [(name, f"unknown field of {model.__name__}") for name in document if name not in allowed]
    if place.name is not None:
        if values.setdefault("name", place.name) != place.name:
            problems.append(("metadata.name", f"it is not the name in the anchor, {place.name}"))
        values["name"] = place.name
    if model.__emco__.parent is not None:
        try:
            values["parent"] = Ref(Key(model.__emco__.parent.__emco__.kind, *place.above))
        except InvalidResource as problem:
            problems += [(ANCHOR_FIELD, reason) for reason in problem.problems]
            raise Unacceptable(problems) from problem
    try:
        made = draft(model.model_validate(values), max_bytes=LARGEST_MAX_BYTES)
    except ValidationError as problem:
        raise Unacceptable([*problems, *_validation_problems(model, problem)]) from problem
    except InvalidResource as problem:
        raise Unacceptable([*problems, *(_split(text) for text in problem.problems)]) from problem
    problems += _name_problems(made, document)
    if problems:
        raise Unacceptable(problems)
    return made


def _name_problems(made: Draft[Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the references that are not written as EMCO writes them: by one name, in each field that has a part."""
    for edge in made.edges:
        is_read_as_text = edge.is_parent or edge.at_key or edge.selection is not None
        if not is_read_as_text and not is_name(_value_at(document, edge.path)):
            yield (
                edge.place,
                "a reference is the name of its target here: at most 128 letters, digits, '-', '_' and '.'",
            )


def _value_at(document: Any, path: Sequence[str | int]) -> Any:
    """Return what stands at a path of the model, whose fields a document may write in another letter case."""
    for step in path:
        if is_map(document):
            document = next((value for name, value in document.items() if name.lower() == str(step).lower()), None)
        else:
            document = document[step]
    return document


def _take_body(
    model: type[Resource], document: Mapping[str, Any], values: dict[str, Any], problems: list[tuple[str, str]]
) -> Sequence[str]:
    """Move what the document says into the values of the model, and give the fields that it may have."""
    if model is ClusterLabel:
        values["name"] = document.get("clusterLabel")
        return ("clusterLabel",)
    if model is Agent:
        values |= {name: document[name] for name in _AGENT if name in document}
        return _AGENT
    metadata: Any = document.get("metadata") or {}
    if is_map(metadata):
        values |= {name: value for name, value in metadata.items() if name in _METADATA}
        problems += [(f"metadata.{name}", "unknown field") for name in metadata if name not in _METADATA]
    else:
        problems.append(("metadata", "a map is needed here"))
    values |= {name: document[name] for name in _BODY if name in document}
    spec = values.get("spec")
    if model is CompositeApp and is_map(spec):
        rest = {name: value for name, value in spec.items() if name != "compositeAppVersion"}
        values["version"] = spec.get("compositeAppVersion")
        values["spec"] = rest or None
    return ("metadata", *_BODY)


def _validation_problems(model: type[Resource], problem: ValidationError) -> Iterator[tuple[str, str]]:
    return ((_field(model, steps), reason) for steps, reason in _steps_and_reasons(problem))


def _steps_and_reasons(problem: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for error in problem.errors(include_url=False, include_input=False, include_context=False):
        steps, reason = error["loc"], error["msg"].removeprefix("Value error, ")
        if reason.startswith("at "):
            inner, reason = _split(reason.removeprefix("at "))
            steps = (*steps, *inner.split("."))
        yield steps, reason


def _field(model: type[Resource], steps: Sequence[str | int]) -> str:
    """Return the path in the document for a path in the model."""
    if not steps:
        return ""
    first = str(steps[0])
    if first == "version":
        return "spec.compositeAppVersion"
    if model is ClusterLabel and first == "name":
        return "clusterLabel"
    text = f"metadata.{first}" if first in _METADATA else first
    for step in steps[1:]:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text


def _split(text: str) -> tuple[str, str]:
    field, found, reason = text.partition(": ")
    return (field, reason) if found else ("", text)


def write_document(resource: Resource) -> dict[str, Any]:
    """Write the document that states a resource.

    What it states is read back before it is given, so it is the same resource, or an error.

    Raises:
        InvalidCall: No document can state it.
        InvalidResource: The data is not acceptable.
    """
    wanted = draft(resource, max_bytes=LARGEST_MAX_BYTES)
    anchor = write_anchor(wanted.key)
    if anchor is None or not isinstance(resource, type(wanted.resource)):
        raise InvalidCall(f"No emcoctl document can state {wanted.key}.", hint="leave it out.")
    document = {"version": VERSION, "resourceContext": {"anchor": anchor}, **_body(wanted.resource)}
    try:
        found = read_document(document)
    except Unacceptable as problem:
        raise _not_writable(wanted.key, [f"{field}: {reason}" for field, reason in problem.problems]) from problem
    if not isinstance(found, Draft) or (found.key, found.document) != (wanted.key, wanted.document):
        raise _not_writable(wanted.key, ["read back, the document would state something else"])
    return document


def _not_writable(key: Key, why: list[str]) -> InvalidCall:
    return InvalidCall(
        f"{key} cannot be written in the form of emcoctl.",
        why=why,
        hint="a reference must lie where EMCO looks for it: an app in the same composite app, for example.",
    )


def _body(resource: Resource) -> dict[str, Any]:
    values = _plain(resource)
    if isinstance(resource, ClusterLabel):
        return {"clusterLabel": values["name"]}
    if isinstance(resource, Agent):
        return {name: values[name] for name in _AGENT if name in values}
    if isinstance(resource, CompositeApp):
        values["spec"] = {"compositeAppVersion": resource.version, **values.get("spec", {})}
    metadata = {name: values[name] for name in _METADATA if name in values}
    return {"metadata": metadata, **{name: values[name] for name in _BODY if name in values}}


def _plain(value: Any) -> Any:
    """Return a value as it stands in a document: references by their last name, unknown fields in their place."""
    if isinstance(value, Ref):
        return value.key.name if value.has_key else value.text
    if isinstance(value, Resource | Spec):
        model = type(value).model_fields
        shown = {name: inner for name, inner in value if inner is not None and not model[name].exclude}
        unknown = shown.pop("unknown_fields", {})
        return {name: _plain(inner) for name, inner in shown.items() if name != "parent"} | unknown
    if is_map(value):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if is_list(value):
        return [_plain(inner) for inner in value]
    return value
