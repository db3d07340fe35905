package deliver

import (
	"context"

	"weir/dataplane/queue"
)

// Mistakes are those that tests can plant, by name.
func Mistakes() map[string]func(*Config) {
	all := map[string]func(*Config){}
	for m, name := range map[mistake]string{
		keepAll: "keep all", releaseBeforeDrain: "release before drain", overtakeInBatch: "overtake in a batch",
		noAnswerIsYes: "no answer is a yes", floorTooFar: "a floor too far", feedEnded: "feed what ended", parkLastFirst: "park the last first",
	} {
		all[name] = func(c *Config) { c.planted = m }
	}
	all["settle before park"] = func(c *Config) { c.Parked = hasty{c.Parked} }
	return all
}

// hasty says of what it did not take that it did.
type hasty struct{ queue.Log }

func (h hasty) AppendAfter(ctx context.Context, last uint64, key string, data []byte) (uint64, error) {
	seq, err := h.Log.AppendAfter(ctx, last, key, data)
	if err != nil {
		return last + 1, nil
	}
	return seq, nil
}

// Narrow bounds the items of a lane that are in memory, and those between the
// oldest parked record that is not settled and the newest that is read.
func (c *Config) Narrow(window, span int) { c.window, c.span = window, span }

// Memory returns bytes of deliveries: those that lanes took live, those of PARKED
// that they hold beside them, and those that wait for a log; and what bounds them.
func (l *Lanes) Memory() (live, parked, waiting, most, backlog int64) {
	l.mu.Lock()
	for _, ln := range l.lanes {
		ln.mu.Lock()
		live += ln.liveBytes
		ln.mu.Unlock()
	}
	l.mu.Unlock()
	waiting = l.store.Queued()
	return live, l.mem.Load() - live, waiting, l.cfg.MemoryBytes, l.cfg.Backlog
}
