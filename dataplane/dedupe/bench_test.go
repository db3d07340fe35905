package dedupe_test

import (
	"context"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/dedupe"
)

var keys = flag.Uint64("keys", 10_000_000, "keys of BenchmarkWindow")

// BenchmarkWindow fills an index with a window of new keys, evenly over its
// days, every hundredth followed by a duplicate of an older one, and opens it again.
// `-keys 100000000` is the figure that the product promises.
func BenchmarkWindow(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		x, err := dedupe.Open(dedupe.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- x.Run(ctx) }()
		began, cpu, heap := time.Now(), cpuTime(b), uint64(0)
		step := 7 * 24 * time.Hour / time.Duration(*keys)
		at := time.Unix(1_800_000_000, 0)
		for i := range *keys {
			at = at.Add(step)
			if !first(b, x, mixed(i), dedupe.Pos{Frame: i}, at) {
				b.Fatalf("key %d is not new", i)
			}
			if i%100 == 0 && first(b, x, mixed(i*7919%(i+1)), dedupe.Pos{Frame: 1 << 60}, at) {
				b.Fatalf("key %d was forgotten", i*7919%(i+1))
			}
			if i%(1<<20) == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				heap = max(heap, m.HeapInuse)
			}
		}
		if err := x.Snapshot(ctx, 1); err != nil {
			b.Fatal(err)
		}
		took, used := time.Since(began), cpuTime(b)-cpu
		rss, peak := status(b, "VmRSS:"), status(b, "VmHWM:")
		stop()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
		again := time.Now()
		if x, err = dedupe.Open(dedupe.Config{Dir: dir}); err != nil || x.Position() != 1 {
			b.Fatalf("opened at %d: %v", x.Position(), err)
		}
		b.ReportMetric(time.Since(again).Seconds(), "s/reopen")
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
		n := float64(*keys)
		b.ReportMetric(n/took.Seconds(), "keys/s")
		b.ReportMetric(float64(used.Nanoseconds())/1e3/n, "CPU-µs/key")
		b.ReportMetric(float64(heap)/(1<<20), "MiB-heap")
		b.ReportMetric(rss, "MiB-RSS")
		b.ReportMetric(peak, "MiB-peak-RSS")
		b.ReportMetric(float64(size(b, dir))/n, "B/key")
	}
}

// mixed spreads n over a key, one to one.
func mixed(n uint64) (k dedupe.Key) {
	for i := range 2 {
		n += 0x9E3779B97F4A7C15
		z := (n ^ n>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		binary.LittleEndian.PutUint64(k[i*8:], z^z>>31)
	}
	return k
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// status reads a line of the process's status, in MiB.
func status(b *testing.B, name string) float64 {
	all, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(all), name)
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

func size(b *testing.B, dir string) (n int64) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			b.Fatal(err)
		}
		n += st.Size()
	}
	return n
}
