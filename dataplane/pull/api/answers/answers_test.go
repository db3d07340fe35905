package answers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/shared/catalog/streams"
)

func TestLimitedReadsWhatVendorsSay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		header http.Header
		body   string
		want   time.Duration
	}{
		"nothing":     {nil, "", 10 * time.Second},
		"retry-after": {http.Header{"Retry-After": {"7"}}, `{"error":{"details":[{"retryDelay":"9s"}]}}`, 7 * time.Second},
		"reset":       {http.Header{"X-Ratelimit-Reset": {fmt.Sprint(now.Add(time.Minute).Unix())}}, "", time.Minute},
		"account":     {http.Header{"X-Business-Use-Case-Usage": {`{"1":[{"estimated_time_to_regain_access":3}],"2":[{"type":"ads_insights","estimated_time_to_regain_access":5}]}`}}, "", 5 * time.Minute},
		"much":        {http.Header{"X-Business-Use-Case-Usage": {`{"1":[{"estimated_time_to_regain_access":1e300}]}`}}, "", time.Hour},
		"seconds":     {http.Header{"X-Ad-Account-Usage": {`{"acc_id_util_pct":100,"reset_time_duration":40}`}}, "", 40 * time.Second},
		"negative":    {http.Header{"X-Ad-Account-Usage": {`{"reset_time_duration":-40}`}}, "", 10 * time.Second},
		"no JSON":     {http.Header{"X-Business-Use-Case-Usage": {`{"1":[`}}, "<html>", 10 * time.Second},
		"delay":       {nil, `{"error":{"details":[{"@type":"x"},{"retryDelay":"30.5s"}]}}`, 30*time.Second + 500*time.Millisecond},
	} {
		if got := answers.Limited(destination.Response{Header: c.header, Body: []byte(c.body)}, now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestObjectsOfRowsThatAreLists(t *testing.T) {
	t.Parallel()
	body := fields.Value(`{"values":[["a","","a","n"]],"flag":true}`)
	rows := func(all ...string) (out [][]byte) {
		for _, r := range all {
			out = append(out, []byte(r))
		}
		return out
	}
	c := &streams.Columns{Of: []streams.Column{{Names: []string{"values", "0"}}}, Number: "n", First: 2, Answer: []streams.Path{{Name: "f", Path: []string{"flag"}}, {Name: "g", Path: []string{"no"}}}}
	got := answers.Objects(c, body, rows(`["x",1,null,12345678901234567890,"more"]`, `[]`, `["",null]`, `["y"]`, `{"a":1}`))
	want := `{"n":2,"a":"x","column_2":1,"n_4":12345678901234567890,"column_5":"more","f":true}
{"n":5,"a":"y","f":true}`
	var text []string
	for _, r := range got {
		text = append(text, string(r))
	}
	if strings.Join(text, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(text, "\n"), want)
	}
	c.Require = [][]string{{"a"}}
	if got := answers.Objects(c, body, rows(`["x"]`, `["",2]`)); len(got) != 1 {
		t.Errorf("%d rows of which one has no key", len(got))
	}
}

func TestChangedLeavesOutGroupsThatAreAsTheyWere(t *testing.T) {
	t.Parallel()
	var all []pull.Record
	for i := range 10 {
		all = append(all, pull.Record{Key: fmt.Sprint(i), Row: []byte(`{}`)})
	}
	some, sums := answers.Changed(all, 4, nil)
	if len(some) != 10 || len(sums) != 3 {
		t.Fatalf("%d rows and %d sums at first", len(some), len(sums))
	}
	if some, _ := answers.Changed(all, 4, sums); len(some) != 0 {
		t.Errorf("%d rows without a change", len(some))
	}
	all[5].Row = []byte(`{"x":1}`)
	some, next := answers.Changed(all, 4, sums)
	if len(some) != 4 || some[0].Key != "4" {
		t.Errorf("%d rows of the group that changed", len(some))
	}
	if some, _ := answers.Changed(all[:4], 4, next); len(some) != 0 {
		t.Errorf("%d rows where some are gone", len(some))
	}
}
