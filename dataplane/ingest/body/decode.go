package body

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"
)

// Bounds of what unzipping takes beside its result.
const (
	// maxWindow is how far back a zstd body may refer, in bytes: what the format
	// asks of every decoder. Brotli's own bound is 16 MiB.
	maxWindow = 8 << 20
	// maxExpanding is how many bodies are unzipped at once by such decoders,
	// which hold at most 18 MiB each.
	maxExpanding = 4
	// maxStrange is maxExpanding for those whose sender is not known.
	maxStrange = 1
)

// decoders open a zipped body by its encoding. The zip is whole, so a decoder
// with its large window never waits for a slow client.
var decoders = map[string]func(p *Pool, zip *bytes.Reader) (src io.Reader, done func(), err error){
	"deflate": (*Pool).inflate,
	"br":      (*Pool).brotli,
	"zstd":    (*Pool).zstd,
}

// brotli opens br.
func (p *Pool) brotli(zip *bytes.Reader) (io.Reader, func(), error) {
	return brotli.NewReader(zip), func() {}, nil
}

// zstd opens zstd. A decoder takes longer to make than most bodies to unzip.
func (p *Pool) zstd(zip *bytes.Reader) (io.Reader, func(), error) {
	d, _ := p.zstds.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		if d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
			return nil, nil, err
		}
	}
	if err := d.Reset(zip); err != nil {
		d.Close()
		return nil, nil, err
	}
	return d, func() {
		if d.Reset(nil) == nil { // lets go of the body
			p.zstds.Put(d)
		}
	}, nil
}

// inflate opens deflate as the standard means it, with the frame of zlib, and as
// some clients do, without.
func (p *Pool) inflate(zip *bytes.Reader) (io.Reader, func(), error) {
	var head [2]byte
	if n, _ := zip.ReadAt(head[:], 0); n == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		src, err := zlib.NewReader(zip)
		return src, func() {}, err
	}
	return flate.NewReader(zip), func() {}, nil
}

// expand reads the body, zipped as open understands it, into b.
func (b *Body) expand(exact int, open func(*Pool, *bytes.Reader) (io.Reader, func(), error)) error {
	if err := b.fill(&b.from, exact, ErrBroken); err != nil {
		return err
	}
	if len(b.Data) == 0 {
		return ErrZip
	}
	turns := b.pool.expanding[0]
	if b.admitted {
		turns = b.pool.expanding[1]
	}
	if !Turn(turns, b.pool.config.TurnTimeout) {
		return ErrOverloaded
	}
	defer turns.Release(1)
	zip, whole := bytes.NewReader(b.Data), b.kept
	if b.kept = nil; whole != nil { // nobody else gets it before the zip is read
		defer func() { b.pool.buffers[whole.class].Put(whole) }()
	}
	src, done, err := open(b.pool, zip)
	if err != nil {
		return ErrZip
	}
	defer done()
	b.Data = nil // zip has it; what is held for it is given back with the rest
	if err := b.fill(src, 0, ErrZip); err != nil {
		return err
	}
	if zip.Len() > 0 { // something stands behind the end
		return ErrZip
	}
	return nil
}

// Turn takes one of the turns, which must be released; false when there is none in time.
func Turn(turns *semaphore.Weighted, timeout time.Duration) bool {
	if turns.TryAcquire(1) {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return turns.Acquire(ctx, 1) == nil
}
