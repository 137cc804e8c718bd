"""Arguments of the verbs about leases."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import timedelta

from emco_store.cli.verbs import Verb, add_output, add_reading, examples


def _seconds(text: str) -> timedelta:
    """Read a time span.

    Raises:
        ArgumentTypeError: It is no number of seconds above zero.
    """
    try:
        span = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        span = timedelta(0)
    if span <= timedelta(0):
        raise argparse.ArgumentTypeError(f"{text!r:.40} is no number of seconds above zero")
    return span


def _fill_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", nargs="?", metavar="KIND", help="a kind that can be leased, with those that are free; default: all held"
    )
    parser.add_argument("--watch", action="store_true", help="look again each second, until interrupted")
    parser.add_argument(
        "--stall-after", type=_seconds, metavar="SECONDS", help="without progress for so long counts as stuck (4 TTLs)"
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="leases on the page, 1 to 1000 (100)")
    parser.add_argument("--after", metavar="CURSOR", help="continue after the page that ended with this cursor")
    add_output(parser)
    add_reading(parser)


def _fill_expire(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the whole key of the leased resource, for example Worker/w1")
    parser.add_argument("--plan", action="store_true", help="show what would happen, and write nothing")
    parser.add_argument("--reason", metavar="TEXT", help="why, stored with what changes because of it")
    add_output(parser)
    add_reading(parser)


def _fill_supervise(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strategy",
        choices=("backoff", "failure-rate", "reassign", "escalate"),
        default="backoff",
        help="what happens to work that has lost its worker: assigned again after a while (default); at once, but not "
        "if it fails too often; at once; or not",
    )
    parser.add_argument(
        "--failures", type=int, metavar="N", help="with failure-rate: give up when it fails more often within --per (3)"
    )
    parser.add_argument(
        "--per", type=_seconds, metavar="SECONDS", help="with failure-rate: how long failures count (300)"
    )
    parser.add_argument(
        "--zone", metavar="FIELD", help="assign to workers with the same value in this field, if there are any"
    )
    parser.add_argument("--region", metavar="KIND", help="restart all work below one resource of this kind together")
    parser.add_argument("--stop", metavar="FIELD", help="a field of the work that is true where it is not to run")
    parser.add_argument(
        "--stall-after", type=_seconds, metavar="SECONDS", help="without progress for so long counts as stuck (4 TTLs)"
    )
    parser.add_argument("--end-stuck", action="store_true", help="end the leases of workers that are stuck")
    parser.add_argument(
        "--seat-ttl", type=_seconds, metavar="SECONDS", help="how soon another one takes over from one that died (15)"
    )
    add_output(parser)
    add_reading(parser)


LEASE_VERBS: Mapping[str, Verb] = {
    "workers": Verb(
        "show who holds leases, when each was last heard of, and what is assigned to it",
        examples(
            ("emco-store workers", "every lease that is held in the namespace"),
            ("emco-store workers Worker --models farm.models --watch", "all of a kind, again each second"),
            ("emco-store workers -o json", "for programs; with --watch, one JSON value per line"),
        ),
        _fill_workers,
    ),
    "expire": Verb(
        "end the lease of a resource: its holder can write nothing more that requires it",
        examples(
            ("emco-store expire Worker/w1 --plan", "show what becomes of the work that is assigned to it"),
            ('emco-store expire Worker/w1 --reason "node drained"', "end it, whoever holds it"),
        ),
        _fill_expire,
    ),
    "supervise": Verb(
        "end the leases of the dead, and assign their work to workers that are alive, until interrupted",
        examples(
            ("emco-store supervise --models farm.models", "run it twice: one leads, and the other one takes over"),
            ("emco-store supervise --models farm.models --zone zone -o json", "near the data; a line for each change"),
            (
                "emco-store supervise --models farm.models --strategy failure-rate --failures 5",
                "until it fails too often",
            ),
        ),
        _fill_supervise,
    ),
}
