package body

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// stallReader reads a body from its client, as long as that goes on: each second of
// reading moves the deadline of the connection.
type stallReader struct {
	src   io.Reader
	conn  *http.ResponseController
	moved time.Time
	stall time.Duration // without a byte
	end   time.Time     // of the whole body
	err   error         // how reading ended
}

func (s *stallReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(s.moved) >= time.Second {
		s.moved = now
		until := now.Add(s.stall)
		if s.end.Before(until) {
			until = s.end
		}
		_ = s.conn.SetReadDeadline(until) // what has no deadlines is no connection, but a test
	}
	n, err := s.src.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// failure returns why a body could not be read; otherwise is for a body that came,
// but was not what it had to be.
func (s *stallReader) failure(otherwise error) error {
	switch {
	case s.err == nil:
		return otherwise
	case errors.Is(s.err, os.ErrDeadlineExceeded):
		return ErrSlow
	}
	return ErrBroken
}

// Read reads and unzips the body of r into Data. The error is one of this package's.
func (b *Body) Read(r *http.Request) error {
	encoding := r.Header["Content-Encoding"]
	plain := len(encoding) == 0 || len(encoding) == 1 && (encoding[0] == "" || strings.EqualFold(encoding[0], "identity"))
	if r.ContentLength > b.pool.config.MaxBytes { // unzipped it is as large at least, or it is a very bad zip
		return ErrTooLarge
	}
	size := int64(4 << 10)
	if plain && r.ContentLength >= 0 {
		size = min(r.ContentLength+1, trustBytes) // one more, to see the end without growing
	}
	if !b.Hold(max(size, int64(cap(b.Data)))) {
		return ErrOverloaded
	}
	if int64(cap(b.Data)) < size {
		b.Data = make([]byte, 0, size)
	}
	if plain {
		return b.fill(&b.from, int(r.ContentLength+1), ErrBroken)
	}
	if len(encoding) > 1 {
		return ErrEncoding
	}
	if open, ok := decoders[strings.ToLower(encoding[0])]; ok {
		return b.expand(int(r.ContentLength+1), open)
	}
	// A zip of many empty members gives nothing however long it is, so what goes
	// in is bounded as well.
	src, done, err := b.pool.unzip(encoding[0], io.LimitReader(&b.from, b.pool.config.MaxBytes+1))
	if err != nil {
		return b.from.failure(err)
	}
	defer done()
	return b.fill(src, 0, ErrZip)
}

// unzip returns a reader of what src holds in the given encoding, and what to
// call when it is no longer used.
func (p *Pool) unzip(encoding string, src io.Reader) (io.Reader, func(), error) {
	switch strings.ToLower(encoding) {
	case "gzip", "x-gzip":
		zip, _ := p.zips.Get().(*gzip.Reader)
		if zip == nil {
			zip = new(gzip.Reader)
		}
		done := func() { p.zips.Put(zip) }
		if err := zip.Reset(src); err != nil {
			done()
			return nil, nil, ErrZip
		}
		return zip, done, nil
	}
	return nil, nil, ErrEncoding
}

// fill reads src to its end into b; broken is the answer when it does not end
// well. exact is how much room it takes if src is as long as was said, 0 when
// nothing was said.
func (b *Body) fill(src io.Reader, exact int, broken error) error {
	data := b.Data[:0]
	for {
		if len(data) == cap(data) {
			more := max(cap(data), 4<<10)
			if cap(data) < exact {
				more = min(more, exact-cap(data))
			}
			if !b.Hold(int64(more)) {
				return ErrOverloaded
			}
			grown := make([]byte, len(data), len(data)+more)
			copy(grown, data)
			data = grown
			b.Data = grown
		}
		n, err := src.Read(data[len(data):cap(data)])
		if data = data[:len(data)+n]; int64(len(data)) > b.pool.config.MaxBytes {
			return ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			b.Data = data
			return nil
		}
		if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) { // it says so ahead
			return ErrTooLarge
		}
		if err != nil {
			return b.from.failure(broken)
		}
	}
}

// maxDrain is how much of a refused body is read, in bytes.
const maxDrain = 64 << 20

// Drain reads what is left of the body of a refused request, unless reading has
// failed already.
func (b *Body) Drain(r *http.Request) {
	if b.from.err == nil {
		Drain(&b.from, r)
	}
}

// Drain reads what is left of body, which is that of a refused request, within a bound: a
// client that is still sending would see its connection reset instead of the answer.
func Drain(body io.Reader, r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
}
