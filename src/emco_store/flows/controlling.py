"""Controllers: what they can be asked, and what their functions may answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from emco_store.core.following import Added, Removed
from emco_store.core.resource import is_model
from emco_store.core.strategies import Backoff
from emco_store.errors import InvalidCall

MOST_WORKERS: Final = 1_000


def check(*, reconcile: Any, also: Any, workers: Any, retry: Any, resync: Any, lease: Any, failed: Any) -> None:
    """Check the arguments of a controller that are its own.

    Raises:
        InvalidCall: One of them cannot be right.
    """
    try:
        functions: dict[Any, Any] = dict(also or {})
    except (TypeError, ValueError):
        functions = {None: None}
    if not callable(reconcile) or not (failed is None or callable(failed)):
        raise _refused("reconcile= or failed= is no function", "give functions.")
    if not all(is_model(kind) and callable(one) for kind, one in functions.items()):
        raise _refused("also= is no map from models to functions", "give one: also={Pod: lambda pod: [pod.app]}.")
    if type(workers) is not int or not 1 <= workers <= MOST_WORKERS:
        raise _refused(f"workers= is {workers!r:.40}", f"give a number from 1 to {MOST_WORKERS:,}.")
    if not isinstance(retry, Backoff):
        raise _refused(f"retry= is {retry!r:.40}", 'give a Backoff, such as Backoff("100ms", 2, "5m").')
    if not isinstance(resync, timedelta) or resync <= timedelta(0):
        raise _refused(f"resync= is {resync!r:.40}", "give a timedelta above 0.")
    if lease is not None and not isinstance(lease, str):
        raise _refused(f"lease= is {lease!r:.40}", "give the name of a seat.")


def checked_answer(answer: Any) -> timedelta | None:
    """Return what the function of a controller has answered.

    Raises:
        InvalidCall: It is neither None nor a time span of 0 or more.
    """
    if answer is None or (isinstance(answer, timedelta) and answer >= timedelta(0)):
        return answer
    raise InvalidCall(
        f"Cannot go on with the answer {answer!r:.80}.",
        why=["the function of a controller returns None, or the time after which it is to be called again"],
        hint="return None, or a timedelta of 0 or more.",
    )


def value_of(news: Added[Any] | Removed[Any]) -> Any:
    """Return the resource that has come or gone."""
    return news.resource if isinstance(news, Added) else news.old


def has_run() -> InvalidCall:
    """Build the error for a controller that has run before."""
    return InvalidCall("Cannot run this controller.", why=["it has run before"], hint="make another one.")


def _refused(why: str, hint: str) -> InvalidCall:
    return InvalidCall("Cannot control with these arguments.", why=[why], hint=hint)
