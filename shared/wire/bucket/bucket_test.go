package bucket_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire/bucket"
)

// Keys of names that are valid have as many tokens as they say, none of them a
// wildcard, begin with the plane that grants go by, and no two names have one key.
func TestNoNameReachesTheEntryOfAnother(t *testing.T) {
	t.Parallel()
	pieces := []string{"a", "b", "-", "_", ".", "*", ">", " ", "\x00", "$KV", "hub", "beat", "source", "destination", "1", "é", "/", "\r\n", "A"}
	r := rand.New(rand.NewPCG(3, 4))
	text := func() string {
		var b strings.Builder
		for range r.IntN(4) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	seen := map[string]secret.Name{}
	for range 200_000 {
		n := secret.Name{Workspace: id.Workspace(text()), Family: secret.Family([]string{"source", "destination", text()}[r.IntN(3)]), Object: text(), Field: text(), Version: r.Uint64N(3)}
		if !n.Valid() {
			continue
		}
		key := bucket.SecretKey("pl_a", n)
		if was, there := seen[key]; there && was != n {
			t.Fatalf("%+v and %+v have the key %s", was, n, key)
		}
		seen[key] = n
		if tokens := bucket.Secrets.Key(bucket.Secrets.Subject(key)); len(tokens) != 6 || tokens[0] != "pl_a" || strings.ContainsAny(key, "*> \x00\r\n$") {
			t.Fatalf("%+v has the key %q", n, key)
		}
		if key := bucket.PointerKey("pl_a", n.Workspace); len(strings.Split(key, ".")) != 2 || key == "pl_a."+bucket.Heartbeat {
			t.Fatalf("%s has the key %q", n.Workspace, key)
		}
	}
	if len(seen) < 100 {
		t.Errorf("%d names were valid", len(seen))
	}
}
