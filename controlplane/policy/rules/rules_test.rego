package weir.rules_test

import data.weir.rules

commit := {
	"workspace": "shop", "region": "eu",
	"rules": {"regions": {}, "forbid": [], "exceptions": [], "masking": [], "approval": []},
	"destinations": [{"name": "hook", "type": "webhook"}, {"name": "crm", "type": "hubspot"}],
	"connections": [{"source": "web", "destination": {"name": "crm", "type": "hubspot"}, "transformations": ["mask"]}],
	"transformations": {"mask": "abc"},
	"changes": [{"op": "add", "kind": "destination", "name": "crm"}],
}

with_rules(r) := object.union(commit, {"rules": object.union(commit.rules, r)})

found(r) := {[p.code, p.path] | some p in rules.problems with input as with_rules(r)}

test_no_rules if found({}) == set()

test_a_region_takes_its_kinds if {
	found({"regions": {"eu": ["webhook"]}}) == {["kind_not_allowed", "destinations[1].type"]}
	found({"regions": {"us": ["webhook"]}}) == set()
	found({"regions": {"eu": ["webhook", "hubspot"]}}) == set()
}

test_a_region_may_take_none if count(found({"regions": {"eu": []}})) == 2

test_a_kind_is_forbidden if found({"forbid": ["hubspot"]}) == {["kind_forbidden", "destinations[1].type"]}

test_an_exception_is_for_its_destination if {
	found({"forbid": ["hubspot"], "exceptions": [{"workspace": "shop", "destination": "crm"}]}) == set()
	found({"forbid": ["hubspot"], "exceptions": [{"workspace": "sh*", "destination": "crm"}]}) == set()
	count(found({"forbid": ["hubspot"], "exceptions": [{"workspace": "other", "destination": "crm"}]})) == 1
	count(found({"forbid": ["hubspot"], "exceptions": [{"workspace": "shop", "destination": "hook"}]})) == 1
}

masking(by, exempt, kinds) := {"masking": [{"fields": ["email"], "by": by, "exempt": exempt, "exemptKinds": kinds}]}

test_masking if {
	found(masking([{"transformation": "mask", "sha256": ""}], [], [])) == set()
	found(masking([{"transformation": "mask", "sha256": "abc"}], [], [])) == set()
	found(masking([{"transformation": "mask", "sha256": "abd"}], [], [])) == {["masking_missing", "connections[0].transformations"]}
	found(masking([{"transformation": "other", "sha256": ""}], [], [])) == {["masking_missing", "connections[0].transformations"]}
	found(masking([{"transformation": "other", "sha256": ""}], ["crm"], [])) == set()
	found(masking([{"transformation": "other", "sha256": ""}], [], ["hubspot"])) == set()
}

needed(r) := n if n := count(rules.needs) with input as with_rules({"approval": [r]})

test_approval if {
	needed({"workspaces": [], "kinds": [], "operations": []}) == 1
	needed({"workspaces": ["sh*"], "kinds": ["destination"], "operations": ["add"]}) == 1
	needed({"workspaces": ["other"], "kinds": [], "operations": []}) == 0
	needed({"workspaces": [], "kinds": ["source"], "operations": []}) == 0
	needed({"workspaces": [], "kinds": [], "operations": ["remove"]}) == 0
}
