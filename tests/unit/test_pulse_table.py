"""The pulses of the memory backend: a look finds what is due, and does not touch the rest."""

from __future__ import annotations

import random
from datetime import timedelta

from emco_store.backends.pulses import PulseTable
from emco_store.core.keys import Key
from emco_store.core.pulses import Heartbeat, Pulse
from emco_store.ports import Pulses

KEY = Key("emco__Lease", "Worker", "w")


def test_looks_find_what_is_due_after_any_beats_and_ends():
    """PUL-4: whatever has beaten, ended or come back under its uid, a look tells exactly what is due, by uid."""
    rng = random.Random(7)
    table, now_us = PulseTable(), 0
    told = 0
    for number in range(1, 3_000):
        uid = f"u{rng.randrange(40):02}"
        if rng.random() < 0.1:
            table.pop(uid, None)
        else:
            ttl = timedelta(microseconds=rng.choice([5, 20, 100]))
            table.beat({uid: Heartbeat(KEY, number if uid in table else 1, ttl)}, now_us)
        now_us += rng.randrange(4)
        expected = sorted(uid for uid, one in table.items() if one.due_us <= now_us)
        some = (uid, "u00", "u01")
        told += len(expected)

        assert expected == [one.uid for one in table.page(Pulses(due=True), now_us).pulses]
        assert [one for one in expected if one in some] == [
            one.uid for one in table.page(Pulses(due=True, uids=some), now_us).pulses
        ]
    assert told > 1_000


def test_look_does_not_touch_those_that_are_not_due():
    """A look over a thousand leases that beat costs as much as one over none."""
    asked: list[str] = []

    class Watched(Pulse):
        @property
        def due_us(self):
            asked.append(self.uid)
            return super().due_us

    table = PulseTable({f"u{at}": Watched(f"u{at}", KEY, 1, timedelta(days=1), 0) for at in range(1000)})
    table["dead"] = Watched("dead", KEY, 1, timedelta(0), 0)
    asked.clear()

    assert ["dead"] == [one.uid for one in table.page(Pulses(due=True), 1).pulses]
    assert {"dead"} == set(asked)
