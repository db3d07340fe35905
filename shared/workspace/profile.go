package workspace

import (
	"fmt"
	"slices"

	"weir/shared/catalog"
	"weir/shared/id"
	"weir/shared/workspace/profiles"
)

// Profile is the persons of a warehouse, with their features and audiences.
type Profile struct {
	Name      string         `json:"name"`
	Warehouse id.Destination `json:"warehouse"`
	profiles.Plan
}

// Key is the name.
func (p Profile) Key() string { return p.Name }

// profiles checks that each has a warehouse of its own, in which tables can be worked on,
// and what it declares.
func (k *check) profiles(list []Profile, destinations []Destination) {
	names, taken := map[string]bool{}, map[id.Destination]bool{}
	for i, p := range list {
		at := fmt.Sprintf("profiles[%d]", i)
		switch {
		case !name().MatchString(p.Name):
			k.add(at+".name", "bad_name", "A name is 1 to 64 letters, digits, spaces, '_', '-' and '.', a letter or digit first and last.")
		case names[p.Name]:
			k.add(at+".name", "duplicate_name", "Other profiles are called %s.", p.Name)
		}
		d := slices.IndexFunc(destinations, func(d Destination) bool { return d.ID == p.Warehouse })
		switch {
		case d < 0:
			k.add(at+".warehouse", "unknown_destination", "This warehouse is not in the workspace.")
		case taken[p.Warehouse]:
			k.add(at+".warehouse", "not_allowed", "A warehouse has one set of profiles; add entities and features to the other one.")
		default:
			if spec, ok := catalog.Find(k.specs, destinations[d].Type, catalog.Destinations, catalog.Warehouses); ok && !spec.Profiles {
				k.add(at+".warehouse", "not_allowed", "A destination of the type %s has no profiles%s.", spec.Name, k.those(func(s catalog.Spec) bool { return s.Profiles }))
			}
		}
		names[p.Name], taken[p.Warehouse] = true, true
		for _, problem := range profiles.Check(p.Plan, at) {
			k.add(problem.Path, problem.Code, "%s", problem.Text)
		}
	}
}
