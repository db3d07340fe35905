package weir.access_test

import data.weir.access

actions := data.weir.actions

roles := {"operator", "viewer", "editor", "marketer", "auditor", "admin", "owner"}

grant(role, organization, workspace, object) := {
	"role": role, "organization": organization, "workspace": workspace, "object": object, "actions": [],
}

in_a(role) := grant(role, "org_a", "", "")

ask(grants, action, organization, workspace, object) := {
	"subject": {"grants": grants},
	"action": action,
	"resource": {"organization": organization, "workspace": workspace, "object": object},
}

may_in_a(role, action) if access.allow with input as ask([in_a(role)], action, "org_a", "ws_a", "")

test_viewer_reads if may_in_a("viewer", "workspace:read")

test_viewer_does_not_write if not may_in_a("viewer", "workspace:write")

test_viewer_has_one_capability if {
	{a | some a, _ in actions; startswith(a, "capability:"); may_in_a("viewer", a)} == {"capability:ledger:read"}
}

test_editor_has_every_capability if {
	every action, _ in actions {
		editor_has(action)
	}
}

editor_has(action) if not startswith(action, "capability:")

editor_has(action) if may_in_a("editor", action)

test_editor_makes_no_tokens if not may_in_a("editor", "token:write")

test_marketer_writes_nothing_and_sees_live_events if {
	not may_in_a("marketer", "workspace:write")
	not may_in_a("marketer", "capability:dead:redrive")
	may_in_a("marketer", "capability:live:read")
}

test_auditor_reads_the_audit_and_no_event if {
	may_in_a("auditor", "audit:read")
	{a | some a, _ in actions; startswith(a, "capability:"); may_in_a("auditor", a)} == {"capability:ledger:read"}
	not may_in_a("auditor", "workspace:write")
}

test_owner_has_all_of_an_organization if {
	every action, rule in actions {
		owner_has(action, rule)
	}
}

owner_has(_, rule) if rule.at == "installation"

owner_has(action, _) if may_in_a("owner", action)

test_nobody_in_an_organization_runs_the_installation if {
	every role in roles {
		every action, rule in actions {
			not runs_the_installation(role, action, rule)
		}
	}
}

runs_the_installation(role, action, rule) if {
	rule.at == "installation"
	may_in_a(role, action)
}

test_the_operator_invites_planes if access.allow with input as ask([grant("operator", "", "", "")], "plane:invite", "", "", "")

test_the_operator_reads_nothing_of_an_organization if {
	every action, rule in actions {
		not operator_reads(action, rule)
	}
}

operator_reads(action, rule) if {
	rule.at in {"organization", "workspace"}
	access.allow with input as ask([grant("operator", "", "", "")], action, "org_a", "ws_a", "")
}

# A role that is made for organizations opens nothing when it is granted without one.
test_no_role_reaches_organizations_from_above if {
	every role in roles {
		not access.allow with input as ask([grant(role, "", "", "")], "workspace:read", "org_a", "ws_a", "")
		not access.allow with input as ask([grant(role, "", "", "")], "workspace:read", "", "", "")
	}
}

test_nobody_reaches_another_organization if {
	every role in roles {
		every action, rule in actions {
			not crosses(role, action, rule)
		}
	}
}

crosses(role, action, rule) if {
	rule.at != "any"
	some organization in ["", "org_b"]
	some workspace in ["", "ws_a", "ws_b"]
	access.allow with input as ask([in_a(role)], action, organization, workspace, "")
}

test_a_grant_on_a_workspace_is_for_it_alone if {
	grants := [grant("owner", "org_a", "ws_a", "")]
	access.allow with input as ask(grants, "workspace:write", "org_a", "ws_a", "")
	access.allow with input as ask(grants, "workspace:write", "org_a", "ws_a", "dst_a")
	not access.allow with input as ask(grants, "workspace:write", "org_a", "ws_b", "")
	not access.allow with input as ask(grants, "workspace:write", "org_a", "", "")
	not access.allow with input as ask(grants, "workspace:write", "org_b", "ws_a", "")
	not access.allow with input as ask(grants, "member:write", "org_a", "ws_a", "")
	not access.allow with input as ask(grants, "audit:read", "org_a", "", "")
}

test_a_grant_on_an_object_is_for_it_alone if {
	grants := [grant("editor", "org_a", "ws_a", "dst_a")]
	access.allow with input as ask(grants, "capability:dead:read", "org_a", "ws_a", "dst_a")
	not access.allow with input as ask(grants, "capability:dead:read", "org_a", "ws_a", "dst_b")
	not access.allow with input as ask(grants, "capability:dead:read", "org_a", "ws_a", "")
	not access.allow with input as ask(grants, "workspace:write", "org_a", "ws_a", "")
}

test_grants_add_up if {
	grants := [in_a("viewer"), grant("editor", "org_a", "ws_a", "")]
	access.allow with input as ask(grants, "workspace:write", "org_a", "ws_a", "")
	not access.allow with input as ask(grants, "workspace:write", "org_a", "ws_b", "")
	access.allow with input as ask(grants, "workspace:read", "org_a", "ws_b", "")
}

limited(scopes, action) := object.union(ask([in_a("editor")], action, "org_a", "ws_a", ""), {"subject": {"scopes": scopes}})

test_scopes_only_take_away if {
	access.allow with input as limited(["workspace:read"], "workspace:read")
	not access.allow with input as limited(["workspace:read"], "workspace:write")
	not access.allow with input as limited(["token:write"], "token:write")
	not access.allow with input as limited([], "workspace:read")
}

test_a_role_of_an_organization_has_its_actions if {
	own := object.union(in_a("deployer"), {"actions": ["workspace:write"]})
	access.allow with input as ask([own], "workspace:write", "org_a", "ws_a", "")
	access.allow with input as ask([own], "self:read", "", "", "")
	not access.allow with input as ask([own], "workspace:read", "org_a", "ws_a", "")
	not access.allow with input as ask([own], "workspace:write", "org_b", "ws_a", "")
}

test_a_role_of_an_organization_never_runs_the_installation if {
	own := object.union(in_a("deployer"), {"actions": ["plane:invite"]})
	not access.allow with input as ask([own], "plane:invite", "", "", "")
	not access.allow with input as ask([own], "plane:invite", "org_a", "", "")
}

test_unknown_role if not may_in_a("king", "workspace:read")

test_nobody_may_what_is_not_named if {
	every role in roles {
		not may_in_a(role, "plane:destroy")
	}
}

test_empty_input if not access.allow with input as {}

test_nobody_without_grants if {
	not access.allow with input as ask([], "self:read", "", "", "")
	not access.allow with input as {"action": "self:read", "resource": {"organization": "", "workspace": "", "object": ""}}
}

beyond(grants, given) := lacking if {
	lacking := access.beyond with input as {"subject": {"grants": grants}, "given": given}
}

test_an_owner_gives_every_role_of_an_organization if {
	every role in roles - {"operator"} {
		beyond([in_a("owner")], in_a(role)) == set()
	}
}

test_an_admin_gives_no_owner if beyond([in_a("admin")], in_a("owner")) == {"owner:write", "policy:write"}

test_nobody_gives_a_role_with_more_than_he_has if {
	own := object.union(in_a("deployer"), {"actions": ["workspace:write", "policy:write"]})
	beyond([in_a("admin")], own) == {"policy:write"}
	beyond([in_a("owner")], own) == set()
}

test_an_admin_gives_what_he_has if beyond([in_a("admin")], in_a("admin")) == set()

test_nobody_gives_in_another_organization if count(beyond([in_a("owner")], grant("viewer", "org_b", "", ""))) > 0

test_an_owner_makes_no_operator if count(beyond([in_a("owner")], grant("operator", "", "", ""))) > 0

test_an_operator_makes_operators if beyond([grant("operator", "", "", "")], grant("operator", "", "", "")) == set()

test_an_operator_gives_no_role_of_an_organization if count(beyond([grant("operator", "", "", "")], in_a("viewer"))) > 0

test_whoever_has_a_workspace_gives_there_alone if {
	grants := [grant("editor", "org_a", "ws_a", "")]
	beyond(grants, grant("viewer", "org_a", "ws_a", "")) == set()
	count(beyond(grants, in_a("viewer"))) > 0
}
