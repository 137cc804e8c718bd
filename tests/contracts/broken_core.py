"""Parts of the core that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextvars import Token
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emco_store import beating, errors
from emco_store.beating.attending import Attending
from emco_store.beating.notes import Note
from emco_store.beating.process import Attendance
from emco_store.core import (
    blockers,
    codec,
    definition,
    digests,
    edits,
    events,
    exports,
    following as core_following,
    guards,
    judging,
    kept,
    keys,
    kinship,
    leases,
    lifecycle_checks,
    matching,
    plan,
    ranges,
    readback,
    registry,
    relaying,
    revisions,
    schema,
    sets,
    signing,
    status,
)
from emco_store.core.evolution import Evolution
from emco_store.core.fields import Lead
from emco_store.core.following import Copy
from emco_store.core.judging import Watch
from emco_store.core.keys import Key
from emco_store.core.lookups import Lookups
from emco_store.core.messages import Outbox
from emco_store.core.pages import Page
from emco_store.core.plan import Blocker, Change, Deleted, Deletion
from emco_store.core.records import Record
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.selection import Pattern
from emco_store.core.status import Condition
from emco_store.core.storage import Storage
from emco_store.core.strict import Strict
from emco_store.core.supervising import Recovery
from emco_store.core.sync_states import SyncState
from emco_store.core.work_queues import WorkQueue
from emco_store.flows import (
    acting,
    caching,
    callbacks,
    cascade,
    checking,
    consuming,
    content,
    context,
    counting,
    exporting,
    following,
    freezing,
    histories,
    history,
    importing,
    leasing,
    lists,
    migrating,
    outcomes,
    patching,
    planning,
    pruning,
    refusals,
    registering,
    resources,
    rollbacks,
    selecting,
    single,
    standings,
    statuses,
    supervising,
    syncing,
    trailing,
    transition_calls,
    transition_objections,
    transition_writing,
    transitions,
    unit,
    watching,
    writing,
)
from emco_store.flows.acting import Actors
from emco_store.flows.asking import Flow, read
from emco_store.flows.cascade import Cascade, _check_size
from emco_store.flows.following import Following
from emco_store.flows.freezing import Freezing
from emco_store.flows.lists import Listing
from emco_store.flows.pruning import _Judge
from emco_store.flows.rollbacks import _Rewriting
from emco_store.flows.supervising import Charge
from emco_store.flows.unit import Unit
from emco_store.flows.view import Referrers, View
from emco_store.ports import Scan, deadline
from tests.contracts import (
    broken_consuming,
    broken_exports,
    broken_feeds,
    broken_following,
    broken_history,
    broken_kept,
    broken_leasing,
    broken_lifecycles,
    broken_migrating,
    broken_origins,
    broken_plans,
    broken_reading,
    broken_relaying,
    broken_segments,
    broken_selections,
    broken_single,
    broken_statuses,
    broken_supervising,
    broken_views,
)


@dataclass(frozen=True)
class Broken:
    """One broken part.

    Attributes:
        module: Where it stands.
        name: Its name there.
        part: What stands there instead.
        rule: The rule that must catch it.
    """

    module: Any
    name: str
    part: Any
    rule: str


def compare_as_python_does(left: Any, right: Any) -> bool:
    """Call two datetimes of one moment different while clocks are changed."""
    return bool(left == right)


def show_all(reasons: Sequence[str]) -> Sequence[str]:
    """Show every reason, so that the text of an error has megabytes."""
    return reasons


def look_nowhere(owner: Any, name: str) -> None:
    """Find no class by the name of its kind."""


def begin_at_any_time(_: float) -> None:
    """Begin a request, however late it is."""


def end_nowhere(_: float) -> Token[float | None]:
    """Keep the deadline of a call from the backend."""
    return deadline._end_s.set(None)


def name_the_version_only(uid: str, version: int) -> str:  # noqa: ARG001 - that is what is broken
    """Make the tag of a resource that was created again the tag of the one before."""
    return f'"{version}"'


def commit_all_the_same(result: object) -> None:
    """Let a function that has not run yet pass for one that has nothing to say."""


def judge_nothing(before: Record, after: Record, model: Any) -> list[str]:  # noqa: ARG001 - it does not look
    """Let rules leave what no validator accepts."""
    return []


def claim_nothing(edits: Any) -> Iterator[Any]:  # noqa: ARG001 - it does not look
    """Put a unique default wherever a rule says so."""
    return iter(())


def name_all(blockers: Sequence[Blocker], limit: int) -> tuple[Blocker, ...]:  # noqa: ARG001 - it has none
    """Name every blocker."""
    return tuple(blockers)


def delete_at_once(view: View, step: Any, reached: Any) -> None:
    """Delete what was named before it is known whether the rest can follow."""
    for deletion in step.going.values():
        view.drop(deletion.key, named=True)
    _check_size(view, step, reached)


def count_references(deletions: Iterable[Deletion], changes: Iterable[Change]) -> Deleted:
    """Count a resource once for each reference that it loses."""
    return Deleted(_kinds(deletions), _kinds(changes))


def _kinds(found: Iterable[Deletion | Change]) -> dict[str, int]:
    return dict(sorted(Counter(one.key.kind for one in found).items()))


def look_at_no_defaults(_: Cascade, view: View) -> Flow[list[Blocker]]:  # noqa: ARG001 - it does not look
    """Take every default for one that exists."""
    yield from ()
    return []


_referrers_of = View.referrers_of


def rest_on_all(view: View, targets: Sequence[Key], **more: Any) -> Flow[Referrers]:
    """Rest on what the caller cannot see, too."""
    return (yield from _referrers_of(view, targets, **{**more, "wanted": None}))


def refuse_nothing(_: str) -> None:
    """Let a reserved kind be named."""


_scan = lists._scan


def scan_on(listing: Any, position: Any, limit: int, *, until: str = "") -> Scan:  # noqa: ARG001 - that is what is broken
    """Read a list of all kinds past where the store's own records begin."""
    return _scan(listing, position, limit)


def reserve_nothing(_: str) -> bool:
    """Take the store's own records for resources."""
    return False


def name_the_record(blocker: Blocker, record: Record | None) -> Blocker:  # noqa: ARG001 - it does not look
    """Show the key of the store's own record, which nobody can name."""
    return blocker


def name_nothing(kind: str, names: list[str]) -> None:
    """Have no words for the store's own records."""


def say_no_state(blocker: Blocker, record: Record | None) -> Blocker:  # noqa: ARG001 - it does not look
    """Name the resource, and do not read its state."""
    return blockers.by_resource(blocker, None)


def begin_the_next_page(page: Page[Any], position: int) -> str | None:  # noqa: ARG001 - that is what is broken
    """Take the cursor after a page for the one after each of its items."""
    return page.next


def take_errors_for_resources(page: Page[Any]) -> Iterator[Any]:
    """Iterate over whatever a page holds."""
    return iter(page.items)


def change_what_was_seen(unit: Any, target: Any, change: Any, only: Any) -> Any:
    """Change the state that the caller gave, and put it over whatever is stored."""
    seen = target if isinstance(target, Resource) else (yield from resources.get(unit, target, only))
    return (yield from unit.put(patching._changed(seen, change)))


def never_the_same(old: Resource, new: Resource) -> bool:  # noqa: ARG001 - that is what is broken
    """Write whatever a patch returns."""
    return False


def count_what_is_stored(unit: Unit, listing: Listing, *, stable: bool) -> Flow[int]:  # noqa: ARG001 - that is what is broken
    """Count outside of the transaction."""
    return counting.count(unit.context, listing)


def begin_as_in_ascii(prefix: str) -> str:
    """Take ``~`` for the last character that a text may go on with."""
    return f"{prefix}~"


def step_anywhere(lead: Lead, name: str) -> Lead:  # noqa: ARG001 - that is what is broken
    """Let every name lead somewhere."""
    return Lead(is_open=True)


def name_the_kinds_of_a_page() -> Flow[tuple[str, ...]]:
    """Look at the first records only."""
    page = yield from read(Scan(None, limit=2))
    return tuple(sorted({record.key.kind for record in page.records}))


def leave_as_it_is(index: Any, *_: Any) -> Any:
    """Leave the entries of indexes as they are."""
    return index


def leave_the_entry(name: str, entry: str, texts: Any) -> str:  # noqa: ARG001 - that is what is broken
    """Leave an entry as it is, whatever a rule has put."""
    return entry


BROKEN_CORE = {
    "KeepsByVersion": Broken(kept, "is_same", broken_kept.compare_versions, "ID-24"),
    "KeepsByDocument": Broken(kept, "is_same", broken_kept.compare_documents, "ID-24"),
    "KeepsWhatMayChange": Broken(kept, "is_immutable", broken_kept.suit_all, "ID-24"),
    "NamesTheFirstKinds": Broken(counting, "kinds", name_the_kinds_of_a_page, "ID-21"),
    "ForgetsTimesInIndexes": Broken(unit, "dated", leave_as_it_is, "ID-20"),
    "ForgetsIndexesOfEdits": Broken(edits, "entry_with", leave_the_entry, "ID-20"),
    "EndsPrefixesAtAscii": Broken(ranges, "_after_all_that_begin_with", begin_as_in_ascii, "ID-19"),
    "AcceptsMisspeltNames": Broken(Lead, "step", step_anywhere, "ID-19"),
    "CountsWhatIsStored": Broken(counting, "count_in", count_what_is_stored, "ID-18"),
    "PatchesWhatWasSeen": Broken(patching, "patch", change_what_was_seen, "OCC-15"),
    "PatchWritesEqualValues": Broken(patching, "_is_same", never_the_same, "OCC-15"),
    "CursorOfThePage": Broken(Page, "cursor", begin_the_next_page, "ID-17"),
    "IteratesOverErrors": Broken(Page, "__iter__", take_errors_for_resources, "BAD-8"),
    "PlanMissesTakenKeys": Broken(planning, "_before", broken_plans.look_at_nothing, "OCC-16"),
    "PlanMissesTakenValues": Broken(planning, "claims_of", broken_plans.find_no_claims, "OCC-16"),
    "PlanMissesWhatDangles": Broken(planning, "_places", broken_plans.resolve_everything, "OCC-16"),
    "PlanRestsOnNothing": Broken(planning, "plan", broken_plans.rest_on_nothing, "OCC-16"),
    "PlannedUnitCommits": Broken(planning.PlannedUnit, "commit", unit.Unit.commit, "OCC-16"),
    "WritesUnusedFields": Broken(Storage, "_left_out", broken_migrating.write_all_fields, "MIG-1"),
    "ForgetsWhatIsUsed": Broken(Storage, "used", broken_migrating.use_nothing, "MIG-1"),
    "StampsTheVersion": Broken(Evolution, "stamped", broken_migrating.stamp_the_version, "MIG-1"),
    "TakesTheNewestStep": Broken(Evolution, "_upgraded", broken_migrating.take_the_newest_step, "MIG-2"),
    "TakesEveryStep": Broken(Evolution, "_upgraded", broken_migrating.take_every_step, "MIG-2"),
    "ReadsNewerDocuments": Broken(Evolution, "check", broken_migrating.accept, "MIG-3"),
    "PutsOverNewerDocuments": Broken(Evolution, "check_replaced", broken_migrating.accept, "MIG-3"),
    "MigratesOverOthers": Broken(writing.Writing, "renew", broken_migrating.renew_whatever_is_there, "MIG-4"),
    "MigratesAgain": Broken(writing.Writing, "renew", broken_migrating.renew_all, "MIG-4"),
    "MigratesOnePage": Broken(migrating, "_done", broken_migrating.end_after_a_page, "MIG-4"),
    "MigrationGivesUpThePage": Broken(migrating, "_one_by_one", broken_migrating.give_up_the_page, "MIG-4"),
    "MigrationPlanMissesTargets": Broken(migrating, "_absent", broken_migrating.find_all_targets, "MIG-5"),
    "MigrationPlanMissesOwners": Broken(migrating, "_taken", broken_migrating.find_no_owner, "MIG-5"),
    "DigestsForgetForms": Broken(digests, "fingerprint", broken_migrating.print_values, "MIG-6"),
    "ExportsNoUniques": Broken(exports, "_line", broken_exports.forget_uniques, "EXP-1"),
    "ExportsOnePass": Broken(exporting, "export", broken_exports.look_once, "EXP-1"),
    "ExportsReferrersToo": Broken(exporting, "_children", broken_exports.find_referrers, "EXP-1"),
    "ImportsInAnyOrder": Broken(importing, "in_groups", broken_exports.keep_the_order_of_lines, "EXP-2"),
    "ImportSelectsInAnyOrder": Broken(importing, "_targets", broken_exports.select_in_any_order, "EXP-2"),
    "ImportLooksForNoTarget": Broken(importing, "_fixed", broken_exports.find_everything, "EXP-2"),
    "ImportsHalfAnExport": Broken(importing, "read_export", broken_exports.read_what_is_there, "EXP-2"),
    "ImportTrustsLines": Broken(importing, "stands", broken_exports.trust_the_line, "EXP-2"),
    "ImportWritesEqualValues": Broken(importing, "is_same", never_the_same, "EXP-3"),
    "ImportReplacesAll": Broken(importing, "_refusal", broken_exports.refuse_nothing, "EXP-3"),
    "ImportBeginsAnew": Broken(importing, "_record", broken_exports.begin_anew, "EXP-3"),
    "NamesReservedKeys": Broken(context, "refuse_reserved", refuse_nothing, "RES-1"),
    "ListsReservedKinds": Broken(lists, "refuse_reserved", refuse_nothing, "RES-1"),
    "WritesReservedKinds": Broken(writing, "refuse_reserved", refuse_nothing, "RES-1"),
    "DefinesReservedKinds": Broken(definition, "is_reserved", reserve_nothing, "RES-1"),
    "RefersToReservedKinds": Broken(kinship, "is_reserved", reserve_nothing, "RES-1"),
    "ShowsReservedInLists": Broken(lists, "_scan", scan_on, "RES-2"),
    "ShowsReservedThatItWrites": Broken(lists, "is_reserved", reserve_nothing, "RES-2"),
    "ShowsReservedAmongReferrers": Broken(resources, "is_reserved", reserve_nothing, "RES-2"),
    "RestsOnReserved": Broken(View, "referrers_of", rest_on_all, "RES-2"),
    "CountsReservedInFigures": Broken(plan, "is_reserved", reserve_nothing, "RES-2"),
    "NamesTheRecord": Broken(cascade, "by_resource", name_the_record, "RES-3"),
    "SaysNoState": Broken(cascade, "by_resource", say_no_state, "RES-3"),
    "CountsReservedInChecks": Broken(checking, "is_reserved", reserve_nothing, "RES-4"),
    "RepairsWhatNobodyFound": Broken(checking, "refuse_reserved", refuse_nothing, "RES-4"),
    "ShowsReservedKeys": Broken(keys, "named", name_nothing, "RES-5"),
    "EtagWithoutUid": Broken(matching, "etag", name_the_version_only, "OCC-13"),
    "RunsNoGenerator": Broken(callbacks, "_refuse_generator", commit_all_the_same, "OCC-14"),
    "SearchesTheStoreOnly": Broken(unit, "Selecting", broken_selections.SearchesTheStoreOnly, "REF-14"),
    "TrustsTheIndex": Broken(selecting, "_scans", broken_selections.trust_the_index, "REF-14"),
    "ReadsOnePage": Broken(selecting, "_next", broken_selections.read_one_page, "REF-14"),
    "MatchesByNameOnly": Broken(Pattern, "matches", broken_selections.match_by_name_only, "REF-15"),
    "KeepsMatchesThatGo": Broken(selecting, "with_matches", broken_selections.keep_what_goes, "REF-16"),
    "GivesUpAtOnce": Broken(refusals, "_absent", broken_selections.give_up_at_once, "OCC-12"),
    "LooksNearbyOnly": Broken(kinship, "find_anywhere", look_nowhere, "REF-17"),
    "BeginsAfterTheDeadline": Broken(deadline, "refuse_late", begin_at_any_time, "END-1"),
    "KeepsTheDeadlineToItself": Broken(deadline, "begin", end_nowhere, "END-2"),
    "ReadBackThatTrustsItself": Broken(codec, "read_back", broken_reading.trust_what_was_read, "ID-15"),
    "StoresSetsAsTheyAre": Broken(sets, "canonical", broken_lifecycles.same_text, "ID-15"),
    "ProvesGreatIntegers": Broken(Strict, "proved", broken_reading.prove_any_integer, "BAD-4"),
    "LooksAtNoKeyOfProvedMaps": Broken(codec, "has_plain_texts", broken_reading.find_texts_plain, "BAD-5"),
    "PlanIgnoresValidators": Broken(cascade, "broken_by_edit", judge_nothing, "DEL-14"),
    "PlanIgnoresDefaults": Broken(Cascade, "look", look_at_no_defaults, "DEL-5"),
    "PlanIgnoresUniques": Broken(cascade, "_claims", claim_nothing, "DEL-15"),
    "NamesEveryBlocker": Broken(refusals, "first_blockers", name_all, "DEL-16"),
    "CountsReferences": Broken(Deleted, "of", staticmethod(count_references), "DEL-17"),
    "DeletesAtOnce": Broken(cascade, "_check_size", delete_at_once, "DEL-18"),
    "ShowsEveryReason": Broken(errors, "shown", show_all, "BAD-10"),
    "LeaksOrigins": Broken(acting, "_blocks", broken_origins.SharedBlocks(), "WHO-3"),
    "ActsThroughAnyStore": Broken(Actors, "origin", property(broken_origins.act_through_any_store), "WHO-3"),
    "PlannerSigns": Broken(resources, "signed", broken_origins.write_as_planned, "WHO-1"),
    "ObservedGoesBack": Broken(statuses, "backwards", broken_statuses.let_it_go_back, "GEN-3"),
    "FirstStatusRestsOnNothing": Broken(View, "remember", broken_statuses.rest_on_nothing, "GEN-3"),
    "StatusOfANamesake": Broken(statuses, "report", broken_statuses.forget_who_was_seen, "GEN-3"),
    "StatusRestsOnVersions": Broken(View, "load_beside", broken_statuses.rest_on_all, "GEN-1"),
    "StatusMovesTheVersion": Broken(unit.Unit, "write", broken_statuses.write_the_resource_too, "GEN-1"),
    "TimeMovesWithEachReport": Broken(status, "_since", broken_statuses.always_now, "GEN-4"),
    "TimeStaysWithANewValue": Broken(status, "_since", broken_statuses.keep_the_time, "GEN-4"),
    "OneWriterObserves": Broken(SyncState, "is_unobserved", property(broken_statuses.trust_the_fastest), "GEN-6"),
    "NewestIsApplied": Broken(syncing, "_applied", broken_statuses.apply_the_newest, "GEN-6"),
    "DeleteRestsOnReports": Broken(unit.Unit, "_expected", broken_statuses.expect_all, "GEN-1"),
    "DeleteForgetsWhatItRead": Broken(unit.Unit, "_expected", broken_statuses.expect_no_status, "GEN-3"),
    "OldConditionsHold": Broken(Condition, "at", broken_statuses.trust_old_conditions, "GEN-4"),
    "CommitsEntriesApart": Broken(unit, "entries_of", broken_origins.commit_entries_apart, "WHO-5"),
    "LosesTheTrailWithItsResource": Broken(trailing, "entry_of", broken_origins.tie_entry_to_its_resource, "WHO-6"),
    "ReadsTheOldestFirst": Broken(trailing, "Scan", broken_origins.read_the_oldest_first, "WHO-7"),
    "LetsNoEntryExpire": Broken(trailing, "expired", broken_origins.let_nothing_expire, "WHO-8"),
    "PrunesEverything": Broken(trailing, "_age", broken_origins.let_all_be_old, "WHO-8"),
    "KeepsTrailsByModelOnly": Broken(unit, "leaves_trail", broken_origins.look_at_models_only, "WHO-9"),
    "SealsNoMembers": Broken(View, "seal", broken_history.seal_nothing, "HIS-7"),
    "ExpectsNoMembers": Broken(View, "_rest_on", broken_history.rest_on_nothing, "HIS-7"),
    "CountsKnownKinds": Broken(content, "_is_member_of", broken_history.count_known_kinds, "LIF-11"),
    "PrintsBytes": Broken(digests, "fingerprint", broken_history.print_bytes, "LIF-11"),
    "WritesIntoRevisions": Broken(history, "tagged", broken_history.write_into_the_revision, "HIS-1"),
    "NumbersByKey": Broken(revisions, "numbered", broken_history.number_by_key, "HIS-2"),
    "RecordsAlways": Broken(content, "record", broken_history.record_always, "HIS-3"),
    "RecordsBeforeTheEnd": Broken(content, "check_still", broken_history.write_on, "HIS-3"),
    "RevisionsRefer": Broken(content, "records_of", broken_history.refer_to_the_resource, "HIS-4"),
    "OldestFirst": Broken(history, "Scan", broken_history.skip_forward, "HIS-5"),
    "BlindToNewChildren": Broken(_Rewriting, "write", broken_history.delete_nothing, "HIS-6"),
    "ShowsNoMissingTargets": Broken(_Rewriting, "look", broken_history.look_for_nothing, "HIS-8"),
    "DropsReferences": Broken(_Rewriting, "_made", broken_history.drop_references, "HIS-9"),
    "LooksForNoOwner": Broken(rollbacks, "taken", broken_history.find_nothing, "HIS-6"),
    "PlannerRecords": Broken(signing, "signed_revision", broken_history.record_as_planned, "HIS-1"),
    "CarriesApprovals": Broken(rollbacks, "_carried", broken_history.carry_always, "HIS-10"),
    "ForgetsPartsFirst": Broken(pruning, "_forget_page", broken_history.forget_parts_first, "HIS-11"),
    "PrunesTags": Broken(_Judge, "keeps", broken_history.keep_the_newest, "HIS-11"),
    "ChecksNoHistory": Broken(histories, "_contents", broken_history.find_nothing, "HIS-12"),
    "ComparesAsPythonDoes": Broken(readback, "is_alike", compare_as_python_does, "ID-13"),
    "FindsEveryState": Broken(transition_writing, "index_text", broken_lifecycles.same_text, "LIF-1"),
    "PlansInVain": Broken(resources, "refuse_plan", broken_lifecycles.let_anybody, "LIF-2"),
    "BeginsInAnyState": Broken(transition_objections, "objections", broken_lifecycles.begin_in_any_state, "LIF-2"),
    "RefusesForOneReason": Broken(
        transition_objections, "objections", broken_lifecycles.refuse_for_one_reason, "LIF-2"
    ),
    "RestsOnNoGuard": Broken(transitions, "begin", broken_lifecycles.rest_on_no_guard, "LIF-3"),
    "ForbidsByClass": Broken(transition_writing, "edges", broken_lifecycles.forbid_by_class, "LIF-13"),
    "HoldsByClass": Broken(transition_writing, "undeclared", broken_lifecycles.refuse_nothing, "LIF-13"),
    "ListsByClass": Broken(standings, "_is_in", broken_lifecycles.ask_the_class, "LIF-13"),
    "KnowsNoUid": Broken(transition_calls, "uid_of", broken_lifecycles.know_no_uid, "LIF-4"),
    "ProtectsNothing": Broken(transition_writing, "edges", broken_lifecycles.protect_nothing, "LIF-5"),
    "HoldsWithoutEdges": Broken(transition_writing, "edges", broken_lifecycles.hold_without_edges, "LIF-6"),
    "LetsTheTargetGo": Broken(transitions, "begin", broken_lifecycles.let_the_target_go, "LIF-6"),
    "LeavesUnsealed": Broken(transitions, "begin", broken_lifecycles.leave_unsealed, "LIF-6"),
    "FreezesWithoutExpect": Broken(Freezing, "check", broken_lifecycles.freeze_without_expect, "LIF-7"),
    "FreezesByClass": Broken(freezing, "_may_freeze", broken_lifecycles.freeze_by_class, "LIF-7"),
    "FreezesWithoutASign": Broken(transition_writing, "freeze", broken_lifecycles.freeze_without_a_sign, "LIF-7"),
    "PassesByTheFreeze": Broken(Freezing, "check", broken_lifecycles.pass_by_the_freeze, "LIF-7"),
    "RefusesWhatWasReadApart": Broken(unit.Unit, "confirm", broken_lifecycles.confirm_nothing, "LIF-10"),
    "AcceptsAnyReport": Broken(transition_objections, "_wrong_report", broken_lifecycles.accept_any_report, "LIF-8"),
    "AllowsTraps": Broken(lifecycle_checks, "_path_problems", broken_lifecycles.refuse_nothing, "LIF-9"),
    "AllowsAnyHold": Broken(lifecycle_checks, "_misplaced_holds", broken_lifecycles.refuse_nothing, "LIF-9"),
    "ApprovesWhatNobodySaw": Broken(transitions, "_check_digest", broken_lifecycles.look_away, "LIF-10"),
    "ReadsMembersUnsealed": Broken(content, "read", broken_lifecycles.read_unsealed, "LIF-10"),
    "ReadsMembersWithoutExpect": Broken(content, "read", broken_lifecycles.read_without_expect, "LIF-10"),
    "TrustsTheState": Broken(guards.Approved, "objections", broken_lifecycles.refuse_nothing, "LIF-11"),
    "ApprovesAndChanges": Broken(content, "check_still", broken_lifecycles.let_anybody, "LIF-11"),
    "LetsAnybody": Broken(transition_objections, "check_writer", broken_lifecycles.let_anybody, "LIF-12"),
    "StartsAtAnyLease": Broken(leasing, "read_cursor", broken_leasing.start_anywhere, "ID-8"),
    "LetsTwoHold": Broken(leasing, "_refuse_held", broken_leasing.let_two_hold, "LEA-1"),
    "TakesWithoutABeat": Broken(leasing, "ask", broken_leasing.take_without_a_beat, "LEA-2"),
    "BeginsTokensAnew": Broken(leasing, "LeaseDocument", broken_leasing.begin_tokens_anew, "LEA-3"),
    "FencesNothing": Broken(unit.Unit, "rest_on_lease", broken_leasing.fence_nothing, "LEA-4"),
    "AssignsToTheDead": Broken(codec, "_with_lease", broken_leasing.refer_to_the_resource_alone, "LEA-5"),
    "RepointsOneEdge": Broken(edits, "lease_of", broken_leasing.same_key, "LEA-6"),
    "DeletesTheLeased": Broken(leases, "RESTRICT", Rule.CASCADE, "LEA-7"),
    "ReleasesWithoutRules": Broken(leasing, "release", broken_leasing.drop_the_record, "LEA-8"),
    "BeatsAfterAFork": Broken(beating.held.State, "over_now", broken_leasing.forget_who_was_forked, "LEA-9"),
    "BeatsForEver": Broken(beating.Beater, "close", broken_leasing.go_on_for_ever, "HB-1"),
    "BeatsIntoRecords": Broken(beating.Beater, "beat", broken_leasing.touch_the_lease, "HB-2"),
    "BelievesInTheLease": Broken(beating.Beater, "_take_note", broken_leasing.believe_in_the_lease, "HB-3"),
    "BeatsOneByOne": Broken(beating.Beater, "beat", broken_leasing.beat_one_by_one, "HB-4"),
    "CountsFromTheAnswer": Broken(beating.Beater, "_take_note", broken_leasing.count_from_the_answer, "HB-5"),
    "DatesByTheClient": Broken(leasing, "state_of", broken_leasing.date_by_the_client, "HB-6"),
    "EndsWhoeverHolds": Broken(Attending, "_end_all", broken_leasing.end_whoever_holds, "HB-7"),
    "EndsTheFirstOnly": Broken(Attending, "_end_all", broken_leasing.give_up_at_the_first_refusal, "HB-7"),
    "EndsWithoutRules": Broken(Attending, "_end_all", broken_leasing.drop_without_rules, "HB-7"),
    "OutlivesItsWorker": Broken(Attending, "leave", broken_leasing.outlive_the_worker, "HB-7"),
    "BeatsForWhoStandsStill": Broken(Attending, "_end_stalled", broken_leasing.beat_for_who_stands_still, "HB-7"),
    "TellsNobodyOfTheEnd": Broken(
        beating.held.State, "found_end", property(broken_leasing.tell_nobody_of_the_end), "HB-7"
    ),
    "LeavesToTheProcess": Broken(beating.held.State, "is_attended", broken_leasing.leave_to_the_process, "HB-8"),
    "BelievesInTheProcess": Broken(beating.held.State, "is_attended", broken_leasing.believe_in_the_process, "HB-8"),
    "StartsItOnce": Broken(Attendance, "_start", broken_leasing.start_it_once, "HB-8"),
    "CountsBeatsApart": Broken(Note, "beat", broken_leasing.count_beats_apart, "HB-8"),
    "EndsWhoeverBeats": Broken(leasing, "end_silent", broken_leasing.end_whoever_beats, "SUP-1"),
    "KeepsNoWatch": Broken(Watch, "is_kept", broken_leasing.keep_no_watch, "SUP-2"),
    "BelievesEveryServer": Broken(Watch, "before", broken_leasing.believe_every_server, "SUP-2"),
    "WatchesAnew": Broken(Watch, "before", broken_leasing.watch_anew, "SUP-3"),
    "LooksAtSuccessivePolls": Broken(Watch, "is_kept", broken_leasing.look_at_successive_polls, "SUP-2"),
    "WatchesTwice": Broken(judging, "_us", lambda ttl: ttl // timedelta(microseconds=1) * 2, "SUP-3"),
    "EndsWithoutALead": Broken(leasing, "end_silent", broken_leasing.end_without_a_lead, "SUP-4"),
    "TellsRecordsOfTheStoresOwn": Broken(events, "_seen", lambda change: change, "FEED-9"),
    "TellsResourcesOnly": Broken(events, "_seen", broken_feeds.tell_resources_only, "FEED-9"),
    "WatchesNamesakes": Broken(events, "_is_watched", broken_feeds.watch_by_the_kind, "FEED-9"),
    "TellsEveryTopic": Broken(events, "is_about", lambda _, __: True, "FEED-10"),
    "KeepsTheOutbox": Broken(unit, "Outbox", broken_feeds.keep_the_outbox, "FEED-10"),
    "EmitsWhatever": Broken(Outbox, "add", broken_feeds.emit_whatever, "FEED-10"),
    "LoadsNothing": Broken(watching, "records_at", broken_feeds.load_nothing, "FEED-9"),
    "TellsNobody": Broken(unit, "Commit", broken_feeds.commit_for_nobody, "FEED-1"),
    "TellsNobodyOfOne": Broken(single, "Commit", broken_feeds.commit_for_nobody, "FEED-1"),
    "WatchesFromNow": Broken(following, "step", broken_following.watch_from_now, "FEED-12"),
    "GoesOnAfterAGap": Broken(following, "step", broken_following.go_on_after_a_gap, "FEED-12"),
    "TakesAllForGone": Broken(following, "step", broken_following.load_nothing_new, "FEED-12"),
    "KeepsWhatIsGone": Broken(Copy, "end", broken_following.forget_the_gone, "FEED-12"),
    "TellsAgain": Broken(Copy, "_take", broken_following.tell_again, "FEED-12"),
    "StaysInTheFilter": Broken(Following, "holds", broken_following.take_any, "FEED-12"),
    "UpdatesNamesakes": Broken(core_following, "_uid", broken_following.take_namesakes, "FEED-12"),
    "MissesVersions": Broken(core_following, "_state", broken_following.take_numbers, "FEED-12"),
    "CachesFromNow": Broken(following, "step", broken_following.watch_from_now, "FEED-13"),
    "WaitsForNothing": Broken(caching, "wanted", broken_following.wait_for_nothing, "FEED-13"),
    "KeepsOldPlaces": Broken(Lookups, "_leave", broken_following.stay_in_place, "FEED-13"),
    "ForgetsConditions": Broken(caching, "_stamp_of", broken_following.forget_conditions, "FEED-13"),
    "ServesForEver": Broken(caching, "checked_age", broken_following.no_age, "FEED-13"),
    "IsDeafInSilence": Broken(caching, "refusal", broken_following.refuse_nothing, "FEED-13"),
    "ForgetsItsWrites": Broken(outcomes, "note", broken_following.note_nothing, "FEED-14"),
    "ForgetsFailures": Broken(WorkQueue, "done", broken_following.forget_failures, "FEED-14"),
    "TellsNoStates": Broken(Copy, "changed", broken_following.tell_resources_only, "FEED-12"),
    "StaysBehindWhatItSkips": Broken(watching, "Told", broken_feeds.stay_behind, "FEED-7"),
    "SavesTheCursorLater": Broken(consuming, "move", broken_consuming.save_in_a_second_commit, "FEED-11"),
    "SavesTheCursorFirst": Broken(consuming, "move", broken_consuming.save_first, "FEED-11"),
    "ConsumesWithoutALease": Broken(consuming, "stand", broken_consuming.need_no_lease, "FEED-11"),
    "OverwritesTheCursor": Broken(consuming, "stand", broken_consuming.overwrite_the_cursor, "FEED-11"),
    "SkipsInSilence": Broken(consuming, "move", broken_consuming.forget_what_was_skipped, "FEED-11"),
    "ConsumesOverAGap": Broken(consuming, "step", broken_consuming.go_on_after_a_gap, "FEED-11"),
    "StopsAtWhatIsForgotten": Broken(consuming, "is_ahead", lambda _, __: False, "FEED-11"),
    "ConsumesInReverse": Broken(consuming, "step", broken_consuming.tell_in_reverse, "FEED-11"),
    "ConsumesTheLastTwice": Broken(consuming, "step", broken_consuming.tell_the_last_twice, "FEED-11"),
    "ConsumesForNamesakes": Broken(events, "_is_watched", broken_feeds.watch_by_the_kind, "FEED-11"),
    "RelayTrustsTheStore": Broken(consuming, "ahead", broken_relaying.trust_the_store_alone, "FEED-15"),
    "RelayTrustsTheSink": Broken(consuming, "ahead", broken_relaying.trust_the_sink_alone, "FEED-15"),
    "RelayBelievesAnySink": Broken(consuming, "ahead", broken_relaying.believe_any_sink, "FEED-15"),
    "RelayBelievesAnyFeed": Broken(consuming, "refuse_another", broken_relaying.believe_any_feed, "FEED-15"),
    "RelayNumbersWhatIsChosen": Broken(consuming, "step", broken_relaying.number_what_is_chosen, "FEED-15"),
    "RelaySavesNothing": Broken(consuming, "save", broken_relaying.save_nothing, "FEED-15"),
    "RelaySavesWithoutALease": Broken(consuming, "save", broken_relaying.save_without_a_lease, "FEED-15"),
    "RelayIndexesWhatIsChosen": Broken(relaying, "deliveries", broken_relaying.index_what_is_chosen, "FEED-15"),
    "RelaySendsOneOfEach": Broken(relaying, "deliveries", broken_relaying.send_one_of_each, "FEED-15"),
    "ShowsOneConsumer": Broken(consuming, "look", broken_consuming.show_the_first_only, "FEED-11"),
    "BrakesNever": Broken(judging, "SHARE", 101, "SUP-5"),
    "BrakesForEver": Broken(judging, "PACE", 0, "SUP-5"),
    "LeadsForEver": Broken(supervising, "settle", broken_supervising.settle_without_a_lead, "SUP-6"),
    "RemembersNoFailure": Broken(Recovery, "failed", broken_supervising.remember_no_failure, "SUP-6"),
    "CountsAFailureAgain": Broken(Recovery, "failed", broken_supervising.count_again, "SUP-6"),
    "BacksOffByTheClient": Broken(supervising, "observe", broken_supervising.date_by_the_client, "SUP-6"),
    "RestartsOneAlone": Broken(Charge, "region_of", broken_supervising.take_each_for_a_region, "SUP-6"),
    "AssignsToTheSilent": Broken(supervising, "state_of", broken_supervising.take_all_for_alive, "SUP-7"),
    "AssignsUnderAnyLease": Broken(supervising, "settle", broken_supervising.settle_under_any_lease, "SUP-7"),
    "EndsWhoeverIsStuck": Broken(leasing, "end_silent", broken_supervising.end_whoever_is_stuck, "SUP-8"),
    "EscalatesNothing": Broken(supervising, "escalations", broken_supervising.tell_nobody, "SUP-8"),
    "GivesUpForAWhile": Broken(Recovery, "ended", broken_supervising.give_up_for_a_while, "SUP-8"),
    "RunsWhatIsStopped": Broken(Charge, "standing", broken_supervising.stop_nothing, "SUP-9"),
    "LeavesTheLost": Broken(leasing, "revive", broken_supervising.revive_nothing, "SUP-10"),
    "WaitsForTheLost": Broken(leasing, "beat_first", broken_supervising.beat_for_takers_only, "SUP-10"),
    "RewritesWithoutALease": Broken(codec, "_with_lease", broken_leasing.refer_to_the_resource_alone, "LEA-10"),
    "RefusesMoreFields": Broken(kept, "load", broken_views.refuse_more_fields, "VIEW-1"),
    "HoldsNoView": Broken(codec, "_edges", broken_views.hold_no_view, "VIEW-2"),
    "DeletesWhatIsViewed": Broken(context.Context, "refuse_view", broken_views.refuse_nothing, "VIEW-3"),
    "WritesByViews": Broken(schema, "_owned", broken_views.write_by_views, "VIEW-4"),
    "ChecksWithoutViews": Broken(checking, "examine", broken_views.check_without_views, "VIEW-5"),
    "RegistersOverOthers": Broken(registering, "_record", broken_segments.write_over_others, "SEG-1"),
    "ActivatesAll": Broken(registry, "_misfits", broken_segments.activate_all, "SEG-2"),
    "OwnsWhatOthersOwn": Broken(registry, "_claims", broken_segments.claim_nothing, "SEG-3"),
    "ContradictsNothing": Broken(registry, "_contradictions", broken_segments.contradict_nothing, "SEG-3"),
    "ComparesBytes": Broken(registry.Declaration, "is_same", broken_segments.never_the_same, "SEG-4"),
    "ChangesAnything": Broken(registry, "_evolution", broken_segments.change_anything, "SEG-5"),
    "ChangesFormsUnderViews": Broken(registry, "_unlike_what_is_relied_on", broken_segments.rely_on_nothing, "SEG-5"),
    "WritesWhatWaits": Broken(unit, "refuse_waiting", broken_segments.wait_for_nothing, "SEG-6"),
    "WritesAloneWhatWaits": Broken(single, "_is_alone", broken_single.go_alone, "SEG-6"),
    "WritesAloneWhatIsFrozen": Broken(single, "_is_alone", broken_single.go_alone, "LIF-7"),
    "WritesAloneWithoutATrail": Broken(single, "_is_alone", broken_single.go_alone, "WHO-9"),
    "WritesAloneWithoutAMatch": Broken(single, "_is_alone", broken_single.go_alone, "REF-14"),
    "WritesAloneWithoutTargets": Broken(single, "Commit", broken_single.commit_without_targets, "REF-2"),
    "CreatesAloneOverOthers": Broken(single, "Commit", broken_single.commit_whatever_is_there, "ID-1"),
    "UpdatesAloneOverOthers": Broken(single, "Commit", broken_single.commit_whatever_is_there, "OCC-2"),
    "TakesOutagesForNothing": Broken(registering, "registry_now", broken_segments.take_outages_for_nothing, "SEG-6"),
    "RemovesWhatIsReliedOn": Broken(registry, "_relied_on", broken_segments.relied_on_by_nobody, "SEG-7"),
    "RemovesWhatIsUsed": Broken(registering, "_used", broken_segments.use_nothing, "SEG-7"),
    "StopsAtABadRecord": Broken(supervising, "_all_of", broken_supervising.stop_at_the_first, "SUP-9"),
}
