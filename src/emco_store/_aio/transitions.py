"""``AsyncTransitions``: the calls of lifecycles within one transaction."""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

from emco_store._aio.block import AsyncBlock, Target
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.objections import Objection
from emco_store.flows import callbacks, content, transition_calls, transitions
from emco_store.flows.context import uid_of
from emco_store.flows.lifecycles import lifecycle_of

S = TypeVar("S", bound=Enum)


class AsyncTransitions(AsyncBlock):
    """The part of a transaction that is about lifecycles; :class:`AsyncTransaction` is the whole."""

    async def transition(
        self,
        target: Target,
        step: Transition[S],
        *,
        digest: str | None = None,
        operation: str | None = None,
        note: str = "",
    ) -> LifecycleRecord[S]:
        """Change the state of a resource; see :meth:`AsyncStore.transition`.

        Guards are judged by what the transaction sees, its own writes included. If the call raises, it leaves the
        transaction as it was.
        """
        call = transition_calls.called(
            self._unit.context, target, step, digest=digest, operation=operation, note=note
        )  # fmt: skip
        return await self.make(call)

    async def make(self, call: transition_calls.Call[S]) -> LifecycleRecord[S]:
        """Make a transition whose call was checked before."""
        begun = await self._perform(transitions.begin(self._unit, call))
        objections = await self._asked(begun)
        return await self._perform(transitions.finish(self._unit, begun, objections))

    async def lifecycle(self, target: Target) -> LifecycleRecord[Any]:
        """Read where a resource is in its lifecycle; see :meth:`AsyncStore.lifecycle`."""
        key = self._unit.context.address(target)
        return await self._perform(transitions.look(self._unit, key, uid_of(target)))

    async def digest(self, target: Target) -> str:
        """Return the digest of the content of a resource as the transaction sees it, its own writes included.

        The commit rests on all that was read, so a transition that approves with this digest approves this content.

        Args:
            target: The resource.

        Raises:
            NotFound: The resource does not exist.
            InvalidCall: Resources of this kind have no lifecycle, or its content has more than 10,000 resources.

        Rules: LIF-10, LIF-11.
        """
        context = self._unit.context
        key = context.address(target)
        targets = lifecycle_of(context, key, "take the digest of").spec.targets
        return (await self._perform(content.read(self._unit, key, targets))).digest

    async def _asked(self, begun: transitions.Begun[Any]) -> list[Objection]:
        """Call the functions of ``check(…)``, and return what they say against the transition."""
        objections: list[Objection] = []
        for guard in begun.checks:
            before = transition_calls.written(self._unit)
            answer = await callbacks.awaited_answer(guard.function(self, begun.resource))
            transition_calls.refuse_writes(guard, before, self._unit, has_ended=self.has_ended)
            objections += transition_calls.refused_by(guard, answer)
        return objections
