package httpserve_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/httpserve"
)

// trackHead is the beginning of a request of the fast path.
const trackHead = "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c3JjX2E6\r\n"

// FuzzHead: a head of the fast path is read as net/http reads it.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		trackHead + "Content-Length: 5\r\n\r\n",
		"POST /v1/track/?writeKey=a%20b&x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 0\r\nConnection: Keep-Alive\r\nX-A: 1\r\nx-a:\t2 \r\n\r\n",
		"POST //a/%2f HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nCookie: \xff\r\n\r\n",
		trackHead + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
		trackHead + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		trackHead + "Content-Length: 1\r\nX: a\r\n b\r\n\r\n",
		trackHead + "Content-Length : 1\r\n\r\n",
		trackHead + "Content-Length: +1\r\n\r\n",
		trackHead + "Content-Length: 1\nX: y\r\n\r\n",
		"POST http://y/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
		"POST /%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		head, _, ended := strings.Cut(text, "\r\n\r\n")
		text = head + "\r\n\r\n"
		got, ok := httpserve.ReadHead(text)
		if !ended || !ok {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatalf("%q: net/http refuses it: %v", text, err)
		}
		if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host || got.ContentLength != want.ContentLength || want.Close || want.TransferEncoding != nil {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
		if d := cmp.Diff(want.URL, got.URL); d != "" {
			t.Errorf("%q: URL (-want +got):\n%s", text, d)
		}
		if d := cmp.Diff(want.Header, got.Header); d != "" {
			t.Errorf("%q: header (-want +got):\n%s", text, d)
		}
	})
}
