package workspace

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/shared/catalog"
	"weir/shared/catalog/objects"
	"weir/shared/catalog/private"
	"weir/shared/id"
	"weir/shared/workspace/activation"
	"weir/shared/workspace/profiles"
)

// Limits of models and syncs.
const (
	maxSQL    = 64 << 10    // bytes of a statement
	maxFields = 200         // of a mapping
	minEvery  = time.Minute // between the beginnings of runs
	maxEvery  = 366 * 24 * time.Hour
)

// column is a name of a column or a table as a model says it; names are quoted where they
// stand in statements.
var column = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^\x00-\x1f"]{1,128}$`) })

// models checks the models, and returns them by identifier.
func (k *check) models(list []activation.Model, destinations []Destination, all []Profile) map[id.Model]activation.Model {
	ids, names := map[string]bool{}, map[string]bool{}
	byID := map[id.Model]activation.Model{}
	for i, m := range list {
		at := fmt.Sprintf("models[%d]", i)
		k.names(at, string(m.ID), m.Name, id.Valid(m.ID), ids, names)
		byID[m.ID] = m
		d := slices.IndexFunc(destinations, func(d Destination) bool { return d.ID == m.Warehouse })
		if d < 0 {
			k.add(at+".warehouse", "unknown_destination", "This warehouse is not in the workspace.")
		} else if spec, ok := catalog.Find(k.specs, destinations[d].Type, catalog.Destinations, catalog.Warehouses); ok && !spec.Models {
			k.add(at+".warehouse", "not_allowed", "A destination of the type %s has no models%s.", spec.Name, k.those(func(s catalog.Spec) bool { return s.Models }))
		}
		given := 0
		for _, rows := range []string{m.Table, m.SQL, m.Audience} {
			if rows != "" {
				given++
			}
		}
		switch {
		case given != 1:
			k.add(at, "required", "A model has one of a table, a statement in sql, and an audience.")
		case m.Audience != "":
			k.audience(at, m, all)
		case m.Table != "" && !slices.ContainsFunc(strings.Split(m.Table, "."), func(part string) bool { return !column().MatchString(part) }) && strings.Count(m.Table, ".") < 3:
		case m.Table != "":
			k.add(at+".table", "bad_name", "A table is its name, or schema.name.")
		case len(m.SQL) > maxSQL:
			k.add(at+".sql", "too_large", "The statement is longer than %d bytes.", maxSQL)
		default:
			if text := activation.NotOne(m.SQL); text != "" {
				k.add(at+".sql", "bad_sql", "%s", text)
			}
		}
		if !column().MatchString(m.Column) {
			k.add(at+".key", "bad_name", "The key is the name of a column.")
		}
	}
	return byID
}

// audience checks a model of an audience.
func (k *check) audience(at string, m activation.Model, all []Profile) {
	p := slices.IndexFunc(all, func(p Profile) bool { return p.Warehouse == m.Warehouse })
	if p < 0 {
		k.add(at+".audience", "unknown_audience", "The warehouse has no profiles, so it has no audiences.")
	} else if _, ok := all[p].Members(m.Audience); !ok {
		k.add(at+".audience", "unknown_audience", "The profiles %s of the warehouse have no audience %s.", all[p].Name, m.Audience)
	}
	if m.Column != profiles.KeyColumn {
		k.add(at+".key", "not_allowed", "The key of an audience's persons is %s.", profiles.KeyColumn)
	}
}

// those lists types of which something holds, for the text of a problem.
func (k *check) those(hold func(catalog.Spec) bool) string {
	var names []string
	for _, s := range k.specs {
		if hold(s) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; take one of " + strings.Join(names, ", ")
}

// syncs checks the syncs.
func (k *check) syncs(list []activation.Sync, models map[id.Model]activation.Model, destinations []Destination, all []Profile) {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, s := range list {
		at := fmt.Sprintf("syncs[%d]", i)
		k.names(at, string(s.ID), s.Name, id.Valid(s.ID), ids, names)
		if _, ok := models[s.Model]; !ok {
			k.add(at+".model", "unknown_model", "This model is not in the workspace.")
		}
		for _, one := range []struct{ name, value, of string }{
			{"mode", s.Mode, "upsert, update, insert, mirror, append, snapshot"}, {"removed", s.Removed, "nothing, delete, clear"}, {"first", s.First, "send, assume"},
		} {
			if one.value != "" && !slices.Contains(strings.Split(one.of, ", "), one.value) {
				k.add(at+"."+one.name, "not_in_enum", "This is one of %s.", one.of)
			}
		}
		if s.Mode == activation.Mirror && s.Removed != "" && s.Removed != activation.Delete {
			k.add(at+".removed", "not_allowed", "The mode mirror deletes what is removed; leave removed out, or take the mode upsert.")
		}
		if s.Mode == activation.Snapshot && s.Removed != "" && s.Removed != activation.Delete {
			k.add(at+".removed", "not_allowed", "The mode snapshot writes the rows that there are; leave removed out.")
		}
		if s.Mode == activation.Append && s.Removed != "" && s.Removed != activation.Nothing {
			k.add(at+".removed", "not_allowed", "The mode append adds records and knows none again; leave removed out.")
		}
		k.columns(at+".mapping", s.Mapping)
		k.columns(at+".identifiers", s.Identifiers)
		if len(s.Mapping) == 0 && len(s.Identifiers) == 0 {
			k.add(at+".mapping", "required", "Say which column goes into which field.")
		}
		k.schedule(at+".schedule", s.Schedule)
		if s.Schedule != nil && s.Schedule.AfterProfiles && !slices.ContainsFunc(all, func(p Profile) bool { return p.Warehouse == models[s.Model].Warehouse }) {
			k.add(at+".schedule.afterProfiles", "not_allowed", "The model's warehouse has no profiles after whose runs the sync could run.")
		}
		d := slices.IndexFunc(destinations, func(d Destination) bool { return d.ID == s.Destination })
		if d < 0 {
			k.add(at+".destination", "unknown_destination", "This destination is not in the workspace.")
		} else if spec, ok := private.Find(k.specs, destinations[d].Type, destinations[d].Spec, catalog.Destinations, catalog.Warehouses); ok {
			k.object(at, s.WithDefaults(), spec)
		}
	}
}

// columns checks columns by field.
func (k *check) columns(at string, of map[string]string) {
	if len(of) > maxFields {
		k.add(at, "too_many", "There are at most %d fields.", maxFields)
		return
	}
	for _, field := range slices.Sorted(maps.Keys(of)) {
		if !objects.ValidField(field) {
			k.add(at, "bad_name", "A field's name is 1 to 128 of letters, digits, '_', '$', ':', '.', '-' and spaces.")
		} else if !column().MatchString(of[field]) {
			k.add(at+"."+field, "bad_name", "This is the name of a column.")
		}
	}
}

// object checks what a sync does with an object of its destination's kind.
func (k *check) object(at string, s activation.Sync, spec catalog.Spec) {
	if len(spec.Objects) == 0 {
		k.add(at+".destination", "not_supported", "A destination of the type %s has no objects that syncs could keep.", spec.Name)
		return
	}
	o, ok := spec.Object(s.Object)
	if !ok {
		var known []string
		for _, o := range spec.Objects {
			known = append(known, o.Name)
		}
		k.add(at+".object", "unknown_object", "A destination of the type %s has the objects %s.", spec.Name, strings.Join(known, ", "))
		return
	}
	needs := map[string][]string{activation.Upsert: {"upsert"}, activation.Mirror: {"upsert", "delete"}, activation.Update: {"update"}, activation.Insert: {"insert"}, activation.Append: {"insert"}, activation.Snapshot: {"snapshot"}}[s.Mode]
	for _, action := range needs {
		if !slices.Contains(o.Actions, action) {
			k.add(at+".mode", "not_allowed", "The mode %s needs the action %s; records of %s take %s.", s.Mode, action, o.Name, strings.Join(o.Actions, ", "))
		}
	}
	if s.Removed == activation.Delete && s.Mode != activation.Mirror && s.Mode != activation.Snapshot && !slices.Contains(o.Actions, "delete") {
		k.add(at+".removed", "not_allowed", "Records of %s cannot be deleted.", o.Name)
	}
	if s.Removed == activation.Clear && !slices.Contains(o.Actions, "upsert") && !slices.Contains(o.Actions, "update") {
		k.add(at+".removed", "not_allowed", "Records of %s cannot be changed, so nothing can be cleared.", o.Name)
	}
	k.fields(at+".identifiers", s.Identifiers, o.Identifiers, len(o.Identifiers) > 0)
	k.fields(at+".mapping", s.Mapping, o.Fields, o.Closed)
	if len(o.Identifiers) > 0 && len(s.Identifiers) == 0 {
		var known []string
		for _, f := range o.Identifiers {
			known = append(known, f.Name)
		}
		k.add(at+".identifiers", "required", "Say by which column a record of %s is known: %s.", o.Name, strings.Join(known, ", "))
	}
}

// fields checks the fields of a sync against those of an object.
func (k *check) fields(at string, given map[string]string, known []objects.Field, closed bool) {
	names := map[string]bool{}
	for _, f := range known {
		if names[f.Name] = true; f.Required && given[f.Name] == "" {
			k.add(at, "required", "The field %s is required.", f.Name)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(given)) {
		if closed && !names[field] {
			k.add(at+"."+field, "unknown_field", "There is no such field; there are %s.", strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
	}
}

// schedule checks when a sync runs.
func (k *check) schedule(at string, s *activation.Schedule) {
	if s == nil {
		return
	}
	if s.Every != "" {
		if d, err := time.ParseDuration(s.Every); err != nil || d < minEvery || d > maxEvery {
			k.add(at+".every", "bad_duration", "This is a time of a minute to a year, such as 15m or 24h.")
		}
	}
	if s.Cron != "" {
		if !activation.Runs(s.Cron) {
			k.add(at+".cron", "bad_cron", "This is no schedule of cron: write five fields, minute, hour, day of the month, month and day of the week, such as 0 6 * * 1-5.")
		}
	}
	if *s == (activation.Schedule{}) {
		k.add(at, "required", "Say every, cron, afterLoad or afterProfiles, or leave the schedule out.")
	}
}
