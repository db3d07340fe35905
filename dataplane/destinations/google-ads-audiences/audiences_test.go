package audiences_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

// account is a ProductAccount.
type account struct {
	Type string `json:"accountType"`
	ID   string `json:"accountId"`
}

// request is an IngestAudienceMembersRequest or a RemoveAudienceMembersRequest.
type request struct {
	Destinations []struct {
		Operating account  `json:"operatingAccount"`
		Login     *account `json:"loginAccount"`
		Product   string   `json:"productDestinationId"`
	} `json:"destinations"`
	Encoding string `json:"encoding"`
	Terms    *struct {
		Match string `json:"customerMatchTermsOfServiceStatus"`
	} `json:"termsOfService"`
	Consent *struct {
		Data string `json:"adUserData"`
		Ads  string `json:"adPersonalization"`
	} `json:"consent"`
	Members []struct {
		User struct {
			Identifiers []identifier `json:"userIdentifiers"`
		} `json:"userData"`
	} `json:"audienceMembers"`
}

type identifier struct {
	Email   *string `json:"emailAddress"`
	Phone   *string `json:"phoneNumber"`
	Address *struct {
		First   string `json:"givenName"`
		Last    string `json:"familyName"`
		Region  string `json:"regionCode"`
		ZipCode string `json:"postalCode"`
	} `json:"address"`
}

// problem is the ErrorReason of an identifier.
func (i identifier) problem() string {
	n := 0
	for _, text := range []*string{i.Email, i.Phone} {
		if text == nil {
			continue
		}
		if n++; !destinationtest.Hashed(*text) {
			return "INVALID_SHA256_FORMAT"
		}
	}
	if a := i.Address; a != nil {
		if n++; !destinationtest.Hashed(a.First, a.Last) {
			return "INVALID_SHA256_FORMAT"
		}
		if len(a.Region) != 2 || a.Region != strings.ToUpper(a.Region) || a.ZipCode == "" {
			return "INVALID_FORMAT"
		}
	}
	if n != 1 {
		return "INVALID_ARGUMENT"
	}
	return ""
}

// audience is the token endpoint and the Data Manager API as their pages describe them,
// with the members of one audience by what their identifiers are.
type audience struct{ members map[string]bool }

func (a *audience) answer(r *http.Request, body []byte) (int, string) {
	if r.URL.Path == "/token" {
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("grant_type") != "refresh_token" || form.Get("client_id") != "made-up-id" || form.Get("client_secret") != "made-up-secret" || form.Get("refresh_token") != "made-up-refresh" {
			return 400, `{"error":"invalid_grant"}`
		}
		return 200, `{"access_token":"made-up-access","expires_in":3599,"token_type":"Bearer"}`
	}
	refusal := func(status int, word, reason string) (int, string) {
		return status, fmt.Sprintf(`{"error":{"code":%d,"message":"x","status":%q,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"datamanager.googleapis.com"}]}}`, status, word, reason)
	}
	removes := r.URL.Path == "/v1/audienceMembers:remove"
	switch {
	case r.Method != http.MethodPost || !removes && r.URL.Path != "/v1/audienceMembers:ingest":
		return refusal(404, "NOT_FOUND", "NOT_FOUND")
	case r.Header.Get("Authorization") != "Bearer made-up-access":
		return refusal(401, "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED")
	}
	var in request
	if err := destinationtest.Strict(body, &in); err != nil {
		return refusal(400, "INVALID_ARGUMENT", err.Error())
	}
	switch to := in.Destinations; {
	case len(to) != 1 || to[0].Operating.Type != "GOOGLE_ADS" || to[0].Login != nil && to[0].Login.Type != "GOOGLE_ADS":
		return refusal(400, "INVALID_ARGUMENT", "INVALID_DESTINATION")
	case to[0].Operating.ID != "1234567890" || to[0].Login != nil && to[0].Login.ID == "1111111111":
		return refusal(403, "PERMISSION_DENIED", "PERMISSION_DENIED")
	case to[0].Product == "429":
		return refusal(429, "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED")
	case to[0].Product != "77":
		return refusal(400, "INVALID_ARGUMENT", "INVALID_USER_LIST_ID")
	case removes && (in.Terms != nil || in.Consent != nil):
		return refusal(400, "INVALID_ARGUMENT", "there is no such field")
	case !removes && (in.Terms == nil || in.Terms.Match != "ACCEPTED"):
		return refusal(400, "INVALID_ARGUMENT", "TERMS_AND_CONDITIONS_NOT_SIGNED")
	case in.Consent != nil && (in.Consent.Data != in.Consent.Ads || !slices.Contains([]string{"CONSENT_GRANTED", "CONSENT_DENIED"}, in.Consent.Data)):
		return refusal(400, "INVALID_ARGUMENT", "INVALID_ENUM_VALUE")
	case in.Encoding != "HEX" || len(in.Members) == 0 || len(in.Members) > 10000:
		return refusal(400, "INVALID_ARGUMENT", "TOO_MANY_AUDIENCE_MEMBERS")
	}
	var keys []string
	for _, m := range in.Members {
		if n := len(m.User.Identifiers); n == 0 || n > 10 {
			return refusal(400, "INVALID_ARGUMENT", "INVALID_AUDIENCE_MEMBER")
		}
		for _, i := range m.User.Identifiers {
			if reason := i.problem(); reason != "" {
				return refusal(400, "INVALID_ARGUMENT", reason)
			}
			if i.Email != nil {
				if *i.Email == strings.Repeat("0", 64) {
					return refusal(400, "INVALID_ARGUMENT", "INVALID_AUDIENCE_MEMBER")
				}
				keys = append(keys, *i.Email)
			}
		}
	}
	for _, key := range keys {
		if a.members[key] = true; removes {
			delete(a.members, key)
		}
	}
	return 200, `{"requestId":"126365e1-16d0-4c81-9de9-f362711e250a"}`
}

func standIn() destinationtest.Vendor { return (&audience{members: map[string]bool{}}).answer }

// kind is the kind, whose tokens the stand-in gives.
var kind = mapping.Define(bytes.Replace(spec, []byte("https://oauth2.googleapis.com/token"), []byte(`"{base}/token"`), 1))()

func tokens(refresh string) map[string]string {
	return map[string]string{"clientId": "made-up-id", "clientSecret": "made-up-secret", "refreshToken": refresh}
}

func row(n int, action, identifiers string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"record","action":%q,"mode":"insert","object":"person","key":"%d","identifiers":{%s},"fields":{}}`, n, action, n, identifiers)
}

func TestAnswersOfTheDataManager(t *testing.T) {
	t.Parallel()
	account := func(customer, audience string) string {
		return fmt.Sprintf(`"customerId":%q,"audienceId":%q,"termsAccepted":true`, customer, audience)
	}
	own, token := account("1234567890", "77"), tokens("made-up-refresh")
	person := row(1, "insert", `"email":"ada@example.com"`)
	bad := row(2, "insert", `"email":"`+strings.Repeat("0", 64)+`"`)
	whole := row(3, "insert", `"email":"a.b@gmail.com","phone":"+41 44 123 45 67","first_name":"Ada","last_name":"L","country":"ch","postal_code":"8000"`)
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"all are taken":              {Settings: own, Secrets: token, Events: []string{person, whole}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one is refused":             {Settings: own, Secrets: token, Events: []string{person, bad, whole}, Want: []string{"delivered", "dead google_ads_audiences_refused", "delivered"}, Statuses: []int{400, 400, 200, 400, 200}},
		"consent":                    {Settings: own + `,"adUserData":"DENIED"`, Secrets: token, Events: []string{person}, Want: []string{"delivered"}, Statuses: []int{200}},
		"those that are gone":        {Settings: own + `,"adUserData":"GRANTED"`, Secrets: token, Events: []string{row(1, "delete", `"email":"ada@example.com"`), person}, Want: []string{"delivered", "delivered"}, Statuses: []int{200, 200}},
		"terms":                      {Settings: strings.Replace(own, "true", "false", 1), Secrets: token, Events: []string{person}, Want: []string{"dropped google_ads_audiences_terms"}},
		"nobody":                     {Settings: own, Secrets: token, Events: []string{row(1, "insert", `"phone":"12"`)}, Want: []string{"dropped google_ads_audiences_no_person"}},
		"another audience":           {Settings: account("1234567890", "78"), Secrets: token, Events: []string{person, whole}, Want: []string{"dead google_ads_audiences_audience", "dead google_ads_audiences_audience"}, Statuses: []int{400}},
		"another account":            {Settings: account("1234567891", "77"), Secrets: token, Events: []string{person}, Want: []string{"dead google_ads_audiences_token"}, Statuses: []int{403}},
		"a manager":                  {Settings: own + `,"loginCustomerId":"9876543210"`, Secrets: token, Events: []string{person}, Want: []string{"delivered"}, Statuses: []int{200}},
		"a manager of others":        {Settings: own + `,"loginCustomerId":"1111111111"`, Secrets: token, Events: []string{person}, Want: []string{"dead google_ads_audiences_token"}, Statuses: []int{403}},
		"another refresh token":      {Settings: own, Secrets: tokens("another"), Events: []string{person}, Want: []string{"retry token_refused"}},
		"too many requests":          {Settings: account("1234567890", "429"), Secrets: token, Events: []string{person}, Want: []string{"retry busy"}, Statuses: []int{429}},
		"events that are no records": {Settings: own, Secrets: token, Events: []string{`{"messageId":"m1","type":"identify","userId":"u","traits":{"email":"ada@example.com"}}`}, Want: []string{"dropped unsupported_event"}},
	})
}

// TestWhateverRowsHold lets the stand-in refuse none of many odd rows.
func TestWhateverRowsHold(t *testing.T) {
	t.Parallel()
	texts := []string{"ada@example.com", " ADA.B+c@GMail.com ", "nobody", "", "@", "a b@example.com", strings.Repeat("5D", 32), "+44 20 7946 0000", "0049 (151) 234-5678", "12", "O'Hara", "李", "ch", "Switzerland", "\\u0000", " "}
	var rows []string
	for i := range 256 {
		var ids []string
		for at, name := range []string{"email", "phone", "first_name", "last_name", "country", "postal_code"} {
			if (i>>at)%3 != 2 {
				ids = append(ids, fmt.Sprintf("%q:\"%s\"", name, texts[(i*7+at*5)%len(texts)]))
			}
		}
		rows = append(rows, row(i, []string{"insert", "delete"}[i/128], strings.Join(ids, ",")))
	}
	v := standIn()
	srv := destinationtest.NewServer(t)
	srv.Answer(func(w http.ResponseWriter, r *http.Request) {
		all := srv.Received()
		status, answer := v(r, all[len(all)-1].Body)
		if status != 200 {
			t.Errorf("refused: %s\n%s", answer, all[len(all)-1].Body)
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, answer)
	})
	for _, line := range destinationtest.Send(t, kind, `{"baseUrl":"`+srv.URL+`","customerId":"1234567890","audienceId":"77","termsAccepted":true}`, tokens("made-up-refresh"), rows...) {
		if line != "delivered" && line != "dropped google_ads_audiences_no_person" {
			t.Errorf("became of a row: %s", line)
		}
	}
}
