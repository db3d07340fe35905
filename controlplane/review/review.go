// Package review says whether a configuration may be committed, and whether another
// person has to approve it: by the rules that Weir ships, by what the operator's policies
// say, and by what the organization's policies and rules say.
//
// It fails closed: what cannot be asked is a reason against the commit that names the
// policy. It judges commits alone, and never whoever writes policies, so that no policy
// keeps an owner from removing it.
package review

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/store"
	"weir/controlplane/store/policies"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// Config is what a Service stands on. Store, Rules and Judge are required.
type Config struct {
	Store    *store.Store
	Rules    *rules.Book
	Judge    *own.Judge
	Operator []own.Policy // of the installation, for all organizations
}

// Service reviews commits. It is safe for concurrent use.
type Service struct {
	cfg   Config
	known readRules
}

// New checks cfg.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Rules == nil || cfg.Judge == nil {
		return nil, fault.New(fault.Invalid, "a review needs a store, rules and a judge of own policies")
	}
	return &Service{cfg: cfg}, nil
}

// Commit is a configuration that somebody wants to be the next revision.
type Commit struct {
	Organization store.OrganizationID
	Author       store.Actor
	Placement    rules.Placement
	// Before (nil: a new workspace) and After are the configurations as documents; Positions
	// has where objects of After stand in the configuration itself, by list.
	Before    *document.Document
	After     document.Document
	Positions map[string][]int
	Changes   any // JSON, as a difference has it
	Facts     []rules.Change
}

// Need is why a commit needs another person.
type Need struct {
	Policy string `json:"policy"`
	Text   string `json:"text"`
}

// Verdict is every reason against a commit, and why it needs another person.
type Verdict struct {
	Problems []fault.Problem
	Needs    []Need
}

// InputVersion is the version of what own policies see.
const InputVersion = 1

// input is what own policies see, see docs/policies.md.
type input struct {
	Version      int                `json:"version"`
	Organization string             `json:"organization"`
	Workspace    string             `json:"workspace"`
	Region       string             `json:"region"`
	Plane        plane              `json:"plane"`
	Author       author             `json:"author"`
	Before       *document.Document `json:"before"`
	After        document.Document  `json:"after"`
	Changes      any                `json:"changes"`
}

type plane struct {
	ID     string `json:"id"`
	Region string `json:"region"`
}

type author struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Review judges a commit.
//
// fault.Unavailable and fault.Limited: policies cannot be asked now; nothing is decided.
func (s *Service) Review(ctx context.Context, c Commit) (Verdict, error) {
	var out Verdict
	var err error
	if out.Problems, err = s.cfg.Rules.Review(ctx, c.Placement); err != nil {
		return Verdict{}, err
	}
	set, err := s.cfg.Store.Policies().List(ctx, string(c.Organization))
	if err != nil {
		return Verdict{}, err
	}
	asked := slices.Clone(s.cfg.Operator)
	for _, p := range set {
		switch {
		case !p.Enabled:
		case p.Language == policies.Rego:
			asked = append(asked, own.Policy{Name: p.Name, Text: p.Text})
		default:
			if err := s.written(ctx, p, c, &out); err != nil {
				return Verdict{}, err
			}
		}
	}
	if len(asked) == 0 {
		return out, nil
	}
	denied, err := s.ask(ctx, c, asked)
	if err != nil {
		return Verdict{}, err
	}
	out.Problems = append(out.Problems, denied...)
	return out, nil
}

// ask asks policies in Rego about a commit.
func (s *Service) ask(ctx context.Context, c Commit, asked []own.Policy) ([]fault.Problem, error) {
	org, err := s.cfg.Store.Tenancy().Organization(ctx, c.Organization)
	if err != nil {
		return nil, err
	}
	return s.cfg.Judge.Review(ctx, string(c.Organization), asked, input{
		Version: InputVersion, Organization: org.Name, Workspace: c.After.Workspace, Region: c.After.Region,
		Plane: plane{string(c.Placement.Plane), c.Placement.PlaneRegion}, Author: author{string(c.Author.Kind), c.Author.Name},
		Before: c.Before, After: c.After, Changes: c.Changes,
	})
}

// Needs returns why a commit needs another person, and judges nothing else.
func (s *Service) Needs(ctx context.Context, c Commit) ([]Need, error) {
	set, err := s.cfg.Store.Policies().List(ctx, string(c.Organization))
	if err != nil {
		return nil, err
	}
	var out Verdict
	for _, p := range set {
		if p.Enabled && p.Language == policies.Rules {
			if err := s.written(ctx, p, c, &out); err != nil {
				return nil, err
			}
		}
	}
	return out.Needs, nil
}

// written asks a document of rules.
func (s *Service) written(ctx context.Context, p policies.Policy, c Commit, out *Verdict) error {
	r, wrong := s.known.read(p.Text)
	if len(wrong) > 0 { // another version of this program took it
		out.Problems = append(out.Problems, fault.Problem{Code: own.CodeFailed, Text: fmt.Sprintf("The policy %s cannot be read: %s", p.Name, wrong[0].Text)})
		return nil
	}
	problems, needs, err := s.cfg.Rules.Ask(ctx, r, factsOf(c))
	if err != nil {
		return err
	}
	for _, found := range problems {
		found.Text = fmt.Sprintf("Policy %s: %s", p.Name, found.Text)
		out.Problems = append(out.Problems, found)
	}
	for _, text := range needs {
		out.Needs = append(out.Needs, Need{p.Name, text})
	}
	return nil
}

// factsOf is what rules look at of a commit, in the order of the configuration.
func factsOf(c Commit) rules.Facts {
	f := rules.Facts{Workspace: c.After.Workspace, Region: c.After.Region, Transformations: map[string]string{}, Changes: c.Facts,
		Destinations: make([]rules.Destination, len(c.After.Destinations)), Connections: make([]rules.Connection, len(c.After.Connections))}
	kinds := map[string]string{}
	for i, d := range c.After.Destinations {
		kinds[d.Name] = d.Type
		f.Destinations[c.Positions["destinations"][i]] = rules.Destination{Name: d.Name, Type: d.Type}
	}
	for i, k := range c.After.Connections {
		f.Connections[c.Positions["connections"][i]] = rules.Connection{Source: k.Source, Destination: rules.Destination{Name: k.Destination, Type: kinds[k.Destination]}, Transformations: k.Transformations}
	}
	for _, t := range c.After.Transformations {
		f.Transformations[t.Name] = fmt.Sprintf("%x", sha256.Sum256([]byte(t.Code)))
	}
	return f
}

// Check lists what is wrong with a policy that somebody wants to set.
//
// fault.Unavailable and fault.Limited: it cannot be looked at now.
func (s *Service) Check(ctx context.Context, p policies.Policy) ([]fault.Problem, error) {
	switch p.Language {
	case policies.Rego:
		return s.cfg.Judge.Check(ctx, p.Organization, own.Policy{Name: p.Name, Text: p.Text})
	case policies.Rules:
		if !own.ValidName(p.Name) {
			return s.cfg.Judge.Check(ctx, p.Organization, own.Policy{Name: p.Name})
		}
		_, wrong := rules.Read(p.Text)
		return wrong, nil
	}
	return []fault.Problem{{Path: "language", Code: "bad_value", Text: "A policy's language is rego or rules."}}, nil
}

// Operator lists the names of the operator's policies.
func (s *Service) Operator() []string {
	names := make([]string, len(s.cfg.Operator))
	for i, p := range s.cfg.Operator {
		names[i] = p.Name
	}
	return names
}

// mostKnown bounds the documents of rules that are kept read.
const mostKnown = 1000

// readRules keeps documents of rules that were read, by their text.
type readRules struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]rules.Rules
}

func (k *readRules) read(text string) (rules.Rules, []fault.Problem) {
	key := sha256.Sum256([]byte(text))
	k.mu.Lock()
	r, ok := k.all[key]
	k.mu.Unlock()
	if ok {
		return r, nil
	}
	r, wrong := rules.Read(text)
	if len(wrong) == 0 {
		k.mu.Lock()
		if k.all == nil || len(k.all) >= mostKnown {
			k.all = map[[sha256.Size]byte]rules.Rules{}
		}
		k.all[key] = r
		k.mu.Unlock()
	}
	return r, wrong
}
