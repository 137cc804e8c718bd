"""Arguments of the verbs that count, change one resource, and complete commands."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from emco_store.cli.verbs import Verb, add_reading, add_where, examples


def _fill_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="a kind of resources, for example App")
    add_where(parser)
    add_reading(parser)


def _fill_patch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key, for example App/p1/web")
    parser.add_argument(
        "values", nargs="+", metavar="FIELD=VALUE",
        help="the value as JSON, or as text if it is none or does not fit; null sets it to null",
    )  # fmt: skip
    parser.add_argument("--if-version", type=int, metavar="N", help="only if it has this version")
    add_reading(parser)


def _fill_edit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key, for example App/p1/web")
    parser.add_argument("--from", dest="from_file", metavar="FILE", help="go on with an edit that was kept in a file")
    add_reading(parser)


def _fill_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


EDIT_VERBS: Mapping[str, Verb] = {
    "count": Verb(
        "count the resources of a kind",
        examples(
            ("emco-store count App --under Project/p1", "a number alone, for scripts"),
            ("emco-store count Cluster --where region=eu", "those that fulfil a condition"),
        ),
        _fill_count,
    ),
    "patch": Verb(
        "set fields of a resource, whatever its newest state is",
        examples(
            ("emco-store patch App/p1/web replicas=3 spec.image=web:2 --models shop.models", "both, or neither"),
            ("emco-store patch App/p1/web 'ports[0]=8080' --if-version 4 --models shop.models",
             "a part of a list; only if nobody has changed it since version 4"),
        ),
        _fill_patch,
    ),
    "edit": Verb(
        "open a resource in your editor, and write what you have saved",
        examples(
            ("emco-store edit App/p1/web --models shop.models", "as YAML, in $VISUAL or $EDITOR"),
            ("emco-store edit App/p1/web --from /tmp/App-x.yaml --models shop.models",
             "goes on with an edit that was refused, because somebody else was faster or a value did not fit"),
        ),
        _fill_edit,
    ),
    "completion": Verb(
        "write a script with which your shell completes verbs, options and their values",
        examples(
            ("source <(emco-store completion bash)", "in ~/.bashrc; zsh in the same way in ~/.zshrc"),
            ("emco-store completion fish > ~/.config/fish/completions/emco-store.fish", "for fish"),
        ),
        _fill_completion,
    ),
}  # fmt: skip
