// Package bucket sends requests about objects of one bucket to a store that speaks S3's
// HTTP API, signed by an access key or by the machine's role.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
package bucket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"weir/dataplane/httpsend"
)

// Config says where a bucket is and who signs. Base, Bucket, Region, Dial, Now and one of
// the ways to sign are required.
type Config struct {
	Base, Bucket, Region string // Base is the store's address
	PathStyle            bool   // the bucket stands in the path, not before the host's name
	AccessKey, SecretKey string
	// Machine returns keys of AWS for the machine's role; when it is given, it signs.
	Machine func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
	TLS     *tls.Config // nil: by the certificates that the machine trusts
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	Now     func() time.Time
}

// Bucket is a bucket. It is safe for concurrent use.
type Bucket struct {
	config  Config
	address *url.URL // without a slash at its end
	client  *httpsend.Transport
	signer  *v4.Signer
}

// Open returns the bucket; it makes no connection. An address that is none is an error.
func Open(c Config) (*Bucket, error) {
	address, err := url.Parse(c.Base)
	if err != nil || address.Host == "" {
		return nil, errors.New("the address is none")
	}
	if c.PathStyle {
		address.Path += "/" + c.Bucket
	} else {
		address.Host = c.Bucket + "." + address.Host
	}
	return &Bucket{
		config: c, address: address,
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
		client: httpsend.New(httpsend.Config{Dial: c.Dial, Standard: true, TLS: c.TLS}),
	}, nil
}

// Answer is what the store answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its first 16 KiB
}

// maxAnswer is how much is read of an answer, in bytes.
const maxAnswer = 16 << 10

// Do sends one request about an object. Errors are those of the way there, or that the
// request could not be signed.
func (b *Bucket) Do(ctx context.Context, method, key string, body []byte) (*Answer, error) {
	return b.do(ctx, method, key, body, nil)
}

// Swap writes an object in the place of the version with an entity tag, or of none when it
// is empty; it answers 412 or 409 where there is another version.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (b *Bucket) Swap(ctx context.Context, key string, body []byte, etag string) (*Answer, error) {
	if etag == "" {
		return b.do(ctx, http.MethodPut, key, body, http.Header{"If-None-Match": {"*"}})
	}
	return b.do(ctx, http.MethodPut, key, body, http.Header{"If-Match": {etag}})
}

func (b *Bucket) do(ctx context.Context, method, key string, body []byte, header http.Header) (*Answer, error) {
	res, err := b.send(ctx, method, key, nil, body, header)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: answer}, nil
}

// Get asks for an object, or without a key for what query says of the bucket, such as the
// list of its objects. The caller reads the body while ctx lasts, and closes it. Errors
// are those of Do.
func (b *Bucket) Get(ctx context.Context, key string, query url.Values) (*http.Response, error) {
	return b.send(ctx, http.MethodGet, key, query, nil, nil)
}

// Part asks for n bytes of an object from at on, as Get does.
func (b *Bucket) Part(ctx context.Context, key string, at, n int64) (*http.Response, error) {
	return b.send(ctx, http.MethodGet, key, nil, nil, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", at, at+n-1)}})
}

func (b *Bucket) send(ctx context.Context, method, key string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	u := *b.address
	u.RawQuery = query.Encode()
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
	for name, values := range header {
		req.Header[name] = values
	}
	keys := aws.Credentials{AccessKeyID: b.config.AccessKey, SecretAccessKey: b.config.SecretKey}
	if b.config.Machine != nil {
		if keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, err = b.config.Machine(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.signer.SignHTTP(ctx, keys, req, digest, "s3", b.config.Region, b.config.Now()); err != nil {
		return nil, errors.New("the request could not be signed")
	}
	return b.client.RoundTrip(req)
}

// Close closes idle connections.
func (b *Bucket) Close() { b.client.CloseIdleConnections() }

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
