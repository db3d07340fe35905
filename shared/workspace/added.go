package workspace

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
)

// Additions lists what this build knows of configurations beyond what every release
// does, sorted. Planes list it among the languages of transformations, whose family
// every release knows.
func Additions() []string {
	var names []string
	config := reflect.TypeFor[Config]()
	for _, list := range reflect.VisibleFields(config) {
		names = append(names, list.Tag.Get("added"))
		if list.Type.Kind() == reflect.Slice {
			for _, field := range reflect.VisibleFields(list.Type.Elem()) {
				names = append(names, field.Tag.Get("added"))
			}
		}
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// Added yields the paths in c that say something of Additions, and the name of each.
func (c Config) Added() iter.Seq2[string, string] {
	return func(yield func(path, name string) bool) {
		for field, list := range lists(&c) {
			if name := field.Tag.Get("added"); name != "" && list.Len() > 0 && !yield(key(field), name) {
				return
			}
			for _, f := range reflect.VisibleFields(list.Type().Elem()) {
				name := f.Tag.Get("added")
				for i := 0; name != "" && i < list.Len(); i++ {
					if !list.Index(i).FieldByIndex(f.Index).IsZero() && !yield(fmt.Sprintf("%s[%d].%s", key(field), i, key(f)), name) {
						return
					}
				}
			}
		}
	}
}
