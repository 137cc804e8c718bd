"""The quick look at a document before the long one."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, strategies as st

from emco_store.core.documents import encode, is_plain, problems_in

TEXTS = st.text(st.sampled_from('ab.$\\"\0:,{}[] 0N'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 65), 1 << 65) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_is_plain_has_no_problems(document):
    """The quick look never passes what the long one refuses (BAD-2 to BAD-5)."""
    assert not (is_plain(encode(document)) and problems_in(document))


@pytest.mark.parametrize("depth", [63, 64, 65, 100])
def test_what_is_nested_too_deep_is_not_plain(depth):
    """Levels are counted by the brackets that open them (BAD-3)."""
    document: dict[str, object] = {}
    for _ in range(depth - 1):
        document = {"a": document}

    assert bool(problems_in(document)) == (depth > 64)
    assert is_plain(encode(document)) == (depth <= 64)


def test_ordinary_documents_are_plain():
    """Dots in values, numbers of nearly any size and other scripts need no second look."""
    assert is_plain(
        encode({"image": "registry/app:1.2.3", "share": 0.75, "count": 10**17, "title": "Größe", "tags": ["a.b"]})
    )


@pytest.mark.parametrize("text", ["." * 1_000_000, '".' * 300_000, "a.b" * 300_000])
def test_look_takes_time_in_proportion_to_the_document(text):
    """However many dots there are, nobody waits; a minute is a thousand times what it takes."""
    begun_s = process_time()

    is_plain(encode({"text": text, "list": [text[:10]] * 1000}))

    assert process_time() - begun_s < 60
