package ingest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/ingest"
)

const plain = "POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c3JjX2E6\r\n"

// FuzzHead: what is read as a plain request net/http reads in the same way.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		plain + "Content-Length: 5\r\n\r\n",
		"POST /v1/track/?writeKey=a%20b&x HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 0\r\nConnection: Keep-Alive\r\nX-A: 1\r\nx-a:\t2 \r\n\r\n",
		"POST //a/%2f HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nCookie: \xff\r\n\r\n",
		plain + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
		plain + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		plain + "Content-Length: 1\r\nX: a\r\n b\r\n\r\n",
		plain + "Content-Length : 1\r\n\r\n",
		plain + "Content-Length: +1\r\n\r\n",
		plain + "Content-Length: 1\nX: y\r\n\r\n",
		"POST http://y/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
		"POST /%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		head, _, ended := strings.Cut(text, "\r\n\r\n")
		text = head + "\r\n\r\n"
		got, ok := ingest.ReadHead(text)
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

// served opens a gateway whose log is append and returns its address.
func served(t *testing.T, append func(context.Context, []event.Event) error) string {
	t.Helper()
	address, stop := opened(t, gateway(t, config(append)), ingest.ServeConfig{})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return address
}

// TestOneConnectionMayChangeItsManners: plain requests, in one piece, in parts
// and several at once, then every other kind on the same connection.
func TestOneConnectionMayChangeItsManners(t *testing.T) {
	t.Parallel()
	got := make(chan int, 64)
	address := served(t, func(_ context.Context, events []event.Event) error { got <- len(events); return nil })
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	answers := bufio.NewReader(conn)
	body := func(n int) string { return fmt.Sprintf(`{"userId":"u","event":"e","pad":%q}`, strings.Repeat("x", n)) }
	post := func(n int) string {
		b := body(n)
		return fmt.Sprintf(plain+"Content-Length: %d\r\n\r\n%s", len(b), b)
	}
	chunked := func() string {
		b := body(1)
		return fmt.Sprintf(plain+"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(b), b)
	}
	split := func(s string, at int) []string { return []string{s[:at], s[at:]} }
	for _, step := range []struct {
		name   string
		writes []string
		want   []int // statuses
		events int
	}{
		{"whole", []string{post(1)}, []int{200}, 1},
		{"head and body apart", split(post(1), strings.Index(post(1), "{")), []int{200}, 1},
		{"broken in the head", split(post(1), 20), []int{200}, 1},
		{"broken in its end", split(post(1), strings.Index(post(1), "{")-2), []int{200}, 1},
		{"three at once", []string{post(1) + post(2) + post(3)}, []int{200, 200, 200}, 3},
		{"one and a half", split(post(1)+post(2), len(post(1))+30), []int{200, 200}, 2},
		{"more than a buffer", []string{post(9000) + post(1)}, []int{200, 200}, 2},
		{"refused", []string{strings.Replace(post(1), "c3JjX2E6", "bm9uZTo=", 1)}, []int{401}, 0},
		{"in an unknown encoding", []string{plain + "Content-Encoding: x\r\nContent-Length: 1\r\n\r\n{"}, []int{400}, 0},
		{"behind it another kind", []string{post(1) + "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"}, []int{200, 200}, 1},
		{"chunked", []string{chunked()}, []int{200}, 1},
		{"large", []string{post(100_000)}, []int{200}, 1},
		{"plain again", []string{post(1)}, []int{200}, 1},
	} {
		for _, w := range step.writes {
			if _, err := io.WriteString(conn, w); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		for i, want := range step.want {
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%s, answer %d: %v", step.name, i, err)
			}
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != want || res.Close || res.Header.Get("Date") == "" {
				t.Errorf("%s, answer %d: %+v %s, %v", step.name, i, res, text, err)
			}
		}
		n := 0
		for len(got) > 0 {
			n += <-got
		}
		if n != step.events {
			t.Errorf("%s: %d events, want %d", step.name, n, step.events)
		}
	}
}

// TestClosingAnswersWhatIsUnderWay: a request that waits for the log is answered,
// and told that the connection ends; one that waits for its client is closed.
func TestClosingAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	entered, goOn := make(chan struct{}), make(chan struct{})
	g := gateway(t, config(func(context.Context, []event.Event) error {
		close(entered)
		<-goOn
		return nil
	}))
	address, stop := opened(t, g, ingest.ServeConfig{})
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		return conn
	}
	busy, idle := dial(), dial()
	const get = "POST /v1/m HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.WriteString(idle, get); err != nil {
		t.Fatal(err)
	}
	idles := bufio.NewReader(idle)
	if res, err := http.ReadResponse(idles, nil); err != nil || res.StatusCode != 200 {
		t.Fatalf("%+v, %v", res, err)
	} else {
		_, _ = io.Copy(io.Discard, res.Body)
	}
	if _, err := io.WriteString(busy, plain+"Content-Length: 12\r\n\r\n{\"event\":\"\"}"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	if _, err := idles.ReadByte(); err != io.EOF {
		t.Errorf("an idle connection: %v, want EOF", err)
	}
	close(goOn)
	res, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || res.StatusCode != 200 {
		t.Errorf("the request under way: %+v, %v", res, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
