package kinds

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"weir/infra/weir/bench/load"
	"weir/infra/weir/bench/process"
)

// Times of a weir.
const (
	startTime = 10 * time.Minute // a fingerprint of each secret takes tens of milliseconds, by intent
	endTime   = 30 * time.Second
)

// site is a weir with a configuration.
type site struct {
	product *process.Process
	in      struct{ Gateway, Metrics string }
}

func start(ctx context.Context, weir, dir, configuration string) (*site, error) {
	file := filepath.Join(dir, "weir.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	const free = "127.0.0.1:0"
	data := filepath.Join(dir, "data")
	product, err := process.Start("weir", exec.Command(weir, "dev", "--no-temporal", "--data-dir", data, "--config", file,
		"--http", free, "--gateway", free, "--view", free, "--metrics", free, "--hub", free), func(l string) bool { return l == "ready" })
	if err != nil {
		return nil, err
	}
	s := &site{product: product}
	if _, _, err := product.Await(ctx, startTime); err != nil {
		return s, err
	}
	text, err := os.ReadFile(filepath.Join(data, "dev.json"))
	if err == nil {
		err = json.Unmarshal(text, &s.in)
	}
	if err != nil {
		return s, fmt.Errorf("weir is ready and dev.json is not: %w", err)
	}
	return s, nil
}

// stop ends weir and returns how it ended; "" is well.
func (s *site) stop() string {
	if s == nil {
		return ""
	}
	return s.product.Stop(endTime)
}

func (s *site) target(key string) (load.Target, error) {
	return load.NewTarget(s.in.Gateway, key, s.product.PID())
}

// memory is that of weir and its workers, in MB.
func (s *site) memory() (float64, error) {
	bytes, err := process.Memory(s.product.PID())
	return float64(bytes) / 1e6, err
}

// pause waits; false: ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
