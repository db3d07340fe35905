package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"weir/controlplane/api/web"
	"weir/controlplane/fleet"
	"weir/controlplane/store"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
)

func (a *API) catalog(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"kinds": a.cfg.Catalog})
}

type planeView struct {
	ID                  id.Plane        `json:"id"`
	Name                string          `json:"name"`
	Region              string          `json:"region"`
	Kind                store.PlaneKind `json:"kind"`
	Version             string          `json:"version"`
	SealingKey          []byte          `json:"sealingKey"`
	SealingKeySignature []byte          `json:"sealingKeySignature"`
	IdentityKey         []byte          `json:"identityKey"`
	Fingerprint         string          `json:"fingerprint"`
	GatewayURL          string          `json:"gatewayUrl"`
	ViewURL             string          `json:"viewUrl"`
	LastBeat            *time.Time      `json:"lastBeat"`
	Healthy             bool            `json:"healthy"`
	Alarms              []wire.Alarm    `json:"alarms"`
	Workspaces          []standingView  `json:"workspaces"`
	Counts              []wire.Count    `json:"counts"`
}

type standingView struct {
	Workspace string `json:"workspace"`
	Wanted    uint64 `json:"wanted"`
	standing
}

// standing is what a plane made of the revision that it has to run.
type standing struct {
	Applied uint64 `json:"applied"` // the number that it acknowledged as applied, else the one that it runs
	Running uint64 `json:"running"`
	State   string `json:"state"` // applied, rejected, pending or none
}

func stand(wanted uint64, ack wire.Ack) standing {
	s := standing{Applied: ack.Running, Running: ack.Running, State: "pending"}
	if ack.State == wire.Applied {
		s.Applied = ack.Number
	}
	switch {
	case wanted == 0:
		s.State = "none"
	case ack.Number >= wanted:
		s.State = string(ack.State)
	}
	return s
}

// listPlanes returns the planes of a region, or all when region is empty, with
// what they report of the workspaces that the caller may read and of none in particular.
func (a *API) listPlanes(c echo.Context, region string) ([]planeView, error) {
	list, err := a.cfg.Fleet.List(c.Request().Context(), region)
	if err != nil {
		return nil, err
	}
	org, err := web.Organization(c)
	if err != nil && fault.KindOf(err) != fault.Invalid {
		return nil, err
	}
	readable, err := a.readable(c, org) // of several organizations none: planes alone are asked for
	if err != nil {
		return nil, err
	}
	out := make([]planeView, len(list))
	for i, p := range list {
		v := planeView{
			ID: p.ID, Name: p.Name, Region: p.Region, Kind: p.Kind, Version: p.Version,
			SealingKey: p.SealingKey, SealingKeySignature: p.SealingKeySignature, IdentityKey: p.IdentityKey, Fingerprint: p.Fingerprint,
			GatewayURL: p.GatewayURL, ViewURL: p.ViewURL, Healthy: p.Healthy,
			Alarms: []wire.Alarm{}, Counts: []wire.Count{}, Workspaces: []standingView{},
		}
		if !p.LastBeat.IsZero() {
			v.LastBeat = &p.LastBeat
		}
		for _, alarm := range p.Alarms {
			if alarm.Workspace == "" || readable(alarm.Workspace) {
				v.Alarms = append(v.Alarms, alarm)
			}
		}
		for _, count := range p.Counts {
			if readable(count.Workspace) {
				v.Counts = append(v.Counts, count)
			}
		}
		for _, w := range p.Workspaces {
			if readable(w.ID) {
				v.Workspaces = append(v.Workspaces, standingView{w.Name, w.Number, stand(w.Number, w.Ack)})
			}
		}
		out[i] = v
	}
	return out, nil
}

func (a *API) planes(c echo.Context) error {
	planes, err := a.listPlanes(c, c.QueryParam("region"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"planes": planes})
}

func (a *API) invite(c echo.Context) error {
	var in struct {
		Region string          `json:"region"`
		Kind   store.PlaneKind `json:"kind"`
	}
	if err := web.Decode(c, &in); err != nil {
		return err
	}
	token, made, err := a.cfg.Fleet.Invite(c.Request().Context(), actor(c), in.Region, in.Kind, "")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"token": token, "region": made.Region, "expiresAt": made.ExpiresAt.UTC()})
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
