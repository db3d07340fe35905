package linkedin_test

import (
	_ "embed"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

type event struct {
	Rule  string `json:"conversion"`
	Time  int64  `json:"conversionHappenedAt"`
	Value *struct {
		Currency string `json:"currencyCode"`
		Amount   string `json:"amount"`
	} `json:"conversionValue"`
	User struct {
		IDs *[]struct {
			Type  string `json:"idType"`
			Value string `json:"idValue"`
		} `json:"userIds"`
		Info *struct {
			First   string `json:"firstName"`
			Last    string `json:"lastName"`
			Title   string `json:"title"`
			Company string `json:"companyName"`
			Country string `json:"countryCode"`
		} `json:"userInfo"`
	} `json:"user"`
	ID string `json:"eventId"`
}

var (
	rule    = regexp.MustCompile(`^urn:lla:llaPartnerConversion:[0-9]+$`)
	version = regexp.MustCompile(`^20[0-9]{4}$`)
)

// problem is why LinkedIn refuses an event, alone.
func (e event) problem() string {
	age := destinationtest.Now().Sub(time.UnixMilli(e.Time))
	switch {
	case !rule.MatchString(e.Rule) || e.Rule == "urn:lla:llaPartnerConversion:404":
		return "conversion is none"
	case age > 90*24*time.Hour || age < -time.Hour:
		return "conversionHappenedAt is out of range"
	case e.User.IDs == nil:
		return "userIds is required"
	case len(*e.User.IDs) == 0 && (e.User.Info == nil || e.User.Info.First == "" || e.User.Info.Last == ""):
		return "userIds or firstName and lastName are required"
	}
	for _, id := range *e.User.IDs {
		if id.Type == "SHA256_EMAIL" && !destinationtest.Hashed(id.Value) || id.Value == "" {
			return "idValue is none"
		}
	}
	if e.Value != nil {
		if _, err := strconv.ParseFloat(e.Value.Amount, 64); err != nil || len(e.Value.Currency) != 3 {
			return "conversionValue is none"
		}
	}
	return ""
}

// standIn is the Conversions API as its pages describe it.
func standIn() destinationtest.Vendor {
	return func(r *http.Request, body []byte) (int, string) {
		var in struct {
			Elements []event `json:"elements"`
		}
		switch v := r.Header.Get("Linkedin-Version"); {
		case r.Method != http.MethodPost || r.URL.Path != "/rest/conversionEvents":
			return 404, `{"status":404,"message":"No virtual resource found"}`
		case r.Header.Get("Authorization") != "Bearer made-up-linkedin-token":
			return 401, `{"status":401,"message":"Invalid access token"}`
		case !version.MatchString(v):
			return 400, `{"status":400,"message":"A version must be present"}`
		case v < "202512":
			return 426, `{"status":426,"code":"NONEXISTENT_VERSION","message":"Requested version is not active"}`
		case r.Header.Get("X-Restli-Protocol-Version") != "2.0.0" || r.Header.Get("X-Restli-Method") != "BATCH_CREATE":
			return 400, `{"status":400,"message":"Header X-RestLi-Method is required"}`
		case strings.Contains(string(body), "loud"):
			return 429, `{"status":429,"message":"Resource level throttle limit reached"}`
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return 400, fmt.Sprintf(`{"status":400,"message":%q}`, err)
		}
		if len(in.Elements) == 0 || len(in.Elements) > 5000 {
			return 400, `{"status":400,"message":"between 1 and 5000 events"}`
		}
		of := []string{}
		for _, e := range in.Elements {
			if p := e.problem(); p != "" {
				of = append(of, fmt.Sprintf(`{"status":400,"error":{"status":400,"message":%q}}`, p))
				continue
			}
			of = append(of, `{"status":201}`)
		}
		return 200, `{"elements":[` + strings.Join(of, ",") + `]}`
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfLinkedIn(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, rules, email := map[string]string{"accessToken": "made-up-linkedin-token"}, `"conversions":{"Order Completed":"104012","E":"9","Gone":"404"}`, `"email":"ada@example.com"`
	plain := track(1, "E", email, "")
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: rules, Secrets: token, Events: []string{plain, track(2, "Order Completed", email, `"revenue":3`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one of two has no rule there":  {Settings: rules, Secrets: token, Events: []string{track(1, "Gone", email, ""), track(2, "E", email, "")}, Want: []string{"dead linkedin_conversions_refused", "delivered"}, Statuses: []int{200}},
		"what is told as hashed is not": {Settings: rules + `,"hashed":true`, Secrets: token, Events: []string{plain}, Want: []string{"dead linkedin_conversions_refused"}, Statuses: []int{200}},
		"known by a click":              {Settings: rules, Secrets: token, Events: []string{track(1, "E", `"email":"nobody"`, `"li_fat_id":"f-1"`)}, Want: []string{"delivered"}, Statuses: []int{200}},
		"names alone":                   {Settings: rules + `,"userInfo":true`, Secrets: token, Events: []string{track(1, "E", `"firstName":"Ada","lastName":"L"`, "")}, Want: []string{"delivered"}, Statuses: []int{200}},
		"an old event":                  {Settings: rules, Secrets: token, Events: []string{strings.Replace(plain, "2026-01-02", "2025-10-01", 1)}, Want: []string{"dropped linkedin_conversions_too_old"}},
		"nobody":                        {Settings: rules, Secrets: token, Events: []string{track(1, "E", `"email":"nobody"`, "")}, Want: []string{"dropped linkedin_conversions_no_identity"}},
		"a version that is no more":     {Settings: rules + `,"apiVersion":"202501"`, Secrets: token, Events: []string{plain}, Want: []string{"retry linkedin_conversions_version"}, Statuses: []int{426}},
		"another token":                 {Settings: rules, Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{plain}, Want: []string{"dead linkedin_conversions_token"}, Statuses: []int{401}},
		"too many requests":             {Settings: rules, Secrets: token, Events: []string{track(1, "E", email, `"li_fat_id":"loud"`)}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	rules = `"conversions":{"Order Completed":"104012","Signed Up":"9"}`
	for _, more := range []string{"", `,"userInfo":true`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, rules+more, token)
	}
}
