"""OCC-18: concurrent gets on one store, which the backend may send together."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from emco_store.contracts.harness import Lab, Mode
from emco_store.contracts.models import Item
from emco_store.contracts.rules import rule
from emco_store.errors import InvalidResource, NotFound

ROUNDS = 8
Steps = Generator[Any, Any, None]


class SharedGetRules:
    """Gets of many threads or tasks on one store."""

    @rule("OCC-18")
    def test_get_shows_what_was_committed_before_it_began(self, lab: Lab) -> None:
        """A get among others shows whatever was committed before it began (OCC-18)."""
        item = lab.store.create(Item(name="i", rank=0))
        newest = [0]

        def writing(store: Any) -> Steps:
            current = item
            try:
                for rank in range(1, ROUNDS):
                    current = yield store.update(current.model_copy(update={"rank": rank}))
                    newest.append(rank)
                    assert rank == (yield store.get(item)).rank
            finally:
                newest.append(ROUNDS)

        def reading(store: Any) -> Steps:
            while (least := newest[-1]) < ROUNDS:  # looked at once: the writer may end meanwhile
                assert least <= (yield store.get(item)).rank

        replies = lab.together([_call(lab, writing), *[_call(lab, reading)] * 2])

        assert [None] * 3 == replies

    @rule("OCC-18")
    def test_get_that_fails_takes_no_other_along(self, lab: Lab) -> None:
        """Of concurrent gets, those of what is absent or unreadable fail, and all others succeed (OCC-18)."""
        items = [lab.store.create(Item(name=f"i{number}", rank=number)) for number in range(6)]
        broken = lab.store.create(Item(name="broken"))
        lab.tamper(broken.key, b"no document")
        absent = Item(name="absent").key
        wanted = [*items[:2], absent, *items[2:4], broken.key, *items[4:], items[0]]

        replies = lab.together([_get(one) for one in wanted])

        assert [NotFound, InvalidResource] == [type(reply) for reply in (replies[2], replies[5])]
        assert [*items[:4], *items[4:], items[0]] == [reply for reply in replies if isinstance(reply, Item)]
        assert items[0] == lab.store.get(items[0])


def _get(target: Any) -> Callable[[Any], Any]:
    return lambda store: store.get(target)


def _call(lab: Lab, steps: Callable[[Any], Steps]) -> Callable[[Any], Any]:
    """Make a call of steps, which yield what the methods of the store of the mode return."""

    def blocking(store: Any) -> None:
        going, reply = steps(store), None
        with suppress(StopIteration):
            while True:
                reply = going.send(reply)

    async def waiting(store: Any) -> None:
        going, reply = steps(store), None
        with suppress(StopIteration):
            while True:
                reply = await going.send(reply)

    return blocking if lab.bench.mode is Mode.BLOCKING else waiting
