package dedupe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"weir/dataplane/frames"
	"weir/shared/durable"
	"weir/shared/fault"
)

// manifest is the file that says which runs are the index: a line of JSON, and
// one with its checksum, which manifests of before do not have.
type manifest struct {
	Position uint64           `json:"position"`
	Newest   uint32           `json:"newest"`
	Next     int              `json:"next"`
	Runs     []string         `json:"runs"`
	Forgot   map[Owner]uint32 `json:"forgot,omitempty"`
}

const (
	manifestName = "manifest.json"
	runPrefix    = "run-"
)

// parse reads a manifest. fault.Invalid: it is damaged.
func (m *manifest) parse(b []byte) error {
	line, sum, summed := bytes.Cut(b, []byte("\n"))
	if summed && string(sum) != checksum(line) {
		return fault.New(fault.Invalid, "dedupe manifest is damaged")
	}
	if err := json.Unmarshal(line, m); err != nil {
		return fault.New(fault.Invalid, "dedupe manifest is damaged")
	}
	return nil
}

func checksum(line []byte) string { return fmt.Sprintf("%08x\n", frames.Sum(0, line)) }

// load opens the runs that the manifest names, and removes the other files, which
// a crash left. Without a readable manifest all whole runs that are there count:
// one that had been merged into another has only keys that this one has, too.
func (x *Index) load() error {
	names, err := x.stored()
	if err != nil {
		return err
	}
	var m manifest
	b, err := os.ReadFile(filepath.Join(x.cfg.Dir, manifestName))
	if err == nil {
		err = m.parse(b)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		m = manifest{Runs: names}
	case fault.KindOf(err) == fault.Invalid:
		x.cfg.Log.Error("the dedupe manifest is damaged; all runs that are there are used", "runs", len(names))
		m = manifest{Runs: names}
	case err != nil:
		return fault.New(fault.Unavailable, "dedupe manifest: %v", err)
	}
	x.position, x.newest, x.next = m.Position, m.Newest, m.Next
	if m.Forgot != nil {
		x.forgot = m.Forgot
	}
	if err := x.openRuns(m.Runs); err != nil {
		return err
	}
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, runPrefix)); err == nil {
			x.next = max(x.next, n)
		}
	}
	if x.damaged.Load() > 0 { // the files stay until no manifest names them
		if err := x.change(change{newest: x.newest}); err != nil {
			x.cfg.Log.Warn("the dedupe manifest is not written", "error", err)
			return nil
		}
	}
	for _, name := range names {
		if slices.ContainsFunc(x.runs, func(r *run) bool { return r.name == name }) {
			continue
		}
		if err := os.Remove(filepath.Join(x.cfg.Dir, name)); err != nil {
			x.cfg.Log.Warn("a file of the dedupe index is left over", "error", err)
		}
	}
	return nil
}

// stored lists the files of runs that are there.
func (x *Index) stored() (names []string, err error) {
	files, err := os.ReadDir(x.cfg.Dir)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "dedupe: %v", err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), runPrefix) {
			names = append(names, f.Name())
		}
	}
	return names, nil
}

// openRuns opens runs and leaves out those that are damaged, with their keys.
func (x *Index) openRuns(names []string) error {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if name = filepath.Base(name); strings.HasSuffix(name, unfinished) {
			continue
		}
		r, err := openRun(x.cfg.Dir, name)
		if err == nil {
			x.runs = append(x.runs, r)
			continue
		}
		if fault.KindOf(err) != fault.Invalid {
			return err
		}
		x.damaged.Add(x.keysOf(name))
		x.cfg.Log.Error("a file of dedupe keys is damaged; they are lost", "reason", err)
		if x.cfg.Rebuild {
			x.position = 0
		}
	}
	x.sort(x.runs)
	x.newest = max(x.newest, newestOf(x.runs))
	return nil
}

// keysOf guesses how many keys a damaged file had, from its size.
func (x *Index) keysOf(name string) uint64 {
	st, err := os.Stat(filepath.Join(x.cfg.Dir, name))
	if err != nil {
		return 1
	}
	return uint64(max(st.Size()/(entrySize+1), 1))
}

// sort brings runs into the order in which they are looked at: newest first.
func (x *Index) sort(runs []*run) {
	slices.SortStableFunc(runs, func(a, b *run) int { return int(int64(b.newest) - int64(a.newest)) })
}

// change is what becomes of an index, all or nothing.
type change struct {
	fresh    *run // comes in the place of old
	old      []*run
	position *uint64          // nil: as it was
	newest   uint32           // the latest frame time; 0: that of the runs
	forgot   map[Owner]uint32 // added
	done     func()           // called with it, under mu
}

// change makes c durable, then takes it over, then removes the files of what is
// old. First goes on meanwhile.
func (x *Index) change(c change) error {
	x.saving.Lock()
	defer x.saving.Unlock()
	x.mu.Lock()
	runs := slices.DeleteFunc(slices.Clone(x.runs), func(r *run) bool { return slices.Contains(c.old, r) })
	position, forgot, next := x.position, maps.Clone(x.forgot), x.next
	x.mu.Unlock()
	if c.fresh != nil {
		runs = slices.Insert(runs, 0, c.fresh)
	}
	x.sort(runs)
	if c.position != nil {
		position = *c.position
	}
	for o, through := range c.forgot {
		forgot[o] = max(forgot[o], through)
	}
	horizon := x.horizon.Load()
	maps.DeleteFunc(forgot, func(_ Owner, through uint32) bool { return through < horizon })
	m := manifest{Position: position, Newest: max(c.newest, newestOf(runs)), Next: next, Forgot: forgot}
	for _, r := range runs {
		m.Runs = append(m.Runs, r.name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("dedupe manifest: %w", err)
	}
	b = append(append(b, '\n'), checksum(b)...)
	if err := durable.WriteFile(filepath.Join(x.cfg.Dir, manifestName), b, 0o600); err != nil {
		return fmt.Errorf("dedupe manifest: %w", err)
	}
	x.mu.Lock()
	x.runs, x.retired, x.position, x.forgot = runs, append(x.retired, c.old...), position, forgot
	if c.done != nil {
		c.done()
	}
	x.idle.Broadcast()
	x.mu.Unlock()
	for _, r := range c.old {
		if err := os.Remove(filepath.Join(x.cfg.Dir, r.name)); err != nil { // Open does it
			x.cfg.Log.Warn("a file of the dedupe index is left over", "error", err)
		}
	}
	return nil
}
