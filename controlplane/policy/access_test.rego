package weir.access_test

import data.weir.access

ask(role, bound, action, workspace) := {
	"subject": {"role": role, "workspace": bound},
	"action": action,
	"resource": {"workspace": workspace},
}

test_viewer_reads if access.allow with input as ask("viewer", "", "workspace:read", "")

test_viewer_does_not_write if not access.allow with input as ask("viewer", "", "workspace:write", "")

test_viewer_sees_no_events if not access.allow with input as ask("viewer", "", "capability:dead:read", "")

test_viewer_sees_events_by_no_capability if {
	every what in ["live:read", "parked:read", "quarantine:read", "quarantine:replay", "quarantine:discard", "dead:read", "dead:redrive", "dead:discard", "loads:read", "query", "preview", "destination:test", "jobs:read", "jobs:stop"] {
		not access.allow with input as ask("viewer", "", concat(":", ["capability", what]), "")
		access.allow with input as ask("editor", "", concat(":", ["capability", what]), "")
		access.allow with input as ask("admin", "", concat(":", ["capability", what]), "")
	}
}

test_viewer_reads_the_books if access.allow with input as ask("viewer", "", "capability:ledger:read", "")

test_editor_writes if access.allow with input as ask("editor", "", "workspace:write", "")

test_editor_makes_no_tokens if not access.allow with input as ask("editor", "", "token:write", "")

test_admin_invites if access.allow with input as ask("admin", "", "plane:invite", "")

test_unknown_role if not access.allow with input as ask("owner", "", "workspace:read", "")

test_empty_input if not access.allow with input as {}

test_nobody_may_what_is_not_named if {
	every role in ["viewer", "editor", "admin"] {
		not access.allow with input as ask(role, "", "plane:destroy", "")
	}
}

test_a_bound_caller_acts_in_its_workspace if access.allow with input as ask("editor", "ws_a", "workspace:write", "ws_a")

test_a_bound_caller_acts_in_no_other if {
	every action in access.admin - access.shared {
		every workspace in ["", "ws_b"] {
			not access.allow with input as ask("admin", "ws_a", action, workspace)
		}
	}
}

test_a_bound_caller_reads_what_is_shared if {
	every action in access.shared {
		access.allow with input as ask("viewer", "ws_a", action, "")
	}
}

test_a_bound_caller_has_its_role_alone if not access.allow with input as ask("viewer", "ws_a", "workspace:write", "ws_a")

test_an_unbound_caller_acts_everywhere if access.allow with input as ask("editor", "", "workspace:write", "ws_b")

test_a_caller_without_a_subject_does_nothing if not access.allow with input as {"action": "self:read", "resource": {"workspace": ""}}

test_a_caller_that_does_not_say_what_it_is_bound_to_does_nothing_to_a_workspace if {
	not access.allow with input as {"subject": {"role": "admin"}, "action": "workspace:read", "resource": {"workspace": "ws_a"}}
}
