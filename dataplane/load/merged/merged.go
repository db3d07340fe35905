// Package merged lets the processes of a plane that do not load know how many rows the one that
// does has brought into each warehouse: syncs that follow loads run in any of them.
//
// What it knows is some seconds old, and counts a row once more when another process begins to
// load; it never goes back.
package merged

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"weir/shared/delay"
	"weir/shared/id"
)

// Relay is the way to the process that loads; *relay.Relay is one.
type Relay interface {
	Ask(ctx context.Context, request []byte) ([]byte, error)
	Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte)
}

// every is how often the process that loads is asked, and how long for.
const every = 2 * time.Second

// Counts are rows by warehouse. They are safe for concurrent use.
type Counts struct {
	relay Relay
	mine  func() bool
	own   func() map[id.Destination]int64

	mu      sync.Mutex
	process string                   // that was asked last
	last    map[id.Destination]int64 // what it said
	sums    map[id.Destination]int64 // of all that were asked
}

// answer is what the process that loads has loaded since it began.
type answer struct {
	Process string                   `json:"process"`
	Rows    map[id.Destination]int64 `json:"rows"`
}

// New returns the counts of a process: own of what it has loaded itself; mine says whether it
// loads. A nil relay: it is the only one.
func New(relay Relay, mine func() bool, own func() map[id.Destination]int64) *Counts {
	return &Counts{relay: relay, mine: mine, own: own, sums: map[id.Destination]int64{}}
}

// Run answers other processes, and asks the one that loads, until ctx ends.
func (c *Counts) Run(ctx context.Context) {
	if c.relay == nil {
		return
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	name := rand.Text()
	serving.Go(func() {
		c.relay.Serve(ctx, c.mine, func(context.Context, []byte) []byte {
			b, _ := json.Marshal(answer{name, c.own()}) // of numbers
			return b
		})
	})
	for delay.For(ctx, every) {
		if !c.mine() {
			c.ask(ctx)
		}
	}
}

// ask adds what the process that loads has loaded since it was asked last; one that does not
// answer is asked again.
func (c *Counts) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, every)
	defer cancel()
	b, err := c.relay.Ask(ctx, []byte("{}"))
	var a answer
	if err != nil || json.Unmarshal(b, &a) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.Process != c.process {
		c.process, c.last = a.Process, nil
	}
	for d, n := range maps.All(a.Rows) {
		c.sums[d] += n - c.last[d]
	}
	c.last = a.Rows
}

// Of returns how many rows came into a warehouse since this process began, as far as it knows.
func (c *Counts) Of(d id.Destination) int64 {
	n := c.own()[d]
	c.mu.Lock()
	defer c.mu.Unlock()
	return n + c.sums[d]
}
