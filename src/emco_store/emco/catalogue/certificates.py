# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Certificate authorities for the clusters of a provider, and for the logical clouds of a project."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, StrictBool, StrictInt, StringConstraints, model_validator

from emco_store.core.refs import Ref, reference
from emco_store.core.resource import Resource
from emco_store.core.rules import CASCADE
from emco_store.core.some_of import some_of
from emco_store.emco.catalogue.applications import Project
from emco_store.emco.catalogue.base import EmcoResource, Name, Spec, Text, check_name, parts
from emco_store.emco.catalogue.clusters import Cluster, ClusterLabel, ClusterProvider
from emco_store.emco.catalogue.lifecycles import CertificateLifecycle
from emco_store.emco.catalogue.logical_clouds import LogicalCloud


class Issuer(Spec):
    """Who issues."""

    name: Name
    kind: Literal["ClusterIssuer", "Issuer"]
    group: Literal["cert-manager.io"]
    version: Name | None = None


class IssuingCluster(Spec):
    """The cluster of the issuer."""

    clusterProvider: Name | None = None
    cluster: Annotated[Ref[Cluster], parts("clusterProvider")]


class SigningAlgorithm(Spec):
    """How a certificate is signed."""

    publicKeyAlgorithm: Literal["RSA", "DSA", "ECDSA", "Ed25519"] | None = None
    signatureAlgorithm: (
        Literal[
            "MD5WithRSA",
            "SHA1WithRSA",
            "SHA256WithRSA",
            "SHA384WithRSA",
            "SHA512WithRSA",
            "ECDSAWithSHA1",
            "ECDSAWithSHA256",
            "ECDSAWithSHA384",
            "ECDSAWithSHA512",
            "SHA256WithRSAPSS",
            "SHA384WithRSAPSS",
            "SHA512WithRSAPSS",
            "PureEd25519",
        ]
        | None
    ) = None


class Locale(Spec):
    """Where a subject is."""

    country: list[Text] | None = None
    locality: list[Text] | None = None
    postalCode: list[Text] | None = None
    province: list[Text] | None = None
    streetAddress: list[Text] | None = None


class SubjectNames(Spec):
    """What a subject is called."""

    commonNamePrefix: Text | None = None


class Organization(Spec):
    """Whom a subject belongs to."""

    names: list[Text] | None = None
    units: list[Text] | None = None


class Subject(Spec):
    """For whom a certificate is."""

    locale: Locale | None = None
    names: SubjectNames | None = None
    organization: Organization | None = None


class SigningRequest(Spec):
    """What is asked for."""

    keySize: StrictInt | None = None
    version: StrictInt | None = None
    dnsNames: list[Text] | None = None
    emailAddresses: list[Text] | None = None
    keyUsages: list[Text] | None = None
    algorithm: SigningAlgorithm | None = None
    subject: Subject | None = None


class IssuedCertificate(Spec):
    """What stands on a certificate."""

    commonName: Text | None = None


class CaCertSpec(Spec):
    """A certificate authority. EMCO's schema does not declare the issuing cluster as a reference; here it is one."""

    isCA: StrictBool | None = None
    issuerRef: Issuer | None = None
    duration: str | None = None
    issuingCluster: IssuingCluster | None = None
    csrInfo: SigningRequest | None = None
    certificate: IssuedCertificate | None = None


class ClusterGroupSpec(Spec):
    """Clusters by name or by label: a reference or a selection, neither of which EMCO's schema declares."""

    scope: Literal["label", "name"]
    clusterProvider: Name
    cluster: Annotated[
        Ref[Cluster] | None, parts("clusterProvider"), reference(when={"scope": "name"}), AfterValidator(check_name)
    ] = None
    label: Annotated[
        Name | None,
        some_of(ClusterLabel, where={"ClusterProvider": "clusterProvider"}),
        reference(when={"scope": "label"}),
    ] = None

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        wanted = "cluster" if self.scope == "name" else "label"
        if not getattr(self, wanted):
            message = f"at {wanted}: it is needed where the scope is {self.scope}"
            raise ValueError(message)
        return self


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


PhaseName = Annotated[str, StringConstraints(pattern=r"^(enrollment|distribution)$")]
"""The two phases of a certificate, of which each has states of its own."""


class CaCertPhaseCp(Resource, parent=CaCertCp, on_parent_delete=CASCADE, lifecycle=CertificateLifecycle):
    """One phase of a provider's authority. No document states it: the first action on it makes it."""

    name: PhaseName


class CaCertPhaseLc(Resource, parent=CaCertLc, on_parent_delete=CASCADE, lifecycle=CertificateLifecycle):
    """One phase of a project's authority. No document states it: the first action on it makes it."""

    name: PhaseName


PHASES: dict[type[Resource], type[Resource]] = {CaCertCp: CaCertPhaseCp, CaCertLc: CaCertPhaseLc}
"""The model of the phases of each authority."""
