"""Keys: what one key says, no other key says, and its text says all of it."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, strategies as st

from emco_store import InvalidResource, Key
from emco_store.core.keys import encode_segment, key_prefix, name_problem

NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name_problem(name) is None)
TRICKY = st.text(alphabet="aA.-_~*+ %25/\u00e9\u6771", min_size=1, max_size=6).filter(
    lambda name: name_problem(name) is None
)
SEGMENTS = st.lists(NAMES | TRICKY, min_size=1, max_size=4).map(tuple)
KINDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(KINDS, SEGMENTS)
def test_text_of_a_key_is_read_back_as_the_same_key(kind: str, segments: tuple[str, ...]):
    """ID-2: ``Key.parse(str(key))`` is the key, whatever names it holds."""
    key = Key(kind, *segments)

    read = Key.parse(str(key))

    assert (kind, segments, key) == (read.kind, read.segments, read)


@given(KINDS, SEGMENTS, KINDS, SEGMENTS)
def test_two_keys_never_share_a_text(kind: str, segments: tuple[str, ...], kind2: str, segments2: tuple[str, ...]):
    """ID-2: Different kinds or names give different texts, hashes of equal keys are equal."""
    left, right = Key(kind, *segments), Key(kind2, *segments2)

    assert ((kind, segments) == (kind2, segments2)) is (str(left) == str(right))
    assert (left == right) is (str(left) == str(right))
    assert left != right or hash(left) == hash(right)


@given(TRICKY | NAMES)
def test_encoded_name_holds_no_separator_and_nothing_that_a_server_reads(name: str):
    """BAD-1: The text of a name is letters, digits, ``. _ -`` and percent signs only."""
    assert set(encode_segment(name)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%")


@given(SEGMENTS, SEGMENTS)
def test_prefix_of_an_owner_is_met_by_what_lies_under_it_alone(owner: tuple[str, ...], other: tuple[str, ...]):
    """ID-9: A text begins with an owner's prefix exactly when its names begin with the owner's names."""
    lies_under = len(other) > len(owner) and other[: len(owner)] == owner

    assert lies_under is str(Key("App", *other)).startswith(key_prefix("App", owner))
    assert str(Key("App", *owner, "x")).startswith(key_prefix("App", owner))


@given(st.lists(SEGMENTS, max_size=8))
def test_order_of_keys_is_the_order_of_their_texts(many: list[tuple[str, ...]]):
    """ID-7: Keys sort as their texts do, wherever they come from, so every backend lists them alike."""
    keys = [Key("App", *segments) for segments in many]

    assert sorted({str(key) for key in keys}) == [str(key) for key in sorted(set(keys))]
    assert sorted(str(key).encode() for key in keys) == [str(key).encode() for key in sorted(keys)]


@given(SEGMENTS)
def test_key_travels_between_processes(segments: tuple[str, ...]):
    """ID-12: A key is a value: a pickled or copied one is the same."""
    key = Key("App", *segments)

    assert key == pickle.loads(pickle.dumps(key)) == copy.deepcopy(key)  # noqa: S301 - pickled on this line
    with pytest.raises(AttributeError):
        key.kind = "Other"


@given(st.text(max_size=20))
def test_any_text_is_either_a_key_or_refused(text: str):
    """BAD-1: What ``Key.parse`` accepts is exactly what it would write; all else is one error."""
    try:
        key = Key.parse(text)
    except InvalidResource as refused:
        assert refused.problems  # noqa: PT017 - both ends are right, and hypothesis chooses
    else:
        assert text == str(key)


@given(st.text(max_size=12))
def test_any_name_is_either_kept_as_it_is_or_refused(name: str):
    """BAD-1: A name is never changed to make it fit."""
    if name_problem(name) is None:
        assert name == Key.parse(str(Key("App", name))).name
    else:
        with pytest.raises(InvalidResource):
            Key("App", name)
