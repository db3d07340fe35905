package record

import (
	"math"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/frames"
	"weir/dataplane/ledger"
	"weir/shared/id"
)

// Checkpoint is what all records before it add up to. It is written in the
// parts of several records.
type Checkpoint struct {
	ReadThrough  uint64 // the highest frame that was opened
	Parked, Dead uint64 // see Record
	Failed       int64  // how many checks of the journal failed
	Totals       []ledger.Delta
	Open         []OpenFrame // in ascending order of their frames
	Drains       []Drained
	Early        []LiveSet // with KindEarly; each of one output
}

// OpenFrame is a frame of which outputs are not settled.
type OpenFrame struct {
	Frame uint64
	At    time.Time
	Count uint32
	Left  []RoutedSet
}

// Drained is what is settled of a destination's records in PARKED.
type Drained struct {
	Destination id.Destination
	Floor       uint64
	Done        []delivery.Place // above Floor, in ascending order
}

// Encode returns the bytes of c.
func (c *Checkpoint) Encode() []byte {
	e := newEncoder()
	for _, n := range [...]uint64{
		c.ReadThrough, c.Parked, c.Dead, uint64(c.Failed),
	} {
		e.uint(n)
	}
	e.deltas(c.Totals)
	e.uint(uint64(len(c.Open)))
	for i := range c.Open {
		f := &c.Open[i]
		e.uint(f.Frame)
		e.uint(uint64(f.At.UnixMilli()))
		e.uint(uint64(f.Count))
		e.routed(f.Left)
	}
	e.uint(uint64(len(c.Drains)))
	for i := range c.Drains {
		d := &c.Drains[i]
		e.text(string(d.Destination))
		e.uint(d.Floor)
		e.places(d.Done)
	}
	e.liveSets(c.Early)
	return e.appendTo([]byte{checkpointVersion})
}

// DecodeCheckpoint reads what Checkpoint.Encode wrote. fault.Invalid: data is
// damaged.
func DecodeCheckpoint(data []byte) (Checkpoint, error) {
	if len(data) == 0 || data[0] != checkpointVersion {
		return Checkpoint{}, format.Damaged("a checkpoint has an unknown version")
	}
	d := &decoder{Cursor: frames.NewCursor(data[1:])}
	d.dictionary()
	c := Checkpoint{ReadThrough: d.Uint(), Parked: d.Uint(), Dead: d.Uint(), Failed: int64(min(d.Uint(), math.MaxInt64)), Totals: d.deltas()}
	for range d.Count(4) {
		f := OpenFrame{Frame: d.Uint(), At: time.UnixMilli(int64(d.Uint())).UTC()}
		count := d.Uint()
		if n := len(c.Open); count > MaxIndex+1 || n > 0 && f.Frame <= c.Open[n-1].Frame {
			d.Fail()
			break
		}
		f.Count = uint32(count)
		f.Left = d.routed(f.Count)
		c.Open = append(c.Open, f)
	}
	for range d.Count(3) {
		c.Drains = append(c.Drains, Drained{id.Destination(d.text()), d.Uint(), d.places()})
	}
	c.Early = d.liveSets()
	for i := range c.Early {
		if c.Early[i].Kind != KindEarly || c.Early[i].Set.Len() != 1 {
			d.Fail()
			break
		}
	}
	return c, d.end()
}
