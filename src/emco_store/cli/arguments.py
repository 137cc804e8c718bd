"""Arguments of the command line, and the help texts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import NoReturn

from emco_store import InvalidCall, __version__
from emco_store.cli.edit_arguments import EDIT_VERBS
from emco_store.cli.exits import MEANINGS
from emco_store.cli.feed_arguments import FEED_VERBS
from emco_store.cli.lease_arguments import LEASE_VERBS
from emco_store.cli.server_arguments import SERVER_VERBS
from emco_store.cli.verbs import Verb, add_files, add_output, add_reading, add_store, add_where, examples

Options = argparse.Namespace


class _Parser(argparse.ArgumentParser):
    """A parser whose errors look like all other errors."""

    def error(self, message: str) -> NoReturn:
        raise InvalidCall("Cannot read this command.", why=[message], hint=f"{self.prog} --help shows the syntax.")


def read_arguments(argv: Sequence[str] | None) -> Options:
    """Parse the arguments.

    Raises:
        InvalidCall: They cannot be parsed.
        SystemExit: A help text was requested and has been shown.
    """
    options = _parser().parse_args(argv)
    if options.verb == "delete" and bool(options.keys) == bool(options.file):
        raise InvalidCall(
            "Cannot tell what to delete.",
            why=["both keys and a bundle are given" if options.keys else "neither a key nor a bundle is given"],
            hint="give keys, or a bundle with -f; emco-store delete --help shows examples.",
        )
    if options.verb == "apply" and (options.wait < 0 or (options.wait and not (options.run or options.plan))):
        raise InvalidCall(
            "Cannot wait." if options.wait < 0 else "Cannot wait without --run.",
            why=[f"--wait {options.wait}: seconds are 0 or more" if options.wait < 0 else "--wait belongs to --run"],
            hint="emco-store apply --help shows examples.",
        )
    if options.verb == "apply" and (options.prune or options.name) and (options.run or not options.name):
        raise InvalidCall(
            "Cannot prune without --name." if not options.name else "Cannot carry out actions under a name.",
            why=["what to delete is remembered under the name"] if not options.name
            else ["--run writes in several commits, --name and --prune in one"],
            hint="emco-store apply --help shows examples.",
        )  # fmt: skip
    if options.verb == "tag" and options.remove == (options.name is not None):
        raise InvalidCall(
            "Cannot tell which tag is meant.",
            why=["--remove takes one tag" if options.remove else "NAME is missing"],
            hint="emco-store tag --help shows examples.",
        )
    if options.verb == "transition" and options.plan and options.digest is not None:
        raise InvalidCall(
            "Cannot plan with a digest.", why=["the plan gives it"], hint="give --plan first, then --digest."
        )
    if options.verb == "graph" and options.key is not None and options.lifecycle is not None:
        raise InvalidCall(
            "Cannot tell what to draw.",
            why=["KEY and --lifecycle are both given"],
            hint="give one of them, or neither.",
        )
    return options


def _parser() -> argparse.ArgumentParser:
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items())
    parser = _Parser(
        prog="emco-store",
        description="Show and change typed resources whose references never dangle.",
        epilog=f"exit codes:\n{codes}\n\n'emco-store VERB --help' shows examples of each verb.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"emco-store {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        text = "\n".join(f"  {command}\n      {comment}" for command, comment in verb.examples)
        child = verbs.add_parser(
            name,
            help=verb.summary,
            description=verb.summary.capitalize() + ".",
            epilog=f"examples:\n{text}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.fill(child)
    return parser


def _fill_apply(parser: argparse.ArgumentParser) -> None:
    add_files(parser, required=True, help_text="bundles in the format of emcoctl; - is the standard input")
    parser.add_argument(
        "--run", action="store_true", help="carry out the actions too, in the order of the documents; shows the plan"
    )
    parser.add_argument(
        "--plan", action="store_true",
        help="show what would be created, change and stay, and what the actions would do; write nothing",
    )  # fmt: skip
    parser.add_argument("--ask", action="store_true", help="show the plan and ask, then apply that very plan")
    parser.add_argument("--name", metavar="NAME", help="remember under this name what the bundles hold, for --prune")
    parser.add_argument(
        "--prune", action="store_true",
        help="delete what was applied under the same name before and the bundles hold no more, by the delete rules; "
        "shows the plan and asks",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="carry it out without asking")
    parser.add_argument(
        "--wait",
        type=int,
        default=0,
        metavar="SECONDS",
        help="with --run: wait until a worker has ended an operation, before the next action on its resource and at "
        "the end, each time for at most so long (0)",
    )
    add_store(parser)


def _fill_get(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", nargs="+", metavar="KEY", help="a whole key, for example App/p1/vfw/v1/sink")
    add_output(parser)
    add_reading(parser)


def _fill_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="a kind of resources, for example App")
    add_where(parser)
    parser.add_argument(
        "--columns", metavar="FIELD,…", help="fields to show, also within others: name,spec.image,meta.updated_at"
    )
    parser.add_argument(
        "--order-by", metavar="FIELD", help="key, or an indexed field; --order-by=-FIELD for descending"
    )
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="resources on the page, 1 to 1000 (100)")
    parser.add_argument("--after", metavar="CURSOR", help="continue after the page that ended with this cursor")
    add_output(parser)
    add_reading(parser)


def _fill_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("keys", nargs="*", metavar="KEY", help="whole keys; all are deleted in one commit")
    add_files(parser, required=False, help_text="delete everything in these bundles")
    parser.add_argument("--plan", action="store_true", help="show what would happen, and write nothing")
    parser.add_argument(
        "--missing-ok", action="store_true", help="skip keys that do not exist; resources of a bundle always are"
    )
    add_output(parser)
    add_reading(parser)


def _fill_graph(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", nargs="?", metavar="KEY", help="draw the data around this resource; default: the models")
    parser.add_argument("--lifecycle", metavar="KIND", help="draw the states of this kind, and how many are in each")
    parser.add_argument("--format", choices=("tree", "mermaid", "dot"), default="tree", help="tree is the default")
    parser.add_argument("--depth", type=int, default=2, metavar="N", help="steps from KEY along references (2)")
    add_reading(parser)


def _fill_lifecycle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key, for example LogicalCloud/p1/lc1")
    add_output(parser)
    add_reading(parser)


def _fill_transition(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key, for example LogicalCloud/p1/lc1")
    parser.add_argument("step", metavar="STEP", help="the name of a transition, for example instantiate")
    parser.add_argument("--plan", action="store_true", help="show what it would do and the digest; write nothing")
    parser.add_argument("--digest", metavar="D", help="the digest of the content that you approve")
    parser.add_argument("--operation", metavar="ID", help="the id of the operation whose end you report")
    parser.add_argument("--note", default="", metavar="TEXT", help="what to store with it, for people")
    add_output(parser)
    add_reading(parser)


def _fill_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key; the resource may be gone")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="revisions on the page, 1 to 1000 (100)")
    parser.add_argument("--after", metavar="CURSOR", help="continue after the page that ended with this cursor")
    add_output(parser)
    add_reading(parser)


def _fill_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key; the resource may be gone")
    parser.add_argument("before", metavar="BEFORE", help="the number of a revision, a tag, or now")
    parser.add_argument("after", metavar="AFTER", nargs="?", default="now", help="the same; now is the default")
    add_output(parser)
    add_reading(parser)


def _fill_rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key")
    parser.add_argument("revision", metavar="REVISION", help="the number of a revision, or a tag")
    parser.add_argument("--note", default="", metavar="TEXT", help="what the new revision says, for people")
    _add_plan(parser)


def _fill_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="the whole key of a resource that is gone")
    parser.add_argument("revision", metavar="REVISION", nargs="?", help="a number or a tag; the newest is the default")
    _add_plan(parser)


def _fill_tag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key")
    parser.add_argument("revision", metavar="REVISION", help="the number of a revision, or a tag")
    parser.add_argument("name", metavar="NAME", nargs="?", help="the tag that it is given; another revision loses it")
    parser.add_argument("--remove", action="store_true", help="take the tag REVISION away instead")
    add_reading(parser)


def _fill_prune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="a whole key; the resource may be gone")
    parser.add_argument("--keep", type=int, default=50, metavar="N", help="how many of the newest to keep (50)")
    parser.add_argument("--forget", action="store_true", help="remove everything of a resource that is gone")
    add_reading(parser)


def _fill_trail(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="KEY|KIND", help="a whole key, also of what is gone; or a kind, by time")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="entries on the page, 1 to 1000 (100)")
    parser.add_argument("--after", metavar="CURSOR", help="continue after the page that ended with this cursor")
    add_output(parser)
    add_reading(parser)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--apply", action="store_true", help="carry it out; without it, the plan is shown")
    parser.add_argument(
        "--leave-out", action="extend", nargs="+", default=[], metavar="KEY", help="resources that stay as they are"
    )
    add_reading(parser)


def _fill_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("jsonl", "yaml", "json", "emcoctl"), default="jsonl",
        help="jsonl, which import reads, is the default; yaml and json hold documents alone, emcoctl is a bundle",
    )  # fmt: skip
    parser.add_argument("--under", metavar="KEY", help="only this resource and what lies under it, at any depth")
    add_reading(parser)


def _fill_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="+", metavar="FILE", help="what export has written; - is the standard input")
    parser.add_argument(
        "--plan", action="store_true", help="show what would be created and what differs; write nothing"
    )
    parser.add_argument("--replace", action="store_true", help="replace resources that are there and differ")
    add_store(parser, models_help="a Python module with models that each document must fit (default: none)")


def _fill_migrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="a kind of resources, for example App")
    parser.add_argument("--plan", action="store_true", help="show what would be written and what left; write nothing")
    parser.add_argument("--after", metavar="CURSOR", help="go on where a migration has ended early")
    add_store(parser)


def _fill_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repair", action="store_true", help="show what is wrong, ask, and repair it")
    parser.add_argument("--yes", action="store_true", help="repair without asking")
    parser.add_argument("--json", action="store_true", help="one JSON value per line, for programs")
    parser.add_argument("--after", metavar="CURSOR", help="continue where a check ended early")
    parser.add_argument("--unknown-kinds", action="store_true", help="also report kinds without a model")
    add_reading(parser)


def _fill_demo(_: argparse.ArgumentParser) -> None:
    """Add nothing: the demonstration has its own data, in memory."""


VERBS: Mapping[str, Verb] = {
    "apply": Verb(
        "create or update everything in bundles, or nothing",
        examples(
            ("emco-store apply -f examples/edge.yaml", "one transaction; prints what was created, updated, unchanged"),
            ("cat a.yaml | emco-store apply -f -", "reads the standard input"),
            (
                "emco-store apply -f a.yaml --plan",
                "shows what would be created and change, and what its actions would do",
            ),
            ("emco-store apply -f a.yaml --ask", "the same, and applies exactly that if you say yes"),
            ("emco-store apply -f a.yaml --name edge", "remembers what the bundle holds"),
            (
                "emco-store apply -f a.yaml --name edge --prune",
                "also deletes what it held under this name and holds no more",
            ),
            ("emco-store apply -f a.yaml --run --yes", "carries out its documents and actions, one after the other"),
            ("emco-store apply -f a.yaml --run --yes --wait 300", "waits for the worker, before and after each"),
        ),
        _fill_apply,
    ),
    "get": Verb(
        "show resources by their keys",
        examples(
            ("emco-store get Project/harbour --load examples/edge.yaml", "one resource, with what it refers to"),
            ("emco-store get Project/harbour -o json", "for programs: key, meta and document"),
        ),
        _fill_get,
    ),
    "list": Verb(
        "list the resources of a kind",
        examples(
            ("emco-store list App --load examples/edge.yaml", "all resources of a kind, page by page"),
            ("emco-store list App --under Project/harbour --limit 20", "the descendants of one resource"),
            ("emco-store list App --columns description,meta.updated_at", "the fields that you name"),
            (
                "emco-store list Cluster --where region=eu --order-by=-region",
                "filtered, and ordered by an indexed field",
            ),
        ),
        _fill_list,
    ),
    "delete": Verb(
        "delete resources, and apply the delete rules of everything that refers to them",
        examples(
            (
                "emco-store delete Project/harbour --plan",
                "show what would be deleted, what would change and what blocks it; write nothing",
            ),
            ("emco-store delete App/p1/vfw/v1/sink App/p1/vfw/v1/gen", "both in one commit, or neither"),
            ("emco-store delete -f examples/edge.yaml", "everything in the bundle"),
        ),
        _fill_delete,
    ),
    "graph": Verb(
        "draw the models, or the data around one resource",
        examples(
            ("emco-store graph", "the models as a tree"),
            ("emco-store graph --format dot | dot -Tsvg > models.svg", "the same as a picture, with Graphviz"),
            ("emco-store graph --lifecycle LogicalCloud", "the states of a kind; mermaid and dot as for models"),
            ("emco-store graph Project/harbour --depth 1 --load examples/edge.yaml", "the data around one resource"),
        ),
        _fill_graph,
    ),
    "lifecycle": Verb(
        "show in which state a resource is, and the transitions from there",
        examples(
            ("emco-store lifecycle LogicalCloud/p1/lc1", "its state, what was approved, and what can be done now"),
            ("emco-store lifecycle LogicalCloud/p1/lc1 -o json", "for programs"),
        ),
        _fill_lifecycle,
    ),
    "transition": Verb(
        "change the state of a resource, if its state and all guards allow it",
        examples(
            ("emco-store transition LogicalCloud/p1/lc1 instantiate --note CHG-7", "one commit, or nothing"),
            ("emco-store transition LogicalCloud/p1/lc1 approve --plan", "what it would do, and the digest to give"),
        ),
        _fill_transition,
    ),
    "history": Verb(
        "show the revisions of a resource, also of one that is gone",
        examples(
            ("emco-store history Group/p1/g1", "numbers, tags, what was approved (✓) and what was carried out (▶)"),
            ("emco-store history Group/p1/g1 --limit 10 -o json", "for programs"),
        ),
        _fill_history,
    ),
    "diff": Verb(
        "show what differs between two revisions, or between one and the content now",
        examples(
            ("emco-store diff Group/p1/g1 3", "revision 3 and the content now"),
            ("emco-store diff Group/p1/g1 stable 5", "a tag and a number"),
        ),
        _fill_diff,
    ),
    "rollback": Verb(
        "bring the content of a revision back; without --apply, show the plan",
        examples(
            ("emco-store rollback Group/p1/g1 3", "what would be created, updated and deleted; writes nothing"),
            ("emco-store rollback Group/p1/g1 stable --apply --note CHG-9", "all of it, or nothing"),
        ),
        _fill_rollback,
    ),
    "restore": Verb(
        "create a resource again that is gone; without --apply, show the plan",
        examples(
            ("emco-store restore Group/p1/g1", "from the newest revision"),
            ("emco-store restore Group/p1/g1 3 --apply", "from another one"),
        ),
        _fill_restore,
    ),
    "tag": Verb(
        "give a revision a name, or take it away",
        examples(
            ("emco-store tag Group/p1/g1 3 stable", "prune keeps what has a name"),
            ("emco-store tag Group/p1/g1 stable --remove", "the revision stays"),
        ),
        _fill_tag,
    ),
    "prune": Verb(
        "remove old revisions; the newest, tagged, approved and applied ones stay",
        examples(
            ("emco-store prune Group/p1/g1 --keep 20", "may be repeated at any time"),
            ("emco-store prune Group/p1/g1 --forget", "everything of a resource that is gone"),
        ),
        _fill_prune,
    ),
    "trail": Verb(
        "show who changed a resource, when and why, and what",
        examples(
            ("emco-store trail App/p1/web --models shop.models", "of one resource, also of one that is gone"),
            ("emco-store trail App --limit 20 -o json --models shop.models", "of all of a kind, for programs"),
        ),
        _fill_trail,
    ),
    **EDIT_VERBS,
    **LEASE_VERBS,
    **FEED_VERBS,
    "export": Verb(
        "write the resources of the namespace; the same data gives the same bytes on every backend",
        examples(
            ("emco-store export > backup.jsonl", "one line for each resource, with its references; import reads it"),
            ("emco-store export --under Project/p1 > p1.jsonl", "one project, and all that lies under it"),
            ("emco-store export --format yaml", "to read; sorted, without uids, versions and times"),
            ("emco-store export --format emcoctl", "a bundle for apply"),
        ),
        _fill_export,
    ),
    "import": Verb(
        "create what export has written: all of it that is not there yet, or nothing where references would dangle",
        examples(
            ("emco-store import backup.jsonl", "a commit for each 500 resources; give it again if it was interrupted"),
            ("emco-store import backup.jsonl --plan", "what would be created, what differs and what would dangle"),
            ("emco-store import p1.jsonl --replace", "also replaces what is there and differs"),
            ("emco-store import p1.jsonl --models shop.models", "each document must fit its model, too"),
        ),
        _fill_import,
    ),
    "migrate": Verb(
        "write all resources of a kind as the newest version of their model, beside services that use them",
        examples(
            (
                "emco-store migrate Host --models shop.models --plan",
                "how many would be written, which left",
            ),
            ("emco-store migrate Host --models shop.models", "page by page; give it again if it was interrupted"),
        ),
        _fill_migrate,
    ),
    **SERVER_VERBS,
    "check": Verb(
        "look for damage in a namespace, and repair what needs no decision",
        examples(
            ("emco-store check", "the store that EMCO_STORE_URL names; harmless while services use it"),
            ("emco-store check --repair", "show what is wrong and what would be done, and ask"),
            ("emco-store check --json", "for programs: one JSON value per line; exit code 0 or 5"),
        ),
        _fill_check,
    ),
    "demo": Verb(
        "see in less than a minute what the store does for you, in memory",
        examples(
            ("emco-store demo", "no server is needed and nothing is kept"),
        ),
        _fill_demo,
    ),
}
