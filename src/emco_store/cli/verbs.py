"""What verbs of the command line share: how one is described, and the arguments that many have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from emco_store.backends.schemes import IN_PROCESS

DEFAULT_STORE = "memory://"
FORGETFUL = IN_PROCESS
"""How the URLs of stores begin that start empty and end with the command."""
DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the command line.

    Attributes:
        summary: What it does, in one sentence.
        examples: Commands to copy, each with a comment.
        fill: Adds its arguments to its parser.
    """

    summary: str
    examples: Sequence[tuple[str, str]]
    fill: Callable[[argparse.ArgumentParser], None]


def add_files(parser: argparse.ArgumentParser, *, required: bool, help_text: str) -> None:
    """Add the option that names bundles."""
    parser.add_argument(
        "-f", "--file", action="extend", nargs="+", default=[], required=required, metavar="FILE", help=help_text
    )  # fmt: skip


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how results are written."""
    parser.add_argument(
        "-o", "--output", choices=("table", "json", "yaml"), default="table", help="table, for people, is the default"
    )


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options of a verb that reads: which store, and what is loaded into one that starts empty."""
    parser.add_argument(
        "--load",
        action="extend",
        nargs="+",
        default=[],
        metavar="FILE",
        help="apply these bundles first; only for a store that starts empty, such as memory://",
    )
    add_store(parser)


def add_store(
    parser: argparse.ArgumentParser, *, needs_models: bool = True,
    models_help: str = "a Python module with your models, instead of EMCO's",
) -> None:  # fmt: skip
    """Add the options that name a store."""
    group = parser.add_argument_group("which store")
    group.add_argument(
        "--store",
        default=os.environ.get("EMCO_STORE_URL") or DEFAULT_STORE,
        metavar="URL",
        help=f"where the data is (EMCO_STORE_URL, else {DEFAULT_STORE})",
    )
    group.add_argument(
        "--namespace",
        default=os.environ.get("EMCO_STORE_NAMESPACE") or DEFAULT_NAMESPACE,
        metavar="NAME",
        help=f"(EMCO_STORE_NAMESPACE, else {DEFAULT_NAMESPACE})",
    )
    if needs_models:
        group.add_argument("--models", metavar="MODULE", help=models_help)
        group.add_argument(
            "--actor",
            default=os.environ.get("EMCO_STORE_ACTOR") or None,
            metavar="NAME",
            help="who acts, stored with all that is written (EMCO_STORE_ACTOR)",
        )


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which resources of a kind are meant."""
    parser.add_argument("--under", metavar="KEY", help="only descendants of this resource, at any depth")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a condition; also != < <= > >=, and null as the value; if repeated, all must hold",
    )


def examples(*pairs: tuple[str, str]) -> Sequence[tuple[str, str]]:
    """Return commands to copy, each with its comment."""
    return pairs
