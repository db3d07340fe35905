package console

import (
	"bytes"
	"io"
	"sync"
)

// InOrder passes on what is printed by number: what is first in the order at once, the rest
// when everything before it is done. It is safe for concurrent use.
type InOrder struct {
	out io.Writer

	mu   sync.Mutex
	next int
	said map[int]*bytes.Buffer // after next
	last map[int]func()        // of those that are done, from next on
}

// NewInOrder returns one that begins with number 0.
func NewInOrder(out io.Writer) *InOrder {
	return &InOrder{out: out, said: map[int]*bytes.Buffer{}, last: map[int]func(){}}
}

// Line returns what prints for one number.
func (o *InOrder) Line(number int) io.Writer { return line{o, number} }

type line struct {
	of     *InOrder
	number int
}

func (l line) Write(p []byte) (int, error) {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.number == l.of.next {
		return l.of.out.Write(p)
	}
	if l.of.said[l.number] == nil {
		l.of.said[l.number] = &bytes.Buffer{}
	}
	return l.of.said[l.number].Write(p)
}

// Done ends what is printed for a number; last prints when its turn is there.
func (o *InOrder) Done(i int, last func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last[i] = last
	for o.last[o.next] != nil {
		o.last[o.next]()
		delete(o.last, o.next)
		o.next++
		if said := o.said[o.next]; said != nil {
			_, _ = o.out.Write(said.Bytes())
			delete(o.said, o.next)
		}
	}
}
