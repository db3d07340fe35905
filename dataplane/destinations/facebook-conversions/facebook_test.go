package facebook_test

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

type event struct {
	Name     string   `json:"event_name"`
	Time     int64    `json:"event_time"`
	ID       string   `json:"event_id"`
	URL      string   `json:"event_source_url"`
	Referrer string   `json:"referrer_url"`
	Source   string   `json:"action_source"`
	User     user     `json:"user_data"`
	Custom   custom   `json:"custom_data"`
	App      *app     `json:"app_data"`
	Options  []string `json:"data_processing_options"`
	Country  *int     `json:"data_processing_options_country"`
	State    *int     `json:"data_processing_options_state"`
}

type user struct {
	hashes
	IP           string `json:"client_ip_address"`
	Agent        string `json:"client_user_agent"`
	Click        string `json:"fbc"`
	Browser      string `json:"fbp"`
	Subscription string `json:"subscription_id"`
	Lead         any    `json:"lead_id"`
	Mobile       string `json:"madid"`
}

type hashes struct {
	Email    []string `json:"em"`
	Phone    []string `json:"ph"`
	First    []string `json:"fn"`
	Last     []string `json:"ln"`
	Gender   []string `json:"ge"`
	Birth    []string `json:"db"`
	City     []string `json:"ct"`
	State    []string `json:"st"`
	Zip      []string `json:"zp"`
	Country  []string `json:"country"`
	External []string `json:"external_id"`
}

type custom struct {
	Value    *float64 `json:"value"`
	Currency string   `json:"currency"`
	Order    string   `json:"order_id"`
	IDs      []string `json:"content_ids"`
	Contents []struct {
		ID       string   `json:"id"`
		Quantity int      `json:"quantity"`
		Price    *float64 `json:"item_price"`
	} `json:"contents"`
	Type     string `json:"content_type"`
	Name     string `json:"content_name"`
	Category string `json:"content_category"`
	Items    *int   `json:"num_items"`
	Search   string `json:"search_string"`
	Status   any    `json:"status"`
}

type app struct {
	Advertiser  *bool    `json:"advertiser_tracking_enabled"`
	Application *bool    `json:"application_tracking_enabled"`
	Info        []string `json:"extinfo"`
}

func (h hashes) all() (all []string) {
	for _, of := range [][]string{h.Email, h.Phone, h.First, h.Last, h.Gender, h.Birth, h.City, h.State, h.Zip, h.Country, h.External} {
		all = append(all, of...)
	}
	return all
}

// known reports whether Meta takes the parameters for enough: a browser, a gender, or parts of an
// address alone are not.
func (u user) known() bool {
	return len(u.Email)+len(u.Phone)+len(u.External) > 0 || u.Click+u.Browser+u.Subscription+u.Mobile != "" || u.Lead != nil || u.IP != "" && u.Agent != "" ||
		len(u.First) > 0 && len(u.Last) > 0 && len(u.Zip)+len(u.City)+len(u.Birth) > 0
}

// problem is what Meta says of an event that it refuses, with the whole request.
func (e event) problem() string {
	age := destinationtest.Now().Sub(time.Unix(e.Time, 0))
	oldest := 7 * 24 * time.Hour
	if e.Source == "physical_store" {
		oldest = 62 * 24 * time.Hour
	}
	switch {
	case e.Name == "" || e.Source == "":
		return "Missing event_name or action_source"
	case age > oldest || age < -time.Hour:
		return "Event Timestamp Too Old or in the future"
	case !e.User.known():
		return "Not enough customer information parameters"
	case !destinationtest.Hashed(e.User.all()...):
		return "Customer information has to be hashed"
	case e.Name == "Purchase" && (e.Custom.Value == nil || len(e.Custom.Currency) != 3):
		return "Missing value or currency of a purchase"
	case e.Custom.Items != nil && e.Name != "InitiateCheckout":
		return "num_items is one of InitiateCheckout alone"
	case e.Source == "app" && (e.App == nil || e.App.Advertiser == nil || e.App.Application == nil || len(e.App.Info) != 16):
		return "Missing app_data of an app"
	}
	return ""
}

// standIn is the Conversions API as its pages describe it.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		var in struct {
			Data []event `json:"data"`
			Test string  `json:"test_event_code"`
		}
		refusal := func(status, code int, message string) (int, string) {
			return status, fmt.Sprintf(`{"error":{"message":"(#%d) %s","type":"OAuthException","code":%d,"error_user_msg":%q,"fbtrace_id":"A"}}`, code, message, code, message)
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v26.0/77/events":
			return refusal(400, 100, "Unsupported request")
		case r.URL.Query().Get("access_token") != "made-up-meta-token":
			return refusal(400, 190, "Invalid OAuth access token")
		case strings.Contains(string(body), "loud"):
			return refusal(400, 80004, "There have been too many calls to this ad-account")
		case strings.Contains(string(body), "down"):
			return 500, `{"error":{"message":"An unexpected error","code":2,"is_transient":true}}`
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return refusal(400, 100, err.Error())
		}
		if len(in.Data) == 0 || len(in.Data) > 1000 {
			return refusal(400, 100, "Between 1 and 1000 events")
		}
		for _, e := range in.Data {
			if p := e.problem(); p != "" {
				return refusal(400, 100, p)
			}
		}
		return 200, fmt.Sprintf(`{"events_received":%d,"messages":[],"fbtrace_id":"A"}`, len(in.Data))
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfMeta(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, pixel := map[string]string{"accessToken": "made-up-meta-token"}, `"pixelId":"77"`
	email, plain := `"email":"ada@example.com"`, track(1, "E", `"email":"ada@example.com"`, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: pixel, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":3,"products":[{"sku":"s"}]`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"a purchase without a value":    {Settings: pixel, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, "")}, Want: []string{"delivered", "dead facebook_conversions_refused"}, Statuses: []int{400, 200, 400}},
		"what is told as hashed is not": {Settings: pixel + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead facebook_conversions_refused"}, Statuses: []int{400}},
		"an old event harms no other":   {Settings: pixel, Secrets: token, Events: []string{plain, strings.Replace(track(2, "E", email, ""), "2026-01-02", "2025-12-20", 1)}, Want: []string{"delivered", "dropped facebook_conversions_too_old"}, Statuses: []int{200}},
		"old of a store":                {Settings: pixel + `,"actionSource":"physical_store"`, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-12-20", 1)}, Want: []string{"delivered"}, Statuses: []int{200}},
		"nobody":                        {Settings: pixel + `,"removeExternalId":true`, Secrets: token, Events: []string{track(1, "E", `"firstName":"Ada"`, ""), track(2, "E", `"email":"nobody"`, "")}, Want: []string{"dropped facebook_conversions_no_identity", "dropped facebook_conversions_no_identity"}},
		"an app":                        {Settings: pixel + `,"actionSource":"app"`, Secrets: token, Events: []string{`{"messageId":"m1","type":"track","userId":"ada","event":"E","context":{"device":{"adTrackingEnabled":true}}}`}, Want: []string{"delivered"}, Statuses: []int{200}},
		"limited data use":              {Settings: pixel + `,"limitedDataUse":true,"testEventCode":"T1"`, Secrets: token, Events: []string{plain}, Want: []string{"delivered"}, Statuses: []int{200}},
		"another token":                 {Settings: pixel, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead facebook_conversions_token"}, Statuses: []int{400}},
		"too many requests":             {Settings: pixel, Secrets: token, Events: []string{track(1, "loud", email, "")}, Want: []string{"retry busy"}, Statuses: []int{400}},
		"Meta has a rest":               {Settings: pixel, Secrets: token, Events: []string{track(1, "down", email, "")}, Want: []string{"retry server_error"}, Statuses: []int{500}},
	})
	for _, more := range []string{"", `,"removeExternalId":true`, `,"actionSource":"app"`, `,"limitedDataUse":true`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, pixel+more, token)
	}
}
