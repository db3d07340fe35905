// Package s3files pulls rows of files in a bucket. Objects are read once each, in the order
// of their times and then of their keys. How far that is, is a floor, before which all is
// done, and sums of the objects beyond it that were read: times of objects are those of the
// beginning of their upload, so one may appear behind others.
//
// An object is read row by row; a step ends anywhere in it and goes on there.
package s3files

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/bucket"
	"weir/dataplane/pull"
	"weir/shared/catalog/streams"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the source kind s3-files.
var Kind = pull.Define(spec, open)

// Bounds of a step and of its state.
const (
	mostFound  = 10_000 // objects that are kept of a list
	mostSeen   = 3000   // sums that a position keeps
	entry      = 12     // the bytes of one: 8 of the sum, 4 of its object's time
	maxList    = 16 << 20
	batchRows  = 2000
	batchBytes = 4 << 20
)

// Check lists what is wrong with the patterns; it wants keys, or the machine's role in their
// place.
func (s *Settings) Check() (all []fault.Problem) {
	for name, pattern := range s.Files {
		if len(pattern) > 1024 {
			all = append(all, fault.Problem{Path: "settings.files." + name, Code: "too_long", Text: "A key has 1,024 bytes at most."})
		}
	}
	all = append(all, bucket.CheckKeys(s.MachineRole, s.Secrets.AccessKey, s.Secrets.SecretKey)...)
	return all
}

type source struct {
	Settings
	deps     pull.Deps
	mostSeen int
}

func open(s Settings, d pull.Deps) pull.Puller { return &source{s, d, mostSeen} }

// object is an object of a list.
type object struct {
	Key          string
	ETag         string
	Size         int64
	LastModified time.Time
}

// ordered compares objects by their time, then by their key.
func ordered(a, b object) int {
	return cmp.Or(a.LastModified.Compare(b.LastModified), strings.Compare(a.Key, b.Key))
}

// sum is what tells an object from others, and from what it was.
func (o *object) sum() []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", o.Key, o.ETag, o.Size, o.LastModified.UnixMilli()))
	return binary.BigEndian.AppendUint32(h[:8:8], uint32(o.LastModified.Unix()))
}

// position is how far a stream is, the JSON of its cursor.
type position struct {
	From  string `json:"from,omitempty"`  // the floor: the time, and
	After string `json:"after,omitempty"` // the key of the last object that is done with all before it
	Seen  []byte `json:"seen,omitempty"`  // entries of objects beyond it that are done
	At    string `json:"at,omitempty"`    // the key of the object that is read
	Sum   []byte `json:"sum,omitempty"`   // its entry
	Row   int64  `json:"row,omitempty"`   // so many rows of it are done
}

// floor is the last object that is done with all before it.
func (p *position) floor() object {
	at, _ := time.Parse(time.RFC3339Nano, p.From)
	return object{Key: p.After, LastModified: at}
}

// has reports whether an object beyond the floor is done.
func (p *position) has(sum []byte) bool {
	for b := p.Seen; len(b) >= entry; b = b[entry:] {
		if bytes.Equal(b[:entry], sum) {
			return true
		}
	}
	return false
}

// done notes an object that was read. Those whose time is before settled raise the floor:
// none appears before it any more.
func (p *position) done(o object, settled time.Time, most int) {
	p.At, p.Sum, p.Row = "", nil, 0
	if o.LastModified.Before(settled) {
		p.raise(o)
		return
	}
	if len(p.Seen) >= most*entry {
		p.raise(o)
		p.Seen = nil
		return
	}
	p.Seen = append(slices.Clip(p.Seen), o.sum()...)
}

// raise raises the floor to an object, and forgets what is below it.
func (p *position) raise(o object) {
	if ordered(p.floor(), o) >= 0 {
		return
	}
	p.From, p.After = o.LastModified.UTC().Format(time.RFC3339Nano), o.Key
	var kept []byte
	for b := p.Seen; len(b) >= entry; b = b[entry:] {
		if int64(binary.BigEndian.Uint32(b[8:entry])) >= o.LastModified.Unix() {
			kept = append(kept, b[:entry]...)
		}
	}
	p.Seen = kept
}

// Pull implements pull.Puller.
func (s *source) Pull(ctx context.Context, stream string, from pull.Cursor, b pull.Budget, emit func([]pull.Record, pull.Cursor) error) (pull.Next, error) {
	name, pattern := "", ""
	for key, value := range s.Files {
		if streams.Named(key) == stream {
			name, pattern = key, value
		}
	}
	if name == "" {
		return pull.Next{}, &pull.Failure{Code: pull.CodeNoStream, Text: "The settings have no such files any more."}
	}
	r := &run{source: s, budget: b, emit: emit}
	if keys := s.Keys[name]; keys != "" {
		for part := range strings.SplitSeq(keys, ",") {
			r.keys = append(r.keys, strings.TrimSpace(part))
		}
	}
	if len(from) > 0 {
		if err := json.Unmarshal(from, &r.position); err != nil {
			return pull.Next{}, &pull.Failure{Code: pull.CodeAnswer, Text: "The state of the stream is unreadable: reset it."}
		}
	} else if at, err := time.Parse(time.RFC3339, b.From); err == nil {
		r.From = at.UTC().Format(time.RFC3339Nano)
	}
	c := bucket.Config{
		Base: s.Base, Bucket: s.Bucket, Region: s.Region, PathStyle: s.PathStyle,
		AccessKey: s.Secrets.AccessKey.Reveal(), SecretKey: s.Secrets.SecretKey.Reveal(), Dial: s.deps.Dial, Now: s.deps.Now,
	}
	if s.MachineRole {
		if s.deps.Keys == nil || s.deps.Keys.Machine == nil {
			return pull.Next{}, &pull.Failure{Code: pull.CodeRefused, Text: "There is no role of a machine here: give keys."}
		}
		if _, _, _, err := s.deps.Keys.Machine(ctx); err != nil {
			return pull.Next{}, &pull.Failure{Code: pull.CodeReauthorize, Text: "The machine has no role now, or the plane's owner does not allow it in guard.yaml."}
		}
		c.Machine = s.deps.Keys.Machine
	}
	store, err := bucket.Open(c)
	if err != nil {
		return pull.Next{}, &pull.Failure{Code: pull.CodeRefused, Text: "The setting baseUrl is no address."}
	}
	defer store.Close()
	r.store = store
	more, err := r.do(ctx, pattern)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return pull.Next{More: more}, err
}

// run is one step of one stream.
type run struct {
	*source
	store  *bucket.Bucket
	budget pull.Budget
	emit   func([]pull.Record, pull.Cursor) error
	keys   []string
	position
	batch []pull.Record
	size  int
}

func (r *run) encoded() pull.Cursor {
	b, err := json.Marshal(r.position)
	if err != nil {
		panic("a position that cannot be JSON: " + err.Error()) // texts and numbers
	}
	return b
}

// do reads the objects that are not done.
func (r *run) do(ctx context.Context, pattern string) (more bool, err error) {
	settled := r.deps.Now().Add(-r.Overlap.Std())
	found, rest, err := r.list(ctx, pattern)
	if err != nil {
		return false, err
	}
	for _, o := range found {
		ended, err := r.read(ctx, o)
		if err != nil || !ended {
			return err == nil, err
		}
		r.done(o, settled, r.mostSeen)
		if err := r.flush(); err != nil {
			return false, err
		}
		if r.deps.Now().After(r.budget.Until) {
			return true, nil
		}
	}
	if !rest {
		r.raise(object{LastModified: settled.UTC().Truncate(time.Second)})
	}
	return rest, r.emit(nil, r.encoded())
}

// list returns the first objects that are not done, in order; rest: there are further ones.
func (r *run) list(ctx context.Context, pattern string) (found []object, rest bool, err error) {
	prefix, matches := matching(pattern)
	floor, query := r.floor(), url.Values{"list-type": {"2"}, "prefix": {prefix}}
	all := &latest{}
	for {
		res, err := r.store.Get(ctx, "", query)
		if err != nil {
			return nil, false, unreachable()
		}
		var page struct {
			Contents              []object
			IsTruncated           bool
			NextContinuationToken string
		}
		if res.StatusCode != http.StatusOK {
			return nil, false, r.refused(res, "s3:ListBucket", "")
		}
		err = xml.NewDecoder(io.LimitReader(res.Body, maxList)).Decode(&page)
		_ = res.Body.Close()
		if err != nil {
			return nil, false, &pull.Failure{Code: pull.CodeAnswer, Text: "The list of objects cannot be read."}
		}
		for _, o := range page.Contents {
			if o.LastModified = o.LastModified.UTC(); strings.HasSuffix(o.Key, "/") || !matches(o.Key) || ordered(o, floor) <= 0 || r.has(o.sum()) {
				continue
			}
			if heap.Push(all, o); all.Len() > mostFound {
				heap.Pop(all)
				rest = true
			}
		}
		if !page.IsTruncated || page.NextContinuationToken == "" {
			found = *all
			slices.SortFunc(found, ordered)
			return found, rest, nil
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
}

// latest is a heap of objects whose first is the last in order.
type latest []object

func (l latest) Len() int           { return len(l) }
func (l latest) Less(i, j int) bool { return ordered(l[i], l[j]) > 0 }
func (l latest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *latest) Push(x any)        { *l = append(*l, x.(object)) } // of this package alone
func (l *latest) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

// matching is what keys of a pattern begin with, and whether one fits.
func matching(pattern string) (prefix string, fits func(string) bool) {
	i := strings.IndexAny(pattern, "*?")
	if i < 0 {
		return pattern, func(string) bool { return true } // the list has no others
	}
	text := regexp.QuoteMeta(pattern)
	text = strings.NewReplacer(`\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`).Replace(text)
	expression := regexp.MustCompile(`(?s)^` + text + `$`) // of quoted text
	return pattern[:i], expression.MatchString
}

func unreachable() error {
	return &pull.Failure{Code: pull.CodeUnreachable, Text: "The store cannot be reached, or ended the answer: check region and baseUrl."}
}

// refused is an answer that is none. right is what it takes, of the object below resource.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (r *run) refused(res *http.Response, right, resource string) error {
	defer func() { _ = res.Body.Close() }()
	var said struct{ Code string }
	_ = xml.NewDecoder(io.LimitReader(res.Body, maxList)).Decode(&said) // without it the status says enough
	switch {
	case said.Code == "InvalidAccessKeyId" || said.Code == "SignatureDoesNotMatch" || said.Code == "ExpiredToken" || res.StatusCode == http.StatusUnauthorized:
		return &pull.Failure{Code: pull.CodeReauthorize, Text: "The store refuses the access key or its secret."}
	case res.StatusCode == http.StatusForbidden:
		return &pull.Failure{Code: pull.CodeRefused, Text: "The access key lacks a right: allow it " + right + " on arn:aws:s3:::" + r.Bucket + resource + "."}
	case res.StatusCode == http.StatusNotFound:
		return &pull.Failure{Code: pull.CodeRefused, Text: "There is no bucket " + r.Bucket + ": correct the setting bucket."}
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		return unreachable()
	}
	return &pull.Failure{Code: pull.CodeRefused, Text: "The store refuses the request (status " + strconv.Itoa(res.StatusCode) + "): check region and pathStyle."}
}
