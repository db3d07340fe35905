package ingest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// body is the memory of one request.
type body struct {
	data []byte
	held int64 // bytes taken from the gateway's budget
}

// keepBody is up to what size the memory of a request is used again, in bytes.
const keepBody = 256 << 10

// hold takes n more bytes of the gateway's memory for b.
func (g *Gateway) hold(b *body, n int64) bool {
	if !g.memory.take(n) {
		return false
	}
	b.held += n
	return true
}

// release gives b and what it holds back.
func (g *Gateway) release(b *body) {
	g.memory.give(b.held)
	b.held = 0
	if cap(b.data) > keepBody {
		b.data = nil
	}
	b.data = b.data[:0]
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

// read reads and unzips the body of r into b.
func (g *Gateway) read(r *http.Request, b *body) (failure, bool) {
	encoding := r.Header["Content-Encoding"]
	plain := len(encoding) == 0 || len(encoding) == 1 && (encoding[0] == "" || strings.EqualFold(encoding[0], "identity"))
	if r.ContentLength > MaxBody { // unzipped it is as large at least, or it is a very bad zip
		return failTooLarge, false
	}
	size := int64(4 << 10)
	if plain && r.ContentLength >= 0 {
		size = r.ContentLength + 1 // one more, to see the end without growing
	}
	if !g.hold(b, max(size, int64(cap(b.data)))) {
		return failBusy, false
	}
	if int64(cap(b.data)) < size {
		b.data = make([]byte, 0, size)
	}
	if plain {
		return g.fill(b, r.Body, failBody)
	}
	if len(encoding) > 1 {
		return failEncoding, false
	}
	if open, ok := decoders[strings.ToLower(encoding[0])]; ok {
		return g.expand(r, b, open)
	}
	// A zip of many empty members gives nothing however long it is, so what goes
	// in is bounded as well.
	src, done, fail := g.unzip(encoding[0], io.LimitReader(r.Body, MaxBody+1))
	if fail.status != 0 {
		return fail, false
	}
	defer done()
	return g.fill(b, src, failZip)
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

// fill reads src to its end into b; broken is the answer when it does not end well.
func (g *Gateway) fill(b *body, src io.Reader, broken failure) (failure, bool) {
	data := b.data[:0]
	for {
		if len(data) == cap(data) {
			more := max(cap(data), 4<<10)
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
			return broken, false
		}
	}
}

// drain reads what is left of the body of a refused request, within a bound: a
// client that is still sending would see its connection reset instead of the answer.
func drain(r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, 2*MaxBody)
	}
}
