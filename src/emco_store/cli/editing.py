"""The verbs ``patch`` and ``edit``: change fields of one resource, from the command line or in an editor."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

from emco_store import Conflict, InvalidCall, InvalidResource, Key, Resource, Store, StoreError
from emco_store.cli.arguments import Options
from emco_store.cli.bundles import read_files
from emco_store.cli.conditions import suggestion
from emco_store.cli.exits import Exit, exit_of
from emco_store.cli.formats import write_yaml
from emco_store.cli.items import document_of
from emco_store.cli.opening import opened, warn_forgetful
from emco_store.cli.paths import Path, read_path, with_value
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.core.codec import load
from emco_store.core.diffs import document_change
from emco_store.core.documents import encode
from emco_store.core.records import Record
from emco_store.emco.yaml_text import read_documents

_HEAD = """\
# {key}, version {version}. Save and close the editor to write it; lines that begin with # count for nothing.
# Nothing is written if nothing was changed, or if the file is empty.
"""


def patch(options: Options, screen: Screen) -> Exit:
    """Set fields of a resource, whatever its newest state is, and show what has changed."""
    key = read_key(options.key)
    values = [_assignment(text) for text in options.values]
    seen: list[Any] = []

    def change(resource: Any) -> Any:
        seen[:] = [resource]
        return _patched(resource, values)

    with opened(options, screen) as store:
        made = store.patch(key, change, if_version=options.if_version)
    _show(screen, seen[0], made)
    warn_forgetful(options, screen)
    return Exit.OK


def edit(options: Options, screen: Screen) -> Exit:
    """Open a resource in an editor and write what was saved, unless somebody else has changed it meanwhile."""
    key = read_key(options.key)
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    given = read_files([options.from_file])[0][1] if options.from_file else None
    with opened(options, screen) as store:
        before = _known(store, key)
        shown = _HEAD.format(key=key, version=before.meta.version) + write_yaml(document_of(before))
        file = _file_for(key, shown if given is None else given)
        text = _edited(editor, file)
        try:
            wanted = before if text.strip() in {"", shown.strip()} else _with_document(before, _read(text))
            is_changed = document_of(wanted) != document_of(before)
            made = store.update(wanted) if is_changed else before
        except StoreError as problem:
            if isinstance(problem, Conflict):
                _show_others(screen, store, before)
            screen.error(problem)
            again = f"emco-store edit {shlex.quote(key.text)} --from {shlex.quote(str(file))}"
            screen.note(f"your edit is kept in {file}; to go on with it: {again}")
            return exit_of(problem)
    file.unlink()
    if not is_changed:
        screen.note("nothing was changed")
        return Exit.OK
    _show(screen, before, made)
    warn_forgetful(options, screen)
    return Exit.OK


def _assignment(text: str) -> tuple[Path, str]:
    """Parse ``FIELD=VALUE``.

    Raises:
        InvalidCall: It is none.
    """
    quoted = text.rfind('"]=')
    at = text.find("=") if quoted < 0 else quoted + 2
    if at < 0:
        raise InvalidCall(
            f"{text!r:.100} sets no field.", hint="write FIELD=VALUE, for example replicas=3 or spec.image=web:2."
        )
    return read_path(text[:at]), text[at + 1 :]


def _patched(resource: Any, values: Sequence[tuple[Path, str]]) -> Any:
    """Return a resource with other values: as JSON where they can be read so and fit, otherwise as text.

    Raises:
        InvalidResource: The result does not fit the model.
    """
    if not isinstance(resource, Resource):
        return resource
    try:
        return _with_document(resource, _set(document_of(resource), [(path, _guess(text)) for path, text in values]))
    except InvalidResource as problem:
        wrong = tuple(problem.problems)
        texts = [
            (path, text if any(reason.startswith(_place(path)) for reason in wrong) else _guess(text))
            for path, text in values
        ]
        try:
            return _with_document(resource, _set(document_of(resource), texts))
        except InvalidResource as other:
            if any(reason.startswith(_place(path)) for reason in other.problems for path, _ in values):
                raise problem from None
            raise


def _set(document: Any, values: Sequence[tuple[Path, Any]]) -> Any:
    for path, value in values:
        document = with_value(document, path, value)
    return document


def _guess(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _place(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _with_document(resource: Resource, document: Any) -> Resource:
    """Return what a resource would be with another document.

    Raises:
        InvalidResource: The document does not fit the model, or says another key.
    """
    meta = resource.meta
    stamped = type(resource).__emco__.evolution.stamped(encode(document), used=1)
    record = Record(
        meta.key, meta.uid, meta.version, stamped, meta.edges, (), (), meta.created_us, meta.updated_us,
        origin=meta.origin,
    )  # fmt: skip
    try:
        return load(record, type(resource))
    except InvalidResource as problem:
        raise InvalidResource(
            f"Cannot change {meta.key} so.",
            why=problem.why,
            hint=_near(resource, document)
            or "correct the values; emco-store get KEY -o yaml shows the document as it is.",
            key=meta.key,
            problems=problem.problems,
        ) from problem


def _near(resource: Resource, document: Any) -> str | None:
    """Return advice about a field that there is not."""
    known = list(type(resource).model_fields)
    strange = (str(name) for name in document if name not in known)
    return next(filter(None, (suggestion(name, known) for name in strange)), None)


def _known(store: Store, key: Key) -> Resource:
    found = store.get(key)
    if not isinstance(found, Resource):
        raise InvalidCall(
            f"Cannot edit {key}.",
            why=[f"there is no model of the kind {key.kind} here, so nothing could check the edit"],
            hint="name the module of its model with --models.",
        )
    return found


def _file_for(key: Key, text: str) -> File:
    handle, name = tempfile.mkstemp(prefix=f"{key.kind}-", suffix=".yaml", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return File(name)


def _edited(editor: Sequence[str], file: File) -> str:
    """Run the editor, and return what was saved.

    Raises:
        InvalidCall: The editor cannot be started, or has failed.
    """
    try:
        code = subprocess.call([*editor, str(file)])  # noqa: S603 - the user's own editor
    except OSError as problem:
        code, reason = -1, str(problem.strerror)
    else:
        reason = f"it ended with {code}"
    if code:
        raise InvalidCall(
            f"Cannot edit with {' '.join(editor)!r:.80}.",
            why=[reason],
            hint=f"set EDITOR to an editor; what was edited is kept in {file}.",
        )
    return file.read_text("utf-8")


def _read(text: str) -> Any:
    """Read an edited document.

    Raises:
        InvalidResource: It is no YAML, or not one map.
    """
    documents = list(read_documents(text))
    problems = [reason for document in documents for _, reason in document.problems]
    value: Any = documents[0].value if len(documents) == 1 else None
    if problems or not isinstance(value, dict):
        reasons = problems or ["it must be one map of fields"]
        raise InvalidResource("Cannot read what you have saved.", why=reasons, hint="correct it.", key=None,
                              problems=tuple(reasons))  # fmt: skip
    return value  # pyright: ignore[reportUnknownVariableType]  # of any values


def _show(screen: Screen, before: Resource, after: Resource) -> None:
    if after.meta.version == before.meta.version:
        screen.show(f"{after.key}: version {after.meta.version}, as before")
        return
    screen.show(f"{after.key}: version {before.meta.version} -> {after.meta.version}")
    _show_fields(screen, before, after)


def _show_fields(screen: Screen, before: Any, after: Any) -> None:
    sides = [encode(document_of(one)) for one in (before, after)]
    screen.show(*(visible(f"  {field}") for field in document_change(before.key, *sides).fields))


def _show_others(screen: Screen, store: Store, before: Resource) -> None:
    """Show what somebody else has changed while the editor was open."""
    try:
        now = store.get(before.key)
    except StoreError:
        return  # it was deleted, which the error says
    by = f" by {now.meta.actor}" if now.meta.actor else ""
    screen.show(f"{before.key} was changed meanwhile{by}: version {before.meta.version} -> {now.meta.version}")
    _show_fields(screen, before, now)
