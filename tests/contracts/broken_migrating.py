# ruff: noqa: ARG001 - they have the parameters of what they take the place of
"""Programs that break what is promised of several versions of one model."""

from __future__ import annotations

from typing import Any

from emco_store.core.documents import decode, encode
from emco_store.core.evolution import Evolution, Form, _made_by, _stamped
from emco_store.core.keys import Key
from emco_store.core.storage import _WITHOUT_PARENT


def write_all_fields(self: Any, resource: Any) -> set[str]:
    """Write fields that nobody uses."""
    return _WITHOUT_PARENT


def use_nothing(self: Any, resource: Any) -> int:
    """Forget that a document holds what came later."""
    return 1


def stamp_the_version(self: Evolution, document: bytes, used: int) -> bytes:
    """Demand the version of whoever wrote a document, whatever it holds."""
    return _stamped(document, Form(self.form, self.version))


def take_the_newest_step(self: Evolution, document: bytes, key: Key, form: int) -> bytes:
    """Leave out the steps between."""
    return encode(_made_by(self.steps[self.form], self.form, decode(document), key))


def take_every_step(self: Evolution, document: bytes, key: Key, form: int) -> bytes:
    """Take steps again that a document has taken."""
    made = decode(document)
    for version, step in self.steps.items():
        made = _made_by(step, version, made, key)
    return encode(made)


def accept(self: Evolution, found: Any, key: Key) -> None:
    """Take everything for readable, or for replaceable."""
