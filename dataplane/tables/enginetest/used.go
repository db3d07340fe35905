package enginetest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/tables"
)

// told is a session that tells what statements cost.
type told struct{ tables.Session }

// Tell tells on stderr the processor time of each statement of s that takes a twentieth of a second.
func Tell(s tables.Session) tables.Session { return told{s} }

func (t told) Exec(ctx context.Context, sql string) (int64, error) {
	cpu, start := Used(), time.Now()
	n, err := t.Session.Exec(ctx, sql)
	if d := Used() - cpu; d >= 0.05 {
		sql = strings.Join(strings.Fields(sql), " ")
		fmt.Fprintf(os.Stderr, "%.2f cpu s, %.2f s, %d rows: %.300s\n", d, time.Since(start).Seconds(), n, sql)
	}
	return n, err
}

func (t told) Tx(ctx context.Context, do func(tables.Session) error) error {
	return t.Session.Tx(ctx, func(in tables.Session) error { return do(told{in}) })
}

// Used is the processor time in seconds of this process and its workers, in which DuckDB is.
func Used() (seconds float64) {
	for pid, stat := range processes() {
		if pid == strconv.Itoa(os.Getpid()) || stat.parent == os.Getpid() {
			seconds += stat.seconds
		}
	}
	return seconds
}

// Peak is the most memory in bytes that a worker of this process has had at once since Peak was asked before.
func Peak() (most int64) {
	for pid, stat := range processes() {
		if stat.parent != os.Getpid() {
			continue
		}
		text, _ := os.ReadFile("/proc/" + pid + "/status") // it may have ended
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) > 1 && f[0] == "VmHWM:" {
				kib, _ := strconv.ParseInt(f[1], 10, 64)
				most = max(most, kib<<10)
			}
		}
		_ = os.WriteFile("/proc/"+pid+"/clear_refs", []byte("5"), 0o600) // it starts anew, see proc(5)
	}
	return most
}

type stat struct {
	parent  int
	seconds float64 // of processors
}

// processes are those of the machine, by number, as proc(5) tells of them.
func processes() map[string]stat {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	all := map[string]stat{}
	for _, f := range files {
		text, _ := os.ReadFile(f) // it may have ended
		pid, rest, _ := strings.Cut(string(text), " (")
		if x := strings.Fields(rest[strings.LastIndex(rest, ")")+1:]); len(x) > 14 {
			parent, _ := strconv.Atoi(x[1])
			user, _ := strconv.ParseFloat(x[11], 64)
			system, _ := strconv.ParseFloat(x[12], 64)
			all[pid] = stat{parent, (user + system) / 100}
		}
	}
	return all
}
