package fields

import (
	"strings"
	"time"
)

// Event is the fields that events have in common. Each is as it was sent.
type Event struct {
	UserID, AnonymousID, PreviousID, GroupID Value
	Name                                     Value // event of a track call, name of a page or screen
	Category                                 Value
	Properties, Traits, Context              Value
	Integrations                             Value

	timestamp Value
	received  time.Time
}

// Read finds the fields of an event. received is its time when it has none.
func Read(json []byte, received time.Time) *Event {
	e := &Event{received: received}
	event, name := Value(nil), Value(nil)
	Value(json[space(json, 0):]).Scan(func(key, v Value) bool {
		switch string(key[1 : len(key)-1]) {
		case "userId":
			e.UserID = v
		case "anonymousId":
			e.AnonymousID = v
		case "previousId":
			e.PreviousID = v
		case "groupId":
			e.GroupID = v
		case "event":
			event = v
		case "name":
			name = v
		case "category":
			e.Category = v
		case "properties":
			e.Properties = v
		case "traits":
			e.Traits = v
		case "context":
			e.Context = v
		case "integrations":
			e.Integrations = v
		case "timestamp":
			e.timestamp = v
		}
		return true
	})
	e.Name = First(event, name)
	return e
}

// First returns the first value that is there and no empty text.
func First(all ...Value) Value {
	for _, v := range all {
		if len(v) > 0 && string(v) != `""` {
			return v
		}
	}
	return nil
}

// Time is when it happened, in UTC; when it was received, if that is not said.
func (e *Event) Time() time.Time {
	if at, err := time.Parse(time.RFC3339Nano, e.timestamp.Text()); err == nil {
		return at.UTC()
	}
	return e.received
}

// Trait is a trait of the user: of an identify call its own, else that of the context.
func (e *Event) Trait(name string) Value {
	return First(e.Traits.Get(name), e.Context.Get("traits", name))
}

// Email is the user's address: a trait, the property email, or a userId that is one.
func (e *Event) Email() string {
	if text := First(e.Trait("email"), e.Properties.Get("email")).Text(); text != "" {
		return text
	}
	if text := e.UserID.Text(); strings.Contains(text, "@") {
		return text
	}
	return ""
}

// Products are the products of an ecommerce event: the objects of the list
// properties.products, or the properties themselves when they name one product.
func (e *Event) Products() []Value {
	var all []Value
	for p := range e.Properties.Get("products").Elements() {
		if p.IsObject() {
			all = append(all, p)
		}
	}
	if all == nil && First(e.Properties.Get("product_id"), e.Properties.Get("sku")) != nil {
		all = []Value{e.Properties}
	}
	return all
}
