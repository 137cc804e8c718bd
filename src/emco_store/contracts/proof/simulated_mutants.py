"""Ports that are broken on purpose in how they wait, repeat, group and settle: each must be caught within some seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from emco_store.backends.mongo.aio import Member
from emco_store.contracts.proof.simulated_groups import GroupingPort, PipingPort
from emco_store.contracts.proof.simulated_ports import Design, PlainPort, Site
from emco_store.contracts.proof.simulation import Scenario, scenario, simulate
from emco_store.ports import Commit, Hold, Outcome, OutcomeLost, Receipt, Refusal
from emco_store.turns import AsyncTurns, Ticket

Reply = Receipt | Refusal
WITHIN: Final = 40
"""So many seeds are enough to catch any of them."""


class _LosesWaiters(AsyncTurns[Any, Any]):
    def leave(self, group: Sequence[Ticket[Any, Any]]) -> None:
        """Wake those only that were served."""
        super().leave([ticket for at, ticket in enumerate(group) if not at or ticket.is_served])


class LosesWaiters(PipingPort):
    """Leaves those waiting whose leader was cancelled."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._turns = _LosesWaiters(members=100, weight=100)


class _KeepsTheTurn(AsyncTurns[Any, Any]):
    def _abandon(self, ticket: Ticket[Any, Any]) -> None:
        """Do nothing about the turn that it may have been given."""
        ticket.promise.cancel()


class KeepsTheTurn(PipingPort):
    """Takes its turn along when it is cancelled."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._turns = _KeepsTheTurn(members=100, weight=100)


class AsksAgainAfterACut(PipingPort):
    """Sends a commit again that went with somebody who was interrupted, and believes the second answer alone."""

    async def commit(self, commit: Commit) -> Reply:
        """Ask until there is an answer."""
        while True:
            ticket = Ticket[Sequence[Any], Any]((commit,))
            if await self._turns.is_first(ticket):
                group = self._turns.take(ticket)
                try:
                    await self._carry_out(group)
                finally:
                    self._turns.leave(group)
            if ticket.is_served:
                return await _answered(ticket)


async def _answered(ticket: Ticket[Sequence[Any], Any]) -> Reply:
    try:
        reply: Reply = ticket.outcome()
    except Exception:  # noqa: BLE001 - whatever it was, there is no answer
        raise OutcomeLost from None
    return reply


class AnswersTooSoon(GroupingPort):
    """Tells the members of a group what will become of them, before it has."""

    async def _carry_out_together(self, group: Sequence[Ticket[Member, Reply]]) -> None:
        """Answer, and go on."""
        replies = await self._judge([ticket.request.commit for ticket in group], 1.0)
        for ticket, reply in zip(group[1:], replies[1:], strict=True):
            ticket.answer(reply or Receipt(ticket.request.commit.txid))
            ticket.promise.set_result(False)
        await super()._carry_out_together(group)


class AnswersInTheWrongOrder(GroupingPort):
    """Gives each member of a group the answer of another."""

    async def _carry_out_together(self, group: Sequence[Ticket[Member, Reply]]) -> None:
        """Answer, and turn the answers round."""
        await super()._carry_out_together(group)
        with suppress(Exception):
            outcomes = [ticket.outcome() for ticket in group]
            for ticket, outcome in zip(group, reversed(outcomes), strict=True):
                ticket.answer(outcome)


class WritesInHalves(GroupingPort):
    """Writes a group as two transactions."""

    async def _write(self, statements: Sequence[Any], within_s: float) -> bool:
        """Write the first half, then the second."""
        half = len(statements) // 2
        if half and not await super()._write(statements[:half], within_s):
            return False
        await super()._write(statements[half:], within_s)
        return True


class RepeatsUnderANewName(PlainPort):
    """Sends a commit again as another one when no answer came."""

    async def commit(self, commit: Commit) -> Reply:
        """Commit, and perhaps commit again."""
        try:
            return await super().commit(commit)
        except OutcomeLost:
            return await super().commit(replace(commit, txid=f"{commit.txid}-again"))


class ResolvesWithoutAFence(PlainPort):
    """Says that a commit is aborted when it has not happened yet."""

    async def settle(self, txid: str) -> Outcome:
        """Look, and leave no mark."""
        outcomes = self.site.server.outcomes
        return await self._send("settle", txid, lambda _: outcomes().get(txid, Outcome.ABORTED))


class BelievesALateRefusal(PlainPort):
    """Takes a refusal for the last word, though what was sent before it may still arrive."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._refused: set[str] = set()

    async def commit(self, commit: Commit) -> Reply:
        """Commit, and remember refusals."""
        reply = await super().commit(commit)
        if isinstance(reply, Refusal):
            self._refused.add(commit.txid)
        return reply

    async def settle(self, txid: str) -> Outcome:
        """Settle what was not refused."""
        return Outcome.ABORTED if txid in self._refused else await super().settle(txid)


class HoldsForEver(PlainPort):
    """Begins holds that do not end by themselves."""

    async def hold(self, hold: Hold) -> None:
        """Hold for ten years."""
        await super().hold(replace(hold, lasts=timedelta(days=3650)))


class GoesOnWhenCancelled(PlainPort):
    """Does not let itself be cancelled in the midst of a commit."""

    async def commit(self, commit: Commit) -> Reply:
        """Commit, and commit again when it is cancelled."""
        try:
            return await super().commit(commit)
        except asyncio.CancelledError:
            return await super().commit(commit)


MUTANTS: Final[dict[str, tuple[str, Design]]] = {
    "loses those who wait": ("piping", LosesWaiters),
    "keeps the turn": ("piping", KeepsTheTurn),
    "asks again after a cut": ("piping", AsksAgainAfterACut),
    "answers before the group has ended": ("grouping", AnswersTooSoon),
    "answers in the wrong order": ("grouping", AnswersInTheWrongOrder),
    "writes a group in halves": ("grouping", WritesInHalves),
    "repeats under a new name": ("plain", RepeatsUnderANewName),
    "resolves without a fence": ("plain", ResolvesWithoutAFence),
    "believes a late refusal": ("plain", BelievesALateRefusal),
    "holds for ever": ("plain", HoldsForEver),
    "goes on when cancelled": ("plain", GoesOnWhenCancelled),
}
"""The ways to be broken, each with the port that it is a broken form of."""


def caught(name: str, out: Path, *, first: int = 0, within: int = WITHIN) -> tuple[int, list[str]]:
    """Run seeds until a mutant is caught; give how many it took, and what was found: nothing where it was not.

    Args:
        name: One of :data:`MUTANTS`.
        out: A folder for histories.
        first: The first seed; only those of its port count.
        within: How many seeds to try.
    """
    base, design = MUTANTS[name]
    tried = 0
    seed = first
    while tried < within:
        wanted: Scenario = scenario(seed)
        seed += 1
        if wanted.design != base:
            continue
        tried += 1
        found = simulate(wanted, out, design).violations
        if found:
            return tried, [f"seed {wanted.seed}: {text}" for text in found]
    return tried, []
