package remote

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/infra/weir/cli/remote/approval"
	"weir/infra/weir/cli/remote/openapi"
	"weir/shared/capability"
	"weir/shared/delay"
	"weir/shared/fault"
	"weir/shared/workspace/document"
)

// Types of the API, as its document describes them.
type (
	// State is how far a workspace's wanted revision is: a plane's word, or that there is
	// none yet.
	State = openapi.State
	// Plane is a data plane as the control plane knows it. LastBeat is nil before the first
	// one.
	Plane = openapi.Plane
	// Workspace is a workspace with what its plane reports. Number is the wanted revision,
	// Applied the newest that the plane took.
	Workspace = openapi.Workspace
	// Source is a source of a workspace.
	Source = openapi.SourceSummary
	// Destination is a destination of a workspace, with the deliveries that wait and those
	// that never arrived.
	Destination = openapi.DestinationSummary
	// Change is one difference between a document and the current revision.
	Change = openapi.Change
	// Difference is what applying a document would do.
	Difference = openapi.Difference
	// Invitation lets one plane join, once, until it expires.
	Invitation = openapi.Invitation
	// Proposal is a document with how to apply it.
	Proposal = openapi.Apply
	// Token is an API token without its value.
	Token = openapi.Token
)

// The states.
const (
	Applied  = openapi.StateApplied
	Rejected = openapi.StateRejected
	Pending  = openapi.StatePending
	None     = openapi.StateNone
)

// Status is all planes and workspaces that the caller may see.
type Status struct {
	Planes     []Plane     `json:"planes"`
	Workspaces []Workspace `json:"workspaces"`
}

// api makes the calls.
type api = openapi.API

// Control is a control plane.
type Control struct {
	end
	org     string      // the organization in which calls name what they name; empty for the caller's own
	session http.Header // of a person who signs in; nil with a token
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

// Do makes a call of the API. One about an organization is about that of In.
func Do[T any](ctx context.Context, c *Control, call openapi.Call[T]) (T, error) {
	out, _, err := exchange(ctx, c, call)
	return out, err
}

// exchange is Do with the answer's header.
func exchange[T any](ctx context.Context, c *Control, call openapi.Call[T]) (out T, header http.Header, err error) {
	path := call.Path
	if call.Scoped && c.org != "" {
		path = "/api/v1/orgs/" + url.PathEscape(c.org) + strings.TrimPrefix(path, "/api/v1")
	}
	if len(call.Query) > 0 {
		path += "?" + call.Query.Encode()
	}
	sent := call.Header
	if c.session != nil {
		sent = maps.Clone(c.session)
		maps.Copy(sent, call.Header)
	}
	if call.Keyed && c.token != "" && !keyed(sent) {
		sent = maps.Clone(sent)
		sent.Set(keyHeader, rand.Text())
	}
	header, err = c.call(ctx, call.Method, path, sent, call.Body, &out)
	return out, header, err
}

// Planes returns the planes of a region, of all for "".
func (c *Control) Planes(ctx context.Context, region string) ([]Plane, error) {
	return openapi.All(func(cursor string) ([]Plane, string, error) {
		page, err := Do(ctx, c, api{}.Planes(openapi.PlanesParams{Region: region, Cursor: cursor}))
		return page.Planes, page.Next, err
	})
}

// Invite lets a plane of kind regional or private join a region. A private one will be of the
// organization.
func (c *Control) Invite(ctx context.Context, region, kind string) (Invitation, error) {
	in := openapi.NewInvitation{Region: region, Kind: openapi.PlaneKind(kind)}
	if in.Kind == openapi.PlaneKindPrivate {
		in.Organization = c.org
	}
	return Do(ctx, c, api{}.InvitePlane(openapi.InvitePlaneParams{}, in))
}

// RemovePlane removes the plane with that name or identifier. fault.Conflict: workspaces
// are on it.
func (c *Control) RemovePlane(ctx context.Context, named string) error {
	_, err := Do(ctx, c, api{}.RemovePlane(named))
	return err
}

// Workspaces returns all workspaces.
func (c *Control) Workspaces(ctx context.Context) ([]Workspace, error) {
	return openapi.All(func(cursor string) ([]Workspace, string, error) {
		page, err := Do(ctx, c, api{}.Workspaces(openapi.WorkspacesParams{Cursor: cursor}))
		return page.Workspaces, page.Next, err
	})
}

// Named returns those of some workspaces that are there and that the caller may read, by name,
// in a request for every hundred or so.
func (c *Control) Named(ctx context.Context, names []string) (map[string]Workspace, error) {
	const most, longest = 100, 4 << 10 // of one request's address, which proxies bound
	there := map[string]Workspace{}
	for len(names) > 0 {
		n, size := 0, 0
		for n < min(len(names), most) && (n == 0 || size+len(names[n]) < longest) {
			size += 3*len(names[n]) + len("&name=") // escaped
			n++
		}
		page, err := Do(ctx, c, api{}.Workspaces(openapi.WorkspacesParams{Name: names[:n]}))
		if err != nil {
			return nil, err
		}
		for _, w := range page.Workspaces {
			there[w.Name] = w
		}
		names = names[n:]
	}
	return there, nil
}

// Workspace returns one workspace; fault.Missing when there is none.
func (c *Control) Workspace(ctx context.Context, name string) (Workspace, error) {
	return Do(ctx, c, api{}.Workspace(name))
}

// DeleteWorkspace deletes a workspace whose newest revision is number. With discard it goes
// also while deliveries wait for its destinations. fault.Conflict: something waits, or
// somebody committed.
func (c *Control) DeleteWorkspace(ctx context.Context, name string, number uint64, discard bool) error {
	_, err := Do(ctx, c, api{}.DeleteWorkspace(name, openapi.DeleteWorkspaceParams{DiscardParked: discard, IfMatch: tag(number)}))
	return err
}

// tag is a revision's number as If-Match has it.
func tag(number uint64) string { return strconv.Quote(strconv.FormatUint(number, 10)) }

// Document returns the newest configuration of a workspace and its number;
// fault.Missing when it has none.
func (c *Control) Document(ctx context.Context, name string) (document.Document, uint64, error) {
	out, h, err := exchange(ctx, c, api{}.Config(name))
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

// Diff says what applying p would do.
func (c *Control) Diff(ctx context.Context, p Proposal) (Difference, error) {
	return Do(ctx, c, api{}.Diff(p.Document.Workspace, openapi.Propose(p)))
}

// Apply makes p the next revision, provided that the current one is number (0:
// there is none yet), and returns the new number; it is number when nothing
// changed, and when another person has to approve: then it is the request that waits.
// fault.Conflict: somebody else was faster.
//
// With together it is one of many, for which nobody else is needed: the control plane keeps no
// answer for each, which takes it two writes. After a lost answer the difference shows
// whether it was made.
func (c *Control) Apply(ctx context.Context, p Proposal, number uint64, together bool) (uint64, []Change, *approval.Request, error) {
	params := openapi.ApplyParams{}
	if number > 0 {
		params.IfMatch = tag(number)
	}
	call := api{}.Apply(p.Document.Workspace, params, p)
	call.Keyed = !together
	out, err := Do(ctx, c, call)
	if together && fault.KindOf(err) == fault.Unavailable && delay.For(ctx, time.Second) {
		d, failed := c.Diff(ctx, p)
		switch {
		case failed != nil:
			return 0, nil, nil, err
		case d.Number > number && len(d.Changes) == 0: // by this call, or by somebody who wanted the same
			return d.Number, nil, nil, nil
		case d.Number == number:
			return c.Apply(ctx, p, number, false)
		}
		return 0, nil, nil, fault.New(fault.Conflict, "somebody committed revision %d of workspace %s meanwhile; apply again", d.Number, p.Document.Workspace)
	}
	return out.Number, out.Changes, approval.Of(out), err
}

// Status returns everything that is to be seen.
func (c *Control) Status(ctx context.Context) (Status, error) {
	var all Status
	workspaces, err := openapi.All(func(cursor string) ([]Workspace, string, error) {
		page, err := Do(ctx, c, api{}.Status(openapi.StatusParams{Cursor: cursor}))
		all.join(page.Planes)
		return page.Workspaces, page.Next, err
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
	in := openapi.NewCapability{Workspace: workspace, Action: openapi.NewCapabilityAction(action)}
	out, err := Do(ctx, c, api{}.CreateCapability(in))
	if err != nil {
		return nil, fmt.Errorf("ask for %s of workspace %s: %w", action, workspace, err)
	}
	return c.view(out.ViewURL, out.Token, workspace)
}

// view returns the view at an address, for workspaces as a person is told of them.
func (c *Control) view(address, token, of string) (*View, error) {
	if address == "" {
		return nil, fault.New(fault.Unavailable, "the plane that runs workspace %s has not said where its view is reached; start it with --view-url URL", of)
	}
	view, err := NewView(address, token)
	if err == nil {
		view.http = c.http // connections are shared by what is asked of one plane
	}
	if err == nil && local(address) && !local(c.url) {
		view.role = "the plane's view (on loopback, which only programs on the plane's own machine reach)"
	}
	return view, err
}

// Views asks for capabilities to read the ledgers of workspaces, and calls do with each view
// that takes one and the names of the workspaces that it is for.
// fault.Missing, fault.Denied: one of them is not there, or not for the caller.
func (c *Control) Views(ctx context.Context, workspaces []string, do func(v *View, of []string) error) error {
	const most = 1000 // of one request
	for some := range slices.Chunk(workspaces, most) {
		out, err := Do(ctx, c, api{}.CreateCapabilities(openapi.NewCapabilities{Workspaces: some, Action: openapi.NewCapabilitiesAction(capability.ReadLedger)}))
		if err != nil {
			return fmt.Errorf("ask for the ledgers of workspaces: %w", err)
		}
		for _, one := range out.Capabilities {
			view, err := c.view(one.ViewURL, one.Token, strings.Join(one.Workspaces[:min(1, len(one.Workspaces))], ""))
			if err == nil {
				err = do(view, one.Workspaces)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
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
