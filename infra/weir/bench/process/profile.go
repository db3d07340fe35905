package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// profileTime is how long the answer with a profile of one second may take.
const profileTime = 20 * time.Second

// Profiling takes CPU profiles of the program whose metrics are at an address, a second
// each, until the returned function is called, which returns them merged. That takes up to
// a second more.
func Profiling(ctx context.Context, metrics string) (stop func() (*profile.Profile, error)) {
	type taken struct {
		merged *profile.Profile
		err    error
	}
	end, done := make(chan struct{}), make(chan taken, 1)
	go func() {
		var all []*profile.Profile
		for {
			one, err := second(ctx, metrics)
			if err != nil {
				done <- taken{err: err}
				return
			}
			all = append(all, one)
			select {
			case <-end:
				merged, err := profile.Merge(all)
				done <- taken{merged, err}
				return
			default:
			}
		}
	}()
	return func() (*profile.Profile, error) {
		close(end)
		t := <-done
		return t.merged, t.err
	}
}

// second takes the CPU profile of one second.
func second(ctx context.Context, metrics string) (*profile.Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, profileTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, metrics+"/debug/pprof/profile?seconds=1", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for a profile: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for a profile: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("a profile was answered with status %d", resp.StatusCode)
	}
	return profile.Parse(bytes.NewReader(text))
}

// KeepProfile writes a profile into a directory, under a name made from what was measured.
func KeepProfile(dir, what string, p *profile.Profile) error {
	name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(what) + ".pprof"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	err = p.Write(f)
	if shut := f.Close(); err == nil {
		err = shut
	}
	if err != nil {
		return fmt.Errorf("keep a profile: %w", err)
	}
	return nil
}
