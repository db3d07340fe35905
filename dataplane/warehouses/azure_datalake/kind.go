// Package azuredatalake keeps a data lake in a container of an Azure storage account.
//
// Sources: https://learn.microsoft.com/rest/api/storageservices/put-blob,
// https://learn.microsoft.com/rest/api/storageservices/get-blob,
// https://learn.microsoft.com/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations,
// https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes
package azuredatalake

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"weir/dataplane/httpsend"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
	"weir/shared/fault"
)

//go:embed spec.yaml layout.yaml reserved.txt
var folder embed.FS

// Kind is the kind azure_datalake, a data lake on Azure.
var Kind = warehouse.Define(folder, open)

// Check wants one of the secrets.
func (s *Settings) Check() []fault.Problem {
	key, sas := s.Secrets.AccountKey.Reveal(), s.Secrets.SasToken.Reveal()
	switch {
	case key == "" && sas == "":
		return []fault.Problem{{Path: "secrets.accountKey", Code: "required", Text: "Give the secret accountKey, or sasToken in its place."}}
	case key != "" && sas != "":
		return []fault.Problem{{Path: "secrets.sasToken", Code: "not_allowed", Text: "Give accountKey or sasToken, not both."}}
	case key == "":
		return nil
	}
	if _, err := base64.StdEncoding.DecodeString(key); err != nil {
		return []fault.Problem{{Path: "secrets.accountKey", Code: "malformed", Text: "The secret accountKey is no key of a storage account: it is in Base64."}}
	}
	return nil
}

func open(_ context.Context, s Settings, d warehouse.Deps) (warehouse.Warehouse, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	transport := httpsend.New(httpsend.Config{Dial: d.Dial, Standard: true})
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: sends{transport},
		Retry:     policy.RetryOptions{MaxRetries: -1}, // loads are tried again
		Telemetry: policy.TelemetryOptions{ApplicationID: "Weir/1"},
		// A proxy or a test may have no TLS; the kind's own address does.
		InsecureAllowCredentialWithHTTP: true,
	}}
	o := &store{s: &s, transport: transport}
	address := s.Base + "/" + s.Container
	var err error
	if key := s.Secrets.AccountKey.Reveal(); key != "" {
		var signs *container.SharedKeyCredential
		if signs, err = container.NewSharedKeyCredential(s.Account, key); err == nil {
			o.client, err = container.NewClientWithSharedKeyCredential(address, signs, options)
		}
	} else {
		o.client, err = container.NewClientWithNoCredential(address+"?"+strings.TrimPrefix(s.Secrets.SasToken.Reveal(), "?"), options)
	}
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("the account's key or the signature is none"))
	}
	return lake.New(lake.Config{Store: o, Prefix: s.Prefix + "/", Hours: s.Partition == "hour", Blobs: d.Blobs}), nil
}

// sends sends the requests of the vendor's library; it follows no redirect.
type sends struct{ *httpsend.Transport }

// Do implements policy.Transporter.
func (s sends) Do(r *http.Request) (*http.Response, error) { return s.RoundTrip(r) }

// store is the container as a store.
type store struct {
	s         *Settings
	client    *container.Client
	transport *httpsend.Transport
}

// maxObject is how much is read of an object, in bytes.
const maxObject = 16 << 20

// Get implements lake.Store.
func (o *store) Get(ctx context.Context, key string) ([]byte, string, error) {
	res, err := o.client.NewBlobClient(key).DownloadStream(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", o.failed("Read and List", err)
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	content, err := io.ReadAll(io.LimitReader(res.Body, maxObject+1))
	switch {
	case err != nil:
		return nil, "", o.failed("Read and List", err)
	case len(content) > maxObject || res.ETag == nil:
		return nil, "", warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("the object %s has more than %d bytes, or no entity tag", key, maxObject))
	}
	return content, string(*res.ETag), nil
}

// Put implements lake.Store.
func (o *store) Put(ctx context.Context, key string, content []byte) error {
	return o.upload(ctx, key, content, nil)
}

func (o *store) upload(ctx context.Context, key string, content []byte, when *blob.ModifiedAccessConditions) error {
	options := &blockblob.UploadOptions{}
	if when != nil {
		options.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: when}
	}
	_, err := o.client.NewBlockBlobClient(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(content)), options)
	return o.failed("Create and Write", err)
}

// Swap implements lake.Store.
func (o *store) Swap(ctx context.Context, key string, content []byte, version string) error {
	tag, any := azcore.ETag(version), azcore.ETagAny
	when := &blob.ModifiedAccessConditions{IfMatch: &tag}
	if version == "" {
		when = &blob.ModifiedAccessConditions{IfNoneMatch: &any}
	}
	err := o.upload(ctx, key, content, when)
	if bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.BlobAlreadyExists) {
		return lake.ErrChanged
	}
	return err
}

// Delete implements lake.Store.
func (o *store) Delete(ctx context.Context, key string) error {
	_, err := o.client.NewBlobClient(key).Delete(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil
	}
	return o.failed("Delete", err)
}

// Close implements lake.Store.
func (o *store) Close() error {
	o.transport.CloseIdleConnections()
	return nil
}

// failed gives an error of the library its code. It keeps the library's error, which
// bloberror knows; its text has the address without the signature.
func (o *store) failed(right string, err error) error {
	var refused *azcore.ResponseError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("reach the storage account %s: %w", o.s.Account, err))
	}
	say := func(code, format string, args ...any) error {
		return warehouse.Fail(code, said{text: fmt.Sprintf(format, args...) + fmt.Sprintf(" (%d %s)", refused.StatusCode, refused.ErrorCode), err: err})
	}
	switch {
	case bloberror.HasCode(err, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted):
		return say(warehouse.CodeUnreachable, "there is no container %s in the storage account %s", o.s.Container, o.s.Account)
	case bloberror.HasCode(err, bloberror.AuthenticationFailed):
		return say(warehouse.CodeAuth, "the storage account %s does not know the key, or the signature has ended: put a new one in its place", o.s.Account)
	case refused.StatusCode == http.StatusForbidden || refused.StatusCode == http.StatusUnauthorized:
		return say(warehouse.CodeAuth, "the container %s refuses this: the signature needs the permissions %s, and the account's firewall has to let the plane in", o.s.Container, right)
	}
	return say(warehouse.CodeUnreachable, "the storage account %s refuses a request", o.s.Account)
}

// said is an error of the library in other words: its own text has the whole answer.
type said struct {
	text string
	err  error
}

func (s said) Error() string { return s.text }

// Unwrap returns the library's error.
func (s said) Unwrap() error { return s.err }
