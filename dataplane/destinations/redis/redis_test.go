package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/redis"
	"weir/dataplane/event"
	"weir/shared/egress"
	"weir/shared/id"
	"weir/shared/secret"
)

const password = "made-up-password"

// server is a Redis of its own behind a socket.
type server struct {
	t      testing.TB
	dir    string
	client *driver.Client
	stop   func()
}

func newServer(t testing.TB) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &server{t: t, dir: dir}
	s.client = driver.NewClient(&driver.Options{Network: "unix", Addr: s.socket(), Password: password, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = s.client.Close() })
	s.start()
	return s
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

func (s *server) start() {
	s.t.Helper()
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--save", "", "--dir", s.dir, "--requirepass", password, "--maxmemory-policy", "noeviction")
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%v: infra/tools/setup.sh test installs it", err)
	}
	s.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	s.t.Cleanup(func() { s.stop() })
	for until := time.Now().Add(time.Minute); s.client.Ping(s.t.Context()).Err() != nil; {
		if time.Now().After(until) {
			s.t.Fatal("Redis does not answer")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// deps lead every address to the server.
func (s *server) deps() destination.Deps {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
	}
	return destination.Deps{Dial: dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (s *server) do(args ...any) {
	s.t.Helper()
	if err := s.client.Do(s.t.Context(), args...).Err(); err != nil {
		s.t.Fatal(err)
	}
}

// stream are the messages of a stream.
func (s *server) stream(key string) (all []id.Event) {
	entries, err := s.client.XRange(s.t.Context(), key, "-", "+").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, id.Event(fmt.Sprint(e.Values["messageId"])))
	}
	return all
}

func opened(t testing.TB, settings string) destination.Opened {
	t.Helper()
	o, err := redis.Kind().Open([]byte(settings), map[string]secret.String{"password": secret.NewString(password)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sink(t testing.TB, settings string, deps destination.Deps) destination.Sink {
	t.Helper()
	s, err := opened(t, settings).Sink(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func settings(more string) string {
	return `{"address":"redis.example.com:6379","tls":false` + more + `}`
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: opened(t, settings("")), Deps: s.deps(), Taken: func() []id.Event { return s.stream("events") },
		Break: func(broken bool) { s.do("config", "set", "maxmemory", map[bool]string{true: "1", false: "0"}[broken]) },
	})
}

func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, redis.Kind(), ".", func(t testing.TB) destinationtest.Side {
		s := newServer(t)
		s.do("set", "taken", "by a text")
		s.do("hset", "events:ada", "old", "1", "kept", "2")
		heard := s.client.PSubscribe(t.Context(), "channel*")
		if _, err := heard.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		return destinationtest.Side{Deps: s.deps(), Arrived: func() []string { return s.everything(t, heard) }}
	})
}

// everything is what the server has, and what was heard on channels.
func (s *server) everything(t testing.TB, heard *driver.PubSub) (lines []string) {
	ctx := t.Context()
	keys, err := s.client.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	line := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch typ := s.client.Type(ctx, key).Val(); typ {
		case "stream":
			for _, e := range s.client.XRange(ctx, key, "-", "+").Val() {
				line(map[string]any{"stream": key, "entry": e.Values})
			}
		case "list":
			line(map[string]any{"list": key, "elements": s.client.LRange(ctx, key, 0, -1).Val()})
		case "hash":
			all := s.client.HGetAll(ctx, key).Val()
			if key == "events:ada" && maps.Equal(all, map[string]string{"old": "1", "kept": "2"}) {
				continue // as it was
			}
			line(map[string]any{"hash": key, "fields": all, "expires": s.client.PTTL(ctx, key).Val() > 0})
		}
	}
	s.do("publish", "channel-end", "end")
	for m := range heard.Channel() {
		if m.Payload == "end" {
			break
		}
		line(map[string]any{"channel": m.Channel, "message": m.Payload})
	}
	return lines
}

// batch is so many events of one user.
func batch(n int) destination.Batch {
	b := destination.Batch{Now: time.Now()}
	for i := range n {
		e := event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "track", User: "ada", JSON: fmt.Appendf(nil, `{"messageId":"m%d","type":"track","event":"E%d"}`, i, i)}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

// TestAnswersOfTheServer has an outcome and a code for what a server answers, and does
// all of a batch or nothing.
func TestAnswersOfTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.do("set", "taken", "x")
	s.do("set", "E1", "x")
	s.do("acl", "setuser", "reader", "on", ">"+password, "~*", "+@read", "+ping", "+multi", "+exec")
	for name, tc := range map[string]struct {
		settings, user, password string
		want                     string // of the three items
		before, after            func()
	}{
		"a key of another type":           {settings: settings(`,"key":"taken"`), want: "retry redis_wrong_type, retry redis_wrong_type, retry redis_wrong_type"},
		"one event's key of another type": {settings: settings(`,"key":"{event}"`), want: "delivered , dead redis_wrong_type, delivered "},
		"a wrong password":                {settings: settings(""), password: "not-the-password", want: "retry redis_denied, retry redis_denied, retry redis_denied"},
		"no right to write":               {settings: settings(""), user: "reader", password: password, want: "retry redis_denied, retry redis_denied, retry redis_denied"},
		"a database that there is not":    {settings: settings(`,"database":99`), want: "retry redis_refused, retry redis_refused, retry redis_refused"},
		"a list":                          {settings: settings(`,"mode":"list","key":"l"`), want: "delivered , delivered , delivered "},
		"hashes, of which there are none": {settings: settings(`,"mode":"hash"`), want: "dropped unsupported_event, dropped unsupported_event, dropped unsupported_event"},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := map[string]secret.String{"password": secret.NewString(password)}
			if tc.password != "" {
				secrets["password"] = secret.NewString(tc.password)
			}
			if tc.user != "" {
				secrets["username"] = secret.NewString(tc.user)
			}
			o, err := redis.Kind().Open([]byte(tc.settings), secrets)
			if err != nil {
				t.Fatal(err)
			}
			sink, err := o.Sink(t.Context(), s.deps())
			if err != nil {
				t.Fatal(err)
			}
			defer sink.Close()
			verdicts, err := sink.Write(t.Context(), batch(3))
			var got []string
			for _, v := range destination.Wrote(3, verdicts, err) {
				got = append(got, map[destination.Outcome]string{destination.Delivered: "delivered", destination.Dropped: "dropped", destination.Retry: "retry", destination.Dead: "dead"}[v.Outcome]+" "+v.Code)
			}
			if text := strings.Join(got, ", "); text != tc.want || strings.Contains(fmt.Sprint(verdicts, err), "password") && tc.password != "" {
				t.Errorf("%s; %v, %v; want %s", text, verdicts, err, tc.want)
			}
		})
	}
}

// TestAFullServerTakesNothingOfABatch, so that nothing overtakes what it refused.
func TestAFullServerTakesNothingOfABatch(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	to := sink(t, settings(`,"mode":"list","key":"l"`), s.deps())
	s.do("config", "set", "maxmemory", "1")
	verdicts, err := to.Write(t.Context(), batch(3))
	for _, v := range destination.Wrote(3, verdicts, err) {
		if v.Outcome != destination.Retry || v.Code != redis.CodeFull {
			t.Errorf("full: %+v, %v", v, err)
		}
	}
	s.do("config", "set", "maxmemory", "0")
	if n := s.client.LLen(t.Context(), "l").Val(); n != 0 {
		t.Errorf("a full server took %d", n)
	}
}

// TestMostEntries keeps the newest entries.
func TestMostEntries(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, mode := range []string{"stream", "list"} {
		to := sink(t, settings(`,"maxLength":100,"key":"`+mode+`","mode":"`+mode+`"`), s.deps())
		for range 10 {
			if _, err := to.Write(t.Context(), batch(100)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, m := s.client.LLen(t.Context(), "list").Val(), s.client.XLen(t.Context(), "stream").Val(); n != 100 || m < 100 || m > 300 {
		t.Errorf("a list of %d and a stream of %d, want 100 each, the stream about", n, m)
	}
}

// TestAServerThatIsAway has a code for it, and is used again when it is back.
func TestAServerThatIsAway(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	to := sink(t, settings(""), s.deps())
	if _, err := to.Write(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	for range 3 {
		verdicts, err := to.Write(t.Context(), batch(1))
		if v := destination.Wrote(1, verdicts, err)[0]; v.Outcome != destination.Retry || v.Code != "refused" && v.Code != "network" {
			t.Errorf("away: %+v, %v", v, err)
		}
	}
	s.start()
	if verdicts, err := to.Write(t.Context(), batch(2)); err != nil || verdicts[1].Outcome != destination.Delivered {
		t.Errorf("back again: %+v, %v", verdicts, err)
	}
	if got := s.stream("events"); len(got) != 2 {
		t.Errorf("%v came after the start, want two", got)
	}
}

// TestAServerThatHangs wants a write to end with its context.
func TestAServerThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	deps := destination.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	verdicts, err := sink(t, settings(""), deps).Write(ctx, batch(1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "timeout" {
		t.Errorf("%+v, %v, want timeout", v, err)
	}
}

// TestEgress wants a server at a private address to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	deps := destination.Deps{Now: time.Now, Dial: egress.New(egress.Policy{}).DialContext}
	to := sink(t, `{"address":"127.0.0.1:6379","tls":false}`, deps)
	verdicts, err := to.Write(t.Context(), batch(1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" {
		t.Errorf("%+v, %v, want egress_denied", v, err)
	}
	if err := to.(interface{ Test(context.Context) error }).Test(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Test = %v", err)
	}
}
