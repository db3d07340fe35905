package wire

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"weir/shared/catalog"
)

// Alarms and problems that this package raises itself.
const (
	PointerUnsigned Code = "pointer_unsigned" // no signed pointer at all
	PointerForeign  Code = "pointer_foreign"  // changed, signed by another key, or for another plane, region or workspace
	PointerStale    Code = "pointer_stale"    // older than one seen before, or another one of the same number
	PointerTooNew   Code = "pointer_too_new"  // of a format that this build does not know
	BodyDamaged     Code = "body_damaged"     // does not open, or does not have the pointer's digest
	SecretDamaged   Code = "secret_damaged"   // not signed by the control plane, or moved
	HubDenied       Code = "hub_denied"       // the hub refused a subject that this plane needs
	AckForged       Code = "ack_forged"       // an ack that is not signed by its plane's key
	BeatForged      Code = "beat_forged"      // a beat that is not signed by its plane's key
	Undeclared      Code = "undeclared"       // stands for a code that is not in this list
)

// maxOwn is how many codes of its own a destination's own spec may go up with.
const maxOwn = 100

// ownCode begins the codes that stand for those which the spec of a destination in its
// workspace declares: they go up by their place there, and the control plane, which has the
// spec, knows their names. So the list of what may go up stays closed.
const ownCode = "custom_code_"

// Placed returns what goes up for c: c itself when it is declared here, else what stands for
// the code at place i, from 0, of a destination's own spec. i is -1 for none.
func (c Code) Placed(i int) Code {
	switch {
	case c.Known():
		return c
	case i < 0 || i >= maxOwn:
		return Undeclared
	}
	return ownAt(i)
}

func ownAt(i int) Code { return Code(ownCode + strconv.Itoa(i+1)) }

// Own returns the place, from 0, of the code that c stands for in a destination's own spec.
func (c Code) Own() (i int, ok bool) {
	rest, ok := strings.CutPrefix(string(c), ownCode)
	n, err := strconv.Atoi(rest)
	return n - 1, ok && err == nil && n > 0 && n <= maxOwn
}

// Codes returns every Code there is, sorted. Nothing else goes up.
func Codes() []Code { return slices.Clone(declared()) }

// Known reports whether c is declared here.
func (c Code) Known() bool {
	_, ok := slices.BinarySearch(declared(), c)
	return ok
}

var declared = sync.OnceValue(func() []Code { return codesOf(catalog.All()) })

// codesOf returns the codes that all kinds share and those of the given kinds'
// own, sorted.
func codesOf(kinds []catalog.Spec) []Code {
	all := slices.Concat(ownCodes(), configCodes, planCodes, doorCodes, settlementCodes, loadCodes, syncCodes, pullCodes, alarmCodes)
	for status := 400; status < 500; status++ {
		all = append(all, Code("rejected_"+strconv.Itoa(status))) // dead: that answer of a destination
	}
	for i := range maxOwn {
		all = append(all, ownAt(i))
	}
	for _, kind := range kinds {
		for _, own := range kind.Codes {
			all = append(all, Code(own.Name))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func ownCodes() []Code {
	return []Code{PointerUnsigned, PointerForeign, PointerStale, PointerTooNew, BodyDamaged, SecretDamaged, HubDenied, AckForged, BeatForged, Undeclared}
}

// configCodes are the problems of catalog.Check, workspace.Check and workspace.Compile.
var configCodes = []Code{
	"bad_aggregate", "bad_condition", "bad_cron", "bad_duration", "bad_expression", "bad_fingerprint", "bad_id", "bad_model", "bad_name", "bad_pattern", "bad_region", "bad_share", "bad_sql", "bad_url", "bad_version", "bad_write_key",
	"code_too_complex", "cycle", "missing_export", "syntax_error", "too_nested", "two_exports", "unknown_import",
	"duplicate_connection", "duplicate_id", "duplicate_name", "duplicate_transformation", "duplicate_write_key", "malformed",
	"not_allowed", "not_in_enum", "required", "too_large", "too_many", "too_many_problems", "too_new", "too_old", "too_small", "unknown_category", "unknown_destination",
	"unknown_audience", "unknown_entity", "unknown_feature", "unknown_field", "unknown_identifier", "unknown_input", "unknown_language", "unknown_model", "unknown_object", "unknown_source", "unknown_transformation", "unknown_type", "wrong_type",
}

// planCodes are the further problems of a plane that cannot run a revision.
var planCodes = []Code{
	"body_missing", "body_damaged", "compile_failed", "guard_destination_type", "guard_host", "guard_machine_role", "guard_signer", "guard_view",
	"internal", "key_mismatch", "not_supported", "open_failed", "region_mismatch", "secret_damaged", "secret_elsewhere", "secret_missing", "secret_unopened",
	"unavailable", "workspace_mismatch", "write_key_taken",
}

// Explained returns the code, with what helps in parentheses where the plane's owner alone
// can help.
func (c Code) Explained() string {
	switch c {
	case "guard_destination_type":
		return "guard_destination_type (the plane's owner allows it by naming this type below destinations, types in guard.yaml, and starting the plane anew)"
	case "guard_machine_role":
		return "guard_machine_role (the plane's owner allows it by naming this type below destinations, machineRole in guard.yaml, and starting the plane anew)"
	}
	return string(c)
}

// doorCodes are the reasons for which an event is quarantined or dropped before
// it is routed.
var doorCodes = []Code{
	"bad_frame", "batch_too_large", "bot", "consent", "discarded", "duplicate_key", "empty_batch", "event_too_large", "expired", "filtered",
	"invalid_json", "invalid_utf8", "no_batch", "no_id", "not_an_object", "source_disabled", "source_removed", "too_deep", "too_many_events",
	"tracking_plan", "workspace_removed",
}

// settlementCodes are the reasons of a drop, a dead letter or a wait at a destination;
// rejected_400 to rejected_499 are added to them.
var settlementCodes = []Code{
	"bad_json", "bad_request", "batch_limit", "busy", "connection_removed", "consent_missing", "destination_disabled", "destination_removed", "dns", "egress_denied", "erased", "event_filtered", "event_too_old", "event_type", "filter_failed", "kind_fault", "missing_field", "network", "redirected", "refused",
	"rejected_4xx", "retransformed", "server_error", "timeout", "tls", "token_refused", "transformation_changed", "transformation_dropped", "transformation_failed", "transformation_killed",
	"transformation_memory", "transformation_output", "transformation_suspended", "transformation_timeout", "unexpected_status", "unsupported_event",
}

// loadCodes are the reasons for which a warehouse load failed, and for which an
// event has no row. table_refused is also that a table refuses rows, while others are
// loaded; warehouse_drift, that loads of the last day met tables that somebody changed.
var loadCodes = []Code{
	"bad_event", "load_auth", "load_failed", "load_schema", "load_stage", "load_unreachable", "load_unsupported", "row_refused", "table_refused", "warehouse_drift", "warehouse_slow",
}

// syncCodes are why a run of a sync is held, waits or failed, beside what its warehouse and
// its destination say.
var syncCodes = []Code{"sync_gone", "sync_mapping", "sync_model", "sync_removals", "sync_unexplained"}

// pullCodes are why a stream of a pulled source is held up.
var pullCodes = []Code{"source_answer", "source_held", "source_no_stream", "source_reauthorize", "source_refused", "source_slot_behind", "source_slot_lost", "source_unreachable"}

// alarmCodes are what a plane says about its own health.
var alarmCodes = []Code{
	"ack_failed", "bad_full", "clock_jump", "code_slow", "dead_full", "dead_letters", "dedupe_blocked", "dedupe_damaged", "dedupe_window_short", "destination_down", "destination_slow", "destination_unloaded", "disk_full", "disk_low", "events_degraded", "events_unsynced", "frame_damaged", "journal_damaged", "journal_full", "lease_lost",
	"ledger_unbalanced", "parked_full", "partition_stopped", "processor_busy", "profiles_failed", "profiles_held", "pull_behind", "pull_failed", "quarantine_full", "queue_unavailable", "senders_slow", "stage_full", "state_damaged", "sync_failed", "sync_held", "view_slow", "workspace_unloaded",
}
