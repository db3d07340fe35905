package layout

import "strings"

type adder func(name string, fill, after func(*table))

// kinds adds the rows of an event's type; false for a type without rows.
func (d *Dialect) kinds(o *Options, m Meta, e *node, add adder) bool {
	none := func(*table) {}
	full := func(t *table) {
		if o.StoreFullEvent {
			t.put(Column{d.fold("rudder_event"), d.full, e.raw})
		}
	}
	props := func(t *table) { t.flat("", e.get("properties"), 0) }
	switch e.get("type").text() {
	case "track":
		sent := e.get("event").text()
		cased := d.TableName(sent, o)
		named := func(t *table) {
			t.set("event_text", str(sent))
			t.set("event", str(strings.ToLower(clean(sent, o.UnderscoreDivideNumbers))))
		}
		if !o.SkipTracksTable {
			add("tracks", none, func(t *table) {
				named(t)
				if m.SourceType == "cloud" || m.SourceType == "singer" {
					t.set("record_id", e.get("recordId"))
				}
				full(t)
			})
		}
		if cased != "" {
			add(cased, props, named)
		}
	case "identify":
		traits := func(t *table) {
			t.flat("", e.get("userProperties"), 0)
			if o.AllowUsersContextTraits {
				t.flat("", e.get("context").get("traits"), 0)
			}
			t.flat("", e.get("traits"), 0)
			if i, ok := t.at[d.fold("user_id")]; ok {
				c := t.cols[i]
				t.remove(c.Name)
				t.put(Column{"_" + c.Name, c.Type, c.Raw})
			}
		}
		add("identifies", traits, full)
		if !o.SkipUsersTable && !d.noUsers && strings.TrimSpace(e.get("userId").text()) != "" {
			add("users", traits, func(t *table) {
				for _, s := range []string{"anonymous_id", "user_id", "channel"} {
					t.remove(d.fold(s))
				}
				if d.lake {
					for _, s := range []string{"sent_at", "timestamp", "original_timestamp"} {
						t.remove(d.finish(s, o))
					}
				}
				t.set("id", e.get("userId"))
			})
		}
	case "page", "screen":
		add(e.get("type").text()+"s", props, func(t *table) {
			name := e.get("name")
			if name.text() == "" {
				name = e.get("properties").get("name")
			}
			t.set("name", name)
			full(t)
		})
	case "group":
		add("groups", func(t *table) { t.flat("", e.get("traits"), 0) }, func(t *table) { t.set("group_id", e.get("groupId")); full(t) })
	case "alias":
		add("aliases", func(t *table) { t.flat("", e.get("traits"), 0) }, func(t *table) { t.set("previous_id", e.get("previousId")); full(t) })
	default:
		return false
	}
	return true
}
