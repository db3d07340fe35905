package dataplane

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"weir/dataplane/enrol"
	"weir/dataplane/jobs"
	"weir/dataplane/jobs/temporal"
)

// runner makes the runner of the jobs of a kind, which are in the plane's book.
func (d *DataPlane) runner(kind string) func(jobs.Config) jobs.Runner {
	return d.book.Runner(func(c jobs.Config) jobs.Runner {
		if d.histories != nil {
			return d.histories.Runner(kind, c)
		}
		return jobs.NewLoop(c)
	})
}

// openHistories makes what runs jobs by a Temporal server, nil without one. All processes of
// the plane seal histories with a key that they derive from the plane's.
func (d *DataPlane) openHistories(k enrol.Keys) error {
	if !d.cfg.Temporal.Given() {
		return nil
	}
	key, err := derived(k, "weir job histories 1")
	if err != nil {
		return err
	}
	d.histories, err = temporal.New(temporal.Config{Server: d.cfg.Temporal, Plane: d.plane.Plane, Key: key, Log: d.cfg.Log})
	return err
}

// derived is a key of 32 bytes for a purpose, the same in all processes of the plane.
func derived(k enrol.Keys, purpose string) ([]byte, error) {
	raw, err := k.Sealing.Bytes()
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", purpose, err)
	}
	return hkdf.Key(sha256.New, raw, nil, purpose, 32)
}
