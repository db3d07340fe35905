// Package localdatalake keeps a data lake in the workspace's own folder of the plane.
package localdatalake

import (
	"context"
	"embed"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/dataplane/warehouse/lake/disk"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind local_datalake, a data lake on disk.
var Kind = warehouse.Define(folder, open)

// File returns the path of the folder.
func (s Settings) File() string { return s.Path }

func open(ctx context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	store, _, err := disk.Open(ctx, s.Path, d)
	if err != nil {
		return nil, err
	}
	return lake.New(lake.Config{Store: store, Hours: s.Partition == "hour", Blobs: d.Blobs}), nil
}
