"""Views: what one service reads of a kind that another service owns."""

from __future__ import annotations

from typing import Any, Final

from emco_store.core.definition import UNSAID, refused_class
from emco_store.core.keys import Key, kind_problem
from emco_store.core.naming import PREFIX
from emco_store.core.reserved import is_reserved
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall

_OF_THE_OWNER: Final = {
    "kind": "of= names the kind",
    "on_parent_delete": "the rule is the owner's, and is stored with each resource",
    "lifecycle": "only the owner moves it through its states",
    "trail": "a view writes nothing",
    "lease": "only the owner leases it",
    "indexes": "a view writes no index, so a list that relied on one would miss resources",
}
"""Class arguments of resources that a view cannot have, each with the reason."""


class View(Resource, abstract=True, extra="ignore"):
    """The base class of views: some fields of a kind that another service owns, to be read and never written.

    Fields of a document that the view does not declare are ignored, so the owner may add and remove them. A view can be
    the target of references, the parent of kinds, and the model in every call that reads. A call that would write a
    resource of its kind is refused before anything is asked.

    Class arguments:
        of: The name of the kind.
        parent: The class of the parent, or a view of it; None for a root. Where it is left out, the view reads
            resources of its kind wherever they lie; it then cannot be a parent, and references to it are whole keys.
        key: The fields that form the resource's own part of the key, where ``parent`` is given. Default ``("name",)``.
        abstract: True for a base class that only shares fields.

    Raises:
        InvalidModel: The class cannot work; raised when it is defined.
        InvalidResource: A stored document does not have the declared fields; raised when it is read.

    Rules: VIEW-1 to VIEW-5.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the class argument of views out, as :class:`Resource` does with its own."""
        super().__init_subclass__(**{name: value for name, value in kwargs.items() if name != "of"})

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, of: str | None = None, parent: Any = UNSAID, key: Any = None, abstract: bool = False, **kwargs: Any
    ) -> None:
        """Compile the class; see the class arguments of :class:`View`."""
        if abstract:
            super().__pydantic_init_subclass__(abstract=True, **kwargs)
            return
        problems = [f"{name}=: {why}" for name, why in _OF_THE_OWNER.items() if name in kwargs]
        problems += _problems(of)
        if parent is UNSAID and key is not None:
            problems.append("key= belongs to a place; say parent= too, with None for a root")
        if problems:
            raise refused_class(cls, problems)
        is_placed = parent is not UNSAID
        own = ("name",) if key is None else key
        super().__pydantic_init_subclass__(
            parent=parent if is_placed else None, key=own if is_placed else (), kind=of, _is_view=True, **kwargs
        )


def _problems(of: Any) -> list[str]:
    if not isinstance(of, str):
        return [f"of={of!r:.80} is not the name of a kind"]
    problem = kind_problem(of)
    if problem:
        return [f"of={of!r:.80}: {problem}"]
    if is_reserved(of):
        return [f"of={of!r:.80}: kinds whose names begin with {PREFIX!r} are the store's own"]
    return []


def refuse_write(what: str, view: type[Resource], key: Key | None = None) -> None:
    """Refuse to write a resource of a kind that is known by a view.

    Args:
        what: What was to be done, such as ``"create"``.
        view: The view.
        key: The key of the resource, where there is one.

    Raises:
        InvalidCall: Always.

    Rules: VIEW-3.
    """
    kind = view.__emco__.kind
    raise InvalidCall(
        f"Cannot {what} {key or f'this {view.__name__}'}.",
        why=[f"{view.__name__} is a view of {kind}, which another service owns"],
        hint=f"ask the service that owns {kind}; or use its own class here, and not a view.",
    )
