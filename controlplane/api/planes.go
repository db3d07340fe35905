package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/fleet"
	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

func (a *API) invite(c echo.Context) error {
	var in struct {
		Region       string          `json:"region"`
		Kind         store.PlaneKind `json:"kind"`
		Organization string          `json:"organization"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	owner, err := a.owner(c, in.Kind, in.Organization)
	if err != nil {
		return err
	}
	token, made, err := a.cfg.Fleet.Invite(c.Request().Context(), actor(c), in.Region, in.Kind, owner)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"token": token, "region": made.Region, "expiresAt": made.ExpiresAt.UTC()})
}

// owner is the organization that a plane of this kind will belong to.
//
// fault.Missing: there is none of this name.
func (a *API) owner(c echo.Context, kind store.PlaneKind, name string) (id.Organization, error) {
	if name != "" { // a regional plane with one is refused later
		org, err := a.cfg.Store.Tenancy().OrganizationByName(c.Request().Context(), name)
		return id.Organization(org.ID), err
	}
	if kind != store.Private {
		return "", nil
	}
	org, err := web.Organization(c)
	if err != nil {
		err = fault.New(fault.Invalid, "you are in several organizations: say in organization which of them the private plane belongs to")
	}
	return id.Organization(org), err
}

func (a *API) removePlane(c echo.Context) error {
	if err := a.cfg.Fleet.Remove(c.Request().Context(), actor(c), c.Param("plane")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *API) join(c echo.Context) error {
	var in struct {
		Token               string      `json:"token"`
		Name                string      `json:"name"`
		IdentityKey         []byte      `json:"identityKey"`
		SealingKey          []byte      `json:"sealingKey"`
		SealingKeySignature []byte      `json:"sealingKeySignature"`
		NATSKey             string      `json:"natsKey"`
		GatewayURL          string      `json:"gatewayUrl"`
		ViewURL             string      `json:"viewUrl"`
		Version             string      `json:"version"`
		Kinds               []wire.Kind `json:"kinds"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	joined, err := a.cfg.Fleet.Join(c.Request().Context(), fleet.Application{
		Token: in.Token, Name: in.Name, IdentityKey: in.IdentityKey, SealingKey: secret.PublicKey(in.SealingKey),
		SealingKeySignature: in.SealingKeySignature, NATSKey: in.NATSKey, GatewayURL: in.GatewayURL, ViewURL: in.ViewURL,
		Version: in.Version, Kinds: in.Kinds,
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct {
		Plane         id.Plane `json:"plane"`
		Region        string   `json:"region"`
		Hub           string   `json:"hub"`
		JWT           string   `json:"jwt"`
		ControlKey    []byte   `json:"controlKey"`
		CapabilityKey []byte   `json:"capabilityKey"`
		Origins       []string `json:"origins"`
	}{joined.Plane, joined.Region, joined.Hub, joined.JWT, joined.ControlKey, joined.CapabilityKey, append([]string{}, joined.Origins...)})
}
