package s3file

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"weir/dataplane/destination"
)

// A snapshot is a folder of files below that of its sync, with a manifest. The manifest of
// the sync is that of the newest snapshot, and counts: it is replaced in one request, once
// all files are written. What no manifest that is kept names is removed after that.
//
//	<prefix><sync>/manifest.json
//	<prefix><sync>/<run>/manifest.json
//	<prefix><sync>/<run>/<number of the first row>.csv

// manifest says which files are a snapshot.
type manifest struct {
	Snapshot    string `json:"snapshot"` // the run; later ones are greater
	At          string `json:"at"`       // when it was complete, RFC 3339 in UTC
	Rows        int64  `json:"rows"`
	Format      string `json:"format"`
	Compression string `json:"compression"`
	Files       []file `json:"files"`
	Kept        []kept `json:"kept,omitempty"` // of the sync's manifest: the snapshots that are there, the newest first
}

// file is a file of a snapshot.
type file struct {
	Key  string `json:"key"`
	Rows int64  `json:"rows"`
}

// kept is a snapshot that is there.
type kept struct {
	Snapshot string `json:"snapshot"`
	At       string `json:"at"`
	Rows     int64  `json:"rows"`
	Manifest string `json:"manifest"` // its key
}

const (
	manifestName = "manifest.json"
	maxManifest  = 64 << 20 // bytes that are read of one
	atOnce       = 8        // files that are removed at once
)

// runs is what folders of snapshots are called.
var runs = regexp.MustCompile(`^run_[0-9T.]+$`)

// Complete makes a set of files the newest snapshot of its sync, and removes what is not kept.
func (s *sink) Complete(ctx context.Context, set string, parts map[string]int64) (destination.Verdict, error) {
	of, run, ok := strings.Cut(set, "/")
	if !ok || !runs.MatchString(run) {
		return destination.Verdict{Outcome: destination.Dead, Code: CodeBadRow, Detail: "The snapshot has no name."}, nil
	}
	folder := s.settings.Prefix + of + "/"
	former, etag, v, err := s.former(ctx, folder+manifestName)
	if err != nil || v.Outcome != destination.Delivered {
		return v, err
	}
	switch {
	case former.Snapshot > run:
		return destination.Verdict{Outcome: destination.Dead, Code: CodeNewer}, nil
	case former.Snapshot < run:
		m := manifest{Snapshot: run, At: s.now().UTC().Format("2006-01-02T15:04:05.000Z"), Format: s.settings.Format, Compression: s.settings.Compression, Files: []file{}}
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			m.Files, m.Rows = append(m.Files, file{Key: s.key(name), Rows: parts[name]}), m.Rows+parts[name]
		}
		own := folder + run + "/" + manifestName
		if v, err := s.request(ctx, http.MethodPut, own, encoded(m)); err != nil || v.Outcome != destination.Delivered {
			return v, err
		}
		m.Kept = append([]kept{{Snapshot: run, At: m.At, Rows: m.Rows, Manifest: own}}, former.Kept...)
		m.Kept = m.Kept[:min(len(m.Kept), int(s.settings.Snapshots))]
		if v, err := s.swap(ctx, folder+manifestName, encoded(m), etag); err != nil || v.Outcome != destination.Delivered {
			return v, err
		}
		former = m
	}
	s.clean(ctx, folder, former)
	return destination.Verdict{Outcome: destination.Delivered}, nil
}

func encoded(m manifest) []byte {
	text, _ := json.MarshalIndent(m, "", "  ") // texts and numbers
	return append(text, '\n')
}

// former reads the manifest of a sync, with its entity tag; there is none at first.
func (s *sink) former(ctx context.Context, key string) (m manifest, etag string, v destination.Verdict, err error) {
	res, err := s.store.Get(ctx, key, nil)
	if err != nil {
		return m, "", v, err
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	body, err := io.ReadAll(io.LimitReader(res.Body, maxManifest))
	if err != nil {
		return m, "", v, err
	}
	if res.StatusCode == http.StatusNotFound {
		return m, "", destination.Verdict{Outcome: destination.Delivered}, nil
	}
	if v = judge(res.StatusCode, res.Header, body); v.Outcome != destination.Delivered {
		return m, "", v, nil
	}
	if json.Unmarshal(body, &m) != nil || !runs.MatchString(m.Snapshot) {
		return manifest{}, res.Header.Get("Etag"), v, nil // somebody else's file is in the place of the manifest
	}
	return m, res.Header.Get("Etag"), v, nil
}

// swap writes the manifest of a sync unless another one came in between, where the store can
// tell.
func (s *sink) swap(ctx context.Context, key string, body []byte, etag string) (destination.Verdict, error) {
	answer, err := s.store.Swap(ctx, key, body, etag)
	if err != nil {
		return destination.Verdict{}, err
	}
	if answer.Status == http.StatusNotImplemented {
		return s.request(ctx, http.MethodPut, key, body)
	}
	return judge(answer.Status, answer.Header, answer.Body), nil
}

// clean removes the files of snapshots before the newest that are not kept, of runs that
// died, and of batches of the newest that were written in another way. What cannot be
// removed now is for the next run: nothing refers to it.
func (s *sink) clean(ctx context.Context, folder string, newest manifest) {
	stays := map[string]bool{}
	for _, f := range newest.Files {
		stays[f.Key] = true
	}
	stays[folder+newest.Snapshot+"/"+manifestName] = true
	for token := ""; ; {
		keys, next, ok := s.list(ctx, folder, token)
		if !ok {
			return
		}
		var gone []string
		for _, key := range keys {
			run, _, within := strings.Cut(strings.TrimPrefix(key, folder), "/")
			switch {
			case !strings.HasPrefix(key, folder) || !within || !runs.MatchString(run) || run > newest.Snapshot || stays[key]:
			case run == newest.Snapshot || !slices.ContainsFunc(newest.Kept, func(k kept) bool { return k.Snapshot == run }):
				gone = append(gone, key)
			}
		}
		var all sync.WaitGroup
		for some := range slices.Chunk(gone, (len(gone)+atOnce)/atOnce) {
			all.Go(func() {
				for _, key := range some {
					if ctx.Err() == nil {
						_, _ = s.request(ctx, http.MethodDelete, key, nil)
					}
				}
			})
		}
		if all.Wait(); next == "" {
			return
		}
		token = next
	}
}

// list returns a page of the keys below a folder.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *sink) list(ctx context.Context, folder, token string) (keys []string, next string, ok bool) {
	query := url.Values{"list-type": {"2"}, "prefix": {folder}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	res, err := s.store.Get(ctx, "", query)
	if err != nil {
		return nil, "", false
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	var page struct {
		Contents              []struct{ Key string }
		IsTruncated           bool
		NextContinuationToken string
	}
	if res.StatusCode != http.StatusOK || xml.NewDecoder(io.LimitReader(res.Body, maxManifest)).Decode(&page) != nil {
		return nil, "", false
	}
	for _, c := range page.Contents {
		keys = append(keys, c.Key)
	}
	if page.IsTruncated {
		next = page.NextContinuationToken
	}
	return keys, next, true
}
