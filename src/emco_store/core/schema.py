"""Schema: the models that one store knows, by the name of their kind."""

from __future__ import annotations

from typing import Any

from emco_store.core.keys import Key
from emco_store.core.kinship import connected, is_defined_again
from emco_store.core.reserved import is_reserved
from emco_store.core.resource import Resource, is_model
from emco_store.core.specs import ModelSpec
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, InvalidModel


class Schema:
    """The models of one store.

    A store learns a model when it first meets it, together with everything that hangs together with it: its
    ancestors, children, targets and referrers. Naming models up front is needed only where nothing leads to them. Where
    a class was defined again, the newest definition counts, and one that was used itself before one that was met.

    Args:
        models: Models to know from the start.

    Raises:
        InvalidModel: Two of the models have the same kind, and are not definitions of the same class.
    """

    def __init__(self, models: Any = ()) -> None:
        self._models: dict[str, type[Resource]] = {}
        self._used: dict[str, type[Resource]] = {}
        try:
            given = iter(models)
        except TypeError:
            raise InvalidCall(
                f"Cannot learn models from {models!r:.80}.",
                why=["it is not a list or another iterable"],
                hint="give the classes in a list.",
            ) from None
        for model in given:
            self.learn(model)

    def learn(self, model: Any) -> ModelSpec:
        """Take over a model and what hangs together with it, and return its specification.

        Raises:
            InvalidCall: It is no resource class, or an abstract one.
            InvalidModel: Another model has its kind.
        """
        spec: ModelSpec | None = getattr(model, "__emco__", None)
        if spec is not None and self._used.get(spec.label) is model:
            return spec
        if not is_model(model):
            raise InvalidCall(
                f"Cannot use {model!r:.100} as a model.",
                why=["it is not the class of a resource, or an abstract one"],
                hint="use a subclass of Resource.",
            )
        label = model.__emco__.label
        self._check_newer(model, self._used.get(label))
        if self._models.get(label, model) is not model:
            self._used.clear()  # what was used before is looked at again, beside this one
        for found in connected([model]):
            self._meet(found)
        self._models[label] = model
        self._check_kin(model)
        self._used[label] = model
        return model.__emco__

    def _meet(self, model: type[Resource]) -> None:
        """Take over a model that another one leads to, unless one of its kind was used itself, or is newer."""
        spec = model.__emco__
        known = self._models.get(spec.label)
        if known is None or (spec.label not in self._used and _rank(known) < _rank(model)):
            self._models[spec.label] = model

    def _check_newer(self, model: type[Resource], known: type[Resource] | None) -> None:
        """Refuse a model beside another one that is in use, unless it is the newer definition of the same class."""
        if known is None or known is model:
            return
        is_again = is_defined_again(known, model)
        if is_again and known.__emco__.number < model.__emco__.number:
            return
        why = "this is an earlier definition of the same class" if is_again else "one store has one model of a kind"
        raise InvalidModel(
            f"Cannot use {model.__module__}.{model.__qualname__} in this store.",
            why=[
                f"{known.__module__}.{known.__qualname__} is the model of the kind {model.__emco__.kind} already; {why}"
            ],
            hint="use the newer class; get() values of the earlier one again."
            if is_again
            else "use one of them: a view where another service owns the kind, its own class where this one does."
            if known.__emco__.is_view or model.__emco__.is_view
            else "rename one of them, or give it another kind=.",
            model=model.__name__,
        )

    def _check_kin(self, model: type[Resource]) -> None:
        """Refuse a model whose parent or target was defined again since, with another key."""
        spec = model.__emco__
        parents = () if spec.parent is None else (spec.parent,)
        for kin in (*parents, *(target for target in spec.targets() if is_model(target))):
            current = self._models[kin.__emco__.label]
            is_said = current.__emco__.length and kin.__emco__.length  # a view may leave it to the owner
            if is_said and current.__emco__.chain != kin.__emco__.chain:
                raise InvalidModel(
                    f"Cannot use {model.__module__}.{model.__qualname__} in this store.",
                    why=[f"it was defined for an earlier {kin.__name__}, whose keys had another form"],
                    hint=f"define {model.__name__} again, after {kin.__name__}.",
                    model=model.__name__,
                )

    def model_of(self, kind: str) -> type[Resource] | None:
        """Return the model by which a kind is written; None when this store does not know one, or has a view of it."""
        return _owned(self._models.get(kind))

    def model_at(self, key: Key) -> type[Resource] | None:
        """Return the model by which a record is written; statuses of one kind have a model for each writer."""
        return _owned(self.reader_at(key))

    def reader_of(self, kind: str) -> type[Resource] | None:
        """Return the model or the view by which a kind is read; None when this store does not know one."""
        return self._models.get(kind)

    def reader_at(self, key: Key) -> type[Resource] | None:
        """Return the model or the view by which a record is read; see :meth:`model_at`."""
        return self._models.get(key.kind) or self._models.get(f"{key.kind}/{key.name}")

    def view_of(self, kind: str) -> type[Resource] | None:
        """Return the view of a kind; None where there is none, or a model."""
        found = self._models.get(kind)
        return found if found is not None and found.__emco__.is_view else None

    def models(self) -> tuple[type[Resource], ...]:
        """Return all models and views of resources, by the name of their kind."""
        return tuple(self._models[kind] for kind in sorted(self._models) if not is_reserved(kind))

    def check_key(self, key: Key) -> None:
        """Refuse a key that no resource of its kind can have.

        Raises:
            InvalidCall: It has too many or too few names.
        """
        model = self._models.get(key.kind)
        if model is None:
            return
        spec = model.__emco__
        if spec.length and len(key.segments) != spec.length:
            names = [f"{kind}'s {number}" if number > 1 else kind for kind, number in spec.chain]
            raise InvalidCall(
                f"{key} is not a key of {key.kind}.",
                why=[f"it has {count(len(key.segments), 'name')}, a key of {key.kind} has {spec.length}"],
                hint=f"give the names of: {', '.join(names)}.",
            )


def _rank(model: type[Resource]) -> tuple[bool, int]:
    """Return the order in which models that a store only meets are preferred: the owner's, then the newest."""
    return not model.__emco__.is_view, model.__emco__.number


def _owned(model: type[Resource] | None) -> type[Resource] | None:
    return None if model is None or model.__emco__.is_view else model
