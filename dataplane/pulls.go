package dataplane

import (
	"context"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/health"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
)

// pulling makes the board that pulls sources; take makes their rows durable as it does
// what senders send.
func (d *DataPlane) pulling(take health.Appending) (*pull.Board, error) {
	keys := auth.New(d.client.Do)
	keys.Share(d.access)
	keys.Machine, keys.MachineToken = d.machine.Keys, d.machine.Token
	return pull.New(pull.Config{
		Table: d.store.Table("pulls"), Partitions: d.store.Partitions(), Targets: d.plans.Pulls, Append: take, Runner: d.runner("pull"), Log: d.cfg.Log,
		Owns: func(n int) bool { _, err := d.partitions[n].Store(); return err == nil },
		Deps: pull.Deps{
			Do: func(ctx context.Context, r destination.Request, timeout time.Duration, most int) (destination.Response, error) {
				return d.client.Read(ctx, r, timeout, most)
			},
			Keys: keys, Rates: &rate.Rates{}, Now: time.Now, Log: d.cfg.Log,
		},
	})
}
