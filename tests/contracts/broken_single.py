"""Calls that take no unit of work where they should, or leave out of their commit what it should hold."""

from __future__ import annotations

from typing import Any

from emco_store.ports import Commit


def go_alone(*_: Any, **__: Any) -> bool:
    """Let nothing but the resource take part in its commit."""
    return True


def commit_without_targets(txid: str, expect: Any, _: Any, **given: Any) -> Commit:
    """Require no target."""
    return Commit(txid, expect, **given)


def commit_whatever_is_there(txid: str, _: Any, require: Any, **given: Any) -> Commit:
    """Rest on no state."""
    return Commit(txid, {}, require, **given)
