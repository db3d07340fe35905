package own

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"weir/shared/fault"
	"weir/shared/worker"
)

// answerTime is how long a process may take for one answer, by the clock: it ends one that
// does not end itself.
const answerTime = 10 * time.Second

// mostWorkers is how many processes of one Judge run at once; an idle one ends after idleTime.
const (
	mostWorkers = 2
	idleTime    = time.Minute
	mostUses    = 500 // of one process
)

// Config is what a Judge needs; nothing is required.
type Config struct {
	Command []string // argv of a worker; empty: this program as one
}

// Judge asks policies in worker processes, which it starts when there is something to
// ask. Organizations take turns. It is safe for concurrent use.
type Judge struct {
	cfg   Config
	turns *worker.Turns

	mu     sync.Mutex
	idle   []*process
	closed bool
}

// process is a worker process that is good for more.
type process struct {
	*worker.Process
	uses  int
	timer *time.Timer // of its end when it stays idle
}

// NewJudge returns a Judge, which Close ends.
func NewJudge(cfg Config) *Judge {
	return &Judge{cfg: cfg, turns: worker.NewTurns(mostWorkers)}
}

// Close ends the processes.
func (j *Judge) Close() {
	j.mu.Lock()
	idle := j.idle
	j.idle, j.closed = nil, true
	j.mu.Unlock()
	for _, p := range idle {
		p.timer.Stop()
		p.Stop()
	}
}

// Check lists what is wrong with a policy that somebody wants to set: its name, its
// size, its language, its shape.
//
// fault.Unavailable: no worker could be started, or ctx ended. fault.Limited: too many of
// this organization wait already.
func (j *Judge) Check(ctx context.Context, organization string, p Policy) ([]fault.Problem, error) {
	if !ValidName(p.Name) {
		return []fault.Problem{{Path: "name", Code: CodeName, Text: "A policy's name has 1 to 63 lower-case letters, digits, hyphens and underscores, and begins with a letter or digit."}}, nil
	}
	if len(p.Text) > MaxText {
		return []fault.Problem{{Path: "text", Code: CodeLarge, Text: fmt.Sprintf("A policy is at most %d KiB long.", MaxText>>10)}}, nil
	}
	answers, err := j.run(ctx, organization, request{Policies: []Policy{p}})
	if err != nil {
		return nil, err
	}
	if len(answers) == 0 {
		return []fault.Problem{{Path: "text", Code: CodeHeavy, Text: fmt.Sprintf("The policy takes more than %s or %d MiB to compile, or nests too deeply.", compileTime, Memory>>20)}}, nil
	}
	for i, p := range answers[0].Problems {
		answers[0].Problems[i].Path = strings.TrimSuffix("text "+p.Path, " ")
	}
	return answers[0].Problems, nil
}

// Review returns every reason that policies have against what input, a JSON document,
// describes. A policy that could not be asked is a reason, with CodeFailed; the ones
// behind it are asked still.
//
// fault.Unavailable and fault.Limited are as for Check: nothing is known then.
func (j *Judge) Review(ctx context.Context, organization string, policies []Policy, input any) ([]fault.Problem, error) {
	if len(policies) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("write what policies judge: %w", err)
	}
	var out []fault.Problem
	for len(policies) > 0 {
		answers, err := j.run(ctx, organization, request{Policies: policies, Input: text})
		if err != nil {
			return nil, err
		}
		for _, a := range answers {
			out = append(out, a.Problems...)
		}
		policies = policies[len(answers):]
		if len(policies) > 0 { // the process did not survive the next one
			out = append(out, failed(policies[0].Name, slow)...)
			policies = policies[1:]
		}
	}
	return out, nil
}

// run gives a request to a process and returns its answers: fewer than policies where the
// process did not survive the one behind them.
func (j *Judge) run(ctx context.Context, organization string, q request) ([]answer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("write a request: %w", err)
	}
	if len(body) >= maxRequest {
		return nil, fault.New(fault.Invalid, "the configuration is too large for policies to judge: %d MiB", maxRequest>>20)
	}
	done, err := j.turns.Take(ctx, organization)
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := j.take()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, p.Stop)
	answers, err := ask(p, body, len(q.Policies))
	if !stop() || ctx.Err() != nil {
		p.Stop()
		return nil, fault.New(fault.Unavailable, "the policies were not asked in time")
	}
	if err != nil {
		if p.Died(err) == worker.DeathOutside {
			return nil, fault.New(fault.Unavailable, "the process that asks policies was ended from outside: try again")
		}
		return answers, nil
	}
	j.keep(p)
	return answers, nil
}

// ask sends a request and takes n answers; those before an error count.
func ask(p *process, body []byte, n int) ([]answer, error) {
	if err := p.Within(answerTime); err != nil {
		return nil, err
	}
	if err := worker.Send(p, frameRequest, body); err != nil {
		return nil, err
	}
	var out []answer
	for range n {
		if err := p.Within(answerTime); err != nil {
			return out, err
		}
		kind, text, err := p.Receive(maxAnswer)
		if err != nil {
			return out, err
		}
		var a answer
		if kind != frameAnswer || json.Unmarshal(text, &a) != nil {
			return out, worker.ErrFrame
		}
		out = append(out, a)
	}
	return out, nil
}

// take returns an idle process, or a new one.
func (j *Judge) take() (*process, error) {
	j.mu.Lock()
	if n := len(j.idle); n > 0 {
		p := j.idle[n-1]
		j.idle = j.idle[:n-1]
		j.mu.Unlock()
		p.timer.Stop()
		return p, nil
	}
	j.mu.Unlock()
	command := j.cfg.Command
	if len(command) == 0 {
		var err error
		if command, err = worker.Self(Task); err != nil {
			return nil, fmt.Errorf("ask policies: %w", err)
		}
	}
	// The process lives longer than the call that starts it: Close and its timer end it.
	p, err := worker.Start(context.Background(), command, worker.Limits{Memory: Memory, Files: 64, FileSize: 1, Nice: 5})
	if err != nil {
		return nil, fault.New(fault.Unavailable, "policies cannot be asked now: %v", err)
	}
	return &process{Process: p}, nil
}

// keep puts a process back, for a while.
func (j *Judge) keep(p *process) {
	p.uses++
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || p.uses >= mostUses {
		go p.Stop() // it waits for the process, which ends at once
		return
	}
	p.timer = time.AfterFunc(idleTime, func() { j.retire(p) })
	j.idle = append(j.idle, p)
}

// retire ends a process that stayed idle.
func (j *Judge) retire(p *process) {
	j.mu.Lock()
	at := -1
	for i, other := range j.idle {
		if other == p {
			at = i
		}
	}
	if at >= 0 {
		j.idle = append(j.idle[:at], j.idle[at+1:]...)
	}
	j.mu.Unlock()
	if at >= 0 {
		p.Stop()
	}
}
