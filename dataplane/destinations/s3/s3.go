// Package s3 writes events as files into a bucket of a store that speaks S3's HTTP API.
//
// Events wait in the plane's STAGE log until the interval is over. A file's key comes from
// the name of its batch, which is the same after a crash, so that a file that was written
// twice is there once.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/sync/errgroup"

	"weir/dataplane/destination"
	"weir/dataplane/destination/trust"
	"weir/dataplane/httpsend"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind s3.
var Kind = destination.DefineSink(spec, open)

// bucket is an open destination.
type bucket struct {
	settings Settings
	address  *url.URL // of the bucket, without a slash at its end
	client   *httpsend.Transport
	signer   *v4.Signer
	now      func() time.Time
	machine  func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
}

// Check wants keys, or the machine's role in their place.
func (s *Settings) Check() (all []fault.Problem) {
	given := map[string]bool{"accessKey": s.Secrets.AccessKey.Reveal() != "", "secretKey": s.Secrets.SecretKey.Reveal() != ""}
	for _, name := range []string{"accessKey", "secretKey"} {
		switch {
		case !s.MachineRole && !given[name]:
			all = append(all, fault.Problem{Path: "secrets." + name, Code: "required", Text: "Give the secret " + name + ", or set machineRole where the plane's owner allows it."})
		case s.MachineRole && given[name]:
			all = append(all, fault.Problem{Path: "secrets." + name, Code: "not_allowed", Text: "With machineRole the plane signs in as its machine: leave " + name + " out, or machineRole."})
		}
	}
	return all
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	address, err := url.Parse(s.Base)
	if err != nil {
		return nil, errors.New("the address is none")
	}
	if s.PathStyle {
		address.Path += "/" + s.Bucket
	} else {
		address.Host = s.Bucket + "." + address.Host
	}
	secured, err := trust.Of(s.SSLRootCert, s.SSLCert, s.Secrets.SSLKey)
	if err != nil {
		return nil, err
	}
	var config *tls.Config
	if secured != nil {
		config = secured.Config
	}
	if s.MachineRole && d.Machine == nil {
		return nil, errors.New("there is no role of a machine here")
	}
	return &bucket{
		settings: s, address: address, now: d.Now, machine: d.Machine,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		client: httpsend.New(httpsend.Config{Dial: d.Dial, Standard: true, TLS: config}),
	}, nil
}

// puts is how many files of a batch are sent at once.
const puts = 4

// Write puts the batch into files, one for each prefix of its events. When one is not
// taken, all of the batch is written again, under the same keys.
func (b *bucket) Write(ctx context.Context, batch destination.Batch) ([]destination.Verdict, error) {
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
func (b *bucket) Test(ctx context.Context) error {
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
func (b *bucket) Close() error {
	b.client.CloseIdleConnections()
	return nil
}

// maxAnswer is how much is read of an answer, in bytes.
const maxAnswer = 16 << 10

// request sends one request about a file. Every refusal is to be tried again: it is about
// the bucket or the access key, not about events.
func (b *bucket) request(ctx context.Context, method, key string, body []byte) (*destination.Verdict, error) {
	u := *b.address
	path := u.Path + "/" + key
	u.Path, u.RawPath = path, escaped(path)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is none")
	}
	req.URL = &u
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", digest)
	req.Header.Set("User-Agent", "Weir/1")
	keys := aws.Credentials{AccessKeyID: b.settings.Secrets.AccessKey.Reveal(), SecretAccessKey: b.settings.Secrets.SecretKey.Reveal()}
	if b.settings.MachineRole {
		if keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, err = b.machine(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.signer.SignHTTP(ctx, keys, req, digest, "s3", b.settings.Region, b.now()); err != nil {
		return nil, errors.New("the request could not be signed")
	}
	res, err := b.client.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	v := destination.Classify(destination.Request{Items: []int{0}}, destination.Response{Status: res.StatusCode, Header: res.Header, Body: answer})[0]
	if v.Outcome == destination.Delivered {
		return nil, nil
	}
	v.Outcome = destination.Retry
	return &v, nil
}

// escaped writes a path as S3 signs it: all but letters, digits, "-", ".", "_", "~" and
// "/" as %XX.
func escaped(path string) string {
	var s strings.Builder
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			s.WriteByte(c)
		} else {
			fmt.Fprintf(&s, "%%%02X", c)
		}
	}
	return s.String()
}
