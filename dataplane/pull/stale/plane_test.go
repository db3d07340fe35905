package stale_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"

	"weir/dataplane/ledger"
	"weir/dataplane/pull/stale"
)

// relay carries questions between the planes of a test.
type relay struct {
	mu      sync.Mutex
	answers []func(context.Context, []byte) []byte
}

func (r *relay) All(ctx context.Context, question []byte, answer func([]byte)) error {
	r.mu.Lock()
	all := r.answers
	r.mu.Unlock()
	for _, a := range all {
		if b := a(ctx, question); len(b) > 0 {
			answer(b)
		}
	}
	<-ctx.Done()
	return nil
}

func (r *relay) Serve(_ context.Context, _ func() bool, answer func(context.Context, []byte) []byte) {
	r.mu.Lock()
	r.answers = append(r.answers, answer)
	r.mu.Unlock()
}

// TestAPlaneIsQuietWhenAllItsProcessesAre: nothing is looked for while something of the
// source waits in any process, or a partition is answered for by none or by two.
func TestAPlaneIsQuietWhenAllItsProcessesAre(t *testing.T) {
	t.Parallel()
	of := ledger.Key{Workspace: "ws", Source: "tap", Destination: "lake"}
	row := func(r ledger.Row) []ledger.Row {
		r.Workspace, r.Source = of.Workspace, of.Source
		return []ledger.Row{r}
	}
	type process struct {
		rows   []ledger.Row
		here   []int
		staged int64
		unsure bool
	}
	a, b := process{here: []int{0, 2}}, process{here: []int{1}}
	for name, tc := range map[string]struct {
		processes    []process
		quiet, apart bool
	}{
		"quiet":                      {[]process{a, b}, true, false},
		"all in one":                 {[]process{{here: []int{2, 1, 0}}}, true, false},
		"one has no partition":       {[]process{a, b, {}}, true, false},
		"something is not read":      {[]process{a, {here: b.here, rows: row(ledger.Row{Waiting: 1})}}, false, false},
		"something is on its way":    {[]process{a, {here: b.here, rows: row(ledger.Row{Destination: "lake", InFlight: 1})}}, false, false},
		"something is parked":        {[]process{{here: a.here, rows: row(ledger.Row{Destination: "lake", Parked: 1})}, b}, false, false},
		"another warehouse's":        {[]process{a, {here: b.here, rows: row(ledger.Row{Destination: "sea", InFlight: 1})}}, true, false},
		"something is not loaded":    {[]process{a, {here: b.here, staged: 1}}, false, false},
		"it is not counted yet":      {[]process{a, {here: b.here, unsure: true}}, false, false},
		"a process does not answer":  {[]process{a}, false, true},
		"nobody answers":             {nil, false, true},
		"two believe to have a part": {[]process{a, {here: []int{1, 2}}}, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			between := &relay{}
			plane := func(p process) *stale.Plane {
				return &stale.Plane{
					Partitions: 3, Relay: between,
					Part: func() ([]ledger.Row, []int, bool) { return p.rows, p.here, !p.unsure },
					Staged: func() (map[ledger.Key]int64, bool) {
						return map[ledger.Key]int64{of: p.staged}, !p.unsure
					},
				}
			}
			for _, p := range tc.processes {
				plane(p).Serve(t.Context())
			}
			if quiet, apart := plane(process{}).Quiet(t.Context(), of); quiet != tc.quiet || apart != tc.apart {
				t.Errorf("%s: quiet %v, apart %v, want %v and %v", name, quiet, apart, tc.quiet, tc.apart)
			}
			for _, answer := range between.answers {
				if b := answer(t.Context(), []byte("?")); b != nil {
					t.Errorf("a question that is none is answered with %s", b)
				}
				if b := answer(t.Context(), []byte(`{}`)); !json.Valid(b) {
					t.Errorf("the answer is %s", b)
				}
			}
		})
	}
}

// TestOneProcessIsAPlane: without others it is quiet once all its partitions run.
func TestOneProcessIsAPlane(t *testing.T) {
	t.Parallel()
	p := &stale.Plane{
		Partitions: 2, Part: func() ([]ledger.Row, []int, bool) { return nil, []int{0, 1}, true },
		Staged: func() (map[ledger.Key]int64, bool) { return nil, true },
	}
	if quiet, apart := p.Quiet(t.Context(), ledger.Key{}); !quiet || apart {
		t.Errorf("quiet %v, apart %v", quiet, apart)
	}
	p.Partitions = 3
	if quiet, apart := p.Quiet(t.Context(), ledger.Key{}); quiet || apart {
		t.Errorf("while a partition does not run: quiet %v, apart %v", quiet, apart)
	}
	p.Serve(t.Context())
}
