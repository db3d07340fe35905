package s3file_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/destination"
	s3file "weir/dataplane/destinations/s3-file"
)

// manifest is what readers of snapshots rely on.
type manifest struct {
	Snapshot, At, Format, Compression string
	Rows                              int64
	Files                             []struct {
		Key  string
		Rows int64
	}
	Kept []struct {
		Snapshot, Manifest string
		Rows               int64
	}
}

// whole returns the manifest of a key, and fails unless each file that it names has its rows.
func (s *store) whole(key string) (m manifest) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	text, there := s.files[key]
	if !there {
		return m
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		s.t.Fatalf("%s: %v", key, err)
	}
	rows := int64(0)
	for _, f := range m.Files {
		if got := int64(len(s.read(f.Key, s.files[f.Key]))); got != f.Rows || !strings.Contains(f.Key, "/"+m.Snapshot+"/") {
			s.t.Fatalf("%s names %s with %d rows, which has %d", key, f.Key, f.Rows, got)
		}
		rows += f.Rows
	}
	if rows != m.Rows {
		s.t.Fatalf("%s says %d rows, its files have %d", key, m.Rows, rows)
	}
	return m
}

// snapshot writes a snapshot of so many files of 5 rows, until something goes wrong.
func (s *store) snapshot(to destination.Sink, run string, files int) (v destination.Verdict) {
	s.t.Helper()
	set, parts := "sync_a/"+run, map[string]int64{}
	for i := range files {
		b := batch(s.t, fmt.Sprintf("%s/%08d", set, i*5+1), i*5+1, 5)
		verdicts, err := to.Write(s.t.Context(), b)
		if v = destination.Wrote(5, verdicts, err)[0]; v.Outcome != destination.Delivered {
			return v
		}
		parts[b.Name] = 5
	}
	v, err := to.(interface {
		Complete(context.Context, string, map[string]int64) (destination.Verdict, error)
	}).Complete(s.t.Context(), set, parts)
	return destination.Wrote(1, []destination.Verdict{v}, err)[0]
}

// put writes an object as somebody else does.
func (s *store) put(key, text string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPut, s.URL+"/data/"+key, strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=made-up-key/")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusOK || res.Body.Close() != nil {
		s.t.Fatalf("put %s: %v, %v", key, res, err)
	}
}

const newest = "rows/sync_a/manifest.json"

// TestASnapshotIsWholeWheneverItDies: the process dies at each request in turn, before it is
// done and after. The manifest names whole files of one run all the time, and the next run
// leaves its own snapshot and the one before it.
func TestASnapshotIsWholeWheneverItDies(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	to := s.sink(settings(`,"snapshots":2`))
	foreign := []string{"rows/sync_a/notes.csv", "rows/sync_a/mine/notes.csv", "rows/sync_b/run_2025/00000001.csv"}
	for _, key := range foreign {
		s.put(key, "theirs")
	}
	before := ""
	for at := 0; ; at++ {
		n := 0
		s.strike = func() (bool, bool) { n++; return n-1 == at/2 && at%2 == 0, n-1 == at/2 && at%2 == 1 }
		dying := fmt.Sprintf("run_20260102T%06d", at*2)
		v := s.snapshot(to, dying, 3)
		s.strike = nil
		m := s.whole(newest)
		if m.Snapshot != before && m.Snapshot != dying {
			t.Fatalf("death %d: the newest snapshot is %q, want %q or %q", at, m.Snapshot, before, dying)
		}
		done := v.Outcome == destination.Delivered && n <= at/2
		next := fmt.Sprintf("run_20260102T%06d", at*2+1)
		if v := s.snapshot(to, next, 2); v.Outcome != destination.Delivered {
			t.Fatalf("death %d: a calm snapshot is %+v", at, v)
		}
		m = s.whole(newest)
		if m.Snapshot != next || m.Rows != 10 || m.Format != "csv" || m.Compression != "none" || m.At == "" {
			t.Fatalf("death %d: the newest snapshot is %+v, want %s", at, m, next)
		}
		want := map[string]bool{newest: true}
		for _, k := range m.Kept {
			old := s.whole(k.Manifest)
			if want[k.Manifest] = true; old.Snapshot != k.Snapshot || old.Rows != k.Rows {
				t.Fatalf("death %d: kept is %+v, whose manifest is %+v", at, k, old)
			}
			for _, f := range old.Files {
				want[f.Key] = true
			}
		}
		var got []string
		for key := range s.files {
			if strings.HasPrefix(key, "rows/sync_a/run_") || key == newest {
				got = append(got, key)
			}
		}
		slices.Sort(got)
		if all := slices.Sorted(maps.Keys(want)); !slices.Equal(got, all) || at > 0 && len(m.Kept) != 2 {
			t.Fatalf("death %d: there are %v, want %v", at, got, all)
		}
		if before = next; done {
			break
		}
	}
	for _, key := range foreign {
		if s.files[key] != "theirs" {
			t.Errorf("%s is gone, which is none of a snapshot", key)
		}
	}
}

// TestASnapshotMayBeRepeatedAndNeverGoesBack: an answer that is lost is asked again, and a run
// of a plane that was slow does not replace a newer one.
func TestASnapshotMayBeRepeatedAndNeverGoesBack(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	to := s.sink(settings(`,"compression":"gzip"`))
	for range 2 {
		if v := s.snapshot(to, "run_20260102T000002", 2); v.Outcome != destination.Delivered {
			t.Fatalf("%+v", v)
		}
	}
	if m := s.whole(newest); len(m.Kept) != 1 || m.Compression != "gzip" || path.Ext(m.Files[0].Key) != ".gz" {
		t.Errorf("the manifest is %+v", m)
	}
	if v := s.snapshot(to, "run_20260102T000001", 1); v.Outcome != destination.Dead || v.Code != s3file.CodeNewer {
		t.Errorf("an older run: %+v, want %s", v, s3file.CodeNewer)
	}
	if v := s.snapshot(to, "run_20260102T000003", 0); v.Outcome != destination.Delivered || s.whole(newest).Rows != 0 || s.files[newest] == "" {
		t.Errorf("a snapshot without rows: %+v", v)
	}
	s.broken.Store(true)
	if v := s.snapshot(to, "run_20260102T000004", 0); v.Outcome != destination.Retry {
		t.Errorf("a store that is broken: %+v, want a retry", v)
	}
}
