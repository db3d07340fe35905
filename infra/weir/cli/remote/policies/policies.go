// Package policies asks a control plane about what an organization decides: its policies,
// the changes that wait for another person, and its roles.
package policies

import (
	"context"
	"fmt"
	"strconv"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/fault"
)

// api makes the calls.
type api = openapi.API

// Policy is a policy of an organization. Language is rego or rules; Text is there of one
// that was asked for.
type Policy = openapi.Policy

// Policies returns those of the organization, and the names of the operator's.
func Policies(ctx context.Context, c *remote.Control) (own []Policy, operator []string, err error) {
	own, err = openapi.All(func(cursor string) ([]Policy, string, error) {
		page, err := remote.Do(ctx, c, api{}.Policies(openapi.PoliciesParams{Cursor: cursor}))
		operator = page.Operator
		return page.Policies, page.Next, err
	})
	return own, operator, err
}

// PolicyOf returns one with its text.
func PolicyOf(ctx context.Context, c *remote.Control, name string) (Policy, error) {
	return remote.Do(ctx, c, api{}.Policy(name))
}

// SetPolicy makes a policy, or puts it in the place of the one of its name. Without a
// Language it only enables or disables that.
func SetPolicy(ctx context.Context, c *remote.Control, p Policy) error {
	in := openapi.NewPolicy{Enabled: &p.Enabled}
	if p.Language != "" {
		in.Language, in.Text = openapi.NewPolicyLanguage(p.Language), &p.Text
	}
	_, err := remote.Do(ctx, c, api{}.SetPolicy(p.Name, in))
	return err
}

// RemovePolicy forgets a policy.
func RemovePolicy(ctx context.Context, c *remote.Control, name string) error {
	_, err := remote.Do(ctx, c, api{}.RemovePolicy(name))
	return err
}

// Verdict is what a policy says of a configuration: why it denies it, and why it asks for
// another person.
type Verdict = openapi.PolicyVerdict

// TryPolicy asks a policy, which need not be set, about the newest configuration of a
// workspace as if that were committed anew. fault.Invalid: the policy is broken.
func TryPolicy(ctx context.Context, c *remote.Control, p Policy, workspace string) (Verdict, error) {
	return remote.Do(ctx, c, api{}.TestPolicy(workspace, openapi.PolicyTest{Name: p.Name, Language: openapi.PolicyTestLanguage(p.Language), Text: p.Text}))
}

// ChangeRequest is a commit that waits for another person, or waited. Before and After
// are there of one that was asked for.
type ChangeRequest = openapi.ChangeRequest

// Changes returns at most limit change requests, the newest first; a filter that is empty
// takes all.
func Changes(ctx context.Context, c *remote.Control, workspace, state string, limit int) ([]ChangeRequest, error) {
	page, err := remote.Do(ctx, c, api{}.Changes(openapi.ChangesParams{Workspace: workspace, State: openapi.ChangesParamsState(state), Limit: uint64(limit)}))
	return page.Changes, err
}

// ChangeOf returns the change request of a number. fault.Missing: there is none.
func ChangeOf(ctx context.Context, c *remote.Control, number uint64) (ChangeRequest, error) {
	page, err := remote.Do(ctx, c, api{}.Changes(openapi.ChangesParams{Limit: 1, Cursor: strconv.FormatUint(number+1, 10)}))
	if err != nil {
		return ChangeRequest{}, err
	}
	if len(page.Changes) == 0 || page.Changes[0].Number != number {
		return ChangeRequest{}, fault.New(fault.Missing, "the organization has no change %d that you may see", number)
	}
	return remote.Do(ctx, c, api{}.Change(page.Changes[0].Workspace, number))
}

// Decide approves, rejects or withdraws a change request; the number of the revision that
// an approved one became is returned.
func Decide(ctx context.Context, c *remote.Control, r ChangeRequest, decision, note string) (uint64, error) {
	in := openapi.Decision{Note: note}
	var out openapi.Applied
	var err error
	switch decision {
	case "approve":
		out, err = remote.Do(ctx, c, api{}.ApproveChange(r.Workspace, r.Number, in))
	case "reject":
		_, err = remote.Do(ctx, c, api{}.RejectChange(r.Workspace, r.Number, in))
	case "withdraw":
		_, err = remote.Do(ctx, c, api{}.WithdrawChange(r.Workspace, r.Number, in))
	default:
		err = fmt.Errorf("no decision %q", decision)
	}
	return out.Number, err
}

// Role is a set of actions that is granted under a name. Every organization has the Fixed
// ones.
type Role = openapi.GrantableRole

// Roles returns what can be granted in the organization.
func Roles(ctx context.Context, c *remote.Control) ([]Role, error) {
	return openapi.All(func(cursor string) ([]Role, string, error) {
		page, err := remote.Do(ctx, c, api{}.Roles(openapi.RolesParams{Cursor: cursor}))
		return page.Roles, page.Next, err
	})
}

// SetActions makes a role of the organization, or gives one other actions.
func SetActions(ctx context.Context, c *remote.Control, role string, actions []string) error {
	_, err := remote.Do(ctx, c, api{}.SetCustomRole(role, openapi.NewCustomRole{Actions: actions}))
	return err
}

// RemoveRole forgets a role of the organization.
func RemoveRole(ctx context.Context, c *remote.Control, role string) error {
	_, err := remote.Do(ctx, c, api{}.RemoveCustomRole(role))
	return err
}
