"""``without``: a delete rule edits a document without its model, and exactly as its model would have done it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from hypothesis import example, given, settings, strategies as st
from pydantic import BaseModel

from emco_store import REMOVE, SET_DEFAULT, SET_NULL, Key, Ref, Resource, Rule, indexed, on_delete, unique
from emco_store.core.codec import draft, load
from emco_store.core.documents import MAX_BYTES, decode
from emco_store.core.edits import without
from emco_store.core.origins import NOBODY
from emco_store.core.records import Record


class Target(Resource):
    """What is referred to."""


DEFAULT = "Target/default"
Removed = Annotated[Ref[Target], on_delete(REMOVE)]
Nulled = Annotated[Ref[Target] | None, on_delete(SET_NULL)]


class Inner(BaseModel, extra="forbid"):
    """References in a nested model."""

    many: Annotated[list[Ref[Target]], on_delete(REMOVE)] = []
    one: Nulled = None
    text: str = ""


class Holder(Resource):
    """References in every place where a rule may change them."""

    one: Annotated[Ref[Target] | None, on_delete(SET_NULL), indexed()] = None
    sole: Annotated[Ref[Target] | None, on_delete(SET_NULL), unique()] = None
    fallback: Annotated[Ref[Target], on_delete(SET_DEFAULT), indexed()] = Ref(DEFAULT)
    many: Annotated[list[Ref[Target]], on_delete(REMOVE)] = []
    optional: Annotated[list[Ref[Target] | None], on_delete(SET_NULL)] = []
    nested: Annotated[list[list[Ref[Target]]], on_delete(REMOVE)] = []
    pool: Annotated[frozenset[Ref[Target]], on_delete(REMOVE)] = frozenset()
    some: Annotated[tuple[Ref[Target], ...], on_delete(REMOVE)] = ()
    by_key: Annotated[dict[Ref[Target], str], on_delete(REMOVE)] = {}
    by_value: Annotated[dict[str, Ref[Target]], on_delete(REMOVE)] = {}
    by_both: Annotated[dict[Ref[Target], Ref[Target]], on_delete(REMOVE)] = {}
    nulled_values: dict[str, Nulled] = {}
    lists_in_a_map: Annotated[dict[str, list[Ref[Target]]], on_delete(REMOVE)] = {}
    inner: Inner | None = None
    inners: list[Inner] = []
    kept: list[Ref[Target]] = []


NAMES = ("a", "b", "c", "d e", "f.g", "\u00e9", "default")
KEYS = {name: str(Key("Target", name)) for name in NAMES}
REFS = st.sampled_from(sorted(KEYS.values()))
LISTS = st.lists(REFS, max_size=5)
LABELS = st.sampled_from(["x", "y", "z", "0", "1"])
INNERS = st.fixed_dictionaries({"many": LISTS, "one": st.none() | REFS, "text": LABELS})
HOLDERS = st.fixed_dictionaries(
    {},
    optional={
        "one": st.none() | REFS,
        "sole": st.none() | REFS,
        "fallback": REFS,
        "many": LISTS,
        "optional": st.lists(st.none() | REFS, max_size=4),
        "nested": st.lists(LISTS, max_size=3),
        "pool": st.sets(REFS),
        "some": LISTS,
        "by_key": st.dictionaries(REFS, LABELS),
        "by_value": st.dictionaries(LABELS, REFS),
        "by_both": st.dictionaries(REFS, REFS),
        "nulled_values": st.dictionaries(LABELS, st.none() | REFS),
        "lists_in_a_map": st.dictionaries(LABELS, LISTS),
        "inner": INNERS,
        "inners": st.lists(INNERS, max_size=3),
        "kept": LISTS,
    },
)
GONE = st.sets(st.sampled_from(sorted(set(KEYS.values()) - {DEFAULT})), min_size=1)


def record_of(values: dict[str, Any]) -> Record:
    """Return the record of a holder."""
    return draft(Holder(name="h", **values), max_bytes=MAX_BYTES).record(uid="u", version=1, created_us=1, updated_us=1)


def naively(document: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    """Apply all rules to a document by hand, field by field."""

    def nulled(ref: str | None) -> str | None:
        return None if ref in gone else ref

    def left(refs: list[str]) -> list[str]:
        return [ref for ref in refs if ref not in gone]

    def inner(part: dict[str, Any]) -> dict[str, Any]:
        return {**part, "many": left(part["many"]), "one": nulled(part["one"])}

    rules: dict[str, Callable[[Any], Any]] = {
        "one": nulled,
        "sole": nulled,
        "fallback": lambda ref: DEFAULT if ref in gone else ref,
        "many": left,
        "optional": lambda refs: [nulled(ref) for ref in refs],
        "nested": lambda lists: [left(refs) for refs in lists],
        "pool": left,
        "some": left,
        "by_key": lambda entries: {ref: text for ref, text in entries.items() if ref not in gone},
        "by_value": lambda entries: {name: ref for name, ref in entries.items() if ref not in gone},
        "by_both": lambda entries: {key: ref for key, ref in entries.items() if not {key, ref} & gone},
        "nulled_values": lambda entries: {name: nulled(ref) for name, ref in entries.items()},
        "lists_in_a_map": lambda entries: {name: left(refs) for name, refs in entries.items()},
        "inner": lambda part: None if part is None else inner(part),
        "inners": lambda parts: [inner(part) for part in parts],
    }
    return {name: rules[name](value) if name in rules else value for name, value in document.items()}


def edited(record: Record, gone: set[str]) -> Record:
    """Apply ``without`` to all references to what goes."""
    lost = [edge for edge in record.edges if edge.target.text in gone and edge.rule is not Rule.RESTRICT]
    return without(record, lost, 2, NOBODY)


A, B, C = KEYS["a"], KEYS["b"], KEYS["c"]


@given(HOLDERS, GONE)
@settings(max_examples=400)
@example({"many": [A, B, A, C, A]}, {A})
@example({"nested": [[A, B], [B], [A, A, C]]}, {A, B})
@example({"by_both": {A: B, B: A, C: C}}, {A})
@example({"pool": {A, B, C}, "some": [A, B, A]}, {A, C})
@example({"lists_in_a_map": {"0": [A, B], "1": [B, A]}, "inners": [{"many": [A, B], "one": A, "text": ""}]}, {A})
def test_edit_of_a_document_is_what_its_model_would_have_made(values: dict[str, Any], gone: set[str]):
    """DEL-4, DEL-5, DEL-6: Nulls, defaults and removals, several at once, leave the rest exactly as it was."""
    record = record_of(values)

    found = edited(record, gone)

    assert naively(decode(record.document), gone) == decode(found.document)


@given(HOLDERS, GONE)
@settings(max_examples=400)
@example({"many": [A, B, C], "kept": [A, B]}, {A})
@example({"by_key": {KEYS["f.g"]: "", KEYS["d e"]: ""}}, {KEYS["f.g"]})
@example({"fallback": A, "one": A, "sole": A}, {A})
def test_edges_and_values_after_an_edit_are_those_of_the_edited_document(values: dict[str, Any], gone: set[str]):
    """DEL-4, DEL-5, DEL-6, ALL-2: What is looked up by is right without the model: edges, indexed and unique values."""
    found = edited(record_of(values), gone)

    again = draft(load(found, Holder), max_bytes=MAX_BYTES)

    assert again.edges == found.edges
    assert (again.index, again.unique) == (found.index, found.unique)
    assert decode(again.document) == decode(found.document)


@given(HOLDERS, GONE)
def test_edit_takes_out_everything_that_it_was_asked_to(values: dict[str, Any], gone: set[str]):
    """DEL-4, DEL-5, DEL-6: No reference to what goes is left, but for those whose rule blocks."""
    found = edited(record_of(values), gone)

    assert set() == {edge.place for edge in found.edges if edge.target.text in gone and edge.rule is not Rule.RESTRICT}
    assert (2, "u", 1, 2) == (found.version, found.uid, found.created_us, found.updated_us)


@given(
    HOLDERS,
    st.sampled_from(sorted(set(KEYS.values()) - {DEFAULT})),
    st.sampled_from(sorted(set(KEYS.values()) - {DEFAULT})),
)
def test_two_edits_are_one_edit_of_both(values: dict[str, Any], first: str, second: str):
    """DEL-7: It does not matter whether two targets go at once or one after the other."""
    record = record_of(values)

    one_by_one = edited(edited(record, {first}), {second})
    at_once = edited(record, {first, second})

    assert (at_once.document, at_once.edges) == (one_by_one.document, one_by_one.edges)
    assert (at_once.index, at_once.unique) == (one_by_one.index, one_by_one.unique)
