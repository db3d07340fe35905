package agent_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// moved is a configuration whose webhook is elsewhere, with the secret as it is.
func moved(c workspace.Config, url string) workspace.Config {
	c.Destinations[0].Settings = []byte(`{"url":"` + url + `"}`)
	return c
}

// refused waits until a revision was rejected for its secret alone, and the plan that
// ran before still runs.
func (s *site) refused(a running, number uint64, code wire.Code, runs uint64) {
	s.t.Helper()
	got := s.ack(number, wire.Rejected)
	if len(got.Problems) != 1 || got.Problems[0] != (wire.Problem{Path: "destinations[0].secrets.headers", Code: code}) {
		s.t.Errorf("ack %+v, want %s", got, code)
	}
	if a.plans.Plan("ws_a").Number != runs {
		s.t.Errorf("revision %d runs, want %d", a.plans.Plan("ws_a").Number, runs)
	}
}

func TestASecretOpensOnlyForThePlaceItWasSealedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.start("")
	s.secret(1)
	s.point(config(1), 1)
	s.ack(1, wire.Applied)
	s.point(moved(config(1), "http://127.0.0.1:1/other?path"), 2)
	s.ack(2, wire.Applied)

	for i, url := range []string{"http://evil.example/", "https://127.0.0.1:1/", "http://127.0.0.1:2/"} {
		s.point(moved(config(1), url), uint64(3+i))
		s.refused(a, uint64(3+i), "secret_elsewhere", 2)
	}
	// A control plane that lies about what the secret was sealed for.
	lie := moved(config(1), "http://evil.example/")
	lie.Destinations[0].Secrets["headers"] = secret.Ref{Version: 1, Fingerprint: secret.Fingerprint(named(1), sentTo(lie), []byte("any"))}
	s.point(lie, 6)
	s.refused(a, 6, "secret_unopened", 2)
	s.point(moved(unsealed(1), "http://evil.example/"), 7)
	s.refused(a, 7, "secret_unopened", 2)

	s.point(config(1), 8)
	s.ack(8, wire.Applied)
}

// unbound puts a secret onto the hub as the release before sealed it.
func (s *site) unbound(version uint64, aad string) {
	s.t.Helper()
	sealed, err := secret.SealTo(s.sealing.Public(), []byte("ws_a"), []byte(aad), []byte(headers))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.hub.PutSecret(s.t.Context(), s.recipient(), named(version), sealed); err != nil {
		s.t.Fatal(err)
	}
}

func TestASecretOfTheReleaseBeforeIsSentWhereItAlwaysWas(t *testing.T) {
	t.Parallel()
	for name, aad := range map[string]string{"families": "weir secret 2\x00destination\x00dst_a\x00headers\x001", "destinations alone": "weir secret 1\x00dst_a\x00headers\x001"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			a := s.start("")
			s.unbound(1, aad)
			s.point(unsealed(1), 1)
			s.ack(1, wire.Applied)
			s.point(moved(unsealed(1), "http://evil.example/"), 2)
			s.refused(a, 2, "secret_elsewhere", 1)

			// The upgrade: the release before kept no such thing.
			a.stop()
			file := filepath.Join(s.state, "ws_a.json")
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before := regexp.MustCompile(`,"unbound":\[.*\]`).ReplaceAll(content, nil)
			if bytes.Equal(before, content) {
				t.Fatalf("nothing is remembered in %s", content)
			}
			if err := os.WriteFile(file, before, 0o600); err != nil {
				t.Fatal(err)
			}
			a = s.start("")
			s.point(moved(unsealed(1), "http://evil.example/"), 3)
			s.refused(a, 3, "secret_elsewhere", 1)

			// Removed and made again: it still opens, and so it is still remembered.
			none := unsealed(1)
			none.Destinations, none.Connections = nil, nil
			s.point(none, 4)
			s.ack(4, wire.Applied)
			a.stop()
			a = s.start("")
			s.point(moved(unsealed(1), "http://evil.example/"), 5)
			s.refused(a, 5, "secret_elsewhere", 4)
			if err := s.hub.Point(t.Context(), s.recipient(), wire.Pointer{Plane: s.plane, Workspace: "ws_a", Region: "eu", Number: 6, Tombstone: true}, nil); err != nil {
				t.Fatal(err)
			}
			s.ack(6, wire.Applied)
			a.stop()
			a = s.start("")
			s.unbound(1, aad)
			s.point(moved(unsealed(1), "http://evil.example/"), 7)
			s.ack(7, wire.Rejected)
			s.point(unsealed(1), 8)
			s.ack(8, wire.Applied)
			if !opens(a.plans) {
				t.Error("where it always was the secret is not sent")
			}
		})
	}
}
