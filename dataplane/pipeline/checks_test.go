package pipeline_test

import (
	"slices"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/journal"
	"weir/dataplane/journal/record"
	"weir/dataplane/ledger"
	"weir/dataplane/queue"
	"weir/shared/id"
)

// wait waits until ok, for an hour of the bubble's time at most.
func (w *harness) wait(what string, ok func() bool) {
	w.t.Helper()
	for range 36_000 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("seed %d: %s did not come to pass", w.seed, what)
}

// balanced checks the ledger of a process that has recovered, and the journal.
func (w *harness) balanced(pr *process) {
	w.t.Helper()
	w.wait("recovery", func() bool { return pr.p.Entries() != nil || w.journalEmpty() })
	w.wait("the ledger has everything accepted", func() bool {
		if dead, stale := pr.is(); dead || stale {
			return true
		}
		rows, accepted := pr.p.Entries(), int64(0)
		for _, r := range rows {
			if r.Workspace == ws { // a frame that nobody can read has none
				accepted += r.Accepted
			}
		}
		return rows == nil || accepted == int64(w.fresh)
	})
	w.sums(pr)
	w.audit()
}

// sums checks the equations of the ledger as it is now.
func (w *harness) sums(pr *process) {
	w.t.Helper()
	for _, r := range pr.p.Entries() {
		if !r.Balanced || r.Accepted > int64(w.fresh) {
			w.t.Errorf("seed %d: of %d accepted, the entry %+v is not balanced", w.seed, w.fresh, r)
		}
	}
}

func (w *harness) journalEmpty() bool {
	for _, r := range w.disk[queue.Journal].Snapshot().Records {
		if openings(r.Data) > 0 {
			return false
		}
		if r, err := record.Decode(r.Data); err == nil && r.Base > 0 { // there is a checkpoint
			return false
		}
	}
	return true
}

func (w *harness) audit() {
	w.t.Helper()
	found, err := journal.Audit(w.t.Context(), w.disk[queue.Journal].Share())
	if err != nil || !found.Sound() {
		w.t.Errorf("seed %d: audit: %+v, %v", w.seed, found, err)
	}
}

// row returns the entry of a destination, or the source's own for "".
func row(pr *process, d id.Destination) ledger.Row {
	for _, r := range pr.p.Entries() {
		if r.Destination == d && r.Source == source && r.Workspace == ws {
			return r
		}
	}
	return ledger.Row{}
}

// settled waits until nothing is open, parked or dead.
func (w *harness) settled(pr *process) {
	w.t.Helper()
	w.wait("everything is delivered", func() bool {
		own := row(pr, "")
		if own.Accepted != int64(w.fresh) || own.Waiting != 0 || w.known && len(w.board.Workspaces()) > 0 {
			return false
		}
		for _, d := range []id.Destination{steady, shaky, coded, fleet} {
			if r := row(pr, d); r.InFlight != 0 || r.Parked != 0 {
				return false
			}
		}
		return true
	})
}

// ended checks that what a removed destination did not get was dropped, with its
// reason, and that what it got came in order per user unless late.
func (w *harness) ended(r ledger.Row, late bool) {
	w.t.Helper()
	if dropped := r.Dropped[delivery.CodeRemoved]; r.Routed+r.Added != r.Delivered+dropped+r.Quarantined || r.Quarantined > 0 && !w.unloads || r.Dead != 0 {
		w.t.Errorf("seed %d: the entry of the removed one is %+v", w.seed, r)
	}
	at := map[string]int{}
	for _, of := range w.accepted {
		for i, e := range of {
			at[e] = i
		}
	}
	newest, seen := map[string]int{}, map[string]bool{}
	for _, a := range w.at(shaky) {
		user, _, _ := strings.Cut(strings.Trim(a.what, `"`), " ")
		n, known := at[a.what]
		if !known || !late && !seen[a.what] && n < newest[user] {
			w.t.Errorf("seed %d: the removed one got %s after number %d of its user", w.seed, a.what, newest[user])
		}
		seen[a.what] = true
		newest[user] = max(newest[user], n)
	}
}

// fared checks that what came of changing revisions ended as the ledger says: the
// revision of the moment in which a frame was decided says whether it was to go
// there, and one without the connection after a restart drops what is left.
func (w *harness) fared(d id.Destination, r ledger.Row) {
	w.t.Helper()
	known, arrived := map[string]bool{}, map[string]bool{}
	for _, of := range w.accepted {
		for _, e := range of {
			known[e] = true
		}
	}
	for _, a := range w.at(d) {
		if !known[a.what] {
			w.t.Errorf("seed %d: %s got %s, which was not accepted", w.seed, d, a.what)
		}
		arrived[a.what] = true
	}
	if r.Routed != r.Delivered+r.Dropped["connection_removed"]+r.Quarantined || r.Quarantined > 0 && !w.unloads || r.Delivered-r.Quarantined > int64(len(arrived)) {
		w.t.Errorf("seed %d: the entry of %s is %+v, and %d arrived", w.seed, d, r, len(arrived))
	}
}

// complete checks that every accepted event arrived, in order per user unless
// late, and that a repeated one was in flight or less than slack old when a
// process ended.
func (w *harness) complete(d id.Destination, late bool, slack time.Duration) {
	w.t.Helper()
	first := map[string]time.Time{}
	order := map[string][]string{}
	for _, a := range w.at(d) {
		if at, ok := first[a.what]; ok {
			if !slices.ContainsFunc(w.cuts, func(cut time.Time) bool { return !at.Before(cut.Add(-slack)) && at.Before(cut.Add(31*time.Second)) }) {
				w.t.Errorf("seed %d: %s got %s again, which it had at %v, cuts %v", w.seed, d, a.what, at, w.cuts)
			}
			continue
		}
		first[a.what] = a.at
		user, _, _ := strings.Cut(strings.Trim(a.what, `"`), " ")
		order[user] = append(order[user], a.what)
	}
	for user, want := range w.accepted {
		got := order[user]
		if d == coded {
			var outs []string
			for _, e := range want {
				made, _ := rewritten(e)
				outs = append(outs, made...)
			}
			want = outs
		}
		if late {
			slices.Sort(got)
			want = slices.Sorted(slices.Values(want))
		}
		if !slices.Equal(got, want) {
			w.t.Errorf("seed %d: %s got of %s\n%v, want\n%v", w.seed, d, user, got, want)
		}
	}
}

// openings is how many frames a journal record opens.
func openings(data []byte) int {
	r, err := record.Decode(data)
	if err != nil {
		return 0
	}
	return len(r.Openings)
}

// withoutSettlement returns a journal record without one output of its n-th
// settlements; with balanced also without what it counts. ok is false when it
// has none.
func withoutSettlement(data []byte, n int, balanced bool) (changed []byte, ok bool) {
	r, err := record.Decode(data)
	if err != nil || n >= len(r.Live) || r.Live[n].Set.Len() == 0 {
		return nil, false
	}
	r.Live[n].Set = record.SetOf(slices.Collect(r.Live[n].Set.Each)[1:])
	if balanced {
		r.Deltas = r.Recount()
	}
	return r.Encode(), true
}

// tailOf is how many of the journal's records a recovery reads.
func tailOf(all []queue.Record) int {
	newest, err := record.Decode(all[len(all)-1].Data)
	if err != nil {
		return -1
	}
	return len(all) - slices.IndexFunc(all, func(r queue.Record) bool { return r.Seq >= newest.Base })
}
