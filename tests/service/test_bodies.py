"""Resources as bodies, and the OpenAPI that FastAPI writes of them."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError

from emco_store import InvalidCall, Key, MemoryBackend, Ref, Resource, connect, unique
from emco_store.core.keys import name_problem
from emco_store.fastapi import Changes, Listed, Representation


class Shelf(Resource):
    """Holds books."""


class Author(Resource, kind="Writer"):
    """Writes books."""


class Book(Resource, parent=Shelf, key=("name", "edition")):
    """Stands on a shelf."""

    edition: str
    title: Annotated[str, unique()]
    author: Ref[Author] | None = None
    sequel: Ref[Book | Author] | None = None


@pytest.fixture(scope="module")
def openapi():
    """The OpenAPI of a service of books."""
    app = FastAPI()

    @app.put("/books")
    async def put(book: Representation[Book]) -> Representation[Book]:
        return book

    @app.post("/shelves")
    async def post(shelf: Representation[Shelf]) -> Key:
        return shelf.key

    @app.patch("/books")
    async def patch(changes: Changes[Book]) -> None: ...

    @app.get("/books")
    async def read() -> Listed[Book]: ...  # type: ignore[empty-body]  # only its type is asked for

    @app.get("/keys/{key:path}")
    async def find(key: Key) -> Key:
        return key

    return app.openapi()


def schema_of(openapi, name):
    """Return a schema of the components."""
    return openapi["components"]["schemas"][name]


def test_child_has_its_parent(openapi):
    """The parent of a child is required, as the key of its kind; a root has none."""
    child, root = schema_of(openapi, "BookRepresentation-Input"), schema_of(openapi, "ShelfRepresentation")

    assert {"name", "edition", "title", "parent"} == set(child["required"])
    assert ("string", "^Shelf/[A-Za-z0-9._%-]+$") == (
        child["properties"]["parent"]["type"],
        child["properties"]["parent"]["pattern"],
    )
    assert ["name"] == root["required"]
    assert "null" == root["properties"]["parent"]["type"]


def test_reference_names_the_kinds_of_its_target(openapi):
    """A reference is text, and its description says of what kind the target is."""
    fields = schema_of(openapi, "BookRepresentation-Input")["properties"]

    for name, kinds in (("author", "the kind Writer;"), ("sequel", "the kind Book or Writer;")):
        text, null = fields[name]["anyOf"]
        assert ("string", "null") == (text["type"], null["type"])
        assert kinds in text["description"]


def test_meta_is_in_answers_and_read_only(openapi):
    """An answer has a meta; a request need not."""
    answer, request = (schema_of(openapi, f"BookRepresentation-{way}") for way in ("Output", "Input"))

    assert "meta" in answer["required"]
    assert "meta" not in request["required"]
    assert request["properties"]["meta"]["readOnly"]


def test_changes_have_no_field_of_the_key(openapi):
    """A PATCH changes no name, and no field of it is required."""
    changes = schema_of(openapi, "BookChanges")

    assert {"title", "author", "sequel"} == set(changes["properties"])
    assert "required" not in changes


def test_key_is_text(openapi):
    """A key in a path or a body is text with a pattern."""
    (parameter,) = openapi["paths"]["/keys/{key}"]["get"]["parameters"]

    assert "string" == parameter["schema"]["type"]
    assert TypeAdapter(Key).validate_python("Shelf/s") == Key("Shelf", "s")
    assert b'"Shelf/s%20t"' == TypeAdapter(Key).dump_json(Key("Shelf", "s t"))
    with pytest.raises(ValidationError, match="may not be empty"):
        TypeAdapter(Key).validate_python("Shelf/")


def test_answer_round_trips():
    """A client may send back what it has read."""
    adapter = TypeAdapter(Representation[Book])
    with connect(MemoryBackend(), namespace="n") as store:
        store.create(Shelf(name="s"))
        book = store.create(Book(parent="Shelf/s", name="b", edition="1", title="t"))

    data = adapter.dump_python(book, mode="json")

    assert ("Book/s/b/1", book.meta.etag, 1) == tuple(data["meta"][name] for name in ("key", "etag", "version"))
    assert book.model_dump() == adapter.validate_python(data).model_dump()


def test_resource_that_was_never_stored_is_no_answer():
    """There is no meta to show."""
    with pytest.raises(Exception, match="never stored") as caught:
        TypeAdapter(Representation[Shelf]).dump_python(Shelf(name="s"))
    assert isinstance(caught.value, InvalidCall) or "InvalidCall" in str(caught.value)


def test_changes_are_what_was_given():
    """Fields that a request leaves out are not changed to their defaults."""
    changes = TypeAdapter(Changes[Book]).validate_python({"title": "u", "author": None})

    assert {"title": "u", "author": None} == changes
    with pytest.raises(ValidationError):
        TypeAdapter(Changes[Book]).validate_python({"name": "x"})


def test_page_names_what_cannot_be_read():
    """A document that cannot be read does not end the page, and is not hidden."""
    backend = MemoryBackend()
    with connect(backend, namespace="n") as store:
        store.create(Shelf(name="a"))

    class Older(Resource, kind="Shelf"):
        colour: str = "red"

    with connect(backend, namespace="n") as older:
        older.create(Older(name="b"))
    with connect(backend, namespace="n") as store:
        body = Listed[Shelf].of(store.list(Shelf)).model_dump(mode="json")

    assert (["a"], ["Shelf/b"], None) == ([one["name"] for one in body["items"]], body["unreadable"], body["next"])


@pytest.mark.parametrize("name", ["a", "a b", "é", "~", "a:b", "日本", "x" * 253])
def test_pattern_of_names_refuses_no_name(name):
    """The schema of a name is not stricter than the store."""
    import re  # noqa: PLC0415 - only here

    pattern = Shelf.model_json_schema()["properties"]["name"]["pattern"]

    assert name_problem(name) is None
    assert re.search(pattern, name)
    assert not re.search(pattern, "a/b")
    assert re.search(Book.model_json_schema()["properties"]["parent"]["pattern"], str(Shelf(name=name).key))
