package amqp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/amqp"
	"weir/dataplane/event"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/egress"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

// deps lead every address to the broker.
func (b *broker) deps() destination.Deps {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, b.Addr().String())
	}
	return destination.Deps{Dial: dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func opened(t testing.TB, settings, word string) destination.Opened {
	t.Helper()
	o, err := amqp.Kind().Open([]byte(settings), map[string]secret.String{"username": secret.NewString(username), "password": secret.NewString(word)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sink(t testing.TB, settings string, deps destination.Deps) destination.Sink {
	t.Helper()
	s, err := opened(t, settings, password).Sink(t.Context(), deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func settings(more string) string {
	return `{"address":"rabbit.example.com:5672","tls":false,"exchange":"events"` + more + `}`
}

// ids are the messages that queues have.
func (b *broker) ids() (all []id.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		var head struct{ MessageID id.Event }
		_ = json.Unmarshal([]byte(m.body), &head) // what is not read differs from what is wanted
		all = append(all, head.MessageID)
	}
	return all
}

func (b *broker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func TestContract(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	o := opened(t, settings(""), password)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: o, Deps: b.deps(), Taken: b.ids, Break: func(broken bool) { b.set(func() { b.broken = broken }) },
	})
}

// TestSyncs has the rows of a model as messages, from which their state can be read, whatever
// is lost on the way.
func TestSyncs(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	syncstest.Keeps(t, syncstest.Kept{
		Opened: opened(t, settings(""), password), Deps: b.deps(), Sync: activation.Sync{Object: "record"},
		Records: func() map[string]string {
			b.mu.Lock()
			defer b.mu.Unlock()
			var messages [][]byte
			for _, m := range b.messages {
				messages = append(messages, []byte(m.body))
			}
			return syncstest.Replay(t, messages...)
		},
		Break: func(broken bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.broken = broken
		},
	}, 4)
}

func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, amqp.Kind(), ".", func(t testing.TB) destinationtest.Side {
		b := newBroker(t)
		return destinationtest.Side{Deps: b.deps(), Arrived: func() (lines []string) {
			for _, m := range b.messages {
				line, err := json.Marshal(map[string]any{"exchange": m.exchange, "routingKey": m.key, "messageId": m.id, "type": m.typ, "contentType": m.content, "deliveryMode": m.mode, "timestamp": m.at, "body": m.body})
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(line))
			}
			return lines
		}}
	})
}

// batch is so many events, of two users by turns.
func batch(n int) destination.Batch {
	b := destination.Batch{Now: time.Now()}
	for i := range n {
		e := event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "track", User: fmt.Sprint("u", i%2), ReceivedAt: time.UnixMilli(1e12), JSON: fmt.Appendf(nil, `{"messageId":"m%d","type":"track","event":"%s"}`, i, []string{"somewhere", "nowhere"}[i%2])}
		b.Items = append(b.Items, destination.Item{Event: e, Attempt: 1})
	}
	return b
}

func text(verdicts []destination.Verdict, n int, err error) string {
	var all []string
	for _, v := range destination.Wrote(n, verdicts, err) {
		all = append(all, strings.TrimSpace(map[destination.Outcome]string{destination.Delivered: "delivered", destination.Retry: "retry", destination.Dead: "dead"}[v.Outcome]+" "+v.Code))
	}
	return strings.Join(all, ", ")
}

// TestAnswersOfTheServer has an outcome and a code for what a server answers.
func TestAnswersOfTheServer(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	for name, tc := range map[string]struct{ settings, word, want string }{
		"no queue for the one key": {settings(`,"routingKey":"nowhere"`), "", "retry amqp_unroutable, retry amqp_unroutable"},
		"no queue for an event's":  {settings(`,"routingKey":"{event}"`), "", "delivered, dead amqp_unroutable"},
		"no exchange":              {strings.Replace(settings(""), `"events"`, `"other"`, 1), "", "retry amqp_no_exchange, retry amqp_no_exchange"},
		"a wrong password":         {settings(""), "another-password", "retry amqp_denied, retry amqp_denied"},
		"another virtual host":     {settings(`,"vhost":"other"`), "", "retry amqp_denied, retry amqp_denied"},
		"the default exchange":     {`{"address":"a:1","tls":false,"routingKey":"queue"}`, "", "delivered, delivered"},
		"no queue of this name":    {`{"address":"a:1","tls":false,"routingKey":"absent"}`, "", "retry amqp_unroutable, retry amqp_unroutable"},
	} {
		word := password
		if tc.word != "" {
			word = tc.word
		}
		s, err := opened(t, tc.settings, word).Sink(t.Context(), b.deps())
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := s.Write(t.Context(), batch(2))
		if got := text(verdicts, 2, err); got != tc.want || strings.Contains(fmt.Sprint(verdicts, err), word) {
			t.Errorf("%s: %s; %v, %v; want %s", name, got, verdicts, err, tc.want)
		}
		err = s.(interface{ Test(context.Context) error }).Test(t.Context())
		if wrong := strings.Contains(tc.want, "denied") || strings.Contains(tc.want, "no_exchange"); (err != nil) != wrong {
			t.Errorf("%s: Test = %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNothingOvertakes what a queue did not take of the same user.
func TestNothingOvertakes(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	b.nack = func(id string) bool { return id == "m2" }
	verdicts, err := sink(t, settings(""), b.deps()).Write(t.Context(), batch(7))
	const want = "delivered, delivered, retry amqp_not_taken, delivered, retry amqp_not_taken, delivered, retry amqp_not_taken"
	if got := text(verdicts, 7, err); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := b.ids(); !slices.Equal(got, []id.Event{"m0", "m1", "m3", "m5"}) {
		t.Errorf("%v came", got)
	}
}

// TestConnectionsThatBreak and servers that hang are noticed, and a write begins anew.
func TestConnectionsThatBreak(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := sink(t, settings(""), b.deps())
	for range 3 {
		verdicts, err := s.Write(t.Context(), batch(2))
		for try := 0; err != nil && try < 10; try++ { // that of before may be found out to be broken
			verdicts, err = s.Write(t.Context(), batch(2))
		}
		if got := text(verdicts, 2, err); got != "delivered, delivered" {
			t.Errorf("%s, %v", got, err)
		}
		b.cut()
	}
	b.set(func() { b.hang = true })
	var err error
	var verdicts []destination.Verdict
	for try := 0; try < 10; try++ {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		verdicts, err = s.Write(ctx, batch(2))
		cancel()
		if text(verdicts, 2, err) == "retry timeout, retry timeout" {
			break
		}
	}
	if got := text(verdicts, 2, err); got != "retry timeout, retry timeout" {
		t.Errorf("of a server that hangs: %s, %v", got, err)
	}
	b.set(func() { b.hang = false })
	if verdicts, err := s.Write(t.Context(), batch(2)); text(verdicts, 2, err) != "delivered, delivered" {
		t.Errorf("afterwards: %v, %v", verdicts, err)
	}
}

// TestEgress wants a server at a private address to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	deps := destination.Deps{Now: time.Now, Dial: egress.New(egress.Policy{}).DialContext}
	s := sink(t, strings.Replace(settings(""), "rabbit.example.com:5672", b.Addr().String(), 1), deps)
	verdicts, err := s.Write(t.Context(), batch(1))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" || len(b.messages) > 0 {
		t.Errorf("%+v, %v, want egress_denied", v, err)
	}
}
