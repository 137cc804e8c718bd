"""Evolution: which versions of a model a document fits, and how an older one becomes current.

A document that the first version of its model cannot read begins with a stamp, ``"$model":[form, readable_by]``: the
newest step whose form it has, and the least version of the model that can read it. No field of a resource can have that
name. A document without a stamp has the form of the first version and can be read by all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from emco_store.core.documents import decode, encode
from emco_store.core.keys import Key
from emco_store.errors import InvalidResource, NewerModel

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""A function from a document of one version of a model to one of the next; it reads nothing else."""
Steps = Mapping[int, Step | None]
"""Steps by the versions to which they lead; None where older documents are not read any more."""
STAMP: Final = "$model"
"""The name under which a document says which versions it fits."""
BY_HAND: Final = (
    "create the resource under its new key, point its referrers there and delete the old one, all in one transaction."
)
"""How a key is changed, which no step can do."""
MAX_VERSION: Final = 10_000
"""The highest version that a model may have."""
_BEGIN: Final = b'{"$model":['
_STAMPED: Final = re.compile(rb'\{"\$model":\[([1-9]\d{0,4}),([1-9]\d{0,4})\],')
_QUOTED: Final = b'"$model"'


@dataclass(frozen=True, slots=True)
class Since:
    """The marker that :func:`since` puts into an annotation.

    Attributes:
        version: The version of the model in which the field came.
    """

    version: int


def since(version: int) -> Since:
    """State in which version of its model a field came.

    The field needs a default. While it has this default, it is left out of the document, so that programs with older
    versions of the model can still read that.

    Rules: MIG-1.
    """
    return Since(version)


class Form(NamedTuple):
    """What a document says of the versions that it fits."""

    form: int = 1
    readable_by: int = 1


FIRST: Final = Form()
"""What a document says that has no stamp."""


@dataclass(frozen=True, slots=True)
class Evolution:
    """The versions of one model.

    Attributes:
        version: The version of the model.
        steps: For each version that changed documents, what makes one of it out of one of the version
            before; None where nothing does any more.
        form: The newest version with a step; 1 if there is none.
        readable_by: The least version that can read what the model writes while no ``since()`` field is used.
        key_fields: The fields that no step may change.
        is_open: Whether the model accepts fields that it does not declare.
        is_view: Whether it is a view, which newer fields do not concern.
    """

    version: int = 1
    steps: Steps = field(default_factory=dict[int, Step | None])
    form: int = 1
    readable_by: int = 1
    key_fields: tuple[str, ...] = ()
    is_open: bool = False
    is_view: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether documents are read and written as if models had no versions."""
        return self.version == 1

    def stamped(self, document: bytes, used: int) -> bytes:
        """Return a document with its stamp, if it needs one.

        Args:
            document: The document, as the model writes it.
            used: The newest version of the ``since()`` fields that it holds; 1 if it holds none.

        Rules: MIG-1.
        """
        form = Form(self.form, max(self.readable_by, used))
        return _stamped(document, form)

    def current(self, document: bytes, key: Key) -> bytes:
        """Return a stored document as the model reads it: without its stamp, and in the newest form.

        Raises:
            NewerModel: Only newer versions of the model can read it.
            InvalidResource: A step cannot make it current.
            ValueError: It is not JSON.

        Rules: MIG-2, MIG-3.
        """
        if self.form == 1 and not self.is_open and not document.startswith(_BEGIN):
            return document
        found, rest = split(document)
        self.check(found, key)
        return rest if found.form >= self.form else self._upgraded(rest, key, found.form)

    def check(self, found: Form, key: Key) -> None:
        """Refuse a document that only newer versions of the model can read.

        Raises:
            NewerModel: It is one.

        Rules: MIG-3.
        """
        needed = min(found) if self.is_view else found.readable_by
        if needed > self.version:
            raise newer_model(key, needed, self.version)

    def check_replaced(self, document: bytes, key: Key) -> None:
        """Refuse to write over a document that only newer versions of the model can read.

        Raises:
            NewerModel: It is one.

        Rules: MIG-3.
        """
        with suppress(ValueError):  # what nobody can read may be replaced
            self.check(split(document)[0], key)

    def is_outdated(self, document: bytes) -> bool:
        """Return whether a stored document has an older form than the model writes."""
        if self.form > 1:
            with suppress(ValueError):
                return split(document)[0].form < self.form
        return False

    def _upgraded(self, document: bytes, key: Key, form: int) -> bytes:
        value: Any = decode(document)
        if not isinstance(value, dict):
            return document  # the model says what is wrong with it
        made = cast("dict[str, Any]", value)
        own = [made.get(name) for name in self.key_fields]
        for version, step in self.steps.items():
            if version > form:
                made = _made_by(step, version, made, key)
        try:
            text = encode(made)
        except ValueError as problem:
            raise _failed(key, f"the steps to version {self.form} made what has no JSON form: {problem}") from problem
        changed = [name for name, old in zip(self.key_fields, own, strict=True) if made.get(name) != old]
        if changed:
            reason = f"the steps to version {self.form} change {', '.join(changed)}, and a key never changes"
            raise _failed(key, reason, hint=BY_HAND)
        return text


PLAIN: Final = Evolution()
"""The versions of a model that has one."""


def evolution(
    version: int,
    steps: Steps,
    readable_by: int | None,
    key_fields: tuple[str, ...],
    *,
    extra: str | None,
    is_view: bool,
) -> Evolution:
    """Return the versions of a model from the class arguments, which are known to be right."""
    form = max(steps, default=1)
    ordered = {number: steps[number] for number in sorted(steps)}
    return Evolution(version, ordered, form, readable_by or form, key_fields, extra != "forbid", is_view)


def evolution_problems(version: Any, steps: Any, readable_by: Any) -> Sequence[str]:
    """List what is wrong with the class arguments for the versions of a model."""
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        return [f"model_version={version!r:.40} is not a whole number from 1 to {MAX_VERSION:,}"]
    if not isinstance(steps, Mapping):
        return [f"steps={steps!r:.80} does not map versions to functions"]
    found: Any = steps  # pyright: ignore[reportUnknownVariableType]  # of any types
    problems = [
        f"steps= has {number!r:.40}, and steps lead to the versions 2 to model_version={version}"
        for number in found
        if type(number) is not int or not 2 <= number <= version  # noqa: PLR2004 - the first version to which one leads
    ]
    functions = [number for number, step in found.items() if not (step is None or callable(step))]
    problems += [f"the step to version {number} is not a function" for number in functions]
    if readable_by is not None and not problems:
        form = max(found, default=1)
        if type(readable_by) is not int or not 1 <= readable_by <= form:
            problems.append(
                f"readable_by={readable_by!r:.40} is not a version from 1 to {form}, that of the newest step"
            )
    return problems


def in_order(document: bytes) -> bytes:
    """Return a document that begins with its stamp; the same object if it does, has none, or cannot be read.

    Every program writes the stamp first; a document that was edited by hand may have it elsewhere.
    """
    if document.startswith(_BEGIN):
        return document
    try:
        form, rest = split(document)
    except ValueError:
        return document
    return _stamped(rest, form)


def _stamped(document: bytes, form: Form) -> bytes:
    return document if form == FIRST else b'{"$model":[%d,%d],%b' % (*form, document[1:])


def split(document: bytes) -> tuple[Form, bytes]:
    """Return what a document says of the versions that it fits, and the document without that.

    Raises:
        ValueError: It is not JSON, or its stamp is not one.
    """
    found = _STAMPED.match(document)
    if found is not None:
        return Form(int(found[1]), int(found[2])), b"{" + document[found.end() :]
    if _QUOTED not in document:
        return FIRST, document
    value: Any = decode(document)
    if not isinstance(value, dict) or STAMP not in value:
        return FIRST, document
    rest = cast("dict[str, Any]", value)
    said = rest.pop(STAMP)
    match said:
        case [form, readable_by] if type(form) is type(readable_by) is int and form > 0 < readable_by:
            return Form(form, readable_by), encode(rest)
        case _:
            message = f"{STAMP}: {said!r:.80} says no versions of a model"
            raise ValueError(message)


def without_stamp(document: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a document without its stamp."""
    return {name: value for name, value in document.items() if name != STAMP} if STAMP in document else document


def newer_model(key: Key, needed: int, version: int) -> NewerModel:
    """Build the error for a document that only newer versions of its model can read."""
    reason = f"it takes version {needed} of the model, and this program has version {version}"
    return NewerModel(
        f"Cannot use {key}: a newer program wrote it.",
        why=[reason],
        hint="use a program with that version of the model; any program can delete it.",
        key=key,
        problems=(reason,),
        stored=True,
        needed=needed,
        model_version=version,
    )


def _made_by(step: Step | None, version: int, document: dict[str, Any], key: Key) -> dict[str, Any]:
    if step is None:
        reason = f"it is of a version before {version}, and the step that made such documents current was taken out"
        raise _failed(key, reason, hint="migrate it with a release that has the step, replace it, or delete it.")
    try:
        made: Any = step(document)
    except Exception as problem:
        raise _failed(key, f"the step to version {version} failed: {type(problem).__name__}: {problem}") from problem
    if not isinstance(made, dict):
        raise _failed(key, f"the step to version {version} returned {type(made).__name__}, and not the document")
    return cast("dict[str, Any]", made)


def _failed(
    key: Key, problem: str, hint: str = "correct the step, put() a correct resource in its place, or delete it."
) -> InvalidResource:
    return InvalidResource(
        f"Cannot read {key}: its stored document cannot be made current.",
        why=[problem],
        hint=hint,
        key=key,
        problems=(problem,),
        stored=True,
    )
