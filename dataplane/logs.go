package dataplane

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"weir/dataplane/blob"
	"weir/dataplane/health"
	"weir/dataplane/overflow"
	"weir/dataplane/queue"
	"weir/dataplane/queue/detour"
)

// sharedKinds are the logs that many destinations or sources write to: each has a
// share of them.
var sharedKinds = [...]queue.Kind{queue.Parked, queue.Dead, queue.Quarantine, queue.Stage}

// storedTimes is how much of a shared log the blob store takes, as a multiple of the
// log's limit. The logs have 60 % of the disk, PARKED and STAGE a fifth of that, DEAD
// and QUARANTINE less.
const storedTimes = 2

// sharedPart is the part of a log's limit in a cluster that keys share where what is
// appended has no other place: past its limit the cluster refuses everybody's appends.
const sharedPart = 2

// openShared opens the logs that keys share. In a cluster partitions move between
// processes, so what is past the shares cannot be on this disk.
func (d *DataPlane) openShared(ctx context.Context) error {
	for _, k := range sharedKinds {
		var blobs blob.Store
		if d.cfg.Events == "" {
			dir, err := blob.Open(filepath.Join(d.cfg.DataDir, strings.ToLower(k.String())))
			if err != nil {
				return err
			}
			blobs = dir
		}
		for n := range d.store.Partitions() {
			c := overflow.Config{Log: d.store.Log(k, n), Low: d.health.DiskLow, Out: d.cfg.Log}
			c.Insist = k == queue.Quarantine // what broke a rule was acknowledged, and the loop waits for it
			c.Bounds = func() (limit, stored int64) {
				switch limit = d.store.Limit(k); {
				case blobs != nil:
					return limit, storedTimes * limit
				case k == queue.Parked || k == queue.Quarantine:
					return limit / sharedPart, 0
				default:
					return limit, 0
				}
			}
			if c.Limit, c.Stored = c.Bounds(); blobs != nil {
				c.Blobs, c.Folder = blobs, blob.Ref(strconv.Itoa(n))
			}
			o, err := overflow.New(ctx, c)
			if err != nil {
				return fmt.Errorf("open %s of partition %d: %w", k, n, err)
			}
			d.shared[k] = append(d.shared[k], o)
		}
	}
	return nil
}

// logs says how the logs are that can be full, of all partitions.
func (d *DataPlane) logs(ctx context.Context) ([]health.Log, error) {
	var all []health.Log
	for k := range queue.Kinds {
		if k == queue.Events || k == queue.Detour { // they empty as fast as the others take what is in them
			continue
		}
		one := health.Log{Kind: k}
		for n := range d.store.Partitions() {
			st, err := d.store.Log(k, n).State(ctx)
			if err != nil {
				return nil, fmt.Errorf("look how full %s is: %w", k, err)
			}
			limit := d.store.Limit(k)
			one.Bytes, one.Limit = one.Bytes+int64(st.Bytes), one.Limit+limit
			if limit > 0 {
				one.Fill = max(one.Fill, float64(st.Bytes)/float64(limit))
			}
		}
		for _, o := range d.shared[k] {
			one.Stored += o.Bytes()
			one.Full = append(one.Full, o.Full()...)
		}
		all = append(all, one)
	}
	return all, nil
}

// openDetours returns the EVENTS logs as the writer appends to them: with a cluster,
// events go on while a leader is away.
func (d *DataPlane) openDetours(ctx context.Context) []queue.Log {
	logs := d.store.Logs(queue.Events)
	for n, side := range d.store.Logs(queue.Detour) {
		l := detour.New(ctx, logs[n], side, d.cfg.Log.With("partition", n))
		d.detours, logs[n] = append(d.detours, l), l
	}
	return logs
}
