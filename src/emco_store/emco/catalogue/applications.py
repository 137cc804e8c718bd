# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Projects, controllers, and composite applications with their apps and profiles."""

from __future__ import annotations

from pydantic import StrictInt

from emco_store.core.refs import Ref
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Spec


class Project(EmcoResource):
    """The root of everything that a tenant deploys."""

    spec: AnySpec | None = None


class ControllerSpec(Spec):
    """Where a controller listens, and when it is called."""

    host: str
    port: StrictInt | str
    type: str | None = None
    priority: StrictInt | None = None


class Controller(EmcoResource, key=("group", "name")):
    """A service that takes part in a deployment; its group is ``orchestrator``, ``dtc`` or ``cluster``."""

    group: Name
    spec: ControllerSpec | None = None


class CompositeApp(EmcoResource, parent=Project, key=("name", "version")):
    """One version of a composite application; the document says the version as ``spec.compositeAppVersion``."""

    version: Name
    spec: AnySpec | None = None


class App(EmcoResource, parent=CompositeApp):
    """One application, a Helm chart; ``file`` names it."""

    spec: AnySpec | None = None


class AppDependencySpec(Spec):
    """What an app waits for; the other app is text, as in EMCO's schema."""

    app: str | None = None
    opStatus: str | None = None
    wait: StrictInt | str | None = None


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
