package draft

import (
	"context"
	"errors"
	"fmt"

	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// Past is a revision and what it changed. Before and After have what differs, by kind and
// by what objects are known by; secrets are fingerprints there, and write keys and long
// texts are digests.
type Past struct {
	store.Revision
	Former        uint64 // number of the revision before it, 0 for none
	Changes       []Change
	Before, After any
}

// Past returns a revision of a workspace. fault.Missing: there is none.
func (s *Service) Past(ctx context.Context, ws id.Workspace, number uint64) (Past, error) {
	rev, err := s.cfg.Store.Revision(ctx, ws, number)
	if err != nil {
		return Past{}, fmt.Errorf("read revision %d: %w", number, err)
	}
	out := Past{Revision: rev}
	var former *workspace.Config
	below, err := s.cfg.Store.Revisions(ctx, ws, number, 1)
	if err == nil && len(below) > 0 {
		out.Former = below[0].Number
		var was store.Revision
		was, err = s.cfg.Store.Revision(ctx, ws, out.Former)
		former = &was.Config
	}
	if err != nil {
		return Past{}, fmt.Errorf("read the revision before %d: %w", number, err)
	}
	out.Changes = compare(former, rev.Config)
	out.Before, out.After = sides(former, rev.Config)
	return out, nil
}

// Rollback makes the configuration of revision to the next revision of the workspace that
// p names, by the same checks as a Commit; p has no Document. base is as for Commit.
//
// fault.Missing: there is no such workspace or revision. fault.Invalid: fault.ProblemsOf(err)
// lists every problem, secrets that are not kept any more among them. fault.Conflict: the
// newest number is not base, or someone committed at the same moment.
func (s *Service) Rollback(ctx context.Context, who store.Actor, p Proposal, to, base uint64) (Committed, error) {
	out, err := s.standing(ctx, p.Organization, p.Name)
	if err != nil {
		return Committed{}, fmt.Errorf("roll back %s: %w", p.Name, err)
	}
	if out.former == nil {
		return Committed{}, fault.New(fault.Missing, "there is no workspace of this name")
	}
	rev, err := s.cfg.Store.Revision(ctx, out.workspace.ID, to)
	if err != nil {
		return Committed{}, fmt.Errorf("roll back %s: %w", p.Name, err)
	}
	if p.Reason == "" {
		p.Reason = fmt.Sprintf("Rollback to revision %d", to)
	}
	out.config = rev.Config
	p.Author = who
	if err := s.judge(ctx, p, &out); err != nil {
		return Committed{}, fmt.Errorf("roll back %s: %w", p.Name, err)
	}
	done, err := s.commit(ctx, who, p, out, base)
	return done, gone(err, to)
}

// gone says of secrets that are not there what that means for a rollback.
func gone(err error, to uint64) error {
	var known *fault.Error
	if !errors.As(err, &known) {
		return err
	}
	problems := fault.ProblemsOf(err)
	told := false
	for i, p := range problems {
		if p.Code == "secret_missing" || p.Code == "secret_not_sealed" {
			problems[i].Text = fmt.Sprintf("The value of this secret of revision %d is not kept any more: apply that configuration from a file, with the value.", to)
			told = true
		}
	}
	if !told {
		return err
	}
	return fault.Problems("the revision cannot run again", problems)
}
