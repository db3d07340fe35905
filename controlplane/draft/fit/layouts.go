package fit

import (
	"encoding/json"
	"fmt"
	"strings"

	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/workspace"
)

// places are the settings of warehouses that say where their tables are.
var places = []string{"host", "port", "account", "project", "catalog", "database", "dataset", "schema", "path", "bucket", "container", "prefix"}

// tables is where a warehouse has its tables, and in which layout.
type tables struct{ name, place, layout string }

// Layouts lists the warehouses of next that would fill tables in another layout than a
// warehouse of former, nil for none, or another one of next does: the tables would have
// columns of both. Where a setting leaves out its default, the default counts.
func Layouts(former *workspace.Config, next workspace.Config, specs []catalog.Spec) []fault.Problem {
	var problems []fault.Problem
	var known []tables
	if former != nil {
		for _, d := range former.Destinations {
			if t, ok := tablesOf(d, specs); ok {
				known = append(known, t)
			}
		}
	}
	for i, d := range next.Destinations {
		t, ok := tablesOf(d, specs)
		if !ok {
			continue
		}
		for _, k := range known {
			if k.place == t.place && k.layout != t.layout {
				problems = append(problems, fault.Problem{Path: fmt.Sprintf("destinations[%d].settings.layout", i), Code: "layout_mixed",
					Text: fmt.Sprintf("The tables of %s are in the layout %s, and %s would fill them in the layout %s; give %[3]s another schema (or dataset, database, path or prefix), or leave its layout %[2]s.", k.name, k.layout, t.name, t.layout)})
				break
			}
		}
		known = append(known, t)
	}
	return problems
}

// tablesOf reads the settings of a warehouse; false for what is none.
func tablesOf(d workspace.Destination, specs []catalog.Spec) (tables, bool) {
	spec, ok := catalog.Find(specs, d.Type, catalog.Warehouses)
	if !ok {
		return tables{}, false
	}
	var s map[string]any
	if err := json.Unmarshal(catalog.Fill(spec, d.Settings), &s); err != nil {
		return tables{}, false // which the check of settings says
	}
	layout, ok := s["layout"].(string)
	if !ok {
		return tables{}, false
	}
	place := []string{d.Type}
	for _, name := range places {
		place = append(place, fmt.Sprintf("%q", fmt.Sprint(s[name])))
	}
	return tables{d.Name, strings.Join(place, " "), layout}, true
}
