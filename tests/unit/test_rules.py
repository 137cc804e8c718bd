"""Delete rules are values: texts that are stored, compared, copied and pickled as their names."""

from __future__ import annotations

import copy
import pickle

import pytest
from pydantic_core import to_json

import emco_store
from emco_store import CASCADE, PROTECT, REMOVE, RESTRICT, SET_DEFAULT, SET_NULL, Rule


def test_rules_are_the_public_constants():
    """Each rule is one object, which its name, ``Rule`` and the package all lead to."""
    assert [RESTRICT, PROTECT, CASCADE, SET_NULL, SET_DEFAULT, REMOVE] == list(Rule)
    for rule in Rule:
        assert rule is Rule(str(rule)) is getattr(Rule, rule) is getattr(emco_store, rule)


def test_rule_survives_copying_and_pickling():
    """A copy of a rule is the rule."""
    for rule in Rule:
        assert rule is copy.copy(rule)
        assert rule is copy.deepcopy(rule)
        assert rule is pickle.loads(pickle.dumps(rule))  # noqa: S301 - what was pickled here


def test_rule_is_its_name():
    """A rule prints, compares, hashes and is written as its name."""
    assert "CASCADE" == CASCADE == f"{CASCADE}"
    assert {"CASCADE": 1} == {CASCADE: 1}
    assert b'["CASCADE"]' == to_json([CASCADE])
    assert "<Rule.CASCADE: 'CASCADE'>" == repr(CASCADE)


def test_rule_cannot_be_changed():
    """Nobody makes a rule another one."""
    for name in ("cascades", "extra"):
        with pytest.raises(AttributeError):
            setattr(RESTRICT, name, True)


def test_unknown_rule_is_refused():
    """What is no rule's name is refused."""
    for name in ("cascade", "", "EXPLODE", None, 5, []):
        with pytest.raises(ValueError, match="not a delete rule"):
            Rule(name)
