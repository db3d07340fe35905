// Package staging makes the files of one load of what STAGE has. It reads the partitions
// beside each other.
//
// It guarantees that its memory does not grow with the load, that what it put into files is
// what the manifest says, and that each event without a row was told before it returns.
package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"weir/dataplane/blob"
	"weir/dataplane/event"
	"weir/dataplane/layout"
	"weir/dataplane/load/batches"
	"weir/dataplane/load/disk"
	"weir/dataplane/load/reading"
	"weir/dataplane/load/stage"
	"weir/dataplane/queue"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/processors"
)

// mostParallel is how many partitions make rows at the same moment, at most.
const mostParallel = 4

// Staging is how a load is staged.
type Staging struct {
	Blobs   blob.Store
	Prefix  blob.Ref // of the files
	Reading *reading.Load
	Most    int // events of the load, about; a record is not divided
	Layout  *layout.Dialect
	Options layout.Options
	// Destination is of this Type. SourceOf may be nil.
	Destination id.Destination
	Type        string
	SourceOf    func(id.Source) (name, typ string)
	// Refused is told of events without rows, as load.Config has it; it may be called for
	// several partitions at once. nil: they are counted only.
	Refused func(ctx context.Context, partition int, events []event.Event) error
	Damaged func(ctx context.Context, partition int, r queue.Record) // is told of a record that cannot be read
}

// run is one staging.
type run struct {
	*Staging
	m     *disk.Manifest
	files *stage.Writer
	count atomic.Int64
	slots chan struct{}

	mu      sync.Mutex
	full    bool
	refused map[string]int
}

// Run writes the files, and lets the manifest name them and the records that are in them.
// It does not keep the manifest.
func (s *Staging) Run(ctx context.Context, m *disk.Manifest) error {
	w := &run{
		Staging: s, m: m, files: stage.New(s.Blobs, s.Prefix), refused: map[string]int{},
		slots: make(chan struct{}, min(mostParallel, max(1, processors.Count()))),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var reading sync.WaitGroup
	to := make([]uint64, len(m.To))
	for p := range m.To {
		to[p] = m.To[p]
		reading.Go(func() {
			if err := w.partition(ctx, p, &to[p]); err != nil {
				cancel(err)
			}
		})
	}
	reading.Wait()
	tables, err := w.files.Finish(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	copy(m.To, to)
	m.Tables, m.Staged, m.Format, m.Full = tables, true, disk.ManifestFormat, w.full
	m.Refused, m.Events = w.refused, w.count.Load()
	return nil
}

// partition stages what a partition has, up to what is too much; to is the record from
// where on that is.
func (w *run) partition(ctx context.Context, p int, to *uint64) error {
	n := int64(0)
	refused := map[string]int{}
	err := w.Reading.Partition(ctx, p, func(r queue.Record, frame *queue.Frame) (bool, error) {
		more := int64(0)
		if frame != nil {
			more = int64(len(frame.Events))
		}
		if before := w.count.Add(more) - more; before >= int64(w.Most) {
			w.count.Add(-more)
			*to = r.Seq
			w.mu.Lock()
			w.full = true
			w.mu.Unlock()
			return false, nil
		}
		if frame == nil {
			w.Damaged(ctx, p, r)
			refused[batches.DamagedRecord]++
			return true, nil
		}
		if err := w.frame(ctx, p, n, frame.Events, refused); err != nil {
			return false, err
		}
		n += more
		return true, nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for code, more := range maps.All(refused) {
		w.refused[code] += more
	}
	return err
}

// frame stages the rows of the events of a record; before is how many the partition had.
func (w *run) frame(ctx context.Context, p int, before int64, events []event.Event, refused map[string]int) error {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	without, err := w.rows(ctx, p, before, events, refused)
	<-w.slots
	if err != nil || len(without) == 0 || w.Refused == nil {
		return err
	}
	if err := w.Refused(ctx, p, without); err != nil {
		return fmt.Errorf("keep refused events: %w", err)
	}
	return nil
}

// rows stages the rows of events and returns those that have none.
func (w *run) rows(ctx context.Context, p int, before int64, events []event.Event, refused map[string]int) (without []event.Event, err error) {
	var memory layout.Memory
	for i := range events {
		e := &events[i]
		meta := layout.Meta{SourceID: string(e.Source), DestinationID: string(w.Destination), DestinationType: w.Type, Now: w.m.At}
		if w.SourceOf != nil {
			meta.SourceName, meta.SourceType = w.SourceOf(e.Source)
		}
		rows, code, err := w.Layout.RowsIn(&memory, &w.Options, meta, e.JSON)
		if err != nil {
			code = "bad_event"
			if fault.KindOf(err) != fault.Invalid {
				return nil, err
			}
		}
		if code != "" {
			refused[code]++
			kept := *e
			kept.Quarantine, kept.Destination = code, w.Destination
			if err != nil {
				kept.Detail = err.Error() // it never quotes the event
			}
			without = append(without, kept)
			continue
		}
		if err := w.files.Add(ctx, reading.Number(p, before+int64(i)+1), rows); err != nil {
			return nil, err
		}
	}
	return without, nil
}

// Keep keeps a record that cannot be read as the blob damaged/<destination>-<partition>-
// <number>, as well as it goes, and calls for somebody. It would stop its destination for
// ever otherwise.
func Keep(ctx context.Context, blobs blob.Store, log *slog.Logger, d id.Destination, partition int, r queue.Record) {
	err := blobs.Put(ctx, blob.Ref(fmt.Sprintf("damaged/%s-%d-%d", d, partition, r.Seq)), func(w io.Writer) error {
		_, err := w.Write(r.Data)
		return err
	})
	log.Error("A record of STAGE is damaged and was left out of a load.", "destination", string(d), "partition", partition, "number", r.Seq, "kept", err == nil)
}

// Sweep deletes the files of a destination below prefix that no load named in keep has.
func Sweep(ctx context.Context, blobs blob.Store, prefix blob.Ref, keep ...string) error {
	all, err := blobs.List(ctx, prefix)
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range all {
		if !of(ref, prefix, keep) {
			errs = append(errs, blobs.Delete(ctx, ref))
		}
	}
	return errors.Join(errs...)
}

func of(ref, prefix blob.Ref, loads []string) bool {
	for _, load := range loads {
		if strings.HasPrefix(string(ref), string(prefix)+"/"+load+"/") {
			return true
		}
	}
	return false
}
