package e2e_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
)

// hostileMemory is the most memory that hostile clients may cost the process,
// both planes in it, in bytes.
const hostileMemory = 768 << 20

// attack is one hostile input: raw bytes on a connection of its own.
type attack struct {
	name string
	// pieces are written one after the other.
	pieces [][]byte
	pause  time.Duration // between the pieces
	abort  bool          // reset the connection instead of waiting for the answer
	want   []int         // statuses; 0: closed without an answer
}

// request is the bytes of a POST with Content-Length.
func request(path, headers string, body []byte) []byte {
	return append(head("POST", path, fmt.Sprintf("%sContent-Length: %d\r\n", headers, len(body))), body...)
}

// head is the head of a request with the write key of the source under attack.
func head(method, path, headers string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: weir\r\nAuthorization: Basic d2tfd2ViOg==\r\n%s\r\n", method, path, headers)
}

func raw(name string, bytes []byte, want ...int) attack {
	return attack{name: name, pieces: [][]byte{bytes}, want: want}
}

// bodies are what is wrong in the body.
func bodies() []attack {
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	var keys strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&keys, `,"k%d":%d`, i, i)
	}
	list := []attack{}
	for _, b := range []struct {
		name, path, body string
		want             int
	}{
		{"malformed JSON", "/v1/track", `{"userId":"u",}`, 400},
		{"truncated JSON", "/v1/track", `{"userId":"u","properties":{"a":`, 400},
		{"nothing", "/v1/track", ``, 400},
		{"a number", "/v1/batch", `7`, 400},
		{"200,000 levels", "/v1/track", `{"userId":"u","p":` + deep + `}`, 400},
		{"200,000 levels in a batch", "/v1/batch", `{"batch":[{"userId":"u","messageId":"good-deep"},` + deep + `]}`, 200},
		{"4 MiB of open brackets", "/v1/batch", `{"batch":` + strings.Repeat("[", 4<<20-20), 400},
		{"50,000 keys", "/v1/track", `{"userId":"u","messageId":"good-keys"` + keys.String() + `}`, 200},
		{"50,000 keys, one twice", "/v1/track", `{"userId":"u"` + keys.String() + `,"k7":1}`, 400},
		{"a key twice", "/v1/track", `{"userId":"u","userId":"v"}`, 400},
		{"a key twice by escapes", "/v1/track", `{"userId":"u","user\u0049d":"v"}`, 400},
		{"invalid UTF-8", "/v1/track", "{\"userId\":\"\xc3\x28\xff\"}", 400},
		{"NUL", "/v1/track", "{\"userId\":\"u\x00\"}", 400},
		{"NUL as escape", "/v1/track", `{"userId":"u\u0000","messageId":"good-nul"}`, 200},
		{"lone surrogates", "/v1/track", `{"userId":"\ud800","messageId":"good-lone","p":"\udc00\ud800"}`, 200},
		{"huge numbers", "/v1/track", `{"userId":"u","messageId":"good-huge","p":{"a":1e999999999,"b":-` + strings.Repeat("9", 100_000) + `}}`, 200},
		{"a huge time", "/v1/track", `{"userId":"u","messageId":"good-time","timestamp":1` + strings.Repeat("0", 100_000) + `}`, 200},
		{"an empty batch", "/v1/batch", `{"batch":[]}`, 400},
		{"a half-bad batch", "/v1/batch", `{"batch":[{"userId":"u","messageId":"good-half"},7,null,{"event":"no id"},{"userId":"u","a":1,"a":2}]}`, 200},
		{"a batch without a good one", "/v1/batch", `{"batch":[1,[],"x"]}`, 400},
		{"a batch that expands", "/v1/batch", `{"context":{"c":"` + strings.Repeat("x", 900_000) + `"},"batch":[` + strings.Repeat(`{"userId":1},`, 50_000) + `1]}`, 413},
		{"an event over 1 MiB", "/v1/track", `{"userId":"` + strings.Repeat("u", 1<<20) + `"}`, 413},
		{"webhook with garbage", "/v1/webhook", "\x00\xff\xfe", 200},
		{"pixel path by POST", "/pixel/v1/page", `{}`, 405},
	} {
		list = append(list, raw(b.name, request(b.path, "", []byte(b.body)), b.want))
	}
	return list
}

// repeated is a zip of about size zero bytes, made of one block over and over:
// nobody has to zip a gigabyte.
func repeated(size int, open func(io.Writer) interface {
	io.Writer
	Flush() error
}) []byte {
	var out bytes.Buffer
	w, block := open(&out), make([]byte, 1<<20)
	start := 0
	for range 3 { // from the second on the blocks are equal
		start = out.Len()
		_, _ = w.Write(block)
		_ = w.Flush()
	}
	return append(out.Bytes(), bytes.Repeat(out.Bytes()[start:], size/len(block))...)
}

type flusher = interface {
	io.Writer
	Flush() error
}

// zips are bodies that are zipped and meant to hurt.
func zips() []attack {
	deflate := repeated(1<<30, func(w io.Writer) flusher { z, _ := flate.NewWriter(w, 9); return z })
	gz := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, deflate...)
	br := repeated(1<<30, func(w io.Writer) flusher { return brotli.NewWriterLevel(w, 5) })
	zstd := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3} // a window of 8 MiB
	for range 1 << 13 {
		zstd = append(zstd, 0x02, 0, 0x10, 0) // a block of 128 KiB of one byte
	}
	good := []byte(`{"batch":[{"userId":"u","messageId":"never"}]}`)
	once := gzipped(good)
	list := []attack{}
	for _, z := range []struct {
		name, encoding string
		body           []byte
		want           []int
	}{
		{"a gzip bomb of 1 GB", "gzip", gz, []int{413}},
		{"a deflate bomb of 1 GB", "deflate", deflate, []int{413}},
		{"a brotli bomb of 1 GB", "br", br, []int{413}},
		{"a zstd bomb of 1 GB", "zstd", zstd, []int{413}},
		{"a zstd that says it needs 4 GB", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0}, []int{413, 400}},
		{"gzip in gzip", "gzip", gzipped(once), []int{400}},
		{"gzip in gzip, and said so", "gzip, gzip", gzipped(once), []int{400}},
		{"gzip that is cut", "gzip", once[:len(once)-9], []int{400}},
		{"gzip that is no gzip", "gzip", good, []int{400}},
		{"an unknown encoding", "lzma", good, []int{400}},
	} {
		list = append(list, raw(z.name, request("/v1/batch", "Content-Encoding: "+z.encoding+"\r\n", z.body), z.want...))
	}
	return list
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// protocols are what is wrong around the body.
func protocols() []attack {
	big := bytes.Repeat([]byte(" "), 30<<20)
	chunk := fmt.Appendf(nil, "%x\r\n", 1<<20)
	chunk = append(append(chunk, big[:1<<20]...), "\r\n"...)
	list := []attack{
		raw("30 MB", request("/v1/batch", "", big), 413),
		raw("30 MB to an unknown path", request("/v1/nothing", "", big), 404),
		raw("30 MB with an unknown key", bytes.Replace(request("/v1/batch", "", big), []byte("d2tfd2ViOg=="), []byte("d2tfYmFkOg=="), 1), 401),
		raw("30 MB in chunks", append(head("POST", "/v1/batch", "Transfer-Encoding: chunked\r\n"), bytes.Repeat(chunk, 30)...), 413),
		raw("a length that is too short", append(head("POST", "/v1/track", "Content-Length: 3\r\n"), `{"userId":"u"}`...), 400),
		raw("a negative length", append(head("POST", "/v1/track", "Content-Length: -3\r\n"), `{}`...), 400),
		raw("a length that is no number", append(head("POST", "/v1/track", "Content-Length: 3x\r\n"), `{}`...), 400),
		raw("two lengths", append(head("POST", "/v1/track", "Content-Length: 2\r\nContent-Length: 3\r\n"), `{}`...), 400),
		raw("a bad chunk", append(head("POST", "/v1/track", "Transfer-Encoding: chunked\r\n"), "zz\r\n{}\r\n0\r\n\r\n"...), 400),
		raw("a chunk without its end", append(head("POST", "/v1/track", "Transfer-Encoding: chunked\r\n"), "2\r\n{}XX0\r\n\r\n"...), 400),
		raw("an unknown transfer coding", append(head("POST", "/v1/track", "Transfer-Encoding: gzip, chunked\r\n"), "0\r\n\r\n"...), 400),
		raw("an unknown method", head("BREW", "/v1/track", "Content-Length: 0\r\n"), 405),
		raw("a method that is none", head("B@D", "/v1/track", ""), 400),
		raw("an unknown version", []byte("GET /health HTTP/9.9\r\nHost: weir\r\n\r\n"), 400),
		raw("an unknown path", head("POST", "/v1/%00/../..", "Content-Length: 0\r\n"), 404),
		raw("a path that is none", head("POST", "/%zz", ""), 400),
		raw("a flood of headers", head("POST", "/v1/track", strings.Repeat("X-Flood: "+strings.Repeat("f", 80)+"\r\n", 20_000)), 431, 0),
		raw("a header without an end", append(head("POST", "/v1/track", "")[:60], bytes.Repeat([]byte("f"), 4<<20)...), 431, 0),
		raw("TLS to a plain port", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400, 0),
		raw("HTTP/2 that ends at once", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\xff"), 0),
	}
	stalled := raw("a length that is too long", append(head("POST", "/v1/track", "Content-Length: 1000\r\n"), `{"userId":"u"}`...), 408)
	drops := attack{name: "a body in drops", pieces: [][]byte{head("POST", "/v1/track", "Content-Length: 1000\r\n")}, pause: time.Second, want: []int{408}}
	slowHead := attack{name: "a head in drops", pieces: [][]byte{[]byte("POST /v1/track HTTP/1.1\r\n")}, pause: time.Second, want: []int{0, 400, 408}}
	for range 4 {
		drops.pieces = append(drops.pieces, []byte("{"))
		slowHead.pieces = append(slowHead.pieces, []byte("X-Slow: y\r\n"))
	}
	list = append(list, stalled, drops, slowHead)
	for i := range 20 {
		list = append(list, attack{name: fmt.Sprintf("an aborted body %d", i), pieces: [][]byte{append(head("POST", "/v1/batch", "Content-Length: 4000000\r\n"), big[:i*150_000]...)}, abort: true})
	}
	return list
}

// run sends a and returns the status of the answer, 0 when the connection was
// closed without one, -1 when nothing happened in time.
func (a attack) run(address string) (status int, retryAfter string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	for i, piece := range a.pieces {
		if i > 0 {
			<-time.After(a.pause)
		}
		if _, err := conn.Write(piece); err != nil {
			break // it may have been answered before all was sent
		}
	}
	if a.abort {
		_ = conn.(*net.TCPConn).SetLinger(0)
		return 0, ""
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if late, ok := err.(net.Error); ok && late.Timeout() {
			return -1, ""
		}
		return 0, ""
	}
	_ = res.Body.Close()
	return res.StatusCode, res.Header.Get("Retry-After")
}

// peak returns the most memory that a process had at once, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// calmConfig is a source under attack and one beside it, each with its webhook,
// and a source that may send little.
func calmConfig(web, calm string) string {
	return fmt.Sprintf(`workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
  - { name: calm, type: http, writeKey: wk_calm }
  - { name: metered, type: javascript, writeKey: wk_metered, settings: { rate: 1, burst: 5 } }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
  - { name: haven, type: webhook, settings: { url: %q } }
connections:
  - { source: web, destination: hook }
  - { source: calm, destination: haven }
`, web, calm)
}

// TestHostileInputHarmsNobody sends every bad input there is, each beside a
// request of a neighbour.
func TestHostileInputHarmsNobody(t *testing.T) {
	t.Parallel()
	web, calm := newSink(t), newSink(t)
	p, in := dev(t, t.TempDir(), calmConfig(web.URL, calm.URL))
	attacks := append(append(bodies(), zips()...), protocols()...)
	storm(t, in, attacks)
	t.Logf("%d attacks, at most %d MiB", len(attacks), peak(t, p.cmd.Process.Pid)>>20)
	crowd(t, in)
	exceed(t, in)
	accept(t, in.Gateway, "/v1/track", "wk_calm", `{"userId":"calm","messageId":"calm-last"}`)

	until(t, "the neighbours' events, each once", func() bool { return len(calm.ids()) == len(attacks)+1 })
	until(t, "the good events of bad requests", func() bool { return len(web.ids()) == 8 })
	for id, n := range calm.ids() {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
	for id := range web.ids() {
		if !strings.HasPrefix(id, "good-") && len(id) != 36 { // the garbage of the webhook has an id of ours
			t.Errorf("%s arrived", id)
		}
	}
	until(t, "balanced books", func() bool {
		whole := bookOf(t, in, "web", "")
		b := bookOf(t, in, "calm", "haven")
		return whole.Balanced && whole.Quarantined == 8 && whole.Accepted == 16 && b.Balanced && b.InFlight == 0 && int(b.Delivered) == len(attacks)+1
	})
	most := peak(t, p.cmd.Process.Pid)
	t.Logf("with the crowd at most %d MiB", most>>20)
	if most > hostileMemory {
		t.Errorf("the process had %d MiB, want %d at most", most>>20, hostileMemory>>20)
	}
	p.stop()
}

// storm runs attacks, many at once, each beside an event of the neighbour that
// has to be taken.
func storm(t *testing.T, in installation, attacks []attack) {
	t.Helper()
	places := make(chan struct{}, 16)
	var all sync.WaitGroup
	for i, a := range attacks {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			var beside sync.WaitGroup
			beside.Go(func() {
				if code, answer := deliver(in.Gateway, "/v1/track", "wk_calm", fmt.Sprintf(`{"userId":"calm","messageId":"calm-%d","beside":%q}`, i, a.name)); code != 200 {
					t.Errorf("the neighbour of %s: %d %s", a.name, code, answer)
				}
			})
			defer beside.Wait()
			status, retry := a.run(strings.TrimPrefix(in.Gateway, "http://"))
			if a.abort || status == 503 && retry != "" {
				return
			}
			if !slices.Contains(a.want, status) {
				t.Errorf("%s: status %d, want one of %v", a.name, status, a.want)
			}
		})
	}
	all.Wait()
}

// crowd is a thousand connections that send 4 MiB each at the same time; the
// last byte is missing, so that nothing has to be stored.
func crowd(t *testing.T, in installation) {
	t.Helper()
	body := append([]byte(`{"batch":["`), bytes.Repeat([]byte("x"), 4<<20-11)...)
	whole := request("/v1/batch", "", body)
	var refused, busy, lost atomic.Int64
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			switch status, retry := raw("", whole).run(strings.TrimPrefix(in.Gateway, "http://")); {
			case status == 400:
				refused.Add(1)
			case status == 503 && retry != "":
				busy.Add(1)
			case status == 0: // who still sends when the connection is closed may lose the answer (RFC 9112, 9.6)
				lost.Add(1)
			default:
				t.Errorf("one of a crowd: %d, Retry-After %q", status, retry)
			}
		})
	}
	for i := range 20 { // small requests go on beside them
		if code, answer := post(in.Gateway, "/v1/track", "wk_web", `{"event":"no id"}`); code != 400 && code != 503 {
			t.Errorf("beside the crowd, %d: %d %s", i, code, answer)
		}
	}
	all.Wait()
	t.Logf("of the crowd %d were read, %d sent away, %d cut off", refused.Load(), busy.Load(), lost.Load())
	if n := lost.Load(); n > 100 {
		t.Errorf("%d of a crowd of 1000 had no answer", n)
	}
}

// exceed sends more than a source may: it is told how long to wait, and waiting
// that long helps.
func exceed(t *testing.T, in installation) {
	t.Helper()
	batch := func(n int) *http.Response {
		body := `{"batch":[` + strings.Repeat(`{"userId":"u"},`, n-1) + `{"userId":"u"}]}`
		req, err := http.NewRequest("POST", in.Gateway+"/v1/batch?writeKey=wk_metered", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	if res := batch(4); res.StatusCode != 200 || res.Header.Get("RateLimit-Limit") != "5" || res.Header.Get("RateLimit-Remaining") != "1" {
		t.Errorf("within the rate: %d %v", res.StatusCode, res.Header)
	}
	res := batch(4)
	for end := time.Now().Add(patience); res.StatusCode == 200 && time.Now().Before(end); { // a slow machine may be within the rate
		res = batch(4)
	}
	wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if res.StatusCode != 429 || err != nil || wait < 1 || wait > 3 || res.Header.Get("RateLimit-Reset") == "" {
		t.Fatalf("over the rate: %d %v", res.StatusCode, res.Header)
	}
	<-time.After(time.Duration(wait) * time.Second)
	if res := batch(4); res.StatusCode != 200 {
		t.Errorf("after Retry-After: %d %v", res.StatusCode, res.Header)
	}
}
