package outbound_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
	"weir/shared/secret"
)

const acme = `
family: destination
name: acme
title: Acme
doc: A test.
base: { any: "https://api.example" }
secrets: [{ name: id, type: string, title: ID }, { name: word, type: string, title: Word }]
auth: [{ type: oauth2, tokenUrl: "{base}/token", clientId: "{secrets.id}", clientSecret: "{secrets.word}" }]
limits: { batch: { size: 100, bytes: 20 }, rate: { requests: 3, per: 1s } }
`

func target(t *testing.T, d destination.Destination) *destination.Target {
	t.Helper()
	kind := destination.Define([]byte(acme), func(struct{}) (destination.Destination, error) { return d, nil })()
	o, err := kind.Open(nil, map[string]secret.String{"id": secret.NewString("client"), "word": secret.NewString("s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	return &destination.Target{ID: "dst_acme", Opened: o}
}

// TestATokenThatIsRefusedIsRenewedOnce: the request goes again with the next one. When
// that is refused, too, the event waits; in the end that is an answer.
func TestATokenThatIsRefusedIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		good    string
		attempt int
		want    string
	}{{"t2", 1, ""}, {"none", 1, "token_refused"}, {"none", 10, "rejected_401"}} {
		tokens, requests := 0, 0
		do := func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
			if r.URL == "https://api.example/token" {
				tokens++
				return destination.Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"t%d"}`, tokens)}, nil
			}
			requests++
			if r.Header.Get("Authorization") != "Bearer "+tc.good {
				return destination.Response{Status: 401}, nil
			}
			return destination.Response{Status: 200}, nil
		}
		link := outbound.Link{Do: do, Plane: outbound.NewPlane(do), Deps: destination.Deps{Now: time.Now}}
		results := make([]outbound.Result, 1)
		b := batch("a")
		b.Items[0].Attempt = tc.attempt
		link.Send(t.Context(), target(t, each{}), b, results)
		if results[0].Code != tc.want || tokens != 2 || requests != 2 {
			t.Errorf("%+v: %+v after %d tokens and %d requests, want code %q after 2 and 2", tc, results[0], tokens, requests, tc.want)
		}
	}
}

// TestLinksOfAPlaneShareARate: what one may not send is not tried, and the lane is told
// for how long.
func TestLinksOfAPlaneShareARate(t *testing.T) {
	t.Parallel()
	now, sent := time.Unix(1e9, 0), 0
	do := func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		if r.URL == "https://api.example/token" {
			return destination.Response{Status: 200, Body: []byte(`{"access_token":"t"}`)}, nil
		}
		sent++
		return destination.Response{Status: 200}, nil
	}
	plane, d := outbound.NewPlane(do), target(t, each{})
	links := [2]*outbound.Link{}
	for i := range links {
		links[i] = &outbound.Link{Do: do, Plane: plane, Deps: destination.Deps{Now: func() time.Time { return now }}}
	}
	for i := range 40 {
		results := make([]outbound.Result, 2)
		o := links[i%2].Send(t.Context(), d, batch("a", "b"), results)
		if o.Pause > 0 && (results[1].Outcome != 0 || o.Failed || o.Pause > time.Second) {
			t.Fatalf("%+v, %+v", o, results)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if sent < 9 || sent > 12 {
		t.Errorf("%d went in four seconds at three a second, want 9 to 12", sent)
	}
}

// TestARequestThatIsTooLargeIsSplitBeforeItIsSent by what the spec says of bytes.
func TestARequestThatIsTooLargeIsSplitBeforeItIsSent(t *testing.T) {
	t.Parallel()
	var bodies []string
	do := func(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
		bodies = append(bodies, string(r.Body))
		return destination.Response{Status: 200}, nil
	}
	d := target(t, joined{})
	d.Auth, d.Limits.Rate = nil, 0
	link := outbound.Link{Do: do, Plane: outbound.NewPlane(do), Deps: destination.Deps{Now: time.Now}}
	b := many(16)
	b.Items[7].Event.JSON = []byte("one that is too large alone")
	results := make([]outbound.Result, 16)
	link.Send(t.Context(), d, b, results)
	for _, body := range bodies {
		if len(body) > 20 && body != string(b.Items[7].Event.JSON) {
			t.Errorf("a request has %d bytes: %s", len(body), body)
		}
	}
	for i, r := range results {
		if r.Outcome != destination.Delivered {
			t.Errorf("item %d: %+v", i, r)
		}
	}
}

// TestABatchThatIsRefusedEndsWithinARate: halves wait for their turn.
func TestABatchThatIsRefusedEndsWithinARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var taken []string
		requests := 0
		link := picky(1000, &taken, &requests)
		link.Plane, link.Deps.Now = outbound.NewPlane(link.Do), time.Now
		b := many(16)
		b.Items[5].Event.JSON = []byte("bad")
		results := make([]outbound.Result, 16)
		d := &destination.Target{Opened: destination.Opened{HTTP: joined{}, Limits: destination.Limits{Ordered: true, Rate: 1, RatePer: time.Second}}}
		begun := time.Now()
		link.Send(t.Context(), d, b, results)
		if took := time.Since(begun); len(taken) != 15 || results[5].Outcome != destination.Dead || took != time.Duration(requests-1)*time.Second {
			t.Errorf("%d taken by %d requests in %v, want 15, one a second", len(taken), requests, took)
		}
		d.Limits.RatePer = time.Hour
		results = make([]outbound.Result, 16)
		link.Plane = outbound.NewPlane(link.Do)
		if o := link.Send(t.Context(), d, b, results); o.Pause == 0 || results[0].Outcome != 0 || link.BatchBytes(time.Now(), 1000) > 32 {
			t.Errorf("%+v, and batches of %d bytes next, want smaller ones after a pause", o, link.BatchBytes(time.Now(), 1000))
		}
	})
}
