package apply

import (
	"context"
	"fmt"
	"strings"
	"time"

	"weir/infra/weir/cli/console"
	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/policies"
	"weir/shared/command"
	"weir/shared/fault"
)

const (
	pollFirst = 50 * time.Millisecond
	pollMost  = time.Second
	// quiet is how long a wait goes on before it is mentioned.
	quiet = time.Second
)

// marks are the signs of changes and their colours on a terminal.
var marks = map[string]struct{ sign, colour string }{
	"add":    {"+", "\x1b[32m"},
	"change": {"~", "\x1b[33m"},
	"rename": {"~", "\x1b[33m"},
	"remove": {"-", "\x1b[31m"},
}

// changes prints what a proposal changes.
func (k invocation) changes(p *proposal) {
	if len(p.diff.Changes) == 0 && p.diff.Number > 0 {
		return
	}
	k.Say("workspace %s (%s)", command.Clean(p.name()), command.Clean(p.Document.Region))
	for _, c := range p.diff.Changes {
		m, ok := marks[string(c.Op)]
		if !ok {
			m.sign = "?"
		}
		line := fmt.Sprintf("%s %s %s", m.sign, c.Kind, c.Name)
		if c.Was != "" {
			line += " (was " + c.Was + ")"
		}
		if len(c.Fields) > 0 {
			line += ": " + strings.Join(c.Fields, ", ")
		}
		if n := waiting(p, c); n > 0 {
			line += fmt.Sprintf(" (%d waiting)", n)
		}
		line = command.Clean(line)
		if m.colour != "" && k.Colourful() {
			line = m.colour + line + "\x1b[0m"
		}
		k.Say("  %s", line)
	}
	for _, n := range p.diff.Needs {
		k.Say("  policy %s: %s", command.Clean(n.Policy), command.Clean(n.Text))
	}
}

// settle waits until the plane took or refused the revision, and says which.
func (k invocation) settle(ctx context.Context, control *remote.Control, p *proposal, o *outcome, f Flags) error {
	return k.settleBy(ctx, control, p, o, f, newPatience(k.Console, f.Timeout, 1), nil)
}

// settleBy is settle with a patience that others share. seen is the workspace whose plane
// answered already, nil when that is not known.
func (k invocation) settleBy(ctx context.Context, control *remote.Control, p *proposal, o *outcome, f Flags, patience *patience, seen *remote.Workspace) error {
	if o.Waits != nil {
		if decided, err := k.decided(ctx, control, o, f.Wait); err != nil || !decided {
			return err
		}
	}
	changed := len(o.Changes) > 0 || o.Number != p.diff.Number
	if f.NoWait {
		if k.Output == console.AsTable {
			k.Say("%s", noWaitLine(p.name(), o.Number, changed))
		}
		return nil
	}
	start := patience.begun
	var ws remote.Workspace
	if seen != nil && done(*seen, o.Number) {
		ws = *seen
	} else {
		var err error
		if ws, err = k.await(ctx, control, p.name(), o.Number, patience); err != nil {
			return err
		}
	}
	o.State = ws.State
	if ws.State == remote.Rejected {
		o.Problems = append(o.Problems, ws.Problems...)
		return &fault.Error{Kind: fault.Invalid, Text: rejection(ws), Problems: ws.Problems}
	}
	if k.Output != console.AsTable {
		return nil
	}
	if !changed {
		k.Say("workspace %s: nothing to change, revision %d is running", command.Clean(p.name()), o.Number)
		return nil
	}
	k.Say("workspace %s: revision %d applied in %.1f s", command.Clean(p.name()), o.Number, time.Since(start).Seconds())
	k.writeKeys(p, ws)
	return nil
}

// decided waits at most so long until another person decided about o, and gives it the
// number that it became. It says where nobody did.
func (k invocation) decided(ctx context.Context, control *remote.Control, o *outcome, most time.Duration) (bool, error) {
	n := o.Waits.Change
	if k.Output == console.AsTable {
		k.Say("workspace %s: change %d waits for the approval of another person, an admin or owner, or whoever has change:approve: weir change approve %d", command.Clean(o.Workspace), n, n)
	}
	if most <= 0 {
		return false, nil
	}
	for end := time.Now().Add(most); ; {
		r, err := policies.ChangeOf(ctx, control, n)
		switch {
		case err != nil:
			return false, fmt.Errorf("change %d waits, but whether somebody decided is not known: %w", n, err)
		case r.State == "approved":
			o.Number, o.Waits = r.Revision, nil
			return true, nil
		case r.State != "waiting":
			return false, fault.New(fault.Denied, "change %d was %s by %s: %s", n, r.State, r.DecidedBy, console.Dash(r.Note))
		case time.Now().After(end):
			return false, fault.New(fault.Unavailable, "nobody decided about change %d within %s; it goes on waiting", n, most)
		}
		select {
		case <-ctx.Done():
			return false, fault.New(fault.Unavailable, "stopped while change %d waits; it goes on waiting", n)
		case <-time.After(min(pollMost, max(time.Until(end), time.Millisecond))):
		}
	}
}

func noWaitLine(name string, number uint64, changed bool) string {
	if !changed {
		return fmt.Sprintf("workspace %s: nothing to change, revision %d is the newest", command.Clean(name), number)
	}
	return fmt.Sprintf("workspace %s: revision %d made; 'weir status' shows when it is applied", command.Clean(name), number)
}

func rejection(ws remote.Workspace) string {
	former := "no revision runs"
	if ws.Running > 0 {
		former = fmt.Sprintf("revision %d goes on", ws.Running)
	}
	return fmt.Sprintf("the plane rejected revision %d of workspace %s, and %s; correct the file and apply again", ws.Number, ws.Name, former)
}

// await polls until number, or a newer one, was applied or rejected.
func (k invocation) await(ctx context.Context, control *remote.Control, name string, number uint64, patience *patience) (remote.Workspace, error) {
	pause := pollFirst
	var last remote.Workspace
	var lost error
	for start := time.Now(); ; pause = min(2*pause, pollMost) {
		ws, err := control.Workspace(ctx, name)
		switch {
		case err == nil:
			last, lost = ws, nil
			if done(ws, number) {
				patience.renew()
				return ws, nil
			}
		case fault.KindOf(err) == fault.Unavailable && ctx.Err() == nil:
			lost = err // the revision is made; the control plane may come back
		default:
			return last, fmt.Errorf("wait for workspace %s: %w", name, err)
		}
		deadline := patience.deadline()
		if time.Now().After(deadline) {
			break
		}
		if time.Since(start) > quiet {
			patience.mention(number, name)
		}
		select {
		case <-ctx.Done():
			return last, fault.New(fault.Unavailable, "stopped while waiting; revision %d of workspace %s is made and will be applied", number, name)
		case <-time.After(min(pause, max(time.Until(deadline), time.Millisecond))):
		}
	}
	if lost != nil {
		return last, fmt.Errorf("revision %d of workspace %s is made, but whether it is applied is not known: %w", number, name, lost)
	}
	return last, fault.New(fault.Unavailable, "revision %d of workspace %s is made, but %s has not answered within %s; it applies the revision as soon as it can (see 'weir status')",
		number, name, k.who(ctx, control, last), patience.most)
}

// done reports whether the plane's word is about number or a newer revision.
func done(ws remote.Workspace, number uint64) bool {
	if ws.Applied >= number {
		return true
	}
	return ws.Number >= number && (ws.State == remote.Applied || ws.State == remote.Rejected)
}

// who names the plane of a workspace and when it was last heard.
func (k invocation) who(ctx context.Context, control *remote.Control, ws remote.Workspace) string {
	if ws.Plane == "" {
		return "no plane of its region"
	}
	planes, err := control.Planes(ctx, ws.Region)
	if err == nil {
		for _, p := range planes {
			if p.ID == ws.Plane {
				return fmt.Sprintf("plane %s (last heard: %s)", p.Name, console.Since(p.LastBeat, time.Now()))
			}
		}
	}
	return "plane " + string(ws.Plane)
}

// writeKeys prints the keys that were made for new sources.
func (k invocation) writeKeys(p *proposal, ws remote.Workspace) {
	known := map[string]bool{}
	if p.existing != nil {
		for _, s := range p.existing.Sources {
			known[s.WriteKey] = true
		}
	}
	for _, s := range p.Document.Sources {
		known[s.WriteKey] = true
	}
	for _, s := range ws.Sources {
		if !known[s.WriteKey] {
			k.Say("source %s: write key %s", command.Clean(s.Name), command.Clean(s.WriteKey))
		}
	}
}
