package amplitude_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/amplitude"
)

const key = "made-up-amplitude-key"

// answer is Amplitude as its pages describe it: it refuses what Amplitude refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	body, err := io.ReadAll(r.Body)
	var in struct {
		Key    string `json:"api_key"`
		Events []struct {
			User   string          `json:"user_id"`
			Device string          `json:"device_id"`
			Type   string          `json:"event_type"`
			Insert string          `json:"insert_id"`
			Time   int64           `json:"time"`
			Ops    map[string]any  `json:"user_properties"`
			Groups map[string]any  `json:"groups"`
			Money  json.RawMessage `json:"revenue"`
			Event  map[string]any  `json:"event_properties"`
		} `json:"events"`
	}
	switch {
	case err != nil || r.Method != "POST" || r.URL.Path != "/2/httpapi" || r.Header.Get("Content-Type") != "application/json":
		return 404, `{"code":404}`
	case json.Unmarshal(body, &in) != nil:
		return 400, `{"code":400,"error":"Invalid JSON request body"}`
	case in.Key != key:
		return 400, `{"code":400,"error":"Invalid API key: ` + in.Key + `"}`
	case len(body) > 1<<20 || len(in.Events) > s.Most:
		return 413, `{"code":413,"error":"Payload too large"}`
	}
	invalid, missing, throttled := []int{}, []int{}, []int{}
	for i, e := range in.Events {
		switch {
		case e.Type == "" || e.User == "" && e.Device == "":
			missing = append(missing, i)
		case e.Time < 1e12 || e.Event["bad"] != nil:
			invalid = append(invalid, i)
		case e.User == "loud":
			throttled = append(throttled, i)
		}
	}
	list := func(all []int) string {
		text, _ := json.Marshal(all)
		return string(text)
	}
	switch {
	case len(invalid)+len(missing) > 0:
		return 400, `{"code":400,"error":"Request missing required field","events_with_invalid_fields":{"time":` + list(invalid) + `},"events_with_missing_fields":{"event_type":` + list(missing) + `}}`
	case len(throttled) > 0:
		return 429, `{"code":429,"error":"Too many requests for some devices and users","eps_threshold":30,"throttled_events":` + list(throttled) + `}`
	}
	for _, e := range in.Events {
		s.Taken = append(s.Taken, e.Insert)
	}
	return 200, fmt.Sprintf(`{"code":200,"events_ingested":%d}`, len(in.Events))
}

func track(n int, user, more string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":%q,"event":"E","timestamp":"2026-01-02T03:04:05.000Z","properties":{"n":%d%s}}`, n, user, n, more)
}

func TestAnswersOfAmplitude(t *testing.T) {
	t.Parallel()
	group := `{"messageId":"m1","type":"group","userId":"ada","groupId":"g","traits":{"seats":3}}`
	for name, tc := range map[string]struct {
		key    string
		most   int
		events []string
		want   []string
		taken  []string
		codes  []string
	}{
		"all are taken":                   {key, 9, []string{track(1, "ada", ""), track(2, "bob", "")}, []string{"delivered", "delivered"}, []string{"m1", "m2"}, []string{"/2/httpapi 200"}},
		"what is refused is alone dead":   {key, 9, []string{group, track(2, "ada", `,"bad":1`), track(3, "ada", ""), track(4, "ada", "")}, []string{"delivered", "dead amplitude_refused", "delivered", "delivered"}, []string{"m1$identify", "m1$groupidentify", "m3", "m4"}, []string{"/2/httpapi 400", "/2/httpapi 200", "/2/httpapi 200"}},
		"who sends too much alone waits":  {key, 9, []string{track(1, "ada", ""), track(2, "bob", ""), track(3, "loud", "")}, []string{"untried", "untried", "retry busy"}, nil, []string{"/2/httpapi 429"}},
		"too large a batch is split":      {key, 2, []string{track(1, "ada", ""), track(2, "ada", ""), track(3, "ada", "")}, []string{"delivered", "delivered", "delivered"}, []string{"m1", "m2", "m3"}, []string{"/2/httpapi 413", "/2/httpapi 200", "/2/httpapi 200"}},
		"a wrong key is no event's fault": {"another-key", 9, []string{track(1, "ada", ""), track(2, "ada", "")}, []string{"dead rejected_400", "dead rejected_400"}, nil, []string{"/2/httpapi 400"}},
		"what is no event for Amplitude":  {key, 9, []string{`{"messageId":"m1","type":"alias","userId":"ada"}`, track(2, "ada", "")}, []string{"dropped unsupported_event", "delivered"}, []string{"m2"}, []string{"/2/httpapi 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			got := destinationtest.Send(t, amplitude.Kind(), `{"baseUrl":"`+s.URL+`"}`, map[string]string{"apiKey": tc.key}, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestAFullBatchIsTaken: a thousand events of ordinary size are one request.
func TestAFullBatchIsTaken(t *testing.T) {
	t.Parallel()
	s := destinationtest.NewKeeper(t, 2000, answer)
	var events []string
	for i := range 1000 {
		events = append(events, track(i, "ada", `,"text":"`+strings.Repeat("x", 300)+`"`))
	}
	got := destinationtest.Send(t, amplitude.Kind(), `{"baseUrl":"`+s.URL+`/"}`, map[string]string{"apiKey": key}, events...)
	if slices.ContainsFunc(got, func(line string) bool { return line != "delivered" }) || len(s.Codes) != 1 {
		t.Errorf("%d answers, first line %s", len(s.Codes), got[0])
	}
}
