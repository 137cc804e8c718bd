"""Pulses on Redis: what is sent, and what the replies mean; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from emco_store.backends.redis.commands import Rest
from emco_store.core.keys import Key
from emco_store.core.pulses import Pulse
from emco_store.errors import Misconfigured, StoreError
from emco_store.ports import Beat, Beaten, PulsePage, Pulses

_US = timedelta(microseconds=1)


def beat_args(beat: Beat) -> list[str | bytes | int]:
    """Write beats as the arguments of ``beat.lua``."""
    args: list[str | bytes | int] = []
    for uid, one in beat.beats.items():
        args += (uid, one.number, one.ttl // _US, f"{one.key.text}\n{one.progress}")
    return args


def beat_reply(reply: Sequence[int | bytes]) -> Beaten:
    """Read the reply of ``beat.lua``."""
    at_us, *lapsed = reply
    return Beaten(int(at_us), frozenset([uid.decode() for uid in lapsed if isinstance(uid, bytes)]))


def pulses_args(pulses: Pulses) -> Rest:
    """Write the query for pulses as the arguments of ``pulses.lua``."""
    head = ("1" if pulses.due else "", pulses.limit, pulses.after)
    if pulses.uids is None:
        return (*head, "all")
    return (*head, "some", *sorted(uid for uid in set(pulses.uids) if uid > pulses.after))


def pulses_reply(pulses: Pulses, reply: Sequence[int | bytes]) -> PulsePage:
    """Read the reply of ``pulses.lua``.

    Raises:
        Misconfigured: A pulse is none that a store has written.
    """
    at_us, *rest = reply
    server, *found = [part for part in rest if isinstance(part, bytes)]
    some = tuple(_pulses(found))
    return PulsePage(int(at_us), some, server.decode(), some[-1].uid if len(some) == pulses.limit else None)


def _pulses(rest: Sequence[bytes]) -> Iterator[Pulse]:
    for at in range(0, len(rest), 2):
        uid = rest[at].decode()
        try:
            head, key, progress = rest[at + 1].decode().split("\n", 2)
            number, ttl_us, at_us = map(int, head.split(" "))
            yield Pulse(uid, Key.parse(key), number, ttl_us * _US, at_us, progress)
        except (ValueError, StoreError) as problem:
            raise Misconfigured(
                f"Cannot read the pulse of the lease {uid}.",
                why=["its value is none that a store has written"],
                hint="check the store and repair what it finds; see that nobody else writes to this namespace.",
                setting="namespace",
            ) from problem
