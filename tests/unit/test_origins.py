"""Origins: what is accepted, how it is stored, and for whom a block of ``acting`` holds."""

from __future__ import annotations

import asyncio
import threading
from enum import StrEnum

import pytest
from hypothesis import given, strategies as st

from emco_store.core.origins import MAX_NAME, MAX_REASON, NOBODY, Origin, origin_of, read_origin, write_origin
from emco_store.errors import InvalidCall
from emco_store.flows.acting import Acting, Actors

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def acting(actors: Actors, actor: str | None = None, reason: str | None = None, operation: str | None = None) -> Acting:
    """Make a block."""
    return Acting(actors, actor=actor, reason=reason, operation=operation)


@given(TEXTS, TEXTS, TEXTS)
def test_origin_that_is_written_and_read_is_the_same(actor, reason, operation):
    """WHO-1: no part of an origin can be taken for another one."""
    origin = Origin(actor, reason, operation)

    assert origin == read_origin(write_origin(origin))


def test_nobody_is_stored_as_nothing():
    """WHO-1: what nobody has said takes no room."""
    assert b"" == write_origin(NOBODY)
    assert b'["alice"]' == write_origin(Origin("alice"))
    assert NOBODY is read_origin(b"")


def test_origin_of_a_newer_program_is_read_as_far_as_it_is_known():
    """WHO-1: a further part does not make a record unreadable."""
    assert Origin("a", "b", "c") == read_origin(b'["a","b","c",{"d":1}]')


@pytest.mark.parametrize("text", [b"[1]", b'{"actor":"a"}', b'"alice"', b"null", b"[", b'["a",null]'])
def test_text_that_is_no_origin_is_refused(text):
    """BAD-8: what another program has put there is not guessed at."""
    with pytest.raises((TypeError, ValueError)):
        read_origin(text)


@pytest.mark.parametrize(
    "actor", ["", " ", "a\nb", "a\0", "\x1b[31m", "\ud800", "a" * (MAX_NAME + 1), b"alice", 7, ["a"]]
)
def test_actor_that_is_no_printable_text_is_refused(actor):
    """WHO-4: an actor is text of 1 to 253 printable characters."""
    with pytest.raises(InvalidCall):
        origin_of(actor, None, None)


@pytest.mark.parametrize(
    ("reason", "operation"),
    [("x" * (MAX_REASON + 1), None), ("\0", None), ("\ud800", None), (7, None), (None, "\n"), (None, "x" * 254)],
)
def test_reason_or_operation_that_cannot_be_stored_is_refused(reason, operation):
    """WHO-4: so are a reason and an operation that are too long, or hold control characters."""
    with pytest.raises(InvalidCall):
        origin_of(None, reason, operation)


def test_texts_of_every_script_are_accepted():
    """WHO-4: a reason may have several lines and any script; an enum counts as its value."""

    class Who(StrEnum):
        ALICE = "alice@example.org"

    origin = origin_of(Who.ALICE, "first\nsecond\tمی‌خواهم 👩‍💻", "$where: {0} %s")

    assert ("alice@example.org", "first\nsecond\tمی‌خواهم 👩‍💻", "$where: {0} %s") == origin
    assert type(origin.actor) is str


def test_inner_block_keeps_what_it_does_not_say():
    """WHO-2: blocks are nested, and each ends where it ends."""
    actors = Actors(Origin("service"))

    with acting(actors, reason="CHG-7"):
        with acting(actors, "alice", operation="op-1"):
            assert Origin("alice", "CHG-7", "op-1") == actors.origin
            with acting(actors, reason=""):
                assert Origin("alice", "", "op-1") == actors.origin
        assert Origin("service", "CHG-7") == actors.origin
    assert Origin("service") == actors.origin


def test_block_of_one_store_is_none_of_another():
    """WHO-3: the block of one store says nothing about another."""
    one, other = Actors(), Actors(Origin("other"))

    with acting(one, "alice"), acting(other, reason="r"):
        assert (Origin("alice"), Origin("other", "r")) == (one.origin, other.origin)


def test_block_ends_when_an_exception_leaves_it():
    """WHO-2: whoever comes after it does not act in its name."""
    actors = Actors()

    with pytest.raises(KeyError), acting(actors, "alice"):
        raise KeyError

    assert NOBODY == actors.origin


def test_threads_and_tasks_act_for_themselves():
    """WHO-3: what one task or thread does is never done in the name of another."""
    actors, seen = Actors(), []

    async def one(name: str) -> list[str]:
        with acting(actors, name):
            names = []
            for _ in range(3):
                await asyncio.sleep(0)
                names.append(actors.origin.actor)
            return names

    async def both() -> list[list[str]]:
        return await asyncio.gather(one("a"), one("b"))

    assert [["a"] * 3, ["b"] * 3] == asyncio.run(both())
    with acting(actors, "alice"):
        thread = threading.Thread(target=lambda: seen.append(actors.origin))
        thread.start()
        thread.join()
    assert [NOBODY] == seen


def test_block_may_end_in_another_context():
    """WHO-2: a fixture may begin it in one context and end it in a copy of that."""
    actors = Actors()
    block = acting(actors, "alice")

    async def end() -> Origin:
        block.__exit__(None, None, None)
        return actors.origin

    block.__enter__()
    assert NOBODY == asyncio.run(end())
    block.__exit__(None, None, None)
    assert NOBODY == actors.origin
