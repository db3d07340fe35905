package braze_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const key = "made-up-braze-key"

// standIn is Braze as its pages describe it: a 201 lists the objects that it did not
// take, a request without any that it takes is a 400.
type standIn struct {
	did []string // requests come one after the other
}

type object struct {
	External string `json:"external_id"`
	Alias    *struct {
		Name  string `json:"alias_name"`
		Label string `json:"alias_label"`
	} `json:"user_alias"`
	OnlyExisting *bool          `json:"_update_existing_only"`
	Name         string         `json:"name"`
	Time         string         `json:"time"`
	Product      string         `json:"product_id"`
	Currency     string         `json:"currency"`
	Price        *float64       `json:"price"`
	Properties   map[string]any `json:"properties"`
}

// refuses is why Braze does not take an object of a list; "": it does.
func (o object) refuses(list string) string {
	switch {
	case o.External == "" && (o.Alias == nil || o.Alias.Name == "" || o.Alias.Label == "" || o.OnlyExisting == nil || *o.OnlyExisting):
		return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
	case list == "events" && (o.Name == "" || o.Time == ""):
		return "'name' and 'time' are required"
	case list == "purchases" && (o.Product == "" || len(o.Currency) != 3 || o.Price == nil || o.Time == ""):
		return "'product_id', 'currency', 'price' and 'time' are required"
	case o.Properties["time"] != nil || o.Properties["event_name"] != nil || o.Properties["bad"] != nil:
		return "'properties' is not valid"
	}
	return ""
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in map[string]json.RawMessage
	status, answer := 201, map[string]any{"message": "success"}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case err != nil || r.Method != http.MethodPost:
		status, answer["message"] = 400, "Bad Request"
	case r.Header.Get("Authorization") != "Bearer "+key:
		status, answer["message"] = 401, "Invalid API Key"
	case r.URL.Path == "/users/identify":
		var list []object
		if json.Unmarshal(in["aliases_to_identify"], &list) != nil || len(list) == 0 || len(list) > 50 || string(in["merge_behavior"]) != `"merge"` {
			status, answer["message"] = 400, "'aliases_to_identify' is not valid"
			break
		}
		s.did = append(s.did, fmt.Sprint("identify ", len(list)))
		answer["aliases_processed"] = len(list)
	case r.URL.Path == "/users/track":
		status = s.track(in, answer)
	default:
		status = 404
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
}

func (s *standIn) track(in map[string]json.RawMessage, answer map[string]any) int {
	took, problems := 0, []map[string]any{}
	for _, name := range []string{"attributes", "events", "purchases"} {
		var list []object
		if in[name] == nil {
			continue
		}
		if json.Unmarshal(in[name], &list) != nil || len(list) > 75 {
			answer["message"] = "'" + name + "' is not valid"
			return 400
		}
		for i, o := range list {
			if why := o.refuses(name); why != "" {
				problems = append(problems, map[string]any{"type": why, "input_array": name, "index": i})
			}
		}
		answer[name+"_processed"] = len(list) - len(problems)
		took += len(list) - len(problems)
		s.did = append(s.did, fmt.Sprintf("%s %d of %d", name, len(list)-len(problems), len(list)))
	}
	if len(problems) > 0 {
		answer["errors"] = problems
	}
	if took == 0 {
		answer["message"] = "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."
		return 400
	}
	return 201
}

func TestAnswersOfBraze(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	event := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"u%d","event":"E","properties":{"n":%d%s}}`, n, n, n, more)
	}
	identify := func(n int) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"identify","userId":"u%d","anonymousId":"a%d","traits":{"n":%d}}`, n, n, n, n)
	}
	order := func(n int, products string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","anonymousId":"a%d","event":"Order Completed","properties":{"products":[%s]}}`, n, n, products)
	}
	var many, delivered []string
	for n := range 60 {
		many, delivered = append(many, identify(n)), append(delivered, "delivered")
	}
	for name, tc := range map[string]struct {
		key    string
		events []string
		want   []string
		did    []string
	}{
		"all are taken":             {key, []string{event(1, ""), event(2, `,"time":"x"`)}, []string{"delivered", "delivered"}, []string{"events 2 of 2"}},
		"one is refused":            {key, []string{event(1, ""), event(2, `,"bad":1`), event(3, "")}, []string{"delivered", "dead braze_refused", "delivered"}, []string{"events 2 of 3"}},
		"one alone is refused":      {key, []string{event(1, `,"bad":1`)}, []string{"dead braze_refused"}, []string{"events 0 of 1"}},
		"a product is refused":      {key, []string{order(1, `{"sku":"a"},{"price":1}`), order(2, `{"sku":"c","price":2}`)}, []string{"dead braze_refused", "delivered"}, []string{"purchases 2 of 3"}},
		"a wrong key":               {"another-key", []string{event(1, "")}, []string{"dead rejected_401"}, nil},
		"traits follow the merging": {key, []string{identify(1), identify(2)}, []string{"delivered", "delivered"}, []string{"identify 2", "attributes 2 of 2"}},
		"fifty are merged at once":  {key, many, delivered, []string{"identify 50", "attributes 50 of 50", "identify 10", "attributes 10 of 10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &standIn{}
			srv := httptest.NewServer(s)
			t.Cleanup(srv.Close)
			got := destinationtest.Send(t, kind, `{"endpoint":"rest.iad-01.braze.com","baseUrl":"`+srv.URL+`"}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.did, s.did); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
