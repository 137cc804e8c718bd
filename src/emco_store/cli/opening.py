"""Open a store for one command, with its models and the bundles to load."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from emco_store import InvalidCall, Resource, Store, StoreError, connect
from emco_store.cli.arguments import Options
from emco_store.cli.bundles import read_files
from emco_store.cli.screen import Screen
from emco_store.cli.secrets import masked
from emco_store.cli.verbs import DEFAULT_STORE, FORGETFUL
from emco_store.emco import CATALOGUE, apply_bundle, read_bundle


@contextmanager
def opened(
    options: Options, screen: Screen, *, known: tuple[type[Resource], ...] | None = None
) -> Generator[Store, None, None]:
    """Open the store that the options name, and apply the bundles to load.

    Args:
        options: The options.
        screen: Where notes are shown.
        known: The models that the store knows. Default: those that the options name.

    Raises:
        InvalidCall: The options contradict each other, or name something that cannot be read.
        StoreError: The store cannot be opened, or refuses a bundle.
    """
    load = getattr(options, "load", [])
    in_memory = options.store.startswith(FORGETFUL)
    if load and not in_memory:
        raise InvalidCall(
            "Cannot load bundles before reading this store.",
            why=[f"--load is for {DEFAULT_STORE}, which starts empty; {masked(options.store)} keeps its data"],
            hint="leave out --load; use emco-store apply to write bundles into the store.",
        )
    known = models(options.models) if known is None else known
    with connect(options.store, namespace=options.namespace, models=known, actor=options.actor) as store:
        if load:
            bundle = read_bundle(read_files(load))
            with screen.progress("Loading …"):
                apply_bundle(store, bundle)
        elif in_memory and hasattr(options, "load"):
            screen.note(
                f"note: {options.store} starts empty; --load FILE fills it, --store or EMCO_STORE_URL names another"
            )
        yield store


def models(module: str | None) -> tuple[type[Resource], ...]:
    """Return the models of a module: every class that is a kind of resource. Default: EMCO's catalogue.

    Raises:
        InvalidCall: The module cannot be imported, or holds no model.
        InvalidModel: One of its models is not valid.
    """
    if module is None:
        return CATALOGUE
    found = tuple(
        value
        for value in vars(_imported(module)).values()
        if isinstance(value, type) and issubclass(value, Resource) and "__emco__" in value.__dict__
    )
    if not found:
        raise InvalidCall(
            f"The module {module} holds no models.",
            why=["it defines no subclass of emco_store.Resource that is a kind"],
            hint="name the module in which they are defined.",
        )
    return found


def _imported(module: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as with `python -m`, so that modules of the current folder are found
    try:
        return importlib.import_module(module)
    except StoreError:
        raise
    except (Exception, SystemExit) as problem:  # an import may raise anything
        raise InvalidCall(
            f"Cannot import the module {module!r:.100}.",
            why=[f"{type(problem).__name__}: {problem}"],
            hint="give its dotted name, as in an import statement, and check that Python can import it from here.",
        ) from problem


def warn_forgetful(options: Options, screen: Screen) -> None:
    """Say after a write that the store forgets it, if it does."""
    if options.store.startswith(FORGETFUL):
        screen.note(
            f"note: {options.store} forgets everything now; --store or EMCO_STORE_URL names a store that keeps it"
        )
