# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Certificate authorities for the clusters of a provider, and for the logical clouds of a project."""

from __future__ import annotations

from typing import Annotated

from pydantic import StrictBool, StrictInt

from emco_store.core.refs import Ref, reference
from emco_store.emco.catalogue.applications import Project
from emco_store.emco.catalogue.base import EmcoResource, Spec, parts
from emco_store.emco.catalogue.clusters import Cluster, ClusterProvider
from emco_store.emco.catalogue.logical_clouds import LogicalCloud


class Issuer(Spec):
    """Who issues."""

    name: str | None = None
    kind: str | None = None
    group: str | None = None
    version: str | None = None


class IssuingCluster(Spec):
    """The cluster of the issuer."""

    clusterProvider: str | None = None
    cluster: Annotated[Ref[Cluster], parts("clusterProvider")]


class SigningAlgorithm(Spec):
    """How a certificate is signed."""

    publicKeyAlgorithm: str | None = None
    signatureAlgorithm: str | None = None


class Locale(Spec):
    """Where a subject is."""

    country: list[str] | None = None
    locality: list[str] | None = None
    postalCode: list[str] | None = None
    province: list[str] | None = None
    streetAddress: list[str] | None = None


class SubjectNames(Spec):
    """What a subject is called."""

    commonNamePrefix: str | None = None


class Organization(Spec):
    """Whom a subject belongs to."""

    names: list[str] | None = None
    units: list[str] | None = None


class Subject(Spec):
    """For whom a certificate is."""

    locale: Locale | None = None
    names: SubjectNames | None = None
    organization: Organization | None = None


class SigningRequest(Spec):
    """What is asked for."""

    keySize: StrictInt | None = None
    version: StrictInt | None = None
    dnsNames: list[str] | None = None
    emailAddresses: list[str] | None = None
    keyUsages: list[str] | None = None
    algorithm: SigningAlgorithm | None = None
    subject: Subject | None = None


class CaCertSpec(Spec):
    """A certificate authority. EMCO's schema does not declare the issuing cluster as a reference; here it is one."""

    isCA: StrictBool | None = None
    issuerRef: Issuer | None = None
    duration: str | None = None
    issuingCluster: IssuingCluster | None = None
    csrInfo: SigningRequest | None = None


class ClusterGroupSpec(Spec):
    """Clusters by name or by label; a reference, which EMCO's schema does not declare, only where it is by name."""

    scope: str | None = None
    clusterProvider: str | None = None
    cluster: Annotated[Ref[Cluster] | None, parts("clusterProvider"), reference(when={"scope": "name"})] = None
    label: str | None = None


class CaCertCp(EmcoResource, parent=ClusterProvider):
    """A certificate authority for clusters of a provider."""

    spec: CaCertSpec | None = None


class CaCertClusterGroupCp(EmcoResource, parent=CaCertCp):
    """Clusters that a provider's authority is for."""

    spec: ClusterGroupSpec | None = None


class CaCertLc(EmcoResource, parent=Project):
    """A certificate authority for logical clouds of a project."""

    spec: CaCertSpec | None = None


class CaCertLogicalCloudSpec(Spec):
    """The logical cloud that is meant; EMCO's schema does not declare it as a reference, here it is one."""

    logicalCloud: Ref[LogicalCloud]


class CaCertLogicalCloud(EmcoResource, parent=CaCertLc):
    """A logical cloud that a project's authority is for."""

    spec: CaCertLogicalCloudSpec


class CaCertClusterGroupLc(EmcoResource, parent=CaCertLogicalCloud):
    """Clusters of a logical cloud that a project's authority is for."""

    spec: ClusterGroupSpec | None = None
