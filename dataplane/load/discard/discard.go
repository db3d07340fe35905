// Package discard takes away what lies here for destinations that were removed: their secrets
// are gone, so it can never be loaded.
//
// It guarantees that each event was told of before it goes, and that a repetition after a crash
// finds the destination again.
package discard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/delivery"
	"weir/dataplane/event"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/reading"
	"weir/shared/durable"
	"weir/shared/id"
)

const (
	every       = time.Minute      // how often it is looked
	longest     = 30 * time.Minute // that a look may take
	mostDropped = 1000             // events of which Refused is told at once, about
)

// Log is one partition's STAGE; its keys are destinations.
type Log interface {
	reading.Log
	Keys(ctx context.Context) (map[string]uint64, error)
	Purge(ctx context.Context, before uint64, key string) error
}

// Sweeper discards what waits for removed destinations. All fields but Refused are required.
type Sweeper struct {
	Dir    string // of the folders of destinations
	Blobs  blob.Store
	Prefix func(id.Destination) blob.Ref // of staged files
	Logs   []Log                         // by partition
	Wanted func() map[id.Destination]bool
	// Removed says whether a destination is gone for ever, not only not wanted.
	Removed func(id.Workspace, id.Destination) bool
	// Refused is told of the events of a partition; nil: they are counted only.
	Refused func(ctx context.Context, partition int, events []event.Event) error
	// Hold keeps loads of a destination away until release; ok is false while one is under way.
	// With passed, everything before it is discarded.
	Hold func(d id.Destination) (release func(passed []uint64), ok bool)
	Log  *slog.Logger

	discarded atomic.Int64
}

// Discarded returns how many events were discarded.
func (s *Sweeper) Discarded() int64 { return s.discarded.Load() }

// Run discards once every minute, until ctx ends. What a partition stages meanwhile is found by
// the next look.
func (s *Sweeper) Run(ctx context.Context) {
	timer := time.NewTicker(every)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("What waits for removed warehouses could not be discarded yet.", "error", err)
		}
	}
}

func (s *Sweeper) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	wanted := s.Wanted()
	found, err := s.known(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for d := range found {
		if wanted[d] {
			continue
		}
		if err := s.discard(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("discard what waits for %s: %w", d, err))
		}
	}
	return errors.Join(errs...)
}

// known returns the destinations that have a record in STAGE or a folder.
func (s *Sweeper) known(ctx context.Context) (map[id.Destination]bool, error) {
	found := map[id.Destination]bool{}
	for _, l := range s.Logs {
		keys, err := l.Keys(ctx)
		if err != nil {
			return nil, fmt.Errorf("list what is in STAGE: %w", err)
		}
		for key := range keys {
			found[id.Destination(key)] = true
		}
	}
	folders, err := disk.Folders(s.Dir)
	for _, d := range folders {
		found[d] = true
	}
	return found, err
}

// discard deletes everything of a destination that is removed for sure, counts its
// events and logs how many. Its records in STAGE go last: by them a repetition
// after a crash finds the destination.
func (s *Sweeper) discard(ctx context.Context, d id.Destination) error {
	release, ok := s.Hold(d)
	if !ok { // a load of it is just ending
		return nil
	}
	var passed []uint64
	defer func() { release(passed) }()
	folder := disk.FolderOf(s.Dir, d)
	var c disk.Cursor
	if _, err := durable.GetJSON(folder.Path("cursor.json"), &c); err != nil {
		return err
	}
	if p, err := folder.Paused(); err == nil && c.Workspace == "" {
		c.Workspace = p.Workspace
	}
	logs := make([]reading.Log, len(s.Logs))
	for i, l := range s.Logs {
		logs[i] = l
	}
	all := &reading.Load{Logs: logs, Key: string(d)}
	ws, err := c.Workspace, error(nil)
	if ws == "" {
		ws, err = all.Workspace(ctx)
	}
	if err != nil {
		return err
	}
	if ws == "" || !s.Removed(ws, d) {
		return nil
	}
	ends, events, err := s.give(ctx, d, all, c.Next)
	if err != nil {
		return err
	}
	if err := s.Blobs.Delete(ctx, s.Prefix(d)); err != nil {
		return err
	}
	for _, x := range []string{"manifest.json", ""} { // the cursor, by which a repetition finds the folder, with the folder
		if err := os.RemoveAll(folder.Path(x)); err != nil {
			return fmt.Errorf("remove a load's folder: %w", err)
		}
	}
	passed = ends // a purge whose answer is lost is not repeated
	for p, l := range s.Logs {
		if err := l.Purge(ctx, ends[p], string(d)); err != nil {
			return fmt.Errorf("purge STAGE: %w", err)
		}
	}
	if s.discarded.Add(events); events > 0 {
		s.Log.Warn("Events that waited for a load were discarded: their warehouse was removed.", "destination", string(d), "events", events)
	}
	return nil
}

// give tells Refused of the events of a destination that are in no closed load, and
// returns how many these are, and the end of each partition's STAGE behind them.
func (s *Sweeper) give(ctx context.Context, d id.Destination, all *reading.Load, from []uint64) (ends []uint64, events int64, err error) {
	for _, l := range s.Logs {
		st, err := l.State(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("read the state of STAGE: %w", err)
		}
		ends = append(ends, st.Last+1)
	}
	for len(from) < len(ends) {
		from = append(from, 0)
	}
	all.From, all.To = from, ends
	err = all.Events(ctx, mostDropped, func(p int, some []event.Event) error {
		events += int64(len(some))
		if s.Refused == nil {
			return nil
		}
		for i := range some {
			some[i].Destination, some[i].Quarantine, some[i].JSON = d, delivery.CodeRemoved, nil
		}
		return s.Refused(ctx, p, some)
	})
	return ends, events, err
}
