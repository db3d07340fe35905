// Package s3file writes rows of syncs as files into a bucket of a store that speaks S3's
// HTTP API. A file's key comes from the name of its batch, which is the same when the batch
// is tried again, so that a file that was written twice is there once.
//
// Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html,
// https://www.rfc-editor.org/rfc/rfc4180 (CSV).
package s3file

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"weir/dataplane/bucket"
	"weir/dataplane/destination"
	"weir/dataplane/destination/trust"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind s3-file.
var Kind = destination.DefineSink(spec, open)

// codeUnsupported is what this kind shares with others.
const codeUnsupported = "unsupported_event"

// sink is an open destination.
type sink struct {
	settings Settings
	store    *bucket.Bucket
	now      func() time.Time
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
	return &sink{settings: s, store: store, now: d.Now}, nil
}

// row is an item as a line of a file.
type row struct {
	ids     map[string]string
	columns map[string]json.RawMessage // with ids
}

// read reads an item, or says what becomes of one that is no row.
func read(item *destination.Item) (row, destination.Verdict) {
	if item.Event.Type != "record" {
		return row{}, destination.Verdict{Outcome: destination.Dropped, Code: codeUnsupported}
	}
	var in struct {
		Action      string
		Identifiers map[string]string
		Fields      map[string]json.RawMessage
	}
	bad := func(text string) (row, destination.Verdict) {
		return row{}, destination.Verdict{Outcome: destination.Dead, Code: CodeBadRow, Detail: text}
	}
	if err := json.Unmarshal(item.Body(), &in); err != nil || in.Action != "insert" {
		return bad("The record cannot be read, or has another action than insert.")
	}
	r := row{ids: in.Identifiers, columns: in.Fields}
	if r.columns == nil {
		r.columns = map[string]json.RawMessage{}
	}
	for name, text := range in.Identifiers {
		r.columns[name], _ = json.Marshal(text) // a text always encodes
	}
	if len(r.columns) == 0 {
		return bad("The record has neither identifiers nor fields.")
	}
	return r, destination.Verdict{}
}

// rows reads the items of a batch; those that are no rows have a verdict.
func rows(b destination.Batch) (all []row, items []int, verdicts []destination.Verdict) {
	for i := range b.Items {
		r, v := read(&b.Items[i])
		if v.Outcome != 0 {
			v.Item = i
			verdicts = append(verdicts, v)
			continue
		}
		all, items = append(all, r), append(items, i)
	}
	return all, items, verdicts
}

// Write puts the rows of the batch into one file.
func (s *sink) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	all, items, verdicts := rows(b)
	if len(all) == 0 {
		return verdicts, ctx.Err()
	}
	body, err := s.encode(all)
	if err != nil {
		return nil, err
	}
	v, err := s.request(ctx, http.MethodPut, s.key(b.Name), body)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		v.Item = i
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// key is the key of the file of a batch with a name.
func (s *sink) key(name string) string {
	return s.settings.Prefix + cmp.Or(name, "rows") + "." + s.settings.Format + map[bool]string{true: ".gz"}[s.settings.Compression == "gzip"]
}

// encode writes a file. Equal rows give equal bytes.
func (s *sink) encode(all []row) ([]byte, error) {
	var out bytes.Buffer
	var to io.Writer = &out
	var packed *gzip.Writer
	if s.settings.Compression == "gzip" {
		packed = gzip.NewWriter(&out)
		to = packed
	}
	err := s.lines(to, all)
	if packed != nil {
		err = errors.Join(err, packed.Close())
	}
	return out.Bytes(), err
}

func (s *sink) lines(to io.Writer, all []row) error {
	if s.settings.Format == "json" {
		enc := json.NewEncoder(to)
		enc.SetEscapeHTML(false)
		for _, r := range all {
			if err := enc.Encode(r.columns); err != nil {
				return fmt.Errorf("write a file: %w", err)
			}
		}
		return nil
	}
	ids, fields := map[string]bool{}, map[string]bool{}
	for _, r := range all {
		for name := range r.columns {
			if _, of := r.ids[name]; of {
				ids[name] = true
			} else {
				fields[name] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(ids))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !ids[name] {
			names = append(names, name)
		}
	}
	w := csv.NewWriter(to) // lines end with a line feed: with both signs it would change those in values
	err := w.Write(names)
	line := make([]string, len(names))
	for _, r := range all {
		for i, name := range names {
			line[i] = text(r.columns[name])
		}
		if err == nil {
			err = w.Write(line)
		}
	}
	w.Flush()
	return errors.Join(err, w.Error())
}

// text is a value as CSV has it: null is nothing, a text itself, all else its JSON.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Test writes an empty file, and removes it where that is allowed.
func (s *sink) Test(ctx context.Context) error {
	key := s.settings.Prefix + "weir-connection-test"
	v, err := s.request(ctx, http.MethodPut, key, nil)
	if err != nil {
		return err
	}
	if v.Outcome != destination.Delivered {
		return fmt.Errorf("%s: %s", v.Code, v.Detail)
	}
	_, _ = s.request(ctx, http.MethodDelete, key, nil) // an access key that may not delete is enough
	return nil
}

// Close closes idle connections.
func (s *sink) Close() error {
	s.store.Close()
	return nil
}

// Preview returns the file of a batch as a request, with bucket and key as address.
func (s *sink) Preview(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	all, items, verdicts := rows(b)
	if len(all) == 0 {
		return nil, verdicts
	}
	body, err := s.encode(all)
	if err != nil {
		for _, i := range items {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dead, Code: "kind_fault"})
		}
		return nil, verdicts
	}
	return []destination.Request{{Method: http.MethodPut, URL: "s3://" + s.settings.Bucket + "/" + s.key(b.Name), Body: body, Items: items}}, verdicts
}

// request sends one request about a file. Every refusal is to be tried again: it is about
// the bucket or the access key, not about rows.
func (s *sink) request(ctx context.Context, method, key string, body []byte) (destination.Verdict, error) {
	answer, err := s.store.Do(ctx, method, key, body)
	if err != nil {
		return destination.Verdict{}, err
	}
	return judge(answer.Status, answer.Header, answer.Body), nil
}

func judge(status int, header http.Header, body []byte) destination.Verdict {
	v := destination.Classify(destination.Request{Items: []int{0}}, destination.Response{Status: status, Header: header, Body: body})[0]
	if v.Outcome != destination.Delivered {
		v.Outcome = destination.Retry
	}
	return v
}
