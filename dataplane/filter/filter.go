// Package filter decides which events go on: by the rules of a connection, and by the
// names that a destination takes.
//
// It looks at no more of an event than rules ask for, and at that once for all
// connections of its source. It is pure: equal rules and events give equal decisions.
package filter

import (
	"encoding/json"

	"weir/dataplane/event"
	"weir/shared/fault"
	"weir/shared/filter"
)

// Codes of events that do not go on.
const (
	CodeFiltered = "event_filtered"  // dropped: by its name, or the expression is false
	CodeConsent  = "consent_missing" // dropped: the user did not consent to what the connection requires
	CodeFailed   = "filter_failed"   // quarantined: the expression has no answer for it
)

// Filter is the compiled rules of one connection. It is immutable and safe for
// concurrent use.
type Filter struct {
	names      *filter.Names
	consent    *filter.Consent
	expression *filter.Expression
}

// New compiles rules that were checked; nil when they take every event. with compiles
// the expressions of one workspace.
func New(r filter.Rules, with *filter.Compiler) (*Filter, *fault.Problem) {
	f := Filter{consent: r.Consent}
	if r.Events != nil {
		f.names = r.Events.Names()
	}
	if r.Filter != "" {
		var problem *fault.Problem
		if f.expression, problem = with.Compile(r.Filter); problem != nil {
			return nil, problem
		}
	}
	if f == (Filter{}) {
		return nil, nil
	}
	return &f, nil
}

// Judge returns the code for which an event does not go on, "" when it does.
func (f *Filter) Judge(v *View) (code string) {
	if !f.names.Admits(v.event.Type, v.Name()) {
		return CodeFiltered
	}
	if f.consent != nil {
		if g := v.consent(); g != nil && !f.consent.Permits(g) {
			return CodeConsent
		}
	}
	if f.expression == nil {
		return ""
	}
	switch holds, err := f.expression.Holds(v.members(f.expression.Members)); {
	case err != nil:
		return CodeFailed
	case !holds:
		return CodeFiltered
	}
	return ""
}

// View is one event as filters look at it. It keeps what one of them has read for the
// next. It is for one goroutine.
type View struct {
	event *event.Event
	name  *string
	given *filter.Given
	asked bool // given is read
	read  map[string]any
	whole bool // read has every member
}

// Of makes v the view of e, unless it is that already.
func (v *View) Of(e *event.Event) *View {
	if v.event != e {
		*v = View{event: e}
	}
	return v
}

// Name returns the event of a track call and the name of a page or screen; "" where it
// has none.
func (v *View) Name() string {
	if v.name == nil {
		name := NameOf(v.event)
		v.name = &name
	}
	return *v.name
}

// NameOf is View.Name without a View.
func NameOf(e *event.Event) string {
	member := "name"
	switch e.Type {
	case "track":
		member = "event"
	case "page", "screen":
	default:
		return ""
	}
	for key, value := range event.Fields(e.JSON) {
		if string(key) == member {
			return event.Text(value)
		}
	}
	return ""
}

// consent reads what the event says of consent; nil: nothing.
func (v *View) consent() *filter.Given {
	if !v.asked {
		v.asked, v.given = true, given(member(v.event.JSON, "context"))
	}
	return v.given
}

// given reads the consent of an event's context: what Segment's SDKs write into consent,
// and RudderStack's into consentManagement.
// Sources: https://segment.com/docs/privacy/consent-management/consent-in-segment-connections/,
// https://www.rudderstack.com/docs/data-governance/consent-management/passing-consent/
func given(context []byte) *filter.Given {
	var g filter.Given
	for key, value := range event.Fields(context) {
		switch string(key) {
		case "consent":
			preferences := member(value, "categoryPreferences")
			if len(preferences) == 0 || preferences[0] != '{' {
				continue
			}
			g.Preferences = map[string]bool{}
			for name, stated := range event.Fields(preferences) {
				g.Preferences[string(name)] = stated[0] == 't'
			}
		case "consentManagement":
			g.Allowed, g.Lists = texts(member(value, "allowedConsentIds"))
			g.Denied, _ = texts(member(value, "deniedConsentIds"))
		}
	}
	if g.Preferences == nil && !g.Lists && len(g.Denied) == 0 {
		return nil
	}
	return &g
}

// member returns a member of an object as it stands, the last of several; nil: there is
// none.
func member(object []byte, name string) (found []byte) {
	for key, value := range event.Fields(object) {
		if string(key) == name {
			found = value
		}
	}
	return found
}

// texts reads the texts of a list. ok: it is one.
func texts(list []byte) (all []string, ok bool) {
	if len(list) == 0 || list[0] != '[' {
		return nil, false
	}
	var values []any
	if json.Unmarshal(list, &values) != nil {
		return nil, false
	}
	for _, value := range values {
		if text, is := value.(string); is {
			all = append(all, text)
		}
	}
	return all, true
}

// members decodes these members of the event; nil: all of them. There may be others too.
func (v *View) members(names []string) map[string]any {
	if v.whole {
		return v.read
	}
	if v.read == nil {
		v.read = map[string]any{}
	}
	for key, value := range event.Fields(v.event.JSON) {
		if _, there := v.read[string(key)]; there || names != nil && !has(names, key) {
			continue
		}
		var decoded any
		if json.Unmarshal(value, &decoded) == nil {
			v.read[string(key)] = decoded
		}
	}
	v.whole = names == nil
	return v.read
}

func has(names []string, key []byte) bool {
	for _, name := range names {
		if name == string(key) {
			return true
		}
	}
	return false
}
