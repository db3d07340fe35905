# Who may do what. An action that no role names is refused to everyone, so a
# route whose action was forgotten here is closed, not open.
package weir.access

viewer := {
	"self:read",
	"catalog:read",
	"plane:read",
	"workspace:list",
	"workspace:read",
	"workspace:diff",
	"status:read",
	"capability:ledger:read",
}

# Editors change configuration and see events, which viewers do not: neither as
# they pass nor as rows, nor in a warehouse's error texts, which quote values.
editor := viewer | {
	"workspace:write",
	"capability:dead:read",
	"capability:dead:redrive",
	"capability:dead:discard",
	"capability:live:read",
	"capability:parked:read",
	"capability:quarantine:read",
	"capability:quarantine:replay",
	"capability:quarantine:discard",
	"capability:loads:read",
	"capability:query",
	"capability:preview",
	"capability:destination:test",
	"capability:jobs:read",
	"capability:jobs:stop",
}

# Admins decide about people, programs and planes.
admin := editor | {
	"workspace:delete",
	"token:read",
	"token:write",
	"plane:invite",
	"audit:read",
}

grants := {"viewer": viewer, "editor": editor, "admin": admin}

# What a caller that is bound to one workspace may do beside it: what it answers
# holds nothing of other workspaces.
shared := {
	"self:read",
	"catalog:read",
	"plane:read",
	"workspace:list",
	"status:read",
}

default allow := false

allow if {
	input.action in grants[input.subject.role]
	reaches
}

reaches if input.subject.workspace == ""

reaches if {
	input.subject.workspace != ""
	input.subject.workspace == input.resource.workspace
}

reaches if input.action in shared
