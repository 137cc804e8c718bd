"""Values that are made on every call behave as frozen dataclasses do, but for the price."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, fields, replace

import pytest

from emco_store import Key
from emco_store.core.meta import Meta
from emco_store.core.records import Record
from emco_store.core.values import value


@value(frozen=True, slots=True)
class Quick:
    """A value."""

    name: str
    size: int = 1


@dataclass(frozen=True, slots=True)
class Frozen:
    """The same as a frozen dataclass."""

    name: str
    size: int = 1


def test_quick_value_compares_hashes_and_shows_as_a_frozen_one():
    """Equality, hash, fields and repr are those of a frozen dataclass."""
    quick, frozen = Quick("a", size=2), Frozen("a", size=2)

    assert Quick("a", 2) == quick != Quick("a", 3)
    assert hash(frozen) == hash(quick)
    assert repr(frozen).replace("Frozen", "Quick") == repr(quick)
    assert [field.name for field in fields(frozen)] == [field.name for field in fields(quick)]


def test_record_can_be_replaced_and_pickled():
    """What backends and tests do with records works."""
    record = Record(Key("Box", "a"), "u", 1, b"{}", (), (), (), 1, 1)

    assert 2 == replace(record, version=2).version
    assert record == pickle.loads(pickle.dumps(record))  # noqa: S301 - our own bytes
    assert 1 == len({record, replace(record)})


def test_meta_cannot_be_changed_and_hides_what_is_long():
    """A caller sees uid, version and times, and changes nothing."""
    meta = Meta("u", 1, 2, 3, Key("Box", "a"), ())

    assert "Meta(uid='u', version=1, created_us=2, updated_us=3)" == repr(meta)
    with pytest.raises(AttributeError):
        meta.version = 2  # type: ignore[misc]  # what a type checker refuses too
