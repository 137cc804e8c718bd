"""Versions of models: what a class may declare, what documents say, and what shipped steps are refused for."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field

from emco_store import (
    InvalidModel,
    InvalidResource,
    Key,
    MemoryBackend,
    NewerModel,
    Ref,
    Resource,
    Status,
    connect,
    since,
)
from emco_store.core.evolution import FIRST, Form, in_order, split


def same(document: dict[str, Any]) -> dict[str, Any]:
    """Change nothing."""
    return document


@pytest.mark.parametrize(
    "arguments",
    [
        {"model_version": 0}, {"model_version": True}, {"model_version": "2"}, {"model_version": 10_001},
        {"steps": [same]}, {"steps": {2: same}}, {"model_version": 2, "steps": {1: same}},
        {"model_version": 2, "steps": {"2": same}}, {"model_version": 2, "steps": {2: "same"}},
        {"readable_by": 2}, {"readable_by": 0}, {"model_version": 3, "steps": {2: same}, "readable_by": 3},
        {"model_version": 3, "steps": {2: same}, "readable_by": "1"},
    ],
)  # fmt: skip
def test_class_with_impossible_versions_is_refused(arguments):
    """BAD-9: A class whose versions contradict each other is refused when it is defined."""
    with pytest.raises(InvalidModel) as caught:
        type(Resource)("Odd", (Resource,), {"__module__": __name__}, **arguments)

    assert len(caught.value.why) >= 1


def test_field_that_could_not_be_left_out_is_refused():
    """BAD-9: A since() field has a default, a version of its model, and as a reference the default None."""
    with pytest.raises(InvalidModel) as caught:

        class Odd(Resource, model_version=2):
            required: Annotated[int, since(2)]
            first: Annotated[int, since(1)] = 0
            later: Annotated[int, since(3)] = 0
            twice: Annotated[int, since(2), since(2)] = 0
            text: Annotated[int, since("2")] = 0
            refers: Annotated[Ref["Odd"], since(2)] = "Odd/x"  # noqa: UP037 - the class is local
            depends: Annotated[str, since(2)] = Field(default_factory=lambda values: values["name"])

    assert ["required", "first", "later", "twice", "text", "refers", "depends"] == [
        why.partition(":")[0] for why in caught.value.why
    ]


def test_marker_inside_a_field_is_refused():
    """BAD-9: since() has no effect inside a field, so it is refused there."""
    with pytest.raises(InvalidModel):

        class Odd(Resource, model_version=2):
            inner: list[Annotated[int, since(2)]] = []


def test_status_has_no_versions():
    """BAD-9: A status is reported again by its writer, so its model has no versions."""

    class Watched(Resource): ...

    with pytest.raises(InvalidModel):

        class Seen(Status, of=Watched, writer="w", model_version=2): ...


@pytest.mark.parametrize(
    ("value", "document"),
    [({}, b'{"name":"x"}'), ({"real": 1.5}, b'{"$model":[1,2],"name":"x","real":1.5}'),
     ({"several": [1]}, b'{"$model":[1,3],"name":"x","several":[1]}'),
     ({"flag": 1}, b'{"$model":[1,3],"name":"x","flag":1}')],
)  # fmt: skip
def test_field_is_left_out_only_while_it_is_its_default(value, document):
    """MIG-1: Equal values of another type are not the default."""

    class Part(Resource, model_version=3):
        real: Annotated[float, since(2)] = 0.5
        several: Annotated[list[int], since(3)] = []
        flag: Annotated[bool | int, since(3)] = True

    store = connect(MemoryBackend(), namespace="n")
    made = store.create(Part(name="x", **value))

    assert document.decode() in store.export().text
    again = store.get(Part, "x")
    assert made == again
    assert [type(one) for one in dict(made).values()] == [type(one) for one in dict(again).values()]


def test_compatible_step_leaves_old_programs_able_to_read():
    """MIG-1: What readable_by= admits reads the new form; the new version takes no step again."""
    backend = MemoryBackend()
    taken = []

    def without_region(document: dict[str, Any]) -> dict[str, Any]:
        taken.append(document.pop("region", None))
        return document

    class Old(Resource, kind="Host"):
        region: str = ""
        zone: str = ""

    class New(Resource, kind="Host", model_version=2, steps={2: without_region}, readable_by=1):
        zone: str = ""

    old, new = (connect(backend, namespace="n", models=[model]) for model in (Old, New))
    old.create(Old(name="x", region="eu", zone="z"))
    new.update(new.get(New, "x"))
    assert ("", "z") == (old.get(Old, "x").region, old.get(Old, "x").zone)
    assert new.get(New, "x").zone == "z"
    assert ["eu"] == taken
    old.patch(old.get(Old, "x"), {"region": "us"})
    assert "z" == new.get(New, "x").zone
    assert ["eu", "us"] == taken


@pytest.mark.parametrize("step", [lambda _: None, lambda document: document["no"], lambda _: {"name": {1: object()}},
                                  lambda document: {**document, "name": "other"}])  # fmt: skip
def test_step_that_cannot_be_right_is_an_error_of_its_document(step):
    """MIG-2: A step that raises, returns no document or changes the key is an InvalidResource with the reason."""
    backend = MemoryBackend()

    class Old(Resource, kind="Thing"): ...

    class New(Resource, kind="Thing", model_version=2, steps={2: step}): ...

    connect(backend, namespace="n").create(Old(name="x"))
    store = connect(backend, namespace="n", models=[New])

    with pytest.raises(InvalidResource) as caught:
        store.get(New, "x")
    assert (Key("Thing", "x"), True) == (caught.value.key, caught.value.stored)
    assert type(caught.value) is not NewerModel


@pytest.mark.parametrize(
    ("document", "form", "rest"),
    [
        (b'{"a":1}', FIRST, b'{"a":1}'), (b'{"$model":[3,2],"a":1}', Form(3, 2), b'{"a":1}'),
        (b'{"a":"$model"}', FIRST, b'{"a":"$model"}'), (b'{"a":"\\"$model\\""}', FIRST, b'{"a":"\\"$model\\""}'),
        (b'{"a":{"$model":[9,9]}}', FIRST, b'{"a":{"$model":[9,9]}}'),
        (b'{"a":1,"$model":[3,2]}', Form(3, 2), b'{"a":1}'), (b'{ "$model" : [3, 2], "a":1}', Form(3, 2), b'{"a":1}'),
    ],
)  # fmt: skip
def test_stamp_is_found_wherever_it_stands(document, form, rest):
    """MIG-1: Only a name of the document itself is its stamp."""
    assert (form, rest) == split(document)
    assert split(in_order(document)) == (form, rest)


def test_step_that_was_taken_out_leaves_older_documents_unread():
    """MIG-2: None in the place of a step keeps the number of the form, and refuses older documents aloud."""
    backend = MemoryBackend()

    class Old(Resource, kind="Thing"):
        text: str = ""

    class New(Resource, kind="Thing", model_version=3, steps={2: same, 3: same}):
        text: str = ""

    class Newer(Resource, kind="Thing", model_version=3, steps={3: None}):
        text: str = ""

    old, new, newer = (connect(backend, namespace="n", models=[model]) for model in (Old, New, Newer))
    old.create(Old(name="x"))
    with pytest.raises(InvalidResource):
        newer.get(Newer, "x")
    assert ["INVALID-RESOURCE"] == [one.code for one in newer.plan_migrate(Newer).left]
    new.migrate(New)
    assert "x" == newer.get(Newer, "x").name
    newer.put(Newer(name="y"))
    assert "y" == new.get(New, "y").name
