"""Digests: a short text for the content of a resource, which is its subtree and the targets that belong to it.

Two contents have the same digest exactly when they have the same keys with the same documents. Uids, versions and times
are no part of it, nor are records of reserved kinds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from operator import attrgetter
from typing import Final

from emco_store.core.documents import canonical, decode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved

ALGORITHM: Final = "sha256:"
"""How every digest begins; another form of the same content would begin otherwise."""
MOST_KNOWN: Final = 16_384
"""How many fingerprints are remembered; all of them take some 5 MB."""
_DIGEST: Final = re.compile(r"[a-z0-9-]{1,20}:[0-9a-f]{1,128}")


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a resource, as it was read at one moment.

    Attributes:
        root: The record of the resource.
        members: The records of its subtree, its own included, by key.
        targets: The records of the declared targets outside the subtree, by key.
        prints: The fingerprint of each document by the text of its key; see :func:`fingerprint`.
        digest: The digest of all of them.
    """

    root: Record
    members: tuple[Record, ...]
    targets: tuple[Record, ...]
    prints: Mapping[str, str]
    digest: str

    @classmethod
    def of(cls, root: Record, members: Iterable[Record], targets: Iterable[Record] = ()) -> Content:
        """Take the digest of records.

        Args:
            root: The record of the resource.
            members: The records of its subtree.
            targets: The records of its targets; those that are members count once.
        """
        inside = {record.key: record for record in members if not is_reserved(record.key.kind)}
        outside = {record.key: record for record in targets if record.key not in inside}
        prints = {record.key.text: fingerprint(record.document) for record in (*inside.values(), *outside.values())}
        return cls(root, _by_key(inside), _by_key(outside), prints, digest_of(prints))

    @property
    def keys(self) -> frozenset[Key]:
        """The keys of members and targets."""
        return frozenset(record.key for record in (*self.members, *self.targets))


def fingerprint(document: bytes) -> str:
    """Return the SHA-256 of a document in its canonical form; of its bytes where it is not JSON.

    The same documents are looked at again and again: in a plan, at the approval, by each guard, in each comparison. So
    the fingerprints of the newest ones are remembered by the SHA-256 of their bytes.
    """
    own = sha256(document).digest()
    known = _known.get(own)
    if known is None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        known = _known[own] = _fingerprint(document)
    return known


def _fingerprint(document: bytes) -> str:
    try:
        return sha256(canonical(decode(document)).encode()).hexdigest()
    except (ValueError, RecursionError):
        return sha256(b"unreadable:" + document).hexdigest()


_known: Final[dict[bytes, str]] = {}


def is_digest(text: str) -> bool:
    """Return whether a text has the form of a digest, of this algorithm or of a later one."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(prints: Mapping[str, str]) -> str:
    """Return the digest of fingerprints by the texts of keys."""
    lines = "".join([f"{key} {prints[key]}\n" for key in sorted(prints)])
    return ALGORITHM + sha256(lines.encode()).hexdigest()


def changed_between(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Key, ...]:
    """Return the keys whose documents differ, were added or removed, in order."""
    texts = sorted(text for text in before.keys() | after.keys() if before.get(text) != after.get(text))
    return tuple(map(Key.parse, texts))


def _by_key(records: Mapping[Key, Record]) -> tuple[Record, ...]:
    return tuple(sorted(records.values(), key=attrgetter("key.text")))
