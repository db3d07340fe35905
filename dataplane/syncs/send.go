package syncs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/event"
	"weir/dataplane/outbound"
	"weir/dataplane/syncs/books"
	"weir/shared/id"
	"weir/shared/workspace/activation"
)

// recordType is the type of the events that rows are sent as.
const recordType = "record"

// asRecords is a target without what is said of events: a key stands once in a run, so
// that no order is kept, and rows are chosen by the model.
func asRecords(t *destination.Target) *destination.Target {
	to := *t
	to.Names, to.Limits.Ordered = nil, false
	return &to
}

// record is a row as destinations see it.
type record struct {
	Type        string            `json:"type"`
	MessageID   string            `json:"messageId"`
	Action      string            `json:"action"`
	Mode        string            `json:"mode"`
	Object      string            `json:"object"`
	Key         string            `json:"key"`
	Identifiers map[string]string `json:"identifiers"`
	Fields      map[string]any    `json:"fields"`
	Changed     []string          `json:"changed,omitempty"`
	Timestamp   string            `json:"timestamp"`
}

// Event returns the event of a row.
func Event(ws id.Workspace, s activation.Sync, row books.Row, now time.Time) (event.Event, error) {
	s = s.WithDefaults()
	now = now.UTC().Truncate(time.Millisecond)
	sum := sha256.Sum256([]byte(string(s.ID) + "\x00" + row.Op + "\x00" + row.Key + "\x00" + row.Hash))
	r := record{Type: recordType, MessageID: "sync-" + hex.EncodeToString(sum[:16]), Action: row.Op, Mode: s.Mode, Object: s.Object, Key: row.Key,
		Identifiers: row.Identifiers, Fields: row.Fields, Changed: row.Changed, Timestamp: now.Format("2006-01-02T15:04:05.000Z")}
	switch {
	case row.Op == "delete" && s.Removed == activation.Clear:
		r.Action, r.Fields = "update", map[string]any{}
		for f := range s.Mapping {
			r.Fields[f] = nil
		}
	case row.Op == "delete":
		r.Fields = map[string]any{}
	case s.Mode == activation.Update:
		r.Action = "update"
	case s.Mode == activation.Snapshot:
		r.Action, r.Changed, r.Fields = "insert", nil, maps.Clone(row.Fields)
		for f := range s.Identifiers { // a set has the same columns in each file
			if _, there := r.Fields[f]; !there && r.Identifiers[f] == "" {
				r.Fields[f] = nil
			}
		}
	case s.Mode == activation.Append:
		r.Action, r.Changed = "insert", nil
	}
	body, err := json.Marshal(r)
	return event.Event{Workspace: ws, MessageID: id.Event(r.MessageID), Type: recordType, User: row.Key, ReceivedAt: now, JSON: body}, err
}

// Sizes of what is under way at once.
const (
	maxAtOnce = 4
	maxBatch  = 10_000
)

// batch is how many rows the destination gets at once.
func (r *run) batch() int {
	return min(max(r.sendTo.Limits.WithDefaults().BatchSize, 1), maxBatch)
}

// send sends what is in the page, as far as the destination takes it. A positive wait says
// how long nothing can be sent, and code why.
func (r *run) send(ctx context.Context) (wait time.Duration, code string) {
	limits, size := r.sendTo.Limits.WithDefaults(), r.batch()
	most := min(len(r.page), size*min(max(limits.Concurrency, 1), maxAtOnce))
	now := time.Now()
	type batch struct {
		rows    []sending
		results []outbound.Result
		outcome outbound.Outcome
	}
	name := fmt.Sprintf("%s-%s-", r.task.Sync.ID, r.books.ID)
	if r.set != "" {
		name = r.set + "/"
	}
	var all []*batch
	for from := 0; from < most; from += size {
		rows := r.page[from:min(from+size, most)]
		all = append(all, &batch{rows: rows, results: make([]outbound.Result, len(rows))})
	}
	var sent sync.WaitGroup
	for _, b := range all {
		sent.Go(func() {
			items := destination.Batch{Items: make([]destination.Item, len(b.rows)), Now: now, Name: fmt.Sprintf("%s%08d", name, b.rows[0].N)}
			for i := range b.rows {
				made, err := Event(r.task.Workspace, r.task.Sync, b.rows[i].Row, now)
				if err != nil { // a number that JSON does not have
					b.results[i] = outbound.Result{Outcome: destination.Dead, Code: "bad_json"}
				}
				items.Items[i] = destination.Item{Event: made, Attempt: b.rows[i].tries + 1}
			}
			items, at := good(items, b.results)
			if len(at) == 0 {
				return
			}
			results := make([]outbound.Result, len(at))
			b.outcome = r.link.Send(ctx, r.sendTo, items, results)
			for i, of := range at {
				b.results[of] = results[i]
			}
		})
	}
	sent.Wait()
	answered, left := false, []sending(nil)
	for _, b := range all {
		answered = answered || b.outcome.Answered
	}
	for _, b := range all {
		wait = max(wait, b.outcome.Pause)
		for i, res := range b.results {
			row := b.rows[i]
			if res.Outcome == destination.Retry {
				if row.tries++; !answered || row.tries < maxTries {
					wait, code = max(wait, res.After, time.Millisecond), res.Code
				}
			}
			if again := r.settle(row, res, answered); again {
				left = append(left, row)
			}
		}
		r.note(fmt.Sprintf("%s%08d", name, b.rows[0].N), b.results)
	}
	r.page = append(left, r.page[most:]...)
	if code == "" {
		if r.failures = 0; wait == 0 && len(left) == most { // this process may send nothing now
			wait = time.Second
		}
		return wait, ""
	}
	if r.failures++; answered {
		r.failures = min(r.failures, 3)
	}
	return max(wait, r.e.cfg.Backoff(r.failures)), code
}

// good is the items that have no result yet, and where they are.
func good(b destination.Batch, results []outbound.Result) (destination.Batch, []int) {
	var items []destination.Item
	var at []int
	for i := range b.Items {
		if results[i].Outcome == 0 {
			items, at = append(items, b.Items[i]), append(at, i)
		}
	}
	b.Items = items
	return b, at
}

// settle notes what became of a row, and reports whether it has to be sent again.
func (r *run) settle(row sending, res outbound.Result, answered bool) (again bool) {
	switch {
	case res.Outcome == destination.Delivered && r.set != "":
		r.books.Accepted++
	case res.Outcome == destination.Delivered:
		r.settled.Accepted = append(r.settled.Accepted, row.N)
		r.books.Accepted++
	case res.Outcome == 0:
		return true
	case res.Outcome == destination.Retry && (!answered || row.tries < maxTries):
		return true
	default:
		r.settled.Reject(res.Code, row.N)
		r.books.Rejected++
	}
	return false
}

// note adds a batch to the set, where there is one and the batch was taken.
func (r *run) note(name string, results []outbound.Result) {
	rows := int64(0)
	for _, res := range results {
		if res.Outcome == destination.Delivered {
			rows++
		}
	}
	if r.set != "" && rows > 0 {
		r.parts[name] = rows
	}
}
