package mixpanel_test

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
	"weir/dataplane/destinations/mixpanel"
)

const apiSecret = "made-up-mixpanel-secret"

// record is an event, or an update of a profile.
type record struct {
	Event      string         `json:"event"`
	Properties map[string]any `json:"properties"`
	Token      string         `json:"$token"`
	User       string         `json:"$distinct_id"`
	Key        string         `json:"$group_key"`
	Group      string         `json:"$group_id"`
	Set        map[string]any `json:"$set"`
	Union      map[string]any `json:"$union"`
	Add        map[string]any `json:"$add"`
	Once       map[string]any `json:"$set_once"`
	Append     map[string]any `json:"$append"`
}

type failure struct {
	Index    int    `json:"index"`
	InsertID string `json:"insert_id,omitempty"`
	Field    string `json:"field"`
	Message  string `json:"message"`
}

// answer is Mixpanel as its pages describe it: it refuses what Mixpanel refuses.
func answer(s *destinationtest.Keeper, r *http.Request) (int, string) {
	text, err := io.ReadAll(r.Body)
	var records []record
	user, word, _ := r.BasicAuth()
	switch bad := json.Unmarshal(text, &records); {
	case err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Content-Encoding") != "" || r.URL.Query().Get("strict") != "1":
		return 404, `{"code":404}`
	case r.URL.Path == "/import" && (user != apiSecret && user != "tok-1" || word != ""):
		return 401, `{"code":401,"error":"Invalid credentials","status":"Unauthorized"}`
	case bad != nil:
		return 400, `{"code":400,"error":"invalid JSON","status":"Bad Request"}`
	case len(records) > s.Most || len(text) > 10<<20:
		return 413, `{"code":413,"error":"request exceeds max limit of 2097152 bytes","status":"Request Entity Too Large"}`
	case strings.Contains(string(text), "loud"):
		return 429, `{"code":429,"error":"Project exceeded rate limits. Please retry the request with exponential backoff.","status":"Too Many Requests"}`
	case strings.Contains(string(text), "down"):
		return 502, `<html>`
	}
	failed := []failure{}
	for i, rec := range records {
		field, ok := rec.problem(r.URL.Path)
		if ok {
			s.Taken = append(s.Taken, rec.name())
			continue
		}
		insert, _ := rec.Properties["$insert_id"].(string)
		failed = append(failed, failure{i, insert, field, "is invalid"})
	}
	list, _ := json.Marshal(failed)
	switch {
	case r.URL.Path == "/import" && len(failed) > 0:
		return 400, fmt.Sprintf(`{"code":400,"error":"some data points in the request failed validation","failed_records":%s,"num_records_imported":%d,"status":"Bad Request"}`, list, len(records)-len(failed))
	case r.URL.Path == "/import":
		return 200, fmt.Sprintf(`{"code":200,"num_records_imported":%d,"status":"OK"}`, len(records))
	case len(failed) == len(records):
		return 200, `{"status":0,"error":"no data objects in the body are valid"}`
	case len(failed) > 0:
		return 200, fmt.Sprintf(`{"status":1,"error":"some data points in the request failed validation","failed_records":%s}`, list)
	}
	return 200, `{"status":1,"error":null}`
}

var insertID = regexp.MustCompile(`^[0-9A-Za-z-]{1,36}$`)

// problem is the field for which Mixpanel refuses a record.
func (r record) problem(path string) (field string, ok bool) {
	switch path {
	case "/import":
		at, number := r.Properties["time"].(float64)
		id, text := r.Properties["distinct_id"].(string)
		insert, _ := r.Properties["$insert_id"].(string)
		anon, linked := r.Properties["$anon_id"].(string)
		switch {
		case r.Event == "" || !number || at < 31536e6:
			return "properties.time", false
		case !text || id == "undefined" || linked && len(anon) != 36:
			return "properties.distinct_id", false
		case !insertID.MatchString(insert):
			return "properties.$insert_id", false
		case len(r.Properties) >= 255 || r.Properties["bad"] != nil:
			return "properties.bad", false
		}
	case "/engage":
		_, sum := r.Add["bad"]
		return "$set", r.Token == "tok-1" && r.User != "" && !sum && (r.Set != nil && r.Set["bad"] == nil || len(r.Union)+len(r.Add)+len(r.Once)+len(r.Append) > 0)
	case "/groups":
		return "$set", r.Token == "tok-1" && r.Key != "" && r.Group != "" && r.Set != nil && r.Set["bad"] == nil
	}
	return "", true
}

func (r record) name() string {
	switch {
	case r.Event != "":
		return fmt.Sprint(r.Event, " ", r.Properties["$insert_id"])
	case r.Key != "":
		return r.Key + " " + r.Group
	}
	return r.User
}

func track(n int, more string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"ada","event":"E","properties":{"n":%d%s}}`, n, n, more)
}

func TestAnswersOfMixpanel(t *testing.T) {
	t.Parallel()
	identify := func(n int, user, traits string) string {
		return fmt.Sprintf(`{"messageId":"i%d","type":"identify","userId":%q,"anonymousId":"91304156-cafc-4673-a237-62%010d","traits":{%s}}`, n, user, n, traits)
	}
	for name, tc := range map[string]struct {
		settings string // further ones
		secret   string
		most     int
		events   []string
		want     []string
		taken    []string
		codes    []string
	}{
		"all are taken": {"", apiSecret, 9, []string{track(1, ""), identify(2, "ada", `"plan":"pro"`), track(3, "")}, []string{"delivered", "delivered", "delivered"},
			[]string{"E m1", "E m3", "ada"}, []string{"/import 200", "/engage 200"}},
		"the token authorises too": {"", "", 9, []string{track(1, "")}, []string{"delivered"}, []string{"E m1"}, []string{"/import 200"}},
		"of a partial batch the refused alone are dead": {"", apiSecret, 9, []string{track(1, ""), track(2, `,"bad":1`), track(3, "")}, []string{"delivered", "dead mixpanel_refused", "delivered"},
			[]string{"E m1", "E m3"}, []string{"/import 400"}},
		"too large a batch is split": {"", apiSecret, 2, []string{track(1, ""), track(2, ""), track(3, "")}, []string{"delivered", "delivered", "delivered"},
			[]string{"E m1", "E m2", "E m3"}, []string{"/import 413", "/import 200", "/import 200"}},
		"a wrong secret":      {"", "another-secret", 9, []string{track(1, ""), track(2, "")}, []string{"dead rejected_401", "dead rejected_401"}, nil, []string{"/import 401"}},
		"who sends too much":  {"", apiSecret, 9, []string{track(1, `,"loud":1`), track(2, "")}, []string{"retry busy", "retry busy"}, nil, []string{"/import 429"}},
		"Mixpanel has a rest": {"", apiSecret, 9, []string{track(1, `,"down":1`)}, []string{"retry server_error"}, nil, []string{"/import 502"}},
		"errors inside a 200": {`,"increment":["bad","good"]`, apiSecret, 9, []string{identify(1, "ada", `"plan":"pro","bad":1`), identify(2, "bob", `"good":2`)}, []string{"dead mixpanel_refused", "delivered"},
			[]string{"ada", "bob"}, []string{"/engage 200"}},
		"a 200 that refuses all": {`,"increment":["bad"]`, apiSecret, 9, []string{identify(1, "ada", `"bad":1`), identify(2, "bob", `"bad":2`)}, []string{"dead mixpanel_refused", "dead mixpanel_refused"},
			nil, []string{"/engage 200", "/engage 200", "/engage 200"}},
		"the link comes first": {`,"identityMerge":"original"`, apiSecret, 9, []string{identify(1, "ada", `"plan":"pro"`), identify(2, "ada", `"plan":"pro"`)}, []string{"delivered", "delivered"},
			[]string{"$identify i1", "$identify i2", "ada", "ada"}, []string{"/import 200", "/import 200", "/engage 200"}},
		"a link that is refused": {`,"identityMerge":"original"`, apiSecret, 9, []string{`{"messageId":"m1","type":"identify","userId":"ada","anonymousId":"a-1"}`}, []string{"delivered"},
			[]string{"ada"}, []string{"/import 400", "/engage 200"}},
		"a link that has to wait": {`,"identityMerge":"original"`, apiSecret, 9, []string{`{"messageId":"m1","type":"identify","userId":"down","anonymousId":"a-1"}`}, []string{"retry server_error"},
			nil, []string{"/import 502"}},
		"a group and its user": {`,"groupKeys":["company"]`, apiSecret, 9, []string{`{"messageId":"m1","type":"group","userId":"ada","groupId":"g1","traits":{"seats":3}}`}, []string{"delivered"},
			[]string{"company g1", "ada"}, []string{"/groups 200", "/engage 200"}},
		"a group that is refused": {`,"groupKeys":["company"]`, apiSecret, 9, []string{`{"messageId":"m1","type":"group","userId":"ada","groupId":"g1","traits":{"bad":3}}`}, []string{"dead mixpanel_refused"},
			nil, []string{"/groups 200"}},
		"what is no event for Mixpanel": {"", apiSecret, 9, []string{`{"messageId":"m1","type":"alias","previousId":"a","userId":"ada"}`, track(2, "")}, []string{"dropped unsupported_event", "delivered"},
			[]string{"E m2"}, []string{"/import 200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := destinationtest.NewKeeper(t, tc.most, answer)
			secrets := map[string]string{"apiSecret": tc.secret}
			if tc.secret == "" {
				secrets = nil
			}
			got := destinationtest.Send(t, mixpanel.Kind(), `{"token":"tok-1","baseUrl":"`+s.URL+`"`+tc.settings+`}`, secrets, tc.events...)
			if diff := cmp.Diff(tc.want, got) + cmp.Diff(tc.taken, s.Taken) + cmp.Diff(tc.codes, s.Codes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestNoRequestHasTooManyRecords: five operations of an identify call are five.
func TestNoRequestHasTooManyRecords(t *testing.T) {
	t.Parallel()
	s := destinationtest.NewKeeper(t, 2000, answer)
	var events []string
	for i := range 500 {
		events = append(events, fmt.Sprintf(`{"messageId":"m%d","type":"identify","userId":"u%d","traits":{"a":1,"b":1,"c":1,"d":1,"e":1}}`, i, i))
	}
	got := destinationtest.Send(t, mixpanel.Kind(), `{"token":"tok-1","baseUrl":"`+s.URL+`/","setOnce":["a"],"increment":["b"],"union":["c"],"append":["d"]}`, nil, events...)
	if slices.ContainsFunc(got, func(line string) bool { return line != "delivered" }) || !slices.Equal(s.Codes, []string{"/engage 200", "/engage 200"}) {
		t.Errorf("answers %v, first line %s", s.Codes, got[0])
	}
}
