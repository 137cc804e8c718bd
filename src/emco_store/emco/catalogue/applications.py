# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Projects, controllers, and composite applications with their apps and profiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from emco_store.core.refs import Ref
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Port, Spec, Text

_MAX_PORT = 50_000


class Project(EmcoResource):
    """The root of everything that a tenant deploys."""

    spec: AnySpec | None = None


class ControllerSpec(Spec):
    """Where a controller listens, and when it is called."""

    host: Text
    port: Port
    type: Annotated[str, StringConstraints(max_length=48)] | None = None
    priority: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None


class Controller(EmcoResource, key=("group", "name")):
    """A service that takes part in a deployment; its group is ``orchestrator``, ``dtc`` or ``cluster``.

    The three services that EMCO registers controllers with have different limits.
    """

    group: Name
    spec: ControllerSpec | None = None

    @model_validator(mode="after")
    def _check_group(self) -> Self:
        for problem in () if self.spec is None else _limits(self.group, self.spec):
            raise ValueError(problem)
        return self


def _limits(group: str, spec: ControllerSpec) -> Iterator[str]:
    port = spec.port if isinstance(spec.port, int) else None
    if group == "dtc":
        if port == 0:
            yield "at spec.port: it is 1 to 65535 in the group dtc"
        if not spec.priority:
            yield "at spec.priority: 1 to 100 is needed here in the group dtc"
        if "action" not in (spec.type or ""):
            yield "at spec.type: an action controller is needed here in the group dtc"
    elif port is not None and port > _MAX_PORT:
        yield f"at spec.port: it is 0 to {_MAX_PORT} in the group {group}"


class CompositeApp(EmcoResource, parent=Project, key=("name", "version")):
    """One version of a composite application; the document says the version as ``spec.compositeAppVersion``."""

    version: Name
    spec: AnySpec | None = None


class App(EmcoResource, parent=CompositeApp):
    """One application, a Helm chart; ``file`` names it."""

    spec: AnySpec | None = None


class AppDependencySpec(Spec):
    """What an app waits for: another app of the same composite application."""

    app: Ref[App]
    opStatus: Annotated[str, StringConstraints(pattern=r"^(?i:ready|deployed)$")]
    wait: Annotated[int, Field(strict=True, ge=0, le=4096)] | None = None


class AppDependency(EmcoResource, parent=App):
    """An app that must be there before this one."""

    spec: AppDependencySpec | None = None


class CompositeProfile(EmcoResource, parent=CompositeApp):
    """A set of profiles, one for each app."""

    spec: AnySpec | None = None


class AppProfileSpec(Spec):
    """The app that a profile is for."""

    app: Ref[App]


class AppProfile(EmcoResource, parent=CompositeProfile):
    """What is changed of an app's chart; ``file`` names it."""

    spec: AppProfileSpec
