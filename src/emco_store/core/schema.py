"""Schema: the models that one store knows, by the name of their kind."""

from __future__ import annotations

from typing import Any

from emco_store.core.keys import Key
from emco_store.core.resource import Resource, is_model
from emco_store.core.specs import connected
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, InvalidModel


class Schema:
    """The models of one store.

    A store learns a model when it first meets it, together with everything that hangs together with it: its
    ancestors, children, targets and referrers. Naming models up front is needed only where nothing leads to them.

    Args:
        models: Models to know from the start.

    Raises:
        InvalidModel: Two of the models have the same kind.
    """

    def __init__(self, models: Any = ()) -> None:
        self._models: dict[str, type[Resource]] = {}
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

    def learn(self, model: Any) -> None:
        """Take over a model and what hangs together with it; does nothing for one that is known.

        Raises:
            InvalidCall: It is no resource class, or an abstract one.
            InvalidModel: Another model has its kind.
        """
        spec = getattr(model, "__emco__", None)
        if spec is not None and self._models.get(spec.kind) is model:
            return
        if not is_model(model):
            raise InvalidCall(
                f"Cannot use {model!r:.100} as a model.",
                why=["it is not the class of a resource, or an abstract one"],
                hint="use a subclass of Resource.",
            )
        for found in connected([model]):
            kind = found.__emco__.kind
            known = self._models.setdefault(kind, found)
            if known is not found:
                raise InvalidModel(
                    f"Cannot use {found.__module__}.{found.__qualname__} in this store.",
                    why=[f"{known.__module__}.{known.__qualname__} is the model of the kind {kind} already"],
                    hint="rename one of them, or give it another kind=.",
                    model=found.__name__,
                )

    def model_of(self, kind: str) -> type[Resource] | None:
        """Give the model of a kind; None when this store does not know one."""
        return self._models.get(kind)

    def models(self) -> tuple[type[Resource], ...]:
        """Give all models, by the name of their kind."""
        return tuple(self._models[kind] for kind in sorted(self._models))

    def check_key(self, key: Key) -> None:
        """Refuse a key that no resource of its kind can have.

        Raises:
            InvalidCall: It has too many or too few names.
        """
        model = self._models.get(key.kind)
        if model is not None and len(key.segments) != model.__emco__.length:
            names = [f"{kind}'s {number}" if number > 1 else kind for kind, number in model.__emco__.chain]
            raise InvalidCall(
                f"{key} is not a key of {key.kind}.",
                why=[f"it has {count(len(key.segments), 'name')}, a key of {key.kind} has {model.__emco__.length}"],
                hint=f"give the names of: {', '.join(names)}.",
            )
