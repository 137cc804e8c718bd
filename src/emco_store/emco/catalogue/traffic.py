# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Traffic intents of a deployment: who serves, who may call, and what exactly."""

from __future__ import annotations

from pydantic import StrictBool, StrictInt

from emco_store.core.refs import Ref
from emco_store.emco.catalogue.applications import App
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Spec
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup


class TrafficGroupIntent(EmcoResource, parent=DeploymentIntentGroup):
    """The traffic of a deployment."""

    spec: AnySpec | None = None


class InboundServerIntentSpec(Spec):
    """A service that an app offers."""

    app: Ref[App]
    appLabel: str | None = None
    serviceName: str | None = None
    externalName: str | None = None
    port: StrictInt | str | None = None
    protocol: str | None = None
    externalSupport: StrictBool | None = None
    serviceMesh: str | None = None
    management: AnySpec | None = None
    external: AnySpec | None = None


class InboundServerIntent(EmcoResource, parent=TrafficGroupIntent):
    """A service that an app offers."""

    spec: InboundServerIntentSpec


class InboundClientsIntentSpec(Spec):
    """An app that calls a service."""

    app: Ref[App]
    appLabel: str | None = None
    serviceName: str | None = None
    namespaces: list[str] | None = None
    cidrs: list[str] | None = None


class InboundClientsIntent(EmcoResource, parent=InboundServerIntent):
    """Clients of a service."""

    spec: InboundClientsIntentSpec


class InboundClientsAccessIntentSpec(Spec):
    """What the clients may call. EMCO's schema declares a reference to an app here, but there is no such field."""

    action: str | None = None
    url: list[str] | None = None
    access: list[str] | None = None


class InboundClientsAccessIntent(EmcoResource, parent=InboundClientsIntent):
    """What the clients of a service may call."""

    spec: InboundClientsAccessIntentSpec | None = None
