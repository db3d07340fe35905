package outbound_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// joined makes one request of all events.
type joined struct{ each }

func (joined) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	var r destination.Request
	var texts []string
	for i, it := range b.Items {
		texts = append(texts, string(it.Event.JSON))
		r.Items = append(r.Items, i)
	}
	r.Body = []byte(strings.Join(texts, " "))
	return []destination.Request{r}, nil
}

// many is a batch of n good events.
func many(n int) destination.Batch {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = fmt.Sprintf("e%03d", i)
	}
	return batch(texts...)
}

// picky is a link to a side that refuses an event "bad" with 400, answers "busy" with
// 503, and takes at most most events at once; taken are those it took, in order.
func picky(most int, taken *[]string, requests *int) *outbound.Link {
	return &outbound.Link{Deps: destination.Deps{Now: func() time.Time { return time.Unix(1e9, 0) }}, Do: func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		*requests++
		texts := strings.Split(string(r.Body), " ")
		switch {
		case len(texts) > most:
			return destination.Response{Status: 413}, nil
		case strings.Contains(string(r.Body), "bad"):
			return destination.Response{Status: 400, Body: []byte("no")}, nil
		case strings.Contains(string(r.Body), "busy"):
			return destination.Response{Status: 503}, nil
		}
		*taken = append(*taken, texts...)
		return destination.Response{Status: 200}, nil
	}}
}

func send(link *outbound.Link, b destination.Batch, limits destination.Limits) ([]outbound.Result, outbound.Outcome) {
	results := make([]outbound.Result, len(b.Items))
	limits.BatchSize = len(b.Items)
	o := link.Send(context.Background(), &destination.Target{Opened: destination.Opened{HTTP: joined{}, Limits: limits}}, b, results)
	return results, o
}

// TestTheCulpritOfARefusedBatchIsFound: it alone dies, the others arrive in order, with
// two requests for each halving at most.
func TestTheCulpritOfARefusedBatchIsFound(t *testing.T) {
	t.Parallel()
	for culprit := range 100 {
		var taken []string
		requests := 0
		b := many(100)
		b.Items[culprit].Event.JSON = []byte("bad")
		results, o := send(picky(1000, &taken, &requests), b, destination.Limits{Ordered: true})
		for i, r := range results {
			want := outbound.Result{Outcome: destination.Delivered, Status: 200}
			if i == culprit {
				want = outbound.Result{Outcome: destination.Dead, Code: "rejected_400", Detail: "no", Status: 400}
			}
			if r != want {
				t.Errorf("culprit %d: item %d is %+v, want %+v", culprit, i, r, want)
			}
		}
		for i := 1; i < len(taken); i++ {
			if taken[i] < taken[i-1] {
				t.Errorf("culprit %d: %s came after %s", culprit, taken[i], taken[i-1])
			}
		}
		if len(taken) != 99 || requests > 15 || !o.Answered || o.Failed {
			t.Errorf("culprit %d: %d taken by %d requests, %+v, want 99 by 15 at most", culprit, len(taken), requests, o)
		}
	}
}

func TestHalvesStopWhereTheRestHasToWait(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ordered   bool
		delivered int
		untried   int
	}{
		"in order nothing overtakes":           {true, 3, 8},
		"without order the other half follows": {false, 11, 0},
	} {
		var taken []string
		requests := 0
		b := many(16)
		b.Items[1].Event.JSON, b.Items[5].Event.JSON = []byte("bad"), []byte("busy")
		results, _ := send(picky(1000, &taken, &requests), b, destination.Limits{Ordered: tc.ordered})
		count := map[destination.Outcome]int{}
		for _, r := range results {
			count[r.Outcome]++
		}
		if count[destination.Delivered] != tc.delivered || count[0] != tc.untried || count[destination.Dead] != 1 || count[destination.Retry] != 4 {
			t.Errorf("%s: %v, want %d delivered and %d not tried", name, count, tc.delivered, tc.untried)
		}
	}
}

func TestHalvesAreBounded(t *testing.T) {
	t.Parallel()
	var taken []string
	requests := 0
	b := many(1000)
	for i := range b.Items {
		b.Items[i].Event.JSON = []byte("bad")
	}
	results, _ := send(picky(1000, &taken, &requests), b, destination.Limits{})
	dead := 0
	for i, r := range results {
		if r.Outcome == destination.Dead {
			dead++
		} else if r.Outcome != 0 {
			t.Fatalf("item %d is %+v, want dead or not tried", i, r)
		}
	}
	if requests > 65 || dead < 20 {
		t.Errorf("%d requests, %d dead, want 65 at most and 20 at least", requests, dead)
	}
}

// TestATooLargeBatchIsLearned: the next batch is small enough, for ten minutes, and a
// single event that is too large dies alone.
func TestATooLargeBatchIsLearned(t *testing.T) {
	t.Parallel()
	var taken []string
	requests := 0
	link := picky(10, &taken, &requests)
	if results, _ := send(link, many(64), destination.Limits{Ordered: true}); len(taken) != 64 || results[63].Outcome != destination.Delivered {
		t.Fatalf("%d of 64 were taken", len(taken))
	}
	now := time.Unix(1e9, 0)
	if got := link.BatchBytes(now, 1000); got != 8*4 {
		t.Errorf("batches of %d bytes from now on, want 32", got)
	}
	if got := link.BatchBytes(now.Add(11*time.Minute), 1000); got != 1000 {
		t.Errorf("batches of %d bytes after a while, want 1000", got)
	}
	if results, _ := send(picky(0, &taken, &requests), many(2), destination.Limits{}); results[0].Code != "rejected_413" || results[1].Code != "rejected_413" {
		t.Errorf("events that are too large alone: %+v", results)
	}
}

func TestHalvesStopWhenTheLeaseEnds(t *testing.T) {
	t.Parallel()
	var taken []string
	requests := 0
	link := picky(8, &taken, &requests)
	link.Held = func() bool { return len(taken) == 0 }
	results, _ := send(link, many(32), destination.Limits{})
	if len(taken) != 8 || results[7].Outcome != destination.Delivered || results[8].Outcome != 0 {
		t.Errorf("%d were taken, want the first 8 alone", len(taken))
	}
}
