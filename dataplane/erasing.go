package dataplane

import (
	"weir/dataplane/enrol"
	"weir/dataplane/erasures"
	"weir/dataplane/erasures/places"
	"weir/dataplane/queue"
)

// openErasures makes what erases persons, after the loads and the profiles.
func (d *DataPlane) openErasures(k enrol.Keys) error {
	key, err := derived(k, "weir erasures 1")
	if err != nil {
		return err
	}
	cfg := erasures.Config{Table: d.store.Table("erasures"), Key: key, Owner: d.ownsProfiles, Warehouses: places.Warehouses(&d.plans, d.loading),
		Persons: places.Persons{Profiles: d.profiles, Copies: d.copies}, Name: d.plans.DestinationName, Log: d.cfg.Log}
	for n, p := range d.partitions {
		one := erasures.Partition{Store: func() (erasures.Store, error) { return p.Store() }, Quarantine: p.Quarantine(nil), Rows: p.Ledger} // which is not asked to replay
		for _, kind := range []queue.Kind{queue.Events, queue.Detour} {
			if n < len(d.store.Logs(kind)) {
				one.Logs = append(one.Logs, d.store.Log(kind, n))
			}
		}
		cfg.Partitions = append(cfg.Partitions, one)
	}
	d.erasures, err = erasures.New(cfg)
	return err
}
