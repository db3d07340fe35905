package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// sampleEvery is how often the memory of weir is looked at.
const sampleEvery = 500 * time.Millisecond

// watch samples weir's memory until stop, and takes a CPU profile of a full load,
// or beside black holes, where profiles are wanted.
func (b *bench) watch(ctx context.Context, p phase) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if now, err := memory(b.own.pid); err == nil {
					b.peak = max(b.peak, now)
				}
			}
		}
	})
	var broken error
	if b.profiles != "" && (p.rate == 0 || p.key == besideKey) {
		wg.Go(func() { broken = b.profile(ctx, p) })
	}
	return func() {
		cancel()
		wg.Wait()
		if broken != nil {
			b.report.note("%s: no profile: %v", p.name, broken)
		}
	}
}

// profile asks weir for a CPU profile as long as the load.
func (b *bench) profile(ctx context.Context, p phase) error {
	at := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", b.metrics, int(math.Ceil(p.lasts.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	name := strings.NewReplacer(" ", "-", ",", "").Replace(p.name) + ".pprof"
	return os.WriteFile(filepath.Join(b.profiles, name), text, 0o600)
}
