package http_test

import (
	"bytes"
	"io"
	nethttp "net/http"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"weir/dataplane/ingest"
)

// encode returns b as the writer that open makes zips it.
func encode(b []byte, open func(io.Writer) io.WriteCloser) []byte {
	var out bytes.Buffer
	w := open(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// encodings zip a body, by a name and the encoding it is.
var encodings = []struct {
	name, encoding string
	zip            func([]byte) []byte
}{
	{"deflate with zlib's frame", "deflate", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	}},
	{"bare deflate", "Deflate", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z })
	}},
	{"brotli", "br", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 3) })
	}},
	{"brotli with its largest window", "BR", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 3, LGWin: 24})
		})
	}},
	{"zstd in a stream", "zstd", func(b []byte) []byte {
		return encode(b, func(w io.Writer) io.WriteCloser {
			z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
			return z
		})
	}},
	{"zstd at once", "ZSTD", func(b []byte) []byte {
		z, _ := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithSingleSegment(true))
		return z.EncodeAll(b, nil)
	}},
}

func TestBodiesMayBeZippedInEveryWayOfTheWeb(t *testing.T) {
	server, s, _ := gateway(t)
	body := []byte(`{"batch":[{"userId":"u","p":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]}`)
	for _, e := range encodings {
		whole := e.zip(body)
		for name, tc := range map[string]struct {
			body   []byte
			status int
			code   string
		}{
			"a batch":             {whole, 200, ""},
			"nothing at all":      {nil, 400, "bad_encoding"},
			"plain":               {body, 400, "bad_encoding"},
			"cut off":             {whole[:len(whole)*2/3], 400, "bad_encoding"},
			"more behind the end": {append(bytes.Clone(whole), "more behind it"...), 400, "bad_encoding"},
			"no JSON":             {e.zip([]byte("x")), 400, "invalid_json"},
			"exactly 4 MiB":       {e.zip(append(bytes.Clone(body), bytes.Repeat([]byte(" "), ingest.MaxBody-len(body))...)), 200, ""},
			"a byte more":         {e.zip(append(bytes.Clone(body), bytes.Repeat([]byte(" "), ingest.MaxBody-len(body)+1)...)), 413, "request_too_large"},
			"a bomb":              {e.zip(make([]byte, 12<<20)), 413, "request_too_large"},
		} {
			t.Run(e.name+"/"+name, func(t *testing.T) {
				r := send(t, "POST", server.URL+"/v1/batch", tc.body, func(r *nethttp.Request) { r.Header.Set("Content-Encoding", e.encoding) })
				if got := s.take(); r.Status != tc.status || r.Error.Code != tc.code || (len(got) == 1) != (tc.status == 200) {
					t.Errorf("got %d %+v, %d events, want %d %s", r.Status, r.Error, len(got), tc.status, tc.code)
				}
			})
		}
	}
}

func TestManyZippedBodiesAtOnceAreAllTaken(t *testing.T) {
	server, s, _ := gateway(t)
	body := []byte(`{"batch":[{"userId":"u"}]}`)
	var wg sync.WaitGroup
	for range 4 {
		for _, e := range encodings {
			wg.Go(func() {
				r := send(t, "POST", server.URL+"/v1/batch", e.zip(body), func(r *nethttp.Request) { r.Header.Set("Content-Encoding", e.encoding) })
				if r.Status != 200 {
					t.Errorf("%s: %+v", e.name, r)
				}
			})
		}
	}
	wg.Wait()
	if got := len(s.take()); got != 4*len(encodings) {
		t.Errorf("%d events", got)
	}
}
