"""Frozen fields: a write that changes one is refused at the commit, whatever the classes of this program say.

Where a class of the resource freezes fields, the lifecycle record is read first. Elsewhere the commit rests on the
absence of a freeze, which takes no request; only if there is one is the lifecycle record read, and the commit repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing, freeze_key, read_standing, standing_key
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved
from emco_store.errors import AlreadyExists, StateForbids
from emco_store.flows.asking import Flow
from emco_store.flows.view import View


class Freezing:
    """What a transaction writes to resources that may be frozen, with the state in which it does so."""

    def __init__(self) -> None:
        self._writes: dict[Key, list[tuple[Record, Record | None]]] = {}
        self._unasked: dict[Key, Key] = {}

    def note(self, view: View, written: Record) -> None:
        """Take note of a write, and of the lifecycle record that the transaction itself has written before it."""
        own = view.puts.get(standing_key(written.key))
        self._writes.setdefault(written.key, []).append((written, own))

    def check(self, view: View, *, is_plan: bool = False) -> Flow[None]:
        """Refuse what changes frozen fields, edits by delete rules included.

        Takes one request, and only if something is written whose class freezes fields. The commit then rests on the
        lifecycle record or its absence. What else is written rests on the absence of a freeze; see :meth:`meets`.

        Args:
            view: The transaction.
            is_plan: Read the lifecycle records of all that may be frozen, because nothing is committed now.

        Raises:
            StateForbids: A frozen field would change.
            InvalidResource: A lifecycle record cannot be read.

        Rules: LIF-7.
        """
        written = [key for key, record in view.puts.items() if record.version > 1 and _may_freeze(view, key)]
        asked = {key: None for key in written if is_plan or _freezes(view, key) or standing_key(key) in view.base}
        self._unasked = {freeze_key(key): key for key in written if key not in asked}
        for freeze in self._unasked:
            view.expect[freeze] = None
        stored = [key for key in asked if view.expect.get(key) is not None]
        yield from view.load([one for key in stored for one in (key, standing_key(key))])
        for key in asked:
            self._check(view, key)

    def meets(self, problem: AlreadyExists) -> bool:
        """Return whether a commit was refused because there is a freeze on whose absence it rested."""
        return problem.key in self._unasked

    def ask(self, view: View) -> Flow[None]:
        """Read the lifecycle records of what rested on the absence of a freeze, for another :meth:`check`."""
        for freeze in self._unasked:
            del view.expect[freeze]
        yield from view.load([one for key in self._unasked.values() for one in (key, standing_key(key))])

    def _check(self, view: View, key: Key) -> None:
        own = standing_key(key)
        steps = [*self._writes.get(key, ())]
        if not steps or steps[-1][0] is not view.puts[key]:
            steps.append((view.puts[key], view.puts.get(own)))
        before = view.base.get(key)
        for after, begun in steps:
            record = begun or view.base.get(own)
            if after.version > 1 and before is not None and record is not None:
                standing = read_standing(record)
                changed = tuple(path for path in standing.frozen if _differs(view, before, after, path.split(".")))
                if changed:
                    raise _forbidden(key, standing, changed)
            before = after


def _may_freeze(view: View, key: Key) -> bool:
    """Return whether a resource can have a lifecycle record, as far as is known here."""
    model = view.context.schema.model_of(key.kind)
    return not is_reserved(key.kind) if model is None else model.__emco__.lifecycle is not None


def _freezes(view: View, key: Key) -> bool:
    model = view.context.schema.model_of(key.kind)
    return model is not None and model.__emco__.freezes


def _differs(view: View, before: Record, after: Record, path: Sequence[str]) -> bool:
    """Return whether two documents differ at a path, and not only in a default that one of them does not state."""
    try:
        if list(_at(decode(before.document), path)) == list(_at(decode(after.document), path)):
            return False
    except ValueError:
        pass  # the document before is no JSON: the model says below that it cannot be read
    if view.context.schema.model_of(before.key.kind) is None:
        return True
    old, new = view.context.value_or_error(before), view.context.value_or_error(after)
    if isinstance(old, Exception) or isinstance(new, Exception):
        return True
    is_renamed = not hasattr(old, path[0])  # by a step of the model, so that nobody can tell whether it is still frozen
    return is_renamed or list(_at(old, path)) != list(_at(new, path))


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield what stands at a path; it may lead through lists."""
    if not path:
        yield value
    elif isinstance(value, list | tuple):
        for entry in cast("Sequence[Any]", value):
            yield from _at(entry, path)
    elif isinstance(value, Mapping):
        yield from _at(cast("Mapping[str, Any]", value).get(path[0]), path[1:])
    else:
        yield from _at(getattr(value, path[0], None), path[1:])


def _forbidden(key: Key, standing: Standing, changed: tuple[str, ...]) -> StateForbids:
    return StateForbids(
        f"Cannot change {key}, which is {standing.state}.",
        why=[f"{path} may not change in this state" for path in changed],
        hint="leave these fields as they are, or make a transition to a state that allows the change.",
        key=key,
        state=standing.state,
        frozen=changed,
    )
