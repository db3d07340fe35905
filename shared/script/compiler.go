package script

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"weir/shared/fault"
	"weir/shared/processors"
	"weir/shared/worker"
)

// Limits of what is compiled.
const (
	callCPU     = 30 * time.Second // of all files of one call
	answerTime  = 15 * time.Second // until a process answers, by the clock: less than who asked waits
	maxOutside  = 3                // kills by somebody else, after which the file counts as the reason
	workerFiles = 64
)

// Config is what a Compiler needs; nothing is required.
type Config struct {
	Command []string      // argv of a worker; empty: this program as one
	CPU     time.Duration // of one file, in whole seconds; 0: 5 s
	// Direct answers in this process instead. It is for tests of what stands on a
	// Compiler: see scripttest.
	Direct func(q Request, give func(Answer)) error
}

// Compiler compiles code in worker processes, which it starts when there is
// something to do. Tenants take turns. It is safe for concurrent use.
type Compiler struct {
	cfg   Config
	turns *worker.Turns
	known cache
	costs costs
}

// NewCompiler returns a Compiler that knows nothing yet.
func NewCompiler(cfg Config) *Compiler {
	cfg.CPU = cmp.Or(cfg.CPU, 5*time.Second)
	return &Compiler{cfg: cfg, turns: worker.NewTurns(max(2, processors.Count()))}
}

// Compile makes a Step of each script, or lists every problem of scripts and
// libraries; scripts import libraries by their names. The path of a problem is
// scripts[i] or libraries[i]; its text begins with line and column in that source,
// both from 1, where there is a place. Scripts are named when the libraries have
// no problems, and nothing more is looked at behind a file that is too complex.
//
// fault.Unavailable: no worker could be started, or ctx ended; nothing is known of
// the code. fault.Limited: too many of this tenant wait already.
func (c *Compiler) Compile(ctx context.Context, tenant string, scripts, libraries []File) ([]Step, []fault.Problem, error) {
	if c == nil {
		return nil, nil, fault.New(fault.Internal, "Nothing here compiles code.")
	}
	if problems := sizes(scripts, libraries); len(problems) > 0 {
		return nil, problems, nil
	}
	w := c.work(scripts, libraries)
	if err := c.answer(ctx, tenant, w); err != nil {
		return nil, nil, err
	}
	var l found
	steps := make([]Step, 0, len(scripts))
	for i, f := range w.files {
		if i == len(libraries) && len(l.problems) > 0 {
			break
		}
		for _, p := range f.answer.Problems {
			if p.Path == "script" {
				p.Path = fmt.Sprintf("scripts[%d]", i-len(libraries))
			}
			l.add(p)
		}
		if f.answer.tooComplex() {
			break
		}
		if f.library < 0 {
			steps = append(steps, Step{Name: f.text.Name, Code: f.answer.Code, Batch: f.answer.Batch, Map: f.answer.Map, MaxOutputs: scripts[len(steps)].MaxOutputs})
		}
	}
	if len(l.problems) > 0 {
		return nil, l.problems, nil
	}
	return steps, nil, nil
}

// work is the files of one call, libraries first.
type work struct {
	libraries []Text
	files     []file
	cpu       time.Duration // that was spent
}

// file is one file and what came of it.
type file struct {
	key     [sha256.Size]byte
	text    Text
	library int // -1: it is a script
	done    bool
	answer  Answer
}

// work lists files, with the answers that are known already.
func (c *Compiler) work(scripts, libraries []File) *work {
	w := &work{}
	all := sha256.New()
	for _, l := range libraries {
		w.libraries = append(w.libraries, Text{l.Name, []byte(l.Code)})
		fmt.Fprintf(all, "%d %d %s%s", len(l.Name), len(l.Code), l.Name, l.Code)
	}
	digest := all.Sum(nil)
	for i := range libraries {
		w.files = append(w.files, file{key: sha256.Sum256(fmt.Appendf(nil, "library %d %x", i, digest)), library: i})
	}
	for _, s := range scripts {
		w.files = append(w.files, file{key: sha256.Sum256(fmt.Appendf(nil, "script %x %s", digest, s.Code)), library: -1, text: Text{s.Name, []byte(s.Code)}})
	}
	for i := range w.files {
		f := &w.files[i]
		f.answer, f.done = c.known.get(f.key)
	}
	return w
}

// missing lists the files without an answer, up to one that is too complex, and
// asks for them.
func (w *work) missing() (at []int, q Request) {
	q.Libraries = w.libraries
	for i, f := range w.files {
		switch {
		case f.done && f.answer.tooComplex():
			return at, q
		case f.done:
			continue
		case f.library >= 0:
			q.Look = append(q.Look, f.library)
		default:
			q.Scripts = append(q.Scripts, f.text)
		}
		at = append(at, i)
	}
	return at, q
}

// answer fills in what is missing, up to the first file that is too complex.
func (c *Compiler) answer(ctx context.Context, tenant string, w *work) error {
	for outside := 0; ; {
		at, q := w.missing()
		if len(at) == 0 {
			return nil
		}
		answered := 0
		took := func(a Answer) {
			f := &w.files[at[answered]]
			f.answer, f.done = a, true
			c.known.put(f.key, a)
			answered++
		}
		if c.cfg.Direct != nil {
			if err := c.cfg.Direct(q, took); err != nil {
				return err
			}
			continue
		}
		death, err := c.run(ctx, tenant, w, q, len(at), took)
		if err != nil {
			return err
		}
		blamed := answered == 0 // it was the first of its process
		if blamed && death == worker.DeathOutside {
			outside++
			blamed = outside >= maxOutside
		}
		if blamed || w.cpu > callCPU && answered < len(at) {
			f := &w.files[at[answered]]
			f.answer, f.done = c.tooComplex(f, blamed), true
			c.costs.add(tenant, costOfDeath, time.Now())
			if blamed && death != worker.DeathOutside {
				c.known.put(f.key, f.answer)
			}
		}
	}
}

// tooComplex is the answer for a file that no process survives.
func (c *Compiler) tooComplex(f *file, alone bool) Answer {
	path := "script"
	if f.library >= 0 {
		path = fmt.Sprintf("libraries[%d]", f.library)
	}
	text := fmt.Sprintf("The code takes more than %s or %d MiB to read, or nests too deeply. Divide it, or put large data elsewhere.", c.cfg.CPU, WorkerMemory>>20)
	if !alone {
		text = fmt.Sprintf("All code together takes more than %s to read. Divide the workspace, or make the code simpler.", callCPU)
	}
	return Answer{Problems: []fault.Problem{{Path: path, Code: CodeTooComplex, Text: text}}}
}

// run gives a request to a new process and takes up to n answers. Where there are
// fewer, it says how the process died.
func (c *Compiler) run(ctx context.Context, tenant string, w *work, q Request, n int, took func(Answer)) (worker.Death, error) {
	done, err := c.turns.Take(ctx, tenant)
	if err != nil {
		return 0, err
	}
	defer done()
	command := c.cfg.Command
	if len(command) == 0 {
		if command, err = worker.Self(Task); err != nil {
			return 0, fmt.Errorf("compile code: %w", err)
		}
	}
	p, err := worker.Start(ctx, command, worker.Limits{Memory: WorkerMemory, CPU: c.cfg.CPU, Files: workerFiles, FileSize: 1, Nice: 5})
	if err != nil {
		return 0, fault.New(fault.Unavailable, "The code cannot be compiled now: %v.", err)
	}
	defer func() {
		p.Stop()
		w.cpu += p.CPU()
		c.costs.add(tenant, p.CPU(), time.Now())
	}()
	err = ask(p, q, n, took)
	if err == nil {
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, fault.New(fault.Unavailable, "The code was not compiled in time.")
	}
	death := p.Died(err)
	if death == worker.DeathLate && p.CPU() < c.cfg.CPU/5 {
		return 0, fault.New(fault.Unavailable, "The code was not compiled in time, because this machine is too busy.")
	}
	return death, nil
}

// ask sends a request and takes n answers.
func ask(p *worker.Process, q Request, n int, took func(Answer)) error {
	body, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("write a request: %w", err)
	}
	if err := p.Within(answerTime); err != nil {
		return err
	}
	if err := worker.Send(p, FrameRequest, body); err != nil {
		return err
	}
	for range n {
		if err := p.Within(answerTime); err != nil {
			return err
		}
		kind, body, err := p.Receive(maxAnswer)
		if err != nil {
			return err
		}
		a, err := readAnswer(kind, body)
		if err != nil {
			return err
		}
		took(a)
	}
	return nil
}

// tooComplex reports whether no process survived the file.
func (a Answer) tooComplex() bool {
	return len(a.Problems) == 1 && a.Problems[0].Code == CodeTooComplex
}

// weight is how much memory an answer takes, in bytes.
func (a Answer) weight() int {
	n := 512 + len(a.Code) + len(a.Map)
	for _, p := range a.Problems {
		n += len(p.Path) + len(p.Code) + len(p.Text) + 64
	}
	return n
}
