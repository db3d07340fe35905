// Package policies asks a control plane about what an organization decides: its policies,
// the changes that wait for another person, and its roles.
package policies

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/approval"
	"weir/shared/fault"
)

// Policy is a policy of an organization. Language is rego or rules; Text is there of one
// that was asked for.
type Policy struct {
	Name      string    `json:"name"`
	Language  string    `json:"language"`
	Enabled   bool      `json:"enabled"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
	Text      string    `json:"text,omitempty"`
}

// Policies returns those of the organization, and the names of the operator's.
func Policies(ctx context.Context, c *remote.Control) (own []Policy, operator []string, err error) {
	var out struct {
		Policies []Policy
		Operator []string
	}
	err = c.Within(ctx, http.MethodGet, "/policies", nil, &out)
	return out.Policies, out.Operator, err
}

// PolicyOf returns one with its text.
func PolicyOf(ctx context.Context, c *remote.Control, name string) (Policy, error) {
	var out Policy
	err := c.Within(ctx, http.MethodGet, "/policies/"+url.PathEscape(name), nil, &out)
	return out, err
}

// SetPolicy makes a policy, or puts it in the place of the one of its name. Without a
// Language it only enables or disables that.
func SetPolicy(ctx context.Context, c *remote.Control, p Policy) error {
	in := map[string]any{"enabled": p.Enabled}
	if p.Language != "" {
		in["language"], in["text"] = p.Language, p.Text
	}
	return c.Within(ctx, http.MethodPut, "/policies/"+url.PathEscape(p.Name), in, nil)
}

// RemovePolicy forgets a policy.
func RemovePolicy(ctx context.Context, c *remote.Control, name string) error {
	return c.Within(ctx, http.MethodDelete, "/policies/"+url.PathEscape(name), nil, nil)
}

// Verdict is what a policy says of a configuration: why it denies it, and why it asks for
// another person.
type Verdict struct {
	Problems []fault.Problem `json:"problems"`
	Needs    []approval.Need `json:"needs"`
}

// TryPolicy asks a policy, which need not be set, about the newest configuration of a
// workspace as if that were committed anew. fault.Invalid: the policy is broken.
func TryPolicy(ctx context.Context, c *remote.Control, p Policy, workspace string) (Verdict, error) {
	in := map[string]any{"name": p.Name, "language": p.Language, "text": p.Text}
	var out Verdict
	err := c.Within(ctx, http.MethodPost, "/workspaces/"+url.PathEscape(workspace)+"/policy-test", in, &out)
	return out, err
}

// ChangeRequest is a commit that waits for another person, or waited. Before and After
// are there of one that was asked for.
type ChangeRequest struct {
	Number    uint64          `json:"number"`
	Workspace string          `json:"workspace"`
	Base      uint64          `json:"base"`
	State     string          `json:"state"` // waiting, approved, rejected or withdrawn
	Author    string          `json:"author"`
	At        time.Time       `json:"at"`
	Reason    string          `json:"reason"`
	Needs     []approval.Need `json:"needs"`
	Changes   []remote.Change `json:"changes"`
	DecidedBy string          `json:"decidedBy,omitempty"`
	DecidedAt *time.Time      `json:"decidedAt,omitempty"`
	Note      string          `json:"note,omitempty"`
	Revision  uint64          `json:"revision,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

// Changes returns at most limit change requests, the newest first; a filter that is empty
// takes all.
func Changes(ctx context.Context, c *remote.Control, workspace, state string, limit int) ([]ChangeRequest, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if workspace != "" {
		query.Set("workspace", workspace)
	}
	if state != "" {
		query.Set("state", state)
	}
	var out struct{ Changes []ChangeRequest }
	err := c.Within(ctx, http.MethodGet, "/changes?"+query.Encode(), nil, &out)
	return out.Changes, err
}

// ChangeOf returns the change request of a number. fault.Missing: there is none.
func ChangeOf(ctx context.Context, c *remote.Control, number uint64) (ChangeRequest, error) {
	var page struct{ Changes []ChangeRequest }
	if err := c.Within(ctx, http.MethodGet, fmt.Sprintf("/changes?limit=1&cursor=%d", number+1), nil, &page); err != nil {
		return ChangeRequest{}, err
	}
	if len(page.Changes) == 0 || page.Changes[0].Number != number {
		return ChangeRequest{}, fault.New(fault.Missing, "the organization has no change %d that you may see", number)
	}
	var out ChangeRequest
	err := c.Within(ctx, http.MethodGet, at(page.Changes[0]), nil, &out)
	return out, err
}

func at(r ChangeRequest) string {
	return fmt.Sprintf("/workspaces/%s/changes/%d", url.PathEscape(r.Workspace), r.Number)
}

// Decide approves, rejects or withdraws a change request; the number of the revision that
// an approved one became is returned.
func Decide(ctx context.Context, c *remote.Control, r ChangeRequest, decision, note string) (uint64, error) {
	var out struct{ Number uint64 }
	err := c.Within(ctx, http.MethodPost, at(r)+"/"+decision, map[string]string{"note": note}, &out)
	return out.Number, err
}

// Role is a set of actions that is granted under a name. Every organization has the Fixed
// ones.
type Role struct {
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
	Fixed   bool     `json:"fixed"`
}

// Roles returns what can be granted in the organization.
func Roles(ctx context.Context, c *remote.Control) ([]Role, error) {
	var out struct{ Roles []Role }
	err := c.Within(ctx, http.MethodGet, "/roles", nil, &out)
	return out.Roles, err
}

// SetActions makes a role of the organization, or gives one other actions.
func SetActions(ctx context.Context, c *remote.Control, role string, actions []string) error {
	return c.Within(ctx, http.MethodPut, "/roles/"+url.PathEscape(role), map[string][]string{"actions": actions}, nil)
}

// RemoveRole forgets a role of the organization.
func RemoveRole(ctx context.Context, c *remote.Control, role string) error {
	return c.Within(ctx, http.MethodDelete, "/roles/"+url.PathEscape(role), nil, nil)
}
