package customerio_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/customerio"
)

const key = "made-up-customerio-key"

var ulid = regexp.MustCompile(`^[0-7][0-9A-HJKMNP-TV-Z]{25}$`)

// operation is one of a batch.
type operation struct {
	Type          string         `json:"type"`
	Action        string         `json:"action"`
	Identifiers   map[string]any `json:"identifiers"`
	Primary       map[string]any `json:"primary"`
	Secondary     map[string]any `json:"secondary"`
	Name          string         `json:"name"`
	ID            string         `json:"id"`
	Timestamp     int64          `json:"timestamp"`
	Attributes    map[string]any `json:"attributes"`
	Relationships []struct {
		Identifiers map[string]any `json:"identifiers"`
	} `json:"cio_relationships"`
	Device struct {
		Token      string         `json:"token"`
		Platform   string         `json:"platform"`
		LastUsed   int64          `json:"last_used"`
		Attributes map[string]any `json:"attributes"`
	} `json:"device"`
}

// good reports whether Customer.io takes an operation.
func (o operation) good() bool {
	person := len(o.Identifiers) == 1 && (o.Identifiers["id"] != nil || o.Identifiers["email"] != nil)
	switch {
	case o.Attributes["bad"] != nil:
		return false
	case o.Type == "person" && slices.Contains([]string{"event", "page", "screen"}, o.Action):
		return person && o.Name != "" && ulid.MatchString(o.ID) && o.Timestamp > 1e9 && o.Timestamp < 1e11
	case o.Type == "person" && o.Action == "identify":
		return person && o.Attributes != nil
	case o.Type == "person" && o.Action == "add_device":
		return person && o.Device.Token != "" && slices.Contains([]string{"ios", "android"}, o.Device.Platform)
	case o.Type == "person" && o.Action == "merge":
		return o.Primary["id"] != nil && o.Secondary["id"] != nil
	case o.Type == "object":
		kind, text := o.Identifiers["object_type_id"].(string)
		return text && kind != "" && o.Identifiers["object_id"] != nil && len(o.Relationships) == 1 && (o.Relationships[0].Identifiers["anonymous_id"] != nil) == (o.Action == "identify_anonymous")
	}
	return false
}

// answer is Customer.io as its pages describe it: it refuses what Customer.io refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	var in struct {
		Batch     []json.RawMessage `json:"batch"`
		Name      string            `json:"name"`
		Anonymous string            `json:"anonymous_id"`
	}
	site, word, _ := r.BasicAuth()
	switch bad := json.Unmarshal(text, &in); {
	case err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json":
		return 404, ""
	case site != "site-1" || word != key:
		return 401, `{"meta":{"error":"Unauthorized request"}}`
	case bad != nil:
		return 400, `{"errors":[{"reason":"invalid","field":"","message":"malformed"}]}`
	case len(text) >= 500_000 || len(in.Batch) > s.Most:
		return 413, ""
	case strings.Contains(string(text), "loud"):
		return 429, ""
	case strings.Contains(string(text), "down"):
		return 503, ""
	case r.URL.Path == "/api/v1/events":
		if in.Name == "" || in.Anonymous == "" || in.Name == "bad" {
			return 400, `{"meta":{"errors":["anonymous_id is required"]}}`
		}
		s.Taken = append(s.Taken, "anonymous "+in.Name)
		return 200, `{}`
	case r.URL.Path != "/api/v2/batch" || len(in.Batch) == 0:
		return 404, ""
	}
	var problems []string
	for i, raw := range in.Batch {
		var o operation
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.DisallowUnknownFields()
		if dec.Decode(&o) != nil || !o.good() || len(raw) > 32<<10 {
			problems = append(problems, fmt.Sprintf(`{"batch_index":%d,"reason":"invalid","field":"attributes","message":"is invalid"}`, i))
			continue
		}
		s.Taken = append(s.Taken, strings.TrimSpace(o.Action+" "+o.Name))
	}
	if problems != nil {
		return 207, `{"errors":[` + strings.Join(problems, ",") + `]}`
	}
	return 200, `{}`
}

func TestAnswersOfCustomerIO(t *testing.T) {
	t.Parallel()
	track := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E%d","properties":{"n":%d%s}}`, n, n, n, more)
	}
	device := `{"messageId":"m1","type":"track","userId":"ada","event":"Application Opened","properties":{%s},"context":{"device":{"token":"t","type":"ios"}}}`
	for name, tc := range map[string]struct {
		settings string // further ones
		key      string
		most     int
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken, in order": {"", key, 9, []string{`{"messageId":"m1","type":"identify","userId":"ada","traits":{"a":1}}`, track(2, ""), `{"messageId":"m3","type":"group","userId":"ada","groupId":"g"}`, `{"messageId":"m4","type":"alias","userId":"ada","previousId":"x"}`, `{"messageId":"m5","type":"page","userId":"ada"}`},
			[]string{"delivered", "delivered", "delivered", "delivered", "delivered"}, []string{"identify", "event E2", "identify", "merge", "page page"}, []string{"/api/v2/batch 200"}},
		"of a partial batch the refused alone are dead": {"", key, 9, []string{track(1, ""), track(2, `,"bad":1`), track(3, "")}, []string{"delivered", "dead customerio_refused", "delivered"}, []string{"event E1", "event E3"}, []string{"/api/v2/batch 207"}},
		"a device and its event":                        {"", key, 9, []string{fmt.Sprintf(device, ""), track(2, "")}, []string{"delivered", "delivered"}, []string{"add_device", "event Application Opened", "event E2"}, []string{"/api/v2/batch 200"}},
		"a refused event of a device":                   {"", key, 9, []string{fmt.Sprintf(device, `"bad":1`), track(2, "")}, []string{"dead customerio_refused", "delivered"}, []string{"add_device", "event E2"}, []string{"/api/v2/batch 207"}},
		"an event that is too large":                    {"", key, 9, []string{track(1, ""), track(2, `,"x":"`+strings.Repeat("x", 33_000)+`"`)}, []string{"delivered", "dead customerio_refused"}, []string{"event E1"}, []string{"/api/v2/batch 207"}},
		"nobody that is known":                          {"", key, 9, []string{`{"messageId":"m1","type":"track","anonymousId":"a","event":"E"}`}, []string{"delivered"}, []string{"anonymous E"}, []string{"/api/v1/events 200"}},
		"nobody, refused":                               {"", key, 9, []string{`{"messageId":"m1","type":"track","anonymousId":"a","event":"bad"}`}, []string{"dead customerio_refused"}, nil, []string{"/api/v1/events 400"}},
		"a wrong key":                                   {"", "another-key", 9, []string{track(1, "")}, []string{"dead rejected_401"}, nil, []string{"/api/v2/batch 401"}},
		"too large a batch is split":                    {"", key, 2, []string{track(1, ""), track(2, ""), track(3, "")}, []string{"delivered", "delivered", "delivered"}, []string{"event E1", "event E2", "event E3"}, []string{"/api/v2/batch 413", "/api/v2/batch 200", "/api/v2/batch 200"}},
		"who sends too much":                            {"", key, 9, []string{track(1, `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{"/api/v2/batch 429"}},
		"Customer.io has a rest":                        {"", key, 9, []string{track(1, `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{"/api/v2/batch 503"}},
		"what it cannot take":                           {"", key, 9, []string{`{"messageId":"m1","type":"track","event":"E"}`, track(2, "")}, []string{"dropped customerio_no_person", "delivered"}, []string{"event E2"}, []string{"/api/v2/batch 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			got := destinationtest.Send(t, customerio.Kind(), `{"baseUrl":"`+s.URL+`","siteId":"site-1"`+tc.settings+`}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
