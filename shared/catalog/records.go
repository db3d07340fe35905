package catalog

import (
	"fmt"
	"slices"

	"weir/shared/catalog/objects"
)

// Object returns the object of that name.
func (s Spec) Object(name string) (objects.Object, bool) {
	i := slices.IndexFunc(s.Objects, func(o objects.Object) bool { return o.Name == name })
	if i < 0 {
		return objects.Object{}, false
	}
	return s.Objects[i], true
}

// specObjects checks the objects of a spec, and that its calls name no others.
func (c *checker) specObjects(s Spec) {
	if len(s.Objects) > 0 && s.Family == Sources {
		c.add("objects", "not_allowed", "Only destinations have objects.")
	}
	if (s.Models || s.Profiles) && s.Family != Warehouses {
		c.add("models", "not_allowed", "Only warehouses have models and profiles.")
	}
	c.problems = append(c.problems, objects.Check(s.Objects)...)
	if s.Calls == nil {
		return
	}
	for i, call := range s.Calls.Calls {
		for _, name := range call.Objects {
			if _, ok := s.Object(name); !ok {
				c.add(fmt.Sprintf("calls[%d].on.object", i), "not_in_enum", "The object "+name+" is not declared: add it to objects.")
			}
		}
	}
}
