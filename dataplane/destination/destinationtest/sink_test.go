package destinationtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/shared/id"
)

// faulty is a sink that makes one mistake.
type faulty struct {
	mistake string

	mu     sync.Mutex
	broken bool
	taken  []id.Event
}

func (f *faulty) Close() error { return nil }

func (f *faulty) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.broken && f.mistake != "takes an error for a yes" {
		return nil, errors.New("broken")
	}
	verdicts := make([]destination.Verdict, 0, len(b.Items))
	for i, it := range b.Items {
		v := destination.Verdict{Item: i, Outcome: destination.Delivered}
		switch {
		case it.Event.Type != "odd" && !f.broken:
			f.taken = append(f.taken, it.Event.MessageID)
		case it.Event.Type == "odd" && f.mistake == "invents a code":
			v.Outcome, v.Code = destination.Dropped, "it_was_odd"
		case it.Event.Type == "odd" && f.mistake != "says it delivered what it dropped":
			v.Outcome, v.Code = destination.Dropped, "unsupported_event"
		}
		if f.mistake == "changes events" {
			it.Event.JSON[0] = '['
		}
		verdicts = append(verdicts, v)
	}
	switch f.mistake {
	case "forgets the last":
		return verdicts[1:], nil
	case "answers twice":
		return append(verdicts, verdicts[0]), nil
	}
	return verdicts, nil
}

func TestCheckSinkFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string]string{
		"":                                  "",
		"takes an error for a yes":          "a broken side: ",
		"invents a code":                    `code "it_was_odd" is not declared`,
		"says it delivered what it dropped": "were said to be delivered",
		"changes events":                    "the sink changed event",
		"forgets the last":                  "has no verdict",
		"answers twice":                     "has a second verdict",
	} {
		f := &faulty{mistake: mistake}
		s := Sink{
			Opened: destination.Opened{
				Sink:   func(context.Context, destination.Deps) (destination.Sink, error) { return f, nil },
				Limits: destination.Limits{Concurrency: 2, BatchSize: 10, Timeout: time.Second},
			},
			Taken: func() []id.Event { f.mu.Lock(); defer f.mu.Unlock(); return f.taken },
			Break: func(broken bool) { f.mu.Lock(); defer f.mu.Unlock(); f.broken = broken },
		}
		found := s.problems(t.Context())
		if mistake == "" && len(found) > 0 || !strings.Contains(strings.Join(found, "\n"), want) {
			t.Errorf("a sink that %s: found %q, want %q", mistake, found, want)
		}
	}
}
