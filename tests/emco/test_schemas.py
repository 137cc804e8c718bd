"""EMCO's JSON schemas as a table of facts, written down apart from the models: what breaks a rule of it is refused.

Each rule is broken in every way that it has, one at a time, in a document that is otherwise whole.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from emco_store import InvalidResource
from emco_store.emco import CATALOGUE, Agent, PolicyIntent, PolicyModule
from emco_store.emco.anchors import Place, read_anchor
from emco_store.emco.documents import Unacceptable, read_document
from emco_store.emco.yaml_text import read_documents
from tests.emco.conftest import bundle_of

METADATA = (
    "metadata.name! name; metadata.description text 1024; metadata.userData1 text 512; metadata.userData2 text 512"
)
CERTIFICATE = """
    spec.isCA bool; spec.duration str; spec.issuerRef map; spec.issuerRef.name! name;
    spec.issuerRef.kind! one ClusterIssuer Issuer; spec.issuerRef.group! one cert-manager.io;
    spec.issuerRef.version name; spec.issuingCluster map; spec.issuingCluster.cluster! name;
    spec.issuingCluster.clusterProvider! name
"""
SUBNETS = """
    spec.cniType! name; spec.ipv4Subnets list; spec.ipv6Subnets list;
    spec.ipv4Subnets.0.name! name; spec.ipv4Subnets.0.subnet! like 10.0.0.0/; spec.ipv4Subnets.0.subnet text 128;
    spec.ipv4Subnets.0.gateway text 128; spec.ipv6Subnets.0.name! name; spec.ipv6Subnets.0.subnet! like x!;
    spec.ipv6Subnets.0.subnet text 128; spec.ipv6Subnets.0.gateway text 128
"""
CHOICE = "AT.clusterProvider! text 128; AT.cluster! name; AT.clusterLabel absent"
LABEL = "AT.clusterProvider! text 128; AT.clusterLabel! text 128; AT.cluster absent"
ACTIVITY = "spec.temporal.workflowParams.activityOptions.act"
QUOTAS = """limits.cpu limits.memory requests.cpu requests.memory requests.storage requests.ephemeral-storage
    limits.ephemeral-storage persistentvolumeclaims pods configmaps replicationcontrollers resourcequotas services
    services.loadbalancers services.nodeports secrets count/replicationcontrollers count/deployments.apps
    count/replicasets.apps count/statefulsets.apps count/jobs.batch count/cronjobs.batch count/deployments.extensions"""
WORKFLOW = """
    spec.workflowClient! map; spec.workflowClient.clientEndpointName str; spec.workflowClient.clientEndpointPort int;
    spec.temporal! map; spec.temporal.workflowClientName str; spec.temporal.workflowStartOptions map;
    spec.temporal.workflowStartOptions.ID str; spec.temporal.workflowStartOptions.TaskQueue! str;
    spec.temporal.workflowParams map; spec.temporal.workflowParams.activityOptions map;
    OPT map; OPT.HeartbeatTimeout! int; OPT.StartToCloseTimeout! int; OPT.unknown absent
"""
RULES = {
    "Project": "",
    "Controller/orchestrator": """spec.host! text 128; spec.port! int 0 50000; spec.type text 48;
        spec.priority int 0 100""",
    "Controller/dtc": """spec.host! text 128; spec.port! int 1 65535; spec.type! like placement;
        spec.priority! int 1 100""",
    "Controller/cluster": "spec.host! text 128; spec.port! int 0 50000; spec.priority int 0 100",
    "ClusterProvider": "",
    "Cluster": "spec map; spec.gitOps! map",
    "ClusterLabel": "clusterLabel! name",
    "ClusterKv": "spec.kv! list; spec.kv.0 map; spec.kv.0.d text 128",
    "ClusterSyncObject": "spec.kv! list; spec.kv.0 map; spec.kv.0.gitType text 128",
    "Network": f"{SUBNETS}; spec.ipv4Subnets.0.excludeIps text 1024; spec.ipv6Subnets.0.excludeIps text 1024",
    "ProviderNetwork": f"""{SUBNETS}; spec.ipv4Subnets.0.excludeIps text 128; spec.ipv6Subnets.0.excludeIps text 128;
        spec.providerNetType! name; spec.vlan! map; spec.vlan.vlanID! text 128;
        spec.vlan.providerInterfaceName! text 128; spec.vlan.logicalInterfaceName! text 128;
        spec.vlan.vlanNodeSelector! text 128; spec.vlan.nodeLabelList! list; spec.vlan.nodeLabelList.0 text 128""",
    "CaCertCp": f"""{CERTIFICATE}; spec.csrInfo map; spec.csrInfo.keySize int; spec.csrInfo.version int;
        spec.csrInfo.dnsNames list; spec.csrInfo.dnsNames.0 text 128; spec.csrInfo.emailAddresses.0 text 128;
        spec.csrInfo.keyUsages.0 text 128; spec.csrInfo.algorithm.publicKeyAlgorithm one RSA DSA ECDSA Ed25519;
        spec.csrInfo.algorithm.signatureAlgorithm one MD5WithRSA SHA1WithRSA SHA256WithRSA SHA384WithRSA SHA512WithRSA
        ECDSAWithSHA1 ECDSAWithSHA256 ECDSAWithSHA384 ECDSAWithSHA512 SHA256WithRSAPSS SHA384WithRSAPSS
        SHA512WithRSAPSS PureEd25519; spec.csrInfo.subject.locale.country.0 text 128;
        spec.csrInfo.subject.locale.locality.0 text 128; spec.csrInfo.subject.locale.postalCode.0 text 128;
        spec.csrInfo.subject.locale.province.0 text 128; spec.csrInfo.subject.locale.streetAddress.0 text 128;
        spec.csrInfo.subject.names.commonNamePrefix text 128; spec.csrInfo.subject.organization.names.0 text 128;
        spec.csrInfo.subject.organization.units.0 text 128; spec.certificate.commonName text 128""",
    "CaCertLc": CERTIFICATE,
    "CaCertClusterGroupCp": "spec.scope! one label name; spec.clusterProvider! name; spec.label! name",
    "CaCertClusterGroupLc": "spec.scope! one label name; spec.clusterProvider! name; spec.cluster! name",
    "CaCertLogicalCloud": "spec! map; spec.logicalCloud! name",
    "LogicalCloud": """spec map; spec.level text 2; spec.namespace text 128; spec.labels map;
        spec.labels.a~b/c text 128; spec.user map; spec.user.userName text 20; spec.user.type text 128""",
    "ClusterReference": "spec! map; spec.clusterProvider! text 128; spec.cluster! name; spec.loadBalancerIP text 16",
    "ClusterQuota": "; ".join(f"spec.{name.replace('.', '~')} text 128" for name in QUOTAS.split()),
    "UserPermission": "spec.namespace text 128; spec.apiGroups list; spec.resources list; spec.verbs list",
    "LogicalCloudKv": "spec.kv! list; spec.kv.0 map; spec.kv.0.a text 128",
    "CompositeApp": "spec! map; spec.compositeAppVersion! name",
    "App": "",
    "AppDependency": "spec.app! name; spec.opStatus! like ready.; spec.wait int 0 4096",
    "CompositeProfile": "",
    "AppProfile": "spec! map; spec.app! name",
    "DeploymentIntentGroup": """spec! map; spec.compositeProfile! name; spec.version! name; spec.logicalCloud! name;
        spec.overrideValues list; spec.overrideValues.0.app! name; spec.overrideValues.0.values! map;
        spec.overrideValues.0.values.a~b text 128""",
    "GroupIntent": """spec! map; spec.intent! map; spec.intent.genericPlacementIntent text 128;
        spec.intent.ovnaction text 128""",
    "GenericPlacementIntent": "",
    "GenericAppPlacementIntent": f"""spec! map; spec.app! name; spec.intent! map; spec.intent.allOf list;
        spec.intent.anyOf list; {CHOICE.replace("AT", "spec.intent.allOf.0")};
        {LABEL.replace("AT", "spec.intent.allOf.1")};
        {CHOICE.replace("AT", "spec.intent.allOf.2.anyOf.0")}; {LABEL.replace("AT", "spec.intent.allOf.2.anyOf.1")};
        {CHOICE.replace("AT", "spec.intent.anyOf.0")}; {LABEL.replace("AT", "spec.intent.anyOf.1")};
        spec.intent.allOf.2.clusterLabel absent""",
    "NetControllerIntent": "",
    "WorkloadIntent": """spec! map; spec.app! name; spec.workloadResource! like -x; spec.workloadResource text 254;
        spec.type! name""",
    "InterfaceIntent": """spec.interface! name; spec.name! name; spec.defaultGateway text 128; spec.ipAddress text 128;
        spec.macAddress text 128""",
    "SfcIntent": "spec.chainType one Routing; spec.namespace text 63; spec.namespace like Default",
    "SfcLink": """spec! map; spec.leftNet! name; spec.rightNet! name; spec.linkLabel! like app; spec.linkLabel text 381;
        spec.app! name; spec.workloadResource! like -x; spec.workloadResource text 128; spec.resourceType! like x-;
        spec.resourceType text 128""",
    "SfcClientSelector": """spec.chainEnd! one left right; spec.podSelector! map; spec.podSelector.matchLabels! map;
        spec.podSelector.matchLabels.a~b/c str; spec.namespaceSelector! map; spec.namespaceSelector.matchLabels! map;
        spec.namespaceSelector.matchLabels.e str""",
    "SfcProviderNetwork": """spec.chainEnd! one left right; spec.providerNetwork! name; spec.gatewayIp! like 10.0.0.256;
        spec.subnet like 10.0.0.0/33""",
    "SfcClientIntent": """spec! map; spec.chainEnd! one left right; spec.sfcIntent! name; spec.compositeApp! name;
        spec.compositeAppVersion! name; spec.deploymentIntentGroup! name; spec.app! name;
        spec.workloadResource! name; spec.resourceType! name""",
    "TrafficGroupIntent": "",
    "InboundServerIntent": """spec! map; spec.app! name; spec.appLabel! like a/b; spec.appLabel text 128;
        spec.serviceName! name; spec.externalName text 128; spec.port! int 1 65535; spec.protocol! text 5;
        spec.protocol like T!; spec.externalSupport bool; spec.serviceMesh text 128; spec.edgeCNF text 128;
        spec.management map; spec.management.sidecarProxy! text 4; spec.management.tlsType! text 8; spec.external map;
        spec.external.serviceCertificate text 8192; spec.external.servicePrivateKey text 8192;
        spec.external.caCertificate text 8192""",
    "InboundClientsIntent": """spec! map; spec.app! name; spec.appLabel! like a/b; spec.appLabel text 128;
        spec.serviceName! name; spec.namespaces! list; spec.namespaces.0 str; spec.cidrs! list; spec.cidrs.0 str""",
    "InboundClientsAccessIntent": """spec.action! one ALLOW; spec.url! list; spec.url.0 like status;
        spec.url.0 text 4096; spec.access! list; spec.access.0 one GET PUT POST DELETE""",
    "GenericK8sIntent": "",
    "GenericResource": """spec! map; spec.app! name; spec.newObject! one true false; spec.resourceGVK map;
        spec.resourceGVK.apiVersion! text 128; spec.resourceGVK.kind! text 128; spec.resourceGVK.name! text 128""",
    "Customization": """spec.clusterSpecific! one true false; spec.clusterInfo! map;
        spec.clusterInfo.scope! one label name; spec.clusterInfo.clusterProvider! text 128;
        spec.clusterInfo.cluster text 128; spec.clusterInfo.clusterLabel! text 128;
        spec.clusterInfo.mode! one allow deny; spec.patchType one json merge; spec.patchJson list; spec.patchJson.0 map;
        spec.patchJson.0.op! one add remove replace move copy test; spec.patchJson.0.path! text 128;
        spec.patchJson.0.value! any; spec.configMapOptions map; spec.configMapOptions.dataKeyOptions list;
        spec.configMapOptions.dataKeyOptions.0.fileName! text 128;
        spec.configMapOptions.dataKeyOptions.0.keyName! text 128;
        spec.configMapOptions.dataKeyOptions.0.mergePatch one true false; spec.secretOptions map;
        spec.secretOptions.dataKeyOptions.0.fileName! text 128;
        spec.secretOptions.dataKeyOptions.0.keyName! text 128""",
    "HpaIntent": "spec! map; spec.app! name",
    "HpaConsumer": """spec.apiVersion filled; spec.kind filled; spec.name! filled; spec.container filled;
        spec.replicas int 1""",
    "HpaResource": """spec.allocatable! bool; spec.mandatory bool; spec.weight int 1; spec.resource! map;
        spec.resource.name! str; spec.resource.requests! int 1; spec.resource.limits int 1;
        spec.resource.units like -""",
    "WorkflowIntent": f"""{WORKFLOW.replace("OPT", ACTIVITY)}; {ACTIVITY}.ActivityID! str; {ACTIVITY}.TaskQueue! str;
        {ACTIVITY}.ScheduleToCloseTimeout! int; {ACTIVITY}.ScheduleToStartTimeout! int;
        {ACTIVITY}.WaitForCancellation! bool; {ACTIVITY}.RetryPolicy! map; {ACTIVITY}.RetryPolicy.InitialInterval! int;
        {ACTIVITY}.RetryPolicy.MaximumInterval! int; {ACTIVITY}.RetryPolicy.MaximumAttempts! int;
        {ACTIVITY}.RetryPolicy.NonRetryableErrorTypes! any; {ACTIVITY}.RetryPolicy.unknown absent;
        spec.temporal.workflowStartOptions.WorkflowRunTimeout int; spec.temporal.workflowParams.activityParams map;
        spec.temporal.workflowParams.activityParams.act.a~b str""",
    "WorkflowHookIntent": f"""{WORKFLOW.replace("OPT", ACTIVITY)};
        spec.hookType one pre-install post-install pre-update post-update pre-termination post-termination""",
    "WorkerIntent": """spec.startToCloseTimeout! int; spec.deploymentIntentGroup! text 128; spec.compositeApp! text 128;
        spec.compositeAppVersion! text 128""",
}  # fmt: skip
"""For each type its fields, ``!`` where one is required, and what it holds; ``~`` stands for a dot inside a name."""
WHOLE = Path(__file__).with_name("whole.yaml")


class Rule(NamedTuple):
    """One line of the table."""

    path: tuple[str | int, ...]
    is_required: bool
    kind: str
    args: tuple[str, ...]


def rules_of(name: str) -> Iterator[Rule]:
    """Yield the rules of one type."""
    text = RULES[name] if name == "ClusterLabel" else f"{METADATA}; {RULES[name]}"
    for line in text.split(";"):
        if line.strip():
            where, kind, *args = line.split()
            steps = (step.replace("~", ".") for step in where.removesuffix("!").split("."))
            yield Rule(
                tuple(int(step) if step.isdigit() else step for step in steps), where.endswith("!"), kind, tuple(args)
            )


GONE = object()
NO_TEXT = (7, True, 1.5, [], {})
NO_INT = ("7", "x", True, 1.5, [], {})


def misspelt(*words: str) -> list[Any]:
    """Yield what is nearly one of the words."""
    near = {wrong for word in words for wrong in (word.upper(), word.lower(), word.title(), f"{word} ", f"{word}s")}
    return [*NO_TEXT, "banana", *(near | {word[:-1] for word in words}) - {*words}]


BROKEN: dict[str, Callable[..., Iterable[Any]]] = {
    "name": lambda: (*NO_TEXT, "", "-x", "x-", ".x", "x y", "a/b", "é", "x\n", "x" * 129),
    "text": lambda longest: (*NO_TEXT, "x" * (int(longest) + 1)),
    "str": lambda: NO_TEXT,
    "filled": lambda: (*NO_TEXT, ""),
    "like": lambda wrong: (*NO_TEXT, wrong),
    "one": misspelt,
    "int": lambda *bounds: (*NO_INT, *(int(bound) + step for bound, step in zip(bounds, (-1, 1), strict=False))),
    "bool": lambda: ("true", 1, [], {}),
    "map": lambda: ("x", 7, ["x"]),
    "list": lambda: ("x", 7, {"x": "y"}),
    "absent": lambda: ("x",),
    "any": lambda: (),
}
"""For each kind of rule what it forbids in its place."""


def broken_values(rule: Rule) -> Iterator[Any]:
    """Yield what a rule forbids in its place."""
    if rule.is_required:
        yield GONE
        if rule.kind != "any":
            yield None
    yield from BROKEN[rule.kind](*rule.args)


def put(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return a copy of a document with another value in one place."""
    changed: Any = copy.deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    if value is GONE:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def name_of(document: dict[str, Any]) -> str:
    """Return the name in the table of the type that a document states."""
    place = read_anchor(document["resourceContext"]["anchor"])
    assert isinstance(place, Place)
    collection = place.collection
    return "/".join((collection.model.__name__, *collection.fixed.values()))


DOCUMENTS = {name_of(found.value): found.value for found in read_documents(WHOLE.read_text(encoding="utf-8"))}


def test_table_covers_every_type_that_has_a_schema():
    """EMCO has a JSON schema for all of its types but those of the policy service."""
    types = {model.__name__ for model in CATALOGUE} - {kind.__name__ for kind in (Agent, PolicyIntent, PolicyModule)}

    assert types == {name.partition("/")[0] for name in RULES}
    assert set(RULES) == set(DOCUMENTS)


@pytest.mark.parametrize("name", RULES)
def test_document_that_breaks_a_rule_of_emco_is_refused(name):
    """A field that is required, too long, malformed, not one of those listed or of another type is refused (BAD-6)."""
    document = DOCUMENTS[name]
    read_document(document)
    taken = []
    tried = 0
    for rule in rules_of(name):
        for value in broken_values(rule):
            tried += 1
            try:
                read_document(put(document, rule.path, value))
            except Unacceptable:
                continue
            taken.append((".".join(map(str, rule.path)), value if value is not GONE else "left out"))

    assert [] == taken
    assert tried > 10


@pytest.mark.parametrize("name", RULES)
def test_document_at_the_limits_of_emco_is_accepted(name):
    """The longest text, the least and the greatest number and each word of a list are within (BAD-6)."""
    document = DOCUMENTS[name]
    for rule in rules_of(name):
        within: Iterable[Any] = ()
        if rule.kind == "text" and rule.path[-1] != "linkLabel" and "url" not in rule.path:
            within = ["x" * int(rule.args[0])]
        elif rule.kind == "one" and rule.path[-1] not in {"clusterSpecific", "scope"}:  # others depend on these
            within = rule.args
        elif rule.kind == "int":
            within = map(int, rule.args)
        for value in within:
            read_document(put(document, rule.path, value))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Project", "metadata.description"),
        ("Controller/cluster", "spec.priority"),
        ("Cluster", "spec"),
        ("Network", "spec.ipv6Subnets"),
        ("CaCertCp", "spec.csrInfo.subject"),
        ("InboundServerIntent", "spec.management"),
        ("Customization", "spec.patchType"),
        ("HpaResource", "spec.resource.units"),
    ],
)
def test_field_that_is_not_required_may_be_null_or_left_out(name, path):
    """EMCO reads a null as a field that is not there, whatever its JSON schemas say of it."""
    steps = tuple(path.split("."))

    for value in (None, GONE):
        read_document(put(DOCUMENTS[name], steps, value))


@pytest.mark.parametrize(
    ("specific", "scope"), [("true", "name"), ("true", "label"), ("True", "name"), ("true", "Name")]
)
def test_customization_never_loses_its_reference_in_silence(specific, scope):
    """A word that is misspelt, or a cluster that is left out, is an error and not a reference less (REF-10, B14)."""
    document = DOCUMENTS["Customization"]
    info = {"scope": scope, "clusterProvider": "cp", "mode": "allow"}

    with pytest.raises(Unacceptable):
        read_document(document | {"spec": {"clusterSpecific": specific, "clusterInfo": info}})


@pytest.mark.parametrize("words", ["controllers", "dtc-controllers"])
def test_port_may_be_the_variable_of_a_template(words):
    """EMCO's test-tac has such a variable where no value was filled in; other text is no port."""
    text = (
        "resourceContext: {{anchor: {words}}}\nmetadata: {{name: a}}\n"
        "spec: {{host: h, port: {port}, type: action, priority: 1}}"
    )

    assert "vtac_control_port" == bundle_of(text.format(words=words, port="vtac_control_port")).resources[0].spec.port
    for port in ("'30431'", "http", "_port", "30_port"):
        with pytest.raises(InvalidResource):
            bundle_of(text.format(words=words, port=port))
