package worker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"weir/dataplane/transform/engine"
	child "weir/shared/worker"
)

// Deadlines of the plane's side.
const (
	startDeadline = 20 * time.Second
	grace         = 3 * time.Second // on top of what a request may take
)

// maxHeld is how much code a worker holds, in bytes.
const maxHeld = 32 << 20

// Process is a worker process, seen from the plane. One goroutine uses it.
type Process struct {
	*child.Process
	limits engine.Limits
	chains []Chain // that it holds, the one used last at the end
}

// Start starts a worker, argv command, and waits until it is ready. Its memory is
// limited by the kernel, too. Once ctx ends, Run fails at once.
func Start(ctx context.Context, command []string, l engine.Limits) (*Process, error) {
	started, err := child.Start(ctx, command, child.Limits{Memory: 2*l.Memory + 512<<20})
	if err != nil {
		return nil, err
	}
	p := &Process{Process: started, limits: l}
	kind, _, err := p.ask(helloFrame(l), startDeadline)
	if err == nil && kind != frameReady {
		err = child.ErrFrame
	}
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("a worker's handshake: %w", err)
	}
	return p, nil
}

// ask sends a frame and waits for the answer.
func (p *Process) ask(w *writer, most time.Duration) (kind byte, body []byte, err error) {
	if err := p.Within(most); err != nil {
		return 0, nil, err
	}
	if err := w.send(p); err != nil {
		return 0, nil, err
	}
	return p.Receive(maxFrame)
}

// Run has a request run. Any error means that the process is no longer of use and
// that nothing is known of the events; Died or Stop has to be called then.
func (p *Process) Run(c Chain, q Request) (Response, error) {
	most := grace + 2*slice + engine.WallFactor*p.limits.Timeout*time.Duration(len(c.Steps))
	if err := p.define(c, most); err != nil {
		return Response{}, err
	}
	kind, body, err := p.ask(q.frame(c.Key), most)
	if err != nil {
		return Response{}, err
	}
	if kind != frameDone {
		return Response{}, child.ErrFrame
	}
	return readResponse(body, len(q.Events), len(c.Steps), p.limits.MaxOutputs)
}

// define makes sure that the process has the code of a chain.
func (p *Process) define(c Chain, most time.Duration) error {
	if i := slices.IndexFunc(p.chains, func(o Chain) bool { return o.Key == c.Key }); i >= 0 {
		p.chains = append(slices.Delete(p.chains, i, i+1), c)
		return nil
	}
	if err := p.Within(most); err != nil {
		return err
	}
	held := c.Size
	for _, o := range p.chains {
		held += o.Size
	}
	for held > maxHeld && len(p.chains) > 0 {
		w := newFrame(frameForget)
		w.text(p.chains[0].Key)
		if err := w.send(p); err != nil {
			return err
		}
		held -= p.chains[0].Size
		p.chains = slices.Delete(p.chains, 0, 1)
	}
	p.chains = append(p.chains, c)
	return defineFrame(c.Key, c.Steps).send(p)
}
