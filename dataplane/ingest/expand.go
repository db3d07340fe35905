package ingest

import (
	"bytes"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Bounds of what unzipping takes beside its result.
const (
	// maxWindow is how far back a zstd body may refer, in bytes: what the format
	// asks of every decoder. Brotli's own bound is 16 MiB.
	maxWindow = 8 << 20
	// maxExpanding is how many requests are unzipped at once by such decoders,
	// which hold at most 18 MiB each.
	maxExpanding = 4
)

// decoders open a zipped body by its encoding. The zip is whole, so a decoder
// with its large window never waits for a slow client.
var decoders = map[string]func(g *Gateway, zip *bytes.Reader) (src io.Reader, done func(), err error){
	"deflate": (*Gateway).inflate,
	"br":      (*Gateway).brotli,
	"zstd":    (*Gateway).zstd,
}

// brotli opens br.
func (g *Gateway) brotli(zip *bytes.Reader) (io.Reader, func(), error) {
	return brotli.NewReader(zip), func() {}, nil
}

// zstd opens zstd. A decoder takes longer to make than most bodies to unzip.
func (g *Gateway) zstd(zip *bytes.Reader) (io.Reader, func(), error) {
	d, _ := g.zstds.Get().(*zstd.Decoder)
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
			g.zstds.Put(d)
		}
	}, nil
}

// inflate opens deflate as the standard means it, with the frame of zlib, and as
// some clients do, without.
func (g *Gateway) inflate(zip *bytes.Reader) (io.Reader, func(), error) {
	var head [2]byte
	if n, _ := zip.ReadAt(head[:], 0); n == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		src, err := zlib.NewReader(zip)
		return src, func() {}, err
	}
	return flate.NewReader(zip), func() {}, nil
}

// expand reads the body, zipped as open understands it, into b.
func (g *Gateway) expand(b *body, exact int, open func(*Gateway, *bytes.Reader) (io.Reader, func(), error)) (failure, bool) {
	if fail, ok := g.fill(b, &b.from, exact, failBody); !ok {
		return fail, false
	}
	if len(b.data) == 0 {
		return failZip, false
	}
	if !seat(g.expanding) {
		return failBusy, false
	}
	defer func() { <-g.expanding }()
	zip := bytes.NewReader(b.data)
	src, done, err := open(g, zip)
	if err != nil {
		return failZip, false
	}
	defer done()
	b.data = nil // zip has it; what is held for it is given back with the rest
	if fail, ok := g.fill(b, src, 0, failZip); !ok {
		return fail, false
	}
	if zip.Len() > 0 { // something stands behind the end
		return failZip, false
	}
	return failure{}, true
}
