package health

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/dataplane/event"
	"weir/shared/fault"
)

// What has to be free on the disk of the data directory for events to be taken:
// 1 GiB or a tenth of a small disk, and a twentieth of a large one. The log must
// never meet a full disk: it would take nothing more until its server restarts.
// Deliveries go on, and make room.
const (
	leastFree    = 1 << 30 // bytes
	smallPart    = 10
	leastPart    = 20
	diskInterval = time.Second
)

// disk watches how much is free.
type disk struct {
	dir  string
	low  atomic.Bool
	left atomic.Int64 // bytes that may be taken before it is looked again
	pace pace
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

// look measures once; a disk that cannot be measured counts as it did. What was
// low is so until a tenth more than needed is free, so that it does not flutter.
func (d *disk) look() {
	_, free, least := d.room()
	if least == 0 {
		return
	}
	d.pace.saw(time.Now(), free)
	if d.low.Load() {
		least += least / 10
	}
	d.low.Store(free < least)
	if free >= least {
		d.left.Store(int64((free - least) / 4))
	}
}

// room returns the size of the disk, what is free and what has to be, in bytes; zeros when it
// cannot be measured.
func (d *disk) room() (total, free, least uint64) {
	var st unix.Statfs_t
	if unix.Statfs(d.dir, &st) != nil {
		return 0, 0, 0
	}
	size := uint64(st.Bsize)
	return st.Blocks * size, st.Bavail * size, needed(st.Blocks * size)
}

// needed returns how many bytes of a disk of total must be free.
func needed(total uint64) uint64 {
	return max(min(leastFree, total/smallPart), total/leastPart)
}

// check is fault.Limited, with code disk_low, while too little is free.
func (d *disk) check() error {
	if !d.low.Load() {
		return nil
	}
	return noRoom("disk_low", "The disk of this plane is almost full; events are taken again when there is room.")
}

// noRoom is fault.Limited with the code that the gateway answers.
func noRoom(code, text string) error {
	return &fault.Error{Kind: fault.Limited, Text: text, Problems: []fault.Problem{{Code: code, Text: text}}}
}

// before makes append refuse while too little is free.
func (d *disk) before(append func(context.Context, []event.Event) error) func(context.Context, []event.Event) error {
	return func(ctx context.Context, events []event.Event) error {
		size := int64(0)
		for i := range events {
			size += int64(len(events[i].JSON))
		}
		if d.left.Add(-size) < 0 { // a fast sender fills a small disk between two ticks
			d.look()
		}
		if err := d.check(); err != nil {
			return err
		}
		return append(ctx, events)
	}
}
