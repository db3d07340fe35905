// Package s3datalake keeps a data lake in a bucket of a store that speaks S3's HTTP API.
package s3datalake

import (
	"context"
	"embed"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/dataplane/warehouse/lake/s3"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind s3_datalake, a data lake on Amazon S3.
var Kind = warehouse.Define(folder, open)

// Check wants keys, or the machine's role in their place.
func (s *Settings) Check() []fault.Problem {
	return bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)
}

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	store, err := s3.Open(bucket.Config{
		Base: s.Base, Bucket: s.Bucket, Region: s.Region, PathStyle: s.PathStyle,
		AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(),
	}, s.Prefix, s.MachineRole, d)
	if err != nil {
		return nil, err
	}
	return lake.New(lake.Config{Store: store, Prefix: s.Prefix + "/", Hours: s.Partition == "hour", Blobs: d.Blobs}), nil
}
