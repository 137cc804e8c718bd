"""A data layer for microservices: typed resources, references that never dangle, and optimistic transactions.

The public names are here, and nowhere else.
"""

from emco_store._aio.caching import AsyncCache
from emco_store._aio.consumers import AsyncConsumer
from emco_store._aio.controlling import AsyncController, AsyncWork
from emco_store._aio.following import AsyncFollow
from emco_store._aio.iterating import AsyncIteration
from emco_store._aio.reaping import AsyncReaper
from emco_store._aio.relaying import AsyncRelay, AsyncSink
from emco_store._aio.store import AsyncStore
from emco_store._aio.supervising import AsyncSupervisor
from emco_store._aio.transaction import AsyncTransaction
from emco_store._aio.watching import AsyncWatch
from emco_store._sync.caching import Cache
from emco_store._sync.consumers import Consumer
from emco_store._sync.controlling import Controller, Work
from emco_store._sync.following import Follow
from emco_store._sync.iterating import Iteration
from emco_store._sync.reaping import Reaper
from emco_store._sync.relaying import Relay, Sink
from emco_store._sync.store import Store
from emco_store._sync.supervising import Supervisor
from emco_store._sync.transaction import Transaction
from emco_store._sync.watching import Watch
from emco_store.backends.memory import MemoryBackend
from emco_store.beating import Lease
from emco_store.connect import connect, connect_async
from emco_store.core.codec import Untyped
from emco_store.core.consumers import ConsumerState, Skipped
from emco_store.core.diffs import Diff, DocumentChange
from emco_store.core.events import Action, Aspect, Event, RecordChange
from emco_store.core.evolution import since
from emco_store.core.exports import Export, Imported, ImportPlan
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.following import Added, News, Removed, Resynced, Updated
from emco_store.core.guards import ancestor, approved, check, every, none, observed, referrers, some, target
from emco_store.core.indexing import indexed, unique
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseState, Reaped, Seat, Verdict
from emco_store.core.lifecycle import Lifecycle, LifecycleRecord
from emco_store.core.lifecycle_parts import Transition, content, hold, transition
from emco_store.core.lifecycle_records import Approval
from emco_store.core.messages import Message
from emco_store.core.meta import Meta
from emco_store.core.migrations import Migrated, MigrationPlan, Unmigrated
from emco_store.core.objections import Objection
from emco_store.core.opaque import Opaque
from emco_store.core.pages import Page
from emco_store.core.plan import Blocker, BlockReason, Change, Deleted, Deletion, Plan
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete, on_expire, reference
from emco_store.core.relaying import Delivery, Position
from emco_store.core.resource import Resource
from emco_store.core.revisions import Revision
from emco_store.core.rollbacks import RollbackPlan, RolledBack
from emco_store.core.rules import CASCADE, PROTECT, REMOVE, RESTRICT, SET_DEFAULT, SET_NULL, Rule
from emco_store.core.segments import Readiness, Segment, SegmentState
from emco_store.core.some_of import some_of
from emco_store.core.status import Condition, Status, no, unknown, yes
from emco_store.core.strategies import Backoff, Escalate, Failed, FailureRate, GiveUp, Reassign, Restart
from emco_store.core.supervising import Candidate, Escalation, Recovery, Supervised, by_zone, least_loaded
from emco_store.core.sync_states import SyncState
from emco_store.core.trails import ABSENT, FieldChange, Trail, TrailEntry
from emco_store.core.transaction_plans import TransactionPlan
from emco_store.core.transition_plans import TransitionPlan
from emco_store.core.views import View
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    ContentChanged,
    DeleteRestricted,
    FeedGap,
    HandlerFailed,
    InvalidCall,
    InvalidModel,
    InvalidResource,
    LeaseHeld,
    LeaseLost,
    Misconfigured,
    MissingReference,
    NewerModel,
    NotFound,
    NotPermitted,
    NotReady,
    NotSupported,
    SegmentRefused,
    SinkFailed,
    StaleCache,
    StateForbids,
    StoreError,
    TransitionRefused,
    Unavailable,
    UniqueViolation,
    UnknownOutcome,
)
from emco_store.flows.checking import CheckPage, Repaired
from emco_store.flows.context import RetryPolicy
from emco_store.flows.history import RevisionContent
from emco_store.flows.pruning import Pruned
from emco_store.ports import Durability, Guarantees, Outcome

__version__ = "0.1.0"

__all__ = [
    "ABSENT",
    "CASCADE",
    "PROTECT",
    "REMOVE",
    "RESTRICT",
    "SET_DEFAULT",
    "SET_NULL",
    "Action",
    "Added",
    "AlreadyExists",
    "Approval",
    "Aspect",
    "AsyncCache",
    "AsyncConsumer",
    "AsyncController",
    "AsyncFollow",
    "AsyncIteration",
    "AsyncReaper",
    "AsyncRelay",
    "AsyncSink",
    "AsyncStore",
    "AsyncSupervisor",
    "AsyncTransaction",
    "AsyncWatch",
    "AsyncWork",
    "Backoff",
    "BlockReason",
    "Blocker",
    "Cache",
    "Candidate",
    "Change",
    "CheckPage",
    "Condition",
    "Conflict",
    "Consumer",
    "ConsumerState",
    "ContentChanged",
    "Controller",
    "DeleteRestricted",
    "Deleted",
    "Deletion",
    "Delivery",
    "Diff",
    "DocumentChange",
    "Durability",
    "Escalate",
    "Escalation",
    "Event",
    "Export",
    "F",
    "Failed",
    "FailureRate",
    "FeedGap",
    "FieldChange",
    "Flaw",
    "FlawKind",
    "Follow",
    "GiveUp",
    "Guarantees",
    "HandlerFailed",
    "ImportPlan",
    "Imported",
    "InvalidCall",
    "InvalidModel",
    "InvalidResource",
    "Iteration",
    "Key",
    "Lease",
    "LeaseHeld",
    "LeaseLost",
    "LeaseState",
    "Lifecycle",
    "LifecycleRecord",
    "MemoryBackend",
    "Message",
    "Meta",
    "Migrated",
    "MigrationPlan",
    "Misconfigured",
    "MissingReference",
    "NewerModel",
    "News",
    "NotFound",
    "NotPermitted",
    "NotReady",
    "NotSupported",
    "Objection",
    "Opaque",
    "Outcome",
    "Page",
    "Plan",
    "Position",
    "Pruned",
    "Readiness",
    "Reaped",
    "Reaper",
    "Reassign",
    "RecordChange",
    "Recovery",
    "Ref",
    "Relay",
    "Removed",
    "Repair",
    "Repaired",
    "Resource",
    "Restart",
    "Resynced",
    "RetryPolicy",
    "Revision",
    "RevisionContent",
    "RollbackPlan",
    "RolledBack",
    "Rule",
    "Seat",
    "Segment",
    "SegmentRefused",
    "SegmentState",
    "Sink",
    "SinkFailed",
    "Skipped",
    "StaleCache",
    "StateForbids",
    "Status",
    "Store",
    "StoreError",
    "Supervised",
    "Supervisor",
    "SyncState",
    "Trail",
    "TrailEntry",
    "Transaction",
    "TransactionPlan",
    "Transition",
    "TransitionPlan",
    "TransitionRefused",
    "Unavailable",
    "UniqueViolation",
    "UnknownOutcome",
    "Unmigrated",
    "Untyped",
    "Updated",
    "Verdict",
    "View",
    "Watch",
    "Work",
    "ancestor",
    "approved",
    "by_zone",
    "check",
    "connect",
    "connect_async",
    "content",
    "every",
    "hold",
    "indexed",
    "least_loaded",
    "no",
    "none",
    "observed",
    "on_delete",
    "on_expire",
    "reference",
    "referrers",
    "since",
    "some",
    "some_of",
    "target",
    "transition",
    "unique",
    "unknown",
    "yes",
]
