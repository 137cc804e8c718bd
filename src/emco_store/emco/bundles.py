"""Bundles: all that several emcoctl texts state, in order, and the same written as one text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from emco_store.core.codec import Draft, draft
from emco_store.core.documents import LARGEST_MAX_BYTES
from emco_store.core.keys import Key
from emco_store.core.records import Edge
from emco_store.core.resource import Resource
from emco_store.emco.anchors import POLICY_MODULE
from emco_store.emco.catalogue.workflows import Agent, PolicyModule
from emco_store.emco.documents import Unacceptable, read_document, write_document
from emco_store.errors import InvalidCall, InvalidResource, NotSupported


@dataclass(frozen=True, slots=True)
class Position:
    """Where a document stands: the name of its text, its number there, and its first line, both from 1."""

    source: str
    document: int
    line: int

    def __str__(self) -> str:
        return f"{self.source}, document {self.document}, line {self.line}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a bundle.

    Attributes:
        position: The document.
        field: The path of the field in it; empty where it is the document as a whole.
        reason: What is wrong.
        target: The resource that is not there, where that is what is wrong.
    """

    position: Position
    field: str
    reason: str
    target: Key | None = None

    def __str__(self) -> str:
        where = f"{self.position}: {self.field}" if self.field else str(self.position)
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A resource, as one document states it.

    Attributes:
        position: The document.
        resource: The resource, with whole references.
        edges: Its references, the one to its parent included.
        is_implied: Whether no document states it, but EMCO itself makes it: the policy module above an agent.
    """

    position: Position
    resource: Resource
    edges: tuple[Edge, ...] = field(default=(), repr=False)
    is_implied: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A step in the life of a resource that a document asks for; ``run_bundle`` carries it out.

    Attributes:
        position: The document.
        verb: ``instantiate``, ``approve``, ``apply``, …
        target: The resource.
        body: What the document says beyond its anchor.
        after: How many statements of the bundle come before it.
    """

    position: Position
    verb: str
    target: Key
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    after: int = 0

    def __str__(self) -> str:
        return f"{self.verb} {self.target}  ({self.position})"


@dataclass(frozen=True, slots=True)
class Stage:
    """What belongs into one transaction where a bundle is carried out in its order.

    Attributes:
        statements: What is stated before the action, after the one before it.
        action: The action; None after the last one.
    """

    statements: tuple[Statement, ...]
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """What several texts state and ask for, in their order.

    Attributes:
        statements: Every statement, also those that a later one replaces.
        actions: Every step that is asked for.
    """

    statements: tuple[Statement, ...]
    actions: tuple[Action, ...] = ()

    @property
    def stages(self) -> Iterator[Stage]:
        """The bundle in its order: statements up to an action, with it; at last the statements after all actions."""
        begin = 0
        for action in self.actions:
            yield Stage(self.statements[begin : action.after], action)
            begin = action.after
        if begin < len(self.statements):
            yield Stage(self.statements[begin:])

    @property
    def final(self) -> dict[Key, Statement]:
        """The statement that counts for each resource, the last one; in the order of the first ones."""
        return {statement.resource.key: statement for statement in self.statements}

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The resources as they are in the end."""
        return tuple(statement.resource for statement in self.final.values())

    @property
    def restated(self) -> tuple[Key, ...]:
        """The resources that are stated more than once."""
        times = Counter(statement.resource.key for statement in self.statements if not statement.is_implied)
        return tuple(key for key, count in times.items() if count > 1)


def read_bundle(texts: Iterable[tuple[str, str]]) -> Bundle:
    """Read what emcoctl would apply: YAML documents, one for each resource or action.

    A resource that is stated twice is updated: the last statement counts. An agent's parent, the policy module, which
    EMCO's own service makes and no document states, is taken as stated with the first agent.

    Args:
        texts: Pairs of a name, for errors, and the text.

    Raises:
        InvalidResource: Documents cannot be read; ``faults`` has all of them, each a :class:`Fault`.
        NotSupported: The extra ``cli``, with the YAML reader, is not installed.
    """
    reader = _yaml_text()
    statements: list[Statement] = []
    actions: list[Action] = []
    faults: list[Fault] = []
    for source, text in texts:
        for document in reader.read_documents(text):
            position = Position(source, document.number, document.line)
            try:
                if document.problems:
                    raise Unacceptable(document.problems)  # noqa: TRY301 - joins the other ways to be unacceptable
                found = read_document(document.value)
            except Unacceptable as problem:
                faults += [Fault(position, place, reason) for place, reason in problem.problems]
                continue
            if isinstance(found, Draft):
                statements += _implied(found.resource, position, statements)
                statements.append(Statement(position, found.resource, found.edges))
            else:
                actions.append(Action(position, found.step.verb, found.step.target, found.body, len(statements)))
    if faults:
        raise unreadable(faults)
    return Bundle(tuple(statements), tuple(actions))


def _implied(resource: Resource, position: Position, before: Iterable[Statement]) -> list[Statement]:
    if not isinstance(resource, Agent) or any(statement.is_implied for statement in before):
        return []
    made = draft(PolicyModule(name=POLICY_MODULE), max_bytes=LARGEST_MAX_BYTES)
    return [Statement(position, made.resource, made.edges, is_implied=True)]


def unreadable(faults: Iterable[Fault]) -> InvalidResource:
    """Make the error for documents that are not acceptable, with all that is wrong."""
    found = tuple(faults)
    texts = tuple(map(str, found))
    documents = len({fault.position for fault in found})
    return InvalidResource(
        f"The bundle is not acceptable: {documents} of its documents cannot be used.",
        why=texts,
        hint="correct the documents.",
        key=None,
        problems=texts,
        faults=found,
    )


def write_bundle(resources: Iterable[Any]) -> str:
    """Write resources as documents for emcoctl, in the order given, but parents before children.

    The policy module is left out: EMCO makes it itself.

    Args:
        resources: Resources of the catalogue.

    Raises:
        InvalidCall: A resource cannot be stated in a document of emcoctl.
        InvalidResource: A resource's data is not acceptable.
        NotSupported: The extra ``cli``, with the YAML writer, is not installed.
    """
    waiting: dict[Key, Resource] = {}
    for resource in resources:
        if not isinstance(resource, Resource):
            raise InvalidCall(f"{resource!r:.80} is not a resource of EMCO's catalogue.", hint="leave it out.")
        waiting[resource.key] = resource
    ordered: dict[Key, Resource] = {}
    for key in waiting:
        line = [key]
        while (parent := _parent_of(waiting[line[-1]])) is not None and parent in waiting:
            line.append(parent)
        ordered |= {above: waiting[above] for above in reversed(line)}
    documents = [write_document(resource) for resource in ordered.values() if not isinstance(resource, PolicyModule)]
    return str(_yaml_text().write_documents(documents))


def _parent_of(resource: Resource) -> Key | None:
    return resource.parent.key if resource.__emco__.parent else None


def _yaml_text() -> ModuleType:
    try:
        from emco_store.emco import yaml_text  # noqa: PLC0415 - PyYAML comes with an extra, and only this needs it
    except ModuleNotFoundError as problem:
        raise NotSupported(
            "Bundles are YAML, and the YAML library is not installed.", hint='pip install "emco-store[cli]"'
        ) from problem
    return yaml_text
