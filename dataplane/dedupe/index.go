package dedupe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	Most   uint64        // keys on the disk, of about 34 bytes there and 1.4 in memory: beyond it the oldest of whoever has most are forgotten; zero means no bound

	// Rebuild says that the journal keeps all keys of the window, so a damaged
	// index returns an error, and the next Open has Position 0. Without it the keys
	// of what is damaged are gone, and nothing stops.
	Rebuild bool

	Log *slog.Logger
}

// Index is the set of one partition. First is for one goroutine, the
// partition's; Run works beside it. The other methods are safe for concurrent use.
type Index struct {
	cfg  Config
	span uint32 // seconds: runs are merged only within one span, so that old ones can be dropped whole
	buf  []byte

	turn     sync.Mutex // held by First and while Snapshot takes the active keys
	active   map[Key]value
	newest   uint32 // the latest frame time that was believed
	believed time.Time
	jumped   bool
	horizon  atomic.Uint32 // runs whose newest key is older are dropped; 0 while jumped

	work    chan struct{} // Run has something to do
	damaged atomic.Uint64 // keys that were lost with damaged files
	blocked atomic.Bool   // a run cannot be written; it is tried again

	saving sync.Mutex // held while the manifest and runs are replaced; taken before mu

	mu       sync.Mutex
	idle     *sync.Cond    // frozen became nil, or Run ended
	frozen   map[Key]value // being written by Run
	batches  uint64        // how often keys were frozen
	spare    map[Key]value // written, to be emptied and used again
	runs     []*run        // newest first
	retired  []*run        // replaced; First may still read them until it looks again
	next     int           // number of the next run's file
	position uint64
	forgot   map[Owner]uint32 // through when keys were forgotten before their time; owner 0: everybody's
	err      error            // why Run ended
}

type value struct {
	pos   Pos
	at    uint32
	owner Owner
}

const (
	spans    = 14        // of a window
	mostRuns = 256       // writing waits for merges beyond it
	little   = 64        // a run is large if others of its span have less than a little-th of it together
	tier     = 8         // runs of alike size that are merged into one
	jump     = time.Hour // a frame time further ahead is not believed
)

// Open reads the index in cfg.Dir. What is damaged is left out, with its keys;
// see State. fault.Unavailable: a file cannot be opened now, or there is no memory.
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
	x := &Index{
		cfg: cfg, span: uint32(max(cfg.Window/spans/time.Second, 1)), active: map[Key]value{}, forgot: map[Owner]uint32{}, work: make(chan struct{}, 1),
	}
	x.idle = sync.NewCond(&x.mu)
	if err := x.load(); err != nil {
		_ = x.Close()
		return nil, err
	}
	return x, nil
}

// Position is the journal sequence through which the keys on disk are
// complete; replay starts after it.
func (x *Index) Position() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.position
}

// Jumped reports whether a frame's time ran more than an hour ahead of the
// clock: nothing is forgotten from then on, until frames are back in time. It is
// for the goroutine of First.
func (x *Index) Jumped() bool { return x.jumped }

// First reports whether the event with key k at pos is the first of its key:
// true when k is new within the window, and then it is remembered as the owner's,
// and true again for the same pos. at is the time of its frame.
//
// An error means that the index ended, or, with Rebuild, that it is damaged;
// nothing was decided.
func (x *Index) First(o Owner, k Key, pos Pos, at time.Time) (bool, error) {
	x.turn.Lock()
	defer x.turn.Unlock()
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
			if err := x.lose(r, err); err != nil {
				return false, err
			}
			continue
		}
		if ok && !x.expired(e.at, now) {
			return e.pos == pos, nil
		}
	}
	x.active[k] = value{pos, now, o}
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
// the ones before. The caller holds turn.
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
	x.batches++
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
// journal sequence through which all keys were given to First. It waits for the
// disk, beside First.
func (x *Index) Snapshot(ctx context.Context, seq uint64) error {
	batch, newest, err := x.take()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { x.mu.Lock(); x.idle.Broadcast(); x.mu.Unlock() })
	defer stop()
	x.mu.Lock()
	for x.frozen != nil && x.batches <= batch && x.err == nil && ctx.Err() == nil {
		x.idle.Wait()
	}
	err = x.err
	x.mu.Unlock()
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dedupe snapshot: %w", err)
	}
	return x.change(change{position: &seq, newest: newest})
}

// take freezes the keys in memory and returns the number of the batch that has the
// latest of them.
func (x *Index) take() (batch uint64, newest uint32, err error) {
	x.turn.Lock()
	defer x.turn.Unlock()
	if len(x.active) > 0 {
		if err := x.freeze(); err != nil {
			return 0, 0, err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.batches, x.newest, nil
}

// lose notes that a piece of r cannot be read. With Rebuild the error says that
// the index ended; the next Open replays the journal.
func (x *Index) lose(r *run, damage error) error {
	if n := r.newlyBad(damage); n > 0 {
		x.damaged.Add(n)
		x.cfg.Log.Error("dedupe keys are damaged and lost", "keys", n, "reason", damage)
	}
	if !x.cfg.Rebuild {
		return nil
	}
	err := fault.New(fault.Unavailable, "The dedupe index is damaged; it is built anew from the journal.")
	return errors.Join(err, x.change(change{old: []*run{r}, position: new(uint64)}))
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
