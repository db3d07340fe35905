package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/pace"
	"weir/shared/durable"
	"weir/shared/id"
)

// runSweeps discards, once every sweepEvery, what lies here for destinations that
// were removed: their secrets are gone, so it can never be loaded. What a
// partition stages during a sweep is found by the next one.
func (e *Engine) runSweeps(ctx context.Context) {
	timer := time.NewTicker(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if err := e.sweep(ctx); err != nil && ctx.Err() == nil {
			e.c.Log.Warn("What waits for removed warehouses could not be discarded yet.", "error", err)
		}
	}
}

func (e *Engine) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pace.Longest)
	defer cancel()
	wanted := map[id.Destination]bool{}
	for _, j := range e.c.Jobs() {
		wanted[j.Destination] = true
	}
	found, err := e.known(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for d := range found {
		if wanted[d] {
			continue
		}
		if err := e.discard(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("discard what waits for %s: %w", d, err))
		}
	}
	return errors.Join(errs...)
}

// known returns the destinations that have a record in STAGE or a folder.
func (e *Engine) known(ctx context.Context) (map[id.Destination]bool, error) {
	found := map[id.Destination]bool{}
	for _, s := range e.c.Stages {
		keys, err := s.Keys(ctx)
		if err != nil {
			return nil, fmt.Errorf("list what is in STAGE: %w", err)
		}
		for key := range keys {
			found[id.Destination(key)] = true
		}
	}
	folders, err := disk.Folders(e.c.Dir)
	for _, d := range folders {
		found[d] = true
	}
	return found, err
}

// discard deletes everything of a destination that is removed for sure, counts its
// events and logs how many. Its records in STAGE go last: by them a repetition
// after a crash finds the destination.
func (e *Engine) discard(ctx context.Context, d id.Destination) error {
	l := e.loaderOf(d)
	if !l.work.TryLock() { // a load of it is just ending
		return nil
	}
	defer l.work.Unlock()
	var c disk.Cursor
	if _, err := durable.GetJSON(l.path("cursor.json"), &c); err != nil {
		return err
	}
	if p, err := e.folder(d).Paused(); err == nil && c.Workspace == "" {
		c.Workspace = p.Workspace
	}
	ws, err := c.Workspace, error(nil)
	if ws == "" {
		ws, err = l.reading(&disk.Manifest{}).Workspace(ctx)
	}
	if err != nil {
		return err
	}
	if ws == "" || !e.c.Removed(ws, d) {
		return nil
	}
	ends, events, err := l.drop(ctx, c)
	if err != nil {
		return err
	}
	if err := e.c.Blobs.Delete(ctx, blob.Ref(l.prefix())); err != nil {
		return err
	}
	for _, x := range []string{"manifest.json", ""} { // the cursor, by which a repetition finds the folder, with the folder
		if err := os.RemoveAll(l.path(x)); err != nil {
			return fmt.Errorf("remove a load's folder: %w", err)
		}
	}
	e.staged.Pass(ctx, d, ends) // a purge whose answer is lost is not repeated
	for p, s := range e.c.Stages {
		if err := s.Purge(ctx, ends[p], string(d)); err != nil {
			return fmt.Errorf("purge STAGE: %w", err)
		}
	}
	e.mu.Lock()
	delete(e.loaders, d)
	e.mu.Unlock()
	if e.discarded.Add(events); events > 0 {
		e.c.Log.Warn("Events that waited for a load were discarded: their warehouse was removed.", "destination", string(d), "events", events)
	}
	return nil
}

// mostDropped is of how many events Refused is told at once, about.
const mostDropped = 1000

// drop tells Refused of the events of a destination that are in no closed load, and
// returns how many these are, and the end of each partition's STAGE behind them.
func (l *loader) drop(ctx context.Context, c disk.Cursor) (ends []uint64, events int64, err error) {
	for _, s := range l.e.c.Stages {
		st, err := s.State(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("read the state of STAGE: %w", err)
		}
		ends = append(ends, st.Last+1)
	}
	for len(c.Next) < len(ends) {
		c.Next = append(c.Next, 0)
	}
	err = l.reading(&disk.Manifest{From: c.Next, To: ends}).Events(ctx, mostDropped, func(p int, some []event.Event) error {
		events += int64(len(some))
		if l.e.c.Refused == nil {
			return nil
		}
		for i := range some {
			some[i].Destination, some[i].Quarantine, some[i].JSON = l.dest, delivery.CodeRemoved, nil
		}
		return l.e.c.Refused(ctx, p, some)
	})
	return ends, events, err
}

// Discarded returns how many events that waited for a load were discarded, their
// warehouse removed, since the engine began.
func (e *Engine) Discarded() int64 { return e.discarded.Load() }
