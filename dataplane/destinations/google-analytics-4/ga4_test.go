package googleanalytics4_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	googleanalytics4 "weir/dataplane/destinations/google-analytics-4"
	"weir/shared/fault"
	"weir/shared/secret"
)

const apiSecret = "made-up-ga4-secret"

// standIn is Google Analytics: /mp/collect answers 204 to anything, but says nothing of
// what it cannot use, and /debug/mp/collect names it. Both go by one list of rules.
type standIn struct {
	url    string
	status int // that is answered in the place of all others
	mu     sync.Mutex
	taken  []string // names of events that were used, in order
	codes  []int    // of answers
}

func newStandIn(t *testing.T, status int) *standIn {
	s := &standIn{status: status}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := io.ReadAll(r.Body)
	status, answer := 204, ""
	names, problem := read(text)
	q := r.URL.Query()
	switch {
	case err != nil || r.Method != "POST":
		status = 405
	case s.status != 0:
		status = s.status
	case r.URL.Path == "/debug/mp/collect":
		status, answer = 200, `{"validationMessages":[]}`
		if problem != "" {
			answer = fmt.Sprintf(`{"validationMessages":[{"fieldPath":%q,"description":"is invalid","validationCode":"VALUE_INVALID"}]}`, problem)
		}
	case r.URL.Path == "/mp/collect" && problem == "" && q.Get("api_secret") == apiSecret && (q.Get("measurement_id") == "G-12345ABCDE") != (q.Get("firebase_app_id") == "1:123:ios:abc"):
		s.taken = append(s.taken, names...)
	}
	s.codes = append(s.codes, status)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer)) // the client has gone
}

var (
	reserved = regexp.MustCompile(`^(ga_|google_|firebase_)`)
	goodName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	instance = regexp.MustCompile(`^[A-Fa-f0-9]{32}$`)
)

// read returns the names of a request's events, and where it breaks a rule.
func read(text []byte) (names []string, problem string) {
	var in struct {
		Client     string                          `json:"client_id"`
		Instance   string                          `json:"app_instance_id"`
		User       *string                         `json:"user_id"`
		Properties map[string]struct{ Value *any } `json:"user_properties"`
		Location   map[string]string               `json:"user_location"`
		IP         string                          `json:"ip_override"`
		Device     map[string]string               `json:"device"`
		Behavior   string                          `json:"validation_behavior"`
		Events     []struct {
			Name   string         `json:"name"`
			Params map[string]any `json:"params"`
			Time   int64          `json:"timestamp_micros"`
		} `json:"events"`
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	switch err := dec.Decode(&in); {
	case err != nil:
		return nil, "body: " + err.Error()
	case len(text) >= 130_000:
		return nil, "body"
	case in.Client == "" && !instance.MatchString(in.Instance):
		return nil, "client_id"
	case in.User != nil && *in.User == "":
		return nil, "user_id"
	case len(in.Events) < 1 || len(in.Events) > 25:
		return nil, "events"
	case len(in.Properties) > 25:
		return nil, "user_properties"
	}
	for name, p := range in.Properties {
		if !goodName.MatchString(name) || reserved.MatchString(name) || len(name) > 24 || p.Value == nil || slices.Contains([]string{"email", "user_id"}, name) || utf8.RuneCountInString(fmt.Sprint(*p.Value)) > 36 {
			return nil, "user_properties." + name
		}
	}
	for _, e := range in.Events {
		if !goodName.MatchString(e.Name) || reserved.MatchString(e.Name) || len(e.Name) > 40 || e.Time < 1e15 || len(e.Params) > 25 || slices.Contains([]string{"session_start", "screen_view"}, e.Name) {
			return nil, "events." + e.Name
		}
		if v, there := e.Params["value"]; there {
			if _, number := v.(float64); !number || e.Params["currency"] == nil {
				return nil, "events.params.value"
			}
		}
		for name, v := range e.Params {
			if items, list := v.([]any); list && name == "items" && goodItems(items) {
				continue
			}
			text, isText := v.(string)
			_, isNumber := v.(float64)
			if !goodName.MatchString(name) || reserved.MatchString(name) || len(name) > 40 || !isText && !isNumber || !strings.HasPrefix(name, "page_") && utf8.RuneCountInString(text) > 100 {
				return nil, "events.params." + name
			}
		}
		names = append(names, e.Name)
	}
	return names, ""
}

func goodItems(items []any) bool {
	for _, item := range items {
		members, _ := item.(map[string]any)
		id, isText := members["item_id"].(string)
		name, _ := members["item_name"].(string)
		if id == "" && name == "" || members["item_id"] != nil && !isText {
			return false
		}
	}
	return len(items) > 0 && len(items) <= 200
}

func track(n int, name, props string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","anonymousId":"a-1","event":%q,"properties":{%s}}`, n, name, props)
}

func TestAnswersOfGoogleAnalytics(t *testing.T) {
	t.Parallel()
	order := track(1, "Order Completed", `"order_id":"o1","revenue":25.5,"currency":"EUR","products":[{"product_id":7,"price":12.75,"quantity":2}]`)
	noCurrency := track(2, "Order Completed", `"order_id":"o2","revenue":1`)
	for name, tc := range map[string]struct {
		settings string // further ones
		status   int
		events   []string
		want     []string
		taken    []string
		codes    []int
	}{
		"all are taken, in silence":             {`"measurementId":"G-12345ABCDE"`, 0, []string{order, track(2, "Song Played", `"a b":"c"`)}, []string{"delivered", "delivered"}, []string{"purchase", "song_played"}, []int{204}},
		"an app stream":                         {`"firebaseAppId":"1:123:ios:abc"`, 0, []string{`{"messageId":"m1","type":"screen","anonymousId":"0123456789abcdef0123456789abcdef","name":"Cart"}`}, []string{"delivered"}, []string{"screen"}, []int{204}},
		"the validation server is content":      {`"measurementId":"G-12345ABCDE","debug":true`, 0, []string{order}, []string{"delivered"}, nil, []int{200}},
		"errors inside a 200 of the validation": {`"measurementId":"G-12345ABCDE","debug":true`, 0, []string{order, noCurrency, track(3, "E", "")}, []string{"delivered", "dead google_analytics_4_invalid", "delivered"}, nil, []int{200, 200, 200, 200, 200}},
		"Google has a rest":                     {`"measurementId":"G-12345ABCDE"`, 503, []string{order}, []string{"retry server_error"}, nil, []int{503}},
		"too much at once":                      {`"measurementId":"G-12345ABCDE"`, 429, []string{order}, []string{"retry busy"}, nil, []int{429}},
		"too large":                             {`"measurementId":"G-12345ABCDE"`, 413, []string{order, noCurrency}, []string{"dead rejected_413", "dead rejected_413"}, nil, []int{413, 413, 413}},
		"a redirect":                            {`"measurementId":"G-12345ABCDE"`, 302, []string{order}, []string{"dead redirected"}, nil, []int{302}},
		"what is no event for Google":           {`"measurementId":"G-12345ABCDE"`, 0, []string{track(1, "first_open", ""), order}, []string{"dropped google_analytics_4_bad_name", "delivered"}, []string{"purchase"}, []int{204}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t, tc.status)
			got := destinationtest.Send(t, googleanalytics4.Kind(), `{"baseUrl":"`+s.url+`",`+tc.settings+`}`, map[string]string{"apiSecret": apiSecret}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.taken) + cmp.Diff(tc.codes, s.codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestWhatGoogleCannotUseIsNotSent: of hostile events, what leaves keeps the rules.
func TestWhatGoogleCannotUseIsNotSent(t *testing.T) {
	t.Parallel()
	s := newStandIn(t, 0)
	long := strings.Repeat("ü", 300)
	var wide []string
	for i := range 60 {
		wide = append(wide, fmt.Sprintf(`"k%d":"%s"`, i, long))
	}
	events := []string{
		track(1, long, ""), track(2, "a"+long, `"ünï ✓":"`+long+`","\ud800":1,"":2,"google_a":3,"x":{"y":1},"z":[1]`), track(3, "Product Viewed", `"product_id":{"a":1},"name":"`+long+`","price":"12","currency":"EUR","quantity":[1]`),
		track(4, "E", strings.Join(wide, ",")), track(5, "Order Completed", `"products":[1,{"name":""},{"sku":"`+long+`"}]`),
		`{"messageId":"m6","type":"identify","userId":"ada","traits":{` + strings.Join(wide, ",") + `,"email":"a@b.example"}}`,
	}
	got := destinationtest.Send(t, googleanalytics4.Kind(), `{"baseUrl":"`+s.url+`","measurementId":"G-12345ABCDE"}`, map[string]string{"apiSecret": apiSecret}, events...)
	want := []string{"dropped google_analytics_4_bad_name", "delivered", "delivered", "delivered", "delivered", "delivered"}
	if diff := cmp.Diff(want, got) + cmp.Diff(5, len(s.taken)); diff != "" {
		t.Errorf("taken %q, -want +got\n%s", s.taken, diff)
	}
}

func TestOneStreamIsNamed(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{`{}`, `{"measurementId":"G-12345ABCDE","firebaseAppId":"1:123:ios:abc"}`} {
		_, err := googleanalytics4.Kind().Open([]byte(settings), map[string]secret.String{"apiSecret": secret.NewString(apiSecret)})
		if fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 || fault.ProblemsOf(err)[0].Path != "settings.measurementId" {
			t.Errorf("%s: %v, want a problem of settings.measurementId", settings, err)
		}
	}
}
