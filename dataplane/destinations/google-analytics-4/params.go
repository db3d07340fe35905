package googleanalytics4

import (
	"regexp"
	"slices"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
	"weir/dataplane/destination/fields"
)

// What the values of parameters may have.
const (
	maxText  = 100
	maxItems = 200
)

// maxLong are the parameters whose texts may be longer.
// Source: https://support.google.com/analytics/answer/9267744
var maxLong = map[string]int{"page_location": 1000, "page_referrer": 420, "page_title": 300}

var currency = regexp.MustCompile(`^[A-Z]{3}$`)

// params are the parameters of an event that is being written.
type params struct {
	*body.Writer
	names []string
}

// add writes a parameter unless it is absent, no scalar, there already, or too much.
func (p *params) add(name string, v fields.Value) {
	if len(v) == 0 || v.IsObject() || v.IsList() || len(p.names) == maxParams || slices.Contains(p.names, name) {
		return
	}
	p.names = append(p.names, name)
	most := maxText
	if long := maxLong[name]; long > 0 {
		most = long
	}
	scalar(p.Writer, name, v, most)
}

// number writes a parameter that is a number.
func (p *params) number(name string, v fields.Value) {
	if _, ok := v.Number(); ok && len(p.names) < maxParams {
		p.names = append(p.names, name)
		p.Number(name, v)
	}
}

// event writes an event.
func (g *ga4) event(w *body.Writer, it *destination.Item, name string) {
	e := it.Fields()
	w.Open()
	w.Text("name", name)
	w.Name("params")
	w.Open()
	p := &params{Writer: w, names: make([]string, 0, maxParams)}
	p.add("session_id", fields.First(e.Properties.Get("session_id"), integration(e, "sessionId"), e.Context.Get("sessionId")))
	p.add("engagement_time_msec", fields.First(e.Properties.Get("engagement_time_msec"), fields.Value("1")))
	page := e.Context.Get("page")
	if it.Event.Type == "page" {
		p.add("page_location", e.Properties.Get("url"))
		p.add("page_title", e.Properties.Get("title"))
		p.add("page_referrer", e.Properties.Get("referrer"))
	}
	p.add("page_location", page.Get("url"))
	p.add("page_title", page.Get("title"))
	p.add("page_referrer", page.Get("referrer"))
	switch it.Event.Type {
	case "group":
		p.add("group_id", e.GroupID)
	case "screen":
		p.add("screen_name", fields.First(e.Name, e.Properties.Get("name")))
		p.rest(e.Properties, func(name string) string { return unless(name, "name") })
	case "page":
		p.add("page_name", e.Name)
		p.rest(e.Properties, func(name string) string { return unless(name, "url", "title", "referrer", "path", "search") })
	case "track":
		p.track(e, name)
	}
	w.Close()
	w.Int("timestamp_micros", e.Time().UnixMicro())
	w.Close()
}

// unless is a name that is none of others.
func unless(name string, others ...string) string {
	if slices.Contains(others, name) {
		return ""
	}
	return name
}

// rest writes the properties that rename gives a name.
func (p *params) rest(properties fields.Value, rename func(string) string) {
	for name, v := range properties.Members() {
		if name = cleanName(rename(name), 40); name != "" {
			p.add(name, v)
		}
	}
}

// track writes the parameters of a track call: those that Google knows of an ecommerce
// event, its items, and then the other properties.
func (p *params) track(e *fields.Event, name string) {
	props := e.Properties
	gone := []string{"products", "session_id", "engagement_time_msec"}
	if slices.Contains(withItems, name) {
		gone = append(gone, "currency", "value", "revenue", "total")
		if text := props.Get("currency"); currency.MatchString(text.Text()) {
			p.add("currency", text)
		}
		products := e.Products()
		single := len(products) == 1 && &products[0][0] == &props[0]
		p.value(name, props, single)
		if single {
			gone = append(gone, "product_id", "sku", "name", "brand", "category", "variant", "price", "quantity", "position")
		}
		p.items(products)
	}
	names := renamed[name]
	p.rest(props, func(name string) string {
		if to := names[name]; to != "" && unless(name, gone...) != "" {
			return to
		}
		return unless(name, gone...)
	})
}

// value writes what an event is worth: of a product, its price times the quantity,
// when nothing else says it.
func (p *params) value(name string, props fields.Value, single bool) {
	all := []fields.Value{props.Get("value"), props.Get("revenue"), props.Get("total")}
	if name == "purchase" || name == "refund" {
		all[0], all[1] = all[1], all[0]
	}
	for _, v := range all {
		if _, ok := v.Number(); ok {
			p.number("value", v)
			return
		}
	}
	if price, ok := props.Get("price").Number(); ok && single {
		quantity, ok := props.Get("quantity").Number()
		if !ok {
			quantity = 1
		}
		p.names = append(p.names, "value")
		p.Float("value", price*quantity)
	}
}

// items writes the products that have an id or a name.
func (p *params) items(products []fields.Value) {
	count := 0
	for _, product := range products {
		id, name := fields.First(product.Get("product_id"), product.Get("sku")), product.Get("name")
		if id.Text() == "" && name.Text() == "" || count == maxItems {
			continue
		}
		if count++; count == 1 {
			p.names = append(p.names, "items")
			p.Name("items")
			p.OpenList()
		}
		p.Open()
		for _, member := range []struct {
			name string
			v    fields.Value
		}{{"item_id", id}, {"item_name", name}, {"affiliation", product.Get("affiliation")}, {"coupon", product.Get("coupon")}, {"item_brand", product.Get("brand")}, {"item_category", product.Get("category")}, {"item_variant", product.Get("variant")}} {
			p.Text(member.name, cut(member.v.Text(), maxText))
		}
		p.Number("discount", product.Get("discount"))
		p.Number("index", product.Get("position"))
		p.Number("price", product.Get("price"))
		p.Number("quantity", product.Get("quantity"))
		p.Close()
	}
	if count > 0 {
		p.CloseList()
	}
}
