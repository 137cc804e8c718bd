"""``Resource``: the base class of all models, and what is compiled from one when it is defined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeGuard, cast

from pydantic import (
    BaseModel,
    GetJsonSchemaHandler,
    PydanticUserError,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import CoreSchema

from emco_store.core.definition import (
    CLASS_ARGUMENTS,
    class_problems,
    has_own_arguments,
    is_parametrized,
    refuse_subclass_of_a_kind,
    refused_class,
)
from emco_store.core.evolution import Steps, evolution
from emco_store.core.keys import MAX_NAME_LENGTH, NAME_PATTERN, Key, key_below, name_problem, pattern_of
from emco_store.core.kinship import is_kind
from emco_store.core.meta import Lineage, Meta
from emco_store.core.refs import Ref, key_of
from emco_store.core.rules import RESTRICT, Rule
from emco_store.core.shapes import bind_field
from emco_store.core.specs import ModelSpec, undefined
from emco_store.core.trails import Trail
from emco_store.errors import InvalidCall, InvalidModel, InvalidResource

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass  # it has no public name
else:
    ModelMetaclass = type(BaseModel)


_set = object.__setattr__
_OWN = ("_edited", "_meta")
"""What a resource carries beside its fields."""


class _ResourceMeta(ModelMetaclass):
    """Batcher pydantic's error at construction into ours, so that a caller meets one class of error."""

    if not TYPE_CHECKING:

        def __call__(cls, *args, **kwargs):  # noqa: ANN002, ANN003, ANN204, N805 - a metaclass; the model's signature counts
            try:
                if not cls.__pydantic_complete__ and is_kind(cls):
                    cls.__emco__.complete()
                return super().__call__(*args, **kwargs)
            except ValidationError as problem:
                raise invalid_resource(cls.__name__, problem) from problem
            except PydanticUserError as problem:
                raise undefined(cls, problem) from problem


class Resource(BaseModel, metaclass=_ResourceMeta, frozen=True, extra="forbid", ser_json_inf_nan="constants"):
    """The base class of resources: a frozen pydantic model with a place in a hierarchy.

    Class arguments:
        parent: The class of the parent; none for a root.
        key: The fields that form the resource's own part of the key. Default ``("name",)``.
        on_parent_delete: ``RESTRICT`` (default), ``PROTECT`` or ``CASCADE``.
        kind: The name of the kind. Default: the name of the class.
        lifecycle: The class of its lifecycle; none where the resource has no states.
        lease: How long a lease of such a resource counts as alive after a beat, 1 second to 1 day; none where it cannot
            be leased.
        trail: ``Trail(keep=…, days=…)``: each write adds an entry to a trail. Default: none.
        abstract: True for a base class that only shares fields and is not a kind.
        indexes: The fields of further indexes, each a name or several: ``[("region", "state", "meta.created_at")]``.
        extra: ``"forbid"`` (default) refuses unknown fields in input, ``"allow"`` keeps them.
        model_version: The version of the model, 1 (default) to 10,000; see the fields that :func:`since` marks.
        steps: ``{n: function}``: what makes a document of version n out of one of version n - 1, where they differ. The
            functions take and return the values of a document, and read nothing else. None: such a document is not read
            any more.
        readable_by: The least version that can read what this one writes while it uses no newer field. Default: the
            newest version with a step.

    Attributes:
        name: The resource's own name, unique under its parent.
        parent: A reference to the parent, None for a root.

    Raises:
        InvalidModel: The class cannot work; raised when it is defined.
        InvalidResource: The data is not acceptable; raised when an instance is made.

    Rules: ID-1 to ID-5, REF-1, BAD-1, MIG-1, MIG-2.
    """

    # A private attribute of pydantic would cost each instance a call for each class that it descends from.
    __slots__ = ("_edited", "_meta")
    __emco__: ClassVar[ModelSpec]
    if TYPE_CHECKING:
        _edited: bool
        _meta: Meta

    name: str
    if TYPE_CHECKING:
        parent: Ref[Any]
    else:
        parent: Ref[Any] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Hand on the class arguments of mixins; ``__pydantic_init_subclass__`` reads the others later."""
        others = {name: value for name, value in kwargs.items() if name not in CLASS_ARGUMENTS}
        if others and not has_own_arguments(cls, Resource):
            raise refused_class(cls, [f"unknown class arguments: {', '.join(sorted(others))}"])
        super().__init_subclass__(**others)

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        parent: type[Resource] | None = None,
        key: Any = ("name",),
        on_parent_delete: Rule = RESTRICT,
        kind: str | None = None,
        lifecycle: Any = None,
        trail: Trail | None = None,
        lease: timedelta | None = None,
        indexes: Any = (),
        model_version: int = 1,
        steps: Steps = MappingProxyType({}),
        readable_by: int | None = None,
        abstract: bool = False,
        _writer: str = "",
        _is_view: bool = False,
        **kwargs: Any,
    ) -> None:
        """Compile the class; see the class arguments of :class:`Resource`."""
        super().__pydantic_init_subclass__(**kwargs)
        refuse_subclass_of_a_kind(cls)
        if abstract or is_parametrized(cls):
            return
        key_fields = (
            (key,) if isinstance(key, str) else tuple(cast("Iterable[str]", key)) if isinstance(key, Iterable) else ()
        )
        kind = kind or cls.__name__
        problems = class_problems(
            cls, kind, key_fields, parent=parent, on_parent_delete=on_parent_delete, lifecycle=lifecycle, trail=trail,
            lease=lease, writer=_writer, is_view=_is_view, versions=(model_version, steps, readable_by),
        )  # fmt: skip
        if problems:
            raise refused_class(cls, problems)
        above = parent.__emco__.chain if parent is not None else ()
        cls.__emco__ = ModelSpec(
            model=cls,
            kind=kind,
            parent=parent,
            key_fields=key_fields,
            chain=(*above, (kind, len(key_fields))),
            on_parent_delete=Rule(on_parent_delete),
            lifecycle=lifecycle,
            trail=trail,
            lease=lease,
            declared=_declared(cls, indexes),
            evolution=evolution(
                model_version, steps, readable_by, key_fields, extra=cls.model_config.get("extra"), is_view=_is_view
            ),
            writer=_writer,
            is_view=_is_view,
            base=Resource,
            checks=frozenset[Any]({cls._place}),  # pyright: ignore[reportUnhashable]  # a function by now
        )
        _enter(cls, cls.__emco__)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        """Return the JSON schema: a child has its parent, a root has none."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        spec = getattr(cls, "__emco__", None)
        if spec is not None:
            _schema_of_place(handler.resolve_ref_schema(schema), spec)
        return schema

    @model_validator(mode="after")
    def _place(self, info: ValidationInfo) -> Self:
        """Check the place in the hierarchy, and make short references full."""
        if not hasattr(self, "__emco__"):  # which its class has; pydantic makes looking into the class itself dear
            message = f"{type(self).__name__} is abstract"
            raise ValueError(message)
        place(self, info.context)
        return self

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resource):
            return NotImplemented
        return super().__eq__(other) and getattr(self, "_meta", None) == getattr(other, "_meta", None)

    @classmethod
    def model_construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """See :meth:`pydantic.BaseModel.model_construct`; a store validates the values before it writes them."""
        made = super().model_construct(_fields_set, **values)
        _set(made, "_edited", True)  # noqa: FBT003 - the setter of every object
        return made

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """See :meth:`pydantic.BaseModel.model_copy`; a store validates the update before it writes it."""
        copied = super().model_copy(update=update, deep=deep)
        if update:
            _set(copied, "_edited", True)  # noqa: FBT003 - see above
        return copied

    def __copy__(self) -> Self:
        cls = type(self)
        if cls.__private_attributes__:
            return self._hand_on(super().__copy__())
        copied = cls.__new__(cls)  # as pydantic does it, in half the time: each update begins with a copy
        extra = self.__pydantic_extra__
        _set(copied, "__dict__", self.__dict__.copy())
        _set(copied, "__pydantic_extra__", None if extra is None else extra.copy())
        _set(copied, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        _set(copied, "__pydantic_private__", None)
        return self._hand_on(copied)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._hand_on(super().__deepcopy__(memo))

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "_own": {name: getattr(self, name) for name in _OWN if hasattr(self, name)}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        own = state.pop("_own")
        super().__setstate__(state)
        for name, value in own.items():
            _set(self, name, value)

    def _hand_on(self, other: Self) -> Self:
        for slot in _SLOTS:
            try:
                value = slot.__get__(self)
            except AttributeError:
                continue
            slot.__set__(other, value)
        return other

    @property
    def key(self) -> Key:
        """The key of the resource, formed from its parent's key and its own key fields."""
        spec = type(self).__emco__
        if not spec.length and self.is_stored:
            return self._meta.key
        try:
            return _key_of(spec, vars(self))
        except ValueError as problem:
            raise InvalidResource(
                f"The {type(self).__name__} has no key.", why=[str(problem)], hint="correct it.", key=None,
                problems=(str(problem),),
            ) from problem  # fmt: skip

    @property
    def ref(self) -> Ref[Self]:
        """A reference to this resource."""
        return Ref(self.key)

    @property
    def is_stored(self) -> bool:
        """Whether this value came from a store and so has a ``meta``."""
        return _is_set(_META, self)

    @property
    def meta(self) -> Meta:
        """What the store knows about the resource.

        Raises:
            InvalidCall: It was never stored.
        """
        if not self.is_stored:
            raise InvalidCall(
                f"Cannot give the meta of this {type(self).__name__}.",
                why=["it was never stored"],
                hint="take the value that create() gives back.",
            )
        return self._meta


_SLOTS = _EDITED, _META = tuple(Resource.__dict__[name] for name in _OWN)


def _enter(cls: type[Resource], spec: ModelSpec) -> None:
    """Compile the annotations of a class, if all of them can be resolved, and let its parent lead to it."""
    if cls.__pydantic_complete__:
        try:
            spec.compile()
        except InvalidModel:
            del cls.__emco__  # nobody may find it by the name of its kind
            raise
    if spec.parent is not None and not spec.is_view:
        spec.parent.__emco__.children.add(cls)


def _declared(cls: type[Resource], indexes: Any) -> tuple[tuple[str, ...], ...]:
    """Return the fields of each index that a class declares."""
    try:
        several = [indexes] if isinstance(indexes, str) else [*indexes]
        return tuple((fields,) if isinstance(fields, str) else tuple(map(str, fields)) for fields in several)
    except TypeError:
        reason = f"indexes={indexes!r:.80} is not a list of names of fields, or of several such names"
        raise refused_class(cls, [reason]) from None


def _is_set(slot: Any, resource: Resource) -> bool:
    """Return whether a resource carries something; ``hasattr`` would ask pydantic, which takes ten times as long."""
    try:
        slot.__get__(resource)
    except AttributeError:
        return False
    return True


attach: Callable[[Resource, Meta], None] = _META.__set__
"""Says what the store knows of a resource."""


def is_edited(resource: Resource) -> bool:
    """Return whether values may have been put into a resource that its model has not validated."""
    return _is_set(_EDITED, resource)


def place(resource: Resource, lineage: Any = None) -> Key:
    """Check the place of a resource in the hierarchy, make its short references full, and return its key.

    Args:
        resource: The resource, whose fields have been validated.
        lineage: What its document does not say; anything else where the resource says all itself.

    Raises:
        ValueError: It has no such place, or a reference cannot be made full.
    """
    spec, values = resource.__emco__, vars(resource)
    if spec.writer:
        _name_by_writer(spec.writer, values)
    own = _inherited(resource, spec, values, lineage) if type(lineage) is Lineage else _key_of(spec, values)
    if not spec.is_complete:
        spec.complete()
    for name, node, known in spec.plain:
        old = values[name]
        if old is not None:
            # A default may be text.
            values[name] = (known.get(old.text) if type(old) is Ref else None) or bind_field(
                name, node, old, own, values
            )
    for name, node in spec.nodes:
        old = values[name]
        if old is not None:
            values[name] = bind_field(name, node, old, own, values)
    return own


def _schema_of_place(schema: dict[str, Any], spec: ModelSpec) -> None:
    """Write into the JSON schema of a model what its place in the hierarchy demands.

    The schema of a name refuses no name that can be one; :func:`name_problem` refuses more.
    """
    properties, required = schema["properties"], schema.setdefault("required", [])
    for name in spec.key_fields:
        properties[name] |= {"minLength": 1, "maxLength": MAX_NAME_LENGTH, "pattern": NAME_PATTERN}
    if spec.parent is None:
        properties["parent"] = {"type": "null", "title": "Parent"}
        return
    above = spec.parent.__emco__
    properties["parent"] = {
        "type": "string",
        "title": "Parent",
        "pattern": pattern_of(above.kind, above.length),
        "description": f"The key of the parent, of the kind {above.kind}.",
    }
    if "parent" not in required:
        required.append("parent")


def _name_by_writer(writer: str, values: dict[str, Any]) -> None:
    """Fill in the name of a status, which is that of its writer."""
    if values["name"] not in {"", writer}:
        message = f"at name: the status has the name of its writer, {writer!r}"
        raise ValueError(message)
    values["name"] = writer


def _key_of(spec: ModelSpec, values: dict[str, Any]) -> Key:
    if not spec.length:
        message = (
            f"a view of {spec.kind} without parent= does not say where it lies, so it has a key only if it was read"
        )
        raise ValueError(message)
    parent = values["parent"]
    if spec.parent is None:
        if parent is not None:
            message = f"at parent: {spec.kind} is a root kind and has no parent"
            raise ValueError(message)
        above: tuple[str, ...] = ()
    elif parent is None:
        message = f"at parent: it lies under {spec.parent_kind}; give its parent as parent="
        raise ValueError(message)
    else:
        key = key_of(parent)
        if key is None:
            key = Key.parse(parent.text)
            values["parent"] = Ref[Any](key)
        above = key.segments
        if key.kind != spec.parent_kind or len(above) + len(spec.key_fields) != spec.length:
            message = f"at parent: {key} is not a key of {spec.parent_kind}"
            raise ValueError(message)
    names = spec.key_fields
    own = (values[names[0]],) if len(names) == 1 else spec.own_in(values)
    try:
        found = key_below(spec.kind, above, own)
    except TypeError:  # a value that cannot be hashed is no name
        found = None
    if found is None:
        problems = zip(names, map(name_problem, own))  # noqa: B905 - made of the same
        message = next(f"at {name}: {problem}" for name, problem in problems if problem)
        raise ValueError(message)
    return found


def _inherited(resource: Resource, spec: ModelSpec, values: dict[str, Any], lineage: Lineage) -> Key:
    """Set the parent of a resource that was read from a document, and return its key."""
    parent, key = lineage.parent, lineage.key
    if parent is not None:
        values["parent"] = parent
        resource.__pydantic_fields_set__.add("parent")
    if key is not None and not spec.length:
        return key
    if key is None or len(key.segments) != spec.length or (parent is None and values["parent"] is not None):
        return _key_of(spec, values)
    if spec.own_in(values) != spec.own_of(key.segments):
        message = f"the document says that its key is {_key_of(spec, values)}"
        raise ValueError(message)
    return key


@lru_cache(maxsize=10_000)
def parent_of(kind: str, segments: tuple[str, ...]) -> Ref[Any]:
    """Return the reference to a parent; the same few are asked for again and again."""
    return Ref(Key.trusted(kind, segments))


def validated_key(resource: Resource) -> Key:
    """Return the key of a resource that was just validated."""
    return _key_of(resource.__emco__, vars(resource))


def is_model(value: object) -> TypeGuard[type[Resource]]:
    """Return whether it is the class of a kind; see :func:`emco_store.core.kinship.is_kind`."""
    return is_kind(value)


def invalid_resource(name: str, problem: ValidationError, key: Key | None = None) -> InvalidResource:
    """Turn pydantic's error into ours: the path and the reason of each problem, never the value."""
    problems: list[str] = []
    for error in problem.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(step) for step in error["loc"])
        reason = error["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {reason}" if where else reason.removeprefix("at "))
    return InvalidResource(
        f"Cannot make the {name}{f' {key}' if key else ''}.",
        why=problems,
        hint="correct the data.",
        key=key,
        problems=tuple(problems),
    )
