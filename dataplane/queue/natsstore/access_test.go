package natsstore_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"weir/dataplane/queue"
	"weir/dataplane/queue/natsstore"
	"weir/shared/fault"
	"weir/shared/wire/access/accesstest"
)

// newUser returns the public key and the seed of a user.
func newUser(t *testing.T) (public string, seed []byte) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = kp.Seed(); err != nil {
		t.Fatal(err)
	}
	return public, seed
}

// block finds a block of code in Markdown.
var block = regexp.MustCompile("(?s)```\n(server_name:.*?)```")

// TestTheConfigurationOfThePageServesAPlane runs the servers of docs/event-cluster.md.
func TestTheConfigurationOfThePageServesAPlane(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/event-cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	found := block.FindSubmatch(page)
	if found == nil {
		t.Fatal("the page has no configuration of a server")
	}
	authority := accesstest.NewAuthority(t)
	cert, key := authority.Issue("events")
	public, seed := newUser(t)
	servers := runServers(t, 3, func(i int) *server.Options {
		text := strings.NewReplacer("server_name: events-1", fmt.Sprintf("server_name: events-%d", i+1), "/etc/nats/events-1.crt", cert, "/etc/nats/events-1.key", key,
			"/etc/nats/ca.pem", authority.File, "/var/lib/nats", t.TempDir(), "400GB", "4GB").Replace(string(found[1]))
		text = regexp.MustCompile(`nkey: U\w+`).ReplaceAllString(text, "nkey: "+public)
		opts, err := server.ProcessConfigFile(accesstest.Write(t, "server.conf", []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		opts.NoSigs, opts.NoLog = true, true
		return opts
	})
	cfg := natsstore.Config{Address: servers[0].ClientURL(), Files: authority.Files(), Partitions: 1}
	cfg.Files.NKey = accesstest.Write(t, "user.nk", seed)
	s := open(t, cfg)
	mustAppend(t, s.Log(queue.Events, 0), "", "x")
	if synced, lazy := s.Cluster().Synced, s.Cluster().Lazy; !synced || s.Limit(queue.Events) == 0 {
		t.Errorf("servers that sync and say so: seen to %v, %v not, with a limit of %d bytes", synced, lazy, s.Limit(queue.Events))
	}

	for name, change := range map[string]func(*natsstore.Config){
		"another authority":     func(c *natsstore.Config) { c.Files.CA = accesstest.NewAuthority(t).File },
		"no authority":          func(c *natsstore.Config) { c.Files.CA = "" },
		"no client certificate": func(c *natsstore.Config) { c.Files.Cert, c.Files.Key = "", "" },
		"nobody":                func(c *natsstore.Config) { c.Files.NKey = "" },
		"another user": func(c *natsstore.Config) {
			_, other := newUser(t)
			c.Files.NKey = accesstest.Write(t, "other.nk", other)
		},
		"a password where a key": func(c *natsstore.Config) {
			c.Files.NKey = ""
			c.Address = strings.Replace(c.Address, "://", "://weir:s3cret@", 1)
		},
	} {
		wrong := cfg
		change(&wrong)
		if s, err := natsstore.Open(t.Context(), wrong); err == nil || fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: Open = %v, want unavailable, without a password", name, err)
			if err == nil {
				_ = s.Close()
			}
		}
	}
}

// TestCredentialsOfAnOperatorAreTaken runs a server whose accounts and users are signed.
func TestCredentialsOfAnOperatorAreTaken(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	operator, err := nkeys.CreateOperator()
	must(err)
	account := func(name string, jetStream bool) (nkeys.KeyPair, string, string) {
		kp, err := nkeys.CreateAccount()
		must(err)
		public, err := kp.PublicKey()
		must(err)
		claims := jwt.NewAccountClaims(public)
		claims.Name = name
		if jetStream {
			claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: 2 << 30, Streams: -1, Consumer: -1}
		}
		token, err := claims.Encode(operator)
		must(err)
		return kp, public, token
	}
	_, system, systemToken := account("SYS", false)
	weir, plane, planeToken := account("WEIR", true)
	public, err := operator.PublicKey()
	must(err)
	root := jwt.NewOperatorClaims(public)
	root.SystemAccount = system
	resolver := &server.MemAccResolver{}
	must(resolver.Store(system, systemToken))
	must(resolver.Store(plane, planeToken))
	servers := runServers(t, 1, func(int) *server.Options {
		return &server.Options{
			ServerName: "n1", NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, MaxPayload: queue.MaxPayload,
			TrustedOperators: []*jwt.OperatorClaims{root}, SystemAccount: system, AccountResolver: resolver,
		}
	})
	user, seed := newUser(t)
	token, err := jwt.NewUserClaims(user).Encode(weir)
	must(err)
	creds, err := jwt.FormatUserConfig(token, seed)
	must(err)
	cfg := natsstore.Config{Address: servers[0].ClientURL(), Partitions: 1}
	cfg.Files.Creds = accesstest.Write(t, "plane.creds", creds)
	s := open(t, cfg)
	mustAppend(t, s.Log(queue.Events, 0), "", "x")
	if got, want := s.Limit(queue.Events), int64(2<<30)/10*9/100*32; got != want {
		t.Errorf("EVENTS may hold %d bytes, want %d: a share of what the account may", got, want)
	}
	cfg.Files.Creds = ""
	if _, err := natsstore.Open(t.Context(), cfg); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Open = %v without credentials, want unavailable", err)
	}
}
