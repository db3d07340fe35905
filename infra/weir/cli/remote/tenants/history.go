package tenants

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/approval"
)

// Revision is a revision of a workspace. Changes are nil where they were not kept. Former,
// Before and After are there when one was asked for.
type Revision struct {
	Number  uint64          `json:"number"`
	Digest  string          `json:"digest"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Second  string          `json:"approvedBy,omitempty"`
	Reason  string          `json:"reason"`
	Changes []remote.Change `json:"changes"`
	Former  uint64          `json:"former,omitempty"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
}

// Revisions returns at most limit revisions of a workspace, from 1 to 500, the newest first.
func Revisions(ctx context.Context, c *remote.Control, workspace string, limit int) ([]Revision, error) {
	var out struct{ Revisions []Revision }
	err := c.Within(ctx, http.MethodGet, fmt.Sprintf("/workspaces/%s/revisions?limit=%d", url.PathEscape(workspace), limit), nil, &out)
	return out.Revisions, err
}

// RevisionOf returns one revision of a workspace and what it changed.
func RevisionOf(ctx context.Context, c *remote.Control, workspace string, number uint64) (Revision, error) {
	var out Revision
	err := c.Within(ctx, http.MethodGet, fmt.Sprintf("/workspaces/%s/revisions/%d", url.PathEscape(workspace), number), nil, &out)
	return out, err
}

// Rollback is which revision's configuration comes back, and why.
type Rollback struct {
	To            uint64 `json:"to"`
	Reason        string `json:"reason,omitempty"`
	DiscardParked bool   `json:"discardParked"`
}

// RollBack makes the configuration of a former revision the next one and returns its
// number and what it changes, as remote.Control.Apply does.
func RollBack(ctx context.Context, c *remote.Control, workspace string, in Rollback) (uint64, []remote.Change, *approval.Request, error) {
	var out struct {
		Number  uint64
		Changes []remote.Change
		Waits   *approval.Request
	}
	err := c.Within(ctx, http.MethodPost, "/workspaces/"+url.PathEscape(workspace)+"/rollback", in, &out)
	return out.Number, out.Changes, out.Waits, err
}
