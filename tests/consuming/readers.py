"""A consumer and a follower that go on across failovers of servers."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from emco_store import Added, Removed, Resynced, Unavailable, Updated
from emco_store.contracts.consumers import Daybook, fill
from emco_store.contracts.models import Site
from tests.beating.rig import until

SHORT = timedelta(seconds=0.1)


class Readers:
    """A consumer that keeps a daybook, and a follower that keeps a copy, of the sites of one store."""

    def __init__(self, store, **options):
        self.store = store
        self.begin = store.feed_cursor()
        self.consumer = store.consume("billing", fill, kinds=[Site], after=self.begin, **options)
        self.follow = store.follow(Site, idle=SHORT)
        self.copy = {}
        self.lists = 0

    def write(self, *names):
        """Create sites; a server that cannot be reached is waited for."""
        for name in names:
            until(lambda name=name: self.has_written(name), f"{name} is written")

    def has_written(self, name):
        """Create a site unless it is there; return whether that was possible."""
        with suppress(Unavailable):
            if not self.store.exists(Site(name=name).key):
                self.store.create(Site(name=name))
            return True
        return False

    def consume(self, lease, expected):
        """Let the consumer work until the daybook has all of these."""

        def has_all():
            with suppress(Unavailable):
                self.consumer.step(lease, wait=SHORT)
                return expected == self.entries()
            return False

        until(has_all, f"the daybook has {expected}")

    def entries(self):
        """Return what the consumer has written."""
        return [line for one in self.store.list(Daybook) for line in one.entries]

    def catch_up(self, names):
        """Follow until the copy has these sites, as they are stored."""

        def is_true():
            with suppress(Unavailable):
                for news in self.follow:
                    self.apply(news)
                return sorted(names) == sorted(self.copy) and self.copy == {
                    one.name: one.meta.uid for one in self.store.list(Site)
                }
            return False

        until(is_true, f"the copy has {names}")

    def apply(self, news):
        """Change the copy."""
        match news:
            case Added(resource) | Updated(resource, _):
                self.copy[resource.name] = resource.meta.uid
            case Removed(old):
                del self.copy[old.name]
            case Resynced():
                self.lists += 1
