package klaviyo_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const key = "made-up-klaviyo-key"

// standIn is Klaviyo as its pages describe it: it refuses what Klaviyo refuses, with the
// errors of JSON:API.
type standIn struct {
	url   string
	mu    sync.Mutex
	taken []string // what was kept, in order
	codes []string // path and status of answers
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status, problem, answer := s.answer(r)
	if problem != "" {
		answer = fmt.Sprintf(`{"errors":[{"id":"e1","status":%d,"code":%q,"title":"Invalid input.","detail":"The payload is not right.","source":{"pointer":"/data/"}}]}`, status, problem)
	}
	if status == 429 {
		w.Header().Set("Retry-After", "7")
	}
	s.codes = append(s.codes, fmt.Sprint(strings.TrimPrefix(r.URL.Path, "/api/"), " ", status))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(answer)) // the client has gone
}

type resource struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

type profile struct {
	Data struct {
		Type       string `json:"type"`
		Attributes struct {
			Email         string                                  `json:"email"`
			Phone         string                                  `json:"phone_number"`
			External      string                                  `json:"external_id"`
			Anonymous     string                                  `json:"anonymous_id"`
			First         string                                  `json:"first_name"`
			Last          string                                  `json:"last_name"`
			Organization  string                                  `json:"organization"`
			Locale        string                                  `json:"locale"`
			Title         string                                  `json:"title"`
			Image         string                                  `json:"image"`
			Location      map[string]any                          `json:"location"`
			Properties    map[string]any                          `json:"properties"`
			Subscriptions map[string]map[string]map[string]string `json:"subscriptions"`
		} `json:"attributes"`
	} `json:"data"`
}

var (
	address = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
	number  = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

func (p profile) good() bool {
	a := p.Data.Attributes
	return p.Data.Type == "profile" && a.Email+a.Phone+a.External+a.Anonymous != "" && (a.Email == "" || address.MatchString(a.Email)) && (a.Phone == "" || number.MatchString(a.Phone))
}

func (s *standIn) answer(r *http.Request) (status int, problem, body string) {
	text, err := io.ReadAll(r.Body)
	switch {
	case err != nil || r.Method != "POST":
		return 405, "method_not_allowed", ""
	case r.Header.Get("Authorization") != "Klaviyo-API-Key "+key:
		return 401, "not_authenticated", ""
	case r.Header.Get("Revision") == "":
		return 400, "missing_revision", ""
	case r.Header.Get("Content-Type") != "application/vnd.api+json":
		return 415, "unsupported_media_type", ""
	case strings.Contains(string(text), "loud"), strings.Contains(string(text), `"ProductName":"late"`):
		return 429, "throttled", ""
	case strings.Contains(string(text), "down"):
		return 503, "service_unavailable", ""
	}
	switch r.URL.Path {
	case "/api/events":
		return s.event(text)
	case "/api/profile-import":
		var p profile
		switch bad := strict(text, &p); {
		case bad || !p.good():
			return 400, "invalid", ""
		case p.Data.Attributes.External == "twin":
			return 409, "duplicate_profile", ""
		}
		s.taken = append(s.taken, "profile "+p.Data.Attributes.External)
		return 201, "", `{"data":{"type":"profile","id":"01"}}`
	case "/api/profile-subscription-bulk-create-jobs":
		return s.subscription(text)
	}
	return 404, "not_found", ""
}

func strict(text []byte, to any) (bad bool) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	return dec.Decode(to) != nil
}

func (s *standIn) event(text []byte) (status int, problem, body string) {
	var in struct {
		Data struct {
			Type       string `json:"type"`
			Attributes struct {
				Properties map[string]any `json:"properties"`
				Time       time.Time      `json:"time"`
				Value      *float64       `json:"value"`
				Currency   string         `json:"value_currency"`
				Unique     string         `json:"unique_id"`
				Metric     struct {
					Data resource `json:"data"`
				} `json:"metric"`
				Profile profile `json:"profile"`
			} `json:"attributes"`
		} `json:"data"`
	}
	bad := strict(text, &in)
	a := in.Data.Attributes
	name, _ := a.Metric.Data.Attributes["name"].(string)
	if bad || in.Data.Type != "event" || a.Properties == nil || len(a.Properties) > 400 || a.Properties["bad"] != nil || a.Metric.Data.Type != "metric" || name == "" || len(name) >= 128 ||
		!a.Profile.good() || a.Unique == "" || a.Time.Year() < 1990 || a.Currency != "" && len(a.Currency) != 3 {
		return 400, "invalid", ""
	}
	s.taken = append(s.taken, name+" "+a.Unique)
	return 202, "", ""
}

func (s *standIn) subscription(text []byte) (status int, problem, body string) {
	var in struct {
		Data struct {
			Type       string `json:"type"`
			Attributes struct {
				Profiles struct {
					Data []json.RawMessage `json:"data"`
				} `json:"profiles"`
			} `json:"attributes"`
			Relationships struct {
				List *struct {
					Data resource `json:"data"`
				} `json:"list"`
			} `json:"relationships"`
		} `json:"data"`
	}
	bad := strict(text, &in)
	list := in.Data.Relationships.List
	if bad || in.Data.Type != "profile-subscription-bulk-create-job" || len(in.Data.Attributes.Profiles.Data) != 1 || list != nil && (list.Data.Type != "list" || list.Data.ID == "") {
		return 400, "invalid", ""
	}
	var p profile
	if json.Unmarshal([]byte(`{"data":`+string(in.Data.Attributes.Profiles.Data[0])+`}`), &p) != nil || !p.good() || len(p.Data.Attributes.Subscriptions) == 0 {
		return 400, "invalid", ""
	}
	for channel, consent := range p.Data.Attributes.Subscriptions {
		if consent["marketing"]["consent"] != "SUBSCRIBED" || channel == "sms" && p.Data.Attributes.Phone == "" || channel == "email" && p.Data.Attributes.Email == "" {
			return 400, "invalid", ""
		}
	}
	s.taken = append(s.taken, fmt.Sprintf("subscribed %s to %d", p.Data.Attributes.Email, len(p.Data.Attributes.Subscriptions)))
	return 202, "", ""
}

func TestAnswersOfKlaviyo(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	track := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E","properties":{"n":%d%s}}`, n, n, more)
	}
	order := func(products ...string) string {
		return `{"messageId":"m1","type":"track","userId":"ada","event":"Order Completed","properties":{"products":[{"name":"` + strings.Join(products, `"},{"name":"`) + `"}]}}`
	}
	consent := `{"messageId":"m1","type":"identify","userId":"ada","traits":{"email":"ada@example.com","phone":"+41441234567","consent":true}}`
	for name, tc := range map[string]struct {
		settings string // further ones
		key      string
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken":                {"", key, []string{track(1, ""), track(2, `,"value":3,"currency":"EUR"`)}, []string{"delivered", "delivered"}, []string{"E m1", "E m2"}, []string{"events 202", "events 202"}},
		"a field that is refused":      {"", key, []string{track(1, `,"bad":1`), track(2, "")}, []string{"dead klaviyo_refused", "delivered"}, []string{"E m2"}, []string{"events 400", "events 202"}},
		"a wrong key":                  {"", "another-key", []string{track(1, "")}, []string{"dead rejected_401"}, nil, []string{"events 401"}},
		"too many requests":            {"", key, []string{track(1, `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{"events 429"}},
		"Klaviyo has a rest":           {"", key, []string{track(1, `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{"events 503"}},
		"a profile that is there":      {"", key, []string{`{"messageId":"m1","type":"identify","userId":"twin"}`}, []string{"dead klaviyo_duplicate"}, nil, []string{"profile-import 409"}},
		"consent follows a profile":    {`,"listId":"l1","consent":"emailAndSms"`, key, []string{consent}, []string{"delivered"}, []string{"profile ada", "subscribed ada@example.com to 2"}, []string{"profile-import 201", "profile-subscription-bulk-create-jobs 202"}},
		"no consent without a channel": {`,"listId":"l1"`, key, []string{consent}, []string{"delivered"}, []string{"profile ada"}, []string{"profile-import 201"}},
		"consent that is refused":      {`,"listId":"loud","consent":"email"`, key, []string{consent}, []string{"retry busy"}, []string{"profile ada"}, []string{"profile-import 201", "profile-subscription-bulk-create-jobs 429"}},
		"a number that is none":        {"", key, []string{`{"messageId":"m1","type":"identify","userId":"ada","traits":{"phone":"044 123","email":"nobody"}}`}, []string{"delivered"}, []string{"profile ada"}, []string{"profile-import 201"}},
		"an order and its products":    {"", key, []string{order("loaf", "tin")}, []string{"delivered"}, []string{"Placed Order m1", "Ordered Product m1-1", "Ordered Product m1-2"}, []string{"events 202", "events 202", "events 202"}},
		"a product has to wait":        {"", key, []string{order("loaf", "late", "tin"), track(2, "")}, []string{"retry busy", "untried"}, []string{"Placed Order m1", "Ordered Product m1-1"}, []string{"events 202", "events 202", "events 429"}},
		"what is none for Klaviyo":     {"", key, []string{`{"messageId":"m1","type":"group","userId":"ada","groupId":"g"}`, track(2, "")}, []string{"dropped unsupported_event", "delivered"}, []string{"E m2"}, []string{"events 202"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			got := destinationtest.Send(t, kind, `{"baseUrl":"`+s.url+`"`+tc.settings+`}`, map[string]string{"privateApiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.taken) + cmp.Diff(tc.codes, s.codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
