package moves

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/jobs"
	"weir/dataplane/ledger"
	"weir/dataplane/parked"
	"weir/dataplane/quarantine"
	"weir/shared/fault"
	"weir/shared/id"
)

// Times of a step, and when a job fails that the plane cannot do.
const (
	stepTime    = 3 * time.Second
	noteTime    = 20 * time.Millisecond // until something is written, about
	countTime   = 30 * time.Second      // more events than that go uncounted
	maxFailures = 5
)

// keyOf is the key of a job in the loops, workspaceOf the workspace of one.
func keyOf(ws id.Workspace, job string) jobs.Key { return jobs.Key(string(ws) + "/" + job) }

func workspaceOf(k jobs.Key) string {
	ws, _, _ := strings.Cut(string(k), "/")
	return ws
}

// task is what a step of a job has to do in one partition.
type task struct {
	b      *Board
	ws     id.Workspace
	job    Job
	n      int // of the partition
	work   *partWork
	noted  bool // what it counted is written
	at     part
	places []delivery.Place
	most   int // 0: as many as there are
	moved  int
	until  time.Time
}

// step returns what does a step of jobs in partition n.
func (b *Board) step(n int) jobs.Step {
	return func(ctx context.Context, k jobs.Key) (jobs.Next, error) {
		began := time.Now()
		t := b.task(k, n)
		if t == nil {
			return jobs.Next{}, nil
		}
		if t.places == nil && len(t.job.Places) > 0 {
			t.at.Total, t.at.Done = 0, true // no place of this partition is meant
			return jobs.Next{}, t.rest(nil)
		}
		if _, err := b.cfg.Partitions[n].Dead(); err != nil {
			t.work.counted = false
			return jobs.Next{}, err // another process may have the partition
		}
		if err := t.count(ctx); err != nil || !t.noted {
			return jobs.Next{Wait: noteTime}, t.rest(t.trouble(ctx, err))
		}
		var wait time.Duration
		if t.job.Rate > 0 {
			if t.most, wait = b.pace(t.job); t.most == 0 {
				return jobs.Next{Wait: wait}, t.rest(nil)
			}
		}
		taken := t.most
		t.until = time.Now().Add(stepTime)
		move := t.dead
		if t.job.Kind.Quarantined() {
			move = t.quarantined
		}
		err := move(ctx)
		b.unpace(t.job.ID, taken-t.moved)
		if err := t.rest(t.trouble(ctx, err)); err != nil || t.at.Done {
			return jobs.Next{}, err
		}
		if t.job.Rate > 0 {
			return jobs.Next{Wait: max(paceRest*time.Since(began), noteTime)}, nil
		}
		return jobs.Next{More: true}, nil
	}
}

// task returns what is to do, nil for nothing.
func (b *Board) task(k jobs.Key, n int) *task {
	ws, name, _ := strings.Cut(string(k), "/")
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.docs[id.Workspace(ws)]
	j, w := d.find(name), b.works[name]
	if j == nil || w == nil {
		return nil
	}
	job, noted := *j, len(j.Parts) > n && j.Parts[n].Total != unknown
	b.renew(&job)
	if job.State != Running || job.Parts[n].Done {
		return nil
	}
	places, err := Places(job.Places, len(b.cfg.Partitions))
	if err != nil {
		return nil // it was checked before it was made
	}
	if w.parts[n].sent == nil {
		w.parts[n].sent = map[delivery.Ref]struct{}{}
	}
	return &task{b: b, ws: id.Workspace(ws), job: job, n: n, work: &w.parts[n], noted: noted, at: job.Parts[n], places: places[n]}
}

// pace takes what job may move now at its rate. Where processes share the partitions,
// each has the part of the rate that its partitions are of those which are not done.
func (b *Board) pace(j Job) (most int, wait time.Duration) {
	here, all := 0, 0
	for n := range j.Parts {
		if j.Parts[n].Done {
			continue
		}
		all++
		if _, err := b.cfg.Partitions[n].Dead(); err == nil {
			here++
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.works[j.ID]
	if w == nil {
		return 0, time.Second
	}
	return w.take(float64(j.Rate)*float64(max(here, 1))/float64(max(all, 1)), time.Now())
}

// unpace gives back what was taken and not moved; it is negative for what was moved
// without being taken.
func (b *Board) unpace(job string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.works[job]; w != nil {
		w.saved += float64(n)
	}
}

// add notes that n more events were moved.
func (t *task) add(n int) {
	t.moved += n
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	t.news().moved += n
}

// news is what this part has done; mu is held.
func (t *task) news() *news {
	all := t.b.fresh[t.job.ID]
	if all == nil {
		all = map[int]*news{}
		t.b.fresh[t.job.ID] = all
	}
	if all[t.n] == nil {
		all[t.n] = &news{ws: t.ws}
	}
	return all[t.n]
}

// rest notes where the part is, and the error that ended the step.
func (t *task) rest(err error) error {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.at != t.job.Parts[t.n] {
		at := t.at
		t.news().at = &at
	}
	if t.at.Done || !t.noted || t.job.Kind.Quarantined() || t.b.fresh[t.job.ID][t.n] != nil && t.b.fresh[t.job.ID][t.n].failed {
		select {
		case t.b.due <- struct{}{}:
		default: // it is written soon
		}
	}
	return err
}

// trouble notes what an error means for the job, and returns it.
func (t *task) trouble(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	reason, fails := "", false
	switch kind := fault.KindOf(err); {
	case err == nil:
		t.work.failures = 0
	case kind == fault.Limited || kind == fault.Unavailable || kind == fault.Conflict:
		reason = readable(err)
	default:
		t.work.failures++
		reason, fails = readable(err), kind != fault.Internal || t.work.failures >= maxFailures
		t.b.cfg.Log.ErrorContext(ctx, "step of a job failed", "job", t.job.ID, "kind", kind.String(), "fails", fails)
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if reason != t.job.Reason || fails {
		n := t.news()
		n.reason, n.failed = &reason, fails
	}
	return err
}

// readable is what a person may read of an error: the sentence of a fault.
func readable(err error) string {
	if known, ok := faultOf(err); ok && known.Kind != fault.Internal {
		return known.Text
	}
	return "The plane could not go on; its log says why."
}

// count counts what is to be moved, once in each process, and nothing is moved before
// that is written. Of dead letters, which stay
// until they are moved, that tells how many were moved before a death.
func (t *task) count(ctx context.Context) error {
	if t.work.counted || t.at.Total != unknown && t.job.Kind.Quarantined() {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	left := 0
	for _, key := range t.keys() {
		var n int
		var err error
		if t.job.Kind.Quarantined() {
			n, err = t.b.cfg.Partitions[t.n].Quarantine.Count(bounded, t.broken(key))
		} else {
			var store Dead
			if store, err = t.b.cfg.Partitions[t.n].Dead(); err == nil {
				n, err = store.Count(bounded, t.letters(key))
			}
		}
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			t.work.counted = true
			if t.at.Total == unknown {
				t.at.Total = uncounted
			}
			return nil
		}
		if err != nil {
			return err
		}
		left += n
	}
	t.work.counted = true
	if t.at.Total == unknown {
		t.at.Total = left
	} else if more := t.at.Total - left - t.at.Moved - t.moved; more > 0 {
		t.add(more)
		t.moved -= more // not by this step
	}
	return nil
}

// keys are the destinations or sources whose events the job is about, sorted.
func (t *task) keys() []string {
	found := map[string]bool{}
	for _, r := range t.b.cfg.Partitions[t.n].Rows() {
		if r.Workspace == t.ws && t.has(&r) {
			if t.job.Kind.Quarantined() {
				found[string(r.Source)] = true
			} else {
				found[string(r.Destination)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// has reports whether an entry of the ledger is about what the job moves.
func (t *task) has(r *ledger.Row) bool {
	if t.job.Kind.Quarantined() {
		return r.Quarantined > 0 && (t.job.Source == "" || r.Source == t.job.Source)
	}
	return r.Destination != "" && r.Dead > 0 && (t.job.Destination == "" || r.Destination == t.job.Destination) && (t.job.Source == "" || r.Source == t.job.Source)
}

func (t *task) letters(key string) parked.Filter {
	return parked.Filter{Workspace: t.ws, Destination: id.Destination(key), Source: t.job.Source, Code: t.job.Code, Places: t.places, Before: t.job.Created}
}

func (t *task) broken(key string) quarantine.Filter {
	return quarantine.Filter{Workspace: t.ws, Source: id.Source(key), Destination: t.job.Destination, Code: t.job.Code, Places: t.places, Before: t.job.Created}
}

// over reports whether the step did enough.
func (t *task) over() bool {
	return t.most > 0 && t.moved >= t.most || !time.Now().Before(t.until)
}

// dead moves dead letters.
func (t *task) dead(ctx context.Context) error {
	store, err := t.b.cfg.Partitions[t.n].Dead()
	if err != nil {
		return err
	}
	for _, key := range t.keys() {
		if key < t.at.Key {
			continue
		}
		if t.at.Key = key; t.over() {
			return nil
		}
		f := t.letters(key)
		f.Until, f.Moved, f.Sent = t.until, t.add, t.work.sent
		if t.most > 0 {
			f.Most = t.most - t.moved
		}
		switch t.job.Kind {
		case Redrive:
			_, err = store.Redrive(ctx, f)
		case Retransform:
			_, err = store.Retransform(ctx, f, t.b.cfg.Connected, t.b.cfg.Replay)
		default:
			_, err = store.Discard(ctx, f)
		}
		if err != nil || t.over() {
			return err
		}
	}
	t.work.counted = false // once more: another owner's last moves may not be written
	if err = t.count(ctx); err == nil {
		t.at.Done = true
	}
	return err
}

// quarantined moves quarantined events.
func (t *task) quarantined(ctx context.Context) error {
	q := t.b.cfg.Partitions[t.n].Quarantine
	do := q.Replay
	if t.job.Kind == DiscardQuarantined {
		do = q.Discard
	}
	for _, key := range t.keys() {
		if key < t.at.Key {
			continue
		}
		if key != t.at.Key {
			t.at.Key, t.at.After, t.at.Until = key, 0, 0
		}
		for more := true; more; {
			if t.over() {
				return nil
			}
			f := t.broken(key)
			f.Most = max(0, t.most-t.moved)
			n, rest, err := do(ctx, f, quarantine.Span{After: t.at.After, Until: t.at.Until})
			t.add(n)
			if err != nil {
				return err
			}
			if more = rest != (quarantine.Span{}); more {
				t.at.After, t.at.Until = rest.After, rest.Until
			}
		}
	}
	t.at.Done = true
	return nil
}
