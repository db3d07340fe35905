package webhook

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"weir/infra/weir/bench/process"
)

const (
	startTime  = 60 * time.Second // for a receiver to listen
	answerTime = 15 * time.Second // for one of its answers
	drainTime  = 4 * time.Minute  // for one phase to arrive
)

// Remote is a receiver in its own process.
type Remote struct {
	*process.Process
	URL string
}

// Start starts a receiver of that kind: Handler or Sink. It returns how long it took
// until it listened.
func Start(ctx context.Context, kind string) (Remote, time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return Remote{}, 0, fmt.Errorf("find this binary: %w", err)
	}
	c, err := process.Start(kind, exec.Command(self, Command, kind), func(string) bool { return true })
	if err != nil {
		return Remote{}, 0, err
	}
	url, took, err := c.Await(ctx, startTime)
	return Remote{c, url}, took, err
}

func (r Remote) get(ctx context.Context, path string, phase uint32) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s%s?phase=%d", r.URL, path, phase), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the %s: %w", r.Name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// Arrivals returns when each event of a phase arrived first, by sequence.
func (r Remote) Arrivals(ctx context.Context, phase uint32) ([]int64, error) {
	text, err := r.get(ctx, "/arrivals", phase)
	if err != nil {
		return nil, err
	}
	at := make([]int64, len(text)/8)
	if err := binary.Read(bytes.NewReader(text), binary.LittleEndian, at); err != nil {
		return nil, fmt.Errorf("arrivals: %w", err)
	}
	return at, nil
}

// Counts returns what the receiver knows of a phase.
func (r Remote) Counts(ctx context.Context, phase uint32) (c Counts, err error) {
	text, err := r.get(ctx, "/counts", phase)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// Drained waits until want events of a phase have arrived, or none did for stall.
func (r Remote) Drained(ctx context.Context, phase uint32, want int64, stall time.Duration) (Counts, error) {
	var c Counts
	var seen int64
	began := time.Now()
	for moved := began; time.Since(moved) < stall && time.Since(began) < drainTime; {
		var err error
		if c, err = r.Counts(ctx, phase); err != nil {
			return c, err
		}
		if c.Distinct >= want {
			break
		}
		if c.Distinct > seen {
			seen, moved = c.Distinct, time.Now()
		}
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return c, nil
}
