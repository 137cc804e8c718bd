"""References between resources: the ``Ref`` value, its delete rules, and how a short one is made full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, get_args
from urllib.parse import unquote

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from emco_store.core.addresses import Address
from emco_store.core.keys import Key, name_problem
from emco_store.core.rules import Rule
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, InvalidModel

T = TypeVar("T")

MAX_REFERENCE_LENGTH = 8192
"""Characters in the text of one reference."""


@dataclass(frozen=True, slots=True)
class OnDelete:
    """The marker that :func:`on_delete` puts into an annotation."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class OnExpire:
    """The marker that :func:`on_expire` puts into an annotation."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Reference:
    """The marker that :func:`reference` puts into an annotation."""

    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    ignore: frozenset[str] = frozenset()
    when: Mapping[str, frozenset[object]] = field(default_factory=dict[str, frozenset[object]])

    def __hash__(self) -> int:
        return hash((frozenset(self.fixed.items()), self.ignore, frozenset(self.when.items())))


def on_delete(rule: Rule) -> OnDelete:
    """State what happens to the annotated reference, or to each in the annotated container, if its target is deleted.

    Args:
        rule: One of ``RESTRICT`` (the default), ``PROTECT``, ``CASCADE``, ``SET_NULL``, ``SET_DEFAULT``, ``REMOVE``.

    Rules: DEL-1 to DEL-6.
    """
    try:
        return OnDelete(Rule(rule))
    except ValueError:
        raise InvalidModel(
            f"Cannot define a reference with on_delete({rule!r:.40}).",
            why=["there is no such rule"],
            hint=f"use one of {', '.join(Rule)}.",
        ) from None


def on_expire(rule: Rule) -> OnExpire:
    """State what happens to the annotated reference, or to each in the annotated container, if its target's lease ends.

    The reference is then committed only if the target is leased. What happens if the target itself is deleted is still
    for ``on_delete`` to say.

    Args:
        rule: One of ``CASCADE``, ``SET_NULL``, ``SET_DEFAULT``, ``REMOVE``. Others are refused: the end of a lease
            cannot be forbidden by a reference to it.

    Rules: LEA-5, LEA-6.
    """
    try:
        found = Rule(rule)
    except ValueError:
        found = None
    if found is not None and (found.cascades or found.edits) and found in list(Rule):
        return OnExpire(found)
    raise InvalidModel(
        f"Cannot define a reference with on_expire({rule!r:.40}).",
        why=["there is no such rule" if found is None else "a reference cannot forbid the end of a lease"],
        hint=f"use one of {', '.join(rule for rule in Rule if rule.cascades or rule.edits)}.",
    )


def reference(
    *,
    fixed: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    when: Mapping[str, object] | None = None,
) -> Reference:
    """State how the annotated reference is written, if its text alone does not say it.

    Args:
        fixed: Key fields of the target that always have this value and are left out of a short reference.
        ignore: Texts that are not references.
        when: Fields of the same model, each with the value (or a tuple of values) that it must have. If a field has
            another value, the text is kept and is not a reference.

    Rules: REF-8 to REF-10.
    """
    wanted = {
        name: frozenset(cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,))
        for name, value in (when or {}).items()
    }
    return Reference(fixed=dict(fixed or {}), ignore=frozenset(ignore), when=wanted)


class Ref(Generic[T]):
    """A reference to one resource: a value that holds the target's key.

    A field of type ``Ref[App]`` accepts an ``App``, a ``Key``, another ``Ref``, or text: the whole key
    (``"App/p1/vfw/v1/sink"``), or its last names without those that the referrer's own key already contains
    (``"sink"``). ``Ref[A | B]`` points to either kind.

    Args:
        target: A resource, a key, or the text of one.

    Attributes:
        text: The text of the reference.
        key: The target's key. It is there unless :attr:`has_key` is False.

    Rules: REF-1 to REF-10.
    """

    __slots__ = ("key", "text")

    text: str
    key: Key

    def __init__(self, target: Any) -> None:
        put = object.__setattr__
        if isinstance(target, str):
            if not target or len(target) > MAX_REFERENCE_LENGTH:
                message = f"the text of a reference has 1 to {MAX_REFERENCE_LENGTH} characters"
                raise ValueError(message)
            put(self, "text", target)
            return
        if isinstance(target, Ref):
            put(self, "text", target.text)
            if target.has_key:
                put(self, "key", target.key)
            return
        found = target if isinstance(target, Key) else getattr(target, "key", None)
        if isinstance(found, Key):
            put(self, "key", found)
            put(self, "text", found.text)
        else:
            message = f"a reference is a resource, a Key, a Ref or text, not {type(target).__name__}"
            raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueError with the path of the field

    if not TYPE_CHECKING:

        def __class_getitem__(cls, target):  # noqa: ANN001, ANN204 - type checkers see that of Generic
            """Take a text as the name of a kind, and not as code that pydantic would run in the module."""
            if isinstance(target, str):
                target = Literal[tuple(name.strip() for name in target.split("|"))]
            return super().__class_getitem__(target)

        def __getattr__(self, name):  # noqa: ANN001, ANN204 - a checker would take any name for an attribute
            """Explain why there is no key; called only where an attribute is missing."""
            if name != "key":
                message = f"a Ref has no {name!r}"
                raise AttributeError(message)
            raise InvalidCall(
                f"The reference {self.text!r:.80} has no key.",
                why=["it is short and not part of a resource yet, or declared to be no reference"],
                hint="ask has_key first, or give the whole key.",
            )

    @property
    def has_key(self) -> bool:
        """Whether the key is known: not of a short text outside of a resource, nor of a text that is no reference."""
        try:
            _KEY.__get__(self)
        except AttributeError:
            return False
        return True

    @property
    def name(self) -> str:
        """The name of the target, the last one of its key; the last part of the text if it has no key."""
        return self.key.name if self.has_key else unquote(self.text.rpartition("/")[2])

    def __setattr__(self, name: str, value: object) -> None:
        message = f"a Ref is a value: {name!r} cannot be changed"
        raise AttributeError(message)

    def __repr__(self) -> str:
        return f"Ref({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Ref) else NotImplemented

    def __reduce__(self) -> tuple[object, ...]:
        return Ref, (self.key if self.has_key else self.text,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            as_ref,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _text_of, return_schema=core_schema.str_schema(), when_used="json"
            ),
            metadata={"pydantic_js_functions": [_JsonSchema(source)]},
        )


@dataclass(frozen=True, slots=True)
class _JsonSchema:
    """Writes the JSON schema of a reference when it is asked for: a target may be defined later than the reference.

    Attributes:
        annotation: ``Ref[…]``.
    """

    annotation: Any

    def __call__(self, _schema: CoreSchema, _handler: Any) -> dict[str, Any]:
        targets = targets_of(self.annotation)
        kinds = [target if isinstance(target, str) else _kind_of(target) for target in targets]
        of_kind = f" of the kind {' or '.join(kinds)}" if all(kinds) and kinds else ""
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_REFERENCE_LENGTH,
            "description": f"The key of a resource{of_kind}; in a request also its last names.",
        }


def _kind_of(target: Any) -> str:
    spec = getattr(target, "__emco__", None)
    return "" if spec is None else spec.kind


_KEY: Any = Ref.__dict__["key"]
"""The slot, which says without :meth:`Ref.__getattr__` whether it is filled."""


def key_of(ref: Ref[Any]) -> Key | None:
    """Return the key of a reference; None if it has none."""
    try:
        found: Key = _KEY.__get__(ref)
    except AttributeError:
        return None
    return found


def as_ref(value: Any) -> Ref[Any]:
    """Make a reference of what :class:`Ref` accepts; one that is a reference already stays as it is."""
    if type(value) is str:
        return _of_text(value)
    return value if isinstance(value, Ref) else Ref(value)  # pyright: ignore[reportUnknownVariableType]  # of what is Any


@lru_cache(maxsize=10_000)
def _of_text(text: str) -> Ref[Any]:
    """Make a reference of text; the same few are read again and again."""
    return Ref(text)


def _text_of(value: Any) -> str:
    return value.text if isinstance(value, Ref) else Ref(value).text


_KNOWN = 10_000
"""How many references a place remembers."""


@dataclass(slots=True)
class RefSpec:
    """One place in a model where references stand: their targets, their rule, and how their text is read.

    Attributes:
        owner: The model's class, for the lookup of targets that are named by text.
        targets: Classes of resources, or names of kinds.
        fallback: The reference that a rule needs in order to replace this one; None where none needs one.
        addresses: For each kind of target, how a text is completed; filled when first needed, because a target may be
            defined after its referrer.
        on_expire: The rule for the end of the target's lease; None where the reference does not need one.
        known: References that are right in any referrer, by their text: the same few come again and again.
    """

    owner: Any
    targets: tuple[Any, ...]
    rule: Rule
    options: Reference
    fallback: Any = None
    on_expire: Rule | None = None
    addresses: dict[str, Address] = field(default_factory=dict)
    known: dict[str, Ref[Any]] = field(default_factory=dict)
    find: Callable[[Any, Any], Any] | None = None

    @property
    def is_known(self) -> bool:
        """Whether all targets are classes, and none is only named."""
        return not any(isinstance(target, str) for target in self.targets)

    def bind(self, value: Any, own: Key) -> Ref[Any]:
        """Make ``value`` a reference with a full key, as seen from the resource with the key ``own``.

        Raises:
            ValueError: It is of another kind, it stands for no key, or for the resource itself or an ancestor of it.
        """
        ref: Ref[Any] = as_ref(value)
        known = self.known.get(ref.text)
        if known is not None:
            return ref if ref.has_key else known
        if ref.text in self.options.ignore:
            return ref
        addresses = self.addresses or self.resolve()
        if not ref.has_key:
            ref = Ref(self._complete(ref.text, own, addresses))
        key = ref.key
        if key.kind not in addresses:
            message = f"{ref.text} is not a reference to {' or '.join(addresses)}"
            raise ValueError(message)
        address = addresses[key.kind]
        if address.length and len(key.segments) != address.length:
            message = f"a key of {key.kind} has {count(address.length, 'name')}, {key} has {len(key.segments)}"
            raise ValueError(message)
        address.check_fixed(key)
        if self._is_own_line(key, own):
            if key.segments == own.segments[: len(key.segments)]:
                message = f"a resource cannot refer to itself or to what it already lies in: {key}"
                raise ValueError(message)
        elif as_ref(value).text == key.text:  # whole, so it means the same in every referrer
            if len(self.known) >= _KNOWN:
                self.known.clear()
            self.known[key.text] = ref
        return ref

    def default_key(self, own: Key) -> Key | None:
        """Return the key that is stored for the rule with a reference of ``own``; None without a fallback."""
        return None if self.fallback is None else key_of(self.bind(self.fallback, own))

    def _is_own_line(self, key: Key, own: Key) -> bool:
        return key.kind == own.kind or any(key.kind == kind for kind, _ in self.owner.__emco__.chain)

    def _complete(self, text: str, own: Key, addresses: Mapping[str, Address]) -> Key:
        if len(addresses) == 1:
            (address,) = addresses.values()
            return address.complete(text, own.segments)
        kind, _, rest = text.partition("/")
        if kind not in addresses:
            message = f"{text!r:.100} must begin with its kind: {', '.join(f'{kind}/' for kind in addresses)}"
            raise ValueError(message)
        address = addresses[kind]
        whole = text.count("/") == address.length or not address.length
        return address.complete(text if whole else rest, own.segments)

    def resolve(self) -> Mapping[str, Address]:
        """Find out what a text must hold for each kind of target, and remember it.

        Raises:
            InvalidModel: A target cannot be found, or a fixed name cannot be part of its key.
        """
        if self.find is None:
            raise InvalidModel(
                f"Cannot resolve the references of {self.owner.__name__}.",
                why=["the class is not complete"],
                hint="define its targets first.",
                model=self.owner.__name__,
            )
        found: dict[str, Address] = {}
        own_chain = self.owner.__emco__.chain
        targets = tuple([self.find(self.owner, target) for target in self.targets])
        self._check_leased(targets)
        for target in targets:
            spec = target.__emco__
            shared = 0
            for mine, theirs in zip(own_chain, spec.chain[:-1], strict=False):
                if mine != theirs:
                    break
                shared += mine[1]
            start = spec.length - len(spec.key_fields)
            names = self.options.fixed
            problems = [f"fixed= names {name!r}, which is no key field of {spec.kind}" for name in names
                        if name not in spec.key_fields]  # fmt: skip
            problems += [f"fixed= {name!r}: {problem}" for name in names if (problem := name_problem(names[name]))]
            if problems:
                raise InvalidModel(
                    f"Cannot define {self.owner.__name__}.",
                    why=problems,
                    hint=f"give names to key fields of the target: {', '.join(spec.key_fields)}.",
                    model=self.owner.__name__,
                )
            fixed = {start + spec.key_fields.index(name): value for name, value in self.options.fixed.items()}
            found[spec.kind] = Address(spec.kind, spec.length, shared, fixed)
        self.addresses = found
        self._check_fallback()
        if not self.is_known:
            self.targets = targets
            for target in () if self.owner.__emco__.is_view else targets:
                target.__emco__.referrers.add(self.owner)
        return found

    def _check_leased(self, targets: Sequence[Any]) -> None:
        """Refuse a rule for the end of the lease of what has none.

        Raises:
            InvalidModel: A target is not leased.
        """
        unleased = [target.__name__ for target in targets if target.__emco__.lease is None]
        if self.on_expire is not None and unleased:
            raise InvalidModel(
                f"Cannot define {self.owner.__name__}: on_expire({self.on_expire}).",
                why=[f"{name} has no lease that could end" for name in unleased],
                hint="define the target with lease=timedelta(…), or leave on_expire out.",
                model=self.owner.__name__,
            )

    def _check_fallback(self) -> None:
        """Refuse a default that could not stand where the reference stands, in a referrer of any name.

        Raises:
            InvalidModel: It is of another kind or shape.
        """
        if self.fallback is None:
            return
        chain = self.owner.__emco__.chain
        own = Key.trusted(chain[-1][0], ("-",) * sum(count for _, count in chain))
        try:
            reason = "" if self.bind(self.fallback, own).has_key else "it is no reference here"
        except ValueError as problem:
            reason = str(problem)
        if reason:
            self.addresses = {}
            raise InvalidModel(
                f"Cannot define {self.owner.__name__}: {self.rule} with the default {self.fallback!r:.80}.",
                why=[reason],
                hint="give the field a default that is a reference to its target, or choose another rule.",
                model=self.owner.__name__,
            )


def targets_of(annotation: Any) -> tuple[Any, ...]:
    """Return the targets in the brackets of ``Ref[…]``: classes, or names where they are given as text."""
    args = get_args(annotation)
    if not args:
        return ()
    inner = get_args(args[0]) if not isinstance(args[0], type) and get_args(args[0]) else args
    return tuple(getattr(arg, "__forward_arg__", arg) for arg in inner)
