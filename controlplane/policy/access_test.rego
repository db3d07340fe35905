package weir.access_test

import data.weir.access

test_viewer_reads if access.allow with input as {"role": "viewer", "action": "workspace:read"}

test_viewer_does_not_write if not access.allow with input as {"role": "viewer", "action": "workspace:write"}

test_viewer_sees_no_events if not access.allow with input as {"role": "viewer", "action": "capability:dead:read"}

test_viewer_sees_events_by_no_capability if {
	every what in ["live:read", "parked:read", "quarantine:read", "quarantine:replay", "quarantine:discard", "dead:read", "dead:redrive", "dead:discard", "loads:read", "query", "preview", "destination:test"] {
		not access.allow with input as {"role": "viewer", "action": concat(":", ["capability", what])}
		access.allow with input as {"role": "editor", "action": concat(":", ["capability", what])}
		access.allow with input as {"role": "admin", "action": concat(":", ["capability", what])}
	}
}

test_viewer_reads_the_books if access.allow with input as {"role": "viewer", "action": "capability:ledger:read"}

test_editor_writes if access.allow with input as {"role": "editor", "action": "workspace:write"}

test_editor_makes_no_tokens if not access.allow with input as {"role": "editor", "action": "token:write"}

test_admin_invites if access.allow with input as {"role": "admin", "action": "plane:invite"}

test_unknown_role if not access.allow with input as {"role": "owner", "action": "workspace:read"}

test_empty_input if not access.allow with input as {}

test_nobody_may_what_is_not_named if {
	every role in ["viewer", "editor", "admin"] {
		not access.allow with input as {"role": role, "action": "plane:destroy"}
	}
}
