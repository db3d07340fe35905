# What the rules of an organization, a document without Rego, say of a configuration.
#
# input.rules is the document; input.destinations, input.connections and
# input.transformations are the configuration's, in their order, and input.changes what a
# commit changes.
package weir.rules

problems contains {
	"path": sprintf("destinations[%d].type", [i]),
	"code": "kind_not_allowed",
	"text": sprintf("The region %s takes no destinations of the kind %s.", [input.region, d.type]),
} if {
	kinds := input.rules.regions[input.region]
	some i, d in input.destinations
	not d.type in kinds
	not excepted(d)
}

problems contains {
	"path": sprintf("destinations[%d].type", [i]),
	"code": "kind_forbidden",
	"text": sprintf("The organization forbids destinations of the kind %s.", [d.type]),
} if {
	some i, d in input.destinations
	d.type in input.rules.forbid
	not excepted(d)
}

excepted(d) if {
	some e in input.rules.exceptions
	named(e.workspace)
	e.destination == d.name
}

named(pattern) if glob.match(pattern, [], input.workspace)

# A connection whose destination is not exempt carries a transformation that is declared
# to mask the fields.
problems contains {
	"path": sprintf("connections[%d].transformations", [i]),
	"code": "masking_missing",
	"text": sprintf("The connection from %s to %s has to mask %s: give it one of the transformations %s.", [c.source, c.destination.name, concat(", ", m.fields), concat(", ", [b.transformation | some b in m.by])]),
} if {
	some m in input.rules.masking
	some i, c in input.connections
	not exempt(m, c.destination)
	not masks(m, c)
}

exempt(m, d) if d.name in m.exempt

exempt(m, d) if d.type in m.exemptKinds

masks(m, c) if {
	some b in m.by
	b.transformation in c.transformations
	unchanged(b)
}

unchanged(b) if b.sha256 == ""

unchanged(b) if b.sha256 == input.transformations[b.transformation]

# A commit that changes what a rule names needs another person.
needs contains text if {
	some a in input.rules.approval
	concerns(a)
	some c in input.changes
	touches(a, c)
	text := sprintf("%s %s %s needs the approval of another person", [c.op, c.kind, c.name])
}

concerns(a) if count(a.workspaces) == 0

concerns(a) if {
	some pattern in a.workspaces
	named(pattern)
}

touches(a, c) if {
	matches(a.kinds, c.kind)
	matches(a.operations, c.op)
}

matches(list, _) if count(list) == 0

matches(list, value) if value in list
