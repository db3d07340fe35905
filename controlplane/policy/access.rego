# Who may do what. The table actions.json says at which level an action happens and
# which roles have it: an action that it does not name is refused to everyone.
#
# A grant gives a role in the installation (no organization), in an organization, in one
# workspace of it, or on one object of that. It reaches what it names and what is below.
package weir.access

default allow := false

allow if may(input.action, input.resource)

may(action, resource) if {
	rule := data.weir.actions[action]
	scoped(action)
	some grant in input.subject.grants
	has(grant, action, rule)
	reaches(grant, rule.at, resource)
}

# A token may be limited to some actions.
scoped(_) if not input.subject.scopes

scoped(action) if action in input.subject.scopes

has(grant, _, rule) if rule.roles[grant.role]

# A role that an organization made names its actions in the grant.
has(grant, action, _) if action in grant.actions

# It has what is allowed anywhere, too.
has(grant, _, rule) if {
	rule.at == "any"
	count(grant.actions) > 0
}

# What is allowed anywhere answers with what the caller may read, and nothing else.
reaches(_, "any", _)

reaches(grant, "installation", _) if grant.organization == ""

reaches(grant, "organization", resource) if {
	resource.organization != ""
	grant.organization == resource.organization
	grant.workspace == ""
}

reaches(grant, "workspace", resource) if {
	resource.organization != ""
	grant.organization == resource.organization
	covers(grant.workspace, resource.workspace)
	covers(grant.object, resource.object)
}

covers("", _)

covers(granted, wanted) if {
	granted != ""
	granted == wanted
}

# What somebody who is given input.role there could do and the subject cannot: nobody
# gives more than he has. The role of an operator reaches the installation.
beyond contains action if {
	some action, rule in data.weir.actions
	has(input.given, action, rule)
	matters(rule.at, input.given)
	not may(action, input.given)
}

matters("installation", given) if given.organization == ""

matters("organization", given) if {
	given.organization != ""
	given.workspace == ""
}

matters("workspace", given) if given.organization != ""
