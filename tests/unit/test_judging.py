"""Judging, poll by poll: when the observer trusts itself, and what it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from emco_store.core.judging import Poll, Watch, judge
from emco_store.core.keys import Key
from emco_store.core.pulses import Pulse
from emco_store.flows.leasing import PAGE, further
from emco_store.ports import PulsePage, Pulses

TTL = timedelta(seconds=15)
S = 1_000_000


def pulse(name, at_s, number=7, ttl=TTL):
    """A pulse that arrived at a second of the server's clock."""
    return Pulse(name, Key.parse(f"Worker/{name}"), number, ttl, round(at_s * S))


def poll(own_s, server_s, *pulses, took_s=0.0, whole=True, server="a"):
    """A poll whose answer came at a second of the own clock."""
    return Poll(round((own_s - took_s) * S), round(own_s * S), round(server_s * S), server, pulses, whole)


def watched(polls, watch=None):
    """Judge polls one after the other, and return the last judgement."""
    watch = Watch() if watch is None else watch
    judgement = None
    for one in polls:
        judgement = judge(watch, one)
        watch = judgement.watch
    return judgement


def calm(until_s, *pulses, start_s=0, shift_s=1000):
    """Polls once a second, without anything unusual."""
    return [poll(at, at + shift_s, *pulses) for at in range(start_s, until_s + 1)]


def names(pulses):
    """The uids of pulses."""
    return [each.uid for each in pulses]


def test_new_observer_ends_nothing_before_it_has_watched_for_a_ttl():
    """SUP-1: what is overdue already when an observer begins is ended once it has kept watch for a TTL."""
    old = pulse("w1", 900)

    assert [] == names(watched(calm(14, old)).ends)
    assert ["w1"] == names(watched(calm(15, old)).ends)


def test_silence_of_less_than_a_ttl_ends_nothing():
    """SUP-1: by the server's time, no beat has come for a TTL."""
    silent = pulse("w1", 1025.5)

    assert [] == names(watched([*calm(39), poll(40, 1040, silent)]).ends)
    assert ["w1"] == names(watched([*calm(39), poll(41, 1041, silent)]).ends)


@pytest.mark.parametrize("step_s", [-20, -1.5, 1.5, 20])
def test_step_of_the_server_begins_the_watch_anew(step_s):
    """SUP-1: a step beyond TTL / 15 makes what was watched before it void."""
    old = pulse("w1", 900)
    before, after = calm(20, old), calm(34, old, start_s=21, shift_s=1000 + step_s)

    assert [] == names(watched([*before, *after]).ends)
    assert ["w1"] == names(watched([*before, *after, poll(37, 1037 + step_s, old)]).ends)


def test_answer_of_another_server_begins_the_watch_anew():
    """SUP-1: what another server answered says nothing of the beats that this one knows; not even if it was slow."""
    old = pulse("w1", 900)
    after = [poll(at, 1000 + at, old, server="b", took_s=2 if at == 21 else 0) for at in range(21, 38)]

    assert [] == names(watched([*calm(20, old), *after[:-1]]).dead)
    assert ["w1"] == names(watched([*calm(20, old), *after]).ends)
    assert watched([*calm(20, old), after[0]]).watch.wants_all


def test_slow_drift_over_the_watch_makes_it_void():
    """SUP-1: the two clocks are compared over the whole of the watch, and not from poll to poll alone."""
    polls = [poll(at, 1000 + at * 1.1, pulse("w1", 900)) for at in range(60)]

    assert [] == names(watched(polls).dead)


def test_gap_between_polls_begins_the_watch_anew():
    """SUP-1: polls are at most TTL / 3 apart."""
    old = pulse("w1", 900)

    assert [] == names(watched([*calm(20, old), *calm(40, old, start_s=26)]).ends)
    assert ["w1"] == names(watched([*calm(20, old), *calm(41, old, start_s=25)]).ends)


def test_poll_that_took_long_counts_as_none():
    """SUP-1: an answer that was on its way for more than TTL / 15 is not judged by, and does not end the watch."""
    old = pulse("w1", 900)
    slow = poll(21, 1021, old, took_s=1.1)

    assert [] == names(watched([*calm(20, old), slow]).dead)
    assert ["w1"] == names(watched([*calm(20, old), slow, poll(22, 1022, old)]).dead)


def test_pulse_from_ahead_is_counted_by_the_own_clock():
    """SUP-1: after the server's clock has gone back, what it dated before is silent from when it is seen."""
    ahead = pulse("w1", 1500)
    polls = calm(14, ahead)

    assert [] == names(watched(polls).dead)
    assert watched(polls).watch.wants_all
    assert ["w1"] == names(watched([*polls, poll(15, 1015, ahead)]).dead)


def test_pulse_from_ahead_that_beats_again_is_counted_by_the_server():
    """SUP-1: the next beat ends the count by the own clock."""
    last = watched([*calm(14, pulse("w1", 1500)), poll(15, 1015, pulse("w1", 1014, number=8))])

    assert ([], {}) == (names(last.dead), dict(last.watch.ahead))


def test_ttls_are_judged_each_by_itself():
    """A gap that is too long for one TTL is none for a longer one."""
    short, long = pulse("w1", 900, ttl=TTL), pulse("w2", 900, ttl=4 * TTL)
    polls = [*calm(70, short, long), *calm(80, short, long, start_s=78)]

    assert ["w2"] == names(watched(polls).dead)


@pytest.mark.parametrize(("all_", "dead", "ends"), [(100, 54, 54), (100, 55, 0), (2, 2, 2), (3, 3, 0)])
def test_brake_is_applied_when_most_look_dead(all_, dead, ends):
    """SUP-5: more than two leases, and at least 55 % of all, are doubted before they are ended."""
    pulses = [pulse(f"w{at}", 900 if at < dead else 1030) for at in range(all_)]

    last = watched([*calm(30), poll(31, 1031, *pulses)])

    assert (dead, ends) == (len(last.dead), len(last.ends))
    assert (ends == 0) == (last.watch.brake is not None)


def test_brake_ends_ten_a_second_after_one_more_ttl():
    """SUP-5: after one more TTL, at most ten leases a second are ended."""
    watch, left, ended = Watch(), [pulse(f"w{at:02}", 900) for at in range(25)], {}
    for at in range(60):
        judgement = judge(watch, poll(at, 1000 + at, *left))
        watch = judgement.watch
        ended |= dict.fromkeys(names(judgement.ends), at)
        left = [each for each in left if each.uid not in ended]

    assert [30] * 10 + [31] * 10 + [32] * 5 == sorted(ended.values())
    assert watch.brake is None


def test_few_that_are_due_do_not_show_how_many_there_are():
    """SUP-5: the share is taken of all leases, so before the third is ended the observer asks for all."""
    due = [pulse(f"w{at}", 900) for at in range(3)]
    polls = [poll(at, 1000 + at, *due, whole=at == 0) for at in range(17)]

    last = watched(polls)

    assert (3, 0, True) == (len(last.dead), len(last.ends), last.watch.wants_all)
    alive = [pulse(f"a{at}", 1016) for at in range(7)]
    assert 3 == len(watched([*polls, poll(16.1, 1016.1, *due, *alive)]).ends)


def test_watch_of_a_day_stays_small():
    """What is remembered of a long watch is little, and still enough for the longest TTL."""
    watch = Watch()
    for at in range(0, 2 * 86_400, 7):
        watch = judge(watch, poll(at, 1000 + at)).watch

    assert len(watch.stretches) < 300
    assert watch.is_kept(86_400 * S)


def test_pages_of_two_servers_have_the_name_of_the_later_one():
    """SUP-1: a poll in the middle of which another server takes over continues no watch."""
    first = PulsePage(1, tuple(pulse(f"a{at}", 900) for at in range(PAGE)), "a", "a7")
    reading = further(first, due=False)

    request = next(reading)
    with pytest.raises(StopIteration) as returned:
        reading.send(PulsePage(2, (pulse("b", 900),), "b"))

    assert Pulses(after="a7", limit=PAGE) == request
    assert PulsePage(1, (*first.pulses, pulse("b", 900)), "b") == returned.value.value
