package remote

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir/infra/weir/cli/remote/approval"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace/document"
)

// State is how far a workspace's wanted revision is: a plane's word, or that
// there is none yet.
type State string

// The states.
const (
	Applied  State = "applied"
	Rejected State = "rejected"
	Pending  State = "pending"
	None     State = "none"
)

// Plane is a data plane as the control plane knows it. LastBeat is nil before
// the first one.
type Plane struct {
	ID                  id.Plane         `json:"id"`
	Name                string           `json:"name"`
	Region              string           `json:"region"`
	Kind                string           `json:"kind"`
	Version             string           `json:"version"`
	SealingKey          []byte           `json:"sealingKey"`
	SealingKeySignature []byte           `json:"sealingKeySignature"`
	IdentityKey         []byte           `json:"identityKey"`
	Fingerprint         string           `json:"fingerprint"`
	GatewayURL          string           `json:"gatewayUrl"`
	ViewURL             string           `json:"viewUrl"`
	LastBeat            *time.Time       `json:"lastBeat"`
	Healthy             bool             `json:"healthy"`
	Alarms              []wire.Alarm     `json:"alarms"`
	Workspaces          []PlaneWorkspace `json:"workspaces"`
}

// PlaneWorkspace is how far a plane is with one workspace, by name.
type PlaneWorkspace struct {
	Workspace string `json:"workspace"`
	Wanted    uint64 `json:"wanted"`
	Applied   uint64 `json:"applied"`
	Running   uint64 `json:"running"`
	State     State  `json:"state"`
}

// Workspace is a workspace with what its plane reports. Number is the wanted
// revision, Applied the newest that the plane took.
type Workspace struct {
	ID           id.Workspace    `json:"id"`
	Name         string          `json:"name"`
	Region       string          `json:"region"`
	Plane        id.Plane        `json:"plane"`
	Number       uint64          `json:"number"`
	Digest       string          `json:"digest"`
	Running      uint64          `json:"running"`
	Applied      uint64          `json:"applied"`
	State        State           `json:"state"`
	Problems     []fault.Problem `json:"problems"`
	Alarms       []wire.Alarm    `json:"alarms"`
	Sources      []Source        `json:"sources"`
	Destinations []Destination   `json:"destinations"`
	GatewayURL   string          `json:"gatewayUrl"`
}

// Source is a source of a workspace.
type Source struct {
	ID       id.Source `json:"id"`
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	WriteKey string    `json:"writeKey"`
	Disabled bool      `json:"disabled"`
}

// Destination is a destination of a workspace, with the deliveries that wait
// and those that never arrived.
type Destination struct {
	ID       id.Destination `json:"id"`
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	Disabled bool           `json:"disabled"`
	Staged   uint64         `json:"staged"`
	Parked   uint64         `json:"parked"`
	Dead     uint64         `json:"dead"`
}

// Change is one difference between a document and the current revision. A
// connection's name is "source -> destination".
type Change struct {
	Op     string   `json:"op"` // add, change, remove or rename
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	Was    string   `json:"was,omitempty"`
	Fields []string `json:"fields,omitempty"`
}

// Difference is what applying a document would do. Number is the current
// revision, 0 for none.
type Difference struct {
	Changes  []Change        `json:"changes"`
	Problems []fault.Problem `json:"problems"`
	Number   uint64          `json:"number"`
	Needs    []approval.Need `json:"needs"`
}

// Status is all planes and workspaces that the caller may see.
type Status struct {
	Planes     []Plane     `json:"planes"`
	Workspaces []Workspace `json:"workspaces"`
}

// Invitation lets one plane join, once, until it expires.
type Invitation struct {
	Token     string    `json:"token"`
	Region    string    `json:"region"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// Control is a control plane.
type Control struct {
	end
	org string // the organization in which calls name what they name; empty for the caller's own
}

// NewControl returns the control plane at address, asked with token.
// fault.Invalid: the address is none.
func NewControl(address, token string) (*Control, error) {
	e, err := newEnd("the control plane", address, token)
	if err != nil {
		return nil, err
	}
	return &Control{end: e}, nil
}

// Address is where the control plane is.
func (c *Control) Address() string { return c.url }

// In makes every call be about what an organization has, by its name; "" is the caller's
// only one, or default.
func (c *Control) In(org string) { c.org = org }

// at is the path of what an organization has.
func (c *Control) at(path string) string {
	if c.org == "" {
		return "/api/v1" + path
	}
	return "/api/v1/orgs/" + url.PathEscape(c.org) + path
}

// Ask sends in (nil for no body) to a path below /api/v1 that is about no organization,
// and reads the answer into out (nil to ignore it).
func (c *Control) Ask(ctx context.Context, method, path string, in, out any) error {
	_, err := c.call(ctx, method, "/api/v1"+path, nil, in, out)
	return err
}

// Within is Ask about what the organization has.
func (c *Control) Within(ctx context.Context, method, path string, in, out any) error {
	_, err := c.call(ctx, method, c.at(path), nil, in, out)
	return err
}

// Planes returns the planes of a region, of all for "".
func (c *Control) Planes(ctx context.Context, region string) ([]Plane, error) {
	return pages(ctx, url.Values{"region": {region}}, func(ctx context.Context, query string) (list []Plane, next string, err error) {
		var out struct {
			Planes []Plane
			Next   string
		}
		err = c.Ask(ctx, http.MethodGet, "/planes?"+query, nil, &out)
		return out.Planes, out.Next, err
	})
}

// pages reads all pages of a list. Query is what limits it; values that are empty do not.
func pages[T any](ctx context.Context, query url.Values, read func(ctx context.Context, query string) (list []T, next string, err error)) ([]T, error) {
	for name := range query {
		if query.Get(name) == "" {
			query.Del(name)
		}
	}
	all := []T{}
	for {
		list, next, err := read(ctx, query.Encode())
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		if next == "" || next == query.Get("cursor") {
			return all, nil
		}
		query.Set("cursor", next)
	}
}

// Invite lets a plane of kind regional or private join a region. A private one will be of the
// organization.
func (c *Control) Invite(ctx context.Context, region, kind string) (Invitation, error) {
	var out Invitation
	in := map[string]string{"region": region, "kind": kind}
	if kind == "private" && c.org != "" {
		in["organization"] = c.org
	}
	err := c.Ask(ctx, http.MethodPost, "/planes/invitations", in, &out)
	return out, err
}

// RemovePlane removes the plane with that name or identifier. fault.Conflict: workspaces
// are on it.
func (c *Control) RemovePlane(ctx context.Context, named string) error {
	return c.Ask(ctx, http.MethodDelete, "/planes/"+url.PathEscape(named), nil, nil)
}

// Workspaces returns all workspaces.
func (c *Control) Workspaces(ctx context.Context) ([]Workspace, error) {
	return pages(ctx, url.Values{}, func(ctx context.Context, query string) (list []Workspace, next string, err error) {
		var out struct {
			Workspaces []Workspace
			Next       string
		}
		err = c.Within(ctx, http.MethodGet, "/workspaces?"+query, nil, &out)
		return out.Workspaces, out.Next, err
	})
}

// Workspace returns one workspace; fault.Missing when there is none.
func (c *Control) Workspace(ctx context.Context, name string) (Workspace, error) {
	var out Workspace
	err := c.Within(ctx, http.MethodGet, "/workspaces/"+url.PathEscape(name), nil, &out)
	return out, err
}

// DeleteWorkspace deletes a workspace whose newest revision is number. With discard it goes
// also while deliveries wait for its destinations. fault.Conflict: something waits, or
// somebody committed.
func (c *Control) DeleteWorkspace(ctx context.Context, name string, number uint64, discard bool) error {
	header := http.Header{"If-Match": {fmt.Sprintf("%q", strconv.FormatUint(number, 10))}}
	path := "/workspaces/" + url.PathEscape(name) + "?discardParked=" + strconv.FormatBool(discard)
	_, err := c.call(ctx, http.MethodDelete, c.at(path), header, nil, nil)
	return err
}

// Document returns the newest configuration of a workspace and its number;
// fault.Missing when it has none.
func (c *Control) Document(ctx context.Context, name string) (document.Document, uint64, error) {
	var out document.Document
	path := c.at("/workspaces/" + url.PathEscape(name) + "/config")
	h, err := c.call(ctx, http.MethodGet, path, nil, nil, &out)
	if err != nil {
		return document.Document{}, 0, err
	}
	tag := strings.Trim(strings.TrimPrefix(h.Get("ETag"), "W/"), `"`)
	number, err := strconv.ParseUint(tag, 10, 64)
	if err != nil {
		return document.Document{}, 0, fault.New(fault.Unavailable, "the control plane at %s sent workspace %s without its revision number; check that no proxy removes the ETag header", c.url, name)
	}
	return out, number, nil
}

// Proposal is a document with how to apply it. Prune removes what the document
// does not name; DiscardParked removes destinations with their waiting
// deliveries.
type Proposal struct {
	Document      document.Document `json:"document"`
	Prune         bool              `json:"prune"`
	DiscardParked bool              `json:"discardParked"`
	Reason        string            `json:"reason,omitempty"` // why, in the author's words
}

// Diff says what applying p would do.
func (c *Control) Diff(ctx context.Context, p Proposal) (Difference, error) {
	var out Difference
	err := c.Within(ctx, http.MethodPost, "/workspaces/"+url.PathEscape(p.Document.Workspace)+"/diff", p, &out)
	return out, err
}

// Apply makes p the next revision, provided that the current one is number (0:
// there is none yet), and returns the new number; it is number when nothing
// changed, and when another person has to approve: then it is the request that waits.
// fault.Conflict: somebody else was faster.
func (c *Control) Apply(ctx context.Context, p Proposal, number uint64) (uint64, []Change, *approval.Request, error) {
	header := http.Header{}
	if number > 0 {
		header.Set("If-Match", fmt.Sprintf("%q", strconv.FormatUint(number, 10)))
	}
	var out struct {
		Number  uint64
		Changes []Change
		Waits   *approval.Request
	}
	_, err := c.call(ctx, http.MethodPut, c.at("/workspaces/"+url.PathEscape(p.Document.Workspace)+"/config"), header, p, &out)
	return out.Number, out.Changes, out.Waits, err
}

// Status returns everything that is to be seen.
func (c *Control) Status(ctx context.Context) (Status, error) {
	var all Status
	workspaces, err := pages(ctx, url.Values{}, func(ctx context.Context, query string) ([]Workspace, string, error) {
		var out struct {
			Status
			Next string
		}
		err := c.Within(ctx, http.MethodGet, "/status?"+query, nil, &out)
		all.join(out.Planes)
		return out.Workspaces, out.Next, err
	})
	all.Workspaces = workspaces
	return all, err
}

// join adds what planes say of the workspaces of one more page.
func (s *Status) join(page []Plane) {
	if s.Planes == nil {
		s.Planes = page
		return
	}
	for i := range s.Planes {
		for _, p := range page {
			if p.ID == s.Planes[i].ID {
				s.Planes[i].Workspaces = append(s.Planes[i].Workspaces, p.Workspaces...)
			}
		}
	}
}

// View asks for a capability and returns the plane's view that takes it.
// fault.Missing: no plane runs the workspace.
func (c *Control) View(ctx context.Context, workspace string, action capability.Action) (*View, error) {
	var out struct{ Token, ViewURL string }
	in := map[string]string{"workspace": workspace, "action": string(action), "origin": ""}
	if err := c.Within(ctx, http.MethodPost, "/capabilities", in, &out); err != nil {
		return nil, fmt.Errorf("ask for %s of workspace %s: %w", action, workspace, err)
	}
	if out.ViewURL == "" {
		return nil, fault.New(fault.Unavailable, "the plane that runs workspace %s has not said where its view is reached; start it with --view-url URL", workspace)
	}
	view, err := NewView(out.ViewURL, out.Token)
	if err == nil {
		view.http = c.http // connections are shared by what is asked of one plane
	}
	if err == nil && local(out.ViewURL) && !local(c.url) {
		view.role = "the plane's view (on loopback, which only programs on the plane's own machine reach)"
	}
	return view, err
}

// local reports whether a URL names this machine.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
