package draft

import (
	"context"
	stdjson "encoding/json"
	"fmt"

	"weir/controlplane/draft/fit"
	"weir/controlplane/draft/removal"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/changes"
	"weir/shared/catalog"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// Config is what a Service needs. All is required.
type Config struct {
	Store   *store.Store
	Review  *review.Service
	Catalog []catalog.Spec
	// Place chooses the plane of a new workspace. fault.Missing: no plane of the
	// region takes workspaces of the organization.
	Place  func(ctx context.Context, org store.OrganizationID, region string) (store.Plane, error)
	Counts removal.Counts
	Code   *script.Compiler
}

// Service edits workspaces. It is safe for concurrent use.
type Service struct{ cfg Config }

// New checks cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Review == nil || len(cfg.Catalog) == 0 || cfg.Place == nil || cfg.Counts == nil || cfg.Code == nil {
		return nil, fault.New(fault.Invalid, "draft needs a store, a review, a catalog, a way to place workspaces, the counts of planes and a compiler of code")
	}
	return &Service{cfg: cfg}, nil
}

// Proposal is a configuration that somebody wants for the workspace Name of
// Organization.
type Proposal struct {
	Organization  store.OrganizationID
	Name          string
	Document      document.Document
	Prune         bool   // remove what the document does not name
	DiscardParked bool   // remove destinations although deliveries wait for them
	Reason        string // why, in the author's words; may be empty

	Author store.Actor // who proposes: policies may ask for it
	// Only are the identifiers of the objects that the author may change; nil for all.
	Only []string
}

// Difference is what a proposal would change, everything that stands against
// it, and the newest number, 0 for none.
type Difference struct {
	Changes  []Change
	Problems []fault.Problem
	Number   uint64
	Needs    []review.Need // why it needs another person
}

// Committed is what a proposal became. Number is the former one when nothing
// changed, and then Changes is empty.
type Committed struct {
	Workspace id.Workspace
	Number    uint64
	Changes   []Change
	Waits     *changes.Request // where it needs another person and is no revision yet
}

// longestReason is how long a reason may be, in bytes.
const longestReason = 2000

// Unconditional is the base of a Commit or Delete that takes any newest number.
const Unconditional = ^uint64(0)

// Diff compares a proposal with the newest revision, and changes nothing.
func (s *Service) Diff(ctx context.Context, p Proposal) (Difference, error) {
	plan, err := s.plan(ctx, p)
	if err != nil {
		return Difference{}, fmt.Errorf("diff %s: %w", p.Name, err)
	}
	if !p.DiscardParked && plan.former != nil {
		_, parked, err := s.cfg.Counts.Waiting(ctx, plan.workspace, removal.Gone(*plan.former, plan.config))
		if err != nil {
			return Difference{}, fmt.Errorf("diff %s: %w", p.Name, err)
		}
		plan.problems = append(plan.problems, parked...)
	}
	if err := within(p.Only, plan); err != nil {
		plan.problems = append(plan.problems, fault.Problem{Code: "denied", Text: err.Error()})
	}
	return Difference{Changes: plan.changes, Problems: plan.problems, Number: plan.workspace.Number, Needs: plan.needs}, nil
}

// Commit makes a proposal the next revision of its workspace, and makes the
// workspace when there is none. A repeated Commit changes nothing and returns
// the same number. base is the newest number that the caller has seen, or
// Unconditional.
//
// fault.Invalid: fault.ProblemsOf(err) lists every problem. fault.Conflict:
// the newest number is not base, or someone committed at the same moment.
func (s *Service) Commit(ctx context.Context, who store.Actor, p Proposal, base uint64) (Committed, error) {
	p.Author = who
	plan, err := s.plan(ctx, p)
	if err != nil {
		return Committed{}, fmt.Errorf("commit %s: %w", p.Name, err)
	}
	return s.commit(ctx, who, p, plan, base)
}

// commit makes what was planned for p the next revision.
func (s *Service) commit(ctx context.Context, who store.Actor, p Proposal, plan plan, base uint64) (_ Committed, err error) {
	if len(p.Reason) > longestReason {
		plan.problems = append(plan.problems, fault.Problem{Path: "reason", Code: "too_long", Text: fmt.Sprintf("A reason has at most %d bytes.", longestReason)})
	}
	if err := stale(plan.workspace, base); err != nil {
		return Committed{}, err
	}
	if !p.DiscardParked && plan.former != nil && len(plan.problems) == 0 {
		if plan.problems, err = s.cfg.Counts.Settled(ctx, plan.workspace, removal.Gone(*plan.former, plan.config)); err != nil {
			return Committed{}, fmt.Errorf("commit %s: %w", p.Name, err)
		}
	}
	if err := fault.Problems("the configuration has problems", plan.problems); err != nil {
		return Committed{}, err
	}
	if err := within(p.Only, plan); err != nil {
		return Committed{}, err
	}
	body, digest, err := workspace.Encode(plan.config)
	if err != nil {
		return Committed{}, fmt.Errorf("commit %s: %w", p.Name, err)
	}
	done := Committed{Workspace: plan.workspace.ID, Number: plan.workspace.Number, Changes: plan.changes}
	if plan.former != nil && digest == plan.workspace.Digest && len(plan.secrets) == 0 {
		done.Changes = []Change{}
		return done, nil
	}
	changed, err := stdjson.Marshal(plan.changes)
	if err != nil {
		return Committed{}, fmt.Errorf("commit %s: %w", p.Name, err)
	}
	before, after := sides(plan.former, plan.config)
	next := store.Commit{
		Workspace: plan.workspace, Expected: plan.workspace.Number,
		Config: plan.config, Digest: digest, Body: body, Secrets: plan.secrets,
		Reason: p.Reason, Changes: changed, Before: before, After: after,
	}
	switch {
	case plan.approved != nil:
		next.Author, next.Approval = plan.approved.author, plan.approved.settle
	case len(plan.needs) > 0:
		done.Waits, err = s.propose(ctx, who, p, plan, next)
		return done, err
	}
	rev, err := s.cfg.Store.AppendRevision(ctx, who, next)
	if err != nil {
		return Committed{}, fmt.Errorf("commit %s: %w", p.Name, err)
	}
	done.Number = rev.Number
	return done, nil
}

// Export returns the newest configuration of a workspace, ordered by name, and
// its number. fault.Missing: there is none.
func (s *Service) Export(ctx context.Context, org store.OrganizationID, name string) (document.Document, uint64, error) {
	ws, err := s.cfg.Store.WorkspaceByName(ctx, org, name)
	if err != nil {
		return document.Document{}, 0, fmt.Errorf("export %s: %w", name, err)
	}
	rev, err := s.cfg.Store.Latest(ctx, ws.ID)
	if err != nil {
		return document.Document{}, 0, fmt.Errorf("export %s: %w", name, err)
	}
	doc, _ := export(rev.Config)
	return doc, rev.Number, nil
}

// Delete removes a workspace from its plane by a signed tombstone under the
// next number. base is as for Commit.
//
// fault.Missing: there is none. fault.Conflict: the newest number is not base.
// fault.Invalid: deliveries wait for a destination, or the plane does not say, and
// discardParked is false. fault.Denied: what goes with it needs another person.
func (s *Service) Delete(ctx context.Context, who store.Actor, org store.OrganizationID, name string, base uint64, discardParked bool) error {
	ws, err := s.cfg.Store.WorkspaceByName(ctx, org, name)
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	if err := stale(ws, base); err != nil {
		return err
	}
	rev, err := s.cfg.Store.Latest(ctx, ws.ID)
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	if err := s.lone(ctx, who, org, rev.Config); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	if !discardParked {
		problems, err := s.cfg.Counts.Settled(ctx, ws, rev.Config.Destinations)
		if err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
		if err := fault.Problems("deliveries wait in the workspace", problems); err != nil {
			return err
		}
	}
	if _, err := s.cfg.Store.DeleteWorkspace(ctx, who, ws.ID); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

func stale(ws store.Workspace, base uint64) error {
	if base == Unconditional || base == ws.Number {
		return nil
	}
	return fault.New(fault.Conflict, "the workspace is at revision %d, not %d; read it again", ws.Number, base)
}

// plan is a proposal worked out against the newest revision.
type plan struct {
	workspace store.Workspace   // Number 0 when it is new
	former    *workspace.Config // nil when it is new
	config    workspace.Config
	secrets   []store.Secret
	changes   []Change
	problems  []fault.Problem
	needs     []review.Need // of another person

	approved *approval // of a change request, nil for another commit
}

// standing is a plan with the workspace as it is, which changes nothing yet.
func (s *Service) standing(ctx context.Context, org store.OrganizationID, name string) (plan, error) {
	var out plan
	ws, err := s.cfg.Store.WorkspaceByName(ctx, org, name)
	switch {
	case err == nil:
		rev, err := s.cfg.Store.Latest(ctx, ws.ID)
		if err != nil {
			return plan{}, err
		}
		// The newest revision may be newer than the row that was read before it.
		ws.Number, ws.Digest = rev.Number, rev.Digest
		out.workspace, out.former = ws, &rev.Config
	case fault.KindOf(err) != fault.Missing:
		return plan{}, err
	}
	return out, nil
}

func (s *Service) plan(ctx context.Context, p Proposal) (plan, error) {
	out, err := s.standing(ctx, p.Organization, p.Name)
	if err != nil {
		return plan{}, err
	}
	r := resolve(p.Document, out.former, p.Prune)
	out.config, out.secrets, out.problems = r.config, r.secrets, r.problems
	if p.Document.Workspace != p.Name {
		out.problems = append(out.problems, fault.Problem{Path: "workspace", Code: "wrong_workspace", Text: "The document is about another workspace than the address."})
	}
	if out.former == nil {
		out.workspace = store.Workspace{ID: r.config.Workspace, Organization: p.Organization, Name: p.Name, Region: r.config.Region}
	}
	return out, s.judge(ctx, p, &out)
}

// judge compares what is planned with what is there, and adds everything that stands
// against it.
func (s *Service) judge(ctx context.Context, p Proposal, out *plan) error {
	out.changes = compare(out.former, out.config)
	found := append(workspace.Check(out.config, s.cfg.Catalog), workspace.Choices(out.config, s.cfg.Catalog)...)
	if len(found) == 0 {
		var err error
		if _, found, err = workspace.Compile(ctx, s.cfg.Code, out.config); err != nil {
			return err
		}
	}
	out.problems = append(out.problems, documentPaths(found)...)
	out.problems = append(out.problems, fit.BoundElsewhere(out.former, out.config, out.secrets, s.cfg.Catalog)...)
	out.problems = append(out.problems, fit.Layouts(out.former, out.config, s.cfg.Catalog)...)
	return s.reviewPlace(ctx, p, out)
}

// documentPaths gives problems of a Config the paths of its Document: what a
// Config calls name and workspace, a Document calls workspace and id.
func documentPaths(problems []fault.Problem) []fault.Problem {
	for i, p := range problems {
		switch p.Path {
		case "name":
			problems[i].Path = "workspace"
		case "workspace":
			problems[i].Path = "id"
		}
	}
	return problems
}
