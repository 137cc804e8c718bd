"""The lifecycles that a store knows: of which kinds, and what to say of the others."""

from __future__ import annotations

from typing import Any

from emco_store.core.keys import Key
from emco_store.errors import InvalidCall
from emco_store.flows.context import Context


def model_of(context: Context, key: Key, what: str) -> Any:
    """Return the model of a kind, where a call cannot do without.

    Args:
        context: The surroundings.
        key: The key of a resource of the kind.
        what: What the call was to do with the resource, such as ``"tell the state of"``.

    Raises:
        InvalidCall: It is not known here.
    """
    model = context.schema.model_of(key.kind)
    if model is None:
        raise InvalidCall(
            f"Cannot {what} {key}.",
            why=[f"this store does not know the model of {key.kind}"],
            hint="open the store with models=[…].",
        )
    return model


def lifecycle_of(context: Context, key: Key, what: str = "tell the state of") -> Any:
    """Return the lifecycle of the resources of a kind.

    Raises:
        InvalidCall: They have none, or their model is not known here.
    """
    lifecycle = model_of(context, key, what).__emco__.lifecycle
    if lifecycle is None:
        raise InvalidCall(
            f"Cannot {what} {key}.",
            why=[f"{key.kind} declares no lifecycle"],
            hint=f"declare one: class {key.kind}(Resource, lifecycle=…).",
        )
    return lifecycle


def refuse_without_lifecycle(context: Context, key: Key) -> None:
    """Refuse a key whose resource can have no history; where the model is not known, it may have one.

    Raises:
        InvalidCall: Its model declares no lifecycle.
    """
    if context.schema.model_of(key.kind) is not None:
        lifecycle_of(context, key, "read the history of")
