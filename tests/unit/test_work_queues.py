"""The queue of a controller, in virtual time: no key twice at once, none dropped, back-off, order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from emco_store.core.keys import Key
from emco_store.core.work_queues import Task, WorkQueue

A, B = KEYS = (Key("Site", "a"), Key("Site", "b"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 1), st.integers(0, 3)),
        st.tuples(st.just("take")),
        st.tuples(st.just("done"), st.booleans(), st.one_of(st.none(), st.integers(0, 5))),
        st.tuples(st.just("pass"), st.integers(1, 4)),
    ),
    max_size=60,
)


class DropsWhatComesAgain(WorkQueue):
    """Takes a key that comes while it is worked on for one that waits already."""

    def add(self, key, due_s):
        """Add it, unless it is worked on."""
        if key not in self._busy:
            super().add(key, due_s)


class WorksTwice(WorkQueue):
    """Gives a key to a second worker."""

    def add(self, key, due_s):
        """Add it, whoever works on it."""
        busy, self._busy = self._busy, {}
        super().add(key, due_s)
        self._busy = busy


def play(queue, steps):
    """Do what the steps say, and see that every key that was added is taken after that, by one worker at a time."""
    now, busy, owed, wait = 0, [], {}, {}
    for name, *arguments in [*steps, *end()]:
        if name == "pass":
            now += arguments[0]
        elif name == "add":
            key, due = KEYS[arguments[0]], now + arguments[1]
            queue.add(key, due)
            owed[key] = min(owed.get(key, due), due)
        elif name == "take" and (task := queue.take(now)) is not None:
            assert task.key not in busy
            assert owed.pop(task.key) <= now
            assert wait.get(task.key, 0) == task.failures
            busy.append(task.key)
        elif name == "done" and busy:
            key, has_failed, again = busy.pop(0), *arguments
            queue.done(key, now, has_failed=has_failed, again_s=None if again is None else now + again)
            if has_failed:
                wait[key] = wait.get(key, 0) + 1
                owed[key] = now + 2 ** (wait[key] - 1)
            else:
                wait.pop(key, None)
                if again is not None:
                    owed[key] = min(owed.get(key, now + again), now + again)
    assert not owed
    assert 0 == len(queue)


def end():
    """Yield steps after which nothing is left to do."""
    for _ in range(200):
        yield from [("done", False, None), ("pass", 1 << 40), ("take",)]
    yield "done", False, None
    yield "done", False, None


def make(kind=WorkQueue):
    """Return a queue that waits a second after the first failure, then two, four, and so on."""
    return kind(lambda failures: 2**failures)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_queue_gives_each_key_once_at_a_time_and_drops_none(steps):
    """What is added is worked on after that, by one worker, after failures a while later (FEED-14)."""
    play(make(), steps)


@pytest.mark.parametrize("kind", [DropsWhatComesAgain, WorksTwice])
def test_broken_queue_is_noticed(kind):
    """A key that comes while it is worked on is neither dropped nor given to another worker (FEED-14)."""
    with pytest.raises(AssertionError):
        play(make(kind), [("add", 0, 0), ("take",), ("add", 0, 0), ("take",), ("done", False, None)])


def test_keys_come_in_the_order_in_which_they_are_due():
    """The key that has been due for longest is first; the earlier of two times counts (FEED-14)."""
    queue = make()
    queue.add(A, 5.0)
    queue.add(B, 3.0)
    queue.add(A, 2.0)
    queue.add(A, 9.0)

    assert 2.0 == queue.next_s()
    assert queue.take(1.9) is None
    assert [Task(A, 0), Task(B, 0), None] == [queue.take(10.0) for _ in range(3)]


def test_change_after_a_failure_counts_at_once():
    """A key that waits after a failure is taken at once when it changes; the failures still count (FEED-14)."""
    queue = make()
    queue.add(A, 0.0)
    queue.take(0.0)
    queue.add(A, 0.0)
    queue.done(A, 1.0, has_failed=True)
    assert queue.take(1.5) is None
    queue.add(A, 1.5)

    assert Task(A, 1) == queue.take(1.5)
