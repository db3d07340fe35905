package neighbours

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/infra/weir/bench/webhook"
)

// refusing is a webhook that answers 400, as one whose API key has expired.
func refusing(ctx context.Context, s *site) (string, error) {
	h, err := webhook.New(ctx, webhook.Failure{Name: "400s", Behave: func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) bool {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}})
	if err != nil {
		return "", err
	}
	s.later(h.Close)
	return tenant(map[string]string{"hook": fmt.Sprintf("type: webhook, settings: { url: %q }", h.URL)}), nil
}

var sequence atomic.Int64 // of the evil tenant's events

// large is a batch of events of about 16 KiB whose text cannot be compressed, with
// members before it.
func large(members string) string {
	events := make([]string, 20)
	for i := range events {
		random := make([]byte, 8<<10)
		for at := 0; at < len(random); at += 8 {
			n := rand.Uint64()
			for b := range 8 {
				random[at+b] = byte(n >> (8 * b))
			}
		}
		events[i] = fmt.Sprintf(`{"type":"track","event":"Big",%s"messageId":"b%d","properties":{"x":"%x"}}`, members, sequence.Add(1), random)
	}
	return `{"batch":[` + strings.Join(events, ",") + `]}`
}

// fill sends large events until they are refused with code.
func fill(code, members string) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		for {
			if status, answer := s.send(ctx, "/v1/batch", large(members)); status == http.StatusServiceUnavailable && strings.Contains(answer, code) {
				return nil
			}
			if ctx.Err() != nil {
				return fmt.Errorf("no event was refused with %s: %w", code, ctx.Err())
			}
		}
	}
}

// flood goes on to send large events, ten batches a second, whatever the answer.
func flood(members string) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		for pause(ctx, 100*time.Millisecond) {
			s.send(ctx, "/v1/batch", large(members))
		}
		return nil
	}
}

// small is a batch of n events that are hardly more than a key.
func small(n int) string {
	var b strings.Builder
	b.WriteString(`{"batch":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		k := sequence.Add(1)
		fmt.Fprintf(&b, `{"type":"track","userId":"u%d","event":"E","messageId":"k%d"}`, k%1000, k)
	}
	b.WriteString(`]}`)
	return b.String()
}

// forget sends keys until the oldest of them are forgotten for lack of room.
func forget(ctx context.Context, s *site) error {
	sending, stop := context.WithCancel(ctx)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for sending.Err() == nil {
				s.send(sending, "/v1/batch", small(5000))
			}
		})
	}
	err := s.until(ctx, "dedupe_window_short")
	stop()
	senders.Wait()
	return err
}

// keys goes on with 5,000 keys a second.
func keys(ctx context.Context, s *site) error {
	for pause(ctx, 100*time.Millisecond) {
		s.send(ctx, "/v1/batch", small(500))
	}
	return nil
}
