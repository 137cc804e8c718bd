"""``Conformance``: the tests of all rules in one class, which needs a harness."""

from __future__ import annotations

from typing import ClassVar

from emco_store.contracts.approvals import ApprovalRules
from emco_store.contracts.atomicity import AtomicityRules
from emco_store.contracts.attendances import AttendanceRules
from emco_store.contracts.bad_input import BadInputRules
from emco_store.contracts.beats import BeatRules, PulseCheckRules
from emco_store.contracts.bulk import BulkRules
from emco_store.contracts.caches import CacheRules
from emco_store.contracts.checks import CheckRules
from emco_store.contracts.commits import CommitRules
from emco_store.contracts.concurrency import ConcurrencyRules
from emco_store.contracts.conditions import ConditionRules
from emco_store.contracts.consumer_crash_points import ConsumerCrashRules
from emco_store.contracts.consumers import ConsumerRules
from emco_store.contracts.content_races import ContentRaces
from emco_store.contracts.controllers import ControllerRules
from emco_store.contracts.counts import CountRules
from emco_store.contracts.crash_points import CrashRules
from emco_store.contracts.crowds import CrowdRules
from emco_store.contracts.damages import DamageRules
from emco_store.contracts.deadlines import DeadlineRules
from emco_store.contracts.deletes import DeleteRules
from emco_store.contracts.digests import DigestRules
from emco_store.contracts.durability import DurabilityRules
from emco_store.contracts.edits import EditRules
from emco_store.contracts.escalations import EscalatingRules
from emco_store.contracts.evolving import EvolvingRules
from emco_store.contracts.exports import ExportRules
from emco_store.contracts.feed import FeedRules
from emco_store.contracts.fences import FenceRules
from emco_store.contracts.follows import FollowRules
from emco_store.contracts.freezes import FreezeRules
from emco_store.contracts.guards_of_states import GuardRules
from emco_store.contracts.harness import ONE_STEP, UNDAMAGED, Gap, Harness, Mode
from emco_store.contracts.heartbeats import HeartbeatRules
from emco_store.contracts.holds import HoldRules
from emco_store.contracts.holds_between import HoldBetweenRules
from emco_store.contracts.identity import IdentityRules
from emco_store.contracts.indexes import IndexRules
from emco_store.contracts.inside import InsideRules
from emco_store.contracts.interleavings import InterleavingRules
from emco_store.contracts.judgements import JudgingRules
from emco_store.contracts.kept_values import KeptValueRules
from emco_store.contracts.lease_crash_points import LeaseCrashRules
from emco_store.contracts.lease_interleavings import LeaseInterleavingRules
from emco_store.contracts.leases import LeaseRules
from emco_store.contracts.leftovers import LeftoverRules
from emco_store.contracts.lifecycles import LifecycleRules
from emco_store.contracts.lists import ListRules
from emco_store.contracts.machine import MachineRules
from emco_store.contracts.messages import MessageRules
from emco_store.contracts.migrating import MigratingRules
from emco_store.contracts.neighbours import NeighbourRules
from emco_store.contracts.origins import OriginRules
from emco_store.contracts.pages import PageRules
from emco_store.contracts.patches import PatchRules
from emco_store.contracts.phantoms import PhantomRules
from emco_store.contracts.plans import PlanRules
from emco_store.contracts.references import ReferenceRules
from emco_store.contracts.registrations import RegistrationInterleavings
from emco_store.contracts.relay_crash_points import RelayCrashRules
from emco_store.contracts.relays import RelayRules
from emco_store.contracts.removals import RemovalRules
from emco_store.contracts.reserved_kinds import ReservedRules
from emco_store.contracts.reserved_names import ReservedNameRules
from emco_store.contracts.revisions import RevisionRules
from emco_store.contracts.rollback_plans import RollbackPlanRules
from emco_store.contracts.rollbacks import RollbackRules
from emco_store.contracts.segments import SegmentRules
from emco_store.contracts.selections import SelectionRules
from emco_store.contracts.shared_gets import SharedGetRules
from emco_store.contracts.statuses import StatusRules
from emco_store.contracts.stored_rules import StoredRules
from emco_store.contracts.stored_states import StoredStateRules
from emco_store.contracts.supervision import SupervisingRules
from emco_store.contracts.supervisor_interleavings import SupervisorInterleavingRules
from emco_store.contracts.sync_states import SyncStateRules
from emco_store.contracts.texts import TextRules
from emco_store.contracts.trails import TrailRules
from emco_store.contracts.transaction_plans import TransactionPlanRules
from emco_store.contracts.transactions import TransactionRules
from emco_store.contracts.uniques import UniqueRules
from emco_store.contracts.unreadable import UnreadableRules
from emco_store.contracts.values import ValueRules
from emco_store.contracts.views import ViewRules
from emco_store.contracts.walked import WalkRules
from emco_store.contracts.watches import WatchRules
from emco_store.contracts.witnesses import WitnessRules

__all__ = ["ONE_STEP", "UNDAMAGED", "Conformance", "Gap", "Harness", "Mode", "PortRules"]


class PortRules(
    IdentityRules,
    UniqueRules,
    NeighbourRules,
    ValueRules,
    ListRules,
    CountRules,
    ConditionRules,
    IndexRules,
    PageRules,
    BulkRules,
    TextRules,
    LeftoverRules,
    ReferenceRules,
    DeleteRules,
    RemovalRules,
    StoredRules,
    ConcurrencyRules,
    PhantomRules,
    TransactionRules,
    HoldRules,
    AtomicityRules,
    CrashRules,
    CommitRules,
    CrowdRules,
    SharedGetRules,
    FenceRules,
    BeatRules,
    PulseCheckRules,
    FeedRules,
    MessageRules,
    WatchRules,
    DurabilityRules,
    DeadlineRules,
    BadInputRules,
    UnreadableRules,
    CheckRules,
    ReservedNameRules,
    OriginRules,
    InterleavingRules,
    LeaseRules,
    MachineRules,
    WitnessRules,
):
    """The tests of what a backend decides: enough for one more driver, user or adapter of one that passes all."""

    harness: ClassVar[Harness]


class Conformance(
    PortRules,
    PatchRules,
    TransactionPlanRules,
    SelectionRules,
    DigestRules,
    RevisionRules,
    RollbackRules,
    RollbackPlanRules,
    ContentRaces,
    PlanRules,
    EditRules,
    ViewRules,
    KeptValueRules,
    SegmentRules,
    RegistrationInterleavings,
    InsideRules,
    FollowRules,
    CacheRules,
    ControllerRules,
    DamageRules,
    ExportRules,
    EvolvingRules,
    MigratingRules,
    ReservedRules,
    StatusRules,
    SyncStateRules,
    TrailRules,
    LifecycleRules,
    GuardRules,
    HoldBetweenRules,
    FreezeRules,
    StoredStateRules,
    ApprovalRules,
    HeartbeatRules,
    AttendanceRules,
    JudgingRules,
    SupervisingRules,
    EscalatingRules,
    LeaseCrashRules,
    ConsumerRules,
    ConsumerCrashRules,
    RelayRules,
    RelayCrashRules,
    LeaseInterleavingRules,
    SupervisorInterleavingRules,
    WalkRules,
):
    """The tests of every rule. Subclass it as ``Test…`` and set ``harness``."""

    harness: ClassVar[Harness]
