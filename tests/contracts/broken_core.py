"""Parts of the core that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from emco_store import errors
from emco_store.core import codec, readback
from emco_store.core.meta import Lineage
from emco_store.core.readback import ReadBack
from emco_store.core.resource import Resource


@dataclass(frozen=True)
class Broken:
    """One broken part.

    Attributes:
        module: Where it stands.
        name: Its name there.
        part: What stands there instead.
        rule: The rule that must catch it.
    """

    module: Any
    name: str
    part: Callable[..., Any]
    rule: str


def trust_what_was_read(resource: Resource, lineage: Lineage) -> ReadBack:
    """Take what was read back for what was given."""
    storage = type(resource).__emco__.storage
    read = storage.read(storage.text(resource), lineage)
    return ReadBack(read, storage.text(read), [])


def compare_as_python_does(left: Any, right: Any) -> bool:
    """Call two datetimes of one moment different while clocks are changed."""
    return bool(left == right)


def show_all(reasons: Sequence[str]) -> Sequence[str]:
    """Show every reason, so that the text of an error has megabytes."""
    return reasons


BROKEN_CORE = {
    "ReadBackThatTrustsItself": Broken(codec, "read_back", trust_what_was_read, "ID-15"),
    "ShowsEveryReason": Broken(errors, "shown", show_all, "BAD-10"),
    "ComparesAsPythonDoes": Broken(readback, "is_alike", compare_as_python_does, "ID-13"),
}
