package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
	"weir/dataplane/ingest/ratelimit"
	"weir/dataplane/sources"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
)

// metered is a gateway whose sources have the rate at *rate, with a clock that
// the test moves.
func metered(t *testing.T, rate *ratelimit.Rate, now *time.Time, appended *error) *ingest.Gateway {
	t.Helper()
	c := config(func(context.Context, []event.Event) error { return *appended })
	c.Now = func() time.Time { return *now }
	c.Source = func(key string) (ingest.Entry, bool) {
		return ingest.Entry{Workspace: "ws_a", Source: id.Source(key), Type: "lines", Rate: *rate}, true
	}
	return gateway(t, c)
}

// limitOf returns what an answer says of the limit: status, Retry-After, then
// RateLimit-Limit, -Remaining and -Reset.
func limitOf(w *httptest.ResponseRecorder) string {
	out := fmt.Sprint(w.Code)
	for _, name := range []string{"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} {
		out += " " + strings.Join(w.Header()[name], "")
	}
	return out
}

func TestASourceOverItsRateWaits(t *testing.T) {
	rate, now := ratelimit.Rate{Events: 10, Burst: 40}, time.Unix(1_700_000_000, 0)
	var broken error
	g := metered(t, &rate, &now, &broken)
	n := func(n int) string { return strings.Repeat("x\n", n) }
	for i, step := range []struct {
		after time.Duration
		body  string
		err   error
		want  string
	}{
		{0, n(30), nil, "200  40 10 3"},  // a batch costs its members
		{0, n(11), nil, "429 1 40 10 3"}, // all of it or nothing
		{0, n(10), nil, "200  40 0 4"},   //
		{0, n(1), nil, "429 1 40 0 4"},   // nothing is left
		{500 * time.Millisecond, n(5), nil, "200  40 0 4"},
		{2 * time.Second, n(21), nil, "429 1 40 20 2"},
		{0, n(20), fault.New(fault.Limited, "full"), "503 R   "}, // what could not be kept is given back
		{0, n(20), nil, "200  40 0 4"},
		{-time.Hour, n(1), nil, "429 1 40 0 4"}, // a clock that goes back gives nothing
		{time.Hour + 3900*time.Millisecond, n(100), nil, "429 1 40 39 1"},
		{100 * time.Millisecond, n(100), nil, "200  40 0 10"}, // larger than the bucket: when that is full, and it leaves a debt
		{6 * time.Second, n(1), nil, "429 1 40 0 4"},
		{time.Hour, "not counted by its body", nil, "200  40 39 1"},
	} {
		now, broken = now.Add(step.after), step.err
		w := post(g, step.body, nil)
		got := limitOf(w)
		if w.Code == 503 && w.Header().Get("Retry-After") != "" {
			got = "503 R   "
		}
		if got != step.want {
			t.Errorf("step %d: %q, want %q: %s", i, got, step.want, w.Body)
		}
		if (w.Code == 429) != strings.Contains(w.Body.String(), `"rate_limited"`) {
			t.Errorf("step %d: %s", i, w.Body)
		}
	}
	// Of a request that comes while nothing may be sent nobody knows what is in it.
	const limited, accepted = 11 + 1 + 21 + 1 + 100 + 1, 30 + 10 + 5 + 20 + 100 + 1
	want := []ingest.Count{{
		Workspace: "ws_a", Source: "src_a", Received: limited + 20 + accepted, Refused: limited + 20, Accepted: accepted, RateLimited: limited,
		Reasons: map[string]uint64{"overloaded": 20, "rate_limited": limited}, Accepts: now.UTC().Truncate(time.Second), Refuses: now.Add(-time.Hour).UTC().Truncate(time.Second),
	}}
	if diff := cmp.Diff(want, g.Counts()); diff != "" {
		t.Error(diff)
	}
}

func TestEachSourceHasItsOwnRateAndKeepsItsBucket(t *testing.T) {
	rate, now := ratelimit.Rate{Events: 2}, time.Unix(1_700_000_000, 0)
	var fine error
	g := metered(t, &rate, &now, &fine)
	as := func(key string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(key, "") }
	}
	for i, step := range []struct {
		rate ratelimit.Rate
		key  string
		want string
	}{
		{ratelimit.Rate{Events: 2}, "a", "200  2 1 1"},
		{ratelimit.Rate{Events: 2}, "a", "200  2 0 1"},
		{ratelimit.Rate{Events: 2}, "b", "200  2 1 1"},
		{ratelimit.Rate{Events: 5, Burst: 50}, "a", "429 1 50 0 10"}, // a new configuration is no new bucket
		{ratelimit.Rate{}, "a", "200    "},                           // no limit, nothing to tell
		{ratelimit.Rate{Events: 5, Burst: 50}, "a", "429 1 50 0 10"},
		{ratelimit.Rate{Events: 1, Burst: 1}, "b", "200  1 0 1"},
	} {
		rate = step.rate
		if got := limitOf(post(g, "x", as(step.key))); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

func TestManyAtOnceGetNoMoreThanTheBucketHolds(t *testing.T) {
	rate, now := ratelimit.Rate{Events: 1, Burst: 300}, time.Unix(1_700_000_000, 0)
	var fine error
	g := metered(t, &rate, &now, &fine)
	var clients sync.WaitGroup
	var taken atomic.Int64
	for range 50 {
		clients.Go(func() {
			for range 20 {
				if w := post(g, "x", nil); w.Code == 200 {
					taken.Add(1)
				} else if w.Code != 429 {
					t.Errorf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	clients.Wait()
	if taken.Load() != 300 {
		t.Errorf("%d taken, want 300", taken.Load())
	}
}

func TestTheSettingsOfEveryKindLimitIt(t *testing.T) {
	for _, k := range sources.All() {
		for settings, want := range map[string]ratelimit.Rate{
			``:                       {},
			`{}`:                     {},
			`{"rate":5}`:             {Events: 5},
			`{"rate":5,"burst":100}`: {Events: 5, Burst: 100},
		} {
			if ps := catalog.Check(k.Spec, []byte(settings), "settings"); len(ps) > 0 {
				t.Errorf("%s %s: %v", k.Spec.Name, settings, ps)
			}
			if got := k.Rate(catalog.Fill(k.Spec, []byte(settings))); got != want {
				t.Errorf("%s %s: %+v, want %+v", k.Spec.Name, settings, got, want)
			}
		}
		if ps := catalog.Check(k.Spec, []byte(`{"rate":-1}`), "settings"); len(ps) != 1 {
			t.Errorf("%s with a negative rate: %v", k.Spec.Name, ps)
		}
	}
}
