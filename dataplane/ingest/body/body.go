// Package body reads the bodies of requests: plain, gzip, deflate, br or zstd, up to
// a length, within a bound of memory that all bodies share, and within a time that a
// client which pauses does not have. What is refused is refused as soon as that is
// known; no more of a zip is unpacked than the length allows.
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
	Memory       int64         // bytes that all bodies hold together
	Timeout      time.Duration // for a whole body
	StallTimeout time.Duration // for the next byte
	TurnTimeout  time.Duration // for a turn to unzip
}

// Pool gives out the memory of bodies. It is safe for concurrent use.
type Pool struct {
	config    Config
	memory    Budget
	expanding *semaphore.Weighted // a turn for each body that is unzipped whole
	bodies    sync.Pool           // *Body
	zips      sync.Pool           // *gzip.Reader
	zstds     sync.Pool           // *zstd.Decoder
}

// NewPool returns a pool that holds nothing.
func NewPool(c Config) *Pool {
	return &Pool{config: c, memory: Budget{Max: c.Memory}, expanding: semaphore.NewWeighted(maxExpanding)}
}

// Memory is what the bodies of this pool share; others may take of it.
func (p *Pool) Memory() *Budget { return &p.memory }

// Body is the body of one request. Data is what was read, or what a caller puts there
// after it held the memory for it. It is for one goroutine.
type Body struct {
	Data []byte
	pool *Pool
	from stallReader
	held int64 // bytes of the pool's memory
}

// Sizes of the memory of a body, in bytes.
const (
	// keepBytes is up to what size it is used again.
	keepBytes = 256 << 10
	// trustBytes is up to what size it is taken because the client says how much
	// will come; past that it grows with what came.
	trustBytes = 64 << 10
)

// Open returns the body of r, of which nothing is read. It must be released.
func (p *Pool) Open(w http.ResponseWriter, r *http.Request) *Body {
	b, _ := p.bodies.Get().(*Body)
	if b == nil {
		b = &Body{pool: p}
	}
	now := time.Now()
	b.from = stallReader{src: r.Body, conn: http.NewResponseController(w), stall: p.config.StallTimeout, end: now.Add(p.config.Timeout)}
	return b
}

// Hold takes n more bytes of the pool's memory until b is released; false when there
// are none.
func (b *Body) Hold(n int64) bool {
	if !b.pool.memory.Take(n) {
		return false
	}
	b.held += n
	return true
}

// Release gives b and what it holds back. Nothing of Data may be used from then on.
func (b *Body) Release() {
	p := b.pool
	p.memory.Give(b.held)
	if cap(b.Data) > keepBytes {
		b.Data = nil
	}
	*b = Body{pool: p, Data: b.Data[:0]}
	p.bodies.Put(b)
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
