"""Ports that are broken on purpose in how they wait, repeat, group and settle. Some seed must catch each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, Final

from emco_store.backends.batcher import AsyncBatcher, Ticket
from emco_store.backends.redis.fast.multiplexed import Multiplexed
from emco_store.ports import Commit, Hold, Outcome, OutcomeLost, Receipt, Refusal, Request, Settle
from proof.simulated_groups import GroupingPort, PipingPort
from proof.simulated_ports import Design, PlainPort, Site
from proof.simulated_wire import Sharing, SharingPort
from proof.simulation import scenario, simulate

Reply = Receipt | Refusal
WITHIN: Final = 40
"""Number of seeds within which each of them is caught."""


class _LosesWaiters(AsyncBatcher[Any, Any]):
    def finish(self, group: Sequence[Ticket[Any, Any]]) -> None:
        """Wake only those that were served."""
        super().finish([ticket for at, ticket in enumerate(group) if not at or ticket.is_served])


class LosesWaiters(PipingPort):
    """Never wakes members whose leader was cancelled."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._batchers = cycle([_LosesWaiters(members=100, weight=100)])


class _KeepsTheTurn(AsyncBatcher[Any, Any]):
    def _abandon(self, ticket: Ticket[Any, Any]) -> None:
        """Ignore that it may have become the leader."""
        ticket.promise.cancel()


class KeepsTheTurn(PipingPort):
    """Does not pass its turn on if it is cancelled."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._batchers = cycle([_KeepsTheTurn(members=100, weight=100)])


class _Forgets(Multiplexed):
    def _answer(self, reply: Any) -> None:
        """Skip those that no longer wait."""
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        if self._waiting:
            super()._answer(reply)


class AnswersTheNext(SharingPort):
    """Gives the reply of a cancelled commit to the next one."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        sharing = Sharing(self._client)
        sharing.kind = _Forgets
        self._transport = sharing


class AnswersTooSoon(GroupingPort):
    """Answers the members of a group before the commit."""

    async def _carry_out(self, group: Sequence[Ticket[Commit, Reply]]) -> None:
        """Answer, and continue."""
        replies = await self._judge([ticket.request for ticket in group], 1.0)
        for ticket, reply in zip(group[1:], replies[1:], strict=True):
            ticket.answer(reply or Receipt(ticket.request.txid))
            if not ticket.promise.done():
                ticket.promise.set_result(False)
        await super()._carry_out(group)


class AnswersInTheWrongOrder(GroupingPort):
    """Gives each member of a group the answer of another."""

    async def _carry_out(self, group: Sequence[Ticket[Commit, Reply]]) -> None:
        """Answer in reverse order."""
        await super()._carry_out(group)
        with suppress(Exception):
            outcomes = [ticket.outcome() for ticket in group]
            for ticket, outcome in zip(group, reversed(outcomes), strict=True):
                ticket.answer(outcome)


class WritesInHalves(GroupingPort):
    """Writes a group as two transactions."""

    async def _write(self, commits: Sequence[Commit], within_s: float, *, optimistic: bool) -> bool:
        """Write the first half, then the second."""
        half = len(commits) // 2
        if half and not await super()._write(commits[:half], within_s, optimistic=optimistic):
            return False
        await super()._write(commits[half:], within_s, optimistic=optimistic)
        return True


class RepeatsUnderANewName(PlainPort):
    """Sends a commit again under another txid if no answer came."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        try:
            return await super().ask(request)
        except OutcomeLost:
            if not isinstance(request, Commit):
                raise
            return await super().ask(replace(request, txid=f"{request.txid}-again"))


class ResolvesWithoutAFence(PlainPort):
    """Reports a commit as aborted if it has not happened yet."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if not isinstance(request, Settle):
            return await super().ask(request)
        outcomes = self.site.server.outcomes
        return await self.send(request, lambda _: outcomes().get(request.txid, Outcome.ABORTED))


class BelievesALateRefusal(PlainPort):
    """Takes a refusal as final, although an earlier request may still arrive."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._refused: set[str] = set()

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if isinstance(request, Settle) and request.txid in self._refused:
            return Outcome.ABORTED
        reply = await super().ask(request)
        if isinstance(request, Commit) and isinstance(reply, Refusal):
            self._refused.add(request.txid)
        return reply


class HoldsForEver(PlainPort):
    """Takes holds that never expire."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if isinstance(request, Hold):
            request = replace(request, lasts=timedelta(days=3650))
        return await super().ask(request)


class GoesOnWhenCancelled(PlainPort):
    """Cannot be cancelled during a commit."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        try:
            return await super().ask(request)
        except asyncio.CancelledError:
            if not isinstance(request, Commit):
                raise
            return await super().ask(request)


MUTANTS: Final[dict[str, tuple[str, Design, int]]] = {
    "loses those who wait": ("piping", LosesWaiters, 0),
    "keeps the turn": ("piping", KeepsTheTurn, 35),
    "answers the next": ("sharing", AnswersTheNext, 14),
    "answers before the group has ended": ("grouping", AnswersTooSoon, 0),
    "answers in the wrong order": ("grouping", AnswersInTheWrongOrder, 0),
    "writes a group in halves": ("grouping", WritesInHalves, 0),
    "repeats under a new name": ("plain", RepeatsUnderANewName, 0),
    "resolves without a fence": ("plain", ResolvesWithoutAFence, 9),
    "believes a late refusal": ("plain", BelievesALateRefusal, 42),
    "holds for ever": ("plain", HoldsForEver, 6),
    "goes on when cancelled": ("plain", GoesOnWhenCancelled, 0),
}
"""The mutants: each with its sound port, and a seed from which it is caught quickly."""


def caught(name: str, out: Path, *, first: int | None = None, within: int = WITHIN) -> tuple[int, list[str]]:
    """Run seeds until a mutant is caught; return their number and the violations, which are empty if it was not caught.

    Args:
        name: One of :data:`MUTANTS`.
        out: A folder for histories.
        first: The first seed (only seeds of its port count); None for the one that is known to be quick.
        within: Maximum number of seeds.
    """
    base, design, known = MUTANTS[name]
    seeds = count(known if first is None else first)
    fitting = (wanted for wanted in map(scenario, seeds) if wanted.design == base)
    for tried, wanted in enumerate(islice(fitting, within), 1):
        found = simulate(wanted, out, design).violations
        if found:
            return tried, [f"seed {wanted.seed}: {text}" for text in found]
    return within, []
