package relay_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"weir/dataplane/queue/natsstore/relay"
	"weir/shared/fault"
)

// connect returns connections of two processes to one server.
func connect(t *testing.T) (a, b *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, MaxPayload: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not begin")
	}
	var all [2]*nats.Conn
	for i := range all {
		if all[i], err = nats.Connect(s.ClientURL()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(all[i].Close)
	}
	return all[0], all[1]
}

// TestWhoAnswersIsAsked: requests reach the process that answers at the time, and are refused when none does.
func TestWhoAnswersIsAsked(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	one, two := relay.New(a, "things"), relay.New(b, "things")
	var answers atomic.Bool
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		one.Serve(ctx, answers.Load, func(_ context.Context, request []byte) []byte {
			switch string(request) {
			case "nothing":
				return nil
			case "much":
				return make([]byte, 2<<20)
			}
			return []byte(strings.ToUpper(string(request)))
		})
	}()
	ask := func(request string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer, err := two.Ask(ctx, []byte(request))
		return string(answer), err
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	if _, err := ask("x"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("nobody answers, and the error is %v", err)
	}
	answers.Store(true)
	until("nobody answers", func() bool { got, err := ask("x"); return err == nil && got == "X" })
	for request, kind := range map[string]fault.Kind{"nothing": fault.Unavailable, "much": fault.Unavailable, strings.Repeat("x", 2<<20): fault.Invalid} {
		if got, err := ask(request); err == nil || fault.KindOf(err) != kind {
			t.Errorf("%.10s is answered with %.10q, %v", request, got, err)
		}
	}
	answers.Store(false)
	until("it answers still", func() bool { _, err := ask("x"); return err != nil })
	answers.Store(true)
	until("it does not answer again", func() bool { _, err := ask("y"); return err == nil })
	stop()
	<-ended
	if _, err := ask("x"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("it ended, and the error is %v", err)
	}
}

// TestAllAreAsked: each process that answers is heard, and one that refuses is not.
func TestAllAreAsked(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{}, 3)
	for _, name := range []string{"a", "b", ""} {
		go func() {
			relay.New(a, "things").Serve(ctx, func() bool { return true }, func(_ context.Context, request []byte) []byte {
				if name == "" {
					return nil
				}
				return append([]byte(name), request...)
			})
			ended <- struct{}{}
		}()
	}
	two := relay.New(b, "things")
	heard := map[string]bool{}
	for deadline := time.Now().Add(time.Minute); len(heard) < 2 && time.Now().Before(deadline); {
		ask, cancel := context.WithTimeout(t.Context(), time.Minute)
		clear(heard)
		time.AfterFunc(100*time.Millisecond, cancel) // they may not answer yet
		if err := two.All(ask, []byte("?"), func(answer []byte) { heard[string(answer)] = true }); err != nil && fault.KindOf(err) != fault.Unavailable {
			t.Fatal(err)
		}
		cancel()
	}
	if !heard["a?"] || !heard["b?"] || len(heard) != 2 {
		t.Errorf("the answers are %v", heard)
	}
	stop()
	for range 3 {
		<-ended
	}
	b.Close()
	if err := two.All(t.Context(), nil, func([]byte) {}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a server the error is %v", err)
	}
}
