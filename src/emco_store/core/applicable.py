"""What all plans have in common: what speaks against them, and what applying them returns."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from emco_store.errors import StoreError

T_co = TypeVar("T_co", covariant=True)


class Applicable(Generic[T_co]):
    """A plan: what a call would do, as of the moment of planning; ``store.apply(plan)`` carries it out.

    Attributes:
        refusal: The error with which ``store.apply(plan)`` refuses it; None where nothing speaks against it.
    """

    __slots__ = ()
    refusal: StoreError | None


class Prepared(Applicable[T_co]):
    """A plan that has its commit with it; the commit is sent as it was prepared, or not at all.

    Attributes:
        commit: The commit that the backend would get.
        foresees: The errors that planning rules out: if the commit meets one, something has changed since.
    """

    __slots__ = ()
    foresees: ClassVar[tuple[type[StoreError], ...]] = ()
    commit: Any

    @property
    def figures(self) -> T_co:
        """What ``store.apply(plan)`` returns."""
        raise NotImplementedError
