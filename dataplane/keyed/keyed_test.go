package keyed_test

import (
	"slices"
	"testing"
	"time"

	"weir/dataplane/keyed"
)

type entry struct {
	name       string
	gone, held bool
	chain      *keyed.Chain[*entry]
}

func (e *entry) Gone() bool { return e.gone }
func (e *entry) Held() bool { return e.held }

var start = time.Unix(1700000000, 0)

// queue pushes entries with the keys that their names begin with.
func queue(names ...string) (*keyed.Queue[*entry], map[string]*entry) {
	q, all := &keyed.Queue[*entry]{}, map[string]*entry{}
	for _, n := range names {
		e := &entry{name: n}
		all[n] = e
		e.chain = q.Push(e, uint16(n[0]), true, start)
	}
	return q, all
}

// next takes up to most entries of the next chain.
func next(q *keyed.Queue[*entry], most int) (c *keyed.Chain[*entry], names []string) {
	if c = q.Next(); c == nil {
		return nil, nil
	}
	c.Take(func(e *entry) bool {
		if len(names) == most {
			return false
		}
		names = append(names, e.name)
		return true
	})
	return c, names
}

func at(t time.Time) func(*entry) time.Time { return func(*entry) time.Time { return t } }

func TestEntriesOfAKeyGoOneAfterTheOtherBesideThoseOfOthers(t *testing.T) {
	t.Parallel()
	q, all := queue("a1", "b1", "a2", "a3")
	if first, ok := q.First(); !ok || first.name != "a1" || q.Items() != 4 {
		t.Errorf("%v goes first of %d, want a1 of 4", first, q.Items())
	}
	c, got := next(q, 2)
	if !slices.Equal(got, []string{"a1", "a2"}) {
		t.Fatalf("took %v, want a1 and a2", got)
	}
	all["a4"] = &entry{name: "a4"}
	q.Push(all["a4"], 'a', true, start)
	if _, got := next(q, 9); !slices.Equal(got, []string{"b1"}) {
		t.Errorf("took %v while a is being worked on, want b1", got)
	}
	if c, got := next(q, 9); c != nil {
		t.Errorf("took %v, want none", got)
	}
	all["a1"].gone = true // a2 failed
	if !q.Return(c, at(start.Add(time.Second)), start) || q.Items() != 0 || q.Sleeping() != 1 {
		t.Errorf("%d are ready and %d chains wait, want the chain to wait", q.Items(), q.Sleeping())
	}
	q.Wake(start, false)
	if c, _ := next(q, 9); c != nil {
		t.Error("it is ready before its time")
	}
	q.Wake(start.Add(time.Second), false)
	if c, got = next(q, 9); !slices.Equal(got, []string{"a2", "a3", "a4"}) {
		t.Fatalf("took %v, want a2, a3 and a4", got)
	}
	for _, n := range got {
		all[n].gone = true
	}
	if q.Return(c, at(time.Time{}), start) || q.Chain('a') != nil {
		t.Error("something is left of a")
	}
}

func TestWhatIsHeldHoldsUpWhatIsBehindItUntilItIsReleased(t *testing.T) {
	t.Parallel()
	q, all := queue("a1", "a2", "a3")
	all["a2"].held = true
	c, got := next(q, 9)
	if !slices.Equal(got, []string{"a1"}) {
		t.Fatalf("took %v, want a1", got)
	}
	all["a1"].gone = true
	q.Return(c, at(time.Time{}), start)
	q.Wake(start, true)
	if c, _ := next(q, 9); c != nil {
		t.Fatal("what is held goes")
	}
	all["a2"].held = false
	if !q.Release(c, all["a2"], start.Add(time.Second), start) {
		t.Error("it does not wait for its time")
	}
	q.Wake(start, true)
	if _, got := next(q, 9); !slices.Equal(got, []string{"a2", "a3"}) {
		t.Errorf("took %v, want a2 and a3", got)
	}

	q, all = queue("b1", "b2")
	all["b2"].held = true
	all["b2"].gone = true // it was done elsewhere
	q.Release(all["b2"].chain, all["b2"], start, start)
	if _, got := next(q, 9); !slices.Equal(got, []string{"b1"}) || q.Items() != 0 {
		t.Errorf("took %v and %d are left, want b1 alone", got, q.Items())
	}
}

func TestWhatIsTakenAwayIsCountedNoMore(t *testing.T) {
	t.Parallel()
	q, all := queue("a1", "b1", "b2", "c1")
	if got := q.Dissolve(all["b1"].chain); len(got) != 2 || q.Items() != 2 || q.Chain('b') != nil {
		t.Errorf("%d were taken away and %d are left, want 2 and 2", len(got), q.Items())
	}
	for range 2 {
		c, _ := next(q, 9)
		q.Return(c, at(start.Add(time.Hour)), start)
	}
	var out []string
	mayGo := func(es []*entry) bool { return es[0].name == "c1" }
	if !q.Evict(mayGo, func(e *entry, _ bool) { out = append(out, e.name) }) || !slices.Equal(out, []string{"c1"}) {
		t.Errorf("evicted %v, want c1", out)
	}
	q.Wake(start, true)
	if _, got := next(q, 9); !slices.Equal(got, []string{"a1"}) || q.Items() != 0 {
		t.Errorf("took %v, want a1 alone", got)
	}
}
