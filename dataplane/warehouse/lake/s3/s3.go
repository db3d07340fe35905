// Package s3 keeps the objects of a lake in a bucket of a store that speaks S3's HTTP API.
//
// Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html,
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/lake"
)

// Open returns a bucket as a store of objects below prefix, which errors name. machine says
// that the machine's role signs in in the place of keys. Errors are Failures.
func Open(c bucket.Config, prefix string, machine bool, d warehouse.Deps) (lake.Store, error) {
	if d.Dial == nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("no dialer was given"))
	}
	c.Dial, c.Now = d.Dial, d.Now
	if machine {
		if c.Machine = d.Machine; c.Machine == nil {
			return nil, warehouse.Fail(warehouse.CodeAuth, errors.New("there is no role of a machine here"))
		}
	}
	b, err := bucket.Open(c)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	return &store{b: b, c: c, prefix: prefix}, nil
}

// store is the bucket as a store.
type store struct {
	b      *bucket.Bucket
	c      bucket.Config
	prefix string
}

// maxObject is how much is read of an object, in bytes.
const maxObject = 64 << 20

// Get implements lake.Store.
func (s *store) Get(ctx context.Context, key string) ([]byte, string, error) {
	res, err := s.b.Get(ctx, key, nil)
	if err != nil {
		return nil, "", s.unreachable(err)
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	content, err := io.ReadAll(io.LimitReader(res.Body, maxObject+1))
	switch {
	case err != nil:
		return nil, "", s.unreachable(err)
	case res.StatusCode == http.StatusNotFound && !noBucket(content):
		return nil, "", nil
	case res.StatusCode != http.StatusOK:
		return nil, "", s.refused(http.MethodGet, res.StatusCode)
	case len(content) > maxObject:
		return nil, "", warehouse.Fail(warehouse.CodeFailed, fmt.Errorf("the object %s has more than %d bytes", key, maxObject))
	}
	return content, res.Header.Get("Etag"), nil
}

// Put implements lake.Store.
func (s *store) Put(ctx context.Context, key string, content []byte) error {
	answer, err := s.b.Do(ctx, http.MethodPut, key, content)
	return s.wrote(http.MethodPut, answer, err)
}

// Swap implements lake.Store. A store without conditions takes the object as it is.
func (s *store) Swap(ctx context.Context, key string, content []byte, version string) error {
	answer, err := s.b.Swap(ctx, key, content, version)
	if err == nil {
		switch answer.Status {
		case http.StatusPreconditionFailed, http.StatusConflict:
			return lake.ErrChanged
		case http.StatusNotFound:
			if version != "" && !noBucket(answer.Body) {
				return lake.ErrChanged
			}
		case http.StatusNotImplemented:
			return s.Put(ctx, key, content)
		}
	}
	return s.wrote(http.MethodPut, answer, err)
}

// Delete implements lake.Store.
func (s *store) Delete(ctx context.Context, key string) error {
	answer, err := s.b.Do(ctx, http.MethodDelete, key, nil)
	return s.wrote(http.MethodDelete, answer, err)
}

// Close implements lake.Store.
func (s *store) Close() error {
	s.b.Close()
	return nil
}

func (s *store) wrote(method string, answer *bucket.Answer, err error) error {
	switch {
	case err != nil:
		return s.unreachable(err)
	case answer.Status >= http.StatusMultipleChoices:
		return s.refused(method, answer.Status)
	}
	return nil
}

func (s *store) unreachable(err error) error {
	return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("reach the bucket %s: %w", s.c.Bucket, err))
}

// rights are what methods need.
var rights = map[string]string{http.MethodGet: "s3:GetObject, and s3:ListBucket on the bucket,", http.MethodPut: "s3:PutObject", http.MethodDelete: "s3:DeleteObject"}

func (s *store) refused(method string, status int) error {
	switch status {
	case http.StatusForbidden, http.StatusUnauthorized:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the bucket %s refuses %s: the access key, or the machine's role, needs %s for what is below %s/", s.c.Bucket, method, rights[method], s.prefix))
	case http.StatusNotFound:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("there is no bucket %s in the region %s", s.c.Bucket, s.c.Region))
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the store answers %s with status %d: the bucket %s is in another region than %s, or the address is not that of the store", method, status, s.c.Bucket, s.c.Region))
	}
	return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the bucket %s answers %s with status %d", s.c.Bucket, method, status))
}

// noSuchBucket is the code of such an error.
var noSuchBucket = regexp.MustCompile(`<Code>\s*NoSuchBucket\s*<`)

// noBucket says of the answer to a missing object that the bucket is missing.
func noBucket(answer []byte) bool { return noSuchBucket.Match(answer) }
