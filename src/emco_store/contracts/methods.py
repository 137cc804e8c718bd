"""Which methods of a port a rule is about, as their docstrings say, so that a failure names where to look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from emco_store.ports import PortBase

_SPAN = re.compile(r"([A-Z]+)-(\d+)(?: to [A-Z]+-(\d+))?")


@cache
def _rules_of_methods() -> Mapping[str, frozenset[str]]:
    """Return the rules that the docstring of each method names."""
    found: dict[str, frozenset[str]] = {}
    for name, method in vars(PortBase).items():
        _, _, rules = (getattr(method, "__doc__", None) or "").rpartition("Rules: ")
        spans = _SPAN.findall(rules)
        found[name] = frozenset(
            f"{family}-{number}"
            for family, first, last in spans
            for number in range(int(first), int(last or first) + 1)
        )
    return {name: rules for name, rules in found.items() if rules}


def methods_for(rules: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the methods that rules are about; none for rules that the core keeps alone."""
    wanted = frozenset(rules)
    return tuple([name for name, named in _rules_of_methods().items() if not named.isdisjoint(wanted)])


def hint_for(rules: Iterable[str]) -> str:
    """Return where to look if a test of these rules fails."""
    methods = methods_for(rules)
    if not methods:
        return "no method of a port is named for it: look at the requests before the failure"
    return "look at " + ", ".join(f"PortBase.{name}" for name in methods)
