// Package upload brings files of rows into a bucket of the customer's, from where a
// warehouse loads them, and says of what the store refuses which right is missing.
package upload

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"weir/dataplane/bucket"
	"weir/dataplane/warehouse"
)

// To is where files go.
type To struct {
	Store  *bucket.Bucket
	Bucket string
	Prefix string // that keys begin with
	Now    func() time.Time
}

// Folder is the objects of one merge. It is for one caller at a time.
type Folder struct {
	Prefix string // of the objects since Next

	to   To
	keys []string
}

// New returns a folder without objects.
func New(to To) *Folder { return &Folder{to: to} }

// Next begins a prefix that nothing else has.
func (f *Folder) Next() {
	f.Prefix = f.to.Prefix + f.to.Now().UTC().Format("20060102T150405") + "-" + rand.Text() + "/"
}

// Put writes an object below the prefix. Errors are Failures.
func (f *Folder) Put(ctx context.Context, file []byte) error {
	key := fmt.Sprintf("%s%06d.parquet", f.Prefix, len(f.keys))
	f.keys = append(f.keys, key)
	return f.object(ctx, http.MethodPut, key, file)
}

// removeTime is how long removing objects may take.
const removeTime = 30 * time.Second

// Remove removes the objects as far as it can, also when ctx ended; the bucket's lifecycle
// removes what stays.
func (f *Folder) Remove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	for _, key := range f.keys {
		if f.object(ctx, http.MethodDelete, key, nil) != nil {
			return
		}
	}
	f.keys = nil
}

// object sends a request about an object.
func (f *Folder) object(ctx context.Context, method, key string, body []byte) error {
	answer, err := f.to.Store.Do(ctx, method, key, body)
	switch {
	case err != nil:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("reach the bucket %s: %w", f.to.Bucket, err))
	case answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the bucket %s refuses %s: the access key, or the machine's role, needs s3:PutObject and s3:DeleteObject below %s", f.to.Bucket, method, f.to.Prefix))
	case answer.Status == http.StatusNotFound && method == http.MethodPut:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("there is no bucket %s in its region", f.to.Bucket))
	case answer.Status >= http.StatusMultipleChoices && answer.Status != http.StatusNotFound:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the bucket %s answers %s with status %d", f.to.Bucket, method, answer.Status))
	}
	return nil
}
