"""Arguments of the verbs about the feed."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from emco_store.cli.verbs import Verb, add_output, add_reading, examples


def _fill_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", metavar="KIND", help="only resources of this kind; default: all")
    parser.add_argument("--under", metavar="KEY", help="only descendants of this resource, at any depth; needs KIND")
    parser.add_argument(
        "--topic",
        action="append",
        metavar="TOPIC",
        help='only messages of this topic; "orders.*" for all that begin so; may be repeated, and combined with KIND',
    )
    parser.add_argument(
        "--after", metavar="CURSOR", help="continue after the event of this cursor; default: from now on"
    )
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when nothing has come for so long")
    parser.add_argument("--json", action="store_true", help="one JSON value per line, for programs")
    add_reading(parser)


def _fill_consumers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="consumers on the page, 1 to 1000 (100)")
    parser.add_argument("--after", metavar="CURSOR", help="continue after the page that ended with this cursor")
    add_output(parser)
    add_reading(parser)


def _fill_relay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to", required=True, metavar="URL", help="redis://HOST:PORT/DB/STREAM or nats://HOST:PORT/STREAM"
    )
    parser.add_argument("--name", required=True, metavar="NAME", help="the name of the relay, one for each stream")
    parser.add_argument(
        "--topic", action="append", metavar="TOPIC", help="only messages of this topic; may be repeated"
    )
    parser.add_argument("--changes", metavar="TOPIC", help="also send the changes of each commit, under this topic")
    parser.add_argument(
        "--after", metavar="CURSOR", help="where the first start begins; default: the oldest event that is kept"
    )
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when nothing has come for so long")
    add_reading(parser)


FEED_VERBS: Mapping[str, Verb] = {
    "watch": Verb(
        "show what is committed, as it happens",
        examples(
            ("emco-store watch", "everything from now on, until interrupted"),
            ("emco-store watch App --under Project/p1", "the applications of one project"),
            ("emco-store watch --topic 'orders.*' --json", "the messages of some topics, for programs"),
            ("emco-store watch --after CURSOR --idle 0 --json", "what came after an event, for programs"),
        ),
        _fill_watch,
    ),
    "relay": Verb(
        "send the messages of the feed to a stream of Redis or NATS JetStream, each once and in order",
        examples(
            ("emco-store relay --name orders --to redis://127.0.0.1:6379/0/orders", "until interrupted"),
            (
                "emco-store relay --name stock --to nats://127.0.0.1:4222/STOCK --topic stock.*",
                "run it twice: one works, and the other one takes over",
            ),
        ),
        _fill_relay,
    ),
    "consumers": Verb(
        "show where each consumer of the feed stands, what it has skipped, and who works under its name",
        examples(
            ("emco-store consumers", "the consumers of the namespace, in the order of their names"),
            ("emco-store consumers -o json", "for programs"),
        ),
        _fill_consumers,
    ),
}
