// Package gcsdatalake keeps a data lake in a bucket of Google Cloud Storage, over its JSON
// interface.
//
// Sources: https://cloud.google.com/storage/docs/json_api/v1/objects/insert,
// https://cloud.google.com/storage/docs/json_api/v1/objects/get,
// https://cloud.google.com/storage/docs/request-preconditions,
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
package gcsdatalake

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"weir/dataplane/destination/serviceaccount"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/dataplane/warehouse/rest"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind gcs_datalake, a data lake on Google Cloud Storage.
var Kind = warehouse.Define(folder, open)

// Check wants credentials that can be read, or the machine's role in their place.
func (s *Settings) Check() []fault.Problem {
	return rest.CheckGoogle(s.Secrets.Credentials.Reveal(), s.MachineRole)
}

const scope = "https://www.googleapis.com/auth/devstorage.read_write"

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	c := rest.New(d.Dial)
	o := &store{s: &s, client: c, tokens: &rest.Google{Client: c, Scope: scope, Now: d.Now}}
	if s.MachineRole {
		if o.tokens.Machine = d.MachineToken; o.tokens.Machine == nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("there is no service account of a machine here"))
		}
	} else {
		var err error
		if o.tokens.Account, err = serviceaccount.Parse(s.Secrets.Credentials.Reveal()); err != nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("the secret credentials "+err.Error()))
		}
	}
	return lake.New(lake.Config{Store: o, Prefix: s.Prefix + "/", Hours: s.Partition == "hour", Blobs: d.Blobs}), nil
}

// store is the bucket as a store.
type store struct {
	s      *Settings
	client *rest.Client
	tokens *rest.Google
}

func (o *store) object(key string) string {
	return o.s.Base + "/storage/v1/b/" + url.PathEscape(o.s.Bucket) + "/o/" + url.PathEscape(key)
}

// do sends a request.
func (o *store) do(ctx context.Context, method, address string, body []byte) (*rest.Answer, error) {
	token, err := o.tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	if method == http.MethodPost {
		header.Set("Content-Type", "application/octet-stream")
	}
	return o.client.Do(ctx, method, address, header, body)
}

// Get implements lake.Store.
func (o *store) Get(ctx context.Context, key string) ([]byte, string, error) {
	answer, err := o.do(ctx, http.MethodGet, o.object(key)+"?alt=media", nil)
	switch {
	case err != nil:
		return nil, "", err
	case answer.Status == http.StatusNotFound:
		return nil, "", nil
	case answer.Status != http.StatusOK:
		return nil, "", o.refused("storage.objects.get and storage.objects.list", answer.Status)
	}
	version := answer.Header.Get("X-Goog-Generation")
	if version == "" {
		return nil, "", warehouse.Fail(warehouse.CodeUnreachable, errors.New("the store does not say of which generation an object is: the address is not that of Cloud Storage"))
	}
	return answer.Body, version, nil
}

// insert writes an object; status is that of the answer.
func (o *store) insert(ctx context.Context, key string, content []byte, more url.Values) (status int, err error) {
	args := url.Values{"uploadType": {"media"}, "name": {key}}
	for name, v := range more {
		args[name] = v
	}
	answer, err := o.do(ctx, http.MethodPost, o.s.Base+"/upload/storage/v1/b/"+url.PathEscape(o.s.Bucket)+"/o?"+args.Encode(), content)
	if err != nil {
		return 0, err
	}
	if answer.Status != http.StatusOK {
		return answer.Status, o.refused("storage.objects.create and storage.objects.delete", answer.Status)
	}
	return answer.Status, nil
}

// Put implements lake.Store.
func (o *store) Put(ctx context.Context, key string, content []byte) error {
	_, err := o.insert(ctx, key, content, nil)
	return err
}

// Swap implements lake.Store.
func (o *store) Swap(ctx context.Context, key string, content []byte, version string) error {
	if version == "" {
		version = "0"
	}
	status, err := o.insert(ctx, key, content, url.Values{"ifGenerationMatch": {version}})
	if status == http.StatusPreconditionFailed {
		return lake.ErrChanged
	}
	return err
}

// Delete implements lake.Store.
func (o *store) Delete(ctx context.Context, key string) error {
	answer, err := o.do(ctx, http.MethodDelete, o.object(key), nil)
	if err == nil && answer.Status >= http.StatusMultipleChoices && answer.Status != http.StatusNotFound {
		err = o.refused("storage.objects.delete", answer.Status)
	}
	return err
}

// Close implements lake.Store.
func (o *store) Close() error {
	o.client.Close()
	return nil
}

func (o *store) refused(right string, status int) error {
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the bucket %s refuses the service account (status %d): it needs %s there, as the role roles/storage.objectUser has", o.s.Bucket, status, right))
	case http.StatusNotFound:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("there is no bucket %s", o.s.Bucket))
	}
	return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the bucket %s answers with status %d", o.s.Bucket, status))
}
