package google_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

type conversion struct {
	Click       string   `json:"gclid"`
	AppClick    string   `json:"gbraid"`
	WebClick    string   `json:"wbraid"`
	Action      string   `json:"conversionAction"`
	Time        string   `json:"conversionDateTime"`
	Value       *float64 `json:"conversionValue"`
	Currency    string   `json:"currencyCode"`
	Order       string   `json:"orderId"`
	Identifiers []struct {
		Email string `json:"hashedEmail"`
		Phone string `json:"hashedPhoneNumber"`
	} `json:"userIdentifiers"`
	Consent *struct {
		Data string `json:"adUserData"`
		Ads  string `json:"adPersonalization"`
	} `json:"consent"`
}

var action = regexp.MustCompile(`^customers/1234567890/conversionActions/[0-9]+$`)

// problem is the ConversionUploadError of a conversion.
func (c conversion) problem(taken map[string]bool) string {
	at, err := time.Parse("2006-01-02 15:04:05-07:00", c.Time)
	age := destinationtest.Now().Sub(at)
	clicks := 0
	for _, click := range []string{c.Click, c.AppClick, c.WebClick} {
		if click != "" {
			clicks++
		}
	}
	switch {
	case err != nil || !action.MatchString(c.Action):
		return "INVALID_CONVERSION_ACTION"
	case clicks > 1:
		return "VALUE_MUST_BE_UNSET"
	case clicks == 0 && len(c.Identifiers) == 0:
		return "USER_IDENTIFIER_REQUIRED"
	case len(c.Identifiers) > 5 || c.Consent != nil && c.Consent.Data != c.Consent.Ads:
		return "INVALID_USER_IDENTIFIER"
	case c.Click == "bad":
		return "UNPARSEABLE_GCLID"
	case c.Click == "lost":
		return "CLICK_NOT_FOUND"
	case age > 90*24*time.Hour || c.Click == "expired":
		return "EXPIRED_EVENT"
	case c.Click == "young" || age < -time.Hour:
		return "TOO_RECENT_EVENT"
	case c.Value != nil && (*c.Value < 0 || len(c.Currency) != 3):
		return "INVALID_CONVERSION_VALUE"
	case taken[c.Order]:
		return "ORDER_ID_ALREADY_IN_USE"
	}
	for _, id := range c.Identifiers {
		if (id.Email == "") == (id.Phone == "") || !destinationtest.Hashed(id.Email+id.Phone) {
			return "INVALID_USER_IDENTIFIER"
		}
	}
	taken[c.Order] = true
	return ""
}

// standIn is the token endpoint and the Google Ads API as their pages describe them.
func standIn() destinationtest.Vendor {
	taken := map[string]bool{}
	return func(r *http.Request, body []byte) (int, string) {
		if r.URL.Path == "/token" {
			form, err := url.ParseQuery(string(body))
			if err != nil || form.Get("grant_type") != "refresh_token" || form.Get("client_id") != "made-up-id" || form.Get("client_secret") != "made-up-secret" || form.Get("refresh_token") != "made-up-refresh" {
				return 400, `{"error":"invalid_grant"}`
			}
			return 200, `{"access_token":"made-up-access","expires_in":3599,"token_type":"Bearer"}`
		}
		refusal := func(status int, code, message string) (int, string) {
			return status, fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q}}`, status, message, code)
		}
		var in struct {
			Conversions []conversion `json:"conversions"`
			Partial     bool         `json:"partialFailure"`
		}
		switch {
		case r.Method != http.MethodPost || r.URL.Path != "/v26/customers/1234567890:uploadClickConversions":
			return refusal(404, "NOT_FOUND", "unknown method")
		case r.Header.Get("Authorization") != "Bearer made-up-access":
			return refusal(401, "UNAUTHENTICATED", "invalid authentication credentials")
		case r.Header.Get("Developer-Token") != "made-up-developer" || r.Header.Get("Login-Customer-Id") == "1111111111":
			return refusal(403, "PERMISSION_DENIED", "The caller does not have permission")
		case strings.Contains(string(body), "loud"):
			return refusal(429, "RESOURCE_EXHAUSTED", "Too many requests")
		}
		if err := destinationtest.Strict(body, &in); err != nil {
			return refusal(400, "INVALID_ARGUMENT", err.Error())
		}
		if !in.Partial || len(in.Conversions) == 0 || len(in.Conversions) > 2000 {
			return refusal(400, "INVALID_ARGUMENT", "partialFailure must be true, of up to 2000 conversions")
		}
		var results, errs []string
		for i, c := range in.Conversions {
			if code := c.problem(taken); code != "" {
				errs = append(errs, fmt.Sprintf(`{"errorCode":{"conversionUploadError":%q},"message":"x","location":{"fieldPathElements":[{"fieldName":"conversions","index":%d},{"fieldName":"gclid"}]}}`, code, i))
			}
			results = append(results, "{}")
		}
		answer := `{"results":[` + strings.Join(results, ",") + `],"jobId":"1"`
		if len(errs) > 0 {
			answer += `,"partialFailureError":{"code":3,"message":"x","details":[{"@type":"type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure","errors":[` + strings.Join(errs, ",") + `]}]}`
		}
		return 200, answer + "}"
	}
}

func track(n int, name, traits, properties string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"timestamp":"2026-01-02T03:04:00.000Z","context":{"traits":{%s}},"properties":{%s}}`, n, name, traits, properties)
}

func TestAnswersOfGoogleAds(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(bytes.Replace(spec, []byte("https://oauth2.googleapis.com/token"), []byte(`"{base}/token"`), 1))()
	tokens := func(developer, refresh string) map[string]string {
		return map[string]string{"developerToken": developer, "clientId": "made-up-id", "clientSecret": "made-up-secret", "refreshToken": refresh}
	}
	token, account := tokens("made-up-developer", "made-up-refresh"), `"customerId":"1234567890","conversions":{"Order Completed":"77","E":"9"}`
	click := func(n int, gclid string) string { return track(n, "E", "", `"gclid":"`+gclid+`"`) }
	lead := account + `,"enhanced":true`
	person := `"email":"ada@gmail.com","phone":"+41441234567","firstName":"Ada","lastName":"L","address":{"country":"ch","postalCode":"8000"}`
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":                 {Settings: account, Secrets: token, Events: []string{click(1, "g"), track(2, "Order Completed", "", `"wbraid":"w","revenue":3,"order_id":"o1"`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"each has its own end":          {Settings: account, Secrets: token, Events: []string{click(1, "g"), click(2, "bad"), click(3, "lost"), click(4, "expired"), click(5, "young")}, Want: []string{"delivered", "dead google_ads_conversions_refused", "dropped google_ads_conversions_not_found", "dropped google_ads_conversions_too_old", "retry busy"}, Statuses: []int{200}},
		"an order that Google has":      {Settings: account, Secrets: token, Events: []string{track(1, "Order Completed", "", `"gclid":"g","order_id":"o1"`), track(2, "Order Completed", "", `"gclid":"g","order_id":"o1"`)}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"a lead":                        {Settings: lead + `,"adUserData":"GRANTED"`, Secrets: token, Events: []string{track(1, "E", person, "")}, Want: []string{"delivered"}, Statuses: []int{200}},
		"what is told as hashed is not": {Settings: lead + `,"hashed":true`, Secrets: token, Events: []string{track(1, "E", person, ""), click(2, "g")}, Want: []string{"dead google_ads_conversions_refused", "delivered"}, Statuses: []int{200}},
		"nobody":                        {Settings: lead, Secrets: token, Events: []string{track(1, "E", `"email":"nobody","phone":"12"`, "")}, Want: []string{"dropped google_ads_conversions_no_click"}},
		"an old event":                  {Settings: account, Secrets: token, Events: []string{strings.Replace(click(1, "g"), "2026-01-02", "2025-10-01", 1)}, Want: []string{"dropped google_ads_conversions_too_old"}},
		"another refresh token":         {Settings: account, Secrets: tokens("made-up-developer", "another"), Events: []string{click(1, "g")}, Want: []string{"retry token_refused"}},
		"another developer token":       {Settings: account, Secrets: tokens("another-developer", "made-up-refresh"), Events: []string{click(1, "g")}, Want: []string{"dead google_ads_conversions_token"}, Statuses: []int{403}},
		"a manager of others":           {Settings: account + `,"loginCustomerId":"1111111111"`, Secrets: token, Events: []string{click(1, "g")}, Want: []string{"dead google_ads_conversions_token"}, Statuses: []int{403}},
		"too many requests":             {Settings: account, Secrets: token, Events: []string{click(1, "loud")}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	destinationtest.ExchangeGenerated(t, kind, standIn, lead+`,"adUserData":"DENIED"`, token)
}
