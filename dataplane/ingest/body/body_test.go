package body_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"weir/dataplane/ingest/body"
)

const maxBytes, memory = 64 << 10, 1 << 20

func newPool() *body.Pool {
	return body.NewPool(body.Config{MaxBytes: maxBytes, Memory: memory, Strangers: memory,
		Timeout: time.Minute, StallTimeout: time.Minute, Grace: time.Minute, MinRate: 1, TurnTimeout: time.Minute})
}

// zipped returns text as the writer that open makes encodes it.
func zipped(text string, open func(io.Writer) io.WriteCloser) string {
	var out bytes.Buffer
	w := open(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

// writers encode bodies.
var writers = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
}

// post is a request with a body of the given encoding; said is whether it says how
// long it is.
func post(src io.Reader, encoding string, said bool) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", src)
	if !said {
		r.ContentLength = -1
	}
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	return r
}

func TestABodyIsReadInEveryEncodingAndGivesItsMemoryBack(t *testing.T) {
	t.Parallel()
	pool := newPool()
	for _, size := range []int{1, 5000, maxBytes} {
		want := strings.Repeat("x", size)
		bodies := map[string]string{"": want, "identity": want}
		for encoding, open := range writers {
			bodies[encoding] = zipped(want, open)
		}
		for encoding, sent := range bodies {
			for _, said := range []bool{true, false} {
				r := post(strings.NewReader(sent), encoding, said)
				b := pool.Open(httptest.NewRecorder(), r)
				if err := b.Read(r); err != nil || string(b.Data) != want {
					t.Errorf("%d bytes, encoding %q, length said %v: %d bytes, %v", size, encoding, said, len(b.Data), err)
				}
				b.Release()
			}
		}
	}
	if !pool.Strangers().Take(memory) {
		t.Error("some of the memory was not given back")
	}
}

func TestABodyIsRefusedByTheFirstRuleThatItBreaks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxBytes+1)
	type refusal struct {
		src      io.Reader
		encoding string
		want     error
	}
	cases := map[string]refusal{
		"too long":            {strings.NewReader(long), "", body.ErrTooLarge},
		"broken":              {io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("reset"))), "", body.ErrBroken},
		"broken zip":          {io.MultiReader(strings.NewReader("\x1f\x8b"), iotest.ErrReader(errors.New("reset"))), "gzip", body.ErrBroken},
		"an unknown encoding": {strings.NewReader("x"), "lzw", body.ErrEncoding},
		"two encodings":       {strings.NewReader("x"), "gzip, br", body.ErrEncoding},
	}
	for encoding, open := range writers {
		cases["not "+encoding] = refusal{strings.NewReader("plain text"), encoding, body.ErrZip}
		cases["too long in "+encoding] = refusal{strings.NewReader(zipped(long, open)), encoding, body.ErrTooLarge}
	}
	pool := newPool()
	for name, c := range cases {
		r := post(c.src, c.encoding, false)
		b := pool.Open(httptest.NewRecorder(), r)
		if err := b.Read(r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		b.Release()
	}
	if !pool.Strangers().Take(memory - 1000) {
		t.Fatal("some of the memory was not given back")
	}
	r := post(strings.NewReader(long[:2000]), "", true)
	b := pool.Open(httptest.NewRecorder(), r)
	defer b.Release()
	if err := b.Read(r); !errors.Is(err, body.ErrOverloaded) {
		t.Errorf("without memory: %v, want %v", err, body.ErrOverloaded)
	}
}
