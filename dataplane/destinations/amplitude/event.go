package amplitude

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
)

// writer writes the events of a request.
type writer struct {
	buf    []byte
	events int
	first  bool // no member of the object was written
}

func (w *writer) open() {
	w.buf, w.first = append(w.buf, '{'), true
}

func (w *writer) name(name string) {
	if !w.first {
		w.buf = append(w.buf, ',')
	}
	w.first = false
	w.quote(name)
	w.buf = append(w.buf, ':')
}

func (w *writer) quote(text string) {
	w.buf, _ = jsontext.AppendQuote(w.buf, text) // Value.Text and messageIds are UTF-8
}

// text writes a member unless it is empty.
func (w *writer) text(name, text string) {
	if text != "" {
		w.name(name)
		w.quote(text)
	}
}

// raw writes a member as it stands in the event, unless it is absent.
func (w *writer) raw(name string, v fields.Value) {
	if len(v) > 0 {
		w.name(name)
		w.buf = append(w.buf, v...)
	}
}

// number writes a member unless it is no number; a text that holds one is.
func (w *writer) number(name string, v fields.Value) {
	n, ok := v.Number()
	switch {
	case v.IsNumber():
		w.raw(name, v)
	case ok:
		w.float(name, n)
	}
}

func (w *writer) float(name string, n float64) {
	w.name(name)
	w.buf = strconv.AppendFloat(w.buf, n, 'f', -1, 64)
}

// add adds the events for one item. The code says why there are none.
func (a *amplitude) add(w *writer, it *destination.Item) (code string) {
	e := it.Fields()
	device := fields.First(e.Context.Get("device", "id"), e.AnonymousID).Text()
	if strings.Trim(device, "0-") == "" {
		device = "" // Amplitude refuses device ids of zeros alone
	}
	user := e.UserID.Text()
	if user == "" && device == "" {
		return CodeNoIdentity
	}
	head := func(insert, event string) {
		if w.events++; w.events > 1 {
			w.buf = append(w.buf, ',')
		}
		w.open()
		w.text("user_id", user)
		w.text("device_id", device)
		w.text("event_type", event)
		w.text("insert_id", insert)
		w.name("time")
		w.buf = strconv.AppendInt(w.buf, e.Time().UnixMilli(), 10)
		a.device(w, e)
	}
	id := string(it.Event.MessageID)
	switch it.Event.Type {
	case "track", "page", "screen":
		name := eventName(it.Event.Type, e)
		if name == "" {
			return CodeNoEvent
		}
		head(id, name)
		a.track(w, e, name, func(n int) { head(id+"-"+strconv.Itoa(n), "Product Purchased") })
	case "identify":
		head(id, "$identify")
		a.traits(w, "user_properties", e.Traits)
		w.buf = append(w.buf, '}')
	case "group":
		group, value := a.group(e)
		if value == "" {
			return CodeNoGroup
		}
		for _, event := range []string{"$identify", "$groupidentify"} {
			if event == "$groupidentify" && len(e.Traits) == 0 {
				break // nothing is to be set
			}
			head(id+event, event)
			w.name("groups")
			w.open()
			w.text(group, value)
			w.buf, w.first = append(w.buf, '}'), false
			if event == "$groupidentify" {
				w.name("group_properties")
				w.open()
				w.raw("$set", e.Traits)
				w.buf = append(w.buf, '}')
			}
			w.buf = append(w.buf, '}')
		}
	default:
		return "unsupported_event"
	}
	return ""
}

// group is the type of a group call's group, and which one it is.
func (a *amplitude) group(e *fields.Event) (group, value string) {
	group, value = "group", e.GroupID.Text()
	for trait, to := range map[string]*string{a.settings.GroupTypeTrait: &group, a.settings.GroupValueTrait: &value} {
		if text := e.Traits.Get(trait).Text(); trait != "" && text != "" {
			*to = text
		}
	}
	return group, value
}

// eventName is what Amplitude shows of a track, page or screen call.
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

// track writes what follows the head of an event, and ends it; more begins that of an
// event for a product.
func (a *amplitude) track(w *writer, e *fields.Event, name string, more func(n int)) {
	w.raw("event_properties", e.Properties)
	w.raw("user_properties", e.Context.Get("traits"))
	var products []fields.Value
	if a.settings.RevenuePerProduct && ordered(name) {
		products = e.Products()
	}
	if len(products) == 0 {
		revenue := e.Properties.Get("revenue")
		if _, ok := revenue.Number(); !ok && ordered(name) {
			revenue = e.Properties.Get("total")
		}
		w.number("revenue", revenue)
	}
	w.buf = append(w.buf, '}')
	for i, p := range products {
		more(i + 1)
		w.raw("event_properties", p)
		if _, ok := p.Get("price").Number(); ok { // the revenue is price times quantity
			w.number("price", p.Get("price"))
			w.number("quantity", p.Get("quantity"))
			w.text("productId", fields.First(p.Get("product_id"), p.Get("sku")).Text())
		}
		w.buf = append(w.buf, '}')
	}
}

// device writes what the context says of where the event happened.
func (a *amplitude) device(w *writer, e *fields.Event) {
	c := e.Context
	if len(c) == 0 {
		return
	}
	for name, v := range c.Members() {
		switch name {
		case "app":
			w.text("app_version", v.Get("version").Text())
		case "os":
			w.text("os_name", v.Get("name").Text())
			w.text("os_version", v.Get("version").Text())
		case "device":
			w.text("platform", v.Get("type").Text())
			w.text("device_manufacturer", v.Get("manufacturer").Text())
			w.text("device_model", v.Get("model").Text())
			w.text(map[bool]string{true: "idfa", false: "adid"}[strings.EqualFold(v.Get("type").Text(), "ios")], v.Get("advertisingId").Text())
		case "network":
			w.text("carrier", v.Get("carrier").Text())
		case "location":
			w.text("country", v.Get("country").Text())
			w.text("region", v.Get("region").Text())
			w.text("city", v.Get("city").Text())
			w.number("location_lat", v.Get("latitude"))
			w.number("location_lng", v.Get("longitude"))
		case "locale":
			w.text("language", v.Text())
		case "ip":
			w.text("ip", v.Text())
		case "userAgent":
			w.text("user_agent", v.Text())
		case "sessionId":
			w.number("session_id", v)
		}
	}
}

// actions are the operations on user properties, in the order in which they are written.
var actions = [...]string{"$set", "$setOnce", "$append", "$prepend", "$add"}

// traits writes an object of operations. A trait is in one of them.
func (a *amplitude) traits(w *writer, name string, traits fields.Value) {
	w.name(name)
	if len(a.actions) == 0 {
		w.open()
		w.raw("$set", traits)
		w.buf, w.first = append(w.buf, '}'), false
		return
	}
	w.open()
	for _, action := range actions {
		begun := false
		for trait, v := range traits.Members() {
			of := a.actions[trait]
			if of == "" {
				of = "$set"
			}
			if of != action {
				continue
			}
			if !begun {
				w.name(action)
				w.open()
				begun = true
			}
			if action == "$add" {
				w.number(trait, v)
			} else {
				w.raw(trait, v)
			}
		}
		if begun {
			w.buf, w.first = append(w.buf, '}'), false
		}
	}
	w.buf, w.first = append(w.buf, '}'), false
}
