"""Hints on the command line: where the library names a call, the command that does the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from shlex import quote
from typing import Any, Final

from emco_store import InvalidCall, Key, StoreError, TransitionPlan
from emco_store.errors import shown

HINT: Final = "  Hint: "
"""How the line of a hint begins."""
_KEY: Final = "KEY"
_KIND: Final = "KIND"
_WAYS: Final[Sequence[tuple[re.Pattern[str], str]]] = tuple(
    (re.compile(pattern), command)
    for pattern, command in (
        # lifecycles and their history
        (r'store\.diff\(key, (\d+), "now"\)', r"emco-store diff KEY \1 now"),
        (r"an entry of store\.history\(…\)", "what emco-store history KEY shows"),
        (r"store\.history\((key|…)?\)", "emco-store history KEY"),
        (r"store\.lifecycle\(key\)\.operation is the one", "emco-store lifecycle KEY shows the one"),
        (r"plan_transition\(\) shows (.*): give the digest of that plan, or apply\(\) it",
         r"emco-store transition KEY STEP --plan shows \1: give its digest with --digest"),
        (r"plan_transition\(\)", "emco-store transition KEY STEP --plan"),
        (r"operation= of the lifecycle record that the transition returned which began it",
         "--operation as the transition that began it has shown it"),
        (r"plan_rollback\(\)", "emco-store rollback KEY REVISION"),
        (r"prune\(…, keep=…\)", "emco-store prune KEY --keep N"),
        # leases
        (r"wait for it \(wait=…\)", "wait for it"),
        (r"store\.expire\(…\)", "emco-store expire KEY"),
        (r"store\.leases\(…\)", "emco-store workers"),
        (r"; store\.run\(\) must not repeat it", ""),
        # what is there, and what another program has changed
        (r"store\.plan_delete\(key\)", "emco-store delete KEY --plan"),
        (r"a page of list\(…\)", "a page of emco-store list KIND"),
        (r"list\(…\)", "emco-store list KIND"),
        (r"; or open the store with a higher max_records, .*(?=\.$)", ""),
        ((r"(get\(\) it again, apply the change to that, and repeat|read again and repeat); "
          r"store\.run\(fn\) does so by itself"), "give the command again"),
        (r"store\.resolve\(error\.txid\) settles it; it is safe to ask at any time",
         "look whether it happened, and give the command again if it did not"),
        (r"; update\(\) it, or put\(\) to create or replace", ""),
        (r"update\(\) it with", "apply it with"),
        (r"put\(\) (it again|a correct one)", r"apply \1"),
        (r"check\(\) names", "emco-store check names"),
        (r"set_status\(\) reports a status, status\(\) and statuses\(\) read it; it",
         "name the resource that it belongs to; a status"),
        # exports
        (r"give what export\(\) (has written|returned)", "name a file that emco-store export has written"),
        (r"replace=True replaces them; plan_import\(…\) shows",
         "--replace replaces them; emco-store import FILE --plan shows"),
        # options
        (r"connect\(…, actor=…\) or store\.acting\(actor=…\)", "--actor NAME"),
        (r"open the store with models=\[…\]", "name the module of its model with --models"),
        (r"with after=page\.next", "with --after CURSOR"),
        (r"write the key as str\(key\) gives it", "write the key as emco-store list KIND shows it"),
        (r"; in_\(\[\.\.\.\]\) takes several", ""),
        (r"(use|write) contains\(\.\.\.\).*(?=\.)", "--where compares single values; name a field that holds one"),
        (r"; by name, say parent= too", ""),
        (r"connect\(\) makes those that are missing", "the first command makes those that are missing"),
        (r"\b(digest|operation|note|keep|limit|after|under)=(?=\s)", r"--\1"),
        (r"\b(digest|operation|note|keep|limit|after|under)=(?=\S)", r"--\1 "),
    )
)  # fmt: skip
"""What the library says, and what the command line says in its place; the first that fits comes first."""


def in_commands(problem: StoreError) -> str:
    """Return the text of an error with commands in the place of calls.

    Reasons stay as they are, because they may hold words of users; those of a wrong call name its options.
    """
    key = _key_of(problem)
    is_ours = isinstance(problem, InvalidCall)
    lines = [problem.what, *(f"  {said(reason, key) if is_ours else reason}" for reason in shown(problem.why))]
    if problem.hint:
        lines.append(f"{HINT}{said(problem.hint, key)}")
    lines[-1] += f"  [{problem.code}]"
    return "\n".join(lines)


def plan_in_commands(plan: TransitionPlan[Any]) -> str:
    """Return the text of a plan with commands in the place of the calls in its hint."""
    lines = str(plan).split("\n")
    return "\n".join([said(line, plan.key) if line.startswith(HINT) else line for line in lines])


def said(text: str, key: Key | None = None) -> str:
    """Return a hint with commands in the place of calls.

    Args:
        text: The hint.
        key: The resource that it is about, if it is known; its key stands in the commands then.
    """
    for pattern, command in _WAYS:
        named = command
        if key is not None:
            named = named.replace(_KEY, _quoted(key.text)).replace(_KIND, key.kind)
        text = pattern.sub(named, text)
    return text


def _quoted(text: str) -> str:
    return quote(text).replace("\\", r"\\")


def _key_of(problem: StoreError) -> Key | None:
    """Return the only resource that an error is about."""
    fields = problem.fields
    several: Any = fields.get("keys", ())
    found: Any = fields.get("key") or (several[0] if len(several) == 1 else None)
    return found if isinstance(found, Key) else None
