package deliver

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
	return live, l.memory.Used.Load() - live, waiting, l.cfg.MemoryBytes, l.cfg.Backlog
}
