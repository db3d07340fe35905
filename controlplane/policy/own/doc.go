// Package own judges configurations by policies that operators and organizations write
// themselves, in Rego v1.
//
// A policy is one module with a set of reasons against a configuration:
//
//	package policies.names
//
//	deny contains {"path": path, "message": "a destination's name begins with the team"} if {
//		some i, d in input.after.destinations
//		not startswith(d.name, "team-")
//		path := sprintf("destinations[%d].name", [i])
//	}
//
// It may only deny. Policies are compiled against a list of built-in functions without
// network, host, clock, random numbers and environment, and each by itself: one does not
// see another. A Judge compiles and asks them in worker processes (weir/shared/worker),
// which a policy leaves with reasons or not at all: one that takes too long or too much
// memory, fails, or gives something else than reasons is a reason itself, which names
// the policy.
//
// Test runs policies' own tests in this process; it is for the command line of whoever
// wrote them.
package own
