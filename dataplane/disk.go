package dataplane

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/dataplane/event"
	"weir/shared/fault"
)

// What has to be free on the disk of the data directory for events to be taken.
// The log must never meet a full disk: it would take nothing more until a
// restart. Deliveries go on, and make room.
const (
	leastFree    = 1 << 30 // bytes
	leastPart    = 20      // a twentieth of the disk
	diskInterval = time.Second
)

// disk watches how much is free.
type disk struct {
	dir string
	low atomic.Bool
}

// watch looks until ctx ends.
func (d *disk) watch(ctx context.Context) {
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		d.look()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look measures once; a disk that cannot be measured counts as it did.
func (d *disk) look() {
	var st unix.Statfs_t
	if unix.Statfs(d.dir, &st) == nil {
		size := uint64(st.Bsize)
		d.low.Store(scarce(st.Bavail*size, st.Blocks*size))
	}
}

// scarce reports whether free bytes of total are too few to take events.
func scarce(free, total uint64) bool { return free < leastFree || free < total/leastPart }

// check is fault.Limited, with code disk_low, while too little is free.
func (d *disk) check() error {
	if !d.low.Load() {
		return nil
	}
	text := "The disk of this plane is almost full; events are taken again when there is room."
	return &fault.Error{Kind: fault.Limited, Text: text, Problems: []fault.Problem{{Code: "disk_low", Text: text}}}
}

// before makes append refuse while too little is free.
func (d *disk) before(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
	return func(ctx context.Context, events []event.Event) error {
		if err := d.check(); err != nil {
			return err
		}
		return append(ctx, events)
	}
}
