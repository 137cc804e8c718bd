"""Variants of the etcd backend: lines of its map that are wrong; ``EMCO_STORE_TEST_ETCD`` names a server for them."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from emco_store.backends.keyvalue.ordered_map import OrderedMap
from emco_store.ports import Backend
from proof.variants.broken import Variant
from proof.variants.key_value import damage, inside
from proof.variants.lines import Line, of_line

URL_VARIABLE: Final = "EMCO_STORE_TEST_ETCD"
_BASE: Final = "emco_store.backends.etcd"
_MESSAGES, _MAP = f"{_BASE}.messages", f"{_BASE}.etcd_map"
MODULES: Final = (_MESSAGES, _MAP)
LINES: Final = (
    Line(
        "ReadsEachPartAsOfNow", "A snapshot reads each of its parts at the newest revision.", _MAP,
        "self._revision = self._revision or revision_of(answer)", "",
    ),
    Line(
        "SendsCommitsAgain", "The connection repeats a write whose answer was lost.", _MAP,
        "self.wire.write(TXN, self.keys.write(write))", "self.wire.ask(TXN, self.keys.write(write))",
    ),
    Line(
        "ReadsTheFirstPartOnly", "A read of many keys stops where one transaction is full.", _MAP,
        "for part in parts_of(keys, self._most):", "for part in list(parts_of(keys, self._most))[:1]:",
    ),
    Line(
        "TakesAnyAnswerForDone", "A transaction whose comparisons fail counts as written.", _MESSAGES,
        'return bool(answer.get("succeeded"))', 'return bool(answer.get("header"))',
    ),
    Line(
        "LosesWhatFollows", "A part of a span never says that there is more.", _MESSAGES,
        'bool(answer.get("more")))', 'bool(answer.get("none")))',
    ),
    Line(
        "SortsTheFeedByKey", "What was put later comes in the order of keys.", _MESSAGES,
        '"sort_target": "MOD"', '"sort_target": "KEY"',
    ),
    Line(
        "SortsTheFeedByCreation", "What was put later comes in the order in which keys were first put.", _MESSAGES,
        '"sort_target": "MOD"', '"sort_target": "CREATE"',
    ),
    Line(
        "TellsTheLastAgain", "What was put at a revision counts as later than it.", _MESSAGES,
        '"min_mod_revision": str(revision + 1)', '"min_mod_revision": str(revision)',
    ),
    Line(
        "ReadsForward", "A descending scan ascends.", _MESSAGES, '"sort_order": "DESCEND"', '"sort_order": "ASCEND"',
    ),
    Line(
        "DeletesNothing", "A write deletes nothing.", _MESSAGES,
        "for key in sorted(write.deletes)]", "for key in sorted(write.deletes) if not key]",
    ),
    Line(
        "ComparesHowOften", "Comparisons rest on how often a key was put, which begins again after a removal.",
        _MESSAGES, 'int(found["mod_revision"])', 'int(found["version"])',
    ),
    Line(
        "ReadsFromAnyMember", "A member answers reads without asking the others.", _MESSAGES,
        '"range_end": end, "revision"', '"serializable": True, "range_end": end, "revision"',
    ),
)  # fmt: skip


def _backend() -> Backend:
    from emco_store.backends.etcd.etcd_map import EtcdMap  # noqa: PLC0415 - as it is by then
    from emco_store.backends.keyvalue.backend import KeyValueBackend  # noqa: PLC0415

    url = urlsplit(os.environ[URL_VARIABLE])
    return KeyValueBackend(EtcdMap(urlunsplit(url._replace(path=f"/variants-{secrets.token_hex(6)}"))))


def _rows() -> OrderedMap:
    """Return a map that takes no more in one request than servers do by themselves."""
    from emco_store.backends.etcd.etcd_map import EtcdMap  # noqa: PLC0415 - as it is by then

    url = urlsplit(os.environ[URL_VARIABLE])
    return EtcdMap(urlunsplit(url._replace(path=f"/variants-{secrets.token_hex(6)}", query="")))


_AS_IT_IS: Final = Variant("(as it is)", "The backend of which these are variants.", _backend)
SOUND: Final = (replace(_AS_IT_IS, inside=inside, damage=damage, rows=_rows),)
BROKEN: Final = tuple(
    replace(of_line(line, MODULES, _backend), inside=inside, damage=damage, rows=_rows) for line in LINES
)
