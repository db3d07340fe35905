package mixpanel

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
	"weir/dataplane/destination/fields"
)

// record is what one item is in a request.
type record struct {
	endpoint string
	parts    int
	write    func(*body.Writer)
}

// record reads an item. The code says why there is no record.
func (m *mixpanel) record(it *destination.Item, now time.Time) (r record, code string) {
	e := it.Fields()
	switch typ := it.Event.Type; typ {
	case "track", "page", "screen":
		name := eventName(typ, e)
		if name == "" {
			return record{}, CodeNoEvent
		}
		if at := e.Time(); at.Year() < 1971 || at.After(now.Add(time.Hour)) {
			return record{}, CodeBadTime
		}
		return record{events, 1, func(w *body.Writer) { m.event(w, it, name) }}, ""
	case "identify":
		user := identity(e.UserID)
		if user == "" {
			return record{}, CodeNoUser
		}
		return record{users, m.updates(nil, e, user), func(w *body.Writer) { m.updates(w, e, user) }}, ""
	case "group":
		key, id := m.group(e)
		if id == "" {
			return record{}, CodeNoGroup
		}
		user := identity(e.UserID)
		if user == "" {
			return record{groups, 1, func(w *body.Writer) { m.profile(w, e, key, id) }}, ""
		}
		return record{users, 1, func(w *body.Writer) {
			m.update(w, e, user, "$union")
			w.Name(key)
			w.OpenList()
			w.String(id)
			w.CloseList()
			w.Close()
			w.Close()
		}}, ""
	case "alias":
		if !m.original {
			return record{}, "unsupported_event" // the Simplified API merges no users
		}
		from, to := identity(e.PreviousID), identity(e.UserID)
		if from == "" || to == "" {
			return record{}, CodeNoAlias
		}
		return record{events, 1, func(w *body.Writer) {
			m.special(w, it, "$merge", to)
			w.Name("$distinct_ids")
			w.OpenList()
			w.String(from)
			w.String(to)
			w.CloseList()
			w.Close()
			w.Close()
		}}, ""
	}
	return record{}, "unsupported_event"
}

// first is what has to be written before the record of an item; without a key, nothing.
func (m *mixpanel) first(it *destination.Item) (endpoint, key string, write func(*body.Writer)) {
	e := it.Fields()
	user := identity(e.UserID)
	switch it.Event.Type {
	case "identify":
		if device := identity(e.AnonymousID); m.original && user != "" && device != "" && device != user {
			return events, "link " + device + " " + user, func(w *body.Writer) {
				m.special(w, it, "$identify", user)
				w.Text("$identified_id", user)
				w.Text("$anon_id", device)
				w.Close()
				w.Close()
			}
		}
	case "group":
		if key, id := m.group(e); id != "" && user != "" && len(e.Traits) > 0 {
			return groups, "group " + string(it.Event.MessageID), func(w *body.Writer) { m.profile(w, e, key, id) }
		}
	}
	return "", "", nil
}

// noIdentity are the values of distinct_id and $insert_id that Mixpanel refuses.
var noIdentity = []string{"00000000-0000-0000-0000-000000000000", "anon", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "<nil>", "0", "-1", "true", "false", "[]", "{}"}

// identity is the text of an id, "" for one that Mixpanel refuses.
func identity(v fields.Value) string {
	text := v.Text()
	if text == "" || len(text) <= 36 && slices.Contains(noIdentity, strings.ToLower(text)) {
		return ""
	}
	return text
}

// insertID is the messageId, or what stands for one that Mixpanel does not take: it
// has 36 characters at most, of letters, digits and hyphens.
func insertID(messageID string) string {
	good := len(messageID) > 0 && len(messageID) <= 36 && !slices.Contains(noIdentity, strings.ToLower(messageID))
	for i := 0; i < len(messageID) && good; i++ {
		c := messageID[i]
		good = c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
	if good {
		return messageID
	}
	sum := sha256.Sum256([]byte(messageID))
	return hex.EncodeToString(sum[:])[:36]
}

// eventName is what Mixpanel shows of a track, page or screen call.
func eventName(typ string, e *fields.Event) string {
	name := e.Name.Text()
	if typ == "track" {
		return name
	}
	what := map[string]string{"page": "Page", "screen": "Screen"}[typ]
	if name == "" {
		name = e.Properties.Get("name").Text()
	}
	if name == "" {
		return "Loaded a " + what
	}
	if category := fields.First(e.Category, e.Properties.Get("category")).Text(); category != "" {
		name = category + " " + name
	}
	return "Viewed " + name + " " + what
}

// head begins an event, and its properties.
func (m *mixpanel) head(w *body.Writer, it *destination.Item, name, user string) {
	w.Open()
	w.Text("event", name)
	w.Name("properties")
	w.Open()
	w.Int("time", it.Fields().Time().UnixMilli())
	w.Name("distinct_id")
	w.String(user)
	w.Text("$insert_id", insertID(string(it.Event.MessageID)))
}

// special begins an event that tells Mixpanel something about identities.
func (m *mixpanel) special(w *body.Writer, it *destination.Item, name, user string) {
	m.head(w, it, name, user)
	w.Text("token", m.settings.Token)
}

// event writes an event. One of nobody has an empty distinct_id.
func (m *mixpanel) event(w *body.Writer, it *destination.Item, name string) {
	e := it.Fields()
	user, device := identity(e.UserID), identity(e.AnonymousID)
	id := user
	switch {
	case user == "" && (m.original || device == ""):
		id = device
	case user == "":
		id = "$device:" + device
	}
	m.head(w, it, name, id)
	if !m.original {
		w.Text("$device_id", device)
		w.Text("$user_id", user)
	}
	m.context(w, e)
	w.Except(e.Properties, "time", "distinct_id", "$insert_id", "$device_id", "$user_id", "token", "ip") // what the event itself says counts
	w.Close()
	w.Close()
}

// defaults are Mixpanel's own properties, by where they stand in the context.
// Source: https://docs.mixpanel.com/docs/data-structure/property-reference/default-properties
var defaults = map[string]struct{ from, to []string }{
	"page":     {[]string{"url", "referrer", "referring_domain"}, []string{"$current_url", "$referrer", "$referring_domain"}},
	"os":       {[]string{"name", "version"}, []string{"$os", "$os_version"}},
	"device":   {[]string{"manufacturer", "brand", "model"}, []string{"$manufacturer", "$brand", "$model"}},
	"app":      {[]string{"version", "build"}, []string{"$app_version_string", "$app_build_number"}},
	"network":  {[]string{"carrier", "wifi", "bluetooth"}, []string{"$carrier", "$wifi", "$bluetooth_enabled"}},
	"screen":   {[]string{"width", "height", "density"}, []string{"$screen_width", "$screen_height", "$screen_dpi"}},
	"campaign": {[]string{"source", "medium", "name", "term", "content"}, []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}},
	"location": {[]string{"city", "region"}, []string{"$city", "$region"}},
	"library":  {[]string{"name", "version"}, []string{"mp_lib", "$lib_version"}},
}

// mostDefaults is how many properties one of defaults has at most.
const mostDefaults = 5

// hasDefaults reports whether properties may have one of defaults, by how their names begin.
func hasDefaults(properties fields.Value) (some bool) {
	properties.Scan(func(key, _ fields.Value) bool {
		name := string(key[1 : len(key)-1])
		some = strings.HasPrefix(name, "$") || strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "mp_") || strings.Contains(name, `\`)
		return !some
	})
	return some
}

// context writes what the context says, as Mixpanel's own properties. Those that the
// event has itself count before them. Without an ip, the place is unknown.
func (m *mixpanel) context(w *body.Writer, e *fields.Event) {
	if ip := e.Context.Get("ip"); ip.Text() != "" {
		w.TextOf("ip", ip)
	} else {
		w.Int("ip", 0)
	}
	if len(m.settings.GroupKeys) > 0 {
		if key := m.settings.GroupKeys[0]; len(e.Properties.Get(key)) == 0 {
			w.Text(key, e.Context.Get("groupId").Text())
		}
	}
	own := hasDefaults(e.Properties)
	var found [mostDefaults]fields.Value
	e.Context.Scan(func(key, object fields.Value) bool {
		of, known := defaults[string(key[1:len(key)-1])]
		if !known {
			of = defaults[key.Text()]
		}
		values := found[:len(of.from)]
		object.Pick(of.from, values)
		for i, v := range values {
			if v = fields.First(v); v != nil && (!own || len(e.Properties.Get(of.to[i])) == 0) {
				w.Raw(of.to[i], v)
			}
		}
		return true
	})
}

// group is a group call's key and which group it is; "" when it does not say.
func (m *mixpanel) group(e *fields.Event) (key, id string) {
	for _, key := range m.settings.GroupKeys {
		if id := e.Traits.Get(key).Text(); id != "" {
			return key, id
		}
	}
	if len(m.settings.GroupKeys) > 0 {
		return m.settings.GroupKeys[0], e.GroupID.Text()
	}
	return "", ""
}

// profile writes the update of a group's profile.
func (m *mixpanel) profile(w *body.Writer, e *fields.Event, key, id string) {
	w.Open()
	w.Text("$token", m.settings.Token)
	w.Text("$group_key", key)
	w.Text("$group_id", id)
	w.Name("$set")
	w.Open()
	w.Members(e.Traits, func(name string) string {
		if name == key {
			return ""
		}
		return reserved(name)
	})
	w.Close()
	w.Close()
}

// reserved is what Mixpanel calls a trait that it knows.
// Source: https://docs.mixpanel.com/docs/data-structure/property-reference/reserved-properties
func reserved(trait string) string {
	switch trait {
	case "email", "name", "phone", "avatar":
		return "$" + trait
	case "firstName", "first_name", "firstname":
		return "$first_name"
	case "lastName", "last_name", "lastname":
		return "$last_name"
	case "createdAt", "created_at":
		return "$created"
	}
	return trait
}

// actions are the operations on a profile, in the order in which they are written.
var actions = [...]string{"$set", "$set_once", "$add", "$union", "$append"}

// updates writes the updates of a user's profile, one for each operation, and returns
// how many they are; without a writer, it counts them.
func (m *mixpanel) updates(w *body.Writer, e *fields.Event, user string) int {
	count := 0
	for _, action := range actions {
		begun := false
		for trait, v := range e.Traits.Members() {
			of := m.actions[trait]
			if of == "" {
				of = "$set"
			}
			if _, ok := v.Number(); of != action || trait == "" || of == "$add" && !ok {
				continue
			}
			if !begun {
				m.update(w, e, user, action)
				begun = true
			}
			if w != nil {
				value(w, action, reserved(trait), v)
			}
		}
		if begun {
			count++
			if w != nil {
				w.Close()
				w.Close()
			}
		}
	}
	if count == 0 { // an empty object makes a profile
		if w != nil {
			m.update(w, e, user, "$set")
			w.Close()
			w.Close()
		}
		count = 1
	}
	return count
}

// update begins the update of a user's profile, and the object of its operation.
func (m *mixpanel) update(w *body.Writer, e *fields.Event, user, action string) {
	if w == nil {
		return
	}
	w.Open()
	w.Text("$token", m.settings.Token)
	w.Text("$distinct_id", user)
	w.Text("$ip", e.Context.Get("ip").Text())
	w.Name(action)
	w.Open()
}

// value writes the member of an operation.
func value(w *body.Writer, action, name string, v fields.Value) {
	switch {
	case action == "$add":
		w.Number(name, v)
	case action == "$union" && !v.IsList():
		w.Name(name)
		w.OpenList()
		w.Value(v)
		w.CloseList()
	default:
		w.Raw(name, v)
	}
}
