package outbound_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// contacts looks up the id of each event's user and writes with it.
type contacts struct{ each }

func (contacts) LookUps(b destination.Batch) (all []destination.Request) {
	for i, it := range b.Items {
		user := string(it.Event.JSON[:1])
		switch {
		case user == "p":
			panic("a bug")
		case len(all) > 0 && all[len(all)-1].Key == user:
			all[len(all)-1].Items = append(all[len(all)-1].Items, i)
		default:
			all = append(all, destination.Request{Method: "GET", URL: "find", Key: user, Items: []int{i}})
		}
	}
	return all
}

func (contacts) Find(r destination.Request, res destination.Response) (string, destination.Verdict) {
	if res.Status == 404 {
		return "", destination.Verdict{Outcome: destination.Delivered}
	}
	return string(res.Body), destination.Classify(destination.Request{Items: []int{0}}, res)[0]
}

func (contacts) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for i, it := range b.Items {
		reqs = append(reqs, destination.Request{Body: []byte(string(it.Event.JSON) + "=" + b.Found[string(it.Event.JSON[:1])]), Items: []int{i}})
	}
	return reqs, nil
}

// TestALookUpComesBeforeTheWrite: each event is "user number"; the tool has ids of the
// users a, b and s, none of n, is busy for u and refuses d. The id of s is stale.
func TestALookUpComesBeforeTheWrite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ordered  bool
		events   string
		want     string
		requests string
	}{
		"found, and one look-up for two":        {true, "a1 a2 b1", "delivered delivered delivered", "find:a find:b a1=17 a2=17 b1=18"},
		"not found":                             {true, "n1", "delivered", "find:n n1="},
		"in order nothing overtakes a look-up":  {true, "a1 u1 b1", "delivered retry_server_error untried", "find:a find:u a1=17"},
		"without order the others go":           {false, "a1 u1 b1", "delivered retry_server_error delivered", "find:a find:u find:b a1=17 b1=18"},
		"a look-up that is refused":             {true, "d1 b1", "dead_rejected_403 delivered", "find:d find:b b1=18"},
		"a kind that fails":                     {true, "p1 a1", "dead_kind_fault dead_kind_fault", ""},
		"a write that a fresh id does not save": {true, "s1", "dead_rejected_404", "find:s s1=bad"},
	} {
		var requests []string
		do := func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
			if r.URL == "find" {
				requests = append(requests, "find:"+r.Key)
				status := map[string]int{"n": 404, "u": 503, "d": 403}[r.Key]
				return destination.Response{Status: max(status, 200), Body: []byte(map[string]string{"a": "17", "b": "18", "s": "bad"}[r.Key])}, nil
			}
			requests = append(requests, string(r.Body))
			if strings.HasSuffix(string(r.Body), "=bad") {
				return destination.Response{Status: 404}, nil
			}
			return destination.Response{Status: 200}, nil
		}
		link := outbound.Link{Do: do, Plane: outbound.NewPlane(do), Deps: destination.Deps{Now: time.Now}}
		b := batch(strings.Fields(tc.events)...)
		results := make([]outbound.Result, len(b.Items))
		link.Send(t.Context(), &destination.Target{Workspace: "ws_a", ID: "dst_a", Opened: destination.Opened{HTTP: contacts{}, Limits: destination.Limits{Ordered: tc.ordered}}}, b, results)
		var got []string
		for _, r := range results {
			line := map[destination.Outcome]string{0: "untried", destination.Delivered: "delivered", destination.Retry: "retry", destination.Dead: "dead"}[r.Outcome]
			if r.Code != "" {
				line += "_" + r.Code
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(strings.Fields(tc.want), got) + cmp.Diff(tc.requests, strings.Join(requests, " ")); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestWhatWasFoundIsKeptUntilItIsStale: a write that is refused with an id that was
// kept is tried again with a new one.
func TestWhatWasFoundIsKeptUntilItIsStale(t *testing.T) {
	t.Parallel()
	contact, finds := "17", 0
	do := func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		if r.URL == "find" {
			finds++
			return destination.Response{Status: 200, Body: []byte(contact)}, nil
		}
		if !strings.HasSuffix(string(r.Body), "="+contact) {
			return destination.Response{Status: 404}, nil
		}
		return destination.Response{Status: 200}, nil
	}
	link := outbound.Link{Do: do, Plane: outbound.NewPlane(do), Deps: destination.Deps{Now: time.Now}}
	target := &destination.Target{Workspace: "ws_a", ID: "dst_a", Opened: destination.Opened{HTTP: contacts{}, Limits: destination.Limits{Ordered: true}}}
	send := func() outbound.Result {
		results := make([]outbound.Result, 1)
		link.Send(t.Context(), target, batch("a1"), results)
		return results[0]
	}
	for range 5 {
		if r := send(); r.Outcome != destination.Delivered || finds != 1 {
			t.Fatalf("%+v after %d look-ups, want delivered after one", r, finds)
		}
	}
	contact = "99" // the tool merged it away
	if r := send(); r.Outcome != destination.Retry || finds != 1 {
		t.Errorf("%+v after %d look-ups, want a retry", r, finds)
	}
	if r := send(); r.Outcome != destination.Delivered || finds != 2 {
		t.Errorf("%+v after %d look-ups, want delivered after another", r, finds)
	}
}
