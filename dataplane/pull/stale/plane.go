package stale

import (
	"context"
	"encoding/json"
	"time"

	"weir/dataplane/ledger"
)

// Plane is what the processes of a plane know of what is on its way to warehouses: each
// of the partitions that run in it.
type Plane struct {
	Part       func() (rows []ledger.Row, here []int, whole bool) // the books of this process, and of which partitions
	Staged     func() (map[ledger.Key]int64, bool)
	Partitions int   // of the plane
	Relay      Relay // to all its processes, this one too; nil: this process is all of the plane
}

// Relay carries a question to all processes of a plane.
type Relay interface {
	// All asks, and gives each answer that comes before ctx ends.
	All(ctx context.Context, question []byte, answer func([]byte)) error
	Serve(ctx context.Context, answers func() bool, answer func(context.Context, []byte) []byte)
}

// Times of a question.
const (
	window = 15 * time.Second // for answers
	grace  = time.Second      // for those of processes that believe to have a partition that another one answered for
	rounds = 2                // a partition that goes to another process meanwhile is known to one of both at last
)

// part is what one process says of a book.
type part struct {
	Here  []int `json:"here"`
	Quiet bool  `json:"quiet"`
}

func (p *Plane) part(of ledger.Key) part {
	rows, here, whole := p.Part()
	return part{here, Quiet(of, func() ([]ledger.Row, bool) { return rows, whole }, p.Staged)}
}

// Serve answers other processes until ctx ends.
func (p *Plane) Serve(ctx context.Context) {
	if p.Relay == nil {
		return
	}
	p.Relay.Serve(ctx, func() bool { return true }, func(_ context.Context, question []byte) []byte {
		var of ledger.Key
		if json.Unmarshal(question, &of) != nil {
			return nil
		}
		b, _ := json.Marshal(p.part(of)) // of numbers
		return b
	})
}

// Quiet reports whether nothing of a source waits for a destination in any process of
// the plane. apart: not all of its partitions are answered for, so that nobody can tell.
// All that was accepted before is in the destination then, or never will be: what a
// process has is counted in one of its partitions until it is there, and goes to no other
// process but with its partition.
func (p *Plane) Quiet(ctx context.Context, of ledger.Key) (quiet, apart bool) {
	if p.Relay == nil {
		own := p.part(of)
		return own.Quiet && len(own.Here) == p.Partitions, false
	}
	question, err := json.Marshal(of)
	if err != nil {
		return false, false
	}
	for range rounds {
		if quiet, apart = p.round(ctx, question); !quiet || apart {
			return false, apart
		}
	}
	return true, false
}

// round asks once. Each partition has to be answered for by one process alone: of two one
// has lost it and does not know.
func (p *Plane) round(ctx context.Context, question []byte) (quiet, apart bool) {
	ctx, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	seen := map[int]int{}
	quiet = true
	err := p.Relay.All(ctx, question, func(b []byte) {
		var one part
		if json.Unmarshal(b, &one) != nil {
			quiet = false
			return
		}
		quiet = quiet && one.Quiet
		for _, n := range one.Here {
			seen[n]++
		}
		if len(seen) == p.Partitions {
			time.AfterFunc(grace, cancel)
		}
	})
	for n := range p.Partitions {
		apart = apart || seen[n] != 1
	}
	return quiet && err == nil, apart
}
