package googleanalytics4

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weir/dataplane/destination"
	"weir/dataplane/destination/body"
	"weir/dataplane/destination/fields"
)

// recommended are Google's names of events, by their names in lower case with spaces.
// Source: https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference/events
var recommended = map[string]string{
	"products searched":         "search",
	"product list viewed":       "view_item_list",
	"viewed product category":   "view_item_list",
	"promotion viewed":          "view_promotion",
	"viewed promotion":          "view_promotion",
	"promotion clicked":         "select_promotion",
	"clicked promotion":         "select_promotion",
	"product clicked":           "select_item",
	"clicked product":           "select_item",
	"product viewed":            "view_item",
	"viewed product":            "view_item",
	"product added":             "add_to_cart",
	"added product":             "add_to_cart",
	"product removed":           "remove_from_cart",
	"removed product":           "remove_from_cart",
	"product added to wishlist": "add_to_wishlist",
	"cart viewed":               "view_cart",
	"viewed cart":               "view_cart",
	"checkout started":          "begin_checkout",
	"started checkout":          "begin_checkout",
	"payment info entered":      "add_payment_info",
	"entered payment info":      "add_payment_info",
	"order completed":           "purchase",
	"completed order":           "purchase",
	"order refunded":            "refund",
	"refunded order":            "refund",
	"product shared":            "share",
	"cart shared":               "share",
	"signed up":                 "sign_up",
	"signed in":                 "login",
}

// renamed are Google's names of properties, by Google's name of the event.
var renamed = map[string]map[string]string{
	"search":           {"query": "search_term"},
	"view_item_list":   {"list_id": "item_list_id", "category": "item_list_name"},
	"view_promotion":   {"name": "promotion_name", "creative": "creative_name", "position": "creative_slot"},
	"select_promotion": {"name": "promotion_name", "creative": "creative_name", "position": "creative_slot"},
	"add_payment_info": {"payment_method": "payment_type"},
	"purchase":         {"order_id": "transaction_id"},
	"refund":           {"order_id": "transaction_id"},
	"begin_checkout":   {"order_id": "transaction_id"},
	"share":            {"share_via": "method"},
}

// withItems are the events that have items.
var withItems = []string{"view_item_list", "select_item", "view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "view_cart", "begin_checkout", "add_payment_info", "purchase", "refund", "view_promotion", "select_promotion"}

// reservedEvents and reservedTraits are names that Google keeps for itself.
var (
	reservedEvents = []string{"ad_activeview", "ad_click", "ad_exposure", "ad_impression", "ad_query", "adunit_exposure", "app_clear_data", "app_install", "app_update", "app_remove", "error", "first_open", "first_visit",
		"in_app_purchase", "notification_dismiss", "notification_foreground", "notification_open", "notification_receive", "os_update", "screen_view", "session_start", "user_engagement"}
	reservedTraits = []string{"first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install"}
)

// personal are traits that say who a person is.
var personal = []string{"email", "phone", "name", "firstname", "lastname", "first_name", "last_name", "username", "user_name", "address", "street", "birthday", "avatar"}

var appInstance = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)

// integration is what an event says for this destination alone.
func integration(e *fields.Event, name string) fields.Value {
	return e.Integrations.Get("Google Analytics 4", name)
}

// head writes what a request says of the client, up to its events, and returns the
// name of the event. The code says why it is not sent.
func (g *ga4) head(w *body.Writer, it *destination.Item, now time.Time) (name, code string) {
	e := it.Fields()
	traits := e.Context.Get("traits")
	switch it.Event.Type {
	case "track":
		name = eventName(e.Name.Text())
	case "page":
		name = "page_view"
	case "screen":
		name = "screen"
	case "identify":
		name, traits = "identify", e.Traits
	case "group":
		if e.GroupID.Text() == "" {
			return "", CodeNoGroup
		}
		name = "join_group"
	default:
		return "", "unsupported_event"
	}
	user := ""
	if g.settings.SendUserID {
		user = e.UserID.Text()
	}
	w.Open()
	if g.settings.FirebaseAppID != "" {
		id := fields.First(integration(e, "appInstanceId"), e.AnonymousID).Text()
		if !appInstance.MatchString(id) {
			return "", CodeNoClient
		}
		w.Text("app_instance_id", id)
	} else {
		id := fields.First(integration(e, "clientId"), e.AnonymousID).Text()
		if id == "" {
			id = user
		}
		if id == "" {
			return "", CodeNoClient
		}
		w.Text("client_id", id)
	}
	switch {
	case name == "":
		return "", CodeBadName
	case now.Sub(e.Time()) > maxBacklog:
		return "", CodeTooOld
	}
	w.Text("user_id", user)
	if g.traits(w, traits) == 0 && it.Event.Type == "identify" {
		return "", CodeNoTraits
	}
	device(w, e.Context)
	if g.settings.Debug {
		w.Text("validation_behavior", "ENFORCE_RECOMMENDATIONS")
	}
	w.Name("events")
	w.OpenList()
	return name, ""
}

// traits writes the user properties and returns how many they are.
func (g *ga4) traits(w *body.Writer, traits fields.Value) int {
	count := 0
	for name, v := range traits.Members() {
		key := cleanName(name, 24)
		if key == "" || count == maxParams || slices.Contains(personal, strings.ToLower(name)) || slices.Contains(reservedTraits, key) || v.IsObject() || v.IsList() {
			continue
		}
		if count++; count == 1 {
			w.Name("user_properties")
			w.Open()
		}
		w.Name(key)
		w.Open()
		scalar(w, "value", v, 36)
		w.Close()
	}
	if count > 0 {
		w.Close()
	}
	return count
}

// device writes where and on what it happened.
func device(w *body.Writer, c fields.Value) {
	var location, d, os, screen, ip, locale fields.Value
	for name, v := range c.Members() {
		switch name {
		case "location":
			location = v
		case "device":
			d = v
		case "os":
			os = v
		case "screen":
			screen = v
		case "ip":
			ip = v
		case "locale":
			locale = v
		}
	}
	if country := location.Get("country").Text(); len(country) == 2 {
		w.Name("user_location")
		w.Open()
		w.Text("city", location.Get("city").Text())
		w.Text("country_id", strings.ToUpper(country))
		w.Close()
	}
	w.Text("ip_override", ip.Text())
	category, resolution := "", ""
	if t := strings.ToLower(d.Get("type").Text()); t == "ios" || t == "android" {
		category = "mobile"
	}
	if width, height := screen.Get("width").Text(), screen.Get("height").Text(); width != "" && height != "" {
		resolution = width + "x" + height
	}
	begun := false
	for _, member := range [...][2]string{{"category", category}, {"language", locale.Text()}, {"screen_resolution", resolution}, {"operating_system", os.Get("name").Text()},
		{"operating_system_version", os.Get("version").Text()}, {"model", d.Get("model").Text()}, {"brand", fields.First(d.Get("brand"), d.Get("manufacturer")).Text()}} {
		if member[1] == "" {
			continue
		}
		if !begun {
			w.Name("device")
			w.Open()
			begun = true
		}
		w.Text(member[0], member[1])
	}
	if begun {
		w.Close()
	}
}

// eventName is Google's name for an event: 40 letters, digits and underscores at most,
// a letter first; "" for one that it does not take.
func eventName(name string) string {
	lower := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(name), "_", " "))
	if known := recommended[lower]; known != "" {
		return known
	}
	clean := cleanName(strings.ReplaceAll(lower, " ", "_"), 40)
	if slices.Contains(reservedEvents, clean) {
		return ""
	}
	return clean
}

// cleanName makes other characters of a name underscores, and cuts it off; "" for a
// name that does not begin with a letter or is reserved.
func cleanName(name string, most int) string {
	text := name
	if len(name) > most || strings.ContainsFunc(name, odd) {
		out := make([]byte, 0, len(name))
		for i := range len(name) {
			switch c := name[i]; {
			case !odd(rune(c)):
				out = append(out, c)
			case c < utf8.RuneSelf || utf8.RuneStart(c):
				out = append(out, '_') // one for a character of several bytes
			}
		}
		text = string(out[:min(len(out), most)])
	}
	if text == "" || text[0]|0x20 < 'a' || text[0]|0x20 > 'z' || strings.HasPrefix(text, "ga_") || strings.HasPrefix(text, "google_") || strings.HasPrefix(text, "firebase_") {
		return ""
	}
	return text
}

// odd reports whether names have no such character.
func odd(c rune) bool {
	return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_')
}

// scalar writes a member that is a number as it stands, or a text of most characters.
func scalar(w *body.Writer, name string, v fields.Value, most int) {
	if v.IsNumber() {
		w.Raw(name, v)
		return
	}
	if v.IsText() && len(v) > 2 && len(v) <= most {
		w.TextOf(name, v)
		return
	}
	w.Name(name)
	w.String(cut(v.Text(), most))
}

// cut returns the first characters of a text.
func cut(text string, most int) string {
	if len(text) > most {
		if runes := []rune(text); len(runes) > most {
			return string(runes[:most])
		}
	}
	return text
}
