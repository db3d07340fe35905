package names

import (
	"strings"
	"testing"

	"weir/dataplane/queue"
	"weir/shared/id"
)

func TestEveryIdentifierIsAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	if id.Valid(id.Destination(noKey)) {
		t.Errorf("%q, for records without a key, may be an identifier", noKey)
	}
	seen := map[string]string{}
	for _, key := range []string{"", "a", "-", "_", "0", "files", "none", "deleted", "events", strings.Repeat("x", 64)} {
		for partition := range 12 {
			for _, kind := range []queue.Kind{queue.Events, queue.Stage, queue.Parked, queue.Dead, queue.Quarantine} {
				subject := Subject(kind, partition, key)
				if was, there := seen[subject]; there {
					t.Errorf("%q has the subject %s of %q", key, subject, was)
				}
				seen[subject] = key
				if got := Key(subject); got != key || strings.Count(subject, ".") != 2 || strings.ContainsAny(subject, "*> ") {
					t.Errorf("%q has the subject %s, whose key is %q", key, subject, got)
				}
			}
		}
	}
}
