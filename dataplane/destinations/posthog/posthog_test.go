package posthog_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const key = "phc_made-up-posthog-key"

// answer is PostHog as its pages describe it: it refuses what PostHog refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	var in struct {
		Key   string `json:"api_key"`
		Batch []struct {
			Event      string         `json:"event"`
			User       string         `json:"distinct_id"`
			Properties map[string]any `json:"properties"`
			Time       time.Time      `json:"timestamp"`
			UUID       string         `json:"uuid"`
		} `json:"batch"`
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	switch bad := dec.Decode(&in); {
	case err != nil || r.Method != "POST" || r.URL.Path != "/batch/" || r.Header.Get("Content-Type") != "application/json":
		return 404, ""
	case bad != nil:
		return 400, `{"type":"validation_error","code":"invalid_payload","detail":"Malformed request data"}`
	case in.Key != key:
		return 401, `{"type":"authentication_error","code":"invalid_api_key","detail":"Project API key invalid."}`
	case len(text) > 20<<20 || len(in.Batch) > s.Most:
		return 413, "payload too large"
	case strings.Contains(string(text), "loud"):
		return 429, "rate limited"
	case strings.Contains(string(text), "down"):
		return 503, ""
	case strings.Contains(string(text), "bad"):
		return 400, `{"type":"validation_error","code":"invalid_payload"}`
	}
	for _, e := range in.Batch { // what has no name or person is dropped in silence
		if e.Event != "" && e.User != "" && !e.Time.IsZero() && (e.Event != "$groupidentify" || e.Properties["$group_type"] != nil && e.Properties["$group_key"] != nil) {
			s.Taken = append(s.Taken, fmt.Sprint(e.Event, " ", e.Properties["$insert_id"]))
		}
	}
	return 200, `{"status":1}`
}

func TestAnswersOfPostHog(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	track := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E","properties":{"n":%d%s}}`, n, n, more)
	}
	for name, tc := range map[string]struct {
		settings string // further ones
		key      string
		most     int
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken, in one request": {"", key, 9, []string{track(1, ""), `{"messageId":"m2","type":"identify","userId":"ada","traits":{"a":1}}`, `{"messageId":"m3","type":"page","userId":"ada"}`, `{"messageId":"m4","type":"alias","userId":"ada","previousId":"x"}`},
			[]string{"delivered", "delivered", "delivered", "delivered"}, []string{"E m1", "$identify m2", "$pageview m3", "$create_alias m4"}, []string{"/batch 200"}},
		"groups":                           {`,"groups":"company"`, key, 9, []string{`{"messageId":"m1","type":"group","userId":"ada","groupId":"g1"}`}, []string{"delivered"}, []string{"$groupidentify m1"}, []string{"/batch 200"}},
		"a wrong key":                      {"", "another-key", 9, []string{track(1, ""), track(2, "")}, []string{"dead rejected_401", "dead rejected_401"}, nil, []string{"/batch 401"}},
		"too large a batch is split":       {"", key, 2, []string{track(1, ""), track(2, ""), track(3, "")}, []string{"delivered", "delivered", "delivered"}, []string{"E m1", "E m2", "E m3"}, []string{"/batch 413", "/batch 200", "/batch 200"}},
		"one spoils a batch":               {"", key, 9, []string{track(1, ""), track(2, `,"x":"bad"`)}, []string{"delivered", "dead rejected_400"}, []string{"E m1"}, []string{"/batch 400", "/batch 200", "/batch 400"}},
		"who sends too much":               {"", key, 9, []string{track(1, `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{"/batch 429"}},
		"PostHog has a rest":               {"", key, 9, []string{track(1, `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{"/batch 503"}},
		"what would be dropped in silence": {"", key, 9, []string{`{"messageId":"m1","type":"track","event":"E"}`, track(2, "")}, []string{"dropped posthog_no_person", "delivered"}, []string{"E m2"}, []string{"/batch 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			got := destinationtest.Send(t, kind, `{"baseUrl":"`+s.URL+`"`+tc.settings+`}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
