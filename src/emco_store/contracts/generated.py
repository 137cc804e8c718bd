"""The test of the versions of a model, with resources of the older one that are generated."""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from hypothesis import HealthCheck, given, reject, settings, strategies as st

from emco_store.contracts.versions import as_stored, check_versions
from emco_store.core.keys import Key
from emco_store.core.kinship import is_kind
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidResource

NAMES: Final = st.text("abc019-_. éß中", min_size=1, max_size=9)
"""Names of resources, in several scripts; those that no resource may have are left out."""


def check_generated_versions(
    older: type[Resource], model: type[Resource], *, examples: int = 200, **fields: st.SearchStrategy[Any]
) -> None:
    """Check that a version of a model reads whatever an older version can have stored; see :func:`check_versions`.

    The resources are generated from the types of the fields, the same in each run. Of one that fails, a small form is
    told. Values that the older version refuses, or that cannot be stored, are left out.

    Args:
        older: The older version of the model.
        model: The newer version.
        examples: How many resources are generated.
        fields: Strategies for fields whose type does not say which values are possible, such as a text with two parts.

    Raises:
        AssertionError: A promise is broken; the text says for which resource.
        InvalidResource: A document cannot be read by the newer version.
        hypothesis.errors.HypothesisException: No resource could be generated: a field needs a strategy.

    Rules: MIG-1, MIG-2.
    """
    st.register_type_strategy(Ref, _references)
    known = {name: _values(older, name) for name in older.model_fields.keys() - fields.keys()} | fields
    optional = {name: one for name, one in known.items() if not older.model_fields[name].is_required()}
    required = {name: one for name, one in known.items() if name not in optional}

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )  # fmt: skip
    @given(st.fixed_dictionaries(required, optional=optional))
    def check(values: dict[str, Any]) -> None:
        try:
            resource = older(**values)
            as_stored(resource)
        except InvalidResource:
            reject()
        check_versions([resource], model)

    check()


def _values(model: type[Resource], name: str) -> st.SearchStrategy[Any]:
    """Return a strategy for a field, from its type and the limits that stand beside it."""
    spec, field = model.__emco__, model.model_fields[name]
    if name == "parent":
        return st.none() if spec.parent is None else _to(spec.parent)
    if name in spec.key_fields and field.annotation is str and not field.metadata:
        return NAMES
    annotation: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return st.from_type(annotation)


def _references(annotation: Any) -> st.SearchStrategy[Ref[Any]]:
    """Return a strategy for references, by the classes or kinds that their type names."""
    targets = [one for target in get_args(annotation) for one in (get_args(target) or (target,))]
    return st.one_of([_to(target) for target in targets])


def _to(target: Any) -> st.SearchStrategy[Ref[Any]]:
    """Return a strategy for references to a kind; of one that is only named, the keys have one name."""
    kind, length = (target.__emco__.kind, target.__emco__.length) if is_kind(target) else (str(target), 1)
    return st.sampled_from([Ref[Any](Key(kind, *[name] * length)) for name in ("a", "b")])
