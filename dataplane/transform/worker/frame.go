package worker

import (
	"encoding/binary"
	"fmt"
	"io"

	child "weir/shared/worker"
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
		return fmt.Errorf("a frame of %d bytes: %w", len(w.b), child.ErrFrame)
	}
	binary.BigEndian.PutUint32(w.b, uint32(len(w.b)-4))
	_, err := to.Write(w.b)
	return err
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
		return child.ErrFrame
	}
	return nil
}
