package reddit_test

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
	At     int64  `json:"event_at"`
	Source string `json:"action_source"`
	URL    string `json:"event_source_url"`
	Click  string `json:"click_id"`
	Type   struct {
		Tracking string `json:"tracking_type"`
		Custom   string `json:"custom_event_name"`
	} `json:"type"`
	User struct {
		Email    string `json:"email"`
		Phone    string `json:"phone_number"`
		External string `json:"external_id"`
		UUID     string `json:"uuid"`
		IP       string `json:"ip_address"`
		Agent    string `json:"user_agent"`
		IDFA     string `json:"idfa"`
		AAID     string `json:"aaid"`
		Screen   *struct {
			Width  int `json:"width"`
			Height int `json:"height"`
		} `json:"screen_dimensions"`
		Options *struct {
			Modes []string `json:"modes"`
		} `json:"data_processing_options"`
	} `json:"user"`
	More struct {
		ID       string   `json:"conversion_id"`
		Currency string   `json:"currency"`
		Value    *float64 `json:"value"`
		Count    *int     `json:"item_count"`
		Products []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Category string `json:"category"`
		} `json:"products"`
	} `json:"metadata"`
}

var types = map[string]bool{"PURCHASE": true, "ADD_TO_CART": true, "ADD_TO_WISHLIST": true, "VIEW_CONTENT": true, "SEARCH": true, "SIGN_UP": true, "LEAD": true, "PAGE_VISIT": true}

// problem is why Reddit refuses an event, with the whole request.
func (e event) problem() string {
	age := destinationtest.Now().Sub(time.UnixMilli(e.At))
	switch {
	case e.Type.Tracking == "CUSTOM" && e.Type.Custom == "" || e.Type.Tracking != "CUSTOM" && !types[e.Type.Tracking]:
		return "tracking_type is none"
	case e.Source != "WEBSITE" && e.Source != "APP" && e.Source != "PHYSICAL_STORE" && e.Source != "OTHER":
		return "action_source is none"
	case age > 7*24*time.Hour || age < -time.Hour:
		return "event_at is out of range"
	case e.Click+e.User.Email+e.User.Phone+e.User.External+e.User.UUID+e.User.IP+e.User.IDFA+e.User.AAID == "":
		return "a match key is required"
	case e.More.Value != nil && *e.More.Value < 0 || e.More.Currency != "" && len(e.More.Currency) != 3:
		return "value and currency are none"
	}
	for _, hash := range []string{e.User.Email, e.User.Phone, e.User.External} {
		if hash != "" && !destinationtest.Hashed(hash) {
			return "match keys have to be hashed"
		}
	}
	return ""
}

// standIn is the Conversions API as its pages describe it.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		var in struct {
			Data struct {
				Test   string  `json:"test_id"`
				Events []event `json:"events"`
			} `json:"data"`
		}
		refusal := func(status int, message string) (int, string) {
			return status, fmt.Sprintf(`{"error":{"code":%d,"message":%q}}`, status, message)
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/api/v3/pixels/a2_1/conversion_events":
			return refusal(404, "not found")
		case r.Header.Get("Authorization") != "Bearer made-up-reddit-token":
			return refusal(401, "unauthorized")
		case strings.Contains(string(body), "loud"):
			return refusal(429, "too many requests")
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return refusal(400, err.Error())
		}
		if len(in.Data.Events) == 0 || len(in.Data.Events) > 1000 {
			return refusal(400, "between 1 and 1000 events")
		}
		for _, e := range in.Data.Events {
			if p := e.problem(); p != "" {
				return refusal(400, p)
			}
		}
		return 200, `{"data":{"message":"Successfully processed conversion events."}}`
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfReddit(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, pixel, email := map[string]string{"accessToken": "made-up-reddit-token"}, `"pixelId":"a2_1"`, `"email":"ada@example.com"`
	plain := track(1, "E", email, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: pixel, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":3,"products":[{"sku":7}]`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one of two is refused":         {Settings: pixel, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":-3`)}, Want: []string{"delivered", "dead reddit_conversions_refused"}, Statuses: []int{400, 200, 400}},
		"a type that Reddit lacks":      {Settings: pixel + `,"events":{"E":"GUESS"}`, Secrets: token, Events: []string{plain}, Want: []string{"dead reddit_conversions_refused"}, Statuses: []int{400}},
		"what is told as hashed is not": {Settings: pixel + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead reddit_conversions_refused"}, Statuses: []int{400}},
		"an old event":                  {Settings: pixel, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-12-20", 1)}, Want: []string{"dropped reddit_conversions_too_old"}},
		"a test":                        {Settings: pixel + `,"testId":"t2_1","limitedDataUse":true`, Secrets: token, Events: []string{plain}, Want: []string{"delivered"}, Statuses: []int{200}},
		"another token":                 {Settings: pixel, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead reddit_conversions_token"}, Statuses: []int{401}},
		"too many requests":             {Settings: pixel, Secrets: token, Events: []string{track(1, "loud", email, "")}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	for _, more := range []string{"", `,"actionSource":"APP"`, `,"limitedDataUse":true`, `,"events":{"Something Else":"LEAD"}`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, pixel+more, token)
	}
}
