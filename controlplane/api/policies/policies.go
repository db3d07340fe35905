// Package policies is the part of the API about what organizations decided about their
// configurations, and about the commits that wait for another person because of that.
//
// A policy that is broken is refused whole, when it is set. Routes about policies are
// decided by roles alone: no policy is asked about them.
package policies

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/pages"
	"weir/controlplane/api/web"
	"weir/controlplane/draft"
	"weir/controlplane/policy"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/policies"
	"weir/shared/fault"
)

// Config is what Handlers stand on. All is required.
type Config struct {
	Store  *store.Store
	Policy *policy.Policy
	Review *review.Service
	Draft  *draft.Service
}

// Handlers answer this part of the API.
type Handlers struct{ Config }

// New returns handlers.
func New(cfg Config) *Handlers { return &Handlers{cfg} }

type policyView struct {
	Name      string            `json:"name"`
	Language  policies.Language `json:"language"`
	Enabled   bool              `json:"enabled"`
	UpdatedAt time.Time         `json:"updatedAt"`
	UpdatedBy string            `json:"updatedBy"`
	Text      string            `json:"text,omitempty"` // of one that was asked for
}

func viewPolicy(p policies.Policy) policyView {
	return policyView{Name: p.Name, Language: p.Language, Enabled: p.Enabled, UpdatedAt: p.UpdatedAt, UpdatedBy: p.UpdatedBy}
}

// Policies lists those of the organization, and the names of the operator's.
func (h *Handlers) Policies(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	l, err := pages.Read(c)
	if err != nil {
		return err
	}
	if err := pages.OneOf(c, "language", string(policies.Rego), string(policies.Rules)); err != nil {
		return err
	}
	if err := pages.OneOf(c, "enabled", "true", "false"); err != nil {
		return err
	}
	list, err := h.Store.Policies().List(c.Request().Context(), string(org))
	if err != nil {
		return err
	}
	all := []policyView{}
	for _, p := range list {
		language, enabled := c.QueryParam("language"), c.QueryParam("enabled")
		if (language == "" || language == string(p.Language)) && (enabled == "" || enabled == strconv.FormatBool(p.Enabled)) {
			all = append(all, viewPolicy(p))
		}
	}
	name := func(p policyView) string { return p.Name }
	page, next := pages.Paged(l, all, name, name)
	return c.JSON(http.StatusOK, struct {
		Policies []policyView `json:"policies"`
		Operator []string     `json:"operator"`
		Next     string       `json:"next"`
	}{page, h.Review.Operator(), next})
}

// ShowPolicy shows one with its text.
func (h *Handlers) ShowPolicy(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	p, err := h.Store.Policies().Policy(c.Request().Context(), string(org), c.Param("id"))
	if err != nil {
		return err
	}
	out := viewPolicy(p)
	out.Text = p.Text
	return c.JSON(http.StatusOK, out)
}

// SetPolicy makes a policy, or puts it in the place of the one of its name. Without a text
// it enables or disables the one that is there.
func (h *Handlers) SetPolicy(c echo.Context) error {
	ctx := c.Request().Context()
	var in struct {
		Language policies.Language `json:"language"`
		Text     *string           `json:"text"`
		Enabled  *bool             `json:"enabled"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	want := policies.Policy{Organization: string(org), Name: c.Param("id"), Language: in.Language, Enabled: true}
	if in.Text == nil {
		if want, err = h.Store.Policies().Policy(ctx, string(org), want.Name); err != nil {
			return err
		}
		if in.Enabled == nil || in.Language != "" && in.Language != want.Language {
			return fault.Problems("the policy cannot be set", []fault.Problem{{Path: "text", Code: "required", Text: "Without a text a policy is enabled or disabled, and nothing else."}})
		}
	} else {
		want.Text = *in.Text
	}
	if in.Enabled != nil {
		want.Enabled = *in.Enabled
	}
	if want.Enabled || in.Text != nil { // one that is broken can be disabled
		problems, err := h.Review.Check(ctx, want)
		if err != nil {
			return err
		}
		if err := fault.Problems("the policy cannot be set", problems); err != nil {
			return err
		}
	}
	if err := h.Store.Policies().Set(ctx, web.Actor(c).String(), want); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// RemovePolicy forgets a policy.
func (h *Handlers) RemovePolicy(c echo.Context) error {
	org, err := web.Organization(c)
	if err != nil {
		return err
	}
	if err := h.Store.Policies().Remove(c.Request().Context(), web.Actor(c).String(), string(org), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
