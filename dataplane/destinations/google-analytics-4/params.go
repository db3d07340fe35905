package googleanalytics4

import (
	"slices"
	"strings"

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

// currency reports whether a text is a code of ISO 4217: three capital letters.
func currency(text string) bool {
	return len(text) == 3 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// params are the parameters of an event that is being written.
type params struct {
	*body.Writer
	names []string
	of    [11]fields.Value // what is asked of the properties
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

// ofPage are the members of a page.
var ofPage = []string{"url", "title", "referrer"}

// asked are the properties that are asked for by name, besides those of a page.
var asked = []string{"session_id", "engagement_time_msec", "currency", "value", "revenue", "total", "price", "quantity", "products", "product_id", "sku"}

// The places of asked.
const (
	session = iota
	engagement
	currencyCode
	worth
	revenue
	total
	price
	quantity
	list
	productID
	sku
)

// products are those of an ecommerce event, see fields.Event.Products; single: it is the
// properties themselves.
func (p *params) products(properties fields.Value) (all []fields.Value, single bool) {
	for product := range p.of[list].Elements() {
		if product.IsObject() {
			all = append(all, product)
		}
	}
	if all == nil && fields.First(p.of[productID], p.of[sku]) != nil {
		return []fields.Value{properties}, true
	}
	return all, false
}

// event writes an event.
func (g *ga4) event(w *body.Writer, it *destination.Item, name string) {
	e := it.Fields()
	w.Open()
	w.Text("name", name)
	w.Name("params")
	w.Open()
	p := &params{Writer: w, names: make([]string, 0, maxParams)}
	e.Properties.Pick(asked, p.of[:])
	p.add("session_id", fields.First(p.of[session], integration(e, "sessionId"), e.Context.Get("sessionId")))
	p.add("engagement_time_msec", fields.First(p.of[engagement], fields.Value("1")))
	page := e.Context.Get("page")
	if it.Event.Type == "page" {
		p.add("page_location", e.Properties.Get("url"))
		p.add("page_title", e.Properties.Get("title"))
		p.add("page_referrer", e.Properties.Get("referrer"))
	}
	var of [3]fields.Value
	page.Pick(ofPage, of[:])
	p.add("page_location", of[0])
	p.add("page_title", of[1])
	p.add("page_referrer", of[2])
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
		if text := p.of[currencyCode]; currency(text.Text()) {
			p.add("currency", text)
		}
		products, single := p.products(props)
		p.value(name, single)
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
func (p *params) value(name string, single bool) {
	all := [...]fields.Value{p.of[worth], p.of[revenue], p.of[total]}
	if name == "purchase" || name == "refund" {
		all[0], all[1] = all[1], all[0]
	}
	for _, v := range all {
		if _, ok := v.Number(); ok {
			p.number("value", v)
			return
		}
	}
	if price, ok := p.of[price].Number(); ok && single {
		quantity, ok := p.of[quantity].Number()
		if !ok {
			quantity = 1
		}
		p.names = append(p.names, "value")
		p.Float("value", price*quantity)
	}
}

// members are what an item is made of: numbers, texts, and where its id and name stand.
var members = []string{"discount", "position", "price", "quantity", "affiliation", "coupon", "brand", "category", "variant", "product_id", "sku", "name"}

// items writes the products that have an id or a name.
func (p *params) items(products []fields.Value) {
	count := 0
	var m [12]fields.Value
	for _, product := range products {
		product.Pick(members, m[:])
		id, name := fields.First(m[9], m[10]), m[11]
		if id.Text() == "" && name.Text() == "" || count == maxItems {
			continue
		}
		if count++; count == 1 {
			p.names = append(p.names, "items")
			p.Name("items")
			p.OpenList()
		}
		p.Open()
		for i, v := range [...]fields.Value{id, name, m[4], m[5], m[6], m[7], m[8]} {
			p.short([...]string{"item_id", "item_name", "affiliation", "coupon", "item_brand", "item_category", "item_variant"}[i], v)
		}
		for i, name := range [...]string{"discount", "index", "price", "quantity"} {
			p.Number(name, m[i])
		}
		p.Close()
	}
	if count > 0 {
		p.CloseList()
	}
}

// short writes a member that is a text of maxText characters at most, unless it is empty.
func (p *params) short(name string, v fields.Value) {
	if len(v) <= maxText {
		p.TextOf(name, v)
		return
	}
	p.Text(name, cut(v.Text(), maxText))
}
