package api

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/policy"
	"weir/controlplane/policy/action"
	"weir/shared/capability"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// mostObjects is how many sources or destinations a capability may name.
const mostObjects = 100

// wish is the capability that a caller asks for.
type wish struct {
	Workspace    string            `json:"workspace"`
	Action       capability.Action `json:"action"`
	Origin       string            `json:"origin"`
	Sources      []string          `json:"sources"`
	Destinations []string          `json:"destinations"`
}

// check says what is wrong with a wish in itself.
func (w wish) check() error {
	var problems []fault.Problem
	if !slices.Contains(capability.Actions(), w.Action) {
		var names []string
		for _, a := range capability.Actions() {
			names = append(names, string(a))
		}
		problems = append(problems, fault.Problem{Path: "action", Code: "unknown_action", Text: "An action is one of " + strings.Join(names, ", ") + "."})
	}
	if w.Origin != "" && !validOrigin(w.Origin) {
		problems = append(problems, fault.Problem{Path: "origin", Code: "bad_origin", Text: "An origin is a scheme and a host, such as https://console.example.com."})
	}
	for path, n := range map[string]int{"sources": len(w.Sources), "destinations": len(w.Destinations)} {
		if n > mostObjects {
			problems = append(problems, fault.Problem{Path: path, Code: "too_many", Text: fmt.Sprintf("A capability names %d at most; leave the list out for all.", mostObjects)})
		}
	}
	return fault.Problems("the capability cannot be issued", problems)
}

func (a *API) capability(c echo.Context) error {
	ctx := c.Request().Context()
	var in wish
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	ws, missing := a.cfg.Store.WorkspaceByName(ctx, org, in.Workspace)
	if missing != nil && fault.KindOf(missing) != fault.Missing {
		return missing
	}
	// Before what is missing: who has no role in a workspace hears nothing of it.
	on := policy.Resource{Organization: string(org), Workspace: string(ws.ID)}
	denied := a.cfg.Policy.Allow(ctx, web.Subject(c), action.Capability(string(in.Action)), on)
	if denied != nil && (missing != nil || fault.KindOf(denied) != fault.Denied || len(in.Sources)+len(in.Destinations) == 0) {
		return denied
	}
	if missing != nil {
		return missing
	}
	grant := capability.Grant{Workspace: ws.ID, Action: in.Action, Origin: in.Origin}
	if len(in.Sources)+len(in.Destinations) > 0 {
		latest, err := a.cfg.Store.Latest(ctx, ws.ID)
		if err != nil {
			return err
		}
		if grant.Sources, grant.Destinations, err = in.objects(latest.Config); err != nil {
			return cmp.Or(denied, err) // who has no role here learns no names
		}
	}
	if denied != nil {
		if err := a.onEach(c, grant, on); err != nil {
			return err
		}
	}
	plane, err := a.cfg.Store.Plane(ctx, ws.Plane)
	if err != nil {
		return err
	}
	grant.Plane = plane.ID
	token, expires, err := a.cfg.Authn.Capability(ctx, actor(c), grant)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"token": token, "viewUrl": plane.ViewURL, "plane": plane.ID, "expiresAt": expires})
}

// Bounds of a request for the capabilities of many workspaces.
const (
	mostWorkspaces = 1000
	mostNamed      = 8 << 10 // bytes of identifiers in one capability, which goes in a header
)

// capabilities issues capabilities for one action on many workspaces: one for each plane, or
// several where that would be too long.
func (a *API) capabilities(c echo.Context) error {
	var in struct {
		Workspaces []string          `json:"workspaces"`
		Action     capability.Action `json:"action"`
		Origin     string            `json:"origin"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	if err := (wish{Action: in.Action, Origin: in.Origin}).check(); err != nil {
		return err
	}
	var problems []fault.Problem
	if !in.Action.OfMany() {
		problems = append(problems, fault.Problem{Path: "action", Code: "unknown_action", Text: "One capability of several workspaces is for ledger:read alone; ask for others one by one."})
	}
	if n := len(in.Workspaces); n == 0 || n > mostWorkspaces {
		problems = append(problems, fault.Problem{Path: "workspaces", Code: "bad_length", Text: fmt.Sprintf("Name from 1 to %d workspaces.", mostWorkspaces)})
	}
	if err := fault.Problems("the capabilities cannot be issued", problems); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	of, err := a.overview.Named(c, org, in.Workspaces, action.Capability(string(in.Action)))
	if err != nil {
		return err
	}
	planes, err := a.cfg.Store.Planes(c.Request().Context(), "")
	if err != nil {
		return err
	}
	out := []issued{}
	for _, plane := range planes {
		mine := of[plane.ID]
		for len(mine) > 0 {
			one := issued{Plane: plane.ID, ViewURL: plane.ViewURL}
			grant := capability.Grant{Plane: plane.ID, Action: in.Action, Origin: in.Origin}
			for size := 0; len(mine) > 0 && size < mostNamed; mine = mine[1:] {
				grant.Workspaces, one.Workspaces = append(grant.Workspaces, mine[0].ID), append(one.Workspaces, mine[0].Name)
				size += len(mine[0].ID) + len(`"",`)
			}
			if one.Token, one.ExpiresAt, err = a.cfg.Authn.Capability(c.Request().Context(), actor(c), grant); err != nil {
				return err
			}
			out = append(out, one)
		}
	}
	return c.JSON(http.StatusOK, map[string]any{"capabilities": out})
}

// issued is a capability of several workspaces, as it is shown.
type issued struct {
	Token      string    `json:"token"`
	ViewURL    string    `json:"viewUrl"`
	Plane      id.Plane  `json:"plane"`
	ExpiresAt  time.Time `json:"expiresAt"`
	Workspaces []string  `json:"workspaces"` // names
}

// onEach says whether the caller, who may not in the whole workspace, may do a capability's
// action to each object that it names.
func (a *API) onEach(c echo.Context, g capability.Grant, on policy.Resource) error {
	var objects []string
	for _, s := range g.Sources {
		objects = append(objects, string(s))
	}
	for _, d := range g.Destinations {
		objects = append(objects, string(d))
	}
	for _, on.Object = range objects {
		if err := a.cfg.Policy.Allow(c.Request().Context(), web.Subject(c), action.Capability(string(g.Action)), on); err != nil {
			return err
		}
	}
	return nil
}

// objects finds what a wish names in the configuration. A name that is none is
// a problem: leaving it out could leave an empty list, which means all.
func (w wish) objects(c workspace.Config) (sources []id.Source, destinations []id.Destination, err error) {
	var problems []fault.Problem
	for n, name := range w.Sources {
		i := slices.IndexFunc(c.Sources, func(s workspace.Source) bool { return s.Name == name })
		if i < 0 {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("sources[%d]", n), Code: "unknown_source", Text: "The workspace has no source of this name."})
			continue
		}
		sources = append(sources, c.Sources[i].ID)
	}
	for n, name := range w.Destinations {
		i := slices.IndexFunc(c.Destinations, func(d workspace.Destination) bool { return d.Name == name })
		if i < 0 {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("destinations[%d]", n), Code: "unknown_destination", Text: "The workspace has no destination of this name."})
			continue
		}
		destinations = append(destinations, c.Destinations[i].ID)
	}
	return sources, destinations, fault.Problems("the capability cannot be issued", problems)
}

// validOrigin reports whether s is an origin as browsers write it.
// Source: RFC 6454, section 6.2.
func validOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= 300 && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && s == u.Scheme+"://"+u.Host
}
