"""``some_of``: the marker of a reference by selection, and how it becomes a pattern of keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from emco_store.core.keys import Key, name_problem
from emco_store.core.refs import Ref, key_of
from emco_store.core.rules import RESELECT, Rule
from emco_store.core.selection import Name, Pattern, Selection, selection_of
from emco_store.errors import InvalidModel


@dataclass(frozen=True, slots=True)
class SomeOf:
    """The marker that :func:`some_of` puts into an annotation."""

    targets: tuple[Any, ...]
    where: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: frozenset[str] = frozenset()
    required: bool = True

    def __hash__(self) -> int:
        return hash((self.targets, frozenset(self.where.items()), frozenset(self.fixed.items()), self.keys))


def some_of(
    *targets: Any,
    where: Mapping[str, str | None] | None = None,
    fixed: Mapping[str, str] | None = None,
    keys: Collection[str] = (),
    required: bool = True,
) -> SomeOf:
    """State that at least one resource must match the annotated text, or each text in the annotated list or map.

    The text is the last name in the keys of what it selects. The names before it are taken from the resource's own key
    as far as both lie in the same ancestors, and any name will do for the rest. Around a ``Ref`` to an ancestor of the
    target, it selects what lies below that ancestor. Several markers are alternatives: the first one that has a match
    counts. ``reference(when=…)`` beside it makes the selection conditional; None and empty text select nothing.

    The last match cannot be deleted while it is selected; see ``RESELECT`` in the delete rules.

    Args:
        targets: Classes of resources, or names of kinds. A match of any of them will do.
        where: For a kind in the target's line of ancestors, the field of the same model that says its name, or None
            where any name will do. ``"Kind.field"`` where a kind has several key fields.
        fixed: Key fields of the target that always have this value.
        keys: Only the entries of the annotated map with these keys select something.
        required: Whether there must be a match. Otherwise a resource that is written while there is none selects
            nothing; one that is written while there is one holds it as any other does.

    Rules: REF-14 to REF-16.
    """
    problems = list(_mark_problems(targets, where or {}, fixed or {}, keys))
    if problems:
        raise InvalidModel(
            "Cannot define a selection.",
            why=problems,
            hint='write some_of(Label, where={"Host": "host"}), with names of fields, kinds and keys as text.',
        )
    return SomeOf(targets, dict(where or {}), dict(fixed or {}), frozenset(keys), required)


def _mark_problems(targets: Iterable[Any], where: Any, fixed: Any, keys: Any) -> Iterator[str]:
    for target in targets:
        if not isinstance(target, str) and not hasattr(target, "__emco__"):
            yield f"{target!r:.100} is not a resource"
    for option, given, values in (("where", where, str | None), ("fixed", fixed, str)):
        if not _is(Mapping, given):
            yield f"{option}= is {given!r:.100}, which is no map"
        elif not _are(str, given) or not _are(values, given.values()):
            yield f"{option}= is {given!r:.100}, and not all of it is text"
    if _is(str, keys) or not _is(Iterable, keys) or not _are(str, keys):
        yield f"keys= is {keys!r:.100}, which is no list of texts"


def _is(wanted: Any, value: Any) -> bool:
    """Tell whether a value is of a type; what is inside it stays open to type checkers."""
    return isinstance(value, wanted)


def _are(wanted: Any, values: Iterable[Any]) -> bool:
    return all(isinstance(value, wanted) for value in values)


class _Source(NamedTuple):
    """Where one name of a pattern comes from: the own key, a field, the annotated value; or any name will do."""

    own: int = -1
    field: str = ""
    is_value: bool = False
    name: Name = None


@dataclass(frozen=True, slots=True)
class _Address:
    """How the pattern for one kind of target is made.

    Attributes:
        target: The target's compiled model.
        sources: For each name of its key, where it comes from.
        above: For each ancestor of the target, how many names its key has.
    """

    target: Any
    sources: tuple[_Source, ...]
    above: Mapping[str, int]

    @property
    def indexed(self) -> str:
        """The field that holds the last name of the target's key and has an index; empty where there is none."""
        self.target.complete()
        last: str = self.target.key_fields[-1]
        return last if last in self.target.indexed else ""


@dataclass(slots=True)
class SelectionSpec:
    """The selections of one field.

    Attributes:
        owner: The model's class, for the lookup of targets that are named by text.
        name: The name of the field.
        marks: What :func:`some_of` says, in the order of preference.
        when: The condition under which it counts: for each field beside it, the values that it may have.
        find: Finds the class of a target.
    """

    owner: Any
    name: str
    marks: tuple[SomeOf, ...]
    when: Mapping[str, frozenset[object]]
    find: Callable[[Any, Any], Any]
    _addresses: dict[int, tuple[_Address, ...]] = field(default_factory=dict[int, tuple["_Address", ...]])

    @property
    def rule(self) -> Rule:
        """The delete rule of all selections."""
        return RESELECT

    @property
    def targets(self) -> Iterator[Any]:
        """The targets of all marks."""
        return (target for mark in self.marks for target in mark.targets)

    def found_in(
        self, value: Any, own: Key, siblings: Mapping[str, Any]
    ) -> Iterator[tuple[tuple[str | int, ...], Selection]]:
        """Yield what a value of the field selects, each with the rest of its path.

        Args:
            value: The value.
            own: The key of the resource that holds it.
            siblings: The fields beside it.

        Raises:
            ValueError: It selects something, but not what.
        """
        if any(siblings.get(name) not in wanted for name, wanted in self.when.items()):
            return
        for path, key, text in _texts(value):
            if text:
                alternatives = [
                    ("" if mark.required else "~") + "|".join(self._patterns(number, text, own, siblings))
                    for number, mark in enumerate(self.marks)
                    if not mark.keys or key in mark.keys
                ]
                if alternatives:
                    yield path, selection_of(";".join(alternatives))

    def _patterns(self, number: int, value: str | Ref[Any], own: Key, siblings: Mapping[str, Any]) -> Iterator[str]:
        for address in self.resolve(number):
            pattern = self._pattern(address, value, own, siblings)
            yield f"{pattern}?{pattern.indexed}" if pattern.indexed else str(pattern)

    def _pattern(self, address: _Address, value: str | Ref[Any], own: Key, siblings: Mapping[str, Any]) -> Pattern:
        names: list[Name] = []
        for source in address.sources:
            name = source.name
            if source.own >= 0:
                name = own.segments[source.own]
            elif source.field:
                name = _name(siblings.get(source.field), source.field)
            elif source.is_value and not isinstance(value, Ref):
                name = _name(value, self.name)
            names.append(name)
        if isinstance(value, Ref):
            key = key_of(value)
            if key is None or address.above.get(key.kind) != len(key.segments):
                message = f"{self.name}: {value.text!r:.100} is no ancestor of {address.target.kind}"
                raise ValueError(message)
            names[: len(key.segments)] = key.segments
        is_searched = names[-1] is not None and None in names
        return Pattern(address.target.kind, tuple(names), address.indexed if is_searched else "")

    def resolve(self, number: int) -> tuple[_Address, ...]:
        """Find out how the patterns of one mark are made, and remember it.

        Raises:
            InvalidModel: A target cannot be found, or ``where`` does not fit it.
        """
        known = self._addresses.get(number)
        if known is None:
            mark = self.marks[number]
            known = tuple(self._address(mark, self.find(self.owner, target).__emco__) for target in mark.targets)
            self._addresses[number] = known
        return known

    def check(self) -> None:
        """Resolve the marks whose targets are all there.

        Raises:
            InvalidModel: ``where`` does not fit a target.
        """
        for number, mark in enumerate(self.marks):
            if not any(isinstance(target, str) for target in mark.targets):
                self.resolve(number)

    def _address(self, mark: SomeOf, target: Any) -> _Address:
        """Compile one mark for one target, of which the compiled model is given."""
        if not target.length:
            raise self._refuse(
                f"{target.model.__name__} does not say where it lies, so a selection has no names to go by",
                "give that view parent=, with None for a root",
            )
        places = [f"{kind}.{name}" for kind, names in lineage(target) for name in names]
        kinds = [kind for kind, names in lineage(target) for _ in names]
        single = {kind for kind, names in lineage(target) if len(names) == 1}
        shared = 0
        for mine, theirs in zip(self.owner.__emco__.chain, target.chain[:-1], strict=False):
            if mine != theirs:
                break
            shared += mine[1]
        sources = [_Source(own=at) if at < shared else _Source() for at in range(len(places))]
        sources[-1] = _Source(is_value=True)
        for name, where in mark.where.items():
            at = kinds.index(name) if name in single else places.index(name) if name in places else -1
            if at < 0:
                raise self._refuse(
                    f"where= names {name!r:.40}, which is no kind above {target.kind}, or has several key fields",
                    f"use some of {', '.join(place.removesuffix('.name') for place in places)}",
                )
            sources[at] = _Source(field=where) if where is not None else _Source()
        for name, text in mark.fixed.items():
            problem = name_problem(text)
            if name not in target.key_fields or problem:
                reason = problem or f"fixed= names {name!r:.40}, which is no key field of {target.kind}"
                raise self._refuse(reason, f"give names to key fields of the target: {', '.join(target.key_fields)}")
            sources[len(sources) - len(target.key_fields) + target.key_fields.index(name)] = _Source(name=text)
        lengths = dict(_lengths(target.chain))
        del lengths[target.kind]
        return _Address(target, tuple(sources), lengths)

    def _refuse(self, reason: str, hint: str) -> InvalidModel:
        name = self.owner.__name__
        return InvalidModel(f"Cannot define {name}: field {self.name!r}.", why=[reason], hint=hint, model=name)


def lineage(spec: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Return the key fields of a model and of its ancestors, from the root, each with its kind."""
    above = [] if spec.parent is None else lineage(spec.parent.__emco__)
    return [*above, (spec.kind, spec.key_fields)]


def _lengths(chain: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    total = 0
    for kind, names in chain:
        total += names
        yield kind, total


def _name(value: Any, where: str) -> str:
    text = value.value if isinstance(value, Enum) else value
    problem = name_problem(text) if text is not None else "a name is needed here for the selection"
    if problem:
        message = f"{where}: {problem}"
        raise ValueError(message)
    return str(text)


def _texts(value: Any) -> Iterator[tuple[tuple[str | int, ...], str, Any]]:
    """Yield the texts and references in a value, each with the rest of its path, and its key where it has one."""
    is_map, is_list = isinstance(value, Mapping), isinstance(value, list | tuple)
    if is_map:
        for key, inner in value.items():
            text = key.text if isinstance(key, Ref) else str(key)
            yield (text,), text.rpartition("/")[2], inner
    elif is_list:
        for index, inner in enumerate(value):
            yield (index,), "", inner
    elif value is not None:
        yield (), "", value
