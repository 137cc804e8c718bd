# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Traffic intents of a deployment: who serves, who may call, and what exactly."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StringConstraints

from emco_store.core.refs import Ref
from emco_store.core.some_of import some_of
from emco_store.emco.catalogue.applications import App, Controller
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Spec, Text
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup

AppLabel = Annotated[Text, StringConstraints(pattern=r"^([A-Za-z0-9][-A-Za-z0-9_.=]*)?[A-Za-z0-9]$")]
Certificate = Annotated[str, StringConstraints(max_length=8192)]
Path = Annotated[str, StringConstraints(max_length=4096, pattern=r"^(/)([A-Za-z0-9][-A-Za-z0-9_./]*)?[A-Za-z0-9*]$")]


class TrafficGroupIntent(EmcoResource, parent=DeploymentIntentGroup):
    """The traffic of a deployment; controllers of the group ``dtc`` act on it, as far as any are registered."""

    name: Annotated[Name, some_of(Controller, where={"Controller.name": None}, fixed={"group": "dtc"}, required=False)]
    spec: AnySpec | None = None


class ServiceManagement(Spec):
    """How the traffic of a service is managed."""

    sidecarProxy: Annotated[str, StringConstraints(max_length=4)]
    tlsType: Annotated[str, StringConstraints(max_length=8)]


class ExternalCertificates(Spec):
    """The certificates of a service that is reached from outside."""

    serviceCertificate: Certificate | None = None
    servicePrivateKey: Certificate | None = None
    caCertificate: Certificate | None = None


class InboundServerIntentSpec(Spec):
    """A service that an app offers."""

    app: Ref[App]
    appLabel: AppLabel
    serviceName: Name
    externalName: Text | None = None
    port: Annotated[int, Field(strict=True, ge=1, le=65535)]
    protocol: Annotated[Name, StringConstraints(max_length=5)]
    externalSupport: StrictBool | None = None
    serviceMesh: Text | None = None
    edgeCNF: Text | None = None
    management: ServiceManagement | None = None
    external: ExternalCertificates | None = None


class InboundServerIntent(EmcoResource, parent=TrafficGroupIntent):
    """A service that an app offers."""

    spec: InboundServerIntentSpec


class InboundClientsIntentSpec(Spec):
    """An app that calls a service."""

    app: Ref[App]
    appLabel: AppLabel
    serviceName: Name
    namespaces: list[str]
    cidrs: list[str]


class InboundClientsIntent(EmcoResource, parent=InboundServerIntent):
    """Clients of a service."""

    spec: InboundClientsIntentSpec


class InboundClientsAccessIntentSpec(Spec):
    """What the clients may call. EMCO's schema declares a reference to an app here, but there is no such field."""

    action: Literal["ALLOW"]
    url: list[Path]
    access: list[Literal["GET", "PUT", "POST", "DELETE"]]


class InboundClientsAccessIntent(EmcoResource, parent=InboundClientsIntent):
    """What the clients of a service may call."""

    spec: InboundClientsAccessIntentSpec | None = None
