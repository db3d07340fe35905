package natsstore_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
)

// images is how many power cuts are tried.
const images = 200

// TestAcknowledgedEventsOutliveAPowerCut records every change of files that a
// writing process makes, with strace, and replays it up to moments after an
// acknowledgement as a disk without power keeps it: see platter. A store that is
// opened on that has every event that was acknowledged by then.
func TestAcknowledgedEventsOutliveAPowerCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	steps := record(t, dir, 1500)
	var acks []int
	for i, s := range steps {
		if s.call == "ack" {
			acks = append(acks, i)
		}
	}
	if len(acks) < 2*images {
		t.Fatalf("%d acknowledgements were recorded, want at least %d", len(acks), 2*images)
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d steps, %d acknowledgements", seed, len(steps), len(acks))
	rng := rand.New(rand.NewPCG(seed, 0))
	cuts := map[int]bool{}
	for len(cuts) < images {
		cuts[acks[rng.IntN(len(acks))]] = true
	}
	p := platter{tree: map[string]*file{}, kept: map[string]*file{}}
	var acked []string
	for i, s := range steps {
		if s.call != "ack" {
			p.apply(s)
			continue
		}
		acked = append(acked, strings.Fields(string(s.data))...)
		if cuts[i] {
			image := filepath.Join(t.TempDir(), "image")
			p.write(t, dir, image, rng)
			holds(t, image, acked)
			if t.Failed() {
				t.Fatalf("after step %d of %d", i, len(steps))
			}
			if err := os.RemoveAll(image); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// holds checks that the store in dir has the events.
func holds(t *testing.T, dir string, events []string) {
	t.Helper()
	s, err := natsstore.Open(t.Context(), natsstore.Config{Dir: dir, MaxBytes: 4 << 30})
	if err != nil {
		t.Errorf("open after a power cut: %v", err)
		return
	}
	defer func() { _ = s.Close() }()
	there := map[string]bool{}
	for _, l := range s.Logs(queue.Events) {
		for _, f := range frames(t, l) {
			for _, e := range f.Events {
				there[string(e.MessageID)] = true
			}
		}
	}
	for _, m := range events {
		if !there[m] {
			t.Errorf("%s was acknowledged and is lost", m)
		}
	}
}

// step is a call that changes files, or an acknowledgement.
type step struct {
	at    float64 // when it has its effect
	call  string  // create, write, truncate, rename, remove, sync begins, sync ends, ack
	path  string
	to    string // of a rename
	data  []byte
	where int64 // of a write; -1: at the end of what was written there before
	id    string
}

// record runs the victim in dir until it has acknowledged so many events.
func record(t *testing.T, dir string, events int) []step {
	t.Helper()
	traces := t.TempDir()
	cmd := exec.Command("strace", "-ff", "-ttt", "-T", "-y", "-xx", "-s", "16777216", "-o", filepath.Join(traces, "t"), "-e",
		"trace=openat,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,truncate,mkdirat,fallocate,copy_file_range,sendfile",
		os.Args[0], victim, dir, "0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("strace: %v", err)
	}
	lines := bufio.NewReader(out)
	for range events {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the victim ended: %v", err)
		}
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	files, err := filepath.Glob(filepath.Join(traces, "t.*"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			steps = append(steps, parse(t, string(line), dir)...)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// traced is a line of a call that came back: time, name, arguments, result, duration.
var traced = regexp.MustCompile(`^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+)[^<]*(?:<([^>]*)>)?.* <(\d+\.\d+)>\s*$`)

// parse returns what a line of a trace does to files under dir.
func parse(t *testing.T, line, dir string) []step {
	t.Helper()
	m := traced.FindStringSubmatch(line)
	if m == nil || strings.HasPrefix(m[4], "-") { // signals, ends, and calls that failed or were cut off
		return nil
	}
	begun, _ := strconv.ParseFloat(m[1], 64) // the expression holds numbers only
	took, _ := strconv.ParseFloat(m[6], 64)
	ended := begun + took
	args := strings.Split(m[3], ", ")
	on := func(i int) string { // the path of a descriptor
		_, rest, _ := strings.Cut(args[i], "<")
		return unhex(strings.TrimSuffix(rest, ">"))
	}
	text := func(i int) string { return unhex(strings.Trim(args[i], `"`)) }
	inside := func(path string) bool { return strings.HasPrefix(path, dir+"/") }
	switch m[2] {
	case "write":
		if strings.HasPrefix(args[0], "1<") {
			return []step{{at: begun, call: "ack", data: []byte(text(1))}}
		}
		if inside(on(0)) {
			return []step{{at: ended, call: "write", path: on(0), data: []byte(text(1)), where: -1}}
		}
	case "pwrite64":
		if inside(on(0)) {
			where, err := strconv.ParseInt(args[3], 10, 64)
			if err != nil {
				t.Fatalf("trace: %v", err)
			}
			return []step{{at: ended, call: "write", path: on(0), data: []byte(text(1)), where: where}}
		}
	case "fsync", "fdatasync":
		if inside(on(0)) {
			return []step{{at: begun, call: "sync begins", path: on(0), id: m[1]}, {at: ended, call: "sync ends", path: on(0), id: m[1]}}
		}
	case "openat":
		path := unhex(m[5])
		flags := args[2]
		if inside(path) && (strings.Contains(flags, "O_CREAT") || strings.Contains(flags, "O_TRUNC")) {
			steps := []step{{at: ended, call: "create", path: path}}
			if strings.Contains(flags, "O_TRUNC") {
				steps = append(steps, step{at: ended, call: "truncate", path: path})
			}
			return steps
		}
	case "rename":
		if inside(text(1)) {
			return []step{{at: ended, call: "rename", path: text(0), to: text(1)}}
		}
	case "renameat", "renameat2":
		if inside(text(3)) {
			return []step{{at: ended, call: "rename", path: text(1), to: text(3)}}
		}
	case "unlink":
		return []step{{at: ended, call: "remove", path: text(0)}}
	case "unlinkat":
		return []step{{at: ended, call: "remove", path: text(1)}}
	case "mkdirat": // write makes the directories
	case "ftruncate":
		if inside(on(0)) {
			size, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				t.Fatalf("trace: %v", err)
			}
			return []step{{at: ended, call: "truncate", path: on(0), where: size}}
		}
	default:
		if strings.Contains(m[3], hex.EncodeToString([]byte(dir))) || len(args) > 0 && strings.Contains(args[0], "<") && inside(on(0)) {
			t.Fatalf("the replay does not know %s", m[2])
		}
	}
	return nil
}

// unhex reads \x61\x62 as ab.
func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s // it was not hexadecimal: a pipe
	}
	return string(b)
}

// platter is a disk as a power cut finds it, by the rules of ext4 with ordered
// data: of a file there is what its last fsync found, and perhaps the beginning of
// what came after it; of creations, renames and removals there are all that
// came before the last fsync of any file, because that writes the file system's
// journal, and none after it. Source: Linux, Documentation/filesystems/ext4/journal.rst.
type platter struct {
	tree  map[string]*file // by path, as processes see it
	kept  map[string]*file // as the journal has it
	syncs map[string][]byte
}

type file struct {
	now, kept []byte
	end       int64 // where a write without position goes
}

func (p *platter) apply(s step) {
	if p.syncs == nil {
		p.syncs = map[string][]byte{}
	}
	f := p.tree[s.path]
	switch s.call {
	case "create":
		if f == nil {
			p.tree[s.path] = &file{}
		} else {
			f.end = 0
		}
	case "write":
		if f == nil {
			return // it was removed while it was open
		}
		at := s.where
		if at < 0 {
			at = f.end
			f.end += int64(len(s.data))
		}
		if need := int(at) + len(s.data); need > len(f.now) {
			f.now = append(f.now, make([]byte, need-len(f.now))...)
		}
		copy(f.now[at:], s.data)
	case "truncate":
		if f != nil {
			f.now = append(f.now[:min(int(s.where), len(f.now)):min(int(s.where), len(f.now))], make([]byte, max(0, int(s.where)-len(f.now)))...)
		}
	case "rename":
		if f != nil {
			p.tree[s.to] = f
			delete(p.tree, s.path)
		}
	case "remove":
		delete(p.tree, s.path)
	case "sync begins":
		if f != nil {
			p.syncs[s.id] = slices.Clone(f.now)
		}
	case "sync ends":
		if f != nil && p.syncs[s.id] != nil {
			f.kept = p.syncs[s.id]
		}
		delete(p.syncs, s.id)
		p.kept = maps.Clone(p.tree)
	}
}

// write makes a copy of the disk in image, with the paths below dir.
func (p *platter) write(t *testing.T, dir, image string, rng *rand.Rand) {
	t.Helper()
	for path, f := range p.kept {
		data := f.kept
		if extra := len(f.now) - len(data); extra > 0 && rng.IntN(2) == 0 {
			data = append(slices.Clone(data), f.now[len(data):len(data)+rng.IntN(extra+1)]...)
		}
		to := filepath.Join(image, strings.TrimPrefix(path, dir))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(image, 0o700); err != nil {
		t.Fatal(fmt.Errorf("an image of an empty disk: %w", err))
	}
}
