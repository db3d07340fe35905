package web

import (
	"context"
	"net/netip"

	"github.com/labstack/echo/v4"

	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/controlplane/store/chain"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
)

const (
	actorKey        = "weir.actor"        // in echo's context
	organizationKey = "weir.organization" // in echo's context
	onlyKey         = "weir.only"         // in echo's context
)

// SetCaller says who calls, and in which organization the path names what it names:
// empty when it names none.
func SetCaller(c echo.Context, who store.Actor, org store.OrganizationID) {
	c.Set(actorKey, who)
	c.Set(organizationKey, org)
}

// Actor is who calls a guarded route.
func Actor(c echo.Context) store.Actor {
	who, _ := c.Get(actorKey).(store.Actor) // set on every guarded route
	return who
}

// SetOnly says which objects of the path's workspace the caller may change, by identifier,
// who may not change all of it.
func SetOnly(c echo.Context, objects []string) { c.Set(onlyKey, objects) }

// Only is what SetOnly said, nil where the caller may change all.
func Only(c echo.Context) []string {
	objects, _ := c.Get(onlyKey).([]string) // not set: all
	return objects
}

// requestID, in answers, names the request as the audit log does.
const requestID = "X-Request-Id"

// SetOrigin says of what the request writes where it comes from: who calls, from which
// address, and about which organization.
func SetOrigin(c echo.Context, address netip.Addr) {
	who := Actor(c)
	o := chain.Origin{ActorID: who.ID, Address: address.String(), Request: c.Response().Header().Get(requestID)}
	if org, err := Organization(c); err == nil && who.Kind != "" {
		o.Organization = string(org)
	}
	c.SetRequest(c.Request().WithContext(chain.With(c.Request().Context(), o)))
}

// Needs is what an organization asks of a sign-in that who's was not, code or provider;
// empty for nothing.
func Needs(who store.Actor, org store.OrganizationID) string {
	switch rule := who.Missing[org]; {
	case rule.Provider:
		return "provider"
	case rule.Code:
		return "code"
	}
	return ""
}

// Subject is what policy decides about the caller by.
func Subject(c echo.Context) policy.Subject { return SubjectOf(Actor(c)) }

// SubjectOf is what policy decides about somebody by.
func SubjectOf(who store.Actor) policy.Subject {
	s := policy.Subject{Grants: make([]policy.Grant, len(who.Grants))}
	for i, g := range who.Grants {
		s.Grants[i] = GrantOf(g)
	}
	if who.Scopes != nil {
		s.Scopes = actions(who.Scopes)
	}
	return s
}

// GrantOf is g as policy takes it.
func GrantOf(g store.Grant) policy.Grant {
	return policy.Grant{Role: policy.Role(g.Role), Organization: string(g.Organization), Workspace: string(g.Workspace), Object: g.Object, Actions: actions(g.Actions)}
}

func actions(names []string) []policy.Action {
	out := make([]policy.Action, len(names))
	for i, n := range names {
		out[i] = policy.Action(n)
	}
	return out
}

// Organization is the organization in which a request names what it names: that of the
// path, else the caller's only one, else default.
//
// fault.Invalid: the caller is in several and not in default.
func Organization(c echo.Context) (store.OrganizationID, error) {
	if org, _ := c.Get(organizationKey).(store.OrganizationID); org != "" {
		return org, nil
	}
	return Home(Actor(c))
}

// Home is the organization of somebody who names none: the only one, else default.
//
// fault.Invalid: there are several, and default is none of them.
func Home(who store.Actor) (store.OrganizationID, error) {
	var only store.OrganizationID
	several := false
	for _, g := range who.Grants {
		switch {
		case g.Organization == tenancy.Default:
			return tenancy.Default, nil
		case g.Organization == "" || g.Organization == only:
		case only == "":
			only = g.Organization
		default:
			several = true
		}
	}
	switch {
	case several:
		return "", fault.New(fault.Invalid, "you are in several organizations: name one, as in /api/v1/orgs/NAME/workspaces")
	case only == "":
		return tenancy.Default, nil
	}
	return only, nil
}

// Named finds the organization that a path names. One that is not there is answered
// like one that the caller is not in.
//
// fault.Denied: the caller has no role in an organization of this name.
func Named(ctx context.Context, t *tenancy.Tenancy, who store.Actor, name string) (store.OrganizationID, error) {
	org, err := t.OrganizationByName(ctx, name)
	if err != nil && fault.KindOf(err) != fault.Missing {
		return "", err
	}
	if err != nil || !SubjectOf(who).In(string(org.ID)) {
		return "", fault.New(fault.Denied, "you have no role in an organization of this name")
	}
	return org.ID, nil
}
