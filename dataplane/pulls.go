package dataplane

import (
	"path/filepath"
	"time"

	"weir/dataplane/connector"
	"weir/dataplane/guard"
	"weir/dataplane/health"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/outbound/rate"
	"weir/dataplane/pull"
)

// pulling makes the board that pulls sources; take makes their rows durable as it does
// what senders send.
func (d *DataPlane) pulling(g *guard.Guard, take health.Appending) (*pull.Board, error) {
	keys := auth.New(d.client.Do)
	keys.Share(d.access)
	keys.Machine, keys.MachineToken = d.machine.Keys, d.machine.Token
	dial := d.dialer(g)
	return pull.New(pull.Config{
		Table: d.store.Table("pulls"), Partitions: d.store.Partitions(), Targets: d.plans.Pulls, Append: take, Runner: d.runner("pull"), Log: d.cfg.Log,
		Owns: func(n int) bool { _, err := d.partitions[n].Store(); return err == nil },
		Deps: pull.Deps{
			Do: d.client.Read, Dial: dial, Keys: keys, Rates: &rate.Rates{}, Now: time.Now, Log: d.cfg.Log,
			Connectors: connector.New(connector.Config{Dir: d.cfg.Connectors, Logs: filepath.Join(d.cfg.DataDir, "connectors"), Dial: dial, Log: d.cfg.Log}),
		},
	})
}
