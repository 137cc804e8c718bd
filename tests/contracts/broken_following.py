"""Followers and caches that are broken on purpose, each in one way: FEED-12 and FEED-13 must catch every one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from emco_store.core.following import Copy
from emco_store.core.keys import Key
from emco_store.core.lookups import Lookups
from emco_store.core.records import Stamp
from emco_store.core.work_queues import WorkQueue
from emco_store.errors import FeedGap
from emco_store.flows import following, watching
from emco_store.flows.asking import Flow
from emco_store.flows.caching import UNKNOWN
from emco_store.flows.context import Context
from emco_store.flows.following import Following, Step

_STEP = following.step
_TAKE = Copy._take
_END = Copy.end
_DONE = WorkQueue.done


def watch_from_now(context: Context, asked: Following, after: str, wait: timedelta) -> Flow[Step]:
    """Begin to read the feed where it stands after the list, and not where it stood before: the known edge."""
    begun: list[Following] = getattr(watch_from_now, "begun", [])
    watch_from_now.begun = begun  # type: ignore[attr-defined]
    if not any(one is asked for one in begun):
        begun.append(asked)
        after = yield from watching.end()
    return (yield from _STEP(context, asked, after, wait))


def go_on_after_a_gap(context: Context, asked: Following, after: str, wait: timedelta) -> Flow[Step]:
    """Go on from now, without a list."""
    try:
        return (yield from _STEP(context, asked, after, wait))
    except FeedGap:
        return Step((yield from watching.end()), {}, {}, is_empty=True, is_end=True)


def load_nothing_new(context: Context, asked: Following, after: str, wait: timedelta) -> Flow[Step]:
    """Tell events as if everything that they are about were gone."""
    step = yield from _STEP(context, asked, after, wait)
    return step._replace(found={})


def forget_the_gone(copy: Copy[Any], cursor: str) -> list[Any]:
    """Keep what a list after a gap does not show."""
    copy._unseen = set()
    return _END(copy, cursor)


def tell_again(copy: Copy[Any], key: Key, item: Any) -> Any:
    """Tell what was told already, whenever it is read."""
    copy.resources.pop(key, None)
    return _TAKE(copy, key, item)


def take_any(_: Following, __: Any) -> bool:
    """Keep what no longer meets the conditions."""
    return True


def take_namesakes(_: Any) -> str:
    """Take a namesake for the resource itself."""
    return ""


def take_numbers(value: Any) -> tuple[int, int]:
    """Take a resource of the same version for unchanged, whichever it is, and one of no version."""
    return value.meta.version // 2, 0


def tell_resources_only(copy: Copy[Any], touched: Mapping[Key, Any], found: Mapping[Key, Any]) -> list[Any]:
    """Tell nothing of states."""
    return [one for key in touched for one in copy._take(key, found.get(key))]


# caches


def wait_for_nothing(*_: Any) -> dict[Any, Any]:
    """Take every write for seen."""
    return {}


def stay_in_place(lookups: Lookups[Any], text: str) -> None:
    """Leave what is gone in the indexes."""
    lookups._resources.pop(text, None)


def forget_conditions(_: Any, target: Any) -> Stamp:
    """Wait until the cache shows what no longer meets its conditions."""
    meta = getattr(target, "meta", None)
    return UNKNOWN if meta is None else Stamp(meta.uid, 0)


def no_age(_: Any) -> None:
    """Let a copy become as old as it will."""


def refuse_nothing(*_: Any, **__: Any) -> None:
    """Answer from a copy that nobody keeps true."""


# controllers


def note_nothing(_: Any) -> None:
    """Do not know what a call has written."""


def forget_failures(queue: WorkQueue, key: Key, now_s: float, *, has_failed: bool, again_s: float | None) -> None:
    """Take a failure for the end of it, and begin again without a pause."""
    _DONE(queue, key, now_s, has_failed=False, again_s=now_s if has_failed else again_s)
