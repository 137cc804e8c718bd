"""The rules a second time, on plain dictionaries and as simple as possible, for the state machine to compare with.

This shares no code with the core and is not fast. A resource is a dictionary of its fields; a reference is the text of
a key.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

Fields = dict[str, Any]
Program = list[tuple[Any, ...]]

RULES = {"hard": "RESTRICT", "guard": "PROTECT", "soft": "CASCADE", "weak": "SET_NULL"}
"""The single references of a node, with their rules."""


class Refused(Exception):
    """The operation is not allowed; ``why`` is the class of the error."""

    def __init__(self, *why: str) -> None:
        super().__init__(*why)
        self.why = set(why)


class Naive:
    """The state: the fields and the version of each key."""

    def __init__(self) -> None:
        self.fields: dict[str, Fields] = {}
        self.versions: dict[str, int] = {}

    def refusal_of(self, program: Program) -> Refused | None:
        """Take all steps or none; return the reason if a step, or the state at the end, is not allowed."""
        attempt = _Attempt(copy.deepcopy(self.fields), dict(self.versions))
        try:
            for name, *arguments in program:
                getattr(attempt, name)(*arguments)
            attempt.finish()
        except Refused as refusal:
            return refusal
        self.fields, self.versions = attempt.fields, attempt.versions
        return None

    def referrers(self, key: str) -> list[str]:
        """Return the referrers of a resource, including its children."""
        return sorted(
            text for text, fields in self.fields.items() if key in {target for target, _ in edges(text, fields)}
        )

    def children(self, key: str) -> list[str]:
        """Return the children of a resource."""
        return sorted(text for text, fields in self.fields.items() if fields.get("parent") == key)


def edges(key: str, fields: Fields) -> Iterator[tuple[str, str]]:
    """Yield the references of a resource, as pairs of target and rule."""
    kind, _, _ = key.partition("/")
    if "parent" in fields:
        yield fields["parent"], {"Leaf": "CASCADE", "Twig": "RESTRICT"}[kind]
    for name, applied in RULES.items():
        if fields.get(name) is not None:
            yield fields[name], applied
    if kind == "Hook":
        yield fields["to"], "SET_DEFAULT"
        for target in [*fields["listed"], *fields["chosen"], *fields["by_node"], *chain(*fields["grid"])]:
            yield target, "REMOVE"


class _Attempt:
    def __init__(self, fields: dict[str, Fields], versions: dict[str, int]) -> None:
        self.fields = fields
        self.versions = versions
        self.before = copy.deepcopy(fields)
        self.gone: dict[str, tuple[bool, Fields]] = {}
        self.defaulted: set[str] = set()
        """Those to which a rule has given their default, and that no later step has written."""

    def create(self, key: str, fields: Fields) -> None:
        if key in self.fields:
            raise Refused("AlreadyExists")
        self.fields[key] = copy.deepcopy(fields)
        self.versions[key] = 1
        self.defaulted.discard(key)

    def update(self, key: str, fields: Fields) -> None:
        if key not in self.fields:
            raise Refused("NotFound")
        self.fields[key] = copy.deepcopy(fields)
        self.versions[key] += 1
        self.defaulted.discard(key)

    def put(self, key: str, fields: Fields) -> None:
        if key not in self.fields:
            self.create(key, fields)
        elif self.fields[key] != fields:
            self.update(key, fields)

    def delete(self, *keys: str) -> None:
        if any(key not in self.fields for key in keys):
            raise Refused("NotFound")
        going = set(keys)
        while True:
            more = {
                key
                for key, fields in self.fields.items()
                if key not in going
                and any(target in going and applied == "CASCADE" for target, applied in edges(key, fields))
            }
            if not more:
                break
            going |= more
        for key in going:
            self.gone[key] = (key in keys or self.gone.get(key, (False,))[0], self.fields.pop(key))
            del self.versions[key]
        for key, fields in self.fields.items():
            before = copy.deepcopy(fields)
            _let_go(
                fields,
                lambda target: target in going,
                is_gone=lambda target: target in self.gone and target not in self.fields,
            )
            if fields != before:
                self.versions[key] += 1
            if fields.get("to") != before.get("to"):
                self.defaulted.add(key)

    def finish(self) -> None:
        """Check the end: references resolve, protected referrers were named, unique values are unique."""
        lost = {key for key in self.gone if key not in self.fields}
        for key, (is_named, fields) in self.gone.items():
            is_taken = not is_named and key not in self.fields
            if is_taken and any(target in lost and applied == "PROTECT" for target, applied in edges(key, fields)):
                raise Refused("DeleteRestricted")
        dangling = [
            (key, target, applied)
            for key, fields in self.fields.items()
            for target, applied in edges(key, fields)
            if target not in self.fields
        ]
        if any(target in lost for _, target, _ in dangling):
            raise Refused("DeleteRestricted", "MissingReference")
        if dangling and all(applied == "SET_DEFAULT" and key in self.defaulted for key, _, applied in dangling):
            raise Refused("DeleteRestricted")
        if dangling:
            raise Refused("MissingReference")
        codes = [fields["code"] for fields in self.fields.values() if fields.get("code") is not None]
        if len(codes) != len(set(codes)):
            raise Refused("UniqueViolation")


def _let_go(fields: Fields, is_going: Callable[[str], bool], *, is_gone: Callable[[str], bool]) -> None:
    """Apply SET_NULL, SET_DEFAULT and REMOVE to one resource; if the default is deleted, the reference stays."""
    if fields.get("weak") is not None and is_going(fields["weak"]):
        fields["weak"] = None
    if "to" in fields and is_going(fields["to"]) and not is_gone("Node/main"):
        fields["to"] = "Node/main"
    for name in ("listed", "chosen"):
        if name in fields:
            fields[name] = [target for target in fields[name] if not is_going(target)]
    if "grid" in fields:
        fields["grid"] = [[target for target in row if not is_going(target)] for row in fields["grid"]]
    if "by_node" in fields:
        fields["by_node"] = {target: text for target, text in fields["by_node"].items() if not is_going(target)}
