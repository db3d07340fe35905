package tiktok_test

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
	Name string `json:"event"`
	Time int64  `json:"event_time"`
	ID   string `json:"event_id"`
	User struct {
		Email    string `json:"email"`
		Phone    string `json:"phone"`
		External string `json:"external_id"`
		Click    string `json:"ttclid"`
		Cookie   string `json:"ttp"`
		IP       string `json:"ip"`
		Agent    string `json:"user_agent"`
		Locale   string `json:"locale"`
		IDFA     string `json:"idfa"`
		GAID     string `json:"gaid"`
	} `json:"user"`
	Page *struct {
		URL      string `json:"url"`
		Referrer string `json:"referrer"`
	} `json:"page"`
	App *struct {
		ID      string `json:"app_id"`
		Name    string `json:"app_name"`
		Version string `json:"app_version"`
	} `json:"app"`
	Properties struct {
		Value    *float64 `json:"value"`
		Currency string   `json:"currency"`
		Order    string   `json:"order_id"`
		Type     string   `json:"content_type"`
		Contents []struct {
			ID       string   `json:"content_id"`
			Name     string   `json:"content_name"`
			Category string   `json:"content_category"`
			Brand    string   `json:"brand"`
			Price    *float64 `json:"price"`
			Quantity int      `json:"quantity"`
		} `json:"contents"`
		Items       *int   `json:"num_items"`
		Query       string `json:"query"`
		Description string `json:"description"`
	} `json:"properties"`
	Limited bool `json:"limited_data_use"`
}

// problem is why TikTok refuses an event, with the whole request.
func (e event) problem(source string) string {
	oldest := 7 * 24 * time.Hour
	if source == "offline" || source == "crm" {
		oldest = 28 * 24 * time.Hour
	}
	age := destinationtest.Now().Sub(time.Unix(e.Time, 0))
	switch {
	case e.Name == "":
		return "event is required"
	case age > oldest || age < -time.Hour:
		return "event_time is out of range"
	case (source == "app") != (e.App != nil):
		return "app is of app events"
	case e.Properties.Currency != "" && len(e.Properties.Currency) != 3:
		return "currency is invalid"
	}
	for _, hash := range []string{e.User.Email, e.User.Phone, e.User.External} {
		if hash != "" && !destinationtest.Hashed(hash) {
			return "user has to be hashed"
		}
	}
	return ""
}

// standIn is the Events API: it says 200 to all that it understood, with a code.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		code := func(code int, message string) (int, string) {
			return 200, fmt.Sprintf(`{"code":%d,"message":%q,"request_id":"r"}`, code, message)
		}
		var in struct {
			Source   string  `json:"event_source"`
			SourceID string  `json:"event_source_id"`
			Test     string  `json:"test_event_code"`
			Data     []event `json:"data"`
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/open_api/v1.3/event/track/":
			return 404, ""
		case r.Header.Get("Access-Token") != "made-up-tiktok-token":
			return code(40105, "Access token is incorrect or has been revoked.")
		case strings.Contains(string(body), "loud"):
			return code(40100, "Requests made too frequently.")
		case strings.Contains(string(body), "down"):
			return code(50000, "System error.")
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return code(40002, err.Error())
		}
		if in.Source == "" || in.SourceID != "C1" || len(in.Data) == 0 || len(in.Data) > 1000 {
			return code(40002, "between 1 and 1000 events of a source")
		}
		for _, e := range in.Data {
			if p := e.problem(in.Source); p != "" {
				return code(40002, p)
			}
		}
		return code(0, "OK")
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfTikTok(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, source, email := map[string]string{"accessToken": "made-up-tiktok-token"}, `"eventSourceId":"C1"`, `"email":"ada@example.com"`
	plain := track(1, "E", email, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: source, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":3,"products":[{"sku":"s"}]`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one of two is refused":         {Settings: source, Secrets: token, Events: []string{plain, track(2, "E", email, `"currency":"euro"`)}, Want: []string{"delivered", "dead tiktok_events_refused"}, Statuses: []int{200, 200, 200}},
		"what is told as hashed is not": {Settings: source + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead tiktok_events_refused"}, Statuses: []int{200}},
		"an old event":                  {Settings: source, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-12-20", 1)}, Want: []string{"dropped tiktok_events_too_old"}},
		"old of a store":                {Settings: source + `,"eventSource":"offline"`, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-12-20", 1)}, Want: []string{"delivered"}, Statuses: []int{200}},
		"an app":                        {Settings: source + `,"eventSource":"app"`, Secrets: token, Events: []string{plain}, Want: []string{"delivered"}, Statuses: []int{200}},
		"another token":                 {Settings: source, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead tiktok_events_token"}, Statuses: []int{200}},
		"too many requests":             {Settings: source, Secrets: token, Events: []string{track(1, "loud", email, "")}, Want: []string{"retry busy"}, Statuses: []int{200}},
		"TikTok has a rest":             {Settings: source, Secrets: token, Events: []string{track(1, "down", email, "")}, Want: []string{"retry server_error"}, Statuses: []int{200}},
	})
	for _, more := range []string{"", `,"eventSource":"app"`, `,"eventSource":"offline"`, `,"limitedDataUse":true,"testEventCode":"T1"`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, source+more, token)
	}
}
