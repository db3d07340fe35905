// Package snowflake loads into a schema of a Snowflake database by its SQL API: rows go as
// Parquet files into an S3 bucket of the customer's, from there by COPY INTO into a temporary
// table, and by one MERGE, which is atomic, into their table.
//
// Names are in upper case, as Snowflake has them without quotes. It cannot run several
// statements that change tables as one, so Exec is not to be had. A column is widened by a
// new one that takes its place; a crash in between is mended by the next load.
//
// Sources: https://docs.snowflake.com/en/developer-guide/sql-api/reference,
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating,
// https://docs.snowflake.com/en/developer-guide/sql-api/submitting-multiple-statements,
// https://docs.snowflake.com/en/sql-reference/sql/copy-into-table,
// https://docs.snowflake.com/en/sql-reference/sql/merge,
// https://docs.snowflake.com/en/sql-reference/info-schema/columns
package snowflake

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"net/url"
	"strings"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/rest"
	"weir/dataplane/warehouse/upload"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind snowflake.
var Kind = warehouse.Define(folder, open)

// Check wants a key that can be read, and keys for the bucket or roles in their place.
func (s *Settings) Check() (all []fault.Problem) {
	if _, err := newSigner(s.Account, s.User, s.Secrets.PrivateKey.Reveal()); err != nil {
		all = append(all, fault.Problem{Path: "secrets.privateKey", Code: "malformed", Text: "The secret privateKey " + err.Error() + "."})
	}
	all = append(all, bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)...)
	if s.MachineRole && s.StorageIntegration == "" {
		all = append(all, fault.Problem{Path: "settings.storageIntegration", Code: "required", Text: "With machineRole Snowflake needs a way of its own to read the bucket: give storageIntegration."})
	}
	return all
}

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	sign, err := newSigner(s.Account, s.User, s.Secrets.PrivateKey.Reveal())
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("the private key "+err.Error()))
	}
	base, err := url.Parse(s.Base)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("the address is none"))
	}
	if strings.HasSuffix(base.Host, ".snowflakecomputing.com") { // names of hosts have no underscores
		base.Host = strings.ReplaceAll(base.Host, "_", "-")
	}
	c := bucket.Config{
		Base: cmp.Or(s.BucketURL, "https://s3."+s.Region+".amazonaws.com"), Bucket: s.Bucket, Region: s.Region, PathStyle: true,
		AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(), Dial: d.Dial, Now: d.Now,
	}
	if s.MachineRole {
		if c.Machine = d.Machine; c.Machine == nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("there is no role of a machine here"))
		}
	}
	store, err := bucket.Open(c)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	return &connection{
		settings: s, blobs: d.Blobs, to: upload.To{Store: store, Bucket: s.Bucket, Prefix: s.Prefix, Now: d.Now},
		api: &api{base: base.String(), client: rest.New(d.Dial), sign: sign, now: d.Now, settings: s},
	}, nil
}
