package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// body is the memory of one request.
type body struct {
	data   []byte
	from   patient
	held   int64 // bytes taken from the gateway's budget of bodies
	events int64 // and from that of events
}

// Sizes of the memory of a body, in bytes.
const (
	// keepBody is up to what size it is used again.
	keepBody = 256 << 10
	// trustBody is up to what size it is taken because the client says how much
	// will come; past that it grows with what came.
	trustBody = 64 << 10
)

// hold takes n more bytes of the gateway's memory for b.
func (g *Gateway) hold(b *body, n int64) bool {
	if !g.unread.take(n) {
		return false
	}
	b.held += n
	return true
}

// holdEvents takes n bytes for the events that b became.
func (b *body) holdEvents(m *budget, n int64) bool {
	if !m.take(n) {
		return false
	}
	b.events += n
	return true
}

// release gives b and what it holds back.
func (g *Gateway) release(b *body) {
	g.unread.give(b.held)
	g.unwritten.give(b.events)
	if cap(b.data) > keepBody {
		b.data = nil
	}
	*b = body{data: b.data[:0]}
	g.bodies.Put(b)
}

// budget is a number of bytes that many share.
type budget struct {
	most int64
	used atomic.Int64
}

func (m *budget) take(n int64) bool {
	if m.used.Add(n) > m.most {
		m.used.Add(-n)
		return false
	}
	return true
}

func (m *budget) give(n int64) { m.used.Add(-n) }

// patient reads a body from its client, as long as that goes on: each second of
// reading moves the deadline of the connection.
type patient struct {
	src   io.Reader
	conn  *http.ResponseController
	moved time.Time
	end   time.Time // of all patience
	err   error     // how reading ended
}

// wait makes p the reader of r's body.
func (p *patient) wait(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	*p = patient{src: r.Body, conn: http.NewResponseController(w), end: now.Add(readTimeout)}
}

func (p *patient) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.moved) >= time.Second {
		p.moved = now
		until := now.Add(stallTimeout)
		if p.end.Before(until) {
			until = p.end
		}
		_ = p.conn.SetReadDeadline(until) // what has no deadlines is no connection, but a test
	}
	n, err := p.src.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		p.err = err
	}
	return n, err
}

// failure is what a request is told whose body could not be read; otherwise is
// for a body that came, but was not what it had to be.
func (p *patient) failure(otherwise failure) failure {
	switch {
	case p.err == nil:
		return otherwise
	case errors.Is(p.err, os.ErrDeadlineExceeded):
		return failSlow
	}
	return failBody
}

// read reads and unzips the body of r into b.
func (g *Gateway) read(r *http.Request, b *body) (failure, bool) {
	encoding := r.Header["Content-Encoding"]
	plain := len(encoding) == 0 || len(encoding) == 1 && (encoding[0] == "" || strings.EqualFold(encoding[0], "identity"))
	if r.ContentLength > MaxBody { // unzipped it is as large at least, or it is a very bad zip
		return failTooLarge, false
	}
	size := int64(4 << 10)
	if plain && r.ContentLength >= 0 {
		size = min(r.ContentLength+1, trustBody) // one more, to see the end without growing
	}
	if !g.hold(b, max(size, int64(cap(b.data)))) {
		return failBusy, false
	}
	if int64(cap(b.data)) < size {
		b.data = make([]byte, 0, size)
	}
	if plain {
		return g.fill(b, &b.from, int(r.ContentLength+1), failBody)
	}
	if len(encoding) > 1 {
		return failEncoding, false
	}
	if open, ok := decoders[strings.ToLower(encoding[0])]; ok {
		return g.expand(b, int(r.ContentLength+1), open)
	}
	// A zip of many empty members gives nothing however long it is, so what goes
	// in is bounded as well.
	src, done, fail := g.unzip(encoding[0], io.LimitReader(&b.from, MaxBody+1))
	if fail.status != 0 {
		return b.from.failure(fail), false
	}
	defer done()
	return g.fill(b, src, 0, failZip)
}

// unzip returns a reader of what src holds in the given encoding, and what to
// call when it is no longer used.
func (g *Gateway) unzip(encoding string, src io.Reader) (io.Reader, func(), failure) {
	switch strings.ToLower(encoding) {
	case "gzip", "x-gzip":
		zip, _ := g.zips.Get().(*gzip.Reader)
		if zip == nil {
			zip = new(gzip.Reader)
		}
		done := func() { g.zips.Put(zip) }
		if err := zip.Reset(src); err != nil {
			done()
			return nil, nil, failZip
		}
		return zip, done, failure{}
	}
	return nil, nil, failEncoding
}

// fill reads src to its end into b; broken is the answer when it does not end
// well. exact is how much room it takes if src is as long as was said, 0 when
// nothing was said.
func (g *Gateway) fill(b *body, src io.Reader, exact int, broken failure) (failure, bool) {
	data := b.data[:0]
	for {
		if len(data) == cap(data) {
			more := max(cap(data), 4<<10)
			if cap(data) < exact {
				more = min(more, exact-cap(data))
			}
			if !g.hold(b, int64(more)) {
				return failBusy, false
			}
			grown := make([]byte, len(data), len(data)+more)
			copy(grown, data)
			data = grown
			b.data = grown
		}
		n, err := src.Read(data[len(data):cap(data)])
		if data = data[:len(data)+n]; len(data) > MaxBody {
			return failTooLarge, false
		}
		if errors.Is(err, io.EOF) {
			b.data = data
			return failure{}, true
		}
		if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) { // it says so ahead
			return failTooLarge, false
		}
		if err != nil {
			return b.from.failure(broken), false
		}
	}
}

// maxDrain is how much of a refused body is read, in bytes.
const maxDrain = 64 << 20

// drain reads what is left of the body of a refused request, within a bound: a
// client that is still sending would see its connection reset instead of the answer.
func drain(body io.Reader, r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
}
