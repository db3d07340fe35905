package dataplane

import (
	"weir/dataplane/enrol"
	"weir/dataplane/erasures"
	"weir/dataplane/erasures/places"
)

// openErasures makes what erases persons, after the loads and the profiles.
func (d *DataPlane) openErasures(k enrol.Keys) error {
	key, err := derived(k, "weir erasures 1")
	if err != nil {
		return err
	}
	d.erasures, err = erasures.New(erasures.Config{Table: d.store.Table("erasures"), Key: key, Owner: d.ownsProfiles, Warehouses: places.Warehouses(&d.plans, d.loading),
		Persons: places.Persons{Profiles: d.profiles, Copies: d.copies}, Name: d.plans.DestinationName, Log: d.cfg.Log, Partitions: places.Partitions(d.partitions, d.store, d.cfg.Events != "")})
	return err
}
