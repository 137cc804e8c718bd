"""Arguments of the verbs about servers, and their help texts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from emco_store import Durability
from emco_store.cli.verbs import Verb, add_output, add_reading, add_store, examples


def _fill_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", metavar="URL", help="the server; default: what --store names")
    parser.add_argument(
        "--require", choices=tuple(map(str, Durability)), metavar="CLASS",
        help=f"the minimum durability class: {', '.join(Durability)}",
    )  # fmt: skip
    parser.add_argument(
        "--models", metavar="MODULE", help="a Python module with your models: also compare them with what is stored"
    )
    add_output(parser)
    add_store(parser, needs_models=False)


def _fill_namespaces(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", nargs="?", metavar="URL", help="the server; default: what --store names")
    parser.add_argument("--drop", metavar="NAME", help="take this namespace away, with everything in it")
    parser.add_argument("--confirm", metavar="NAME", help="its name once more, for scripts; else the command asks")
    add_output(parser)
    add_store(parser, needs_models=False)


def _fill_segments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", metavar="NAME", help="remove this segment, unless it is needed")
    add_output(parser)
    add_reading(parser)


SERVER_VERBS: Mapping[str, Verb] = {
    "doctor": Verb(
        "examine a server and a namespace on it, and say what to change; writes nothing",
        examples(
            ("emco-store doctor redis://127.0.0.1:6379/0", "server, durability, latency, indexes and records"),
            (
                "emco-store doctor mongodb://h1,h2,h3/?replicaSet=rs0 --require majority",
                "for a script: exit code 0 or 1",
            ),
            ("emco-store doctor --models shop.models", "also whether another service declares a kind differently"),
            ("emco-store doctor -o json", "the store that EMCO_STORE_URL names, for programs"),
        ),
        _fill_doctor,
    ),
    "segments": Verb(
        "show what services declare in a namespace, and what is awaited",
        examples(
            ("emco-store segments", "who owns which kinds"),
            ("emco-store segments --remove reporting", "one that nobody relies on, and whose resources are gone"),
        ),
        _fill_segments,
    ),
    "namespaces": Verb(
        "name the namespaces on a server, or drop one",
        examples(
            ("emco-store namespaces redis://127.0.0.1:6379/0", "those that hold anything"),
            ("emco-store namespaces --drop test-17", "shows what it holds, and asks"),
            ("emco-store namespaces --drop test-17 --confirm test-17", "for scripts"),
        ),
        _fill_namespaces,
    ),
}
