// Package bq loads into a dataset of Google BigQuery by its REST interface: rows go as Parquet
// files by load jobs, which need no bucket, into a table for the load alone that expires, and
// by one MERGE, which is atomic, into their table. Tables are in partitions by the day of
// received_at, and clustered by id.
//
// It cannot take back statements that make tables, so Exec is not to be had. A column is
// widened by a new one that takes its place; a crash in between is mended by the next load.
// What exceeds a quota is tried again by the next load.
//
// Sources: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/insert,
// https://cloud.google.com/bigquery/docs/reference/api-uploads,
// https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults,
// https://cloud.google.com/bigquery/docs/reference/rest/v2/tables,
// https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet,
// https://cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax,
// https://cloud.google.com/bigquery/docs/error-messages
package bq

import (
	"context"
	"embed"
	"errors"

	"weir/dataplane/destination/serviceaccount"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rest"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind bq, Google BigQuery.
var Kind = warehouse.Define(folder, open)

// Check wants credentials that can be read, or the machine's role in their place.
func (s *Settings) Check() []fault.Problem {
	return rest.CheckGoogle(s.Secrets.Credentials.Reveal(), s.MachineRole)
}

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	a := &api{base: s.Base + "/bigquery/v2/projects/" + s.Project, uploads: s.Base + "/upload/bigquery/v2/projects/" + s.Project, client: rest.New(d.Dial), settings: s}
	a.tokens = &rest.Google{Client: a.client, Scope: scope, Now: d.Now}
	if s.MachineRole {
		if a.tokens.Machine = d.MachineToken; a.tokens.Machine == nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("there is no service account of a machine here"))
		}
	} else {
		var err error
		if a.tokens.Account, err = serviceaccount.Parse(s.Secrets.Credentials.Reveal()); err != nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("the secret credentials "+err.Error()))
		}
	}
	return &connection{api: a, settings: s, blobs: d.Blobs}, nil
}
