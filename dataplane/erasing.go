package dataplane

import "weir/dataplane/view/erasing"

// erasing is where the plane keeps what may be erased.
func (d *DataPlane) erasing() erasing.Config {
	cfg := erasing.Config{Plans: &d.plans, Loads: d.loading, Expirer: d.expires, Rows: d.rows, Profiles: d.profiles, Copies: d.copies}
	for _, p := range d.partitions {
		cfg.Dead = append(cfg.Dead, func() (erasing.Dead, error) { return p.Store() })
		cfg.Quarantine = append(cfg.Quarantine, p.Quarantine(nil)) // which is not asked to replay
	}
	return cfg
}
