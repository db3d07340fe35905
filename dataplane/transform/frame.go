package transform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/dataplane/event"
	"weir/shared/id"
	"weir/shared/script"
)

// Frames between the plane and a worker: four bytes of length, one of kind, a
// body of varints and of texts with their lengths. The plane asks, the worker
// answers, in turn.
const (
	frameHello  byte = iota + 1 // limits; answered by frameReady
	frameReady                  // the worker runs
	frameDefine                 // a chain's code, by its key; not answered
	frameForget                 // a chain's key; not answered
	frameRun                    // events for a chain; answered by frameDone
	frameDone                   // what became of them
)

// maxFrame is the most that one frame may have. One event may become so much at
// most, see maxFan.
const maxFrame = 48 << 20

var errFrame = errors.New("a frame that cannot be read")

// writer builds one frame.
type writer struct{ b []byte }

func newFrame(kind byte) *writer { return &writer{b: []byte{0, 0, 0, 0, kind}} }

func (w *writer) int(n int) { w.b = binary.AppendVarint(w.b, int64(n)) }
func (w *writer) flag(f bool) {
	if f {
		w.int(1)
	} else {
		w.int(0)
	}
}

func (w *writer) bytes(b []byte) {
	w.int(len(b))
	w.b = append(w.b, b...)
}

func (w *writer) text(s string) {
	w.int(len(s))
	w.b = append(w.b, s...)
}

// send writes the frame.
func (w *writer) send(to io.Writer) error {
	if len(w.b)-4 > maxFrame {
		return fmt.Errorf("a frame of %d bytes: %w", len(w.b), errFrame)
	}
	binary.BigEndian.PutUint32(w.b, uint32(len(w.b)-4))
	_, err := to.Write(w.b)
	return err
}

// receive reads one frame. What it returns belongs to the caller.
func receive(from io.Reader) (kind byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes: %w", n, errFrame)
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(from, body); err != nil {
		return 0, nil, err
	}
	return body[0], body[1:], nil
}

// reader takes a frame's body apart. After a mistake it gives zeros, and bad is
// set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) int() int {
	n, size := binary.Varint(r.b)
	if size <= 0 || n < -1<<40 || n > 1<<40 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *reader) flag() bool { return r.int() != 0 }

func (r *reader) bytes() []byte {
	n := r.int()
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

// count reads how many things follow, each of at least one byte.
func (r *reader) count() int {
	n := r.int()
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

// end reports whether all was read without a mistake.
func (r *reader) end() error {
	if r.bad || len(r.b) > 0 {
		return errFrame
	}
	return nil
}

// request is what a worker is asked to run.
type request struct {
	chain  string // key
	single bool   // each event by itself
	about  Meta
	events [][]byte
	ids    []string
}

func (q *request) frame() *writer {
	w := newFrame(frameRun)
	w.text(q.chain)
	w.flag(q.single)
	for _, s := range []string{string(q.about.Workspace), string(q.about.Source), q.about.SourceName, q.about.SourceType,
		string(q.about.Destination), q.about.DestinationName, q.about.DestinationType} {
		w.text(s)
	}
	w.int(len(q.events))
	for i, e := range q.events {
		w.text(q.ids[i])
		w.bytes(e)
	}
	return w
}

func readRequest(body []byte) (request, error) {
	r := reader{b: body}
	q := request{chain: r.text(), single: r.flag()}
	q.about = Meta{Workspace: id.Workspace(r.text()), Source: id.Source(r.text()), SourceName: r.text(), SourceType: r.text(),
		Destination: id.Destination(r.text()), DestinationName: r.text(), DestinationType: r.text()}
	for n := r.count(); n > 0; n-- {
		q.ids = append(q.ids, r.text())
		q.events = append(q.events, r.bytes())
	}
	return q, r.end()
}

// output is one event that came out. same: it is the input, to the byte.
type output struct {
	from int
	same bool
	json []byte
}

// ending is an input that has no output.
type ending struct {
	from int
	step int // in which transformation of the chain
	problem
}

// remark is a line that the code logged.
type remark struct {
	from        int
	level, text string
}

// response is what became of the first done events of a request.
type response struct {
	done    int
	single  bool // the rest has to be run one by one
	read    bool // metadata about the destination was read
	retire  bool // the worker has grown too large
	outs    []output
	ends    []ending
	remarks []remark
}

func (p *response) frame() *writer {
	w := newFrame(frameDone)
	w.int(p.done)
	w.flag(p.single)
	w.flag(p.read)
	w.flag(p.retire)
	w.int(len(p.outs))
	for _, o := range p.outs {
		w.int(o.from)
		w.flag(o.same)
		w.bytes(o.json)
	}
	w.int(len(p.ends))
	for _, e := range p.ends {
		w.int(e.from)
		w.int(e.step)
		w.text(e.Code)
		w.text(e.Text)
		w.text(e.Stack)
	}
	w.int(len(p.remarks))
	for _, l := range p.remarks {
		w.int(l.from)
		w.text(l.level)
		w.text(l.text)
	}
	return w
}

// readResponse reads an answer to a request of n events. A worker has run a
// stranger's code, so nothing is believed: each of the first done events has
// outputs or one ending, in order, and nothing else is there.
func readResponse(body []byte, n, steps, maxOutputs int) (response, error) {
	r := reader{b: body}
	p := response{done: r.int(), single: r.flag(), read: r.flag(), retire: r.flag()}
	if p.done < 1 || p.done > n {
		return response{}, errFrame
	}
	has := make([]int, p.done)
	last := 0
	for k := r.count(); k > 0 && !r.bad; k-- {
		o := output{from: r.int(), same: r.flag(), json: r.bytes()}
		if o.from < last || o.from >= p.done || has[o.from] >= maxOutputs {
			return response{}, errFrame
		}
		last = o.from
		has[o.from]++
		p.outs = append(p.outs, o)
	}
	last = -1
	for k := r.count(); k > 0 && !r.bad; k-- {
		e := ending{from: r.int(), step: r.int(), problem: problem{r.text(), r.text(), r.text()}}
		if e.from <= last || e.from >= p.done || has[e.from] > 0 || e.step < 0 || e.step >= steps {
			return response{}, errFrame
		}
		last = e.from
		has[e.from] = 1
		p.ends = append(p.ends, e)
	}
	for _, k := range has {
		if k == 0 {
			return response{}, errFrame
		}
	}
	for k := r.count(); k > 0 && !r.bad; k-- {
		l := remark{from: r.int(), level: r.text(), text: r.text()}
		if l.from < -1 || l.from >= p.done {
			return response{}, errFrame
		}
		p.remarks = append(p.remarks, l)
	}
	return p, r.end()
}

func (l limits) frame() *writer {
	w := newFrame(frameHello)
	w.int(int(l.Memory))
	w.int(int(l.Timeout))
	w.int(l.MaxOutputs)
	w.int(l.MaxBytes)
	return w
}

func readLimits(body []byte) (limits, error) {
	r := reader{b: body}
	l := limits{Memory: int64(r.int()), Timeout: time.Duration(r.int()), MaxOutputs: r.int(), MaxBytes: r.int()}
	return l, r.end()
}

// defineFrame carries the code of a chain.
func defineFrame(key string, steps []script.Step) *writer {
	w := newFrame(frameDefine)
	w.text(key)
	w.int(len(steps))
	for _, s := range steps {
		w.flag(s.Batch)
		w.text(s.Code)
	}
	return w
}

func readDefine(body []byte) (key string, steps []script.Step, err error) {
	r := reader{b: body}
	key = r.text()
	for n := r.count(); n > 0; n-- {
		steps = append(steps, script.Step{Batch: r.flag(), Code: r.text()})
	}
	return key, steps, r.end()
}

// messageID is the id of an event, "" for none.
func messageID(json []byte) string {
	for key, value := range event.Fields(json) {
		if string(key) == "messageId" {
			return trimmed(value)
		}
	}
	return ""
}
