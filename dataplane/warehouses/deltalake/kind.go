// Package deltalake loads into Delta tables of a schema of Databricks' Unity Catalog: rows go
// by the Files API as Parquet files into a volume, and by one MERGE over read_files, which is
// atomic, into their table, by the SQL Statement Execution API of a SQL warehouse, which
// starts by itself.
//
// It cannot run several statements as one, so Exec is not to be had. A column is widened by a
// new one that takes its place, in tables with column mapping; a crash in between is mended
// by the next load. A table that somebody else changes at the same moment is loaded again.
//
// Sources: https://docs.databricks.com/api/workspace/statementexecution,
// https://docs.databricks.com/api/workspace/files,
// https://docs.databricks.com/en/dev-tools/auth/oauth-m2m.html,
// https://docs.databricks.com/en/sql/language-manual/delta-merge-into.html,
// https://docs.databricks.com/en/sql/language-manual/functions/read_files.html,
// https://docs.databricks.com/en/delta/column-mapping.html,
// https://docs.databricks.com/en/sql/language-manual/sql-ref-information-schema.html
package deltalake

import (
	"context"
	"embed"
	"errors"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rest"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind deltalake, Databricks.
var Kind = warehouse.Define(folder, open)

// Check wants a service principal with its secret, or a token.
func (s *Settings) Check() (all []fault.Problem) {
	client, token := s.Secrets.ClientSecret.Reveal() != "", s.Secrets.Token.Reveal() != ""
	switch {
	case s.ClientID != "" && !client:
		all = append(all, fault.Problem{Path: "secrets.clientSecret", Code: "required", Text: "The service principal clientId needs an OAuth secret: give the secret clientSecret."})
	case s.ClientID == "" && client:
		all = append(all, fault.Problem{Path: "settings.clientId", Code: "required", Text: "The secret clientSecret needs the setting clientId, the application id of its service principal."})
	case s.ClientID == "" && !token:
		all = append(all, fault.Problem{Path: "settings.clientId", Code: "required", Text: "Give clientId and the secret clientSecret of a service principal, or the secret token."})
	}
	if s.ClientID != "" && token {
		all = append(all, fault.Problem{Path: "secrets.token", Code: "not_allowed", Text: "With clientId the service principal signs in: leave token out, or clientId."})
	}
	return all
}

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	a := &api{base: s.Base, client: rest.New(d.Dial), now: d.Now, settings: s}
	return &connection{api: a, settings: s, blobs: d.Blobs}, nil
}
