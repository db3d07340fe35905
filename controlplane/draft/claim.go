package draft

import (
	"fmt"
	"reflect"

	"weir/shared/workspace/document"
)

// claim returns the id of each item of a document's list: the one that it gives, else
// that of the former object of its name, else that of the former object that it
// `was`, else a new one; nil for a kind without identifiers. No former object is
// claimed twice; two items of one name or id are reported by the whole-config check.
func (r *resolved) claim(k document.Kind, items, former reflect.Value) []string {
	own, ok := former.Type().Elem().FieldByName("ID")
	if !ok {
		return nil
	}
	ids := make([]string, items.Len())
	names, byName, taken := map[string]string{}, map[string]string{}, map[string]bool{}
	for i := range former.Len() {
		f := former.Index(i)
		name, object := f.FieldByName("Name").String(), idOf(f).String()
		names[object], byName[name] = name, object
	}
	for i := range ids { // first those that say who they are
		item := items.Index(i)
		given, name, was := idOf(item).String(), item.FieldByName("Name").String(), item.FieldByName("Was").String()
		switch former, there := byName[name]; {
		case given != "":
			ids[i] = given
			if _, kept := names[given]; !kept && there {
				r.problem(fmt.Sprintf("%s[%d].id", k.List, i), "id_mismatch", "The %s of this name has the id %s; leave the id out.", k.Name, former)
			}
		case !there && was != "":
			if former, there := byName[was]; there && !taken[former] {
				ids[i] = former
			}
		}
		if ids[i] != "" {
			taken[ids[i]] = true
		}
	}
	for i := range ids {
		if ids[i] != "" {
			continue
		}
		if former, there := byName[items.Index(i).FieldByName("Name").String()]; there && !taken[former] {
			ids[i] = former
		} else {
			ids[i] = newID(own.Type)
		}
		taken[ids[i]] = true
	}
	return ids
}
