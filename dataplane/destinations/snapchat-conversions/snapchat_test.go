package snapchat_test

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
	Name   string `json:"event_name"`
	Time   int64  `json:"event_time"`
	ID     string `json:"event_id"`
	URL    string `json:"event_source_url"`
	Source string `json:"action_source"`
	User   struct {
		Email    []string `json:"em"`
		Phone    []string `json:"ph"`
		First    []string `json:"fn"`
		Last     []string `json:"ln"`
		Gender   []string `json:"ge"`
		City     []string `json:"ct"`
		State    []string `json:"st"`
		Zip      []string `json:"zp"`
		Country  []string `json:"country"`
		External []string `json:"external_id"`
		IP       string   `json:"client_ip_address"`
		Agent    string   `json:"client_user_agent"`
		Click    string   `json:"sc_click_id"`
		Cookie   string   `json:"sc_cookie1"`
		Mobile   string   `json:"madid"`
	} `json:"user_data"`
	Custom struct {
		Value    *float64 `json:"value"`
		Currency string   `json:"currency"`
		Order    string   `json:"order_id"`
		IDs      []string `json:"content_ids"`
		Contents []struct {
			ID       string   `json:"id"`
			Quantity int      `json:"quantity"`
			Price    *float64 `json:"item_price"`
			Brand    string   `json:"brand"`
		} `json:"contents"`
		Category string `json:"content_category"`
		Items    *int   `json:"num_items"`
		Search   string `json:"search_string"`
		Method   string `json:"sign_up_method"`
	} `json:"custom_data"`
	App *struct {
		Advertiser *bool    `json:"advertiser_tracking_enabled"`
		Info       []string `json:"extinfo"`
	} `json:"app_data"`
	Options []string `json:"data_processing_options"`
}

var names = map[string]bool{"PURCHASE": true, "ADD_CART": true, "ADD_TO_WISHLIST": true, "VIEW_CONTENT": true, "LIST_VIEW": true, "START_CHECKOUT": true, "ADD_BILLING": true, "SEARCH": true, "SIGN_UP": true, "SUBSCRIBE": true, "PAGE_VIEW": true, "CUSTOM_EVENT_1": true}

// problem is why Snapchat refuses an event, with the whole request.
func (e event) problem() string {
	age := destinationtest.Now().Sub(time.Unix(e.Time, 0))
	u := e.User
	hashes := [][]string{u.Email, u.Phone, u.First, u.Last, u.Gender, u.City, u.State, u.Zip, u.Country, u.External}
	switch {
	case !names[e.Name]:
		return "Invalid event_name"
	case e.Source != "WEB" && e.Source != "MOBILE_APP" && e.Source != "OFFLINE":
		return "Invalid action_source"
	case age > 37*24*time.Hour || age < -time.Hour:
		return "Invalid event_time"
	case len(u.Email)+len(u.Phone) == 0 && u.Mobile == "" && (u.IP == "" || u.Agent == ""):
		return "Missing user_data"
	case e.Name == "PURCHASE" && (e.Custom.Value == nil || len(e.Custom.Currency) != 3):
		return "Missing price and currency"
	case e.Source == "MOBILE_APP" && (e.App == nil || e.App.Advertiser == nil || len(e.App.Info) != 16):
		return "Missing app_data"
	}
	for _, of := range hashes {
		if !destinationtest.Hashed(of...) {
			return "user_data has to be hashed"
		}
	}
	return ""
}

// standIn is the Conversions API as its pages describe it.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		invalid := func(status int, reason string) (int, string) {
			return status, fmt.Sprintf(`{"status":"INVALID","reason":%q,"errors":{"error_msgs":[%q]}}`, reason, reason)
		}
		var in struct {
			Data []event `json:"data"`
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v3/px-1/events":
			return 404, ""
		case r.URL.Query().Get("access_token") != "made-up-snap-token":
			return invalid(401, "Unauthorized")
		case strings.Contains(string(body), "loud"):
			return 429, ""
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return invalid(400, err.Error())
		}
		if len(in.Data) == 0 || len(in.Data) > 2000 {
			return invalid(400, "Between 1 and 2000 events")
		}
		for _, e := range in.Data {
			if p := e.problem(); p != "" {
				return invalid(400, p)
			}
		}
		return 200, `{"status":"VALID"}`
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfSnapchat(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, asset, email := map[string]string{"accessToken": "made-up-snap-token"}, `"assetId":"px-1"`, `"email":"ada@example.com"`
	plain := track(1, "Signed Up", email, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: asset, Secrets: token, Events: []string{plain, track(2, "Order Completed", `"phone":"+44 844 412 4653"`, `"revenue":"3","products":[{"sku":"s"}]`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"a purchase without a value":    {Settings: asset, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"order_id":"o1"`)}, Want: []string{"delivered", "dropped snapchat_conversions_no_value"}, Statuses: []int{200}},
		"a value that is no number":     {Settings: asset, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":"much"`)}, Want: []string{"delivered", "dead snapchat_conversions_refused"}, Statuses: []int{400, 200, 400}},
		"a name that Snapchat lacks":    {Settings: asset + `,"events":{"E":"E"}`, Secrets: token, Events: []string{plain, track(2, "E", email, "")}, Want: []string{"delivered", "dead snapchat_conversions_refused"}, Statuses: []int{400, 200, 400}},
		"what is told as hashed is not": {Settings: asset + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead snapchat_conversions_refused"}, Statuses: []int{400}},
		"an old event":                  {Settings: asset, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-11-20", 1)}, Want: []string{"dropped snapchat_conversions_too_old"}},
		"nobody":                        {Settings: asset, Secrets: token, Events: []string{track(1, "Signed Up", `"email":"nobody","phone":"12"`, "")}, Want: []string{"dropped snapchat_conversions_no_identity"}},
		"an app":                        {Settings: asset + `,"actionSource":"MOBILE_APP"`, Secrets: token, Events: []string{plain}, Want: []string{"delivered"}, Statuses: []int{200}},
		"another token":                 {Settings: asset, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead snapchat_conversions_token"}, Statuses: []int{401}},
		"too many requests":             {Settings: asset, Secrets: token, Events: []string{track(1, "Products Searched", email, `"query":"loud"`)}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	for _, more := range []string{"", `,"actionSource":"MOBILE_APP"`, `,"limitMeasurementUse":true`, `,"events":{"Something Else":"CUSTOM_EVENT_1"}`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, asset+more, token)
	}
}
