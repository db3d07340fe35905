package draft

import (
	"fmt"

	"weir/shared/id"
)

// identifier is an id that a document may give or leave out.
type identifier interface {
	id.Source | id.Destination | id.Transformation
}

// claim returns the id of each item: the one that it gives, else that of the
// former object of its name, else that of the former object that it `was`,
// else a new one. No former object is claimed twice; two items of one name or id are
// reported by the whole-config check. describe gives an item's id, name and
// former name.
func claim[ID identifier, T any](r *resolved, known objects[ID], path string, items []T, describe func(T) (ID, string, string)) []ID {
	ids := make([]ID, len(items))
	taken := map[ID]bool{}
	for i, item := range items { // first those that say who they are
		given, name, was := describe(item)
		at := fmt.Sprintf("%s[%d]", path, i)
		switch former, there := known.byName[name]; {
		case given != "":
			ids[i] = given
			if _, kept := known.names[given]; !kept && there {
				r.problem(at+".id", "id_mismatch", "The %s of this name has the id %s; leave the id out.", known.kind, former)
			}
		case !there && was != "":
			if former, there := known.byName[was]; there && !taken[former] {
				ids[i] = former
			}
		}
		if ids[i] != "" {
			taken[ids[i]] = true
		}
	}
	for i, item := range items {
		if ids[i] != "" {
			continue
		}
		_, name, _ := describe(item)
		if former, there := known.byName[name]; there && !taken[former] {
			ids[i] = former
		} else {
			ids[i] = id.New[ID]()
		}
		taken[ids[i]] = true
	}
	return ids
}
