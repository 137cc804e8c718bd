"""OCC-17: nothing comes between the steps of a request: what another client does comes before it or after it.

The harness says with ``inside=`` how to get into a request: either the backend calls :meth:`.pauses.Pauses.point`
between its own steps, or a :class:`.proxy.Proxy` before its server does so with each message. The suite then runs
another client's whole request at every such point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from emco_store.contracts.harness import Lab
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Heartbeat, Seen
from emco_store.core.records import Edge, Record, Seal, Stamp
from emco_store.core.rules import Rule
from emco_store.ports import (
    Beat,
    Beaten,
    Commit,
    Get,
    Hold,
    Outcome,
    OutcomeLost,
    Port,
    PulsePage,
    Pulses,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Release,
    Request,
    Scan,
    Settle,
    Unreachable,
)

MOST: Final = 40
"""More points than any request of the suite has."""
_HOUR: Final = timedelta(hours=1)
_GRACE_S: Final = 0.2
"""After this time the first request goes on: the other one waits for it."""
Replies = tuple[object, object]


class InsideRules:
    """The port itself, while another client's request comes in the middle of one of its own."""

    @rule("OCC-17")
    def test_request_in_the_middle_of_another_comes_before_or_after_it(self, lab: Lab) -> None:
        """Each precondition holds until the commit has written, and each read shows one moment (OCC-17)."""
        passed = 0
        for case in _cases(leases=lab.port.guarantees.leases):
            wanted = [
                _ended(lab, case, f"{case.name}-{order}", partial(_in_turn, lab.port, order)) for order in ("ab", "ba")
            ]
            with lab.inside_of_requests() as (port, pauses):
                for at in range(MOST):
                    found = _ended(lab, case, f"{case.name}-{at}", partial(_inside, lab.port, port, pauses, at))
                    assert found in wanted, f"{case.name}, point {at}: {found} is neither of {wanted}"
                    passed += pauses.passed
                    if pauses.passed <= at:
                        break
                else:
                    raise AssertionError(f"{case.name}: a request has more than {MOST} points")
        assert passed, "no request has passed a point: what the harness gives as inside= leads nowhere"

    @rule("OCC-17")
    def test_connection_that_ends_in_the_middle_of_a_commit_leaves_it_whole(self, lab: Lab) -> None:
        """Wherever a connection is cut, the port says what it knows, and the commit is whole or not at all (OCC-17)."""
        for moment in ("before", "after"):
            with lab.inside_of_requests() as (port, pauses):
                for at in range(MOST):
                    keys = tuple(Key("Item", f"{moment}-{at}-{n}") for n in "ab")
                    commit = Commit(f"{moment}-{at}", dict.fromkeys(keys), puts=tuple(map(_record, keys)))
                    pauses.cut(at, moment)
                    reply = _told(port, commit)
                    outcome = lab.port.ask(Settle(commit.txid))
                    happened = outcome is Outcome.COMMITTED
                    assert (set(keys) if happened else set()) == lab.port.ask(Get(keys)).keys(), (moment, at)
                    assert reply in ({Receipt, OutcomeLost} if happened else {Unreachable, OutcomeLost}), (moment, at)
                    if pauses.passed <= at:
                        break

    @rule("OCC-17")
    def test_message_that_comes_again_later_changes_nothing(self, lab: Lab) -> None:
        """A message that a network delivers once more, after others have written, is as if it had not come (OCC-17)."""
        with lab.inside_of_requests() as (port, pauses):
            for at in range(MOST):
                prefix = f"late-{at}"
                assert isinstance(lab.port.ask(Commit(f"{prefix}-before", puts=(_record(_x(prefix)),))), Receipt)
                pauses.keep(at)
                assert Receipt(f"{prefix}-a") == port.ask(_update(prefix, "a"))
                passed = pauses.disarm()
                newest = replace(_record(_x(prefix)), version=3, document=b'{"by":"b"}')
                commit = Commit(f"{prefix}-b", {newest.key: Stamp("uid-x", 2)}, puts=(newest,))
                assert Receipt(commit.txid) == lab.port.ask(commit)
                pauses.again()
                (left,) = lab.port.ask(Get((newest.key,))).values()
                assert (3, newest.document) == (left.version, left.document), f"point {at}: an old message came through"
                if passed <= at:
                    break


@dataclass(frozen=True, slots=True)
class _Case:
    """Two requests that must not come in between each other.

    Attributes:
        name: What the first rests on.
        before: What was committed before.
        first: The request at whose points the other comes.
        other: The other.
        already: What was asked after that.
        then: What the other client asks at once after its request.
        probe: What is asked at the end, beside the records.
    """

    name: str
    before: Callable[[str], tuple[Record, ...]]
    first: Callable[[str], Request[Any]]
    other: Callable[[str], Request[Any]]
    already: Callable[[str], Request[Any]] | None = None
    then: Callable[[str], Request[Any]] | None = None
    probe: Callable[[str], Request[Any]] | None = None


def _cases(*, leases: bool) -> Iterator[_Case]:
    one: Callable[[str], tuple[Record, ...]] = lambda p: (_record(_x(p)),)  # noqa: E731 - short texts of one table
    two: Callable[[str], tuple[Record, ...]] = lambda p: (_record(_x(p)), _record(_y(p)))  # noqa: E731 - so is this
    none: Callable[[str], tuple[Record, ...]] = lambda _: ()  # noqa: E731 - and this
    refer: Callable[[str], Commit] = lambda p: Commit(  # noqa: E731 - and this
        f"{p}-refer", {_y(p): None}, require=frozenset({_x(p)}), puts=(_record(_y(p), _x(p)),)
    )
    remove: Callable[[str], Commit] = lambda p: Commit(  # noqa: E731 - and this
        f"{p}-remove", {_x(p): Stamp("uid-x", 1)}, sealed={_x(p): Seal("uid-x", 0)}, deletes=(_x(p),)
    )
    both: Callable[[str], Commit] = lambda p: Commit(f"{p}-both", puts=tuple(_newer(r) for r in two(p)))  # noqa: E731 - and this
    yield _Case("version", one, lambda p: _update(p, "a"), lambda p: _update(p, "b"))
    yield _Case("absence", none, lambda p: _create(p, "a"), lambda p: _create(p, "b"))
    yield _Case("existence", one, refer, remove)
    yield _Case("guard", one, remove, refer)
    yield _Case("unique", none, lambda p: _claim(p, _x(p)), lambda p: _claim(p, _y(p)))
    yield _Case("txid", one, refer, lambda p: Settle(f"{p}-refer"))
    yield _Case("settlement", one, lambda p: Settle(f"{p}-refer"), refer)
    yield _Case("repeat", one, refer, refer)
    yield _Case("get", two, lambda p: Get((_x(p), _y(p))), both)
    yield _Case("scan", two, lambda p: Scan(None, f"Item/{p}-"), both)
    yield _Case("referrers", one, lambda p: ReferrerQuery((_x(p),), load=(_x(p),)), refer)
    yield _Case(
        "release", one, lambda p: Release("a", (_x(p),)), lambda p: replace(_update(p, "a"), holder="a"),
        already=lambda p: Hold("a", (_x(p),), _HOUR), then=lambda p: Hold("b", (_x(p),), _HOUR),
        probe=lambda p: Commit(f"{p}-probe", {_x(p): Stamp("uid-x", 2)}, puts=(_newer(_newer(_record(_x(p)))),)),
    )  # fmt: skip
    if leases:
        pulse: Callable[[str], Pulses] = lambda p: Pulses(uids=(_lease(p).uid,))  # noqa: E731 - and this
        lease: Callable[[str], tuple[Record, ...]] = lambda p: (_lease(p),)  # noqa: E731 - and this
        end: Callable[[str], Commit] = lambda p: Commit(f"{p}-end", deletes=(_lease(p).key,))  # noqa: E731 - and this
        yield _Case("fence", lease, lambda p: replace(_create(p, "a"), fenced={_lease(p).key: _lease(p).uid}), end)
        yield _Case(
            "silence", lease, lambda p: replace(end(p), silent={_lease(p).key: Seen(_lease(p).uid, 1)}),
            lambda p: _beat(p, 2), already=lambda p: _beat(p, 1), probe=pulse,
        )  # fmt: skip
        yield _Case("beat", lease, lambda p: _beat(p, 2), end, already=lambda p: _beat(p, 1), probe=pulse)


def _ended(lab: Lab, case: _Case, prefix: str, run: Callable[..., Replies]) -> Any:
    """Run the two requests of a case, and return how all of it ended."""
    before = case.before(prefix)
    if before:
        assert isinstance(lab.port.ask(Commit(f"{prefix}-before", puts=before)), Receipt)
    if case.already is not None:
        lab.port.ask(case.already(prefix))
    others = [ask(prefix) for ask in (case.other, case.then) if ask is not None]
    replies = run(case.first(prefix), *others)
    found = None if case.probe is None else _plain(lab.port.ask(case.probe(prefix)))
    left = lab.port.ask(Get((_x(prefix), _y(prefix), _lease(prefix).key)))
    state = tuple(sorted((key.name[-1], one.version, one.guard, one.document) for key, one in left.items()))
    return *map(_plain, replies), found, state


def _in_turn(port: Port, order: str, first: Request[Any], *others: Request[Any]) -> Replies:
    """Send the requests of one client after those of the other."""
    replies = {name: port.ask(first) if name == "a" else _followed(port, first, *others) for name in order}
    return replies["a"], replies["b"]


def _followed(port: Port, first: Request[Any], *others: Request[Any]) -> object:
    """Send the other requests, and look whether what the first one writes can be seen after them."""
    reply, *_ = [port.ask(one) for one in others]
    keys = tuple(put.key for put in first.puts) if isinstance(first, Commit) else ()
    return _plain(reply), _shown(port.ask(Get(keys)).values())


def _inside(direct: Port, port: Port, pauses: Pauses, at: int, *requests: Request[Any]) -> Replies:
    """Send the other requests at a point of the first; after it if the first has fewer points."""
    first, *others = requests
    replies: list[object] = []

    def send() -> None:
        replies.append(_followed(direct, first, *others))

    thread = threading.Thread(target=send, daemon=True)

    def come_between() -> None:
        thread.start()
        thread.join(_GRACE_S)

    pauses.arm(at, come_between)
    reply = port.ask(first)
    if pauses.disarm() <= at:
        thread.start()
    thread.join()
    return reply, replies[0]


def _plain(reply: object) -> object:
    """Return a reply without the names of its case."""
    if isinstance(reply, Refusal):
        return "refused", tuple(sorted(type(failure).__name__ for failure in reply.failures))
    if isinstance(reply, Receipt):
        return "receipt"
    if isinstance(reply, Beaten):
        return "lapsed" if reply.lapsed else "beaten"
    if isinstance(reply, ReferrerPage):
        return _shown(reply.records.values()), _shown(reply.referrers)
    if isinstance(reply, RecordPage | PulsePage):
        return _shown(reply.records) if isinstance(reply, RecordPage) else tuple(one.number for one in reply.pulses)
    return _shown(reply.values()) if isinstance(reply, Mapping) else reply


def _shown(records: Any) -> tuple[object, ...]:
    return tuple(sorted((one.key.name[-1], one.version, one.guard) for one in records))


def _told(port: Port, commit: Commit) -> object:
    """Return the class of the reply, or of the error that a port may raise."""
    try:
        return type(port.ask(commit))
    except (OutcomeLost, Unreachable) as problem:
        return type(problem)


def _x(prefix: str) -> Key:
    return Key("Item", f"{prefix}-x")


def _y(prefix: str) -> Key:
    return Key("Item", f"{prefix}-y")


def _record(key: Key, *targets: Key) -> Record:
    edges = tuple([Edge(target, ("one",), Rule.RESTRICT) for target in targets])
    return Record(key, f"uid-{key.name[-1]}", 1, b"{}", edges, (), (), 1, 1)


def _newer(record: Record, document: bytes = b"{}") -> Record:
    return replace(record, version=record.version + 1, document=document)


def _lease(prefix: str) -> Record:
    return replace(_record(Key(LEASE, "Item", f"{prefix}-x")), uid=f"lease-{prefix}")


def _beat(prefix: str, number: int) -> Beat:
    return Beat({_lease(prefix).uid: Heartbeat(_lease(prefix).key, number, _HOUR)})


def _update(prefix: str, by: str) -> Commit:
    record = _record(_x(prefix))
    put = _newer(record, b'{"by":"%b"}' % by.encode())
    return Commit(f"{prefix}-{by}", {record.key: record.stamp}, puts=(put,))


def _create(prefix: str, by: str) -> Commit:
    put = replace(_record(_x(prefix)), document=b'{"by":"%b"}' % by.encode())
    return Commit(f"{prefix}-{by}", {put.key: None}, puts=(put,))


def _claim(prefix: str, key: Key) -> Commit:
    put = replace(_record(key), unique=(("serial", prefix),))
    return Commit(f"{key.name}-claim", {key: None}, puts=(put,))
