"""Scans as ranges of members of a sorted set, and how an indexed text stands in a member; pure."""

from __future__ import annotations

from emco_store.ports import Scan

_NUL = "\0"


def scan_args(scan: Scan) -> list[str | int | bytes]:
    """Write a scan as the arguments of ``read.lua``."""
    how, low, high, keep = _range(scan)
    after = scan.after
    if after is not None:
        is_by_key = scan.field is None
        position = (
            after[1].encode() if is_by_key else _head(scan) + escaped(after[0]).encode() + b"\0" + after[1].encode()
        )
        if scan.descending:
            high = min(high, b"(" + position)
        elif position >= low[1:]:
            low = b"(" + position
    return [0, how, low, high, "1" if scan.descending else "", scan.limit, keep]


def position(scan: Scan, member: bytes) -> tuple[str, str] | None:
    """Return the place of a member in the order of a scan; None for no member."""
    text = member.removeprefix(_head(scan) if scan.field else b"").decode()
    before, _, key = text.rpartition(_NUL)
    return (_unescaped(before), key) if member else None


def count_args(scan: Scan) -> list[str | int | bytes]:
    """Write the count of a scan as the arguments of ``read.lua``."""
    how, low, high, _ = _range(scan)
    if scan.after is not None and (position := scan.after[1].encode()) >= low[1:]:  # by key
        low = b"(" + position
    return [0, "count", how, low, high]


def _range(scan: Scan) -> tuple[str, bytes, bytes, str]:
    """Return the set to read, its bounds, and the prefix that a key must have beyond them."""
    if scan.field is None:
        prefix = (scan.prefix or (f"{scan.kind}/" if scan.kind else "")).encode()
        low, high = _bounds(prefix, prefix)
        if scan.until:
            high = min(high, b"(" + scan.until.encode())  # no bound at all is "+", which sorts after "("
        return "names", low, high, ""
    head = _head(scan)
    if scan.equal is not None:  # the keys follow each other, so that the prefix is a bound
        point = head + escaped(scan.equal).encode() + b"\0" + scan.prefix.encode()
        return "index", *_bounds(point, point), ""
    low, high = _bounds(head + (b"" if scan.low is None else escaped(scan.low).encode()), head)
    if scan.below is not None:
        high = b"(" + head + escaped(scan.below).encode()
    return "index", low, high, scan.prefix


def _head(scan: Scan) -> bytes:
    return f"{scan.kind}{_NUL}{scan.field}=".encode()


def _bounds(low: bytes, high_prefix: bytes) -> tuple[bytes, bytes]:
    """Return the bounds of all members from ``low`` on to the last one that begins with ``high_prefix``."""
    return (b"[" + low if low else b"-"), (b"(" + high_prefix + b"\xff" if high_prefix else b"+")


def escaped(text: str) -> str:
    """Write text without NUL, so that it sorts as before: U+0001 escapes itself and NUL."""
    if "\0" in text or "\1" in text:
        return text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text


def _unescaped(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1")
