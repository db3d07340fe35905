package foreign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/destination/fields"
	"weir/dataplane/event"
	"weir/dataplane/pull"
	"weir/dataplane/pull/stale"
	"weir/shared/delay"
)

// run is a connector that reads a stream.
type run struct {
	source  *source
	process *connector.Process
	silence time.Duration
	stream  Stream
	name    string // what rows name as their stream
	output  int64  // bytes a second that it may say
	batches chan batch
	once    sync.Once
	stop    chan struct{} // closed: nobody takes what it says any more
	timer   *time.Timer   // ends it between steps

	kept  pull.Cursor // what was emitted last
	at    position    // with the state that the rows of records stand before
	known bool        // the connector said what names the rows
	whole string      // the version of the rows of which it said that it gives all
	idle  int         // lines since the last row or state
	heard time.Time   // when the connector last said something
	rowed bool        // rows of the stream came
	due   time.Time   // when it may say more, see pace

	records []pull.Record // not emitted yet
	size    int
	fresh   bool // the state has changed since it was emitted
	flushed time.Time
}

// begin reads what a process says.
func begin(s *source, p *connector.Process, m *connector.Manifest, want Stream, name string, at position, from pull.Cursor) *run {
	now := time.Now()
	r := &run{
		source: s, process: p, silence: m.Silence, output: m.Output << 20, stream: want, name: name, known: want.Keys != nil,
		batches: make(chan batch, 1), stop: make(chan struct{}), kept: from, at: at, heard: now, flushed: now,
	}
	r.timer = time.AfterFunc(idle, r.close)
	go scan(p, r.batches, r.stop) // ends with stop, or with what the process says
	return r
}

// close ends the run.
func (r *run) close() {
	r.once.Do(func() {
		close(r.stop)
		r.timer.Stop()
		r.process.Stop()
	})
}

// over reports whether it was ended between steps.
func (r *run) over() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// read takes what the connector says until the step's time is over, or it says nothing for
// a while.
func (r *run) read(ctx context.Context, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	r.timer.Stop()
	defer r.timer.Reset(idle)
	step := time.NewTimer(max(b.Until.Sub(r.source.deps.Now()), 0))
	defer step.Stop()
	tick := time.NewTicker(flushTime)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case got, open := <-r.batches:
			if !open {
				return pull.Next{}, refuse(pull.CodeUnreachable, "The connector was ended between two steps.")
			}
			r.heard = time.Now()
			err := r.take(got)
			if got.err != nil && err == nil {
				return pull.Next{}, r.end(got.err, emit)
			}
			if err != nil {
				// The rows before are right: they are kept with the state that stands before them.
				return pull.Next{}, errors.Join(r.flush(emit), err)
			}
			if flushed(len(r.records), r.size, time.Since(r.flushed)) {
				if err := r.flush(emit); err != nil {
					return pull.Next{}, err
				}
			}
			if !delay.For(ctx, r.pace(got)) {
				return pull.Next{}, ctx.Err()
			}
		case <-tick.C:
			if err := r.flush(emit); err != nil {
				return pull.Next{}, err
			}
			switch now := time.Now(); {
			case now.Sub(r.heard) > r.silence:
				return pull.Next{}, refuse(pull.CodeUnreachable, "The connector said nothing for "+r.silence.String()+".")
			case now.Sub(r.heard) > quiet && now.Sub(began) > quiet:
				return pull.Next{More: true}, nil
			}
		case <-step.C:
			return pull.Next{More: true}, r.flush(emit)
		case <-ctx.Done():
			return pull.Next{}, ctx.Err()
		}
	}
}

// pace is how long nothing is read behind a batch, so that the connector says no more in a
// second than it may: meanwhile it waits.
func (r *run) pace(b batch) time.Duration {
	size := 0
	for _, line := range b.lines {
		size += len(line)
	}
	now := time.Now()
	if r.due.Before(now.Add(-time.Second)) { // what it did not say before gives it a second's worth
		r.due = now.Add(-time.Second)
	}
	r.due = r.due.Add(time.Duration(float64(size) / float64(r.output) * float64(time.Second)))
	return max(0, r.due.Sub(now))
}

// end is the end of what the connector says.
func (r *run) end(why error, emit func([]pull.Record, pull.Cursor) error) error {
	if errors.Is(why, errLong) {
		return errors.Join(r.flush(emit), refuse(pull.CodeAnswer, "The connector said a line of more than 4 MiB."))
	}
	if !errors.Is(why, io.EOF) {
		return errors.Join(r.flush(emit), refuse(pull.CodeAnswer, "What the connector says cannot be read."))
	}
	e, err := r.process.Wait()
	if err == nil {
		if f := failureOf(e); f != nil {
			return errors.Join(r.flush(emit), f)
		}
		r.at.Began, r.fresh = "", true // the reading is over
		if now := r.source.deps.Now().UTC(); r.whole != "" && r.whole == r.at.Table && r.whole != r.at.Whole {
			r.at.Whole, r.at.Stale = r.whole, &stale.Search{Since: r.at.Since, Ended: now}
		}
		return r.flush(emit)
	}
	return errors.Join(r.flush(emit), refuse(pull.CodeAnswer, "The connector was ended from outside."))
}

// flush makes the rows durable, and keeps the state that stands behind them.
func (r *run) flush(emit func([]pull.Record, pull.Cursor) error) error {
	r.flushed = time.Now()
	if len(r.records) == 0 && !r.fresh {
		return nil
	}
	c := r.at.cursor()
	if err := emit(r.records, c); err != nil {
		return err
	}
	r.kept, r.records, r.size, r.fresh = c, nil, 0, false
	return nil
}

// take takes what the connector said.
func (r *run) take(b batch) error {
	for _, text := range b.lines {
		if r.idle++; r.idle > mostIdle {
			return refuse(pull.CodeAnswer, "The connector says a lot, and no rows.")
		}
		if len(text) == 0 {
			continue
		}
		if event.Check(text, levels) != "" {
			if r.source.protocol.Chatty() {
				continue
			}
			return refuse(pull.CodeAnswer, "The connector said what is no JSON.")
		}
		m := r.source.protocol.Parse(fields.Value(text), r.at.State)
		if m.Table != "" && m.Stream == r.name {
			r.version(m)
		}
		switch {
		case m.Failure != nil:
			return m.Failure
		case m.State != nil:
			r.at.State, r.fresh, r.idle = append([]byte(nil), m.State...), true, 0
		case m.Keys != nil && m.Stream == r.name:
			if r.known = true; len(r.stream.Keys) == 0 {
				r.stream.Keys = m.Keys
			}
		case m.Row != nil:
			r.idle = 0
			if m.Stream != r.name {
				continue // of a stream that this one needs, say
			}
			record, err := r.record(m)
			if err != nil {
				return err
			}
			r.rowed = true
			r.records = append(r.records, record)
			r.size += len(record.Row)
		}
	}
	return nil
}

// version takes the version of the stream's rows. One that is whole behind rows of none, or
// of another, says nothing of these.
func (r *run) version(m Message) {
	if m.Whole && m.Table != r.at.Table && r.rowed {
		return
	}
	if m.Table != r.at.Table {
		r.at.Table, r.at.Since, r.fresh = m.Table, r.source.deps.Now().UTC(), true
	}
	if m.Whole {
		r.whole = m.Table
	}
}

// record makes a record of a row.
func (r *run) record(m Message) (pull.Record, error) {
	x := pull.Record{Row: m.Row, Deleted: m.Deleted, Version: r.at.Began}
	if !m.Row.IsObject() {
		return x, refuse(pull.CodeAnswer, "A row is no object.")
	}
	if !r.known && r.source.protocol.Name() == "singer" {
		return x, refuse(pull.CodeAnswer, "The connector gave a row before the schema of its stream.")
	}
	if r.stream.Cursor != "" {
		if v := m.Row.Get(strings.Split(r.stream.Cursor, ".")...).Text(); v != "" {
			x.Version = v
		}
	}
	x.Version = r.at.version(x.Version)
	if len(r.stream.Keys) == 0 { // its rows have no names: each content is a row
		sum := sha256.Sum256(m.Row)
		x.Key, x.Version = hex.EncodeToString(sum[:16]), r.at.Table
		return x, nil
	}
	parts := make([]string, len(r.stream.Keys))
	for i, k := range r.stream.Keys {
		if parts[i] = m.Row.Get(strings.Split(k, ".")...).Text(); parts[i] == "" {
			return x, refuse(pull.CodeAnswer, "A row lacks a field of its key, "+k+".")
		}
	}
	x.Key = strings.Join(parts, ":")
	return x, nil
}
