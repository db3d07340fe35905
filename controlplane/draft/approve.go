package draft

import (
	"context"
	stdjson "encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir/controlplane/policy/rules"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/changes"
	"weir/shared/fault"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

// reviewed is what a review looks at of a plan.
func (s *Service) reviewed(by Proposal, p *plan, place rules.Placement) review.Commit {
	out := review.Commit{Organization: by.Organization, Author: by.Author, Placement: place, Changes: p.changes}
	out.After, out.Positions = export(p.config)
	if p.former != nil {
		before, _ := export(*p.former)
		out.Before = &before
	}
	for _, c := range p.changes {
		out.Facts = append(out.Facts, rules.Change{Op: string(c.Op), Kind: c.Kind, Name: c.Name})
	}
	return out
}

// within refuses a plan that changes more than the objects of these identifiers; nil are
// all. A connection is changed by whoever may change all of its workspace.
func within(only []string, p plan) error {
	if only == nil {
		return nil
	}
	names := map[string]bool{}
	for _, k := range document.Kinds() {
		list := listOf(&p.config, k)
		for i := range list.Len() {
			if own := idOf(list.Index(i)); own.IsValid() && slices.Contains(only, own.String()) {
				names[k.Name+" "+list.Index(i).FieldByName("Name").String()] = true
			}
		}
	}
	var beyond []string
	for _, c := range p.changes {
		if !names[c.Kind+" "+c.Name] || c.Op == Add || c.Op == Remove {
			beyond = append(beyond, fmt.Sprintf("%s %s %s", c.Op, c.Kind, c.Name))
		}
	}
	if len(beyond) > 0 {
		return fault.New(fault.Denied, "you may change single objects of this workspace, and not: %s", strings.Join(beyond[:min(len(beyond), 5)], ", "))
	}
	return nil
}

// propose keeps a commit until another person decides.
func (s *Service) propose(ctx context.Context, who store.Actor, p Proposal, plan plan, c store.Commit) (*changes.Request, error) {
	r := changes.Request{
		Organization: string(p.Organization), Workspace: plan.workspace.ID, Name: p.Name, Base: plan.workspace.Number, Digest: c.Digest, Body: c.Body,
		Changes: c.Changes, Reason: p.Reason, DiscardParked: p.DiscardParked, Author: who.String(), AuthorID: who.ID, AuthorPerson: person(who),
	}
	for _, part := range []struct {
		to   *stdjson.RawMessage
		from any
	}{{&r.Secrets, c.Secrets}, {&r.Before, c.Before}, {&r.After, c.After}, {&r.Needs, plan.needs}} {
		text, err := stdjson.Marshal(part.from)
		if err != nil {
			return nil, fmt.Errorf("propose a change of %s: %w", p.Name, err)
		}
		*part.to = text
	}
	made, err := s.cfg.Store.Changes().Create(ctx, who.String(), r)
	if err != nil {
		return nil, err
	}
	return &made, nil
}

// lone refuses the deletion of a workspace of which a commit that removes all would need
// another person: a deletion is no way around that.
func (s *Service) lone(ctx context.Context, who store.Actor, org store.OrganizationID, former workspace.Config) error {
	p := plan{former: &former, config: workspace.Config{Format: former.Format, Workspace: former.Workspace, Name: former.Name, Region: former.Region}}
	p.changes = compare(p.former, p.config)
	needs, err := s.cfg.Review.Needs(ctx, s.reviewed(Proposal{Organization: org, Author: who}, &p, rules.Placement{}))
	if err != nil || len(needs) == 0 {
		return err
	}
	return fault.New(fault.Denied, "the policy %s says: %s; remove it by a commit that another person approves, then delete the workspace", needs[0].Policy, needs[0].Text)
}

// personPrefix begins the identifiers of people.
const personPrefix = "usr_"

// person is the identifier of the person that somebody is, empty for a program.
func person(who store.Actor) string {
	switch {
	case who.Kind == store.ByPerson:
		return who.ID
	case who.Kind == store.ByToken && strings.HasPrefix(who.Owner, personPrefix):
		return who.Owner
	}
	return ""
}

// approval is what becomes of a change request with its commit.
type approval struct {
	author string
	settle changes.Approval
}

// Approve makes a change request the next revision of its workspace, by the same checks
// as a Commit at this moment, in the name of who, another person than its author.
//
// fault.Missing: there is no such request. fault.Denied: who is its author, or no person.
// fault.Conflict: it was decided already, or its workspace has another revision than the
// one that it was made on. fault.Invalid: fault.ProblemsOf(err) lists every problem.
func (s *Service) Approve(ctx context.Context, who store.Actor, org store.OrganizationID, number uint64, note string) (Committed, error) {
	r, err := s.cfg.Store.Changes().Get(ctx, string(org), number)
	if err != nil {
		return Committed{}, fmt.Errorf("approve change %d: %w", number, err)
	}
	if r.State != changes.Waiting {
		return Committed{}, fault.New(fault.Conflict, "change %d was %s already, by %s", number, r.State, r.DecidedBy)
	}
	if err := s.another(ctx, who, org, r); err != nil {
		return Committed{}, err
	}
	p := Proposal{Organization: org, Name: r.Name, DiscardParked: r.DiscardParked, Reason: r.Reason, Author: store.Actor{Kind: store.ByPerson, ID: r.AuthorID, Name: r.Author}}
	if kind, name, ok := strings.Cut(r.Author, ":"); ok {
		p.Author.Kind, p.Author.Name = store.ActorKind(kind), name
	}
	out, err := s.standing(ctx, org, r.Name)
	if err != nil {
		return Committed{}, fmt.Errorf("approve change %d: %w", number, err)
	}
	if out.workspace.Number != r.Base || out.former != nil && out.workspace.ID != r.Workspace {
		return Committed{}, fault.New(fault.Conflict, "change %d was made on revision %d of %s, which is at %d now: its author has to apply it again", number, r.Base, r.Name, out.workspace.Number)
	}
	if out.config, err = workspace.Decode(r.Body); err != nil {
		return Committed{}, fmt.Errorf("approve change %d: %w", number, err)
	}
	if err := stdjson.Unmarshal(r.Secrets, &out.secrets); err != nil {
		return Committed{}, fmt.Errorf("approve change %d: %w", number, err)
	}
	if out.former == nil {
		out.workspace = store.Workspace{ID: r.Workspace, Organization: org, Name: r.Name, Region: out.config.Region}
	}
	if err := s.judge(ctx, p, &out); err != nil {
		return Committed{}, fmt.Errorf("approve change %d: %w", number, err)
	}
	out.approved = &approval{r.Author, s.cfg.Store.Changes().Approve(who.String(), string(org), number, note)}
	return s.commit(ctx, who, p, out, r.Base)
}

// Proposed reports whether who is the author of r.
func Proposed(who store.Actor, r changes.Request) bool {
	mine := person(who)
	return mine != "" && mine == r.AuthorPerson || who.ID != "" && who.ID == r.AuthorID
}

// another refuses whoever is not another person than the author of r. Behind a program
// stands whoever made its token.
func (s *Service) another(ctx context.Context, who store.Actor, org store.OrganizationID, r changes.Request) error {
	if person(who) == "" {
		return fault.New(fault.Denied, "a person approves a change: sign in, or use a token of your own")
	}
	if Proposed(who, r) {
		return fault.New(fault.Denied, "change %d is your own: another person has to approve it", r.Number)
	}
	if r.AuthorPerson != "" {
		return nil
	}
	tokens, err := s.cfg.Store.Tokens(ctx, org, "")
	if err != nil {
		return err
	}
	made := slices.IndexFunc(tokens, func(t store.APIToken) bool { return string(t.ID) == r.AuthorID })
	switch {
	case made < 0 || strings.HasPrefix(tokens[made].CreatedBy, string(store.ByToken)+":"):
		return fault.New(fault.Denied, "change %d is of a token of which it is not known who made it: apply it again with a token that somebody made who was signed in", r.Number)
	case who.Kind != store.ByPerson:
		return fault.New(fault.Denied, "change %d is of a token: sign in to approve it", r.Number)
	case tokens[made].CreatedBy == who.String():
		return fault.New(fault.Denied, "change %d is of a token that you made: another person has to approve it", r.Number)
	}
	return nil
}
