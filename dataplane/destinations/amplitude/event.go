package amplitude

import (
	"strconv"
	"strings"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
	"weir/dataplane/destination/fields"
)

// writer writes the events of a request.
type writer struct {
	body.Writer
	events int
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
		w.events++
		w.Open()
		w.Text("user_id", user)
		w.Text("device_id", device)
		w.Text("event_type", event)
		w.Text("insert_id", insert)
		w.Int("time", e.Time().UnixMilli())
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
		w.Close()
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
			w.Name("groups")
			w.Open()
			w.Text(group, value)
			w.Close()
			if event == "$groupidentify" {
				w.Name("group_properties")
				w.Open()
				w.Raw("$set", e.Traits)
				w.Close()
			}
			w.Close()
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
	w.Raw("event_properties", e.Properties)
	w.Raw("user_properties", e.Context.Get("traits"))
	var products []fields.Value
	if a.settings.RevenuePerProduct && ordered(name) {
		products = e.Products()
	}
	if len(products) == 0 {
		revenue := e.Properties.Get("revenue")
		if _, ok := revenue.Number(); !ok && ordered(name) {
			revenue = e.Properties.Get("total")
		}
		w.Number("revenue", revenue)
	}
	w.Close()
	for i, p := range products {
		more(i + 1)
		w.Raw("event_properties", p)
		if _, ok := p.Get("price").Number(); ok { // the revenue is price times quantity
			w.Number("price", p.Get("price"))
			w.Number("quantity", p.Get("quantity"))
			w.Text("productId", fields.First(p.Get("product_id"), p.Get("sku")).Text())
		}
		w.Close()
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
			w.Text("app_version", v.Get("version").Text())
		case "os":
			w.Text("os_name", v.Get("name").Text())
			w.Text("os_version", v.Get("version").Text())
		case "device":
			w.Text("platform", v.Get("type").Text())
			w.Text("device_manufacturer", v.Get("manufacturer").Text())
			w.Text("device_model", v.Get("model").Text())
			w.Text(map[bool]string{true: "idfa", false: "adid"}[strings.EqualFold(v.Get("type").Text(), "ios")], v.Get("advertisingId").Text())
		case "network":
			w.Text("carrier", v.Get("carrier").Text())
		case "location":
			w.Text("country", v.Get("country").Text())
			w.Text("region", v.Get("region").Text())
			w.Text("city", v.Get("city").Text())
			w.Number("location_lat", v.Get("latitude"))
			w.Number("location_lng", v.Get("longitude"))
		case "locale":
			w.Text("language", v.Text())
		case "ip":
			w.Text("ip", v.Text())
		case "userAgent":
			w.Text("user_agent", v.Text())
		case "sessionId":
			w.Number("session_id", v)
		}
	}
}

// actions are the operations on user properties, in the order in which they are written.
var actions = [...]string{"$set", "$setOnce", "$append", "$prepend", "$add"}

// traits writes an object of operations. A trait is in one of them.
func (a *amplitude) traits(w *writer, name string, traits fields.Value) {
	w.Name(name)
	if len(a.actions) == 0 {
		w.Open()
		w.Raw("$set", traits)
		w.Close()
		return
	}
	w.Open()
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
				w.Name(action)
				w.Open()
				begun = true
			}
			if action == "$add" {
				w.Number(trait, v)
			} else {
				w.Raw(trait, v)
			}
		}
		if begun {
			w.Close()
		}
	}
	w.Close()
}
