package answers

import (
	"context"
	"time"

	"weir/dataplane/identity"
	"weir/dataplane/profile"
	"weir/dataplane/tables"
)

// How many pairs are answered.
const (
	mostDoubtful = 20  // of each kind
	mostReviewed = 500 // those against which people are first
)

// Pair is two identifiers, each as type:value, and whether they are one person's.
type Pair struct {
	A       string     `json:"a"`
	B       string     `json:"b"`
	One     bool       `json:"one"`             // the last published run has them as one person
	Said    string     `json:"said,omitempty"`  // same or different; nobody said so far when absent
	At      *time.Time `json:"at,omitempty"`    // when somebody said so
	Alike   int64      `json:"alike,omitempty"` // in the queue, of one person: how many identifiers of this type the person has
	Seen    *time.Time `json:"seen,omitempty"`  // in the queue, of two: when they were last seen together
	Missing bool       `json:"missing,omitempty"`
}

// Reviews is what people reviewed, and what is worth a look.
type Reviews struct {
	Queue    []Pair            `json:"queue"`
	Reviewed []Pair            `json:"reviewed"` // those of which somebody said otherwise first, then the newest
	Measures identity.Reviewed `json:"measures"` // of the last published run
}

// Pairs lists pairs of an entity's identifiers for people to review, and those that they reviewed.
func Pairs(ctx context.Context, s tables.Session, c profile.Config, entity string) (r Reviews, err error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return r, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return r, err
	}
	doubtful, err := g.Doubtful(ctx, s, mostDoubtful)
	if err != nil {
		return r, err
	}
	reviewed, measures, err := g.Reviews(ctx, s, mostReviewed)
	if err != nil {
		return r, err
	}
	return Reviews{Queue: pairs(doubtful), Reviewed: pairs(reviewed), Measures: measures}, nil
}

// Held is what the last run would have changed of an entity's identifiers, where it is held; nil where it is not.
func Held(ctx context.Context, s tables.Session, c profile.Config, entity string) (*identity.Held, error) {
	p, err := profile.Open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	g := p.Graph(entity)
	if err := g.Prepare(ctx, s); err != nil {
		return nil, err
	}
	return g.Held(ctx, s)
}

func pairs(of []identity.Pair) []Pair {
	all := make([]Pair, len(of))
	for i, p := range of {
		all[i] = Pair{A: p.A, B: p.B, One: p.One, Said: p.Said, At: known(p.At), Alike: p.Alike, Seen: known(p.Seen), Missing: p.Missing}
	}
	return all
}

func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
