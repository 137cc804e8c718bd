"""The processes of the example: started, killed, stopped and let go on, and what they say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

from examples.streams.models import ZONES

ROOT = Path(__file__).parents[2]
WORKERS = tuple(f"{zone}-{number}" for zone in ZONES for number in (1, 2))
SUPERVISORS = ("super-1", "super-2")


class News(NamedTuple):
    """Something that has happened.

    Attributes:
        who: The process that says so; empty for what the example does to processes.
        kind: What happened, in a word.
        text: The same for people.
    """

    who: str
    kind: str
    text: str


class Crew:
    """Six workers and two supervisors, each a process.

    Args:
        namespace: The namespace of the store.
        url_of: Returns the URL of the store for a zone, or for the supervisors.
        options: More options for each worker.
        hear: Called with all news, from any thread.
    """

    def __init__(
        self, namespace: str, url_of: Callable[[str], str], *, options: Sequence[str], hear: Callable[[News], object]
    ) -> None:
        self._namespace = namespace
        self._url_of = url_of
        self._options = options
        self._hear = hear
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._listeners: dict[str, Thread] = {}
        self._in_pause: dict[str, Event] = {}
        self.news: deque[News] = deque(maxlen=10_000)

    def start(self, name: str) -> None:
        """Start a worker or a supervisor; call it from the main thread, with whose end the kernel ends the process."""
        zone = "" if name in SUPERVISORS else name.partition("-")[0]
        command = [sys.executable, "-m", f"examples.streams.{'worker' if zone else 'supervisor'}"]
        command += ["--namespace", self._namespace, "--url", self._url_of(zone), "--name", name]
        command += ["--zone", zone, *self._options] if zone else []
        process = subprocess.Popen(  # noqa: S603 - our own modules
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._processes[name] = process
        self._in_pause[name] = Event()
        self._listeners[name] = Thread(target=self._listen, args=(name, process), daemon=True)
        self._listeners[name].start()

    def kill(self, name: str) -> None:
        """Kill a process at once; it cannot do anything about it."""
        self.tell("killed", f"kill -9 {name}")
        self._end(name)

    def stop(self, name: str) -> None:
        """Stop a worker while it pauses between two rounds, as a machine that swaps or a virtual one that is moved."""
        self._in_pause[name].clear()
        self._in_pause[name].wait()
        self._processes[name].send_signal(signal.SIGSTOP)
        self.tell("stopped", f"kill -STOP {name}")

    def go_on(self, name: str) -> None:
        """Let a process go on that was stopped."""
        self.tell("woken", f"kill -CONT {name}: it believes that no time has passed")
        self._processes[name].send_signal(signal.SIGCONT)

    def name_of(self, holder: str) -> str | None:
        """Return the name of the process that holds a lease."""
        return next((name for name, one in self._processes.items() if f"process {one.pid} " in holder), None)

    def close(self) -> None:
        """Kill all processes that are left."""
        for name in [*self._processes]:
            self._end(name)

    def tell(self, kind: str, text: str, *, who: str = "") -> None:
        """Note what has happened."""
        news = News(who, kind, text)
        self.news.append(news)
        self._hear(news)

    def count(self, kind: str) -> int:
        """Return how often something has happened."""
        return sum(one.kind == kind for one in list(self.news))

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        self._listeners.pop(name).join()
        with process:  # closes its pipes, and waits for it
            pass

    def _listen(self, name: str, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            event: dict[str, Any] = json.loads(line)
            for kind, value in event.items():
                if kind == "round":
                    self._in_pause[name].set()
                else:
                    self.tell(kind, _sentence(kind, value), who=name)


def _sentence(kind: str, value: Any) -> str:
    return {
        "took": f"holds its lease: token {value}",
        "refused": f"late commit refused: {value}",
        "lost": f"has lost {value}",
        "failed": f"failed: {value}",
        "ended": f"has ended the lease of {value}",
        "assigned": f"has assigned {value}",
    }[kind]
