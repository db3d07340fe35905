package layout

import (
	"strings"

	"weir/dataplane/layout/name"
	"weir/dataplane/layout/tree"
)

// Refuses returns the code for which the layout has no rows for events of a type,
// "" for a type with rows. Case does not count.
func Refuses(typ string) (code string) {
	switch strings.ToLower(typ) {
	case "track", "identify", "page", "screen", "group", "alias", "extract", "record":
		return ""
	}
	return "unsupported_event"
}

// kinds adds the rows of an event of a type that Refuses takes.
func (r *maker) kinds(kind string) {
	r.paths = r.pathsOf(kind)
	switch kind {
	case "track":
		r.calls = callTrack
		r.track()
	case "extract":
		r.calls = callExtract
		r.extract()
	case "record":
		r.calls = callExtract
		r.pulled()
	case "identify":
		r.calls = callIdentify
		r.identify()
	case "page", "screen":
		r.calls = callPage
		r.one(kind+"s", "properties", func(b *block) {
			name := r.Get(0, "name")
			if r.word(name) == "" {
				name = r.At(0, "properties", "name")
			}
			r.text(b, stdName, name)
		})
	case "group":
		r.calls = callGroup
		r.one("groups", "traits", func(b *block) { r.text(b, stdGroupID, r.Get(0, "groupId")) })
	case "alias":
		r.calls = callAlias
		r.one("aliases", "traits", func(b *block) { r.text(b, stdPreviousID, r.Get(0, "previousId")) })
	}
	if r.o.IdentityResolution && r.d.IdentityMergeRules && !r.segment() {
		r.merge(kind)
	}
}

// standard is the name of one of the layout's own tables.
func (r *maker) standard(table string) string { return r.d.names.Own(table, r.o.casing()) }

func (r *maker) id(b *block) {
	if id, at := r.messageID(); at >= 0 {
		r.text(b, stdID, at)
	} else {
		r.words(b, stdID, id)
	}
}

// full puts the whole event.
func (r *maker) full(b *block) {
	if !r.o.StoreFullEvent {
		return
	}
	s, damaged := tree.Compact(r.Raw(0))
	sent := ""
	if damaged {
		sent = r.Raw(0)
	}
	b.put(Column{Name: r.d.names.Fold("rudder_event"), Type: r.d.FullEventType, Raw: s}, sent, fromLayout)
}

// one adds the only row of an event, with the values of its member from.
func (r *maker) one(table, from string, own func(*block)) {
	b := r.base(baseAny)
	r.id(b)
	own(b)
	values := r.Get(0, from)
	if _, ok := r.letters(values); !ok || table != "groups" || r.segment() {
		r.flat(b, "", values, fromProperties, from)
	}
	r.full(b)
	r.add(r.standard(table), b)
}

// trackBase is what both rows of a track call begin with. Bare JSON paths count in
// the row of the event's own table alone.
func (r *maker) trackBase(table *name.Table, own bool) *block {
	if r.paths != nil {
		r.paths.off = !own
	}
	b := r.base(baseAny)
	r.id(b)
	r.text(b, stdEventText, r.Get(0, "event"))
	r.words(b, stdEvent, table.Cased)
	return b
}

func (r *maker) track() {
	table := r.names.Table(r.word(r.Get(0, "event")))
	b := r.trackBase(table, false)
	if !r.o.SkipTracksTable {
		n, kept := len(b.cols), b.raws.clone()
		if r.m.cloud() && !r.segment() {
			r.record(b, stdRecordID)
		}
		r.full(b)
		r.add(r.standard("tracks"), b)
		b.reset(n, kept)
	}
	if table.Out == "" {
		return
	}
	if r.paths != nil && r.paths.bare {
		b = r.trackBase(table, true)
	}
	r.flat(b, "", r.Get(0, "properties"), fromProperties, "properties")
	r.flat(b, "", r.Get(0, "userProperties"), fromProperties, "userProperties")
	r.own(table, b)
}

// own adds the row of an event's own table.
func (r *maker) own(table *name.Table, b *block) {
	r.add(table.Out, b)
	r.rows[len(r.rows)-1].Shared = table.Shared
}

// record puts the id of the record that the event stands for; false without it.
func (r *maker) record(b *block, std int) bool {
	i := r.Get(0, "recordId")
	if strings.TrimSpace(r.word(i)) != "" {
		r.text(b, std, i)
		return true
	}
	r.words(b, std, r.m.RecordID)
	return strings.TrimSpace(r.m.RecordID) != ""
}

// extract adds the row of a record, whose id is that of the row: of the standard
// columns it has none of those that say who did what and when.
func (r *maker) extract() {
	b := r.base(baseRecord)
	if !r.record(b, stdID) {
		r.err = errRecord
		return
	}
	event := r.Get(0, "event")
	r.text(b, stdEvent, event)
	if table := r.names.Table(r.word(event)); table.Out != "" {
		r.flat(b, "", r.Get(0, "properties"), fromProperties, "properties")
		r.own(table, b)
	}
}

// pulled adds the row of a record that was pulled from a tool, in the table of its source
// and stream. Its id is the record's key, so that the newest state is the row, or with
// history that of the state. What was deleted says when.
func (r *maker) pulled() {
	table := r.names.Table(r.word(r.Get(0, "event")))
	key := r.Get(0, "key")
	if r.word(key) == "" || table.Out == "" {
		r.err = errKey
		return
	}
	b := r.base(baseRecord)
	if r.word(r.Get(0, "history")) == "true" {
		r.id(b)
		r.text(b, stdRecordID, key)
	} else {
		r.text(b, stdID, key)
	}
	if r.word(r.Get(0, "action")) == "delete" {
		b.add(Column{Name: r.d.names.Fold("__deleted_at"), Type: Datetime, Raw: r.received()}, fromLayout)
	}
	r.flat(b, "", r.Get(0, "fields"), fromProperties, "fields")
	r.own(table, b)
}

func (r *maker) traits(b *block) {
	r.flat(b, "", r.Get(0, "userProperties"), fromUserProperties, "userProperties")
	if traits := r.At(0, "context", "traits"); r.o.AllowUsersContextTraits {
		if _, ok := r.letters(traits); !ok || r.segment() {
			r.flat(b, "", traits, fromContextTraits, "context", "traits")
		}
	}
	r.flat(b, "", r.Get(0, "traits"), fromTraits, "traits")
}

func (r *maker) identify() {
	b := r.base(baseAny)
	r.id(b)
	r.traits(b)
	r.full(b)
	r.add(r.standard("identifies"), b)
	user := r.Get(0, "userId")
	if r.o.SkipUsersTable || r.d.NoUsersTable || strings.TrimSpace(r.word(user)) == "" {
		return
	}
	b = r.base(baseUsers)
	if r.Kind(user) == '0' && !r.segment() {
		c := Column{Name: r.d.std[stdID]}
		c.Type, c.Raw = number(r.Raw(user))
		b.add(c, fromLayout)
	} else {
		r.text(b, stdID, user)
	}
	r.traits(b)
	r.add(r.standard("users"), b)
}

// merge adds the rule that two ids are one person.
func (r *maker) merge(kind string) {
	first, one := "anonymous_id", r.Get(0, "anonymousId")
	two := r.Get(0, "userId")
	if kind == "alias" {
		first, one, two = "user_id", two, r.Get(0, "previousId")
	}
	var b block
	put := func(name, s string) {
		if s != "" {
			b.add(Column{Name: r.d.names.Fold(name), Type: String, Raw: s}, fromLayout)
		}
	}
	put("uuid_ts", r.now)
	b.cols[0].Type = Datetime
	if r.d.LoadedAt {
		b.add(Column{Name: r.d.std[stdLoadedAt], Type: Datetime, Raw: r.now}, fromLayout)
	}
	n := 1
	for _, p := range []struct{ kind, id string }{{first, r.word(one)}, {"user_id", r.word(two)}} {
		if strings.TrimSpace(p.id) == "" {
			continue
		}
		at := "merge_property_" + string(rune('0'+n))
		put(at+"_type", p.kind)
		put(at+"_value", p.id)
		n++
	}
	if n > 1 {
		r.rows = append(r.rows, Row{Table: r.d.names.Fold("rudder_identity_merge_rules"), Columns: b.cols})
	}
}
