package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// syncs is how many appends are measured.
const syncs = 50

// fileSystems names those that are met; source: statfs(2).
var fileSystems = map[int64]string{
	0x01021994: "tmpfs (memory: a sync costs nothing)", 0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs",
}

// look measures what the figures depend on: the disk under dir, the load.
func look(dir string) (machine, error) {
	m := machine{CPUs: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &m.Load) // without it the load is 0
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return m, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	m.Filesystem = fileSystems[st.Type]
	if m.Filesystem == "" {
		m.Filesystem = fmt.Sprintf("file system %#x", st.Type)
	}
	took, err := syncTime(dir)
	m.SyncMicros = float64(took) / float64(time.Microsecond)
	return m, err
}

// syncTime is the median of an fsync after an append of 4 KiB.
func syncTime(dir string) (time.Duration, error) {
	name := filepath.Join(dir, "sync")
	f, err := os.Create(name)
	if err != nil {
		return 0, fmt.Errorf("measure fsync: %w", err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(name)
	}()
	page := bytes.Repeat([]byte("x"), 4<<10)
	var all []time.Duration
	for range syncs {
		if _, err := f.Write(page); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		start := time.Now()
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		all = append(all, time.Since(start))
	}
	return quantile(all, 0.5), nil
}

// balance adds what became of everything, by the sink's count and by weir's own books.
func (b *bench) balance(ctx context.Context) {
	d := b.drains
	b.report.goal("acknowledged and not arrived", float64(d.acked-d.arrived), "events", 0, 0, fmt.Sprintf("%d of %d arrived", d.arrived, d.acked))
	b.report.goal("arrived twice", float64(d.duplicates), "events", 0, 0, "")
	b.report.add("longest drain after a load", d.longest.Seconds(), "s", 0, fmt.Sprintf("all together %.1f s", d.sum.Seconds()))
	var c counts
	text, err := b.sink.get(ctx, "/counts", 0)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		b.report.note("%v", err)
	} else if c.Strange > 0 {
		b.report.note("%d requests to the sink did not hold the event that they named", c.Strange)
	}
	own, err := memory(b.own.pid)
	if err == nil {
		b.report.add("memory after all (PSS)", float64(own)/megabyte, "MB", 0, "")
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
			b.report.note("weir ledger: %v", err)
			return
		}
		var text []string
		open, text = unbalanced(out)
		if err == nil && open == 0 && len(text) > 0 {
			b.report.goal("books that do not balance", 0, "rows", 0, 0, "")
			return
		}
		select {
		case <-ctx.Done():
			b.report.goal("books that do not balance", float64(open), "rows", 0, 0, strings.Join(text, " "))
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
			InFlight int64 `json:"inFlight"`
			Parked   int64 `json:"parked"`
			Dead     int64 `json:"dead"`
			Balanced *bool `json:"balanced"`
		}
		if err := json.Unmarshal(l, &r); err != nil || r.Balanced == nil || !*r.Balanced || r.InFlight+r.Parked+r.Dead != 0 {
			n++
		}
		text = append(text, strings.TrimSpace(string(l)))
	}
	return n, text
}
