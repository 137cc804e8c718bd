"""FEED-14: a controller sees to each resource, one call at a time, and never before it has seen its own writes."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.blocking import controller
from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle
from emco_store.contracts.models import Crate, Site
from emco_store.contracts.rules import rule
from emco_store.core.events import Aspect
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.core.strategies import Backoff
from emco_store.errors import FeedGap, InvalidCall, LeaseLost, StaleCache
from emco_store.ports import Events

_ROUNDS = 2
_SOON = Backoff("1ms", 1, "1ms")


class ControllerRules:
    """What a ``Controller`` does."""

    @rule("FEED-14")
    def test_controller_sees_to_what_is_there_what_comes_and_what_goes(self, lab: Lab) -> None:
        """Each resource is seen to as it is: at the beginning, when it changes, and when it is gone (FEED-14)."""
        lab.store.create(Site(name="a"))
        seen: list[tuple[str, str | None]] = []

        def reconcile(work: Any) -> None:
            seen.append((work.key.name, None if work.resource is None else work.resource.title))
            match seen[-1]:
                case ("a", ""):
                    lab.store.create(Site(name="b", title="new"))
                case ("b", "new"):
                    lab.store.patch(work.resource, {"title": "changed"})
                case ("b", "changed"):
                    lab.store.delete(work.key)
                case ("b", None):
                    done.stop()
                case _:
                    pass

        done = controller(lab.open(), Site, reconcile)
        assert not done.ready()
        done.run()

        assert [("a", ""), ("b", "new"), ("b", "changed"), ("b", None)] == list(dict.fromkeys(seen))
        with pytest.raises(InvalidCall):
            done.run()

    @rule("FEED-14")
    def test_call_begins_only_when_the_caches_show_what_the_one_before_wrote(self, lab: Lab) -> None:
        """However late the feed is, the next call for a key sees all own writes of the last one (FEED-14)."""
        site = lab.store.create(Site(name="a"))
        versions: list[int] = [1]
        crates: list[Key] = []

        def reconcile(work: Any) -> timedelta | None:
            if len(crates) == _ROUNDS:
                done.stop()
                return None
            assert versions[-1] == work.resource.meta.version
            assert crates == [crate.key for crate in work.others["Crate"].list()]
            lab.faults.unreachable(Events, moment="after")
            versions.append(lab.store.patch(site.key, {"title": f"{len(versions)}"}).meta.version)
            crates.append(lab.store.create(Crate(parent=site, name=f"c{len(crates)}")).key)
            return timedelta(0)

        failed: list[Exception] = []

        def fail(_: Key, problem: Exception) -> None:
            failed.append(problem)
            done.stop()

        done = controller(lab.open(), Site, reconcile, also={Crate: lambda _: []}, failed=fail)
        done.run()

        assert [] == failed
        assert _ROUNDS == len(crates)

    @rule("FEED-14")
    def test_key_has_one_call_at_a_time_and_none_is_dropped(self, lab: Lab) -> None:
        """Several workers share the keys; what changes during a call is seen to after it (FEED-14)."""
        names = ("a", "b", "c")
        sites = [lab.store.create(Site(name=name)) for name in names]
        lock = threading.Lock()
        busy: Counter[Key] = Counter()
        last: dict[Key, str] = {}
        wrong: list[Key] = []

        def reconcile(work: Any) -> None:
            with lock:
                busy[work.key] += 1
                wrong.extend([work.key] * (busy[work.key] > 1))
                last[work.key] = work.resource.title
            if work.key.name == "a" and len(work.resource.title) < _ROUNDS:  # all change while each is worked on
                for site in sites:
                    lab.store.patch(site.key, {"title": work.resource.title + "x"})
            with lock:
                busy[work.key] -= 1
                if list(last.values()) == ["x" * _ROUNDS] * len(names):
                    done.stop()

        done = controller(lab.open(), Site, reconcile, workers=3)
        done.run()

        assert [] == wrong
        assert {site.key: "x" * _ROUNDS for site in sites} == last

    @rule("FEED-14")
    def test_call_that_fails_is_repeated_and_the_others_go_on(self, lab: Lab) -> None:
        """An error is told, and stops no other resource; success clears what has failed (FEED-14)."""
        for name in ("bad", "good"):
            lab.store.create(Site(name=name))
        failures: list[int] = []
        told: list[tuple[str, type]] = []
        good: list[str] = []

        def reconcile(work: Any) -> Any:
            if work.key.name == "good":
                good.append(work.key.name)
                return None
            failures.append(work.failures)
            match len(failures):
                case 1 | 2:
                    raise ValueError(work.key.name)
                case 3:
                    return "no time"
                case 4:
                    return timedelta(0)
                case _:
                    done.stop()
                    return None

        def fail(key: Key, problem: Exception) -> None:
            told.append((key.name, type(problem)))

        done = controller(lab.open(), Site, reconcile, failed=fail, retry=_SOON)
        done.run()

        assert [0, 1, 2, 3, 0] == failures[:5]
        assert [("bad", ValueError), ("bad", ValueError), ("bad", InvalidCall)] == told
        assert ["good"] == good

    @rule("FEED-14")
    def test_other_kinds_and_states_lead_to_calls(self, lab: Lab) -> None:
        """A change of another kind leads to the old and the new resource, one of a state to its own (FEED-14)."""
        cloud = lab.store.create(Cloud(name="c"))
        lab.store.create(Cloud(name="other"))
        did: list[str] = []

        def owners(site: Site) -> list[Key]:
            return [Key("Cloud", site.title)]

        def reconcile(work: Any) -> None:
            title = "".join(site.title for site in work.others["Site"].list())
            match work.key.name, title:
                case "c", "" if not did:
                    did.append("new")
                    lab.store.create(Site(name="s", title="other"))
                case "other", "other" if did == ["new"]:
                    did.append("moved")
                    lab.store.put(Site(name="s", title="c"))
                case name, "c" if len(did) in {2, 3} and name not in did:
                    did.append(name)
                    if len(did) == 4:
                        lab.store.transition(cloud, CloudLifecycle.launch)
                case "c", "c" if len(did) == 4:
                    done.stop()
                case _:
                    pass

        options: dict[str, Any] = {"also": {Site: owners}, "aspects": [Aspect.RESOURCE, Aspect.STATE]}
        done = controller(lab.open(), Cloud, reconcile, **options)
        done.run()

        assert ["c", "moved", "new", "other"] == sorted(did)

    @rule("FEED-14")
    def test_gap_and_outage_leave_nothing_undone(self, lab: Lab) -> None:
        """What a gap hides is seen to, and a controller waits for a backend that it cannot reach (FEED-14)."""
        lab.store.create(Site(name="a"))
        lab.faults.unreachable(Events, times=2)
        seen: list[str] = []

        def reconcile(work: Any) -> None:
            if work.resource is None or work.key.name in seen:
                return
            seen.append(work.key.name)
            if len(seen) == 1:
                lab.faults.do(Events, _gap)
                lab.store.create(Site(name="b"))
            else:
                done.stop()

        done = controller(lab.open(), Site, reconcile)
        done.run()

        assert ["a", "b"] == seen

    @rule("FEED-14")
    def test_controller_under_a_lease_works_while_it_has_it(self, lab: Lab) -> None:
        """It takes the seat, takes it again when a call finds that the lease is over, and gives it back (FEED-14)."""
        lab.store.create(Site(name="a"))
        tokens: list[int] = []
        store = lab.open()

        def reconcile(work: Any) -> None:
            tokens.append(work.lease.token)
            if len(tokens) == 1:
                lab.store.expire("boss")
            with store.transaction() as tx:
                tx.require(work.lease)
                tx.update(work.resource.model_copy(update={"title": "x"}))
            done.stop()

        told: list[type] = []
        done = controller(
            store, Site, reconcile, lease="boss", failed=lambda _, one: told.append(type(one)), retry=_SOON
        )
        done.run()

        assert tokens[0] < tokens[1]
        assert LeaseLost in told
        assert "x" == lab.store.get(Site, "a").title
        with lab.store.lease("boss"):
            pass

    @rule("FEED-14")
    def test_error_that_does_not_pass_ends_the_controller(self, lab: Lab) -> None:
        """A function that cannot say what a change leads to ends it with the cause, and not in silence (FEED-14)."""
        lab.store.create(Site(name="a"))

        def owners(_: Site) -> list[Key]:
            raise LookupError

        done = controller(lab.open(), Crate, lambda _: None, also={Site: owners})
        with pytest.raises(StaleCache) as caught:
            done.run()
        assert isinstance(caught.value.__cause__, LookupError)
        assert not done.ready()

    @rule("FEED-14")
    def test_wrong_arguments_of_a_controller_are_refused(self, lab: Lab) -> None:
        """What could not be controlled is refused before anything is asked (FEED-14)."""
        before = len(lab.faults.requests)
        wrong: list[dict[str, Any]] = [
            {"also": [Crate]},
            {"also": {"Crate": list}},
            {"also": {Crate: "site"}},
            {"also": {Resource: list}},
            {"workers": 0},
            {"workers": True},
            {"retry": timedelta(seconds=1)},
            {"resync": timedelta(0)},
            {"resync": 60},
            {"lease": Site},
            {"failed": "log"},
            {"stale_after": timedelta(seconds=1)},
            {"aspects": "state"},
        ]
        for options in wrong:
            with pytest.raises(InvalidCall):
                controller(lab.store, Site, lambda _: None, **options)

        assert before == len(lab.faults.requests)


def _gap() -> None:
    raise FeedGap("planned", cursor="")
