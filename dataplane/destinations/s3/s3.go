// Package s3 writes events as files into a bucket of a store that speaks S3's HTTP API.
//
// Events wait in the plane's STAGE log until the interval is over. A file's key comes from
// the name of its batch, which is the same after a crash, so that a file that was written
// twice is there once.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
package s3

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"weir/dataplane/bucket"
	"weir/dataplane/destination"
	"weir/dataplane/destination/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind s3.
var Kind = destination.DefineSink(spec, open)

// sink is an open destination.
type sink struct {
	settings Settings
	store    *bucket.Bucket
}

// Check wants keys, or the machine's role in their place.
func (s *Settings) Check() []fault.Problem {
	return bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	secured, err := trust.Of(s.SSLRootCert, s.SSLCert, s.Secrets.SSLKey)
	if err != nil {
		return nil, err
	}
	c := bucket.Config{
		Base: s.Base, Bucket: s.Bucket, Region: s.Region, PathStyle: s.PathStyle,
		AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(), Dial: d.Dial, Now: d.Now,
	}
	if secured != nil {
		c.TLS = secured.Config
	}
	if s.MachineRole {
		if c.Machine = d.Machine; c.Machine == nil {
			return nil, errors.New("there is no role of a machine here")
		}
	}
	store, err := bucket.Open(c)
	if err != nil {
		return nil, err
	}
	return &sink{settings: s, store: store}, nil
}

// puts is how many files of a batch are sent at once.
const puts = 4

// Write puts the batch into files, one for each prefix of its events. When one is not
// taken, all of the batch is written again, under the same keys.
func (b *sink) Write(ctx context.Context, batch destination.Batch) ([]destination.Verdict, error) {
	files := b.divide(batch)
	refusals := make([]*destination.Verdict, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(puts)
	for i, f := range files {
		group.Go(func() error {
			body, err := b.encode(f)
			if err != nil {
				return err
			}
			refusals[i], err = b.request(ctx, http.MethodPut, f.key, body)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	verdicts := make([]destination.Verdict, len(batch.Items))
	for i := range verdicts {
		verdicts[i] = destination.Verdict{Item: i, Outcome: destination.Delivered}
	}
	for i, f := range files {
		for _, item := range f.items {
			if refusals[i] != nil {
				verdicts[item] = *refusals[i]
				verdicts[item].Item = item
			}
		}
	}
	return verdicts, nil
}

// Test writes an empty file, and removes it where that is allowed.
func (b *sink) Test(ctx context.Context) error {
	fixed, _, _ := strings.Cut(b.settings.Prefix, "{")
	key := fixed + "weir-connection-test"
	refusal, err := b.request(ctx, http.MethodPut, key, nil)
	if err != nil {
		return err
	}
	if refusal != nil {
		return fmt.Errorf("%s: %s", refusal.Code, refusal.Detail)
	}
	_, _ = b.request(ctx, http.MethodDelete, key, nil) // an access key that may not delete is enough
	return nil
}

// Close closes idle connections.
func (b *sink) Close() error {
	b.store.Close()
	return nil
}

// request sends one request about a file. Every refusal is to be tried again: it is about
// the bucket or the access key, not about events.
func (b *sink) request(ctx context.Context, method, key string, body []byte) (*destination.Verdict, error) {
	answer, err := b.store.Do(ctx, method, key, body)
	if err != nil {
		return nil, err
	}
	v := destination.Classify(destination.Request{Items: []int{0}}, destination.Response{Status: answer.Status, Header: answer.Header, Body: answer.Body})[0]
	if v.Outcome == destination.Delivered {
		return nil, nil
	}
	v.Outcome = destination.Retry
	return &v, nil
}
