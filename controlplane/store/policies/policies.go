// Package policies keeps what organizations decided about configurations: modules of Rego
// and documents of rules, as they were written. Whether one is good was decided before.
//
// Every write leaves an audit row of its organization, with the text's digest.
package policies

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"weir/controlplane/store/database"
	"weir/controlplane/store/ent"
	"weir/controlplane/store/ent/organizationpolicy"
	"weir/controlplane/store/ent/predicate"
	"weir/shared/fault"
)

// Most is how many policies an organization has at most.
const Most = 50

// Language is what a policy is written in.
type Language string

// The languages.
const (
	Rego  Language = "rego"  // a module that denies
	Rules Language = "rules" // a document, YAML or JSON
)

// Policy is one policy of an organization.
type Policy struct {
	Organization string
	Name         string // unique in the organization
	Language     Language
	Text         string
	Enabled      bool
	UpdatedAt    time.Time
	UpdatedBy    string
}

// Policies is this part of an open database. It is safe for concurrent use.
type Policies struct{ db *database.DB }

// New returns the policies of db.
func New(db *database.DB) *Policies { return &Policies{db} }

// List returns those of an organization, by name.
func (p *Policies) List(ctx context.Context, organization string) ([]Policy, error) {
	return database.Read(ctx, func(ctx context.Context) ([]Policy, error) {
		rows, err := p.db.Ent().OrganizationPolicy.Query().Where(organizationpolicy.OrganizationID(organization)).
			Order(ent.Asc(organizationpolicy.FieldName)).All(ctx)
		out := make([]Policy, len(rows))
		for i, r := range rows {
			out[i] = policyOf(r)
		}
		return out, err
	})
}

// Policy returns one. fault.Missing: there is none of this name.
func (p *Policies) Policy(ctx context.Context, organization, name string) (Policy, error) {
	return database.Read(ctx, func(ctx context.Context) (Policy, error) {
		row, err := p.db.Ent().OrganizationPolicy.Query().Where(named(organization, name)...).Only(ctx)
		if err != nil {
			return Policy{}, missing(err, name)
		}
		return policyOf(row), nil
	})
}

// Set makes a policy, or puts it in the place of the one of its name. UpdatedAt and
// UpdatedBy are set here. fault.Limited: the organization has Most already.
func (p *Policies) Set(ctx context.Context, actor string, want Policy) error {
	err := p.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		left := database.Trail{Action: "policy.set", Object: "policy " + want.Name, Organization: want.Organization, After: shown(want)}
		row, err := tx.OrganizationPolicy.Query().Where(named(want.Organization, want.Name)...).Only(ctx)
		if err == nil {
			left.Before = shown(policyOf(row))
			return left, tx.OrganizationPolicy.UpdateOne(row).SetLanguage(string(want.Language)).SetText(want.Text).SetEnabled(want.Enabled).
				SetUpdatedAt(p.db.Now()).SetUpdatedBy(actor).Exec(ctx)
		}
		if !ent.IsNotFound(err) {
			return left, err
		}
		n, err := tx.OrganizationPolicy.Query().Where(organizationpolicy.OrganizationID(want.Organization)).Count(ctx)
		if err != nil {
			return left, err
		}
		if n >= Most {
			return left, fault.New(fault.Limited, "an organization has at most %d policies: remove one", Most)
		}
		return left, tx.OrganizationPolicy.Create().SetOrganizationID(want.Organization).SetName(want.Name).SetLanguage(string(want.Language)).
			SetText(want.Text).SetEnabled(want.Enabled).SetUpdatedAt(p.db.Now()).SetUpdatedBy(actor).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("set the policy %s: %w", want.Name, err)
	}
	return nil
}

// Remove forgets a policy. fault.Missing: there is none of this name.
func (p *Policies) Remove(ctx context.Context, actor, organization, name string) error {
	err := p.db.Write(ctx, actor, func(ctx context.Context, tx *ent.Tx) (database.Trail, error) {
		left := database.Trail{Action: "policy.remove", Object: "policy " + name, Organization: organization}
		row, err := tx.OrganizationPolicy.Query().Where(named(organization, name)...).Only(ctx)
		if err != nil {
			return left, missing(err, name)
		}
		left.Before = shown(policyOf(row))
		return left, tx.OrganizationPolicy.DeleteOne(row).Exec(ctx)
	})
	if err != nil {
		return fmt.Errorf("remove the policy %s: %w", name, err)
	}
	return nil
}

// named finds one policy of an organization.
func named(organization, name string) []predicate.OrganizationPolicy {
	return []predicate.OrganizationPolicy{organizationpolicy.OrganizationID(organization), organizationpolicy.Name(name)}
}

func missing(err error, name string) error {
	if ent.IsNotFound(err) {
		return fault.New(fault.Missing, "the organization has no policy %s", name)
	}
	return err
}

func policyOf(r *ent.OrganizationPolicy) Policy {
	return Policy{Organization: r.OrganizationID, Name: r.Name, Language: Language(r.Language), Text: r.Text, Enabled: r.Enabled,
		UpdatedAt: r.UpdatedAt.UTC(), UpdatedBy: r.UpdatedBy}
}

// shown is a policy as the audit log shows it.
func shown(p Policy) map[string]any {
	return map[string]any{"language": p.Language, "enabled": p.Enabled, "sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(p.Text)))}
}
