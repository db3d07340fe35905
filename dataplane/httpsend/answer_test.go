package httpsend_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/httpsend"
)

// usual are answers as servers of the kind give them.
var usual = []string{
	"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: keep-alive\r\n\r\n{\"success\":true}",
	"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nX-Id: a\r\nx-id: b\r\n\r\n",
	"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwait",
	"HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\n",
}

func TestUsualAnswersAreReadAtOnce(t *testing.T) {
	for _, text := range usual {
		if res, _, _ := httpsend.WholeAnswer([]byte(text)); res == nil {
			t.Errorf("%q was left to net/http", text)
		}
	}
}

// FuzzWholeAnswer holds what is read at once against net/http.
func FuzzWholeAnswer(f *testing.F) {
	for _, text := range append(usual,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
	) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, body, rest := httpsend.WholeAnswer(b)
		if got == nil {
			return
		}
		in := bufio.NewReader(bytes.NewReader(b))
		want, err := http.ReadResponse(in, &http.Request{Method: http.MethodPost})
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b, err)
		}
		defer want.Body.Close()
		wantBody, err := io.ReadAll(want.Body)
		if err != nil {
			t.Fatalf("net/http does not read the body of %q: %v", b, err)
		}
		wantRest, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if want.Close || got.StatusCode != want.StatusCode || got.ContentLength != want.ContentLength || !bytes.Equal(body, wantBody) || !bytes.Equal(rest, wantRest) {
			t.Fatalf("%q: %d %q, then %q; net/http: %d %q, then %q, close %v", b, got.StatusCode, body, rest, want.StatusCode, wantBody, wantRest, want.Close)
		}
		if diff := cmp.Diff(want.Header, got.Header); diff != "" {
			t.Fatalf("%q: -net/http +got:\n%s", b, diff)
		}
	})
}
