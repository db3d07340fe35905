package connector_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/dataplane/connector"
	"weir/shared/fault"
	"weir/shared/worker"
)

// write makes a program. No process is started meanwhile that has the file open, too, so that
// it could not be run.
func write(name string, text []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(name, text, 0o755)
}

// TestMain makes the test binary the task, or the program of a connector, when it is started
// as one.
func TestMain(m *testing.M) {
	worker.Tasks{connector.Task: connector.Serve}.Divert()
	if len(os.Args) > 2 && os.Args[1] == "program" {
		program(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is a connector in Go.
func program(what string, args []string) {
	switch what {
	case "fetch": // says the status, or that there is no answer
		for _, url := range args {
			res, err := http.Get(url)
			if err != nil {
				fmt.Println("none")
				continue
			}
			b, _ := io.ReadAll(res.Body)
			fmt.Println(res.StatusCode, string(b))
		}
	case "tunnel": // a request through a tunnel
		proxy, err := url.Parse(os.Getenv("HTTPS_PROXY"))
		if err != nil {
			panic(err)
		}
		c, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", args[0])
		in := bufio.NewReader(c)
		if res, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect}); err != nil || res.StatusCode != 200 {
			fmt.Println(res, err)
			return
		}
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: inside\r\nConnection: close\r\n\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			panic(err)
		}
		b, _ := io.ReadAll(res.Body)
		fmt.Println(res.StatusCode, string(b))
	case "direct":
		c, err := net.DialTimeout("tcp", args[0], 5*time.Second)
		fmt.Println(err != nil)
		if err == nil {
			_ = c.Close()
		}
	case "eat":
		var all [][]byte
		for {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
			fmt.Fprintln(os.Stderr, len(all))
		}
	case "burn":
		for n := uint64(1); n != 0; n |= n << 1 {
		}
	}
}

// folder makes a folder with one connector, "it", of a manifest and of files.
func folder(t *testing.T, manifest string, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	at := filepath.Join(dir, "it")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	files["connector.yaml"] = manifest
	for name, text := range files {
		if err := write(filepath.Join(at, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(at, "program"), b); err != nil {
		t.Fatal(err)
	}
	return dir
}

// said runs a connector and returns what it says, and how it ended.
func said(t *testing.T, cfg connector.Config, r connector.Run) (string, connector.Exit) {
	t.Helper()
	f := connector.New(cfg)
	m, err := f.Find("it", "singer")
	if err != nil {
		t.Fatal(err)
	}
	r.Name, r.Manifest = "it", m
	if r.Log == "" {
		r.Log = "it"
	}
	p, err := f.Start(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	b, err := io.ReadAll(p)
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Wait()
	if err != nil {
		t.Fatalf("its end: %v, after %q", err, b)
	}
	return string(b), e
}

func TestAConnectorSeesItsOwnAndNothingOfThePlane(t *testing.T) {
	t.Parallel()
	dir := folder(t, "protocol: singer\ncommand: [./look.sh]\n", map[string]string{"look.sh": `#!/bin/sh
grep CapEff /proc/self/status
echo "files: $(ls -l /work | grep -c -- '-rw-------')"
cat /work/config.json; echo
echo "env: $(env | grep -c SECRET)"
ls -d /root /home /var /etc/shadow /etc/hostname "$1" 2>/dev/null
touch /usr/x 2>/dev/null || echo no-usr
touch /x 2>/dev/null || echo no-root
touch "$(dirname "$0")/x" 2>/dev/null || echo no-own
touch /work/x && echo work
mount -t tmpfs x /work 2>/dev/null || echo no-mount
echo "open: $(ls /proc/self/fd | tr '\n' ' ')"
echo "processes: $(ls -d /proc/[0-9]* | wc -l)"
`})
	other := filepath.Join(t.TempDir(), "identity.key")
	if err := os.WriteFile(other, []byte("of the plane"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, e := said(t, connector.Config{Dir: dir}, connector.Run{Args: []string{other}, Files: map[string][]byte{"config.json": []byte(`{"token":"made-up"}`)}})
	for _, want := range []string{"CapEff:\t0000000000000000\n", "files: 1\n", `{"token":"made-up"}`, "env: 0\n", "open: 0 1 2 3 \n", "no-usr\nno-root\nno-own\nwork\nno-mount\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it said %q, want %q in it", got, want)
		}
	}
	for _, hidden := range []string{"/root", "/home", "/var", "shadow", "hostname", other} {
		if strings.Contains(got, hidden+"\n") {
			t.Errorf("it sees %s: %q", hidden, got)
		}
	}
	if e != (connector.Exit{}) {
		t.Errorf("it ended by %+v", e)
	}
}

func TestAConnectorReachesWhatItMayAndNothingElse(t *testing.T) {
	t.Parallel()
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello from "+r.Host) }))
	defer far.Close()
	address := far.Listener.Addr().String()
	var mu sync.Mutex
	var asked []string
	dial := func(ctx context.Context, network, to string) (net.Conn, error) {
		mu.Lock()
		asked = append(asked, to)
		mu.Unlock()
		if strings.HasPrefix(to, "away.") {
			return nil, errors.New("away")
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	}
	dir := folder(t, "protocol: singer\ncommand: [./program, program]\nhosts: ['*.example.com', away.example.net]\n", map[string]string{})
	got, _ := said(t, connector.Config{Dir: dir, Dial: dial}, connector.Run{Args: []string{
		"fetch", "http://api.example.com/x", "http://other.example.org/", "http://169.254.169.254/latest", "http://away.example.net/", "https://api.example.com:8443/", "https://other.example.org/",
	}})
	want := "200 hello from api.example.com\n403 this connector may not reach this host\n\n403 this connector may not reach this host\n\n502 \nnone\nnone\n"
	if got != want {
		t.Errorf("it got %q, want %q", got, want)
	}
	mu.Lock()
	if fmt.Sprint(asked) != "[api.example.com:80 away.example.net:80 api.example.com:8443]" {
		t.Errorf("the plane dialled %v", asked)
	}
	mu.Unlock()
	if got, _ := said(t, connector.Config{Dir: dir, Dial: dial}, connector.Run{Args: []string{"tunnel", "api.example.com:443"}}); got != "200 hello from inside\n" {
		t.Errorf("through a tunnel: %q", got)
	}
	if got, _ := said(t, connector.Config{Dir: dir, Dial: dial}, connector.Run{Args: []string{"direct", address}}); got != "true\n" {
		t.Errorf("a connection past the proxy: %q", got)
	}
	alone := folder(t, "protocol: singer\ncommand: [./program, program]\n", map[string]string{})
	if got, _ := said(t, connector.Config{Dir: alone, Dial: dial}, connector.Run{Args: []string{"fetch", "http://api.example.com/"}}); got != "none\n" {
		t.Errorf("without hosts: %q", got)
	}
}

func TestAConnectorEndsAtItsBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		manifest string
		run      connector.Run
		want     func(connector.Exit) bool
	}{
		"memory of one process": {"memoryMiB: 128\ncommand: [./program, program, eat]", connector.Run{}, func(e connector.Exit) bool { return e.Code != 0 }},
		"memory of many processes": {"memoryMiB: 100\ncommand: [./many.sh]", connector.Run{}, func(e connector.Exit) bool {
			return e.Over == "memory"
		}},
		"processor time": {"cpu: 1s\ncommand: [./program, program, burn]", connector.Run{}, func(e connector.Exit) bool {
			return e.Over == "processor time" || e.Signal == 9
		}},
		"processes": {"processes: 8\ncommand: [./fork.sh]", connector.Run{}, func(e connector.Exit) bool { return e.Over == "processes" }},
		"scratch":   {"scratchMiB: 1\ncommand: [./fill.sh]", connector.Run{}, func(e connector.Exit) bool { return e.Code == 7 }},
		"no program": {"command: [./nothing]", connector.Run{}, func(e connector.Exit) bool {
			return strings.HasPrefix(e.Failed, "the program ./nothing does not start")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, "protocol: singer\n"+c.manifest+"\n", map[string]string{
				"many.sh": "#!/bin/sh\nfor i in 1 2 3 4; do (head -c 60000000 /dev/zero | tail -c 50000000 >/dev/null; sleep 1) & (x=$(head -c 40000000 /dev/zero | tr '\\0' a); sleep 100) & done\nwait\nsleep 100\n",
				"fork.sh": "#!/bin/sh\nwhile :; do sleep 1000 & done\n",
				"fill.sh": "#!/bin/sh\nhead -c 3000000 /dev/zero > /work/x 2>/dev/null || exit 7\n",
			})
			if _, e := said(t, connector.Config{Dir: dir}, c.run); !c.want(e) {
				t.Errorf("it ended by %+v", e)
			}
		})
	}
}

// TestAConnectorThatSaysMoreThanItMayWaits: three MiB at one MiB a second take two at least,
// and none is lost. Stop ends the wait.
func TestAConnectorThatSaysMoreThanItMayWaits(t *testing.T) {
	t.Parallel()
	dir := folder(t, "protocol: singer\ncommand: [./say.sh]\noutputMiB: 1\n", map[string]string{"say.sh": "#!/bin/sh\nhead -c 3145728 /dev/zero | tr '\\0' a\n"})
	began := time.Now()
	got, e := said(t, connector.Config{Dir: dir}, connector.Run{})
	if took := time.Since(began); took < 2*time.Second || len(got) != 3<<20 || strings.Trim(got, "a") != "" || e != (connector.Exit{}) {
		t.Errorf("%d bytes in %v, %+v; want all 3 MiB, in two seconds at least", len(got), took, e)
	}
	f := connector.New(connector.Config{Dir: dir})
	m, err := f.Find("it", "singer")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Start(t.Context(), connector.Run{Name: "it", Log: "it", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, p)
		ended <- n
	}()
	p.Stop()
	if n := <-ended; n > 3<<20 {
		t.Errorf("%d bytes of a connector that was stopped", n)
	}
}

func TestStopEndsEverything(t *testing.T) {
	t.Parallel()
	dir := folder(t, "protocol: singer\ncommand: [./stay.sh]\n", map[string]string{"stay.sh": "#!/bin/sh\ntrap '' TERM INT HUP\n(trap '' TERM; sleep 1000) &\necho here\nsleep 1000\n"})
	f := connector.New(connector.Config{Dir: dir, Most: 1})
	m, err := f.Find("it", "singer")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Start(t.Context(), connector.Run{Name: "it", Log: "it", Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(p, b); err != nil || string(b) != "here\n" {
		t.Fatalf("it said %q: %v", b, err)
	}
	if _, err := f.Start(t.Context(), connector.Run{Name: "it", Log: "it", Manifest: m}); fault.KindOf(err) != fault.Limited {
		t.Errorf("a second one at once: %v", err)
	}
	p.Stop()
	if _, err := p.Wait(); err == nil {
		t.Error("it ended by itself")
	}
	p, err = f.Start(t.Context(), connector.Run{Name: "it", Log: "it", Manifest: m})
	if err != nil {
		t.Fatalf("after the first one: %v", err)
	}
	p.Stop()
}

func TestStderrIsALogWithoutSecrets(t *testing.T) {
	t.Parallel()
	dir, logs := folder(t, "protocol: singer\ncommand: [./say.sh]\n", map[string]string{
		"say.sh": "#!/bin/sh\necho \"token is made-up-secret, key second-line\" >&2\nhead -c 3000000 /dev/zero | tr '\\0' a >&2\necho >&2\nfor i in 1 2 3 4 5 6 7 8 9 10; do head -c 150000 /dev/zero | tr '\\0' b | fold -w 100 >&2; done\necho out\n",
	}), t.TempDir()
	for range 2 {
		got, _ := said(t, connector.Config{Dir: dir, Logs: logs}, connector.Run{Log: "it-read", Secrets: []string{"made-up-secret", "first-line\nsecond-line"}})
		if got != "out\n" {
			t.Fatalf("it said %q", got)
		}
	}
	for _, name := range []string{"it-read.log", "it-read.log.1"} {
		b, err := os.ReadFile(filepath.Join(logs, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(b), "token is ***, key ***\n") || len(b) < 500_000 || len(b) > 1<<20+20_000 {
			t.Errorf("%s has %d bytes and begins with %.60q", name, len(b), b)
		}
		if info, err := os.Stat(filepath.Join(logs, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

func TestFindSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for manifest, want := range map[string]string{
		"protocol: singer\ncommand: [tap]":                "",
		"protocol: airbyte\ncommand: [tap]":               "speaks airbyte",
		"protocol: soap\ncommand: [tap]":                  "protocol is singer or airbyte",
		"protocol: singer":                                "command is a list",
		"protocol: singer\ncommand: [/bin/sh]":            "command begins with",
		"protocol: singer\ncommand: [./../x]":             "command begins with",
		"protocol: singer\ncommand: [tap]\npaths: [opt]":  "paths are whole",
		"protocol: singer\ncommand: [tap]\nhosts: ['[']":  "hosts are names",
		"protocol: singer\ncommand: [tap]\nmemoryMiB: -1": "memoryMiB is a number",
		"protocol: singer\ncommand: [tap]\nprocesses: -1": "processes, cpu and silence",
		"protocol: singer\ncommand: [tap]\nsecret: hush":  "field secret not found",
		"protocol: singer\ncommand: [tap]\ncpu: 10ms":     "processes, cpu and silence",
	} {
		_, err := connector.New(connector.Config{Dir: folder(t, manifest, map[string]string{})}).Find("it", "singer")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", manifest, err, want)
		}
	}
	for _, name := range []string{"../it", "", "It", "no"} {
		if _, err := connector.New(connector.Config{Dir: t.TempDir()}).Find(name, "singer"); fault.KindOf(err) != fault.Missing {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := (*connector.Folder)(nil).Find("it", "singer"); err == nil || !strings.Contains(err.Error(), "--connectors") {
		t.Errorf("without a folder: %v", err)
	}
	if b, err := json.Marshal(connector.Exit{}); err != nil || string(b) != `{"code":0}` {
		t.Errorf("%s %v", b, err)
	}
}
