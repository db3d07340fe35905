// Package body reads the bodies of requests: plain, gzip, deflate, br or zstd, up to
// a length, within bounds of memory that all bodies share, and within a time that a
// client which pauses or dawdles does not have. What is refused is refused as soon as
// that is known; no more of a zip is unpacked than the length allows.
//
// A body is charged for what came of it, not for what its client announced. As long as
// nobody knows whose it is, it lives in the memory of strangers, which is not that of
// the senders that are known.
//
// It answers nothing and knows nothing of events.
package body

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Why a body is refused.
var (
	ErrTooLarge   = errors.New("the body is longer than the bound, or unzips to more")
	ErrBroken     = errors.New("the body could not be read to its end")
	ErrSlow       = errors.New("the body did not come in time")
	ErrZip        = errors.New("the body is not in the encoding that it is said to be in")
	ErrEncoding   = errors.New("the body is in an unknown encoding")
	ErrOverloaded = errors.New("there is no memory for the body, or no turn to unzip it")
)

// Config is what bodies are read within. All of it is required.
type Config struct {
	MaxBytes     int64         // of one body, before and after unzipping
	Memory       int64         // bytes that all bodies of known senders hold together
	Strangers    int64         // bytes that all other bodies hold together
	Timeout      time.Duration // for a whole body
	StallTimeout time.Duration // for the next byte
	// Once Grace is over, a body has to have brought MinRate bytes for each second
	// since.
	Grace       time.Duration
	MinRate     int64
	TurnTimeout time.Duration // for a turn to unzip
}

// Pool gives out the memory of bodies. It is safe for concurrent use.
type Pool struct {
	config    Config
	known     Budget
	strangers Budget
	expanding [2]*semaphore.Weighted  // a turn for each body that is unzipped whole: of strangers, of known senders
	bodies    sync.Pool               // *Body
	buffers   [len(classes)]sync.Pool // *buffer, by class
	zips      sync.Pool               // *gzip.Reader
	zstds     sync.Pool               // *zstd.Decoder
	slow      lately                  // bodies that did not come in time
}

// NewPool returns a pool that holds nothing.
func NewPool(c Config) *Pool {
	return &Pool{
		config: c, known: Budget{Max: c.Memory}, strangers: Budget{Max: c.Strangers},
		expanding: [2]*semaphore.Weighted{semaphore.NewWeighted(maxStrange), semaphore.NewWeighted(maxExpanding)},
	}
}

// Slow returns how many bodies did not come in time in the last minute or two.
func (p *Pool) Slow() int { return p.slow.count(time.Now()) }

// Strangers is the memory of bodies whose sender is not known; others may take of it.
func (p *Pool) Strangers() *Budget { return &p.strangers }

// Body is the body of one request. Data is what was read, or what a caller puts there
// after it held the memory for it. It is for one goroutine.
type Body struct {
	Data     []byte
	pool     *Pool
	kept     *buffer // what Data lies in, nil: in memory of its own
	from     stallReader
	held     int64 // bytes, of the memory of strangers or, once it is admitted, of the known
	admitted bool
	share    *Budget // of the sender
}

// classes are the sizes in bytes of the buffers that are used again. Each is four
// times the one before: a body holds at most four times what came of it.
var classes = [...]int{4 << 10, 16 << 10, 64 << 10, 256 << 10}

// buffer is memory of one of the classes.
type buffer struct {
	class int
	data  []byte
}

// take returns memory of a class, for which the caller holds the bytes.
func (p *Pool) take(class int) *buffer {
	if b, ok := p.buffers[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{class, make([]byte, 0, classes[class])}
}

// Open returns the body of r, of which nothing is read. It must be released.
func (p *Pool) Open(w http.ResponseWriter, r *http.Request) *Body {
	b, _ := p.bodies.Get().(*Body)
	if b == nil {
		b = &Body{pool: p}
	}
	now := time.Now()
	b.from = stallReader{src: r.Body, conn: http.NewResponseController(w), pool: p, begun: now}
	return b
}

// Admit makes b the body of a known sender, who may hold share at most. False: there
// is no room for what b holds.
func (b *Body) Admit(share *Budget) bool {
	if b.held > 0 {
		if !b.pool.known.Take(b.held) {
			return false
		}
		if !share.Take(b.held) {
			b.pool.known.Give(b.held)
			return false
		}
		b.pool.strangers.Give(b.held)
	}
	b.admitted, b.share = true, share
	return true
}

// Hold takes n more bytes of memory until b is released; false when there are none.
func (b *Body) Hold(n int64) bool {
	if !b.admitted {
		if !b.pool.strangers.Take(n) {
			return false
		}
	} else {
		if !b.pool.known.Take(n) {
			return false
		}
		if !b.share.Take(n) {
			b.pool.known.Give(n)
			return false
		}
	}
	b.held += n
	return true
}

// Release gives b and what it holds back. Nothing of Data may be used from then on.
func (b *Body) Release() {
	b.free()
	p := b.pool
	*b = Body{pool: p}
	p.bodies.Put(b)
}

// free gives back what b holds.
func (b *Body) free() {
	switch p := b.pool; {
	case b.held == 0:
	case b.admitted:
		p.known.Give(b.held)
		b.share.Give(b.held)
	default:
		p.strangers.Give(b.held)
	}
	b.held = 0
	b.drop()
	b.Data = nil
}

// drop gives the buffer of b back.
func (b *Body) drop() {
	if b.kept != nil {
		b.pool.buffers[b.kept.class].Put(b.kept)
		b.kept = nil
	}
}

// grow moves Data into a larger piece of memory; exact is as in fill. ErrOverloaded:
// there is none.
func (b *Body) grow(exact int) error {
	size := cap(b.Data)
	for class, bytes := range classes {
		if bytes <= size {
			continue
		}
		if !b.Hold(int64(bytes - size)) {
			return ErrOverloaded
		}
		next := b.pool.take(class)
		data := append(next.data[:0], b.Data...)
		b.drop()
		b.kept, b.Data = next, data
		return nil
	}
	more := size
	if size < exact {
		more = min(more, exact-size)
	}
	if !b.Hold(int64(more)) {
		return ErrOverloaded
	}
	grown := make([]byte, len(b.Data), size+more)
	copy(grown, b.Data)
	b.drop()
	b.Data = grown
	return nil
}

// Budget is a number of bytes that many share. It is safe for concurrent use.
type Budget struct {
	Max  int64 // bytes
	used atomic.Int64
}

// Take takes n bytes; false when fewer are left.
func (m *Budget) Take(n int64) bool {
	if m.used.Add(n) > m.Max {
		m.used.Add(-n)
		return false
	}
	return true
}

// Give gives n bytes back.
func (m *Budget) Give(n int64) { m.used.Add(-n) }
