"""Which file a URL of SQLite names, and how safely it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from emco_store.errors import InvalidCall
from emco_store.ports import Durability

_SYNCHRONOUS: Final = ("full", "normal", "off")
_MEMORY: Final = ":memory:"
_HINT: Final = (
    "write sqlite:///FILE for a file in the working directory, sqlite:////FOLDER/FILE for a whole path, or "
    "sqlite:///:memory:; after it may stand ?synchronous=full, normal or off."
)


@dataclass(frozen=True, slots=True)
class Target:
    """A file, or data in memory.

    Attributes:
        path: The path of the file, or ``:memory:``.
        synchronous: When SQLite waits until the disk has what was written: ``full`` at each commit, ``normal`` now and
            then, ``off`` never.
    """

    path: str
    synchronous: str = "full"

    @classmethod
    def parse(cls, url: str) -> Target:
        """Read a URL.

        Raises:
            InvalidCall: It is no such URL.
        """
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError:
            raise _refused("it is no URL") from None
        path = unquote(parts.path[1:])
        if parts.netloc or parts.fragment or not url.startswith("sqlite:///"):
            raise _refused("its parts are sqlite://, a slash, and the path of a file")
        if not path or path.endswith("/") or "\0" in path:
            raise _refused("it names no file")
        synchronous = options.pop("synchronous", "full")
        if options or synchronous not in _SYNCHRONOUS:
            wrong = f"synchronous={synchronous:.40}" if synchronous not in _SYNCHRONOUS else next(iter(options))
            raise _refused(f"it has no such option: {wrong:.60}")
        return cls(path, synchronous)

    def __str__(self) -> str:
        return "the data in memory" if self.is_memory else f"the file {self.path}"

    @property
    def is_memory(self) -> bool:
        """Whether there is no file."""
        return self.path == _MEMORY

    @property
    def durability(self) -> Durability:
        """What an acknowledged commit survives; without ``full``, the end of a process, but no power failure."""
        is_sync = self.synchronous == "full" and not self.is_memory
        return Durability.LOCAL_SYNC if is_sync else Durability.VOLATILE


def _refused(why: str) -> InvalidCall:
    return InvalidCall("Cannot read this URL of a file of SQLite.", why=[why], hint=_HINT)
