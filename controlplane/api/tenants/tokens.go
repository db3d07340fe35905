package tenants

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/policy"
	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
)

type tokenView struct {
	ID         store.TokenID `json:"id"`
	Name       string        `json:"name"`
	Role       string        `json:"role,omitempty"`      // of a token without an owner
	Workspace  string        `json:"workspace,omitempty"` // its name; the identifier of one that is gone
	Owner      string        `json:"owner,omitempty"`
	Scopes     []string      `json:"scopes,omitempty"`
	CreatedAt  time.Time     `json:"createdAt"`
	ExpiresAt  *time.Time    `json:"expiresAt,omitempty"`
	LastUsedAt *time.Time    `json:"lastUsedAt,omitempty"`
	Token      string        `json:"token,omitempty"` // of one that was just made
}

func viewToken(t store.APIToken, workspaces map[id.Workspace]string) tokenView {
	v := tokenView{ID: t.ID, Name: t.Name, Owner: t.Owner, Scopes: t.Scopes, CreatedAt: t.CreatedAt, Role: roleIn(t.Grants, t.Organization)}
	for _, g := range t.Grants {
		if g.Workspace != "" {
			v.Workspace = string(g.Workspace)
			if name, ok := workspaces[g.Workspace]; ok {
				v.Workspace = name
			}
		}
	}
	if !t.ExpiresAt.IsZero() {
		v.ExpiresAt = &t.ExpiresAt
	}
	if !t.LastUsedAt.IsZero() {
		v.LastUsedAt = &t.LastUsedAt
	}
	return v
}

// Tokens lists the tokens of the organization.
func (h *Handlers) Tokens(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	return h.listTokens(c, org, "")
}

// listTokens answers with the tokens of an organization, or of an owner.
func (h *Handlers) listTokens(c echo.Context, org store.OrganizationID, owner string) error {
	ctx := c.Request().Context()
	tokens, err := h.Store.Tokens(ctx, org, owner)
	if err != nil {
		return err
	}
	workspaces, err := h.names(c, org)
	if err != nil {
		return err
	}
	out := make([]tokenView, len(tokens))
	for i, t := range tokens {
		out[i] = viewToken(t, workspaces)
	}
	return pages.Answer(c, "tokens", out, func(t tokenView) string { return t.Name }, func(t tokenView) string { return string(t.ID) })
}

// names are those of the workspaces of an organization.
func (h *Handlers) names(c echo.Context, org store.OrganizationID) (map[id.Workspace]string, error) {
	list, err := h.Store.Workspaces(c.Request().Context(), org)
	out := map[id.Workspace]string{}
	for _, ws := range list {
		out[ws.ID] = ws.Name
	}
	return out, err
}

// limits are what a new token is limited to.
type limits struct {
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expiresAt"`
}

// onto gives t its limits. A caller that is limited itself gives no more than it has.
func (h *Handlers) onto(c echo.Context, l limits, t *store.APIToken) error {
	var problems []fault.Problem
	for i, s := range l.Scopes {
		if !slices.Contains(h.Policy.Actions(), policy.Action(s)) {
			problems = append(problems, fault.Problem{Path: "scopes[" + strconv.Itoa(i) + "]", Code: "unknown_action", Text: "A scope is an action, such as workspace:read."})
		}
	}
	if err := fault.Problems("the token cannot be made", problems); err != nil {
		return err
	}
	t.Scopes = l.Scopes
	if len(l.Scopes) == 0 {
		t.Scopes = nil
	}
	if mine := web.Actor(c).Scopes; mine != nil {
		if t.Scopes == nil {
			t.Scopes = mine
		}
		for _, s := range t.Scopes {
			if !slices.Contains(mine, s) {
				return fault.New(fault.Denied, "your token's scopes do not have %s, so the new one cannot", s)
			}
		}
	}
	if l.ExpiresAt != nil {
		t.ExpiresAt = *l.ExpiresAt
	}
	return nil
}

// CreateToken makes a token of the organization with a role of its own, or of a service
// account that it names.
func (h *Handlers) CreateToken(c echo.Context) error {
	var in struct {
		Name      string `json:"name"`
		Role      string `json:"role"`
		Workspace string `json:"workspace"`
		limits
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	g, err := h.grant(c, giving{Role: in.Role, Workspace: in.Workspace})
	if err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	t := store.APIToken{Organization: org, Name: in.Name, Grants: []store.Grant{g}}
	if err := h.onto(c, in.limits, &t); err != nil {
		return err
	}
	return h.issue(c, t)
}

func (h *Handlers) issue(c echo.Context, t store.APIToken) error {
	made, value, err := h.Authn.IssueToken(c.Request().Context(), web.Actor(c), t)
	if err != nil {
		return err
	}
	workspaces, err := h.names(c, made.Organization)
	if err != nil {
		return err
	}
	v := viewToken(made, workspaces)
	v.Token = value
	return c.JSON(http.StatusOK, v)
}

// DeleteToken revokes a token of the organization.
func (h *Handlers) DeleteToken(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := h.Store.DeleteToken(c.Request().Context(), web.Actor(c), org, "", store.TokenID(c.Param("id"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// myself is the caller, or whom the caller's token acts for.
func myself(c echo.Context) (string, error) {
	who := web.Actor(c)
	switch {
	case who.Kind == store.ByPerson:
		return who.ID, nil
	case who.Owner != "":
		return who.Owner, nil
	}
	return "", fault.New(fault.Denied, "this token is nobody's: sign in")
}

// MyTokens lists the caller's own tokens, which may what the caller may.
func (h *Handlers) MyTokens(c echo.Context) error {
	me, err := myself(c)
	if err != nil {
		return err
	}
	return h.listTokens(c, "", me)
}

// CreateMyToken makes a token that may what the caller may.
func (h *Handlers) CreateMyToken(c echo.Context) error {
	var in struct {
		Name string `json:"name"`
		limits
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	me, err := myself(c)
	if err != nil {
		return err
	}
	t := store.APIToken{Owner: me, Name: in.Name, Proof: web.Actor(c).Proof}
	if strings.HasPrefix(me, "sva_") { // its organization lists its tokens
		if t.Organization, err = web.Organization(c); err != nil {
			return err
		}
	}
	if err := h.onto(c, in.limits, &t); err != nil {
		return err
	}
	return h.issue(c, t)
}

// DeleteMyToken revokes one of the caller's own tokens.
func (h *Handlers) DeleteMyToken(c echo.Context) error {
	me, err := myself(c)
	if err != nil {
		return err
	}
	if err := h.Store.DeleteToken(c.Request().Context(), web.Actor(c), "", me, store.TokenID(c.Param("id"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
