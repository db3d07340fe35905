package segment_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destination/mapping"
)

//go:embed spec.yaml
var spec []byte

const key = "made-up-segment-key"

// answer is Segment as its pages describe it: it refuses what Segment refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	type call struct {
		Type, MessageID, UserID, AnonymousID, PreviousID, GroupID, Event, Name, Category string
		SentAt                                                                           string
		Timestamp                                                                        time.Time
		Properties, Traits, Context, Integrations                                        map[string]any
	}
	var in struct {
		Batch []json.RawMessage `json:"batch"`
		call
	}
	user, word, basic := r.BasicAuth()
	switch bad := json.Unmarshal(text, &in); {
	case err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json":
		return 404, ""
	case !basic || user != key || word != "":
		return 401, `{"success":false}`
	case bad != nil || len(text) > 500_000:
		return 400, `{"success":false,"code":"invalid_request"}`
	case len(in.Batch) > s.Most:
		return 413, ""
	case strings.Contains(string(text), "loud"):
		return 429, ""
	case strings.Contains(string(text), "down"):
		return 502, ""
	case strings.Contains(string(text), "spoiled"):
		return 200, `{"success":false}`
	case r.URL.Path == "/v1/alias":
		if in.PreviousID == "" || in.UserID == "" || in.Timestamp.IsZero() {
			return 400, `{"success":false}`
		}
		s.Taken = append(s.Taken, "alias "+in.MessageID)
		return 200, `{"success":true}`
	case r.URL.Path != "/v1/batch" || len(in.Batch) == 0:
		return 404, ""
	}
	var rejected []string
	for i, raw := range in.Batch {
		var c call
		dec := json.NewDecoder(strings.NewReader(string(raw)))
		dec.DisallowUnknownFields()
		switch bad := dec.Decode(&c); {
		case len(raw) > 32_000:
			return 400, `{"success":false}`
		case bad != nil || !slices.Contains([]string{"identify", "track", "page", "screen", "group"}, c.Type) || c.UserID+c.AnonymousID == "" || c.SentAt != "" || c.Timestamp.IsZero() || c.Properties["bad"] != nil:
			rejected = append(rejected, fmt.Sprintf(`{"index":%d,"code":"no_id","message":"no"}`, i))
		default:
			s.Taken = append(s.Taken, c.Type+" "+c.MessageID)
		}
	}
	if rejected != nil { // as Weir answers
		return 200, `{"success":true,"rejected":[` + strings.Join(rejected, ",") + `]}`
	}
	return 200, `{"success":true}`
}

func TestAnswersOfSegment(t *testing.T) {
	t.Parallel()
	kind := mapping.Define(spec)()
	track := func(n int, more string) string {
		return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E","sentAt":"2020-01-01T00:00:00Z","properties":{"n":%d%s}}`, n, n, more)
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
		"all are taken, in order": {"", key, 9, []string{track(1, ""), `{"messageId":"m2","type":"identify","userId":"ada"}`, `{"messageId":"m3","type":"group","userId":"ada","groupId":"g"}`, `{"messageId":"m4","type":"page","anonymousId":"a"}`},
			[]string{"delivered", "delivered", "delivered", "delivered"}, []string{"track m1", "identify m2", "group m3", "page m4"}, []string{"/v1/batch 200"}},
		"an alias is alone":            {"", key, 9, []string{track(1, ""), `{"messageId":"m2","type":"alias","userId":"ada","previousId":"x"}`}, []string{"delivered", "delivered"}, []string{"track m1", "alias m2"}, []string{"/v1/batch 200", "/v1/alias 200"}},
		"what Weir rejects in a 200":   {"", key, 9, []string{track(1, ""), track(2, `,"bad":1`), track(3, "")}, []string{"delivered", "dead segment_refused", "delivered"}, []string{"track m1", "track m3"}, []string{"/v1/batch 200"}},
		"a 200 without success":        {"", key, 9, []string{track(1, ""), track(2, `,"x":"spoiled"`)}, []string{"delivered", "dead segment_refused"}, []string{"track m1"}, []string{"/v1/batch 200", "/v1/batch 200", "/v1/batch 200"}},
		"a wrong key":                  {"", "another-key", 9, []string{track(1, "")}, []string{"dead rejected_401"}, nil, []string{"/v1/batch 401"}},
		"too large a batch is split":   {"", key, 2, []string{track(1, ""), track(2, ""), track(3, "")}, []string{"delivered", "delivered", "delivered"}, []string{"track m1", "track m2", "track m3"}, []string{"/v1/batch 413", "/v1/batch 200", "/v1/batch 200"}},
		"an event that is too large":   {"", key, 9, []string{track(1, ""), track(2, `,"x":"`+strings.Repeat("x", 33_000)+`"`)}, []string{"delivered", "dead rejected_400"}, []string{"track m1", "track m1"}, []string{"/v1/batch 400", "/v1/batch 200", "/v1/batch 400"}},
		"who sends too much":           {"", key, 9, []string{track(1, `,"x":"loud"`)}, []string{"retry busy"}, nil, []string{"/v1/batch 429"}},
		"Segment has a rest":           {"", key, 9, []string{track(1, `,"x":"down"`)}, []string{"retry server_error"}, nil, []string{"/v1/batch 502"}},
		"what is no event for Segment": {"", key, 9, []string{`{"messageId":"m1","type":"merge","userId":"ada"}`, track(2, "")}, []string{"dropped unsupported_event", "delivered"}, []string{"track m2"}, []string{"/v1/batch 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			got := destinationtest.Send(t, kind, `{"baseUrl":"`+s.URL+`"`+tc.settings+`}`, map[string]string{"writeKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
