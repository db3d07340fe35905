package dedupe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/shared/durable"
	"weir/shared/fault"
)

// Pos is where a key was first seen: a frame and an index in it.
type Pos struct {
	Frame uint64
	Index uint32
}

// Config is what an Index needs. Dir is its own folder and required.
type Config struct {
	Dir    string
	Window time.Duration // how long a key is remembered; zero means 7 days
	Memory int           // keys held in memory before a run is written; zero means 128 Ki (about 10 MiB, twice while a run is written)
	Log    *slog.Logger
}

// Index is the set of one partition. First and Snapshot belong to one
// goroutine, the partition's; Run works beside it.
type Index struct {
	cfg  Config
	span uint32 // seconds: runs are merged only within one span, so that old ones can be dropped whole
	buf  []byte

	active   map[Key]value
	position uint64
	newest   uint32 // the latest frame time that was believed
	believed time.Time
	jumped   bool
	horizon  atomic.Uint32 // runs whose newest key is older are dropped; 0 while jumped

	work chan struct{} // Run has something to do

	mu      sync.Mutex
	idle    *sync.Cond    // frozen became nil, or Run ended
	frozen  map[Key]value // being written by Run
	spare   map[Key]value // written, to be emptied and used again
	ruined  bool          // a run is damaged: no manifest may be written any more
	runs    []*run        // newest first
	retired []*run        // replaced; First may still read them until it looks again
	next    int           // number of the next run's file
	saved   manifest
	err     error // why Run gave up
}

type value struct {
	pos Pos
	at  uint32
}

// manifest is the file that says which runs are the index.
type manifest struct {
	Position uint64   `json:"position"`
	Newest   uint32   `json:"newest"`
	Next     int      `json:"next"`
	Runs     []string `json:"runs"`
}

const (
	manifestName = "manifest.json"
	spans        = 14        // of a window
	mostRuns     = 256       // writing waits for merges beyond it
	little       = 64        // a run is large if others of its span have less than a little-th of it together
	tier         = 8         // runs of alike size that are merged into one
	jump         = time.Hour // a frame time further ahead is not believed
)

// Open reads the index in cfg.Dir. A damaged one is discarded with a warning:
// Position is then 0 and the journal rebuilds it.
func Open(cfg Config) (*Index, error) {
	if cfg.Dir == "" {
		return nil, fault.New(fault.Invalid, "dedupe needs a directory")
	}
	if cfg.Window == 0 {
		cfg.Window = 7 * 24 * time.Hour
	}
	if cfg.Memory == 0 {
		cfg.Memory = 128 << 10
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("dedupe: %w", err)
	}
	x := &Index{cfg: cfg, span: uint32(max(cfg.Window/spans/time.Second, 1)), active: map[Key]value{}, work: make(chan struct{}, 1)}
	x.idle = sync.NewCond(&x.mu)
	if err := x.load(); err != nil {
		cfg.Log.Warn("dedupe index discarded", "reason", err)
		for _, r := range x.runs {
			_ = r.close()
		}
		x.runs, x.saved, x.position, x.newest = nil, manifest{}, 0, 0
	}
	return x, x.sweep()
}

func (x *Index) load() error {
	b, err := os.ReadFile(filepath.Join(x.cfg.Dir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("dedupe manifest: %w", err)
	}
	if err := json.Unmarshal(b, &x.saved); err != nil {
		return fault.New(fault.Invalid, "dedupe manifest is damaged")
	}
	for _, name := range x.saved.Runs {
		r, err := openRun(x.cfg.Dir, filepath.Base(name))
		if err != nil {
			return err
		}
		x.runs = append(x.runs, r)
	}
	x.position, x.newest, x.next = x.saved.Position, x.saved.Newest, x.saved.Next
	return nil
}

// sweep removes files that the manifest does not name: a crash left them.
func (x *Index) sweep() error {
	files, err := os.ReadDir(x.cfg.Dir)
	if err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "run-") && !slices.Contains(x.saved.Runs, f.Name()) {
			if err := os.Remove(filepath.Join(x.cfg.Dir, f.Name())); err != nil {
				return fmt.Errorf("dedupe: %w", err)
			}
		}
	}
	return nil
}

// Position is the journal sequence through which the keys on disk are
// complete; replay starts after it.
func (x *Index) Position() uint64 { return x.position }

// Keys returns how many keys are on the disk, in how many runs.
func (x *Index) Keys() (keys uint64, runs int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.runs {
		keys += r.entries
	}
	return keys, len(x.runs)
}

// Jumped reports whether a frame's time ran more than an hour ahead of the
// clock: nothing is forgotten from then on, until frames are back in time.
func (x *Index) Jumped() bool { return x.jumped }

// First reports whether the event with key k at pos is the first of its key:
// true when k is new within the window, and then it is remembered, and true
// again for the same pos. at is the time of its frame.
//
// An error means that the index cannot be read; nothing was decided.
func (x *Index) First(k Key, pos Pos, at time.Time) (bool, error) {
	now := x.believe(at)
	if v, ok := x.active[k]; ok && !x.expired(v.at, now) {
		return v.pos == pos, nil
	}
	runs, frozen, err := x.view()
	if err != nil {
		return false, err
	}
	if v, ok := frozen[k]; ok && !x.expired(v.at, now) {
		return v.pos == pos, nil
	}
	for _, r := range runs {
		e, ok, err := r.get(&k, &x.buf)
		if err != nil {
			return false, x.doubt(err)
		}
		if ok && !x.expired(e.at, now) {
			return e.pos == pos, nil
		}
	}
	x.active[k] = value{pos, now}
	if len(x.active) >= x.cfg.Memory {
		return true, x.freeze()
	}
	return true, nil
}

// view returns what is beside the active keys. Its caller has let go of the
// runs of the view before, so the retired ones are closed.
func (x *Index) view() ([]*run, map[Key]value, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.retired {
		_ = r.close() // it was only read
	}
	x.retired = nil
	return x.runs, x.frozen, x.err
}

// believe returns the frame time as seconds and moves the index's clock, unless
// the time is more than an hour ahead of what the machine's clock says passed.
func (x *Index) believe(at time.Time) uint32 {
	sec := uint32(max(at.Unix(), 0))
	if sec <= x.newest {
		x.jumped = false
		return sec
	}
	if x.newest > 0 {
		passed := time.Since(x.believed)
		if x.believed.IsZero() { // opened: what passed while it was closed, only the machine's clock knows
			passed = max(time.Since(time.Unix(int64(x.newest), 0)), 0)
		}
		expected := x.newest + uint32(passed/time.Second) + uint32(jump/time.Second)
		if sec > expected {
			if !x.jumped {
				x.cfg.Log.Error("frame time jumped ahead; no dedupe key is forgotten until it is back", "ahead_seconds", sec-expected)
			}
			x.jumped = true
			x.horizon.Store(0)
			return sec
		}
	}
	x.newest, x.believed, x.jumped = sec, time.Now(), false
	if w := uint32(x.cfg.Window / time.Second); sec > w {
		x.horizon.Store(sec - w)
	}
	return sec
}

func (x *Index) expired(at, now uint32) bool {
	return !x.jumped && now > at && time.Duration(now-at)*time.Second > x.cfg.Window
}

// freeze hands the keys in memory to Run, waiting for it when it still writes
// the ones before.
func (x *Index) freeze() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.frozen != nil && x.err == nil {
		x.idle.Wait()
	}
	if x.err != nil {
		return x.err
	}
	x.frozen, x.active, x.spare = x.active, x.spare, nil
	if x.active == nil {
		x.active = map[Key]value{}
	}
	clear(x.active)
	x.nudge()
	return nil
}

func (x *Index) nudge() {
	select {
	case x.work <- struct{}{}:
	default:
	}
}

// Snapshot makes every key so far durable and moves Position to seq: the
// journal sequence through which all keys were given to First.
func (x *Index) Snapshot(ctx context.Context, seq uint64) error {
	if len(x.active) > 0 {
		if err := x.freeze(); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { x.mu.Lock(); x.idle.Broadcast(); x.mu.Unlock() })
	defer stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.frozen != nil && x.err == nil && ctx.Err() == nil {
		x.idle.Wait()
	}
	if x.err != nil {
		return x.err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dedupe snapshot: %w", err)
	}
	if err := x.save(x.runs, seq, x.newest); err != nil {
		return err
	}
	x.position = seq
	return nil
}

// save writes the manifest. The caller holds mu.
func (x *Index) save(runs []*run, position uint64, newest uint32) error {
	if x.ruined {
		return fault.New(fault.Internal, "the dedupe index is damaged")
	}
	m := manifest{Position: position, Newest: newest, Next: x.next}
	for _, r := range runs {
		m.Runs = append(m.Runs, r.name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("dedupe manifest: %w", err)
	}
	if err := durable.WriteFile(filepath.Join(x.cfg.Dir, manifestName), b, 0o600); err != nil {
		return fmt.Errorf("dedupe manifest: %w", err)
	}
	x.saved = m
	return nil
}

// Close releases the files. Keys that no Snapshot covered are in the journal.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, r := range slices.Concat(x.runs, x.retired) {
		errs = append(errs, r.close())
	}
	x.runs, x.retired = nil, nil
	return errors.Join(errs...)
}
