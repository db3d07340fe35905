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
	pool  *Pool
	begun time.Time
	moved time.Time
	came  int64 // bytes
	err   error // how reading ended
}

// deadline is when reading ends if nothing comes from now on.
func (s *stallReader) deadline(now time.Time) time.Time {
	until := now.Add(s.pool.config.StallTimeout)
	if end := s.begun.Add(s.pool.config.Timeout); end.Before(until) {
		until = end
	}
	lasts := s.pool.config.Grace + time.Duration(s.came)*time.Second/time.Duration(s.pool.config.MinRate)
	if end := s.begun.Add(lasts); end.Before(until) {
		until = end
	}
	return until
}

func (s *stallReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(s.moved) >= time.Second {
		s.moved = now
		_ = s.conn.SetReadDeadline(s.deadline(now)) // what has no deadlines is no connection, but a test
	}
	n, err := s.src.Read(b)
	s.came += int64(n)
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
		s.pool.slow.note(time.Now())
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
// well. exact is how much room it takes if src is as long as was said, one byte more
// to see the end without growing; 0 when nothing was said.
func (b *Body) fill(src io.Reader, exact int, broken error) error {
	for {
		if len(b.Data) == cap(b.Data) {
			if err := b.grow(exact); err != nil {
				return err
			}
		}
		n, err := src.Read(b.Data[len(b.Data):cap(b.Data)])
		if b.Data = b.Data[:len(b.Data)+n]; int64(len(b.Data)) > b.pool.config.MaxBytes {
			return ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
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
// failed already, within a bound: a client that is still sending would see its
// connection reset instead of the answer. What b holds is given back before.
func (b *Body) Drain(r *http.Request) {
	b.free()
	if b.from.err == nil && r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, &b.from, maxDrain)
	}
}
