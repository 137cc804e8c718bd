"""Compiling: from the annotations of a model to the shape of where its references and sets stand.

A reference that could not be followed, or whose rule cannot work where it stands, is refused when the class is defined.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, is_dataclass, replace
from inspect import isclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

from emco_store.core.evolution import Since
from emco_store.core.indexing import Index, Unique
from emco_store.core.refs import OnDelete, OnExpire, Ref, Reference, RefSpec, targets_of
from emco_store.core.rules import RESTRICT, Rule
from emco_store.core.shapes import Either, Entries, Items, Leaf, Node, Root, Struct
from emco_store.core.some_of import SelectionSpec, SomeOf, some_of
from emco_store.errors import InvalidModel

_SOME_OF = re.compile(r"\bsome_of\(|\bSomeOf\(")
"""How a selection shows in an annotation that may be text."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the compiler stands: what surrounds the annotation that it looks at."""

    owner: Any
    find: Any
    path: str
    rule: Rule = RESTRICT
    on_expire: Rule | None = None
    options: Reference = field(default_factory=Reference)
    container: str = ""
    nullable: bool = False
    min_length: int = 0
    default: Any = None
    siblings: frozenset[str] = frozenset()
    seen: tuple[type, ...] = ()

    def refuse(self, reason: str, hint: str) -> InvalidModel:
        """Make the error for a model that cannot work."""
        name = self.owner.__name__
        return InvalidModel(f"Cannot define {name}: field {self.path!r}.", why=[reason], hint=hint, model=name)

    def marked(self, metadata: Sequence[Any]) -> Site:
        """Take over the markers of an ``Annotated``; those of references hold for all that lies within."""
        site = self
        for mark in metadata:
            if isinstance(mark, OnDelete):
                site = replace(site, rule=mark.rule)
            elif isinstance(mark, OnExpire):
                site = replace(site, on_expire=mark.rule)
            elif isinstance(mark, Reference):
                site = replace(site, options=mark)
            elif isinstance(mark, FieldInfo):
                site = site.marked(mark.metadata)
            elif isinstance(getattr(mark, "min_length", None), int):  # annotated_types.MinLen and its like
                site = replace(site, min_length=mark.min_length)
        return site


def compile_field(name: str, info: FieldInfo, site: Site) -> Node | None:
    """Compile one field of a model; None when it holds neither references nor sets.

    Raises:
        InvalidModel: A reference stands where it could not be followed, or its rule cannot work there.
    """
    has_default = not info.is_required() and info.default_factory is None
    path = f"{site.path}.{name}" if site.path else name
    if site.path:
        _check_no_index(info.metadata, replace(site, path=path))
    default = info.default if has_default else None
    at = replace(site, path=path, container="", nullable=False, min_length=0, default=default).marked(info.metadata)
    return _compile(info.annotation, at)


def compile_selections(fields: Mapping[str, FieldInfo], site: Site) -> dict[str, SelectionSpec]:
    """Compile the selections of all fields of a model.

    Raises:
        InvalidModel: They cannot work there.
    """
    found = {name: _selection(name, info, site) for name, info in fields.items()}
    return {name: spec for name, spec in found.items() if spec is not None}


def _selection(name: str, info: FieldInfo, site: Site) -> SelectionSpec | None:
    at = replace(site, path=f"{site.path}.{name}" if site.path else name)
    marks = list(_marks_within(info.annotation, info.metadata))
    chosen = tuple(mark for mark in marks if isinstance(mark, SomeOf))
    if not chosen:
        return None
    within = at.marked([mark for mark in marks if not isinstance(mark, SomeOf)])
    when = within.options.when
    unknown = {*when, *(field for mark in chosen for field in mark.where.values() if field)} - site.siblings
    if unknown:
        raise at.refuse(f"{sorted(unknown)} are no fields beside it", "name fields of the same model")
    if within.rule.edits:
        raise at.refuse("a delete rule may not take away what a selection rests on", "use RESTRICT, PROTECT or CASCADE")
    if within.on_expire is not None:
        raise at.refuse("what a selection finds does not depend on a lease", "leave on_expire() out")
    if not _is_selectable(info.annotation):
        raise at.refuse("some_of() needs text, a Ref, or a list or map of one of them", "use one of these types")
    if not all(mark.targets for mark in chosen):
        raise at.refuse("some_of() without a target", "name classes of resources, or their kinds")
    spec = SelectionSpec(site.owner, name, chosen, when, site.find)
    spec.check()
    return spec


def _marks_within(annotation: Any, metadata: Sequence[Any] = ()) -> Iterator[Any]:
    """Yield the markers of a field, its items and its entries, the outer ones first; nested models keep theirs."""
    yield from metadata
    if hasattr(annotation, "__value__") or hasattr(annotation, "__supertype__"):
        yield from _marks_within(_meant(annotation))
    elif get_origin(annotation) is Annotated:
        yield from _marks_within(get_args(annotation)[0], annotation.__metadata__)
    elif get_origin(annotation) not in {None, Ref, Literal}:
        for inner in get_args(annotation):
            yield from _marks_within(inner)
    elif _is_record(annotation):
        yield from (some_of() for text in map(str, annotation.__annotations__.values()) if _SOME_OF.search(text))


def _is_selectable(annotation: Any, *, inside: bool = False) -> bool:  # noqa: PLR0911 - one return for each form
    """Tell whether every value of a type is text, a reference, or a list or map of one of them."""
    container, args = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__value__") or hasattr(annotation, "__supertype__"):
        return _is_selectable(_meant(annotation), inside=inside)
    if container is Annotated:
        return _is_selectable(args[0], inside=inside)
    if container is Union or container is types.UnionType:
        return all(_is_selectable(arg, inside=inside) for arg in args if arg is not type(None))
    if container is Literal:
        return all(isinstance(arg, str) for arg in args)
    if _is_subclass(container, Mapping) and not inside:
        is_for_keys = any(isinstance(mark, SomeOf) for mark in _marks_within(args[0]))
        return not is_for_keys and _is_selectable(args[-1], inside=True)
    if _is_subclass(container, list | tuple) and not inside:
        return all(_is_selectable(item, inside=True) for item in args if item is not Ellipsis)
    return Ref in {annotation, container} or _is_subclass(annotation, str)


def _is_subclass(annotation: Any, of: Any) -> bool:
    return isclass(annotation) and issubclass(annotation, of)


def _compile(annotation: Any, site: Site) -> Node | None:  # noqa: C901, PLR0911 - one return for each form
    origin = get_origin(annotation)
    if hasattr(annotation, "__value__") or hasattr(annotation, "__supertype__"):
        return _compile(_meant(annotation), site)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        _check_no_index(metadata, site)
        return _compile(inner, site.marked(metadata))
    if annotation is Ref or origin is Ref:
        return _leaf(annotation, site)
    if origin is Union or origin is types.UnionType:
        return _union(get_args(annotation), site)
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return _struct(annotation, site)
    container: Any = origin or annotation
    args = get_args(annotation)
    if isclass(container) and not issubclass(container, str | bytes) and not _is_record(container):
        if issubclass(container, tuple):
            return _tuple(args, site)
        if issubclass(container, Mapping):
            return _entries(args, site)
        if issubclass(container, AbstractSet | Sequence):
            return _items(container, args, site)
    if _mentions_reference(annotation):
        raise site.refuse(
            f"a reference inside {annotation!r:.120} could not be followed",
            "use a list, set, tuple, dict, or a pydantic model around references",
        )
    return None


def _meant(alias: Any) -> Any:
    """Return what an alias of a type stands for: one of ``NewType``, ``TypeAliasType`` or a ``type`` statement."""
    if hasattr(alias, "__supertype__"):
        return alias.__supertype__
    value, names = alias.__value__, getattr(alias, "__type_params__", ())
    given = dict(zip(names, get_args(alias), strict=False))
    open_ = getattr(value, "__parameters__", ())
    return value[tuple(given.get(name, Any) for name in open_)] if open_ else value


def _check_no_index(metadata: Sequence[Any], site: Site) -> None:
    if any(isinstance(mark, Unique | Index | Since) for mark in metadata):
        raise site.refuse(
            "unique(), indexed() and since() would have no effect inside a field",
            "put them around the whole field of a resource",
        )


def _leaf(annotation: Any, site: Site) -> Leaf:
    targets = targets_of(annotation)
    if not targets:
        raise site.refuse("Ref without a target", "write Ref[Target], or Ref[A | B]")
    for target in targets:
        if not isinstance(target, str) and not hasattr(target, "__emco__"):
            raise site.refuse(f"{target!r:.100} is not a resource", "name a subclass of Resource")
    unknown = sorted(set(site.options.when) - site.siblings)
    if unknown:
        raise site.refuse(f"when= names {unknown}, which are no fields beside it", "name fields of the same model")
    rules = (site.rule,) if site.on_expire is None else (site.rule, site.on_expire)
    refusals = [refusal for rule in rules if (refusal := rule.refusal(site)) is not None]
    if refusals:
        raise site.refuse(*refusals[0])
    fallbacks = (rule.fallback(site.default) for rule in rules)
    return Leaf(
        RefSpec(
            owner=site.owner, targets=targets, rule=site.rule, on_expire=site.on_expire, options=site.options,
            fallback=next((found for found in fallbacks if found is not None), None), find=site.find,
        )
    )  # fmt: skip


def _union(args: tuple[Any, ...], site: Site) -> Node | None:
    nullable = site.nullable or type(None) in args
    options = [arg for arg in args if arg is not type(None)]
    inner = replace(site, nullable=nullable)
    if len(options) == 1:
        return _compile(options[0], inner)
    nodes = [node for node in (_compile(option, inner) for option in options) if node is not None]
    if not nodes:
        return None
    if all(isinstance(node, Struct) for node in nodes):
        return Either(tuple(node for node in nodes if isinstance(node, Struct)))
    if any(_mentions_reference(option) for option in options):
        raise site.refuse(
            "a reference in a union with something else could be read in two ways",
            "use Ref[A | B] for several kinds, reference(ignore=…) for names that are none, or a field for each",
        )
    return None


def _items(container: Any, args: tuple[Any, ...], site: Site) -> Node | None:
    make = frozenset if issubclass(container, frozenset) else set if issubclass(container, AbstractSet) else list
    entry = replace(site, container="item" if make is list else "set", nullable=False)
    item = _compile(args[0], entry) if args else None
    return None if item is None else Items(item, make)


def _tuple(args: tuple[Any, ...], site: Site) -> Node | None:
    if args[1:] == (Ellipsis,):
        item = _compile(args[0], replace(site, container="item", nullable=False))
        return Items(item, tuple) if item is not None else None
    if any(_mentions_reference(arg) for arg in args):
        raise site.refuse("a reference in a tuple of fixed length could not be removed or told apart", "use fields")
    return None


def _entries(args: tuple[Any, ...], site: Site) -> Node | None:
    if not args:
        return None
    key = _compile(args[0], replace(site, container="key", nullable=False))
    value = None if len(args) == 1 else _compile(args[1], replace(site, container="value", nullable=False))  # a Counter
    if key is not None and not isinstance(key, Leaf):
        raise site.refuse("the keys of a map are text or references", "use Ref[Target] or str as the key")
    return Entries(key, value) if key is not None or value is not None else None


def _struct(model: type[BaseModel], site: Site) -> Node | None:
    if hasattr(model, "__emco__"):
        raise site.refuse(
            f"{model.__name__} is a resource and cannot be part of another one", f"refer to it: Ref[{model.__name__}]"
        )
    if model in site.seen:
        raise site.refuse(f"{model.__name__} contains itself", "make it a resource of its own and refer to it")
    if issubclass(model, RootModel):
        info = model.model_fields["root"]
        if compile_selections(model.model_fields, site):
            raise site.refuse(
                f"{model.__name__} is one value", "put some_of() around the field, with that value as type"
            )
        item = _compile(info.annotation, replace(site, seen=(*site.seen, model)).marked(info.metadata))
        return None if item is None else Root(model, item)  # pyright: ignore[reportUnknownArgumentType]  # of any type
    extra, is_view = model.model_config.get("extra"), site.owner.__emco__.is_view
    if is_view and extra == "forbid":
        raise site.refuse(
            f"{model.__name__} refuses unknown fields, so the owner of {site.owner.__emco__.kind} could add none to it",
            f'declare a class for the view: class {model.__name__}View(BaseModel, extra="ignore")',
        )
    if not is_view and extra not in {"forbid", "allow"}:
        raise site.refuse(
            f"{model.__name__} does not say what becomes of unknown fields; pydantic would drop them in silence",
            f'declare it as class {model.__name__}(BaseModel, extra="forbid"), or extra="allow"',
        )
    inner = replace(site, seen=(*site.seen, model), container="nested", siblings=frozenset(model.model_fields))
    fields = {name: compile_field(name, info, inner) for name, info in model.model_fields.items()}
    found = {name: node for name, node in fields.items() if node is not None}
    selections = compile_selections(model.model_fields, inner)
    return Struct(model, found, selections) if found or selections else None


def _mentions_reference(annotation: Any, seen: frozenset[Any] = frozenset()) -> bool:
    if annotation is Ref or get_origin(annotation) is Ref:
        return True
    if any(_mentions_reference(arg, seen) for arg in get_args(annotation) if arg is not annotation):
        return True
    if _is_record(annotation) and annotation not in seen:
        deeper = seen | {annotation}
        return any("Ref[" in str(a) or _mentions_reference(a, deeper) for a in annotation.__annotations__.values())
    return False


def _is_record(annotation: Any) -> bool:
    """Tell a dataclass, a TypedDict or a NamedTuple, whose fields are never looked at."""
    return isclass(annotation) and (
        is_dataclass(annotation)
        or (hasattr(annotation, "_fields") and issubclass(annotation, tuple))
        or (hasattr(annotation, "__total__") and issubclass(annotation, dict))  # of typing and its extensions
    )
