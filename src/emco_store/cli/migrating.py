"""The verb ``migrate``: the stored resources of a kind are written as the newest version of its model."""

from __future__ import annotations

from emco_store import InvalidCall, Migrated, Resource, Store, StoreError
from emco_store.cli.arguments import Options
from emco_store.cli.conditions import suggestion
from emco_store.cli.exits import Exit
from emco_store.cli.opening import models, opened, warn_forgetful
from emco_store.cli.plans import coloured
from emco_store.cli.screen import Screen
from emco_store.core.wording import count


def migrate(options: Options, screen: Screen) -> Exit:
    """Migrate a kind, or show what that would do; exit code 1 if resources are left as they were."""
    known = {model.__emco__.kind: model for model in models(options.models)}
    model = known.get(options.kind)
    if model is None:
        raise InvalidCall(
            f"There is no kind {options.kind!r:.80}.",
            why=[f"the models hold {count(len(known), 'kind')}, and not this one"],
            hint=suggestion(options.kind, known) or "give your own models with --models.",
        )
    with opened(options, screen, known=tuple(known.values())) as store:
        if options.plan:
            with screen.progress("Reading …"):
                plan = store.plan_migrate(model)
            screen.show(*coloured(str(plan)))
            return Exit.REFUSED if plan.left_count else Exit.OK
        done = _carried_out(store, model, options, screen)
    screen.show(*coloured("\n".join((str(done), *(f"  ! {one}" for one in done.left)))))
    warn_forgetful(options, screen)
    return Exit.REFUSED if done.left_count else Exit.OK


def _carried_out(store: Store, model: type[Resource], options: Options, screen: Screen) -> Migrated:
    """Carry it out; if it does not end well, say how far it came."""
    done = Migrated(model.__emco__.kind)
    with screen.progress("Migrating …") as say:

        def tell(now: Migrated) -> None:
            nonlocal done
            done = now
            say(f"Migrating … {now}")

        try:
            return store.migrate(model, after=options.after, progress=tell)
        except (StoreError, KeyboardInterrupt):
            if done.next:
                screen.note(f"before that: {done}; to go on from there: --after {done.next}")
            raise
