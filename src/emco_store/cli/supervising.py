"""The verb ``supervise``: end the leases of the dead, and assign their work to workers that are alive."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread, current_thread, main_thread
from typing import NamedTuple, NoReturn

from emco_store import (
    SET_NULL,
    Backoff,
    Escalate,
    Escalation,
    FailureRate,
    InvalidCall,
    Key,
    Reaped,
    Reaper,
    Reassign,
    Recovery,
    Resource,
    Store,
    StoreError,
    Supervised,
    Supervisor,
    by_zone,
    least_loaded,
)
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json
from emco_store.cli.opening import opened
from emco_store.cli.screen import Screen
from emco_store.core.refs import RefSpec
from emco_store.core.strategies import Strategy

STRATEGIES: Mapping[str, Callable[[], Strategy]] = {"backoff": Backoff, "reassign": Reassign, "escalate": Escalate}
RATE = "failure-rate"


class Charge(NamedTuple):
    """Work that can be supervised.

    Attributes:
        worker: The class of the workers.
        operator: The class of the work.
        field: The field that refers to the worker.
    """

    worker: type[Resource]
    operator: type[Resource]
    field: str


def supervise(options: Options, screen: Screen) -> Exit:
    """Supervise everything that the models allow, until it is interrupted."""
    with opened(options, screen) as store:
        charges = charges_of(store)
        crew: list[Supervisor | Reaper] = [_supervisor(options, screen, store, one) for one in charges]
        for one in charges:
            screen.note(f"supervising {one.operator.__name__}.{one.field}, work of {one.worker.__name__}")
        if not charges:
            crew.append(store.reaper(seat_ttl=options.seat_ttl))
            screen.note("no model has a field `recovery: Recovery` beside a reference with on_expire(SET_NULL):")
            screen.note("the leases of the dead are ended, and nothing is assigned")
        with _ended_by_signal():
            _run(crew, lambda done: _tell(options, screen, done))
    return Exit.OK


def charges_of(store: Store) -> list[Charge]:
    """Return what can be supervised: each reference with ``on_expire(SET_NULL)`` in a class that has a ``recovery``."""
    return [
        Charge(worker, operator, field)
        for operator in store.schema.models()
        if (info := operator.model_fields.get("recovery")) is not None
        if isinstance(info.annotation, type) and issubclass(info.annotation, Recovery)
        for field, worker in _assignments(store, operator)
    ]


def _assignments(store: Store, operator: type[Resource]) -> Iterator[tuple[str, type[Resource]]]:
    for field, shape in operator.__emco__.shape.items():
        spec = getattr(shape, "spec", None)
        if isinstance(spec, RefSpec) and spec.on_expire is SET_NULL:
            kinds = [*(spec.addresses or spec.resolve())]
            workers = [store.schema.model_of(kind) for kind in kinds]
            if len(workers) != 1 or workers[0] is None:
                raise InvalidCall(
                    f"Cannot supervise {operator.__name__}.{field}.",
                    why=[f"it may refer to {', '.join(sorted(kinds))}, and a supervisor assigns to one kind"],
                    hint="write a program with a Supervisor for it.",
                )
            yield field, workers[0]


def _supervisor(options: Options, screen: Screen, store: Store, one: Charge) -> Supervisor:
    lacking = [model.__name__ for model in (one.operator, one.worker) if options.zone not in model.model_fields]
    if options.zone is not None and lacking:
        raise InvalidCall(
            f"Cannot assign by {options.zone!r:.80}.",
            why=[f"{name} has no such field" for name in lacking],
            hint="name a field that both classes have.",
        )

    def escalate(case: Escalation) -> None:
        screen.note(f"look at {', '.join(map(str, case.resources))}: {case.reason}")

    return Supervisor(
        store,
        one.worker,
        assign=(one.operator, one.field),
        place=least_loaded if options.zone is None else by_zone(options.zone),
        strategy=_strategy(options),
        stop=options.stop,
        region=_region(options, store),
        escalate=escalate,
        ends_stuck=options.end_stuck,
        stall_after=options.stall_after,
        seat_ttl=options.seat_ttl,
    )


def _strategy(options: Options) -> Strategy:
    if options.strategy == RATE:
        return FailureRate(3 if options.failures is None else options.failures, per=options.per or timedelta(minutes=5))
    if options.failures is not None or options.per is not None:
        raise InvalidCall(
            f"Cannot count failures with --strategy {options.strategy}.",
            why=["--failures and --per say when --strategy failure-rate gives up"],
            hint=f"add --strategy {RATE}, or leave them out.",
        )
    return STRATEGIES[options.strategy]()


def _region(options: Options, store: Store) -> type[Resource] | None:
    if options.region is None:
        return None
    model = store.schema.model_of(options.region)
    if model is None:
        raise InvalidCall(
            f"Cannot restart work together by {options.region!r:.80}.",
            why=["no model has this kind"],
            hint="name the kind of an ancestor of the work.",
        )
    return model


def _run(crew: Sequence[Supervisor | Reaper], tell: Callable[[Supervised | Reaped], None]) -> None:
    """Run supervisors, each in a thread of its own, until one of them fails or the user interrupts.

    Raises:
        StoreError: One of them has failed.
    """
    problems: list[StoreError] = []
    is_over = Event()

    def run(one: Supervisor | Reaper) -> None:
        try:
            one.run(tell)
        except StoreError as problem:
            problems.append(problem)
        finally:
            is_over.set()

    threads = [Thread(target=run, args=(one,)) for one in crew]
    try:
        for thread in threads:
            thread.start()  # an interrupt may come here as well
        is_over.wait()
    finally:
        for one in crew:
            one.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
    for problem in problems:
        raise problem


@contextmanager
def _ended_by_signal() -> Generator[None, None, None]:
    """Let SIGTERM end the block as Ctrl-C does, where this is the main thread, which alone may say so."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(options: Options, screen: Screen, done: Supervised | Reaped) -> None:
    """Show what was done after a look: a line for each change, errors on standard error."""
    reaped = done.reaped if isinstance(done, Supervised) else done
    for event in _events(done, reaped):
        if options.output == "table":
            screen.show("  ".join(event.values()))
        else:
            screen.write(write_json(event, indent=None) + "\n")
    refused: tuple[tuple[Key, StoreError], ...] = reaped.refused
    if isinstance(done, Supervised):
        refused += done.refused
    for _, problem in refused:
        screen.error(problem)


def _events(done: Supervised | Reaped, reaped: Reaped) -> Iterator[dict[str, str]]:
    for key in reaped.ended:
        yield {"what": "ended", "key": str(key)}
    for key in reaped.doubted:
        yield {"what": "doubted", "key": str(key)}
    if isinstance(done, Supervised):
        for key in done.failed:
            yield {"what": "failed", "key": str(key)}
        for key in done.stopped:
            yield {"what": "stopped", "key": str(key)}
        for key, worker in done.assigned:
            yield {"what": "assigned", "key": str(key), "worker": str(worker)}
