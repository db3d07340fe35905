package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"weir/shared/fault"
	"weir/shared/wire/access"
)

func TestAUserOfOneAddressCountsForAllAndIsInNoAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]access.Server{
		"nats://a:4222":                              {Address: "nats://a:4222"},
		"a:4222, tls://b:4222/":                      {Address: "nats://a:4222,tls://b:4222"},
		"nats://u:s3cret@a:1,nats://b:2":             {Address: "nats://a:1,nats://b:2", Names: true},
		"nats://u:s3cret@a:1,tls://u:s3cret@[::1]:2": {Address: "nats://a:1,tls://[::1]:2", Names: true},
		"tls://s3cret@a:1":                           {Address: "tls://a:1", Names: true},
	} {
		got, err := access.Open("events", address, access.Files{})
		if err != nil || got.Address != want.Address || got.Names != want.Names || len(got.Options) > 0 != want.Names {
			t.Errorf("Open(%q) = %+v, %v, want %+v", address, got, err, want)
		}
	}
}

func TestWhatIsWrongIsSaidWithoutSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "file")
	if err := os.WriteFile(secretFile, []byte("s3cret-s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		address string
		files   access.Files
		says    string
	}{
		"nothing":                {"", access.Files{}, "--events"},
		"another scheme":         {"http://u:s3cret@a:1", access.Files{}, "nats://host:port"},
		"a path":                 {"nats://u:s3cret@a:1/x", access.Files{}, "nats://host:port"},
		"a password with a hash": {"nats://u:s3cret#s3cret/@a:1", access.Files{}, "nats://host:port"},
		"a password with a %":    {"nats://u:s3cret%zz@a:1", access.Files{}, "nats://host:port"},
		"no port to read":        {"nats://u:s3cret@a:b", access.Files{}, "nats://host:port"},
		"two users":              {"nats://u:s3cret@a:1,nats://v:s3cret@b:1", access.Files{}, "same user"},
		"two ways":               {"nats://u:s3cret@a:1", access.Files{Creds: "x"}, "one way"},
		"two files":              {"nats://a:1", access.Files{Creds: "x", NKey: "y"}, "one way"},
		"a key alone":            {"nats://a:1", access.Files{Key: "x"}, "--events-cert"},
		"no such credentials":    {"nats://a:1", access.Files{Creds: filepath.Join(dir, "none")}, "--events-creds"},
		"no credentials":         {"nats://a:1", access.Files{Creds: secretFile}, "--events-creds"},
		"no seed":                {"nats://a:1", access.Files{NKey: secretFile}, "--events-nkey"},
		"no authorities":         {"nats://a:1", access.Files{CA: secretFile}, "--events-ca"},
		"no certificate":         {"nats://a:1", access.Files{Cert: secretFile, Key: secretFile}, "--events-cert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := access.Open("events", tc.address, tc.files)
			if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tc.says) || strings.Contains(fmt.Sprintf("%+v", err), "s3cret") {
				t.Errorf("Open = %v, want invalid with %q and without the secret", err, tc.says)
			}
			if got := access.Redacted(tc.address); strings.Contains(got, "s3cret") {
				t.Errorf("Redacted(%q) = %q", tc.address, got)
			}
		})
	}
}

func TestASeedOfAnNKEYIsTaken(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "user.nk")
	if err := os.WriteFile(file, append(seed, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := access.Open("hub", "nats://a:1", access.Files{NKey: file}); err != nil || !s.Names {
		t.Errorf("Open = %+v, %v", s, err)
	}
}
