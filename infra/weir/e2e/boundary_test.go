package e2e_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
)

// mark stands in everything that must not cross the boundary.
const mark = "WEIRMARK"

// recorder is a TCP proxy that keeps all bytes of both directions.
type recorder struct {
	Addr string
	mu   sync.Mutex
	buf  bytes.Buffer
}

func newRecorder(t *testing.T, to string) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{Addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go r.pipe(in, out)
			go r.pipe(out, in)
		}
	}()
	t.Cleanup(func() { _ = l.Close() })
	return r
}

func (r *recorder) pipe(dst, src net.Conn) {
	defer func() { _ = dst.Close() }()
	_, _ = io.Copy(io.MultiWriter(dst, writerFunc(func(b []byte) (int, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.buf.Write(b)
	})), src)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func (r *recorder) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.buf.Bytes())
}

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{16,}`)

// marked searches data raw and decoded as base64, gzip and s2, to depth 3, and
// returns a piece around the first mark.
func marked(data []byte, depth int) string {
	if i := bytes.Index(bytes.ToLower(data), []byte(strings.ToLower(mark))); i >= 0 { // names of tables are lower-cased
		return fmt.Sprintf("%q", data[max(0, i-60):min(len(data), i+60)])
	}
	if depth == 0 {
		return ""
	}
	for _, run := range base64Run.FindAll(data, -1) {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 4 {
				b := run[min(shift, len(run)):]
				if clear, err := enc.DecodeString(string(b[:len(b)/4*4])); err == nil {
					if found := marked(clear, depth-1); found != "" {
						return "base64: " + found
					}
				}
			}
		}
	}
	for rest := data; ; {
		i := bytes.Index(rest, []byte{0x1f, 0x8b, 8})
		if i < 0 {
			break
		}
		if z, err := gzip.NewReader(bytes.NewReader(rest[i:])); err == nil {
			clear, _ := io.ReadAll(io.LimitReader(z, 8<<20)) // what can be read counts
			if found := marked(clear, depth-1); found != "" {
				return "gzip: " + found
			}
		}
		rest = rest[i+1:]
	}
	for rest := data; ; {
		i := bytes.Index(rest, []byte("\xff\x06\x00\x00S2sTwO"))
		if i < 0 {
			break
		}
		clear, _ := io.ReadAll(io.LimitReader(s2.NewReader(bytes.NewReader(rest[i:])), 8<<20)) // what can be read counts
		if found := marked(clear, depth-1); found != "" {
			return "s2: " + found
		}
		rest = rest[i+1:]
	}
	return ""
}

// TestTheSearchFindsMarks is the control of the experiment.
func TestTheSearchFindsMarks(t *testing.T) {
	t.Parallel()
	var zipped, fast bytes.Buffer
	z, f := gzip.NewWriter(&zipped), s2.NewWriter(&fast)
	for _, w := range []io.WriteCloser{z, f} {
		if _, err := io.WriteString(w, "some text "+mark+" more"); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{
		"raw":            []byte("x" + mark),
		"lower case":     []byte("x" + strings.ToLower(mark)),
		"base64":         []byte(`{"a":"` + base64.StdEncoding.EncodeToString([]byte("abc"+mark+"defg")) + `"}`),
		"base64 shifted": []byte(`ab` + base64.StdEncoding.EncodeToString([]byte("xyz"+mark+"defg"))),
		"gzip":           append([]byte("PUB x 30\r\n"), zipped.Bytes()...),
		"s2":             append([]byte("PUB x 30\r\n"), fast.Bytes()...),
		"gzip in base64": []byte(base64.StdEncoding.EncodeToString(zipped.Bytes())),
	} {
		if marked(data, 3) == "" {
			t.Errorf("%s: the mark was not found", name)
		}
	}
	if found := marked([]byte("nothing here, only text and AAAABBBBCCCCDDDDEEEE"), 3); found != "" {
		t.Errorf("found %s where there is none", found)
	}
}

// TestNothingOfAnEventCrossesTheBoundary marks every field, provokes errors that
// quote values, and searches all that the control plane could have learnt.
func TestNothingOfAnEventCrossesTheBoundary(t *testing.T) {
	hook := newSink(t)
	var secretSeen sync.Once
	sawSecret := make(chan struct{})
	hook.set(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if strings.Contains(r.Header.Get("X-Secret"), mark) {
			secretSeen.Do(func() { close(sawSecret) })
		}
		if bytes.Contains(body, []byte("REFUSE")) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write(body) // a vendor that quotes what it refuses
			return true
		}
		return false
	})
	r := startRolesThrough(t)
	t.Setenv("WEIR_SECRET_HOOK", `{"X-Secret":"`+mark+`secret"}`)
	config := strings.Replace(hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}),
		"} }\n", "}, secrets: { headers: { from: env, name: WEIR_SECRET_HOOK } } }\n", 1)
	t.Setenv("WEIR_SECRET_SIGNING", mark+"signing")
	config = strings.Replace(config, "sources:\n",
		"sources:\n  - { name: signed, type: webhook, writeKey: wk_signed, secrets: { signingKey: { from: env, name: WEIR_SECRET_SIGNING } } }\n", 1)
	r.apply(0, config+"  - { source: signed, destination: hook }\n")
	gateway := "http://" + r.gateway
	tail := start(t, "tail", "--control", "http://"+r.http, "--token", r.token)
	tail.line("watching workspace acme")
	event := func(id, extra string) string {
		m := func(s string) string { return mark + s }
		return fmt.Sprintf(`{"messageId":%q,"userId":%q,"anonymousId":%q,"type":"track","event":%q,"properties":{%q:%q,"nested":{%q:[%q]}},"traits":{"email":%q},"context":{%q:%q},"timestamp":%q%s}`,
			m(id), m("user"), m("anon"), m("event"), m("name"), m("value"), m("deep"), m("list"), m("mail@example.com"), m("ctx"), m("ctxv"), m("notatime"), extra)
	}
	accept(t, gateway, "/v1/track", "wk_web", event("good", ""))
	accept(t, gateway, "/v1/track", "wk_web", event("refused", `,"x":"REFUSE"`))
	for name, body := range map[string]string{
		"broken json":     `{"userId":"` + mark + `","x":`,
		"deep":            `{"userId":"` + mark + `","x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`,
		"bad utf-8":       `{"userId":"` + mark + `","x":"` + "\xff" + `"}`,
		"duplicate":       `{"userId":"` + mark + `","userId":"` + mark + `"}`,
		"members not all": `{"batch":[` + event("in-batch", "") + `,"` + mark + `"]}`,
	} {
		if code, answer := post(gateway, "/v1/batch", "wk_web", body); code == 0 || code >= 500 {
			t.Errorf("%s: %d %s", name, code, answer)
		}
	}
	req, err := http.NewRequest(http.MethodPost, gateway+"/v1/track?"+mark+"=q", strings.NewReader(event("headers", "")))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("wk_web", mark+"password")
	req.Header.Set("User-Agent", mark+"agent")
	req.Header.Set("X-Custom", mark+"header")
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("event with marked headers: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	_, _ = post(gateway, "/v1/track", mark+"unknownkey", event("nobody", ""))
	if code, answer := signed(t, gateway, mark+"signing", mark+"signed body"); code != 200 {
		t.Errorf("a signed webhook: %d %s", code, answer)
	}
	if code, answer := signed(t, gateway, mark+"another", mark+"forged body"); code != 401 || !contains(answer, "bad_signature") {
		t.Errorf("a webhook that is signed with another key: %d %s, want 401 bad_signature", code, answer)
	}
	until(t, "what is good at the webhook", func() bool {
		ids := hook.ids()
		return ids[mark+"good"] == 1 && ids[mark+"headers"] == 1 && ids[mark+"in-batch"] == 1 &&
			slices.ContainsFunc(hook.all(), func(a arrival) bool { return bytes.Contains(a.Body, []byte(mark+"signed body")) })
	})
	if slices.ContainsFunc(hook.all(), func(a arrival) bool { return bytes.Contains(a.Body, []byte(mark+"forged body")) }) {
		t.Error("a forged webhook was delivered")
	}
	<-sawSecret
	cli := []string{"--control", "http://" + r.http, "--token", r.token}
	until(t, "a dead letter", func() bool {
		return contains(run(t, 0, "", append([]string{"dlq", "list", "--destination", "hook"}, cli...)...), mark)
	})
	until(t, "the events in a tail", func() bool { return contains(tail.output(), mark+"in-batch") })
	looker := installation{Control: "http://" + r.http, Token: r.token}
	for action, call := range map[string][3]string{
		"quarantine:read": {"GET", "/v1/quarantine", ""},
		"preview":         {"POST", "/v1/preview/destination", `{"type":"webhook","settings":{"url":"http://127.0.0.1:1/"},"events":[` + event("previewed", "") + `]}`},
	} {
		capability, view := capabilityFor(t, looker, `{"workspace":"acme","action":"`+action+`"}`)
		if code, answer := look(t, call[0], view+call[1], capability, "", call[2]); code != 200 || !contains(answer, mark) {
			t.Errorf("%s: %d %s, want what holds a mark", call[1], code, answer)
		}
	}
	until(t, "counts above", func() bool { // a beat went up after all of this
		b := fetch(t, "http://"+r.http+"/api/v1/status", r.token)
		return contains(b, `"dead":1`)
	})
	nothingAbove(t, r)
}

// signed posts a webhook whose body is signed with key.
func signed(t *testing.T, gateway, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, gateway+"/v1/webhook", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	req.SetBasicAuth("wk_signed", "")
	req.Header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// leaky is code that gives away what it can, and warehouses of which two fail;
// %q is a webhook's address and %s a port where nothing listens.
const leaky = `workspace: acme
region: eu
sources:
  - { name: web, type: http, writeKey: wk_web }
transformations:
  - name: leaky
    language: javascript
    code: |
      export function transformEvent(event) {
        log(event, event.userId);
        if (event.properties.how === "throw") throw new Error(event.userId + JSON.stringify(event));
        if (event.properties.how === "type") event.properties[event.userId][event.userId].x = 1;
        if (event.properties.how === "reject") return Promise.reject(event);
        if (event.properties.how === "name") { const e = new Error(event.userId); e.name = event.userId; e.stack = event.userId; throw e; }
        if (event.properties.how === "fan") return Array(1001).fill(event);
        if (event.properties.how === "string") return event.userId;
        return event;
      }
destinations:
  - { name: hook, type: webhook, settings: { url: %q } }
  - { name: lake, type: duckdb, settings: { path: "./lake.duckdb", syncEvery: 5s } }
  - { name: damaged, type: duckdb, settings: { path: "./damaged.duckdb", syncEvery: 5s } }
  - name: closed
    type: postgres
    settings: { host: 127.0.0.1, port: %s, database: db, user: weir, sslMode: disable, syncEvery: 5s }
    secrets: { password: { from: env, name: WEIR_SECRET_DB } }
connections:
  - { source: web, destination: hook, transformations: [leaky] }
  - { source: web, destination: lake }
  - { source: web, destination: damaged }
  - { source: web, destination: closed }
`

// TestNothingOfCodeAndRowsCrossesTheBoundary marks every value, lets code fail
// that throws and logs what it is given, lets loads fail, and asks for rows.
func TestNothingOfCodeAndRowsCrossesTheBoundary(t *testing.T) {
	hook := newSink(t)
	hook.set(func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if bytes.Contains(body, []byte("REFUSE")) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return true
		}
		return false
	})
	r := startRolesThrough(t)
	t.Setenv("WEIR_SECRET_DB", mark+"password")
	_, port, err := net.SplitHostPort(freePort(t)) // where nothing listens
	if err != nil {
		t.Fatal(err)
	}
	r.apply(0, "id: ws_leaky\n"+fmt.Sprintf(leaky, hook.URL, port))
	folder := filepath.Join(r.dir, "plane", "warehouses", "ws_leaky") // nothing is in it before the first load
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "damaged.duckdb"), strings.Repeat(mark+" is no database. ", 1000))
	gateway := "http://" + r.gateway
	cli := []string{"--control", "http://" + r.http, "--token", r.token}
	ask := func(want int, args ...string) string {
		t.Helper()
		return run(t, want, "", append(args, cli...)...)
	}
	tail := start(t, append([]string{"tail"}, cli...)...)
	tail.line("watching workspace acme")
	event := func(how string) string {
		return fmt.Sprintf(`{"messageId":"%[1]s%[2]s","userId":"%[1]suser","type":"track","event":"%[1]s %[2]s","properties":{"how":%[2]q,"%[1]s":"%[1]svalue"},"context":{"%[1]s":"%[1]s"}}`, mark, how)
	}
	ways := []string{"throw", "type", "reject", "name", "fan", "string"}
	for _, how := range append(ways, "fine") {
		accept(t, gateway, "/v1/track", "wk_web", event(how))
	}
	until(t, "what is fine at the webhook", func() bool { return hook.ids()[mark+"fine"] == 1 })
	until(t, "the failures of the code in quarantine", func() bool {
		out := ask(0, "dlq", "list", "--quarantined", "--output", "json")
		return strings.Count(out, "transformation_") >= len(ways) && contains(out, mark)
	})
	looker := installation{Control: "http://" + r.http, Token: r.token}
	capability, view := capabilityFor(t, looker, `{"workspace":"acme","action":"loads:read"}`)
	for destination, state := range map[string]string{"lake": "done", "damaged": "load_", "closed": "load_unreachable"} {
		until(t, "a load of "+destination, func() bool {
			_, answer := look(t, "GET", view+"/v1/loads?destination="+destination, capability, "", "")
			return contains(answer, state)
		})
	}
	if out := ask(0, "query", "lake", "select * from tracks"); strings.Count(out, mark) < len(ways) {
		t.Errorf("the rows hold no marks: %s", out)
	}
	ask(1, "query", "lake", "select '"+mark+"' frm "+mark)
	ask(1, "query", "lake", "select cast('"+mark+"' as int)")
	ask(1, "query", "closed", "select '"+mark+"'")
	ask(1, "query", "damaged", "select '"+mark+"'")
	for action, call := range map[string][2]string{
		"preview":          {"/v1/preview/transformation", `{"code":"export function transformEvent(e) { log(e); throw new Error(JSON.stringify(e)); }","libraries":[],"events":[` + event("previewed") + `]}`},
		"destination:test": {"/v1/destinations/test", `{"destination":"closed"}`},
	} {
		capability, view := capabilityFor(t, looker, `{"workspace":"acme","action":"`+action+`"}`)
		if code, answer := look(t, "POST", view+call[0], capability, "", call[1]); code != 200 || action == "preview" && !contains(answer, mark) {
			t.Errorf("%s: %d %s", call[0], code, answer)
		}
	}
	until(t, "the events in a tail", func() bool {
		return contains(tail.output(), mark+"fine") && contains(tail.output(), "transformation_failed")
	})
	accept(t, gateway, "/v1/track", "wk_web", event("REFUSE"))
	until(t, "counts above", func() bool { // a beat went up after all of this
		return contains(fetch(t, "http://"+r.http+"/api/v1/status", r.token), `"dead":1`)
	})
	nothingAbove(t, r)
}

// nothingAbove searches all that the control plane could have learnt.
func nothingAbove(t *testing.T, r *roles) {
	t.Helper()
	metrics := fetch(t, "http://"+r.metrics+"/metrics", "")
	if !contains(metrics, "weir_") {
		t.Errorf("the plane's metrics name nothing of weir:\n%s", metrics)
	}
	places := map[string][]byte{
		"traffic between plane and hub": r.recorded.bytes(),
		"log of the control plane":      []byte(r.control.output()),
		"log of the plane":              []byte(r.plane.output()),
		"metrics of the plane":          []byte(metrics),
		"status in the API":             []byte(fetch(t, "http://"+r.http+"/api/v1/status", r.token)),
	}
	if len(places["traffic between plane and hub"]) < 2000 {
		t.Errorf("only %d bytes were recorded: does the plane go through the proxy?", len(places["traffic between plane and hub"]))
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(r.dir, "control"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go under a running server
		}
		if b, err := os.ReadFile(path); err == nil {
			files++
			places["file "+d.Name()+" of the control plane"] = append(places["file "+d.Name()+" of the control plane"], b...)
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("looked at %d files of the control plane: %v", files, err)
	}
	for place, data := range places {
		if found := marked(data, 3); found != "" {
			t.Errorf("%s holds a mark: %s", place, found)
		}
	}
}

// startRolesThrough is startRoles with a recorder between plane and hub.
func startRolesThrough(t *testing.T) *roles {
	t.Helper()
	r := newRoles(t)
	r.recorded = newRecorder(t, r.hub)
	r.start()
	return r
}

func fetch(t *testing.T, url, token string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET %s: %d %s %v", url, resp.StatusCode, b, err)
	}
	return string(b)
}
