"""References as values: with a key, without one, and their names."""

from __future__ import annotations

import copy
import pickle

import pytest

from emco_store import InvalidCall, Key, Ref
from emco_store.core.refs import key_of

KEY = Key("App", "p1", "a b")


def _sent(ref: Ref) -> Ref:
    return pickle.loads(pickle.dumps(ref))  # noqa: S301 - what it has written itself


@pytest.mark.parametrize("ref", [Ref(KEY), Ref(Ref(KEY)), _sent(Ref(KEY)), copy.deepcopy(Ref(KEY))])
def test_reference_with_a_key_says_its_name(ref):
    """The key is there, and its last name is that of the reference, as it was given."""
    assert (True, KEY, "a b", KEY.text) == (ref.has_key, ref.key, ref.name, ref.text)


@pytest.mark.parametrize("text", ["p1/a%20b", "a%20b"])
@pytest.mark.parametrize("made", [Ref, lambda text: Ref(Ref(text)), lambda text: _sent(Ref(text))])
def test_short_reference_has_no_key_and_says_so(text, made):
    """Its key raises InvalidCall instead of being None, and its name is the last part of the text."""
    ref = made(text)

    assert (False, None, "a b", text) == (ref.has_key, key_of(ref), ref.name, ref.text)
    with pytest.raises(InvalidCall):
        _ = ref.key
    with pytest.raises(AttributeError):
        _ = ref.kay
