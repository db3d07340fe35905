package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"weir/infra/weir/bench/process"
)

// balance adds what became of everything, by the sink's count and by weir's own books.
func (b *bench) balance(ctx context.Context) {
	d := b.drains
	b.report.Goal("acknowledged and not arrived", float64(d.acked-d.arrived), "events", 0, 0, fmt.Sprintf("%d of %d arrived", d.arrived, d.acked))
	b.report.Goal("arrived twice", float64(d.duplicates), "events", 0, 0, "")
	b.report.Add("longest drain after a load", d.longest.Seconds(), "s", 0, fmt.Sprintf("all together %.1f s", d.sum.Seconds()))
	c, err := b.sink.Counts(ctx, 0)
	if err != nil {
		b.report.Note("%v", err)
	} else if c.Strange > 0 {
		b.report.Note("%d requests to the sink did not hold the event that they named", c.Strange)
	}
	own, err := process.Memory(b.own.PID)
	if err == nil {
		b.report.Add("memory after all (PSS)", float64(own)/megabyte, "MB", 0, "")
	}
	b.books(ctx)
}

// books asks `weir ledger` until nothing is in flight and all is balanced.
func (b *bench) books(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	var open int
	for {
		out, err := b.ledger(ctx)
		if err != nil && ctx.Err() == nil {
			b.report.Note("weir ledger: %v", err)
			return
		}
		var text []string
		open, text = unbalanced(out)
		if err == nil && open == 0 && len(text) > 0 {
			b.report.Goal("books that do not balance", 0, "rows", 0, 0, "")
			return
		}
		select {
		case <-ctx.Done():
			b.report.Goal("books that do not balance", float64(open), "rows", 0, 0, strings.Join(text, " "))
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// unbalanced counts the rows of a ledger that are not balanced or not at rest,
// and returns all rows as text.
func unbalanced(ledger []byte) (int, []string) {
	n := 0
	var text []string
	for l := range bytes.Lines(ledger) {
		var r struct {
			Waiting  int64 `json:"waiting"`
			InFlight int64 `json:"inFlight"`
			Staged   int64 `json:"staged"`
			Parked   int64 `json:"parked"`
			Dead     int64 `json:"dead"`
			Balanced *bool `json:"balanced"`
		}
		if err := json.Unmarshal(l, &r); err != nil || r.Balanced == nil || !*r.Balanced || r.Waiting+r.InFlight+r.Staged+r.Parked+r.Dead != 0 {
			n++
		}
		text = append(text, strings.TrimSpace(string(l)))
	}
	return n, text
}
