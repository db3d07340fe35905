package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"weir/shared/delay"
)

// Times of the server of histories.
const (
	againMost = time.Minute      // between starts of one that ends at once
	endTime   = 10 * time.Second // it may take to end
	lineMost  = 4096             // of what it says
)

// histories is the program weir-temporal as a child. It ends with this process, however that
// ends: its standard input does. Where it dies it is started again, on the same port.
type histories struct {
	program, dir string
	log          *slog.Logger
	up           func(address string) // called once

	known   chan struct{} // closed when address is known
	address string
}

func newHistories(program, dir string, log *slog.Logger, up func(string)) *histories {
	return &histories{program: program, dir: dir, log: log, up: up, known: make(chan struct{})}
}

// find returns where the server is, when that is known.
func (h *histories) find(ctx context.Context) (string, error) {
	select {
	case <-h.known:
		return h.address, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// run runs the server until ctx ends. That it cannot be run is no error: jobs go on
// without it.
func (h *histories) run(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; pause = min(2*pause, againMost) {
		began := time.Now()
		err := h.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > againMost {
			pause = time.Second
		}
		h.log.WarnContext(ctx, "weir-temporal ended and is started again; jobs go on without it", "error", err, "log", h.dir)
		delay.For(ctx, pause)
	}
}

// once runs one process to its end.
func (h *histories) once(ctx context.Context) error {
	args := []string{"-data-dir", h.dir}
	if _, port, err := net.SplitHostPort(h.address); err == nil {
		if _, err := strconv.Atoi(port); err == nil {
			args = append(args, "-port", port) // whoever is connected finds it again
		}
	}
	cmd := exec.Command(h.program, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		line, err := bufio.NewReader(io.LimitReader(out, lineMost)).ReadBytes('\n')
		var said struct{ Address string }
		if err == nil && json.Unmarshal(line, &said) == nil && said.Address != "" && h.address == "" {
			h.address = said.Address
			close(h.known)
			h.up(said.Address)
		}
		_, _ = io.Copy(io.Discard, out) // it says nothing more
	})
	ended := make(chan error, 1)
	go func() { reading.Wait(); ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	_ = in.Close()
	select {
	case err = <-ended:
	case <-time.After(endTime):
		_ = cmd.Process.Kill()
		err = <-ended
	}
	return err
}
