package hubspot_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const (
	objects = "/crm/objects/2026-03/"
	busy    = `{"status":"error","message":"You have reached your secondly limit.","errorType":"RATE_LIMIT","category":"RATE_LIMITS"}`
)

var (
	known   = regexp.MustCompile(`^(email|firstname|lastname|phone|company|jobtitle|website|address|city|state|zip|country|plan|user_id|group_id|name|domain|description|numberofemployees)$`)
	address = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	link    = regexp.MustCompile(`^contacts/(c-[^/]+)/associations/default/companies/(o-[^/]+)$`)
)

// account is an account of HubSpot: its records by type and unique value.
type account map[string]string

// standIn is HubSpot as its pages describe it.
func standIn() destinationtest.Vendor {
	a := account{}
	return func(r *http.Request, body []byte) (int, string) {
		path, isObject := strings.CutPrefix(r.URL.Path, objects)
		kind, of, _ := strings.Cut(path, "/")
		switch {
		case r.Header.Get("Authorization") != "Bearer made-up-hubspot-token":
			return refusal(401, "INVALID_AUTHENTICATION")
		case strings.Contains(string(body), "loud"):
			return 429, busy
		case r.URL.Path == "/events/2026-03/send" && r.Method == http.MethodPost:
			return occurrence(body)
		case isObject && of == "batch/upsert" && r.Method == http.MethodPost:
			return a.upsert(kind, body)
		case link.MatchString(path) && r.Method == http.MethodPut && len(body) == 0:
			ids := link.FindStringSubmatch(path)
			a["linked "+ids[1]] = ids[2]
			return 200, `{"status":"COMPLETE","results":[]}`
		case isObject && r.Method == http.MethodGet:
			if id := a[record(kind, r.URL.Query().Get("idProperty"), of)]; id != "" {
				return 200, `{"id":"` + id + `","properties":{}}`
			}
		}
		return refusal(404, "OBJECT_NOT_FOUND")
	}
}

// record is the name of a record; addresses are the same in either case.
func record(kind, by, id string) string {
	if by == "email" {
		id = strings.ToLower(id)
	}
	return kind + " " + by + " " + id
}

func refusal(status int, category string) (int, string) {
	return status, fmt.Sprintf(`{"status":"error","message":"It is not right.","correlationId":"c","category":%q}`, category)
}

// upsert answers 207 when some records are refused, each under its trace id.
func (a account) upsert(kind string, body []byte) (int, string) {
	var in struct {
		Inputs []struct {
			ID         string            `json:"id"`
			By         string            `json:"idProperty"`
			Trace      string            `json:"objectWriteTraceId"`
			Properties map[string]string `json:"properties"`
		} `json:"inputs"`
	}
	if destinationtest.Strict(body, &in) != nil || len(in.Inputs) == 0 || len(in.Inputs) > 100 || kind != "contacts" && kind != "companies" {
		return refusal(400, "VALIDATION_ERROR")
	}
	seen := map[string]bool{}
	for _, i := range in.Inputs {
		if seen[i.ID] || i.By != in.Inputs[0].By || i.Properties == nil {
			return refusal(400, "VALIDATION_ERROR") // "Duplicate IDs found in batch input"
		}
		seen[i.ID] = true
	}
	var results, errs []string
	for _, i := range in.Inputs {
		bad := i.ID == "" || i.By == "email" && !address.MatchString(i.ID)
		for name := range i.Properties {
			bad = bad || !known.MatchString(name)
		}
		if bad {
			errs = append(errs, fmt.Sprintf(`{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid","context":{"objectWriteTraceId":[%q]}}`, i.Trace))
			continue
		}
		id := map[string]string{"contacts": "c-", "companies": "o-"}[kind] + fmt.Sprintf("%x", i.ID)
		a[record(kind, i.By, i.ID)] = id
		results = append(results, `{"id":"`+id+`"}`)
	}
	answer := `{"status":"COMPLETE","results":[` + strings.Join(results, ",") + `]`
	if len(errs) > 0 {
		return 207, answer + fmt.Sprintf(`,"numErrors":%d,"errors":[%s]}`, len(errs), strings.Join(errs, ","))
	}
	return 200, answer + "}"
}

// occurrence is one of a custom event, of a contact by its address or its id.
func occurrence(body []byte) (int, string) {
	var in struct {
		Name       string                     `json:"eventName"`
		Email      string                     `json:"email"`
		Object     string                     `json:"objectId"`
		At         time.Time                  `json:"occurredAt"`
		UUID       string                     `json:"uuid"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if destinationtest.Strict(body, &in) != nil || !strings.HasPrefix(in.Name, "pe1_") || (in.Email == "") == (in.Object == "") || in.At.IsZero() || in.Properties["other"] != nil {
		return refusal(400, "VALIDATION_ERROR")
	}
	return 204, ""
}

func identify(n int, email, traits string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"identify","userId":"u%d","traits":{"email":%q%s}}`, n, n, email, traits)
}

func TestAnswersOfHubSpot(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	token, events := map[string]string{"accessToken": "made-up-hubspot-token"}, `"events":{"Order Completed":"pe1_order","Gone":"gone"}`
	group := `{"messageId":"m1","type":"group","userId":"ada","groupId":"g/1","traits":{"name":"Acme"},"context":{"traits":{"email":"Ada@example.com"}}}`
	track := func(n int, name, properties string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":%q,"context":{"traits":{"email":"ada@example.com"}},"properties":{%s}}`, n, name, properties)
	}
	destinationtest.Exchanges(t, kind, standIn, map[string]destinationtest.Exchange{
		"contacts":                   {Secrets: token, Events: []string{identify(1, "ada@example.com", `,"firstName":"Ada"`), identify(2, "bob@example.com", "")}, Want: []string{"delivered", "delivered"}, Statuses: []int{200}},
		"one contact twice":          {Secrets: token, Events: []string{identify(1, "ada@example.com", ""), identify(2, "ADA@example.com", "")}, Want: []string{"delivered", "delivered"}, Statuses: []int{400, 200, 200}},
		"one of three is refused":    {Settings: `"contactProperties":{"shoe":"shoe_size"}`, Secrets: token, Events: []string{identify(1, "ada@example.com", ""), identify(2, "bob@example.com", `,"shoe":7`), identify(3, "eve@example.com", "")}, Want: []string{"delivered", "dead hubspot_refused", "delivered"}, Statuses: []int{207, 200, 200}},
		"an address that is none":    {Secrets: token, Events: []string{identify(1, "ada@example", ""), identify(2, "bob@example.com", "")}, Want: []string{"dead hubspot_refused", "delivered"}, Statuses: []int{207, 200}},
		"nobody":                     {Secrets: token, Events: []string{identify(1, "nobody", "")}, Want: []string{"dropped hubspot_no_user"}},
		"known by another property":  {Settings: `"lookupField":"user_id"`, Secrets: token, Events: []string{identify(1, "ada@example.com", "")}, Want: []string{"delivered"}, Statuses: []int{200}},
		"custom events":              {Settings: events, Secrets: token, Events: []string{track(1, "Order Completed", ""), track(2, "Other", "")}, Want: []string{"delivered", "dropped hubspot_no_event"}, Statuses: []int{204}},
		"an event that is not there": {Settings: events + `,"eventProperties":{"n":"other"}`, Secrets: token, Events: []string{track(1, "Gone", ""), track(2, "Order Completed", `"n":1`)}, Want: []string{"dead hubspot_refused", "dead hubspot_refused"}, Statuses: []int{400, 400}},
		"a company and its contact":  {Settings: `"companyLookupField":"group_id"`, Secrets: token, Events: []string{group}, Want: []string{"delivered"}, Statuses: []int{404, 404, 200, 404, 200, 200, 200, 200}},
		"a company alone":            {Settings: `"companyLookupField":"group_id","associate":false`, Secrets: token, Events: []string{group}, Want: []string{"delivered"}, Statuses: []int{200}},
		"another token":              {Secrets: map[string]string{"accessToken": "another-token"}, Events: []string{identify(1, "ada@example.com", "")}, Want: []string{"dead rejected_401"}, Statuses: []int{401}},
		"too many requests":          {Secrets: token, Events: []string{identify(1, "loud@example.com", "")}, Want: []string{"retry busy"}, Statuses: []int{429}},
	})
	for _, settings := range []string{events, events + `,"companyLookupField":"group_id"`, events + `,"lookupField":"user_id","companyLookupField":"group_id"`} {
		destinationtest.ExchangeGenerated(t, kind, standIn, settings, token)
	}
}
