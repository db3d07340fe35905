package fleet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/workspace"
)

const crm = `family: destination
name: crm
title: CRM
doc: Ours.
base: { any: "https://crm.example" }
codes:
  - { name: crm_full, doc: the list is full }
  - { name: crm_away, doc: it sleeps }
calls: [{ on: { type: [track] }, path: /events, body: { name: event } }]
`

// TestCodesOfAnOwnSpecHaveTheirNames: they came as their places in it.
func TestCodesOfAnOwnSpecHaveTheirNames(t *testing.T) {
	t.Parallel()
	d := open(t)
	p := d.admit(t, "eu", "one", store.Regional)
	c := workspace.Config{
		Format: workspace.Format, Workspace: id.New[id.Workspace](), Name: "shop", Region: "eu",
		Sources:      []workspace.Source{{ID: id.New[id.Source](), Name: "web", Type: "http", WriteKey: "wk_own"}},
		Destinations: []workspace.Destination{{ID: id.New[id.Destination](), Name: "crm", Type: "custom", Spec: crm}, {ID: id.New[id.Destination](), Name: "hook", Type: "webhook"}},
	}
	body, digest, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.AppendRevision(t.Context(), admin, store.Commit{
		Workspace: store.Workspace{Organization: store.DefaultOrganization, ID: c.Workspace, Name: c.Name, Region: c.Region, Plane: p.Plane},
		Config:    c, Digest: digest, Body: body,
	}); err != nil {
		t.Fatal(err)
	}
	own, hook := c.Destinations[0].ID, c.Destinations[1].ID
	count := func(of id.Destination, dropped map[wire.Code]uint64) wire.Count {
		return wire.Count{Workspace: c.Workspace, Source: c.Sources[0].ID, Destination: of, Dropped: dropped, Balanced: true}
	}
	err = d.FoldBeat(t.Context(), wire.Beat{
		Plane: p.Plane, At: d.clock(), Version: "1.0.0", Healthy: true,
		Alarms: []wire.Alarm{{Code: "destination_down", Workspace: c.Workspace, Count: 1, Objects: []string{string(own)}, Reason: "custom_code_2"}},
		Counts: []wire.Count{
			count(own, map[wire.Code]uint64{"custom_code_1": 3, "custom_code_8": 2, "expired": 1}),
			count(hook, map[wire.Code]uint64{"custom_code_1": 4}),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := d.store.Plane(t.Context(), p.Plane)
	if err != nil || len(kept.Alarms) != 1 || kept.Alarms[0].Reason != "crm_away" {
		t.Errorf("alarms %+v, %v", kept.Alarms, err)
	}
	counts, err := d.store.Counts(t.Context(), p.Plane)
	if err != nil {
		t.Fatal(err)
	}
	got := map[id.Destination]map[wire.Code]uint64{}
	for _, c := range counts {
		got[c.Destination] = c.Dropped
	}
	want := map[id.Destination]map[wire.Code]uint64{own: {"crm_full": 3, wire.Undeclared: 2, "expired": 1}, hook: {wire.Undeclared: 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
}
