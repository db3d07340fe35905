// Package table keeps small documents that all processes of a plane share, in the
// bucket of its event store: a value under each key, replaced as a whole.
//
// A value that Put took is on disk, and on as many servers as the logs are. Who
// replaces a value says which one was seen, so that of two at once one is refused.
// It refuses to keep history, and knows nothing of what is in a value.
package table

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"weir/shared/fault"
)

// Table is the documents whose keys begin with a prefix. It is safe for concurrent use.
type Table struct {
	bucket jetstream.KeyValue
	prefix string
	call   func(context.Context) (context.Context, context.CancelFunc)
}

// New returns the table of prefix, one word, in a bucket; call bounds the time of a call.
func New(bucket jetstream.KeyValue, prefix string, call func(context.Context) (context.Context, context.CancelFunc)) *Table {
	return &Table{bucket: bucket, prefix: prefix + ".", call: call}
}

// Document is a value as it was at a revision. Revisions rise with each change.
type Document struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Get returns the document of a key. fault.Missing: there is none. fault.Unavailable:
// the store does not answer.
func (t *Table) Get(ctx context.Context, key string) (Document, error) {
	ctx, cancel := t.call(ctx)
	defer cancel()
	e, err := t.bucket.Get(ctx, t.prefix+key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Document{}, fault.New(fault.Missing, "There is no document %s.", key)
	}
	if err != nil {
		return Document{}, away(err)
	}
	return Document{key, e.Value(), e.Revision()}, nil
}

// Put replaces the value of a key that was at a revision, 0 when there was none, and
// returns the new revision once it is on disk. fault.Conflict: it is at another
// revision. fault.Unavailable: it is unknown whether it was replaced.
func (t *Table) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ctx, cancel := t.call(ctx)
	defer cancel()
	written, err := t.bucket.Update(ctx, t.prefix+key, value, revision)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return 0, fault.New(fault.Conflict, "The document %s has changed.", key)
	}
	if err != nil {
		return 0, away(err)
	}
	return written, nil
}

// Watch calls changed with each document, and then with each that anybody replaces,
// until ctx ends; known is called once, after those that were there. fault.Unavailable:
// the store does not tell, so watch again.
func (t *Table) Watch(ctx context.Context, changed func(Document), known func()) error {
	w, err := t.bucket.Watch(ctx, t.prefix+">", jetstream.IgnoreDeletes())
	if err != nil {
		return away(err)
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return fault.New(fault.Unavailable, "The event store tells of no more changes.")
			case e == nil:
				known()
			default:
				changed(Document{strings.TrimPrefix(e.Key(), t.prefix), e.Value(), e.Revision()})
			}
		}
	}
}

// away is an error of the store as a fault.
func away(err error) error {
	return fault.New(fault.Unavailable, "%s", fmt.Sprintf("The event store does not answer: %v.", err))
}
