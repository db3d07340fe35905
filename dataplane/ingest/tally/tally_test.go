package tally_test

import (
	"fmt"
	"testing"
	"time"

	"weir/dataplane/ingest/tally"
)

func TestCountsBalanceAndNameReasons(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var all tally.Counters
	c := all.Of(tally.Key{Workspace: "ws_a", Source: "src_a"})
	c.Accept(5, at)
	c.Refuse(2, "bad_signature", at.Add(time.Second))
	c.Limit(3, "rate_limited", at.Add(2*time.Second))
	all.Of(tally.Key{Workspace: "ws_a", Source: "src_b"}).Accept(1, at)
	list := all.All()
	if len(list) != 2 || list[1].Received != 1 || !list[1].Refuses.IsZero() {
		t.Fatalf("the counts are %+v", list)
	}
	got := list[0]
	if got.Received != 10 || got.Accepted != 5 || got.Refused != 5 || got.RateLimited != 3 || got.Reasons["bad_signature"] != 2 || got.Reasons["rate_limited"] != 3 ||
		!got.Accepts.Equal(at) || !got.Refuses.Equal(at.Add(2*time.Second)) {
		t.Errorf("the counts are %+v", got)
	}
}

func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	var all tally.Counters
	c := all.Of(tally.Key{Workspace: "ws_a", Source: "src_a"})
	for i := range 1000 {
		c.Refuse(1, fmt.Sprint("code", i), time.Now())
	}
	got, sum := all.All()[0], uint64(0)
	for _, n := range got.Reasons {
		sum += n
	}
	if len(got.Reasons) > 51 || sum != 1000 || got.Reasons["other"] == 0 {
		t.Errorf("%d reasons with %d events, %d of others", len(got.Reasons), sum, got.Reasons["other"])
	}
}
