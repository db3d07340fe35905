package transform

import (
	"sync"

	"weir/dataplane/event"
)

// call is one Apply.
type call struct {
	in []event.Event

	mu   sync.Mutex
	got  []outcome
	logs []Log
	read bool
	left int // jobs
	err  error
	done chan struct{} // closed when left is 0, or with err
	over bool          // done is closed
}

// outcome is what became of one event.
type outcome struct {
	outs []event.Event
	end  *End
}

// cut divides a range of the events into jobs.
func (k *call) cut(from, to int) []*job {
	var jobs []*job
	for from < to {
		n, size := 0, 0
		for from+n < to && n < jobEvents && (n == 0 || size+len(k.in[from+n].JSON) <= jobBytes) {
			size += len(k.in[from+n].JSON)
			n++
		}
		jobs = append(jobs, &job{call: k, from: from, to: from + n})
		from += n
	}
	k.mu.Lock()
	k.over = false
	k.mu.Unlock()
	return jobs
}

// fail ends the call; jobs that still run are for nothing.
func (k *call) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.err, k.over = err, true
		close(k.done)
	}
}

// abandoned reports whether nobody waits for the call any more.
func (k *call) abandoned() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over
}

// finished counts a job that has an outcome for each of its events.
func (k *call) finished() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left--; k.left == 0 && !k.over {
		k.over = true
		close(k.done)
	}
}

// result puts the outcomes in order.
func (k *call) result() Result {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := Result{Logs: k.logs, DestinationRead: k.read}
	for i, o := range k.got {
		if o.end != nil {
			r.Ends = append(r.Ends, *o.end)
			continue
		}
		for _, e := range o.outs {
			r.Outs = append(r.Outs, Out{From: i, Event: e})
		}
	}
	return r
}
