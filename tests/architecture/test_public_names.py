"""The public names are a promise: one is added or removed on purpose, with a line in the changelog."""

from __future__ import annotations

from importlib.metadata import version

import emco_store

MODELS = {
    "Key",
    "Meta",
    "Opaque",
    "Ref",
    "Resource",
    "Rule",
    "Untyped",
    "indexed",
    "since",
    "on_delete",
    "reference",
    "some_of",
    "unique",
}
LEASES = {
    "AsyncReaper",
    "Lease",
    "LeaseState",
    "Reaped",
    "Reaper",
    "Seat",
    "Verdict",
    "on_expire",
}
SUPERVISION = {
    "AsyncSupervisor",
    "Backoff",
    "Candidate",
    "Escalate",
    "Escalation",
    "Failed",
    "FailureRate",
    "GiveUp",
    "Reassign",
    "Recovery",
    "Restart",
    "Supervised",
    "Supervisor",
    "by_zone",
    "least_loaded",
}
STATUSES = {"Condition", "Status", "SyncState", "no", "unknown", "yes"}
DELETE_RULES = {"CASCADE", "PROTECT", "REMOVE", "RESTRICT", "SET_DEFAULT", "SET_NULL"}
STORES = {"AsyncStore", "AsyncTransaction", "Store", "Transaction", "connect", "connect_async"}
OPTIONS = {"Durability", "Guarantees", "MemoryBackend", "RetryPolicy"}
QUERIES = {"AsyncIteration", "F", "Iteration", "Page"}
CHECKS = {"CheckPage", "Flaw", "FlawKind", "Repair", "Repaired"}
PLANS = {"BlockReason", "Blocker", "Change", "Deleted", "Deletion", "Outcome", "Plan", "TransactionPlan"}
EXPORTS = {"Export", "ImportPlan", "Imported"}
MIGRATIONS = {"Migrated", "MigrationPlan", "Unmigrated"}
HISTORY = {
    "Diff",
    "DocumentChange",
    "Pruned",
    "Revision",
    "RevisionContent",
    "RollbackPlan",
    "RolledBack",
}
LIFECYCLES = {
    "Approval",
    "Lifecycle",
    "LifecycleRecord",
    "Objection",
    "Transition",
    "TransitionPlan",
    "ancestor",
    "approved",
    "check",
    "content",
    "every",
    "hold",
    "none",
    "observed",
    "referrers",
    "some",
    "target",
    "transition",
}
FEED = {"Action", "Aspect", "AsyncWatch", "Event", "Message", "RecordChange", "Watch"}
CONSUMERS = {"AsyncConsumer", "Consumer", "ConsumerState", "Skipped"}
FOLLOWING = {
    "Added",
    "AsyncCache",
    "AsyncController",
    "AsyncFollow",
    "AsyncWork",
    "Cache",
    "Controller",
    "Follow",
    "News",
    "Removed",
    "Resynced",
    "Updated",
    "Work",
}
RELAYS = {"AsyncRelay", "AsyncSink", "Delivery", "Position", "Relay", "Sink"}
SHARING = {"Readiness", "Segment", "SegmentState", "View"}
TRAILS = {"ABSENT", "FieldChange", "Trail", "TrailEntry"}
ERRORS = {
    "AlreadyExists",
    "Conflict",
    "ContentChanged",
    "DeleteRestricted",
    "InvalidCall",
    "InvalidModel",
    "InvalidResource",
    "FeedGap",
    "HandlerFailed",
    "StaleCache",
    "SinkFailed",
    "LeaseHeld",
    "LeaseLost",
    "MissingReference",
    "Misconfigured",
    "NewerModel",
    "NotFound",
    "NotPermitted",
    "NotReady",
    "SegmentRefused",
    "NotSupported",
    "StateForbids",
    "StoreError",
    "TransitionRefused",
    "Unavailable",
    "UniqueViolation",
    "UnknownOutcome",
}


def test_public_names_are_the_promised_ones():
    """``emco_store`` exports exactly these names."""
    assert sorted(
        MODELS
        | LEASES
        | SUPERVISION
        | STATUSES
        | DELETE_RULES
        | STORES
        | OPTIONS
        | QUERIES
        | PLANS
        | CHECKS
        | EXPORTS
        | MIGRATIONS
        | LIFECYCLES
        | HISTORY
        | SHARING
        | TRAILS
        | FEED
        | CONSUMERS
        | FOLLOWING
        | RELAYS
        | ERRORS
    ) == sorted(emco_store.__all__)


def test_version_is_that_of_the_distribution():
    """The package says its version, and the metadata of the distribution take it from there."""
    assert version("emco-store") == emco_store.__version__


def test_every_public_name_is_there():
    """What is exported exists."""
    assert [] == [name for name in emco_store.__all__ if not hasattr(emco_store, name)]


def test_every_error_is_a_store_error():
    """One ``except StoreError`` catches them all."""
    assert [] == [name for name in ERRORS if not issubclass(getattr(emco_store, name), emco_store.StoreError)]
