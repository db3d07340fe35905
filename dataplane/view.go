package dataplane

import (
	"context"
	"time"

	"weir/dataplane/erasures/places"
	"weir/dataplane/event"
	"weir/dataplane/guard"
	"weir/dataplane/health"
	"weir/dataplane/moves"
	"weir/dataplane/partition"
	"weir/dataplane/plan"
	"weir/dataplane/preview"
	"weir/dataplane/view"
	"weir/dataplane/view/activation"
	"weir/dataplane/view/arrivals"
	"weir/dataplane/view/endpoint"
	"weir/dataplane/view/erasing"
	drafts "weir/dataplane/view/preview"
	"weir/dataplane/view/profiles"
	"weir/dataplane/view/pulls"
	"weir/dataplane/view/schedule"
	"weir/dataplane/view/warehouses"
	"weir/shared/catalog/private"
	"weir/shared/id"
	"weir/shared/script"
)

// board makes the jobs that move dead letters and quarantined events. again takes events that are replayed, as the gateway's are taken.
func (d *DataPlane) board(again health.Appending) (*moves.Board, error) {
	cfg := moves.Config{
		Table: d.store.Table("jobs"), Replay: again, Log: d.cfg.Log,
		Connected: func(e event.Event) bool { return plan.Connected(d.plans.Route, &e) },
	}
	for _, p := range d.partitions {
		cfg.Partitions = append(cfg.Partitions, moves.Partition{Dead: func() (moves.Dead, error) { return p.Store() }, Quarantine: p.Quarantine(again), Rows: p.Ledger})
	}
	return moves.New(cfg)
}

// viewConfig says what a browser or a command line may see of this plane.
func (d *DataPlane) viewConfig(g *guard.Guard) view.Config {
	started := time.Now().UTC().Truncate(time.Second)
	cfg := view.Config{
		Plane: d.plane.Plane, Key: d.plane.CapabilityKey, Origins: d.plane.Origins, Guard: g, Plans: &d.plans, Rows: d.rows, Since: func() map[id.Destination]time.Time { return partition.Since(d.partitions, time.Now()) },
		Live: &d.live, Jobs: d.moves, Previews: drafts.Previews{OfDestination: d.previewDestination, OfTransformation: d.previewTransformation}, Loading: d.elsewhere().Or,
		Warehouses: &warehouses.Loads{Plans: &d.plans, Engine: d.loading, Pauses: &d.pauses, Accepted: places.Accepted(d.store)},
		More: []func(*endpoint.Mux){activation.New(d.syncs, d.plans.DestinationName).Register, func(mux *endpoint.Mux) {
			profiles.Add(mux, d.profiles, d.copies, time.Now, d.elsewhere())
			pulls.Register(mux, d.pulls)
			arrivals.Register(mux, arrivals.Config{Counts: d.gateway.Counts, Name: d.plans.SourceName, Since: started})
			warehouses.Register(mux, &d.plans, d.loading, d.elsewhere().Or, d.backfills)
			erasing.Register(mux, erasing.Config{Board: d.erasures, Plans: &d.plans, Loads: d.loading, Expirer: d.expires, Elsewhere: d.elsewhere()})
			schedule.Register(mux, schedule.Config{Book: d.book, Pulls: d.pulls, Syncs: d.syncs, Profiles: d.profiles, Expirer: d.expires})
		}},
		Dial: d.dialer(g), Try: d.client.Try, Healthy: d.ready, Log: d.cfg.Log,
	}
	for _, p := range d.partitions {
		cfg.Dead = append(cfg.Dead, func() (view.Dead, error) { return p.Store() })
		cfg.Parked = append(cfg.Parked, p.Parked())
		cfg.Quarantine = append(cfg.Quarantine, p.Quarantine(nil)) // which only lists
	}
	return cfg
}

// elsewhere is how processes of the plane ask the one that runs the profiles.
func (d *DataPlane) elsewhere() profiles.Elsewhere {
	return profiles.Elsewhere{Several: d.cfg.Events != "", Owner: d.ownsProfiles, Relay: d.store.Relay("profiles")}
}

func (d *DataPlane) previewDestination(_ context.Context, draft drafts.Destination) ([]any, error) {
	kinds := Kinds()
	if draft.Type == private.Type {
		kind, err := kinds.Custom(draft.Spec)
		if err != nil {
			return nil, err
		}
		return preview.DraftOf(kind, draft.Settings, draft.Events)
	}
	return preview.Draft(kinds.Destinations, kinds.Layouts, draft.Type, draft.Settings, draft.Events)
}

func (d *DataPlane) previewTransformation(ctx context.Context, ws id.Workspace, draft drafts.Transformation) ([]any, error) {
	libraries := make([]script.File, len(draft.Libraries))
	for i, l := range draft.Libraries {
		libraries[i] = script.File{Name: l.Name, Code: l.Code}
	}
	return preview.DraftCode(ctx, d.compiler, d.code, ws, draft.Code, libraries, draft.Events)
}
