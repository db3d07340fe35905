// Package iceberg keeps events in tables of Apache Iceberg, whose files are in a bucket of a
// store that speaks S3's HTTP API or in the workspace's own folder of the plane, and whose
// catalogue is files beside them or a server of Iceberg's REST interface.
//
// It needs the program weir-iceberg beside weir. A load is one commit for each table, once. It
// refuses tables that have a column without which no row may be, or whose partitions are not
// days or hours of received_at, and types of columns that would have to be other than wider.
package iceberg

import (
	"context"
	"embed"
	"strings"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/dataplane/warehouse/lake/disk"
	"weir/dataplane/warehouse/lake/iceberg"
	"weir/dataplane/warehouse/lake/s3"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind iceberg, tables of Apache Iceberg.
var Kind = warehouse.Define(folder, open)

// File returns the path of the folder; empty for a bucket.
func (s Settings) File() string { return s.Path }

// Check wants a bucket with its keys or the machine's role, or a path, and a way to sign in at
// a catalogue that is a server.
func (s *Settings) Check() (all []fault.Problem) {
	add := func(path, code, text string) {
		all = append(all, fault.Problem{Path: path, Code: code, Text: text})
	}
	switch {
	case s.Bucket == "" && s.Path == "":
		add("settings.bucket", "required", "Say where the tables' files go: bucket, or path for a folder of the data plane.")
	case s.Bucket != "" && s.Path != "":
		add("settings.path", "not_allowed", "The tables' files are in a bucket: leave path out, or bucket.")
	case s.Path != "" && s.CatalogURL != "":
		add("settings.catalogUrl", "not_allowed", "A catalogue's server has its tables in a bucket: give bucket in the place of path, or leave catalogUrl out.")
	}
	if s.Path == "" || s.MachineRole { // a folder needs nobody to sign in
		all = append(all, bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)...)
	}
	if token, credential := s.Secrets.CatalogToken.Reveal(), s.Secrets.CatalogCredential.Reveal(); token != "" && credential != "" {
		add("secrets.catalogCredential", "not_allowed", "Give catalogToken or catalogCredential, not both.")
	} else if s.CatalogURL == "" && token+credential != "" {
		add("settings.catalogUrl", "required", "Give the address of the catalogue that the secrets are for, or leave them out.")
	}
	return all
}

func open(ctx context.Context, s Settings, d warehouse.Deps) (_ warehouse.Warehouse, err error) {
	c := iceberg.Config{Namespace: s.Namespace, Dial: d.Dial, Every: int(s.CompactEvery), Keep: s.KeepSnapshots.Std(), Log: d.Log}
	prefix := ""
	if s.Path != "" {
		if c.Store, c.Root, err = disk.Open(ctx, s.Path, d); err != nil {
			return nil, err
		}
		c.Location = c.Root
	} else {
		c.Store, err = s3.Open(bucket.Config{
			Base: s.Base, Bucket: s.Bucket, Region: s.Region, PathStyle: s.PathStyle,
			AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(),
		}, s.Prefix, s.MachineRole, d)
		if err != nil {
			return nil, err
		}
		prefix = s.Prefix + "/"
		c.Root = "s3://" + s.Bucket
		c.Location = c.Root + "/" + s.Prefix
	}
	if s.CatalogURL != "" {
		c.REST = &iceberg.REST{
			URL: strings.TrimSuffix(s.CatalogURL, "/"), Warehouse: s.CatalogWarehouse, Scope: s.CatalogScope, AuthURL: s.CatalogAuthURL,
			Token: s.Secrets.CatalogToken.Reveal(), Credential: s.Secrets.CatalogCredential.Reveal(),
		}
	}
	tables, err := iceberg.New(c)
	if err != nil {
		_ = c.Store.Close() // it was only opened
		return nil, err
	}
	return lake.New(lake.Config{Store: c.Store, Prefix: prefix, Blobs: d.Blobs, Tables: tables}), nil
}
